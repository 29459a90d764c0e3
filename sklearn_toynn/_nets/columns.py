"""What is done with X: products with dense and sparse rows, and a common scale of its columns."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

__all__ = [
    "Columns",
    "are_scaled_alike",
    "change_columns",
    "measure_columns",
    "multiply",
    "multiply_transposed",
]

# The entries of X that are copied at once where its columns are measured.
CHUNK_ELEMENTS = 2**17


#: No value of a scaled column is beyond this. Words in texts are a point better at 3 to 10 than at
#: 20 and more, log-normal columns up to 7 points at 10 and more than at 3 to 5.
LARGEST_VALUE = 10

#: The spread of what should be 0 in principal components, over that of the first. In float32 it is
#: up to five times this, as is that of true columns in other units: the penalty limits both.
BESIDE_WIDEST = {np.dtype(np.float32): 2.5e-7, np.dtype(np.float64): 1e-14}


def multiply(weights, X, out):
    """Write W_g X^T of each net, (n_nets, fan_out, n_samples); X may be CSR or `CentredRows`."""
    if isinstance(X, np.ndarray):
        np.matmul(weights, X.T, out=out)
        return
    for net_weights, net_out in zip(weights, out, strict=True):
        net_out[...] = (X @ net_weights.T).T


def multiply_transposed(delta, X, out):
    """Write d_g X of each net, (n_nets, fan_out, n_features); X as in `multiply`."""
    if isinstance(X, np.ndarray):
        np.matmul(delta, X, out=out)
        return
    transposed = X.T
    for net_delta, net_out in zip(delta, out, strict=True):
        net_out[...] = (transposed @ net_delta.T).T


class CentredRows:
    """X + 1 c^T for CSR X, which is not made dense, and a row c of which few entries are not 0.

    Parameters
    ----------
    X : CSR array of shape (n_samples + 1, n_features)
        The last row is c.
    """

    def __init__(self, X):
        self._X = X

    def __matmul__(self, weights):
        product = self._X @ weights
        product[:-1] += product[-1]
        return product[:-1]

    @property
    def T(self):  # noqa: N802
        """Its transpose, to multiply arrays (n_samples, fan_out) by."""
        return TransposedCentredRows(self._X.T)


class TransposedCentredRows:
    """The transpose of `CentredRows`."""

    def __init__(self, X):
        self._X = X

    def __matmul__(self, delta):
        return self._X @ np.concatenate([delta, delta.sum(axis=0, keepdims=True)])


@dataclass(frozen=True)
class Columns:
    """A change of variables that brings the columns of X to a common scale.

    With z_j = (x_j - mean_j) / scale_j, a first layer W, b on x is the layer V, c on z with
    V_j = W_j scale_j and c = b + W mean. The objective stays as it is: what was a penalty
    reg on W_j is one of reg / scale_j^2 on V_j.

    The scale is the standard deviation, or where that is more a tenth of the largest deviation
    from the mean: the few entries of a column that hardly has any are not blown up. Columns that
    may be rounding, beside their own mean or beside the widest column, are not blown up at all:
    their scale is at least 1. Means within half the scale stay. Columns whose mean is at most 1/2
    and whose standard deviation lies in [1/2, 2] are left as they are: on standardised data
    nothing changes.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, samples):
        """Return what suits weighted samples; None if all columns are fine.

        That goes by the values alone: for sparse X it is what it is for dense.
        """
        X = samples.X
        with np.errstate(over="ignore", invalid="ignore"):
            mean, std, largest = describe_columns(X, samples.weights, samples.rows)
        is_finite = np.isfinite(std)  # not near the end of the dtype's range
        widest = std.max(initial=0, where=is_finite)
        eps = np.finfo(X.dtype).eps
        is_rounding = std <= np.maximum(8 * eps * np.abs(mean), BESIDE_WIDEST[X.dtype] * widest)
        scale = np.maximum(std, largest / LARGEST_VALUE)
        scale[is_rounding] = np.maximum(scale[is_rounding], 1)
        half = 0.5 + 1e-9  # shares of 1/2 and 1/5 are on the edge, on one side for both containers
        is_fine = (np.abs(mean) <= half) & (std >= 1 - half) & (std <= 4 * half)
        scale[is_fine | ~is_finite] = 1
        mean[~is_finite | (np.abs(mean) <= half * scale)] = 0
        if (scale == 1).all() and not mean.any():
            return None
        # the squares of their inverses are within the dtype's range
        np.maximum(scale, np.finfo(X.dtype).tiny ** 0.4, out=scale)
        return cls(mean.astype(X.dtype), scale.astype(X.dtype))

    def standardize(self, X, out):
        """Write z for dense rows of X, and return it."""
        np.subtract(X, self.mean, out=out)
        out /= self.scale
        return out

    def to_scaled(self, network):
        """Return a copy of the nets with the first layer W, b turned into V, c."""
        network = network.copy()
        weights, bias = network.weights[0], network.biases[0]
        bias += (weights @ self.mean)[:, :, None]
        weights *= self.scale
        return network

    def to_original(self, network):
        """Return a copy of the nets with the first layer V, c turned into W, b."""
        network = network.copy()
        weights, bias = network.weights[0], network.biases[0]
        weights /= self.scale
        bias -= (weights @ self.mean)[:, :, None]
        return network

    def ridge(self, reg):
        """Return the penalty on V, (n_nets, 1, n_features), for one on W of reg (n_nets, 1)."""
        return (reg * (1 / self.scale) ** 2)[:, None]

    def begin(self, network, reg):
        """Shrink the first layers as drawn where the penalty on V is steep, in place.

        Their variance is divided by 1 + fan_out ridge. So He's 2 / fan_in makes a penalty of at
        most 1 in all, whatever the scales; and a weight is at most 1 / sqrt(fan_out reg) times as
        large as on the columns as they are, where the data say nothing.
        """
        weights = network.weights[0]
        weights /= np.sqrt(1 + weights.shape[1] * self.ridge(reg))


