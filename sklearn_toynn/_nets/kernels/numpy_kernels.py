"""The reference: a stack's passes in NumPy, for whatever there is no compiled twin of."""

import numpy as np

from ..._cached_property import cached_property
from ..products import multiply, multiply_transposed
from ..samples import chunk_length
from .kernels import Kernels


def layer_values(network, X):
    """Yield each layer's values for rows of X, (n_nets, units, n_samples); last are the scores."""
    activation = network.activation
    values = np.empty((network.n_nets, network.widths[1], X.shape[0]), network.parameters.dtype)
    multiply(network.weights[0], X, out=values)
    values += network.biases[0]
    for weights, biases in zip(network.weights[1:], network.biases[1:], strict=True):
        activation.forward(values, activation.make_cache(values))
        yield values
        values = np.matmul(weights, values)
        values += biases
    yield values


class NumpyKernels(Kernels):
    """A stack's passes as a few NumPy calls for each layer.

    Activations lie feature-major, (n_nets, units, n_samples), so that a sum over a few
    classes is a few vector operations over many samples. Every net keeps a GEMM of its own
    inside the 3-D `matmul`, of the same shape alone or in a stack, and every reduction stays
    within a net: a net's bits do not depend on its neighbours.
    """

    takes_epochs = False

    def __init__(self, network, samples, penalty):
        super().__init__(network, samples, penalty)
        self._transposed_weights = [weights.transpose(0, 2, 1) for weights in network.weights]
        self._weights = network.parameters[:, : network.n_weights]
        self._decay = np.empty_like(self._weights)
        self._weights_row, self._decay_column = self._weights[:, None, :], self._decay[:, :, None]
        self._spaces = {}

    @staticmethod
    def supports(network, X):  # noqa: ARG004
        """Return True: nothing is beyond this set."""
        return True

    @staticmethod
    def scores(network, X, out=None):  # noqa: ARG004
        """Return the scores of rows of X, (n_nets, n_classes, n_samples)."""
        for values in layer_values(network, X):
            scores = values
        return scores

    def value(self):
        """Return the objective, (n_nets,)."""
        loss = np.zeros(self.network.n_nets)
        for space in self._loaded_chunks():
            loss += self.cross_entropy(space)
        return loss + self._penalty()

    def on_all(self):
        """Return the objective (n_nets,) and set `gradient`, chunk by chunk."""
        loss = np.zeros(self.network.n_nets)
        self._total[...] = 0
        for space in self._loaded_chunks():
            loss += self.loss_and_gradient(space)
            self._total += self.gradient
        self.gradient[...] = self._total
        return loss + self._add_penalty()

    def on_batch(self, rows):
        """Return the loss (n_nets,) on rows, an unbiased estimate of `on_all`; set `gradient`."""
        space = self._space(len(rows))
        self.samples.load(rows, space, 1 / len(rows))
        return self.loss_and_gradient(space) + self._add_penalty()

    def forward(self, space):
        """Compute the scores of `space.inputs`, (n_nets, n_classes, n_samples)."""
        network = self.network
        multiply(network.weights[0], space.inputs, out=space.values[0])
        space.values[0] += network.biases[0]
        for layer, cache in enumerate(space.caches):
            below, above = space.values[layer : layer + 2]
            network.activation.forward(below, cache)
            np.matmul(network.weights[layer + 1], below, out=above)
            above += network.biases[layer + 1]
        return space.scores

    def cross_entropy(self, space):
        """Return each net's sum_i c_i CE(y_i, softmax(scores_i)), of shape (n_nets,).

        y are `space.codes` and c `space.loss_weights`. Left behind are
        e_ki = exp(s_ki - max_k s_ki) in `space.scores`, sum_k e_ki in `space.totals` and
        c onehot(y) in `space.targets`.
        """
        scores, totals = self.forward(space), space.totals
        np.maximum.reduce(scores, axis=1, keepdims=True, out=totals)
        scores -= totals
        space.identity.take(space.codes, axis=1, out=space.targets, mode="clip")
        space.targets *= space.loss_weights_row
        # CE = log(sum_k e_k) - (s_y - max_k s_k)
        own_scores = np.matmul(space.scores_row, space.targets_column)
        np.exp(scores, out=scores)
        np.add.reduce(scores, axis=1, keepdims=True, out=totals)
        np.log(totals, out=space.log_totals)
        return (np.matmul(space.log_totals, space.loss_weights) - own_scores)[:, 0, 0]

    def loss_and_gradient(self, space):
        """Return `cross_entropy` and set `gradient` to its own.

        With d_L = c (softmax(s) - onehot(y)), the gradient is d_l a_{l-1}^T for W_l and the
        sum of d_l over the samples for b_l, and d_{l-1} = W_l^T d_l f'(z_{l-1}).
        """
        loss = self.cross_entropy(space)
        gradient_weights, gradient_biases = self._gradient_views
        delta = space.scores
        np.divide(space.loss_weights_row, space.totals, out=space.totals)
        delta *= space.totals
        delta -= space.targets
        for layer in range(len(gradient_weights) - 1, 0, -1):
            np.matmul(delta, space.transposed_values[layer - 1], out=gradient_weights[layer])
            np.matmul(delta, space.ones, out=gradient_biases[layer])
            below = space.deltas[layer - 1]
            np.matmul(self._transposed_weights[layer], delta, out=below)
            delta = below
            self.network.activation.backward(
                delta, space.values[layer - 1], space.caches[layer - 1]
            )
        multiply_transposed(delta, space.inputs, out=gradient_weights[0])
        np.matmul(delta, space.ones, out=gradient_biases[0])
        return loss

    @cached_property
    def _gradient_views(self):
        return self.network.split(self.gradient)

    @cached_property
    def _total(self):
        """Of the gradients of chunks, which mini-batches have no use for."""
        return np.empty_like(self.gradient)

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

    def _add_penalty(self):
        """Return the penalty, and finish the gradient: its part, and the solvers' variables."""
        penalty = self._penalty()
        weights_gradient = self.gradient[:, : self.network.n_weights]
        weights_gradient += self._decay
        if self.penalty.unit is not None:
            self.gradient *= self.penalty.unit
        return penalty

    def _penalty(self):
        """Return reg/2 ||weights||^2, (n_nets,), leaving its gradient in `_decay`."""
        np.multiply(self._weights, self.penalty.decay, out=self._decay)
        return 0.5 * np.matmul(self._weights_row, self._decay_column)[:, 0, 0]


