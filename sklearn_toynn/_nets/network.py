"""A stack of fully connected nets: flat parameters, scores, cross-entropy and gradient."""

from functools import cached_property
from itertools import pairwise

import numpy as np

from .products import multiply, multiply_transposed


def flatten(weights, biases):
    """Return parameters (n_nets, n_parameters) of layers.

    Those are weights (n_nets, fan_out, fan_in) and biases (n_nets, fan_out).
    """
    n_nets = len(biases[0])
    return np.concatenate([*(layer.reshape(n_nets, -1) for layer in weights), *biases], axis=1)


class Network:
    """A stack of fully connected nets of the same widths, which share their inputs.

    With a_0 = x, layer l computes a_l = f(W_l a_{l-1} + b_l); the last one has no f and
    gives the scores, one row per class. `widths` = [D, K] is softmax regression.

    Activations lie feature-major, (n_nets, units, n_samples), so that a sum over a few
    classes is a few vector operations over many samples. Every net keeps a GEMM of its own
    inside the 3-D `matmul`, of the same shape alone or in a stack, and every reduction stays
    within a net: a net's bits do not depend on its neighbours.

    Parameters
    ----------
    widths : sequence of int
        The number of features, of the units of each hidden layer, and of classes.
    activation : Activation
        The f of the hidden layers.
    parameters : ndarray of shape (n_nets, n_parameters)
        Row g holds net g's W_1, ..., W_L, each (fan_out, fan_in) row after row, and then its
        b_1, ..., b_L: weights first, so that the penalty is one operation on one slice.

    Attributes
    ----------
    weights : list of ndarray of shape (n_nets, fan_out, fan_in)
        Views on `parameters`.
    biases : list of ndarray of shape (n_nets, fan_out, 1)
        Views on `parameters`.
    """

    def __init__(self, widths, activation, parameters):
        self.widths = widths
        self.activation = activation
        self.parameters = parameters
        self.weights, self.biases = self.split(parameters)
        self._transposed_weights = [weights.transpose(0, 2, 1) for weights in self.weights]

    @property
    def n_nets(self):
        """The number of nets in the stack."""
        return len(self.parameters)

    @property
    def n_weights(self):
        """The number of entries of W_1, ..., W_L together: where the biases begin."""
        return sum(fan_in * fan_out for fan_in, fan_out in pairwise(self.widths))

    def split(self, flat):
        """Return views of the layers' weights and biases on a (n_nets, n_parameters) array."""
        weights, biases, end = [], [], 0
        for fan_in, fan_out in pairwise(self.widths):
            start, end = end, end + fan_out * fan_in
            weights.append(flat[:, start:end].reshape(-1, fan_out, fan_in))
        for fan_out in self.widths[1:]:
            start, end = end, end + fan_out
            biases.append(flat[:, start:end].reshape(-1, fan_out, 1))
        return weights, biases

    def copy(self):
        """Return a copy."""
        return Network(self.widths, self.activation, self.parameters.copy())

    def select(self, nets):
        """Return a stack of copies of the nets that a mask or an index array names."""
        return Network(self.widths, self.activation, self.parameters[nets])

    def forward(self, space):
        """Compute the scores of `space.inputs`, (n_nets, n_classes, n_samples)."""
        multiply(self.weights[0], space.inputs, out=space.values[0])
        space.values[0] += self.biases[0]
        for layer, cache in enumerate(space.caches):
            below, above = space.values[layer : layer + 2]
            self.activation.forward(below, cache)
            np.matmul(self.weights[layer + 1], below, out=above)
            above += self.biases[layer + 1]
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

    def loss_and_gradient(self, space, gradient_weights, gradient_biases):
        """Return `cross_entropy` and write its gradient into the views of a flat array.

        With d_L = c (softmax(s) - onehot(y)), the gradient is d_l a_{l-1}^T for W_l and the
        sum of d_l over the samples for b_l, and d_{l-1} = W_l^T d_l f'(z_{l-1}).
        """
        loss = self.cross_entropy(space)
        delta = space.scores
        np.divide(space.loss_weights_row, space.totals, out=space.totals)
        delta *= space.totals
        delta -= space.targets
        for layer in range(len(self.weights) - 1, 0, -1):
            np.matmul(delta, space.transposed_values[layer - 1], out=gradient_weights[layer])
            np.matmul(delta, space.ones, out=gradient_biases[layer])
            below = space.deltas[layer - 1]
            np.matmul(self._transposed_weights[layer], delta, out=below)
            delta = below
            self.activation.backward(delta, space.values[layer - 1], space.caches[layer - 1])
        multiply_transposed(delta, space.inputs, out=gradient_weights[0])
        np.matmul(delta, space.ones, out=gradient_biases[0])
        return loss


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
