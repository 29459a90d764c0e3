"""What is done with X: products with dense and sparse rows, and a common scale of its columns."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

__all__ = ["Columns", "multiply", "multiply_transposed"]


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
        total, square, shift = 0.0, 0.0, None
        for rows in samples.chunks(length):
            X, weights = samples.X[rows], samples.weights[rows]
            if shift is None:
                shift = X.mean(axis=0)
            X = X - shift  # a chunk's copy: squares of raw columns would lose their digits
            total = total + (weights @ X).astype(float)
            np.square(X, out=X)
            square = square + (weights @ X).astype(float)
        total /= samples.n_samples
        mean = shift + total
        spread = np.sqrt(np.maximum(square / samples.n_samples - total**2, 0))
        # constant to rounding: the offset goes, and the scale means nothing
        spread[spread <= 8 * np.finfo(samples.X.dtype).eps * np.abs(mean)] = 0
        is_fine = (np.abs(mean) <= 0.5) & (((spread >= 0.5) & (spread <= 2)) | (spread == 0))
        if is_fine.all():
            return None
        mean[is_fine] = 0
        spread[is_fine | (spread == 0)] = 1
        return cls(mean.astype(samples.X.dtype), spread.astype(samples.X.dtype))

    def standardize(self, X, out):
        """Write z for rows of X."""
        np.subtract(X, self.mean, out=out)
        out /= self.scale

    def to_scaled(self, network):
        """Turn the first layer W, b of each net into V, c, in place."""
        weights, bias = network.weights[0], network.biases[0]
        bias += (weights @ self.mean)[:, :, None]
        weights *= self.scale

    def to_original(self, network):
        """Turn the first layer V, c of each net into W, b, in place."""
        weights, bias = network.weights[0], network.biases[0]
        weights /= self.scale
        bias -= (weights @ self.mean)[:, :, None]

    def penalty_factors(self, network):
        """Return what reg is multiplied by for each weight, (n_weights,)."""
        factors = np.ones(network.n_weights, self.scale.dtype)
        n_units = network.widths[1]
        factors[: n_units * len(self.scale)] = np.tile(1 / self.scale**2, n_units)
        return factors
