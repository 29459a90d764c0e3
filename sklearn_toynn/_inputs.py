"""What is done with X: products with dense and sparse rows, and a common scale of its columns."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

__all__ = ["Columns", "change_columns", "multiply", "multiply_transposed"]


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
    def of(cls, samples, length):
        """Return the columns' means and spreads over weighted samples; None if all are fine.

        Sparse columns are left as they are: a spread of theirs is small where most entries are
        zero, and dividing by it would blow up those that are not.
        """
        if sparse.issparse(samples.X):
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            mean, spread = measure_columns(samples, length)
        # constant to rounding: the offset goes, and the scale means nothing
        spread[spread <= 8 * np.finfo(samples.X.dtype).eps * np.abs(mean)] = 0
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


def measure_columns(samples, length):
    """Return the means and standard deviations (n_features,) of the columns, weighted."""
    total, square, shift = 0.0, 0.0, None
    for rows in samples.chunks(length):
        X, weights = samples.X[rows], samples.weights[rows]
        if shift is None:
            shift = X.mean(axis=0)
        X = X - shift  # a chunk's copy: squares of raw columns would lose their digits
        total = total + (weights @ X).astype(float)
        np.square(X, out=X)
        square = square + (weights @ X).astype(float)
    scale = samples.weight_scale / samples.n_samples
    total *= scale
    return shift + total, np.sqrt(np.maximum(scale * square - total**2, 0))


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