class Workspace:
    """The arrays that `n_samples` rows need on their way through a stack and back.

    Made once per fit and length; nothing in a pass allocates more than (n_nets, n_samples).

    Parameters
    ----------
    network : Network
        The stack.
    n_samples : int
        The number of rows.

    Attributes
    ----------
    inputs : ndarray or sparse matrix of shape (n_samples, n_features)
        The rows.
    codes, loss_weights : ndarray of shape (n_samples,) and (n_samples, 1)
        The rows' class codes, and the factors of their terms in the loss.
    values : list of ndarray of shape (n_nets, units, n_samples)
        The values of each layer. The last are the scores, then their exponentials, then the
        loss's derivative.
    deltas : list of ndarray of shape (n_nets, units, n_samples)
        The loss's derivative by the values of each hidden layer.
    caches : list of ndarray
        What the activation keeps of each hidden layer.
    """

    def __init__(self, network, n_samples):
        n_nets, dtype = network.n_nets, network.parameters.dtype
        n_classes = network.widths[-1]
        self._buffer_shape = n_samples, network.widths[0]
        self.inputs = None
        self.codes = np.empty(n_samples, np.intp)
        self.loss_weights = np.empty((n_samples, 1), dtype)
        self.loss_weights_row = self.loss_weights.T
        shapes = [(n_nets, units, n_samples) for units in network.widths[1:]]
        self.values = [np.empty(shape, dtype) for shape in shapes]
        self.caches = [network.activation.make_cache(values) for values in self.values[:-1]]
        self.deltas = [np.empty(shape, dtype) for shape in shapes[:-1]]
        self.transposed_values = [values.transpose(0, 2, 1) for values in self.values]
        self.scores = self.values[-1]
        self.totals, self.log_totals = np.empty((2, n_nets, 1, n_samples), dtype)
        self.identity = np.eye(n_classes, dtype=dtype)
        self.targets = np.empty((n_classes, n_samples), dtype)
        self.scores_row = self.scores.reshape(n_nets, 1, -1)
        self.targets_column = self.targets.reshape(-1, 1)
        self.ones = np.ones((n_samples, 1), dtype)

    @cached_property
    def buffer(self):
        """A place (n_samples, n_features) for rows that can't be taken as they lie in X."""
        return np.empty(self._buffer_shape, self.loss_weights.dtype)
