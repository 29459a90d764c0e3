"""The best weights of a training so far."""

import numpy as np


class BestWeights:
    """The weights at the lowest loss that was watched.

    Parameters
    ----------
    parameters : ndarray of shape (n_parameters,)
        The weights at the start.

    Attributes
    ----------
    loss : ndarray of shape (1,)
        The lowest loss so far.
    parameters : ndarray of shape (n_parameters,)
        The weights with that loss.
    previous : ndarray of shape (n_parameters,)
        The weights before the present iteration.
    """

    def __init__(self, parameters):
        self.loss = np.array([np.inf])
        self.parameters, self.previous = parameters.copy(), parameters.copy()

    def update(self, loss, now, *, is_of_now=False):
        """Take in the loss of an iteration, and the weights after it.

        The loss belongs to the weights before the iteration unless it `is_of_now`.
        """
        if loss < self.loss[0]:
            self.loss[0] = loss
            self.parameters[...] = now if is_of_now else self.previous
        self.previous[...] = now
