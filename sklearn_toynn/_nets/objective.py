"""The objective of a stack over samples: loss, penalty and gradient."""

from functools import cached_property

import numpy as np

from .network import Network, Workspace
from .samples import chunk_length


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

    def largest_gradient_entries(self):
        """Return the largest absolute entry of each net's `gradient`, (n_nets,)."""
        return np.maximum(self.gradient.max(axis=1), -self.gradient.min(axis=1))

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
