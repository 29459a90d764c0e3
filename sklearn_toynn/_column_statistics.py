"""Means and spreads of the columns of X, dense or sparse, and changes of variables by them."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from scipy import sparse

# The entries of X that are copied at once where its columns are measured.
MEASURED_ELEMENTS = 2**17


class ColumnScaling(ABC):
    """The change of variables to z = (x - mean) / scale, column by column.

    A layer W, b on x is the layer V, c on z with V = W * scale and c = b + W mean. The objective
    does not change: a penalty reg on W_j^2 becomes ridge_j = reg / scale_j^2 on V_j^2. So mean and
    scale need not be exact. `inv_scale` is 1 / scale, or 0 in columns that are to be 0.
    """

    def __init__(self, mean, scale, inv_scale):
        self.mean = mean
        self.scale = scale
        self.inv_scale = inv_scale

    @abstractmethod
    def divide(self, values, out=None):
        """Return values / scale, whose last axis is that of the columns."""

    def standardize(self, X, out):
        """Write z for dense rows of X, and return it."""
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
    """What is known of columns, in float64; not finite where differences of values are not."""

    mean: np.ndarray
    #: The standard deviation.
    std: np.ndarray
    #: The largest deviation from the mean, if asked for.
    largest: np.ndarray | None = None

    @property
    def is_constant(self):
        """Which columns have one value."""
        return self.std == 0


@np.errstate(over="ignore", invalid="ignore")
def measure_columns(X, weights, rows=None, *, with_largest=False):
    """Return the `ColumnStatistics` of weighted rows, all if `rows` is None.

    The same rule holds for dense and sparse X, CSR in canonical form: a column is constant if all
    its values in use are equal. Then its mean is exactly that value and its deviation exactly 0.
    The deviation of any other column is lost neither beside a large mean nor to the range of the
    squares. Only the ratios of the weights matter, and rows of weight 0 play no part. Without
    `with_largest`, one pass over dense X is enough as a rule.
    """
    weights, rows = _rows_in_use(weights, rows)
    if sparse.issparse(X):
        return _measure_sparse(X, weights, rows)
    if not with_largest:
        statistics, is_exact = _measure_in_one_pass(X, weights, rows)
        if is_exact:
            return statistics
    return _measure_in_two_passes(X, weights, rows)


def row_chunks(X, rows):
    """Yield slices of the rows in use, all if None, and the rows of X there."""
    n_samples, n_features = X.shape
    if sparse.issparse(X):  # as many rows as have a chunk's entries, or as X has columns
        length = max(n_samples * max(MEASURED_ELEMENTS, n_features) // max(X.nnz, 1), 1)
    else:
        length = max(MEASURED_ELEMENTS // n_features, 16)
    for start in range(0, n_samples if rows is None else len(rows), length):
        part = slice(start, start + length)
        yield part, X[part if rows is None else rows[part]]


def _rows_in_use(weights, rows):
    """Return the weights above 0, of sum 1, and their rows, None for all."""
    used = weights.astype(float) if rows is None else weights[rows].astype(float, copy=False)
    if not used.all():
        rows = np.flatnonzero(used) if rows is None else rows[used > 0]
        used = used[used > 0]
    used /= used.max()  # their sum may be beyond the range
    used /= used.sum()
    return used, rows


def _measure_in_one_pass(X, weights, rows):
    """Return the statistics, and whether one pass lost no digits that matter.

    It does where squares leave the range, or the first row is far from the others.
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
    is_exact = np.isfinite(square) & ((variance > 1e-6 * square) | may_be_constant)
    if may_be_constant.any():
        same = shift[may_be_constant]
        for _, chunk in row_chunks(X, rows):
            is_exact[may_be_constant] &= (chunk[:, may_be_constant] == same).all(axis=0)
    statistics = ColumnStatistics(shift + mean, np.sqrt(np.maximum(variance, 0)))
    return statistics, is_exact.all()


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
    unit = _power_of_two(largest)
    drift, square = np.zeros((2, X.shape[1]))
    for part, chunk in row_chunks(X, rows):
        x = chunk.astype(float)
        x -= shift
        x -= mean
        x *= 1 / unit
        drift += weights[part] @ x  # of the mean, from its own rounding
        np.square(x, out=x)
        square += weights[part] @ x
    mean += drift * unit
    return ColumnStatistics(shift + mean, _deviation(square, drift, unit), largest)


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
    absent = np.where(is_full, 0, np.maximum(1 - stored, 0))  # the weight of what is not stored
    is_constant = lowest == highest
    mean[is_constant] = lowest[is_constant]
    largest = np.maximum(highest - mean, mean - lowest)
    unit = _power_of_two(largest)
    drift, square = -mean / unit * absent, (mean / unit * np.sqrt(absent)) ** 2
    for part, x in row_chunks(X, rows):
        w = np.repeat(weights[part], np.diff(x.indptr))
        values = (x.data - mean[x.indices]) / unit[x.indices]
        w *= values
        drift += sums(w, x.indices)
        w *= values
        square += sums(w, x.indices)
    return ColumnStatistics(mean + drift * unit, _deviation(square, drift, unit), largest)


def _power_of_two(largest):
    """Return the powers of 2, or 1, that bring deviations within 1, whatever their squares."""
    _, exponent = np.frexp(largest)
    return np.ldexp(1.0, np.clip(exponent, -1000, 1000))


def _deviation(square, drift, unit):
    return np.sqrt(np.maximum(square - drift**2, 0)) * unit
