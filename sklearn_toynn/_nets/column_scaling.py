"""The scaling of columns of dense or sparse X for nets."""

import numpy as np
from scipy import sparse

from .._column_statistics import ColumnScaling, measure_columns, row_chunks
from .products import CenteredRows

#: The largest absolute value of scaled columns. Nets on words in texts are a point more accurate
#: with 3 to 10 than with 20 or more, nets on log-normal columns up to 7 points more accurate with
#: 10 or more than with 3 to 5.
LARGEST_VALUE = 10

#: Columns with a smaller standard deviation, relative to the widest column, may be rounding
#: errors, such as the last principal components. In float32, some errors are five times larger.
ROUNDING_RELATIVE_TO_WIDEST = {np.dtype(np.float32): 2.5e-7, np.dtype(np.float64): 1e-14}


class NetColumnScaling(ColumnScaling):
    """A change of variables that brings the columns of X to a common scale, in the dtype of X.

    Nets on the original columns have at least this dtype, because their biases include the means.

    The scale is the standard deviation, or a tenth of the largest deviation from the mean if that
    is larger, so that rare entries do not become large. Columns that may consist of rounding
    errors, relative to their mean or to the widest column, have a scale of at least 1. A mean
    within half the scale is not subtracted. Columns with a mean of at most 1/2 and a standard
    deviation in [1/2, 2] stay unchanged, as do standardized data.
    """

    #: The value of entries that sparse rows do not store, see `SparseColumns`.
    center = None

    def __init__(self, mean, scale, shrinkage=1.0):
        super().__init__(mean, scale, 1 / scale)
        self._shrinkage = shrinkage

    @classmethod
    def from_samples(cls, samples, dtype):
        """Return the scaling for training on samples in a dtype, or None if no column changes.

        The scaling is the same for sparse and for dense X.
        """
        X = samples.X
        mean, std, scale = measure_scales(X, samples.weights, samples.rows)
        half = 0.5 + 1e-9  # binary columns with shares 1/2 and 1/5 are exactly at a limit
        scale[(np.abs(mean) <= half) & (std >= 1 - half) & (std <= 4 * half)] = 1
        mean[np.abs(mean) <= half * scale] = 0
        if (scale == 1).all() and not mean.any():
            return None
        # keeps 1 / scale^2 in the range of the dtypes
        np.maximum(scale, get_min_scale(X.dtype, dtype), out=scale)
        return cls(mean.astype(X.dtype), scale.astype(X.dtype))

    def divide(self, values, out=None):
        """Divide, because a product with 1 / scale rounds differently in float32."""
        return np.divide(values, self.scale, out=out)

    def to_scaled(self, network):
        """Return a copy of a net with the first layer V, c instead of W, b."""
        return self._with_first_layer(network, self.scale_coefs)

    def to_original(self, network):
        """Return a copy of a net with the first layer W, b instead of V, c."""
        return self._with_first_layer(network, self.unscale_coefs)

    def shrink_first_layer(self, network, reg):
        """Divide the variance of the initial weights V by 1 + fan_out ridge, in place.

        With He's variance 2 / fan_in, the penalty on V is then at most 1, whatever the scales.
        """
        weights = network.weights[0]
        growth = 1 + len(weights) * self.ridge(weights.dtype.type(reg))
        weights /= np.sqrt(growth) / self._shrinkage

    def _with_first_layer(self, network, change):
        network = network.copy(np.result_type(network.parameters, self.mean))
        weights, biases = network.weights[0], network.biases[0]
        weights[...], biases[...] = change(weights, biases)
        return network


def measure_scales(X, weights, rows):
    """Return the means, standard deviations and scales of the columns; see `NetColumnScaling`."""
    mean, std, largest = measure_columns(X, weights, rows, with_largest=True)
    is_finite = np.isfinite(std)  # False near the end of the dtype's range
    widest = std.max(initial=0, where=is_finite)
    eps = np.finfo(X.dtype).eps
    rounding = np.maximum(8 * eps * np.abs(mean), ROUNDING_RELATIVE_TO_WIDEST[X.dtype] * widest)
    is_rounding = std <= rounding
    scale = np.maximum(std, largest / LARGEST_VALUE)
    scale[is_rounding] = np.maximum(scale[is_rounding], 1)
    mean[~is_finite], scale[~is_finite] = 0, 1
    return mean, std, scale


def get_min_scale(*dtypes):
    """Return the smallest scale whose inverse square is within the range of the dtypes."""
    return max(np.finfo(dtype).tiny for dtype in dtypes) ** 0.4


class SparseColumns:
    """A `NetColumnScaling` of canonical CSR rows that adds no stored entries.

    If all rows store a column, `mean` centers its stored values, so that a large mean costs no
    digits. The other columns contain zeros, so their mean is small, and `CenteredRows` subtracts
    it. `mean` and `scale` apply to the stored values.
    """

    def __init__(self, columns, X, rows):
        mean, self.scale = columns.mean, columns.scale
        n_rows = X.shape[0] if rows is None else len(rows)
        counts = np.zeros(X.shape[1], int)
        for _, x in row_chunks(X, rows):
            counts += np.bincount(x.indices, minlength=X.shape[1])
        is_full = counts == n_rows
        self.mean = np.where(is_full, mean, 0)
        self._centered = np.flatnonzero(mean * ~is_full).astype(X.indices.dtype)
        self._center = -mean[self._centered] / self.scale[self._centered]

    @property
    def center(self):
        """The term that is added to all rows, (n_features,), or None."""
        if not len(self._centered):
            return None
        center = np.zeros_like(self.mean)
        center[self._centered] = self._center
        return center

    def standardize(self, x):
        """Return z for CSR rows, which are not changed."""
        values = x.data - self.mean[x.indices]
        values /= self.scale[x.indices]
        if not len(self._centered):
            return sparse.csr_array((values, x.indices, x.indptr), shape=x.shape)
        arrays = (
            np.concatenate([values, self._center]),
            np.concatenate([x.indices, self._centered]),
            np.append(x.indptr, len(values) + len(self._center)),
        )
        return CenteredRows(sparse.csr_array(arrays, shape=(x.shape[0] + 1, x.shape[1])))


def are_scaled_alike(old, new):
    """Return True if two scalings are equal up to rounding; None means unscaled columns.

    Sums may round differently on other machines and with other versions.
    """
    if old is None or new is None:
        return old is new
    rounding = 64 * np.finfo(new.scale.dtype).eps * (np.abs(new.mean) + new.scale)
    changes = np.abs([old.mean - new.mean, old.scale - new.scale])
    return bool((changes <= rounding).all())


def change_scaling(network, old, new):
    """Convert a net on columns scaled by `old` to a net on columns scaled by `new`."""
    if old is not None:
        network = old.to_original(network)
    return network if new is None else new.to_scaled(network)
