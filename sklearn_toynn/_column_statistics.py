"""Means and standard deviations of the columns of dense or sparse X, and scaling by them."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from scipy import sparse

#: The number of entries of X that are copied at once to measure the columns.
MEASURED_ELEMENTS = 2**17


class ColumnScaling(ABC):
    """The change of variables to z = (x - mean) / scale, column by column.

    A layer W, b on x is the layer V, c on z with V = W * scale and c = b + W mean. The objective
    does not change: a penalty reg on W_j^2 becomes ridge_j = reg / scale_j^2 on V_j^2. So mean and
    scale need not be exact. `inv_scale` is 1 / scale, or 0 to set a column to 0.
    """

    def __init__(self, mean, scale, inv_scale):
        self.mean = mean
        self.scale = scale
        self.inv_scale = inv_scale

    @abstractmethod
    def divide(self, values, out=None):
        """Return values / scale for values of shape (..., n_features)."""

    def standardize(self, X, out):
        """Write z to `out` for dense rows of X, and return it."""
        np.subtract(X, self.mean, out=out)
        return self.divide(out, out=out)

    def scale_coefs(self, W, b):
        """Return V, c for W of shape (..., n_features) and b of shape (...)."""
        return W * self.scale, b + W @ self.mean

    def unscale_coefs(self, V, c):
        """Return W, b for V of shape (..., n_features) and c of shape (...)."""
        W = self.divide(V)
        return W, c - W @ self.mean

    def ridge(self, reg):
        """Return the penalty of each column in these variables."""
        return reg * self.inv_scale**2


class ColumnStatistics(NamedTuple):
    """Statistics of columns in float64; not finite if differences of values are not finite."""

    mean: np.ndarray
    #: The standard deviation.
    std: np.ndarray
    #: The largest deviation from the mean, if requested.
    largest: np.ndarray | None = None

    @property
    def is_constant(self):
        """Whether each column is constant."""
        return self.std == 0


@np.errstate(over="ignore", invalid="ignore")
def measure_columns(X, weights, rows=None, *, with_largest=False):
    """Return the `ColumnStatistics` of weighted rows, all if `rows` is None.

    X is dense or canonical CSR. Only the ratios of the weights matter. If all values of a column
    in rows of positive weight are equal, its mean is exactly this value and its standard deviation
    is exactly 0. Otherwise the standard deviation is precise, even if the mean is much larger, and
    squares neither overflow nor underflow. Dense X usually takes one pass without `with_largest`.
    """
    weights, rows = _rows_in_use(weights, rows)
    if sparse.issparse(X):
        return _measure_sparse(X, weights, rows)
    if not with_largest:
        statistics, is_precise = _measure_in_one_pass(X, weights, rows)
        if is_precise:
            return statistics
    return _measure_in_two_passes(X, weights, rows)


def row_chunks(X, rows):
    """Yield slices of the rows in use (all if None), and these rows of X."""
    n_samples, n_features = X.shape
    if sparse.issparse(X):  # MEASURED_ELEMENTS stored entries, or n_features if that is more
        length = max(n_samples * max(MEASURED_ELEMENTS, n_features) // max(X.nnz, 1), 1)
    else:
        length = max(MEASURED_ELEMENTS // n_features, 16)
    for start in range(0, n_samples if rows is None else len(rows), length):
        part = slice(start, start + length)
        yield part, X[part if rows is None else rows[part]]


def _rows_in_use(weights, rows):
    """Return the positive weights, scaled to a sum of 1, and their rows (None for all)."""
    used = weights.astype(float) if rows is None else weights[rows].astype(float, copy=False)
    if not used.all():
        rows = np.flatnonzero(used) if rows is None else rows[used > 0]
        used = used[used > 0]
    used /= used.max()  # the sum may overflow
    used /= used.sum()
    return used, rows


def _measure_in_one_pass(X, weights, rows):
    """Return the statistics, and whether they are precise.

    They are imprecise if squares overflow or underflow, or if the first row is far from the mean.
    """
    shift = X[0 if rows is None else rows[0]].astype(float)
    mean, square = np.zeros((2, X.shape[1]))  # of the differences from `shift`
    for part, chunk in row_chunks(X, rows):
        x = chunk - shift
        mean += weights[part] @ x
        np.square(x, out=x)
        square += weights[part] @ x
    variance = square - mean**2
    may_be_constant = square == 0
    is_precise = np.isfinite(square) & ((variance > 1e-6 * square) | may_be_constant)
    if may_be_constant.any():
        same = shift[may_be_constant]
        for _, chunk in row_chunks(X, rows):
            is_precise[may_be_constant] &= (chunk[:, may_be_constant] == same).all(axis=0)
    statistics = ColumnStatistics(shift + mean, np.sqrt(np.maximum(variance, 0)))
    return statistics, is_precise.all()


def _measure_in_two_passes(X, weights, rows):
    shift = X[0 if rows is None else rows[0]].astype(float)
    mean, lowest, highest = np.zeros((3, X.shape[1]))  # of the differences from `shift`
    for part, chunk in row_chunks(X, rows):
        x = chunk.astype(float)
        x -= shift
        mean += weights[part] @ x
        np.minimum(lowest, np.minimum.reduce(x), out=lowest)
        np.maximum(highest, np.maximum.reduce(x), out=highest)
    largest = np.maximum(highest - mean, mean - lowest)
    scale = _power_of_two(largest)
    mean_error, square = np.zeros((2, X.shape[1]))
    for part, chunk in row_chunks(X, rows):
        x = chunk.astype(float)
        x -= shift
        x -= mean
        x *= 1 / scale
        mean_error += weights[part] @ x
        np.square(x, out=x)
        square += weights[part] @ x
    mean += mean_error * scale
    return ColumnStatistics(shift + mean, _deviation(square, mean_error, scale), largest)


def _measure_sparse(X, weights, rows):
    n_features = X.shape[1]

    def sums(values, entries):
        return np.bincount(entries, values, minlength=n_features)

    mean, stored, count = np.zeros((3, n_features))
    lowest, highest = np.full(n_features, np.inf), np.full(n_features, -np.inf)
    for part, x in row_chunks(X, rows):
        w = np.repeat(weights[part], np.diff(x.indptr))
        mean += sums(w * x.data, x.indices)
        stored += sums(w, x.indices)
        count += np.bincount(x.indices, minlength=n_features)
        np.minimum.at(lowest, x.indices, x.data.astype(float, copy=False))
        np.maximum.at(highest, x.indices, x.data.astype(float, copy=False))
    is_full = count == len(weights)
    np.minimum(lowest, 0, out=lowest, where=~is_full)
    np.maximum(highest, 0, out=highest, where=~is_full)
    absent = np.where(is_full, 0, np.maximum(1 - stored, 0))  # the weight of unstored zeros
    is_constant = lowest == highest
    mean[is_constant] = lowest[is_constant]
    largest = np.maximum(highest - mean, mean - lowest)
    scale = _power_of_two(largest)
    mean_error, square = -mean / scale * absent, (mean / scale * np.sqrt(absent)) ** 2
    for part, x in row_chunks(X, rows):
        w = np.repeat(weights[part], np.diff(x.indptr))
        values = (x.data - mean[x.indices]) / scale[x.indices]
        w *= values
        mean_error += sums(w, x.indices)
        w *= values
        square += sums(w, x.indices)
    return ColumnStatistics(
        mean + mean_error * scale, _deviation(square, mean_error, scale), largest
    )


def _power_of_two(largest):
    """Return powers of 2 that scale deviations to at most 1, so that squares do not overflow."""
    _, exponent = np.frexp(largest)
    return np.ldexp(1.0, np.clip(exponent, -1000, 1000))


def _deviation(square, mean_error, scale):
    return np.sqrt(np.maximum(square - mean_error**2, 0)) * scale
