"""X as the linear solvers see it: columns of mean 0 and of a common curvature, never copied.

The columns' change of variables leaves the objective as it is; it only makes its curvature
alike in all directions that a column spans by itself. All is computed in float64, whatever X is:
in float32 the rounding of a Hessian hides what its small eigenvalues say.
"""

from abc import ABC, abstractmethod

import numpy as np
import scipy.sparse as sp

from .._cached_property import cached_property

#: Entries of a chunk of rows that stays in the cache, and how many rows that may be.
DENSE_CHUNK_ELEMENTS = 2**18
MIN_DENSE_CHUNK, MAX_DENSE_CHUNK = 512, 4096
#: Entries of a dense chunk of sparse rows.
SPARSE_CHUNK_ELEMENTS = 2**21
#: Columns whose mean is more scales from zero are centred as they are read: to take the mean from
#: the products would leave too few digits.
MAX_UNSHIFTED_MEAN = 1e3


def slices(n_rows, length):
    """Return consecutive slices of `length` rows; the last may be shorter."""
    return [slice(i, min(i + length, n_rows)) for i in range(0, n_rows, length)]


def pieces(chunk, n_columns):
    """Return slices of a chunk that a temporary array of `n_columns` may follow."""
    length = max(DENSE_CHUNK_ELEMENTS // max(n_columns, 1), 16)
    return [
        slice(chunk.start + part.start, chunk.start + part.stop)
        for part in slices(chunk.stop - chunk.start, length)
    ]


def make_rows(X, columns, n_classes):
    """Return the rows class that suits X, in chunks whose scores and rows stay in the cache."""
    n_rows, n_features = X.shape
    if sp.issparse(X):
        # a chunk's scores are no larger than the parameters
        return SparseRows(X, columns, max(SPARSE_CHUNK_ELEMENTS // n_features, n_features))
    length = DENSE_CHUNK_ELEMENTS // (n_features + 4 * n_classes)
    length = min(max(length, MIN_DENSE_CHUNK), MAX_DENSE_CHUNK)
    return (CachedRows if n_rows <= length else DenseRows)(X, columns, length)


class StandardizedRows(ABC):
    """The rows z = [(x - mean) / scale, 1], by chunks.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_rows, n_features)
        Only read.
    columns : StandardColumns
        The mean and the scale.
    length : int
        Of a chunk.
    """

    def __init__(self, X, columns, length):
        self.X = X
        self.columns = columns
        self.length = min(length, X.shape[0])
        self.chunks = slices(X.shape[0], length)

    @property
    def Z(self):  # noqa: N802
        """All rows z as an array, where they are kept; else None."""
        return None

    @abstractmethod
    def encode(self, theta):
        """Return theta as `scores` takes it."""

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
    def standardized(self, rows):
        """Return the dense Z of some rows of a chunk; the next call overwrites it."""

    def add_squares(self, chunk, P, out):
        """Add P Z^2 of a chunk to `out`, (n_classes, n_features + 1)."""
        for part in pieces(chunk, out.shape[1]):
            Z = self.standardized(part)
            out += P[:, part.start - chunk.start : part.stop - chunk.start] @ (Z * Z)

    def _standardize(self, x, out):
        self.columns.standardize(x, out=out[:, :-1])
        out[:, -1] = 1
        return out

    def _empty(self, n_rows):
        return np.empty((n_rows, self.X.shape[1] + 1))


class CachedRows(StandardizedRows):
    """One chunk of dense rows: its Z is the chunk's buffer, and is kept."""

    @cached_property
    def Z(self):  # noqa: N802
        """All rows z."""
        return self._standardize(self.X, self._empty(self.length))

    def encode(self, theta):
        """Leave theta as it is."""
        return theta

    def scores(self, chunk, encoded, out):  # noqa: ARG002
        """Compute the scores from Z."""
        np.matmul(encoded, self.Z.T, out=out)

    def pull_back(self, chunk, P, gradient):  # noqa: ARG002
        """Set the gradient, as there is one chunk."""
        np.matmul(P, self.Z, out=gradient)

    def decode(self, gradient):
        """Leave the gradient as it is."""
        return gradient

    def standardized(self, rows):
        """Return a part of Z, not to be changed."""
        return self.Z[rows]


class ImplicitRows(StandardizedRows, ABC):
    """Rows read as they are but for a shift: the rest of the mean goes into the coefficients."""

    #: What is taken from the columns as they are read.
    _shift = 0.0

    @cached_property
    def _mean(self):
        """The mean of the columns as they are read."""
        return self.columns.mean - self._shift

    def encode(self, theta):
        """Return W and b, as a column."""
        W = theta[:, :-1] * self.columns.inv_scale
        return W, (theta[:, -1] - W @ self._mean)[:, None]

    def decode(self, gradient):
        """Centre and scale: (P X - (P 1) mean^T) / scale."""
        gradient[:, :-1] -= gradient[:, -1:] * self._mean
        gradient[:, :-1] *= self.columns.inv_scale
        return gradient


class DenseRows(ImplicitRows):
    """Dense X in several chunks."""

    #: Where the chunk starts of which the buffer holds a copy.
    _loaded = None

    @cached_property
    def _buffer(self):
        return self._empty(self.length)

    @cached_property
    def _shift(self):
        is_far = np.abs(self.columns.mean) > MAX_UNSHIFTED_MEAN * self.columns.scale
        return np.where(is_far, self.columns.mean, 0.0)

    @cached_property
    def _is_read_in_place(self):
        """Whether BLAS takes X as it lies, with nothing to cast or shift."""
        X = self.X
        return X.dtype == float and X.itemsize in X.strides and not self._shift.any()

    def _load(self, chunk):
        """Return the rows less the shift; a copy stays in the buffer for the next call."""
        x = self.X[chunk]
        if self._is_read_in_place:
            return x
        copy = self._buffer[: len(x), :-1]
        if self._loaded != chunk.start:
            np.subtract(x, self._shift, out=copy)
            self._loaded = chunk.start
        return copy

    def scores(self, chunk, encoded, out):
        """Compute W X^T + b."""
        W, b = encoded
        np.matmul(W, self._load(chunk).T, out=out)
        out += b

    def pull_back(self, chunk, P, gradient):
        """Add P X and P 1."""
        gradient[:, :-1] += P @ self._load(chunk)
        gradient[:, -1] += np.add.reduce(P, axis=1)

    def standardized(self, rows):
        """Standardize into the buffer."""
        self._loaded = None
        return self._standardize(self.X[rows], self._buffer[: rows.stop - rows.start])


class SparseRows(ImplicitRows):
    """CSR X, whose chunks are views on its three arrays, or casts of them to float64."""

    @cached_property
    def _parts(self):
        return {}

    def _part(self, rows):
        place = rows.start, rows.stop
        if place in self._parts:
            return self._parts[place]
        X, starts = self.X, self.X.indptr[rows.start : rows.stop + 1]
        stored = slice(starts[0], starts[-1])
        values = X.data[stored].astype(float, copy=False)
        arrays = values, X.indices[stored], starts - starts[0]
        part = sp.csr_array(arrays, shape=(len(starts) - 1, X.shape[1]))
        if X.dtype == float:
            self._parts[place] = part
        return part

    def encode(self, theta):
        """Return W^T, so that a stored value meets the weights of all classes side by side."""
        W, b = super().encode(theta)
        return np.ascontiguousarray(W.T), b

    def scores(self, chunk, encoded, out):
        """Compute (X W^T)^T + b."""
        weights, b = encoded
        np.add((self._part(chunk) @ weights).T, b, out=out)

    def pull_back(self, chunk, P, gradient):
        """Add P X and P 1."""
        gradient[:, :-1] += (self._part(chunk).T @ np.ascontiguousarray(P.T)).T
        gradient[:, -1] += np.add.reduce(P, axis=1)

    def standardized(self, rows):
        """Make these rows dense, and them alone."""
        x = self._part(rows).toarray()
        return self._standardize(x, self._empty(len(x)))

    def add_squares(self, chunk, P, out):
        """Add sum p (x - mean)^2, over scale^2, as the stored entries' and the zeros' terms.

        That is sum p (x^2 - 2 mean x) over the stored entries plus mean^2 sum p.
        """
        x, transposed = self._part(chunk), np.ascontiguousarray(P.T)
        totals, mean = np.add.reduce(P, axis=1), self.columns.mean
        terms = x.data * (x.data - 2 * mean[x.indices])
        stored = sp.csr_array((terms, x.indices, x.indptr), shape=x.shape)
        squares = (stored.T @ transposed).T + mean**2 * totals[:, None]
        out[:, :-1] += np.maximum(squares, 0.0) * self.columns.inv_scale**2
        out[:, -1] += totals
