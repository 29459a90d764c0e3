"""A common scale of the columns of X, dense or sparse."""

import numpy as np
from scipy import sparse

from .._column_statistics import ColumnScaling, measure_columns, row_chunks
from .products import CenteredRows

#: No value of a scaled column is beyond this. Words in texts are a point better at 3 to 10 than at
#: 20 and more, log-normal columns up to 7 points at 10 and more than at 3 to 5.
LARGEST_VALUE = 10

#: The spread of what should be 0 in principal components, over that of the first. In float32 it is
#: up to five times this, as is that of true columns in other units: the penalty limits both.
BESIDE_WIDEST = {np.dtype(np.float32): 2.5e-7, np.dtype(np.float64): 1e-14}


class NetColumnScaling(ColumnScaling):
    """A change of variables that brings the columns of X to a common scale, in the dtype of X.

    Nets on the original columns have at least this dtype, as a bias may take all digits of a mean.

    The scale is the standard deviation, or where that is more a tenth of the largest deviation
    from the mean: the few entries of a column that hardly has any are not blown up. Columns that
    may be rounding, beside their own mean or beside the widest column, are not blown up at all:
    their scale is at least 1. Means within half the scale stay. Columns whose mean is at most 1/2
    and whose standard deviation lies in [1/2, 2] are left as they are: on standardized data
    nothing changes.
    """

    #: What sparse rows that store nothing hold, see `SparseColumns`.
    center = None

    def __init__(self, mean, scale, shrinkage=1.0):
        super().__init__(mean, scale, 1 / scale)
        self._shrinkage = shrinkage

    @classmethod
    def from_samples(cls, samples, dtype):
        """Return what suits weighted samples for a training in a dtype; None if nothing to do.

        That goes by the values alone: for sparse X it is what it is for dense.
        """
        X = samples.X
        mean, std, largest = measure_columns(X, samples.weights, samples.rows, with_largest=True)
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
        # the squares of their inverses are within the range of the parameters
        np.maximum(scale, max(np.finfo(each).tiny for each in (X.dtype, dtype)) ** 0.4, out=scale)
        return cls(mean.astype(X.dtype), scale.astype(X.dtype))

    def divide(self, values, out=None):
        """Divide: in float32 a product with 1 / scale has other digits."""
        return np.divide(values, self.scale, out=out)

    def to_scaled(self, network):
        """Return a copy of a net with the first layer W, b turned into V, c."""
        return self._with_first_layer(network, self.scale_coefs)

    def to_original(self, network):
        """Return a copy of a net with the first layer V, c turned into W, b."""
        return self._with_first_layer(network, self.unscale_coefs)

    def shrink_first_layer(self, network, reg):
        """Shrink the first layer of a drawn net where the penalty on V is steep, in place.

        Its variance is divided by 1 + fan_out ridge. So He's 2 / fan_in makes a penalty of at
        most 1 in all, whatever the scales. A weight is at most 1 / sqrt(fan_out reg) times as
        large as on the original columns, where the data say nothing.
        """
        weights = network.weights[0]
        growth = 1 + len(weights) * self.ridge(weights.dtype.type(reg))
        weights /= np.sqrt(growth) / self._shrinkage

    def _with_first_layer(self, network, change):
        network = network.copy(np.result_type(network.parameters, self.mean))
        weights, biases = network.weights[0], network.biases[0]
        weights[...], biases[...] = change(weights, biases)
        return network


class SparseColumns:
    """A `NetColumnScaling` of canonical CSR rows, in which entries that are not stored stay so.

    A column that all rows store is centred value by value, so that an offset takes no digits.
    The others have values of 0, from which their mean is not far: it goes into `CenteredRows`.
    `mean` and `scale` are what stored values are centred and divided by.
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
        """What all rows have in addition, (n_features,), or None."""
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
    """Say whether two scalings are the same to rounding; None stands for the original columns.

    Another machine or another version may sum in another order.
    """
    if old is None or new is None:
        return old is new
    rounding = 64 * np.finfo(new.scale.dtype).eps * (np.abs(new.mean) + new.scale)
    changes = np.abs([old.mean - new.mean, old.scale - new.scale])
    return bool((changes <= rounding).all())


def change_scaling(network, old, new):
    """Return a net on columns scaled as in `old` as a net on columns scaled as in `new`."""
    if old is not None:
        network = old.to_original(network)
    return network if new is None else new.to_scaled(network)
