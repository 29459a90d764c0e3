"""The penalty on the weights of a stack, and the variables that its solvers see."""

import numpy as np


class Penalty:
    """reg/2 ||W||^2 of each net, W its weights.

    Where the columns are brought to a common scale, the first layers are in those variables, V.
    What the solvers see is V sqrt(1 + ridge), for a penalty of ridge = reg / scale^2 on V: as
    the loss has a curvature of about 1 in V, that of the objective is about 1 in these, however
    small the scale.

    Parameters
    ----------
    network : Network
        The stack.
    columns : Columns or None
        What the columns are brought to a common scale by.
    reg : ndarray of shape (n_nets, 1)
        Each net's penalty, of the dtype of its parameters.

    Attributes
    ----------
    decay : ndarray of shape (n_nets, 1) or (n_nets, n_weights)
        The penalty's gradient over the weights.
    unit : ndarray of shape (n_nets, n_parameters) or None
        The parameters over the solvers' variables; None where those are the same.
    """

    def __init__(self, network, columns, reg):
        self.decay, self.unit = reg, None
        if columns is not None:
            first, ridge = network.weights[0], columns.ridge(reg)
            self.decay = np.repeat(reg, network.n_weights, axis=1)
            self.unit = np.ones_like(network.parameters)
            for flat, of_first in ((self.decay, ridge), (self.unit, 1 / np.sqrt(1 + ridge))):
                flat[:, : first[0].size].reshape(first.shape)[...] = of_first
