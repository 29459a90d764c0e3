"""The objective, and the rows of data that it runs over."""

import math
from functools import cached_property

import numpy as np
from scipy import sparse

from .columns import SparseColumns
from .network import Network, Workspace

__all__ = ["Objective", "Samples", "chunk_length"]

# Rows per pass over the whole data, so that a layer's activations stay in the L2 cache, as do the
# rows of X where they have to be copied.
CHUNK_ELEMENTS, ROW_CHUNK_ELEMENTS = 2**16, 2**18
MIN_CHUNK, MAX_CHUNK = 128, 4096


def chunk_length(widths):
    """Return how many rows a pass takes at once: by the layer widths, never by the stack's."""
    n_features, *units = widths
    length = min(CHUNK_ELEMENTS // max(units), ROW_CHUNK_ELEMENTS // n_features)
    return 2 ** int(math.log2(min(max(length, MIN_CHUNK), MAX_CHUNK)))


def row_chunk_length(n_features):
    """Return how many rows of X are copied at once."""
    return chunk_length([n_features, 1])


class Samples:
    """Rows of X with class codes and weights; X is shared, never copied.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_features)
        The data.
    codes : ndarray of shape (n_rows,), dtype intp
        The index of each row's class.
    weights : ndarray of shape (n_rows,)
        Non-negative, of the dtype of X; shared as well.
    rows : ndarray of int, default=None
        The rows in use, all if None.
    columns : Columns, default=None
        What the columns are brought to a common scale by; None leaves them as they are.
    """

    def __init__(self, X, codes, weights, rows=None, columns=None):
        self.X = X
        self.columns = columns
        self.codes = codes
        self.rows = rows
        self.weights = weights
        used = weights if rows is None else weights[rows]
        self.n_samples = len(used)
        #: What brings the weights in use to a mean of 1, as the objective divides by their sum.
        self.weight_scale = self.n_samples / float(used.sum(dtype=float))
        self._is_sparse = sparse.issparse(X)
        self._is_row_major = not self._is_sparse and X.flags.c_contiguous
        # else BLAS takes slices as they are
        self._has_gaps = not self._is_sparse and X.itemsize not in X.strides
        if self._is_sparse and columns is not None:
            self._sparse_columns = SparseColumns(columns, X, rows)

    def with_columns(self, columns):
        """Return the samples with their columns brought to a common scale."""
        return Samples(self.X, self.codes, self.weights, self.rows, columns)

    def chunks(self, length):
        """Yield the rows in use as slices, or as index arrays, of at most `length`."""
        for start in range(0, self.n_samples, length):
            stop = min(start + length, self.n_samples)
            yield slice(start, stop) if self.rows is None else self.rows[start:stop]

    def epoch_order(self, rng):
        """Return the rows in use as an index array, shuffled by `rng` unless that is None."""
        order = np.arange(self.n_samples) if self.rows is None else self.rows.copy()
        if rng is not None:
            rng.shuffle(order)
        return order

    def load(self, rows, space, scale):
        """Put rows, given by slice or index, into a workspace.

        Its coefs become `scale` times the weights, those in use brought to a mean of 1.
        """
        scale *= self.weight_scale
        if isinstance(rows, slice):
            space.inputs = self.X[rows]
            space.codes[...] = self.codes[rows]
            np.multiply(self.weights[rows], scale, out=space.coefs[:, 0])
        else:
            self._gather(rows, space)
            self.codes.take(rows, out=space.codes, mode="clip")
            self.weights.take(rows, out=space.coefs[:, 0], mode="clip")
            space.coefs *= scale
        if self.columns is not None:
            space.inputs = (
                self._sparse_columns.standardize(space.inputs)
                if self._is_sparse
                else self.columns.standardize(space.inputs, out=space.buffer)
            )
        elif self._has_gaps:
            space.buffer[...] = space.inputs
            space.inputs = space.buffer

    def _gather(self, rows, space):
        if self._is_row_major:
            space.inputs = self.X.take(rows, axis=0, out=space.buffer, mode="clip")
        elif self._is_sparse:
            space.inputs = self.X[rows]
        else:  # take() would first copy the whole of X
            space.buffer[...] = self.X[rows]
            space.inputs = space.buffer


class Objective:
    """The mean loss of each net of a stack over samples, with a penalty on its weights.

    L(theta) = sum_i w_i CE(y_i, softmax(scores_i)) / sum_i w_i + reg/2 ||weights||^2

    Where the columns are brought to a common scale, the first layers are in those variables, V.
    What the solvers see is V sqrt(1 + ridge), for a penalty of ridge = reg / scale^2 on V: as
    the loss has a curvature of about 1 in V, that of the objective is about 1 in these, however
    small the scale.

    Parameters
    ----------
    network : Network
        The stack; solvers change its `parameters` in place.
    samples : Samples
        The data.
    reg : ndarray of shape (n_nets, 1)
        Each net's penalty.

    Attributes
    ----------
    gradient : ndarray of shape (n_nets, n_parameters)
        Of what `on_batch` or `on_all` was last called for, in the solvers' variables.
    """

    def __init__(self, network, samples, reg):
        self.network = network
        self.samples = samples
        self.reg = reg.astype(network.parameters.dtype)
        self.gradient = np.empty(network.parameters.shape, self.reg.dtype)
        self._gradient_views = network.split(self.gradient)
        n_weights = network.n_weights
        self._weights = network.parameters[:, :n_weights]
        self._weights_gradient = self.gradient[:, :n_weights]
        self._decay = np.empty_like(self._weights)
        self._weights_row, self._decay_column = self._weights[:, None, :], self._decay[:, :, None]
        self._is_scaled = samples.columns is not None
        if self._is_scaled:
            self._ridge = samples.columns.ridge(self.reg)
            self._unit = 1 / np.sqrt(1 + self._ridge)
            n_first = network.weights[0][0].size
            self._first_decay = self._first_layer(self._decay)
            self._upper_decay = self._decay[:, n_first:]
            self._upper_weights = self._weights[:, n_first:]
        self._spaces = {}

    @cached_property
    def _total(self):
        """Of the gradients of chunks, which mini-batches have no use for."""
        return np.empty_like(self.gradient)

    def select(self, nets):
        """Return the objective of copies of the nets that a mask names."""
        return Objective(self.network.select(nets), self.samples, self.reg[nets])

    def value_at(self, parameters):
        """Return the objective (n_nets,) of nets of other parameters."""
        network = Network(self.network.widths, self.network.activation, parameters)
        return Objective(network, self.samples, self.reg).value()

    def unit(self):
        """Return the parameters over the solvers' variables, (n_nets, n_parameters)."""
        unit = np.ones_like(self.network.parameters)
        if self._is_scaled:
            self._first_layer(unit)[...] = self._unit
        return unit

    def step(self, step):
        """Subtract a step in the solvers' variables, (n_nets, n_parameters), from the parameters.

        The step is changed.
        """
        if self._is_scaled:
            first_step = self._first_layer(step)
            first_step *= self._unit
        self.network.parameters -= step

    def on_batch(self, rows):
        """Return the loss (n_nets,) on rows, an unbiased estimate of `on_all`; set `gradient`."""
        space = self._space(len(rows))
        self.samples.load(rows, space, 1 / len(rows))
        loss = self.network.loss_and_gradient(space, *self._gradient_views)
        return loss + self._add_penalty()

    def on_all(self):
        """Return the objective (n_nets,) and set `gradient`, chunk by chunk."""
        loss = np.zeros(self.network.n_nets)
        self._total[...] = 0
        for space in self._loaded_chunks():
            loss += self.network.loss_and_gradient(space, *self._gradient_views)
            self._total += self.gradient
        self.gradient[...] = self._total
        return loss + self._add_penalty()

    def value(self):
        """Return the objective (n_nets,) alone."""
        loss = np.zeros(self.network.n_nets)
        for space in self._loaded_chunks():
            loss += self.network.cross_entropy(space)
        return loss + self._penalty()

    def _loaded_chunks(self):
        scale = 1 / self.samples.n_samples
        for rows in self.samples.chunks(chunk_length(self.network.widths)):
            n_rows = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
            space = self._space(n_rows)
            self.samples.load(rows, space, scale)
            yield space

    def _space(self, n_samples):
        if n_samples not in self._spaces:
            self._spaces[n_samples] = Workspace(self.network, n_samples)
        return self._spaces[n_samples]

    def _first_layer(self, flat):
        """Return a view of the first layers' weights on (n_nets, n_parameters or n_weights)."""
        weights = self.network.weights[0]
        return flat[:, : weights[0].size].reshape(weights.shape)

    def _add_penalty(self):
        """Return the penalty, and finish the gradient: its part, and the solvers' variables."""
        penalty = self._penalty()
        self._weights_gradient += self._decay
        if self._is_scaled:
            first_gradient = self._first_layer(self.gradient)
            first_gradient *= self._unit
        return penalty

    def _penalty(self):
        """Return reg/2 ||weights||^2, (n_nets,), leaving its gradient in `_decay`."""
        if self._is_scaled:
            np.multiply(self.network.weights[0], self._ridge, out=self._first_decay)
            np.multiply(self._upper_weights, self.reg, out=self._upper_decay)
        else:
            np.multiply(self._weights, self.reg, out=self._decay)
        return 0.5 * np.matmul(self._weights_row, self._decay_column)[:, 0, 0]
