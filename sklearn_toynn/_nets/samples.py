"""Rows of data with class codes and weights, and the number of rows per pass."""

import math

import numpy as np
from scipy import sparse

from .column_scaling import SparseColumns
from .encoded_rows import EncodedRows

#: The maximum numbers of entries of a layer and of X in a pass, so that both stay in the L2 cache.
LAYER_ENTRIES, ROW_ENTRIES = 2**16, 2**18
MIN_LENGTH, MAX_LENGTH = 128, 4096


def chunk_length(widths):
    """Return the number of rows per pass for these layer widths."""
    n_features, *units = widths
    length = min(LAYER_ENTRIES // max(units), ROW_ENTRIES // n_features)
    return 2 ** int(math.log2(min(max(length, MIN_LENGTH), MAX_LENGTH)))


class Samples:
    """Rows of X with class codes and weights; the arrays are shared, never copied.

    `rows` are the indices of the rows in use, or None for all. `columns` is a `NetColumnScaling`,
    or None for unscaled columns. The weights have the dtype of the training. Batches of X are
    scaled in the dtype of X and then converted. `coordinates` is the `RowCoordinates` if the
    columns of X are coordinates of rows, otherwise None.
    """

    def __init__(self, X, codes, weights, rows=None, columns=None, coordinates=None):
        self.X = X
        self.columns = columns
        self.coordinates = coordinates
        self.codes = codes
        self.rows = rows
        self.weights = weights
        used = weights if rows is None else weights[rows]
        self.n_samples = len(used)
        #: The factor that scales the weights in use to a mean of 1.
        self.weight_scale = self.n_samples / float(used.sum(dtype=float))
        self._is_sparse = sparse.issparse(X)
        self._is_encoded = isinstance(X, EncodedRows)
        #: Whether some columns of X are pieces.
        self.has_pieces = self._is_encoded and X.shape[1] > X.X.shape[1]
        self._is_row_major = isinstance(X, np.ndarray) and X.flags.c_contiguous
        # BLAS cannot read such rows in place
        self._has_gaps = not self._is_sparse and X.itemsize not in X.strides
        #: `columns`, or their `SparseColumns` for sparse X.
        self.scaled_columns = columns
        if self._is_sparse and columns is not None:
            self.scaled_columns = SparseColumns(columns, X, rows)

    def prepare(self, columns, dtype):
        """Return the samples with scaled columns, for training in a dtype."""
        weights = self.weights.astype(dtype, copy=False)
        return Samples(self.X, self.codes, weights, self.rows, columns, self.coordinates)

    def with_rows(self, X):
        """Return the samples with rows of another X."""
        return Samples(X, self.codes, self.weights, self.rows)

    def to_original(self, network):
        """Convert a net on scaled columns to a net on the columns of the data, in their dtype."""
        if self.columns is not None:
            network = self.columns.to_original(network)
        network = network.copy(self.X.dtype)
        return network if self.coordinates is None else self.coordinates.to_original(network)

    def chunks(self, length):
        """Yield the rows in use as slices, or as index arrays, of at most `length`."""
        for start in range(0, self.n_samples, length):
            stop = min(start + length, self.n_samples)
            yield slice(start, stop) if self.rows is None else self.rows[start:stop]

    def row_numbers(self):
        """Return the rows in use, (n_samples,), as a new array of intp."""
        rows = np.arange(self.n_samples) if self.rows is None else self.rows
        return rows.astype(np.intp)

    def load(self, rows, workspace, scale):
        """Load rows, given by slice or index, into a workspace.

        Its loss_weights become `scale` times the weights, after these are scaled to a mean of 1.
        """
        scale *= self.weight_scale
        if isinstance(rows, slice):
            if self._is_encoded:
                self._gather(rows, workspace)
            else:
                workspace.inputs = self.X[rows]
            workspace.codes[...] = self.codes[rows]
            np.multiply(self.weights[rows], scale, out=workspace.loss_weights)
        else:
            self._gather(rows, workspace)
            self.codes.take(rows, out=workspace.codes, mode="clip")
            self.weights.take(rows, out=workspace.loss_weights, mode="clip")
            workspace.loss_weights *= scale
        if self._is_sparse:
            if self.columns is not None:
                workspace.inputs = self.scaled_columns.standardize(workspace.inputs)
            workspace.inputs = workspace.inputs.astype(self.weights.dtype, copy=False)
            return
        if self.columns is not None:
            workspace.inputs = self.columns.standardize(workspace.inputs, out=workspace.buffer)
        elif self._has_gaps:
            workspace.buffer[...] = workspace.inputs
            workspace.inputs = workspace.buffer
        if workspace.converted is not None:
            workspace.converted[...] = workspace.inputs
            workspace.inputs = workspace.converted

    def _gather(self, rows, workspace):
        if self._is_row_major:
            workspace.inputs = self.X.take(rows, axis=0, out=workspace.buffer, mode="clip")
        elif self._is_sparse:
            workspace.inputs = self.X[rows]
        elif self._is_encoded:
            self.X.read(rows, workspace.buffer)
            workspace.inputs = workspace.buffer
        else:  # take() would copy the whole X first
            workspace.buffer[...] = self.X[rows]
            workspace.inputs = workspace.buffer
