"""The objective of a stack over samples: loss, penalty and gradient."""

import numpy as np

from .kernels.selection import choose_kernels
from .network import Network
from .penalty import Penalty


class Objective:
    """The mean loss of each net of a stack over samples, with a penalty on its weights.

    L(theta) = sum_i w_i CE(y_i, softmax(scores_i)) / sum_i w_i + reg/2 ||weights||^2

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
    kernels : Kernels
        What computes it.
    """

    def __init__(self, network, samples, reg):
        self.network = network
        self.samples = samples
        self.reg = reg.astype(network.parameters.dtype)
        self.penalty = Penalty(network, samples.columns, self.reg)
        self.kernels = choose_kernels(network, samples.X)(network, samples, self.penalty)

    def select(self, nets):
        """Return the objective of copies of the nets that a mask names."""
        return Objective(self.network.select(nets), self.samples, self.reg[nets])

    def value(self):
        """Return the objective, (n_nets,)."""
        return self.kernels.value()

    def value_at(self, parameters):
        """Return the objective (n_nets,) of nets of other parameters."""
        network = Network(self.network.widths, self.network.activation, parameters)
        return Objective(network, self.samples, self.reg).value()

    def largest_gradient_entries(self):
        """Return the largest absolute entry of each net's last gradient, (n_nets,)."""
        return np.maximum.reduce(np.abs(self.kernels.gradient), axis=1)
