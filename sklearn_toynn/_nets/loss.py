"""The objective of a net: cross-entropy, penalty and gradient.

L(theta) = sum_i w_i CE(y_i, softmax(scores_i)) / sum_i w_i + reg/2 ||weights||^2

The formulas of the loss and its gradient are in `kernels.numpy_kernels`.
"""

import numpy as np

from .kernels.dispatch import choose_kernels


class Penalty:
    """reg/2 ||W||^2, W the weights.

    Where the columns are scaled, the first layer has the scaled weights V = W * scale, with the
    penalty ridge = reg / scale^2 on V. Solvers see V sqrt(1 + ridge): as the loss has a curvature
    of about 1 in V, the objective has a curvature of about 1 in these variables for any scale.

    Parameters
    ----------
    network : Network
        The net.
    columns : NetColumnScaling or None
        The scaling of the columns.
    reg : float
        The penalty on W.

    Attributes
    ----------
    decay : ndarray of shape (1,) or (n_weights,)
        The factor of each weight in the penalty's gradient.
    param_scale : ndarray of shape (n_parameters,) or None
        The parameters divided by the solvers' variables; None stands for ones.
    """

    def __init__(self, network, columns, reg):
        dtype = network.parameters.dtype
        self.decay, self.param_scale = np.array([reg], dtype), None
        if columns is not None:
            ridge = columns.ridge(self.decay)
            self.decay = np.repeat(self.decay, network.n_weights)
            self.param_scale = np.ones_like(network.parameters)
            for flat, of_first in (
                (self.decay, ridge),
                (self.param_scale, 1 / np.sqrt(1 + ridge)),
            ):
                first = network.weights[0]
                flat[: first.size].reshape(first.shape)[...] = of_first


class Objective:
    """The mean loss of a net over samples, with a penalty on its weights.

    Parameters
    ----------
    network : Network
        The net; solvers change its `parameters` in place.
    samples : Samples
        The data.
    reg : float
        The penalty.

    Attributes
    ----------
    kernels : Kernels
        The set of kernels that computes it.
    """

    def __init__(self, network, samples, reg):
        self.network, self.samples, self.reg = network, samples, reg
        penalty = Penalty(network, samples.columns, reg)
        self.kernels = choose_kernels(network, samples.X)(network, samples, penalty)

    def value(self):
        """Return the objective."""
        return self.kernels.value()

    def value_at(self, parameters):
        """Return the objective at other parameters."""
        return Objective(self.network.with_parameters(parameters), self.samples, self.reg).value()

    def largest_gradient_entry(self):
        """Return the largest absolute entry of the last gradient."""
        return float(np.maximum.reduce(np.abs(self.kernels.gradient)))
