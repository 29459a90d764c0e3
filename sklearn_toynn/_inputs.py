"""What is done with X: products with dense and sparse rows, and a common scale of its columns."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

__all__ = ["Columns", "change_columns", "measure_columns", "multiply", "multiply_transposed"]

# The entries of X that are copied at once where its columns are measured.
CHUNK_ELEMENTS = 2**17


def multiply(weights, X, out):
    """Write W_g X^T of each net, (n_nets, fan_out, n_samples); X may be sparse."""
    if not sparse.issparse(X):
        np.matmul(weights, X.T, out=out)
        return
    for net_weights, net_out in zip(weights, out, strict=True):
        net_out[...] = (X @ net_weights.T).T


def multiply_transposed(delta, X, out):
    """Write d_g X of each net, (n_nets, fan_out, n_features); X may be sparse."""
    if not sparse.issparse(X):
        np.matmul(delta, X, out=out)
        return
    for net_delta, net_out in zip(delta, out, strict=True):
        net_out[...] = (X.T @ net_delta.T).T


@dataclass(frozen=True)
class Columns:
    """A change of variables that brings the columns of X to a common scale.

    With z_j = (x_j - mean_j) / scale_j, a first layer W, b on x is the layer V, c on z with
    V_j = W_j scale_j and c = b + W mean. The objective stays as it is: what was a penalty
    reg on W_j is one of reg / scale_j^2 on V_j.

    Columns whose mean is at most 1/2 and whose standard deviation lies in [1/2, 2] are left as
    they are: on standardised data nothing changes.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, samples):
        """Return the columns' means and spreads over weighted samples; None if all are fine.

        Sparse columns are left as they are: a spread of theirs is small where most entries are
        zero, and dividing by it would blow up those that are not.
        """
        if sparse.issparse(samples.X):
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            mean, spread = measure_columns(samples.X, samples.weights, samples.rows)
        is_fine = (np.abs(mean) <= 0.5) & (((spread >= 0.5) & (spread <= 2)) | (spread == 0))
        is_fine |= ~np.isfinite(spread)  # near the end of the dtype's range
        if is_fine.all():
            return None
        mean[is_fine] = 0
        spread[is_fine | (spread == 0)] = 1
        return cls(mean.astype(samples.X.dtype), spread.astype(samples.X.dtype))

    def standardize(self, X, out):
        """Write z for rows of X, and return it."""
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

    def penalty_factors(self, network):
        """Return what reg is multiplied by for each weight, (n_weights,)."""
        factors = np.ones(network.n_weights, self.scale.dtype)
        n_units = network.widths[1]
        factors[: n_units * len(self.scale)] = np.tile(1 / self.scale**2, n_units)
        return factors


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
    mean, std, _ = describe_columns(X, weights, rows)
    return mean, std


def describe_columns(X, weights, rows=None):
    """Return what `measure_columns` does, and each column's largest deviation from its mean."""
    if rows is not None:
        rows = rows[weights[rows] > 0]
    elif not weights.all():
        rows = np.flatnonzero(weights)
    used = (weights if rows is None else weights[rows]).astype(float)
    used /= used.max()  # their sum may be beyond the range
    used /= used.sum()
    describe = _describe_sparse if sparse.issparse(X) else _describe_dense
    return describe(X, used, rows)


def _chunks(X, weights, rows, length):
    """Yield chunks of the rows in use with their weights."""
    for start in range(0, len(weights), length):
        part = slice(start, start + length)
        yield X[part if rows is None else rows[part]], weights[part]


def _describe_dense(X, weights, rows):
    length = max(CHUNK_ELEMENTS // X.shape[1], 16)
    shift = X[0 if rows is None else rows[0]].astype(float)
    mean, lowest, highest = np.zeros((3, X.shape[1]))  # of the differences from `shift`
    for chunk, w in _chunks(X, weights, rows, length):
        x = chunk - shift
        mean += w @ x
        np.minimum(lowest, np.minimum.reduce(x), out=lowest)
        np.maximum(highest, np.maximum.reduce(x), out=highest)
    largest = np.maximum(highest - mean, mean - lowest)
    unit = _power_of_two(largest)
    drift, square = np.zeros((2, X.shape[1]))
    for chunk, w in _chunks(X, weights, rows, length):
        x = chunk - shift
        x -= mean
        x /= unit
        drift += w @ x  # of the mean, from its own rounding
        np.square(x, out=x)
        square += w @ x
    return shift + (mean + drift * unit), _deviation(square, drift, unit), largest


def _describe_sparse(X, weights, rows):
    n_features = X.shape[1]
    length = max(X.shape[0] * max(CHUNK_ELEMENTS, n_features) // max(X.nnz, 1), 1)

    def sums(values, entries):
        return np.bincount(entries, values, minlength=n_features)

    mean, weight, count = np.zeros((3, n_features))
    lowest, highest = np.full(n_features, np.inf), np.full(n_features, -np.inf)
    for x, row_weights in _chunks(X, weights, rows, length):
        w = np.repeat(row_weights, np.diff(x.indptr))
        mean += sums(w * x.data, x.indices)
        weight += sums(w, x.indices)
        count += np.bincount(x.indices, minlength=n_features)
        np.minimum.at(lowest, x.indices, x.data.astype(float, copy=False))
        np.maximum.at(highest, x.indices, x.data.astype(float, copy=False))
    is_full = count == len(weights)
    np.minimum(lowest, 0, out=lowest, where=~is_full)
    np.maximum(highest, 0, out=highest, where=~is_full)
    weight = np.where(is_full, 0, np.maximum(1 - weight, 0))  # of what is not stored
    is_constant = lowest == highest
    mean[is_constant] = lowest[is_constant]
    largest = np.maximum(highest - mean, mean - lowest)
    unit = _power_of_two(largest)
    drift, square = -mean / unit * weight, (mean / unit) ** 2 * weight
    for x, row_weights in _chunks(X, weights, rows, length):
        w = np.repeat(row_weights, np.diff(x.indptr))
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


def change_columns(network, old, new):
    """Return nets on columns scaled as in `old` as nets on columns scaled as in `new`.

    None stands for the columns as they are.
    """
    same = old is None or (
        new is not None
        and np.array_equal(old.mean, new.mean)
        and np.array_equal(old.scale, new.scale)
    )
    if old is not None and not same:
        network, old = old.to_original(network), None
    return new.to_scaled(network) if old is None and new is not None else network