class SparseColumns:
    """Columns of CSR rows brought to a common scale, with what is not stored left so.

    A column that all rows store is centred value by value, so that an offset takes no digits.
    The others have values of 0, from which their mean is not far: it goes into `CentredRows`.

    Parameters
    ----------
    columns : Columns
        The means and scales.
    X : CSR matrix of shape (n_samples, n_features)
        In canonical form.
    rows : ndarray of int or None
        The rows in use, all if None.
    """

    def __init__(self, columns, X, rows):
        mean, self._scale = columns.mean, columns.scale
        n_rows = X.shape[0] if rows is None else len(rows)
        counts = np.zeros(X.shape[1], int)
        for _, x in _chunks(X, rows, n_rows, _sparse_length(X)):
            counts += np.bincount(x.indices, minlength=X.shape[1])
        is_full = counts == n_rows
        self._mean = np.where(is_full, mean, 0)
        self._centred = np.flatnonzero(mean * ~is_full).astype(X.indices.dtype)
        self._centre = -mean[self._centred] / self._scale[self._centred]

    def standardize(self, x):
        """Return z for CSR rows, which are not changed."""
        values = x.data - self._mean[x.indices]
        values /= self._scale[x.indices]
        if not len(self._centred):
            return sparse.csr_array((values, x.indices, x.indptr), shape=x.shape)
        arrays = (
            np.concatenate([values, self._centre]),
            np.concatenate([x.indices, self._centred]),
            np.append(x.indptr, len(values) + len(self._centre)),
        )
        return CentredRows(sparse.csr_array(arrays, shape=(x.shape[0] + 1, x.shape[1])))


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


def are_scaled_alike(old, new):
    """Say whether two changes of columns are the same; None stands for the columns as they are."""
    if old is None or new is None:
        return old is new
    return np.array_equal(old.mean, new.mean) and np.array_equal(old.scale, new.scale)


def change_columns(network, old, new):
    """Return nets on columns scaled as in `old` as nets on columns scaled as in `new`."""
    if old is not None:
        network = old.to_original(network)
    return network if new is None else new.to_scaled(network)
