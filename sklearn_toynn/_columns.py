"""Means and spreads of the columns of X, dense or sparse."""

import numpy as np
from scipy import sparse

# The entries of X that are copied at once where its columns are measured.
CHUNK_ELEMENTS = 2**17


def measure_columns(X, weights, rows=None):
    """Return the mean and the standard deviation of each column, over weighted rows.

    One rule for dense and sparse says which columns are constant: those whose values in use are
    all equal. Their mean is exactly that value and their deviation exactly 0; that of any other
    column is not lost beside a large mean, nor to the range of the squares.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Only read, chunk by chunk; CSR in canonical form.
    weights : ndarray of shape (n_samples,)
        At least 0, not all of them 0, and of any sum. Rows of weight 0 play no part.
    rows : ndarray of int, default=None
        The rows in use, all if None.

    Returns
    -------
    mean, std : ndarray of shape (n_features,), dtype float64
        Not finite where the differences of a column's values are not.
    """
    used, rows = _rows_in_use(weights, rows)
    if not sparse.issparse(X):
        with np.errstate(over="ignore", invalid="ignore"):
            mean, std, is_exact = _measure_dense(X, used, rows)
        if is_exact:
            return mean, std
    mean, std, _ = _describe(X, used, rows)
    return mean, std


def describe_columns(X, weights, rows=None):
    """Return what `measure_columns` does, and each column's largest deviation from its mean."""
    return _describe(X, *_rows_in_use(weights, rows))


def _rows_in_use(weights, rows):
    """Return the weights above 0, of sum 1, and their rows, None for all."""
    used = weights.astype(float) if rows is None else weights[rows].astype(float, copy=False)
    if not used.all():
        rows = np.flatnonzero(used) if rows is None else rows[used > 0]
        used = used[used > 0]
    used /= used.max()  # their sum may be beyond the range
    used /= used.sum()
    return used, rows


def _describe(X, weights, rows):
    return (_describe_sparse if sparse.issparse(X) else _describe_dense)(X, weights, rows)


def _chunks(X, rows, n_rows, length):
    """Yield slices of the `n_rows` in use, and the rows of X there."""
    for start in range(0, n_rows, length):
        part = slice(start, start + length)
        yield part, X[part if rows is None else rows[part]]


def _sparse_length(X):
    """Return how many rows have as many entries as a chunk, or as X has columns."""
    return max(X.shape[0] * max(CHUNK_ELEMENTS, X.shape[1]) // max(X.nnz, 1), 1)


def _measure_dense(X, weights, rows):
    """Return means and deviations by one pass, and whether it lost no digits that matter.

    It does where squares leave the range, or the first row is far from the others.
    """
    length = max(CHUNK_ELEMENTS // X.shape[1], 16)
    shift = X[0 if rows is None else rows[0]].astype(float)
    mean, square = np.zeros((2, X.shape[1]))  # of the differences from `shift`
    for part, chunk in _chunks(X, rows, len(weights), length):
        x = chunk - shift
        mean += weights[part] @ x
        np.square(x, out=x)
        square += weights[part] @ x
    variance = square - mean**2
    may_be_constant = square == 0
    is_exact = np.isfinite(square) & ((variance > 1e-6 * square) | may_be_constant)
    if may_be_constant.any():
        same = shift[may_be_constant]
        for _, chunk in _chunks(X, rows, len(weights), length):
            is_exact[may_be_constant] &= (chunk[:, may_be_constant] == same).all(axis=0)
    return shift + mean, np.sqrt(np.maximum(variance, 0)), is_exact.all()


def _describe_dense(X, weights, rows):
    length = max(CHUNK_ELEMENTS // X.shape[1], 16)
    shift = X[0 if rows is None else rows[0]].astype(float)
    mean, lowest, highest = np.zeros((3, X.shape[1]))  # of the differences from `shift`
    for part, chunk in _chunks(X, rows, len(weights), length):
        x = chunk - shift
        mean += weights[part] @ x
        np.minimum(lowest, np.minimum.reduce(x), out=lowest)
        np.maximum(highest, np.maximum.reduce(x), out=highest)
    largest = np.maximum(highest - mean, mean - lowest)
    unit = _power_of_two(largest)
    drift, square = np.zeros((2, X.shape[1]))
    for part, chunk in _chunks(X, rows, len(weights), length):
        x = chunk - shift
        x -= mean
        x /= unit
        drift += weights[part] @ x  # of the mean, from its own rounding
        np.square(x, out=x)
        square += weights[part] @ x
    return shift + (mean + drift * unit), _deviation(square, drift, unit), largest


def _describe_sparse(X, weights, rows):
    n_features = X.shape[1]
    length = _sparse_length(X)

    def sums(values, entries):
        return np.bincount(entries, values, minlength=n_features)

    mean, stored, count = np.zeros((3, n_features))
    lowest, highest = np.full(n_features, np.inf), np.full(n_features, -np.inf)
    for part, x in _chunks(X, rows, len(weights), length):
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
    for part, x in _chunks(X, rows, len(weights), length):
        w = np.repeat(weights[part], np.diff(x.indptr))
        values = (x.data - mean[x.indices]) / unit[x.indices]
        w *= values
        drift += sums(w, x.indices)
        w *= values
        square += sums(w, x.indices)
    return mean + drift * unit, _deviation(square, drift, unit), largest


def _power_of_two(largest):
    """Return the powers of 2, or 1, that bring deviations within 1, whatever their squares."""
    _, exponent = np.frexp(largest)
    return np.ldexp(1.0, np.clip(exponent, -1000, 1000))


def _deviation(square, drift, unit):
    return np.sqrt(np.maximum(square - drift**2, 0)) * unit
