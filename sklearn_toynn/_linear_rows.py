"""X as the linear solvers see it: columns of mean 0 and variance 1, of which no copy is made.

The columns' change of variables leaves the objective as it is; it only makes its curvature
alike in all directions that a column spans by itself.
"""

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
import scipy.sparse as sp

__all__ = ["CHUNK_ELEMENTS", "StandardColumns", "make_rows", "slices"]

# Entries of a chunk of rows that stays in the cache, and how many rows that may be.
CHUNK_ELEMENTS = 2**18
MIN_CHUNK, MAX_CHUNK = 512, 4096
# Entries of a dense chunk of sparse rows.
SPARSE_CHUNK_ELEMENTS = 2**21


def slices(n_rows, length):
    """Return consecutive slices of `length` rows; the last may be shorter."""
    return [slice(i, min(i + length, n_rows)) for i in range(0, n_rows, length)]


def pieces(chunk, n_columns):
    """Return slices of a chunk that a temporary array of `n_columns` may follow."""
    length = max(CHUNK_ELEMENTS // max(n_columns, 1), 16)
    return [
        slice(chunk.start + part.start, chunk.start + part.stop)
        for part in slices(chunk.stop - chunk.start, length)
    ]


class StandardColumns:
    """The change of variables from coefficients to theta, (n_classes, n_features + 1).

    theta[:, :-1] = W * std and theta[:, -1] = b + W mean: the weights of standardised columns,
    in which the penalty is sum_j ridge_j theta_j^2 / 2 with ridge_j = reg / std_j^2. A column
    without spread has 1 / std = 0: its weight is 0, as at the minimum.

    Parameters
    ----------
    mean, std : ndarray of shape (n_features,)
        Need not be exact: the objective is the same in any such variables.
    """

    def __init__(self, mean, std):
        self.mean = mean
        self.std = std
        self.inv_std = np.divide(1.0, std, out=np.zeros(len(std)), where=std > 0)

    def ridge(self, reg):
        """Return the penalty of each column of theta; that of the intercept is 0."""
        return np.append(reg * self.inv_std**2, 0.0)

    def to_coefs(self, theta):
        """Return W (n_classes, n_features) and b (n_classes,)."""
        W = theta[:, :-1] * self.inv_std
        return W, theta[:, -1] - W @ self.mean

    def from_coefs(self, W, b):
        """Return theta less its mean over the classes, which has no part in any probability."""
        theta = np.column_stack([W * self.std, b + W @ self.mean])
        return theta - theta.mean(axis=0)

    @classmethod
    def of(cls, X, weights):
        """Measure the columns of X, dense or CSR, under weights that sum to 1."""
        return (cls._of_sparse if sp.issparse(X) else cls._of_dense)(X, weights)

    @classmethod
    def _of_dense(cls, X, weights):
        n_rows, n_features = X.shape
        parts = pieces(slice(0, n_rows), n_features)
        mean, variance, drift = np.zeros((3, n_features))
        for part in parts:
            mean += weights[part] @ X[part]
        buffer = np.empty((parts[0].stop, n_features))
        for part in parts:
            centred = np.subtract(X[part], mean, out=buffer[: part.stop - part.start])
            # of the mean, from its own rounding: without it, a constant column has a spread
            drift += weights[part] @ centred
            np.square(centred, out=centred)
            variance += weights[part] @ centred
        std = np.sqrt(np.maximum(variance - drift**2, 0.0))
        std[std <= 8 * np.finfo(X.dtype).eps * np.abs(mean)] = 0.0  # constant to rounding
        return cls(mean, std)

    @classmethod
    def _of_sparse(cls, X, weights):
        n_features = X.shape[1]
        mean, square = np.zeros((2, n_features))
        for part in slices(X.shape[0], max(SPARSE_CHUNK_ELEMENTS // n_features, n_features)):
            starts = X.indptr[part.start : part.stop + 1]
            stored = slice(starts[0], starts[-1])
            values = X.data[stored] * np.repeat(weights[part], np.diff(starts))
            mean += np.bincount(X.indices[stored], values, minlength=n_features)
            values *= X.data[stored]
            square += np.bincount(X.indices[stored], values, minlength=n_features)
        variance = square - mean**2
        variance[variance <= 64 * np.finfo(X.dtype).eps * square] = 0.0
        return cls(mean, np.sqrt(variance))


def make_rows(X, columns, n_classes):
    """Return the `Rows` that suit X, in chunks whose scores and rows stay in the cache."""
    n_rows, n_features = X.shape
    if sp.issparse(X):
        # a chunk's scores are no larger than the parameters
        return SparseRows(X, columns, max(SPARSE_CHUNK_ELEMENTS // n_features, n_features))
    length = int(np.clip(CHUNK_ELEMENTS // (n_features + 4 * n_classes), MIN_CHUNK, MAX_CHUNK))
    return (CachedRows if n_rows <= length else DenseRows)(X, columns, length)


class Rows(ABC):
    """The rows z = [(x - mean) / std, 1], by chunks.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_rows, n_features)
        Only read.
    columns : StandardColumns
        The mean and the std.
    length : int
        Of a chunk.
    """

    def __init__(self, X, columns, length):
        self.X = X
        self.columns = columns
        self.length = min(length, X.shape[0])
        self.chunks = slices(X.shape[0], length)

    @abstractmethod
    def encode(self, theta):
        """Return theta as `scores` takes it, in the dtype of X."""

    @abstractmethod
    def scores(self, chunk, encoded, out):
        """Write theta Z^T of a chunk, (n_classes, length), into `out`."""

    @abstractmethod
    def pull_back(self, chunk, P, gradient):
        """Add P times the rows of a chunk to `gradient`, in the terms of `encode`."""

    @abstractmethod
    def decode(self, gradient):
        """Turn a sum of `pull_back` over all chunks into P Z, in place."""

    @abstractmethod
    def standardised(self, rows):
        """Return the dense Z of some rows of a chunk; the next call overwrites it."""

    def add_squares(self, chunk, P, out):
        """Add P Z^2 of a chunk to `out`, (n_classes, n_features + 1)."""
        for part in pieces(chunk, out.shape[1]):
            Z = self.standardised(part)
            out += P[:, part.start - chunk.start : part.stop - chunk.start] @ (Z * Z)

    def _standardise(self, x, out):
        dtype = self.X.dtype
        np.subtract(x, self.columns.mean.astype(dtype, copy=False), out=out[:, :-1])
        out[:, :-1] *= self.columns.inv_std.astype(dtype, copy=False)
        out[:, -1] = 1
        return out

    def _empty(self, n_rows):
        return np.empty((n_rows, self.X.shape[1] + 1), self.X.dtype)


class CachedRows(Rows):
    """One chunk of dense rows: its Z is the chunk's buffer, and is kept."""

    @cached_property
    def _rows(self):
        return self._standardise(self.X, self._empty(self.length))

    def encode(self, theta):
        """Cast theta."""
        return theta.astype(self.X.dtype, copy=False)

    def scores(self, chunk, encoded, out):  # noqa: ARG002
        """Compute the scores from Z."""
        np.matmul(encoded, self._rows.T, out=out)

    def pull_back(self, chunk, P, gradient):  # noqa: ARG002
        """Set the gradient, as there is one chunk."""
        np.matmul(P, self._rows, out=gradient)

    def decode(self, gradient):
        """Leave the gradient as it is."""
        return gradient

    def standardised(self, rows):
        """Return a part of Z, not to be changed."""
        return self._rows[rows]


class ImplicitRows(Rows, ABC):
    """Rows read as they are: mean and std go into the coefficients."""

    def encode(self, theta):
        """Return W and b, as a column."""
        W, b = self.columns.to_coefs(theta)
        return W.astype(self.X.dtype, copy=False), b.astype(self.X.dtype, copy=False)[:, None]

    def decode(self, gradient):
        """Centre and scale: (P X - (P 1) mean^T) / std."""
        gradient[:, :-1] -= gradient[:, -1:] * self.columns.mean
        gradient[:, :-1] *= self.columns.inv_std
        return gradient


class DenseRows(ImplicitRows):
    """Dense X in several chunks."""

    @cached_property
    def _buffer(self):
        return self._empty(self.length)

    def _load(self, chunk):
        """Return the rows of X, copied only where BLAS can't take them as they lie."""
        x = self.X[chunk]
        return x if x.itemsize in x.strides else np.ascontiguousarray(x)

    def scores(self, chunk, encoded, out):
        """Compute W X^T + b."""
        W, b = encoded
        np.matmul(W, self._load(chunk).T, out=out)
        out += b

    def pull_back(self, chunk, P, gradient):
        """Add P X and P 1."""
        gradient[:, :-1] += P @ self._load(chunk)
        gradient[:, -1] += np.add.reduce(P, axis=1)

    def standardised(self, rows):
        """Standardise into the buffer."""
        return self._standardise(self.X[rows], self._buffer[: rows.stop - rows.start])


class SparseRows(ImplicitRows):
    """CSR X, whose chunks are views on its three arrays."""

    @cached_property
    def _parts(self):
        return {chunk.start: self._part(chunk) for chunk in self.chunks}

    def _part(self, rows):
        X, starts = self.X, self.X.indptr[rows.start : rows.stop + 1]
        stored = slice(starts[0], starts[-1])
        arrays = X.data[stored], X.indices[stored], starts - starts[0]
        return sp.csr_array(arrays, shape=(len(starts) - 1, X.shape[1]))

    def encode(self, theta):
        """Return W^T, so that a stored value meets the weights of all classes side by side."""
        W, b = super().encode(theta)
        return np.ascontiguousarray(W.T), b

    def scores(self, chunk, encoded, out):
        """Compute (X W^T)^T + b."""
        weights, b = encoded
        np.add((self._parts[chunk.start] @ weights).T, b, out=out)

    def pull_back(self, chunk, P, gradient):
        """Add P X and P 1."""
        gradient[:, :-1] += (self._parts[chunk.start].T @ np.ascontiguousarray(P.T)).T
        gradient[:, -1] += np.add.reduce(P, axis=1)

    def standardised(self, rows):
        """Make these rows dense, and them alone."""
        x = self._part(rows).toarray()
        return self._standardise(x, self._empty(len(x)))

    def add_squares(self, chunk, P, out):
        """Add sum p (x - mean)^2 = sum p x^2 - 2 mean sum p x + mean^2 sum p, over variance."""
        x, transposed = self._parts[chunk.start], np.ascontiguousarray(P.T)
        totals, mean = np.add.reduce(P, axis=1), self.columns.mean
        squared = sp.csr_array((x.data**2, x.indices, x.indptr), shape=x.shape)
        squares = (squared.T @ transposed).T
        squares -= 2 * mean * (x.T @ transposed).T - mean**2 * totals[:, None]
        out[:, :-1] += np.maximum(squares, 0.0) * self.columns.inv_std**2
        out[:, -1] += totals
