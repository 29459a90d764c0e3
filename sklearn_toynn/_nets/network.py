"""A fully connected net: flat parameters, and the layers as views on them."""

from itertools import pairwise

import numpy as np


def flatten(weights, biases):
    """Return the flat parameters of layers: weights (fan_out, fan_in) and biases (fan_out,)."""
    return np.concatenate([*(layer.reshape(-1) for layer in weights), *biases])


class Network:
    """A fully connected net.

    With a_0 = x, layer l computes a_l = f(W_l a_{l-1} + b_l). The last layer has no f and gives
    the scores, one per class. The `widths` are the number of features, of the units of each hidden
    layer, and of classes; [D, K] is softmax regression. `activation` is the f, or None.

    The `parameters`, (n_parameters,), are W_1, ..., W_L, each (fan_out, fan_in) row after row, and
    then b_1, ..., b_L. The weights come first, so that the penalty is one operation on one slice.
    The lists `weights` and `biases` hold views on them.
    """

    def __init__(self, widths, activation, parameters):
        self.widths = widths
        self.activation = activation
        self.parameters = parameters
        self.weights, self.biases = self.split(parameters)

    @classmethod
    def from_layers(cls, weights, biases, activation):
        """Return a net with copies of these layers."""
        widths = [weights[0].shape[1], *map(len, biases)]
        return cls(widths, activation, flatten(weights, biases))

    @property
    def n_weights(self):
        """The total number of entries of W_1, ..., W_L, and the index of the first bias."""
        return sum(fan_in * fan_out for fan_in, fan_out in pairwise(self.widths))

    def split(self, flat):
        """Return views of the layers' weights and biases on an array of shape (n_parameters,)."""
        weights, biases, end = [], [], 0
        for fan_in, fan_out in pairwise(self.widths):
            start, end = end, end + fan_out * fan_in
            weights.append(flat[start:end].reshape(fan_out, fan_in))
        for fan_out in self.widths[1:]:
            start, end = end, end + fan_out
            biases.append(flat[start:end])
        return weights, biases

    def with_parameters(self, parameters):
        """Return a net of the same shape with other parameters."""
        return Network(self.widths, self.activation, parameters)

    def copy(self, dtype=None):
        """Return a copy, in another dtype if one is given."""
        return self.with_parameters(self.parameters.astype(dtype or self.parameters.dtype))
