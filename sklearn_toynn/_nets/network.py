"""A stack of fully connected nets: flat parameters, and the layers as views on them."""

from itertools import pairwise

import numpy as np


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
