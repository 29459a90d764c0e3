"""The rows of X as z = [(x - mean) / scale, 1], in chunks and in float64.

X is never copied as a whole. Products with z are computed as products with x: the scaling is
folded into the coefficients, and unfolded from the gradient. In float32, rounding errors would
hide the small eigenvalues of the Hessian.
"""

from abc import ABC, abstractmethod

import numpy as np
import scipy.sparse as sp

#: The number of entries of a chunk of dense rows, and the limits of its number of rows.
DENSE_CHUNK_ELEMENTS = 2**18
MIN_DENSE_CHUNK, MAX_DENSE_CHUNK = 512, 4096
#: The number of entries of a chunk of sparse rows as a dense array.
SPARSE_CHUNK_ELEMENTS = 2**21
#: Columns are centered when they are read if their mean is more than this multiple of the scale,
#: because subtracting such a mean from products would lose too many digits.
MAX_UNSHIFTED_MEAN = 1e3


def slices(n_rows, length):
    """Return consecutive slices of `length` rows; the last may be shorter."""
    return [slice(i, min(i + length, n_rows)) for i in range(0, n_rows, length)]


def make_rows(X, columns, n_classes):
    """Return the `Rows` of X."""
    n_rows, n_features = X.shape
    if sp.issparse(X):
        # the scores of a chunk may be as large as the parameters
        return SparseRows(X, columns, max(SPARSE_CHUNK_ELEMENTS // n_features, n_features))
    length = DENSE_CHUNK_ELEMENTS // (n_features + 4 * n_classes)
    length = min(max(length, MIN_DENSE_CHUNK), MAX_DENSE_CHUNK)
    return (CachedRows if n_rows <= length else DenseRows)(X, columns, length)


class Rows(ABC):
    """Rows z, read as x = z * scale + mean - shift.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_rows, n_features)
        Only read.
    columns : StandardColumns
        The mean and the scale.
    length : int
        The number of rows of a chunk.
    shift : ndarray of shape (n_features,), default=0.0
        The values that are subtracted from the columns when they are read.
    """

    def __init__(self, X, columns, length, shift=0.0):
        self.X, self.columns = X, columns
        self.chunks = slices(X.shape[0], length)
        self._mean = columns.mean - shift

    @abstractmethod
    def load(self, chunk):
        """Return the x of a chunk."""

    def fold_scaling(self, theta):
        """Return W and the column b with theta z = W x + b."""
        W = theta[:, :-1] * self.columns.inv_scale
        return W, (theta[:, -1] - W @ self._mean)[:, None]

    def scores(self, folded, x):
        """Return theta z for loaded rows, (n_classes, n_rows)."""
        W, b = folded
        scores = W @ x.T
        scores += b
        return scores

    def add_rmatmul(self, P, x, total):
        """Add [P x, P 1] for loaded rows to `total`, (n_classes, n_features + 1)."""
        total[:, :-1] += P @ x
        total[:, -1] += np.add.reduce(P, axis=1)

    def unfold_scaling(self, total):
        """Convert [P x, P 1], summed over all rows, to P z in place."""
        total[:, :-1] -= total[:, -1:] * self._mean
        total[:, :-1] *= self.columns.inv_scale
        return total

    def standardized(self, chunk):
        """Return the z of a chunk as a dense, read-only array."""
        x = self.X[chunk]
        z = np.empty((x.shape[0], x.shape[1] + 1))
        self.columns.standardize(x.toarray() if sp.issparse(x) else x, out=z[:, :-1])
        z[:, -1] = 1
        return z

    def add_squares(self, P, chunk, total):
        """Add P z^2 for a chunk to `total`."""
        total += P @ self.standardized(chunk) ** 2


class CachedRows(Rows):
    """Dense rows in one chunk, whose z is cached and replaces x."""

    def __init__(self, X, columns, length):
        super().__init__(X, columns, length)
        (chunk,) = self.chunks
        self._z = super().standardized(chunk)

    def load(self, chunk):  # noqa: ARG002
        """Return z."""
        return self._z

    standardized = load

    def fold_scaling(self, theta):
        """Return theta."""
        return theta

    def scores(self, folded, x):
        """Multiply."""
        return folded @ x.T

    def add_rmatmul(self, P, x, total):
        """Set the total, because there is only one chunk."""
        np.matmul(P, x, out=total)

    def unfold_scaling(self, total):
        """Return the total."""
        return total


class DenseRows(Rows):
    """Dense rows in several chunks. BLAS reads float64 rows in place if no column is shifted."""

    def __init__(self, X, columns, length):
        is_far = np.abs(columns.mean) > MAX_UNSHIFTED_MEAN * columns.scale
        self._shift = np.where(is_far, columns.mean, 0.0)
        super().__init__(X, columns, length, self._shift)
        is_contiguous = X.itemsize in X.strides
        self._reads_in_place = X.dtype == float and is_contiguous and not is_far.any()

    def load(self, chunk):
        """Return the rows minus the shift."""
        x = self.X[chunk]
        return x if self._reads_in_place else x - self._shift


class SparseRows(Rows):
    """CSR rows; a chunk shares the arrays of X."""

    def __init__(self, X, columns, length):
        super().__init__(X, columns, length)
        self._parts = {chunk.start: self._slice(chunk) for chunk in self.chunks}

    def _slice(self, chunk):
        starts = self.X.indptr[chunk.start : chunk.stop + 1]
        stored = slice(starts[0], starts[-1])
        arrays = self.X.data[stored], self.X.indices[stored], starts - starts[0]
        return sp.csr_array(arrays, shape=(len(starts) - 1, self.X.shape[1]))

    def load(self, chunk):
        """Return the rows as they are."""
        return self._parts[chunk.start]

    def scores(self, folded, x):
        """Return theta z for loaded rows, (n_classes, n_rows)."""
        W, b = folded
        return np.add((x @ W.T).T, b, order="C")

    def add_rmatmul(self, P, x, total):
        """Add [P x, P 1] for loaded rows to `total`, (n_classes, n_features + 1)."""
        total[:, :-1] += (x.T @ P.T).T
        total[:, -1] += np.add.reduce(P, axis=1)

    def add_squares(self, P, chunk, total):
        """Add P z^2 for a chunk to `total`, without dense rows.

        sum_i p_i (x_i - mean)^2 is the sum of p (x^2 - 2 mean x) over the stored entries, plus
        mean^2 sum_i p_i.
        """
        x, mean = self.load(chunk), self._mean
        values = x.data.astype(float, copy=False)
        terms = values * (values - 2 * mean[x.indices])
        stored = sp.csr_array((terms, x.indices, x.indptr), shape=x.shape)
        sums = np.add.reduce(P, axis=1)
        squares = (stored.T @ P.T).T + mean**2 * sums[:, None]
        total[:, :-1] += np.maximum(squares, 0.0) * self.columns.inv_scale**2
        total[:, -1] += sums
