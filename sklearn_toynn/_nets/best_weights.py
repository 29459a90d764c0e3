"""The best weights of a training so far."""

import numpy as np


class BestWeights:
    """The weights with the lowest watched loss.

    `loss`, of shape (1,), is the lowest loss, and `parameters` are its weights. `previous` are the
    weights before the current iteration.
    """

    def __init__(self, parameters):
        self.loss = np.array([np.inf])
        self.parameters, self.previous = parameters.copy(), parameters.copy()

    def update(self, loss, current, *, is_current=False):
        """Record the loss of an iteration and the `current` weights after it.

        The loss belongs to the weights before the iteration, or to `current` if `is_current`.
        """
        if loss < self.loss[0]:
            self.loss[0] = loss
            self.parameters[...] = current if is_current else self.previous
        self.previous[...] = current
