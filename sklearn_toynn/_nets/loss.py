"""The objective of a net: cross-entropy, penalty and gradient.

L(theta) = sum_i w_i CE(y_i, softmax(scores_i)) / sum_i w_i + reg/2 ||weights||^2

The formulas of the loss and its gradient are in `kernels.numpy_kernels`.
"""

import numpy as np

from .kernels.dispatch import choose_kernels


class Penalty:
    """The penalty reg/2 ||W||^2 on the weights W.

    With scaled columns, the first layer has the weights V = W * scale, with the penalty
    ridge = reg / scale^2 on V. The solvers' variables are V sqrt(1 + ridge). The loss has a
    curvature of about 1 in V, so the objective has a curvature of about 1 in these variables.

    `decay` is the gradient of the penalty divided by the parameters, which is 0 for biases.
    `param_scale` is the parameters divided by the solvers' variables, None if they are equal.
    """

    def __init__(self, network, columns, reg):
        self.decay, self.param_scale = np.zeros_like(network.parameters), None
        self.decay[: network.n_weights] = reg
        if columns is not None:
            ridge, first = columns.ridge(self.decay[:1]), network.weights[0]
            self.param_scale = np.ones_like(network.parameters)
            for flat, values in ((self.decay, ridge), (self.param_scale, 1 / np.sqrt(1 + ridge))):
                flat[: first.size].reshape(first.shape)[...] = values


class Objective:
    """The mean loss of a net over samples, with a penalty on its weights.

    Solvers change the net's parameters in place. `kernels` are the `Kernels` in use.
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
