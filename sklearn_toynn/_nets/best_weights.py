"""The best weights of a training so far."""

import numpy as np


class BestWeights:
    """The weights at the lowest loss that was watched.

    `loss`, of shape (1,), is that loss, and `parameters` are its weights. `previous` are the
    weights before the present iteration.
    """

    def __init__(self, parameters):
        self.loss = np.array([np.inf])
        self.parameters, self.previous = parameters.copy(), parameters.copy()

    def update(self, loss, now, *, is_of_now=False):
        """Record the loss of an iteration and the weights `now` after it.

        The loss belongs to the weights before the iteration, or to `now` if `is_of_now` is set.
        """
        if loss < self.loss[0]:
            self.loss[0] = loss
            self.parameters[...] = now if is_of_now else self.previous
        self.previous[...] = now
