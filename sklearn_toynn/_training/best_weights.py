"""The best weights of the nets of a run so far."""

import numpy as np


class BestWeights:
    """The weights of each net at the lowest loss that was watched.

    Parameters
    ----------
    parameters : ndarray of shape (n_nets, n_parameters)
        At the start.

    Attributes
    ----------
    losses : ndarray of shape (n_nets,)
        The lowest so far.
    parameters, previous : ndarray of shape (n_nets, n_parameters)
        Those weights, and those before the iteration that goes on.
    """

    def __init__(self, parameters):
        self.losses = np.full(len(parameters), np.inf)
        self.parameters, self.previous = parameters.copy(), parameters.copy()

    def update(self, losses, now, *, are_of_now=False):
        """Take in the losses (n_nets,) of an iteration, and the weights after it.

        The losses are of the weights before it unless they `are_of_now`.
        """
        those = now if are_of_now else self.previous
        for net in (losses < self.losses).nonzero()[0]:
            self.losses[net], self.parameters[net] = losses[net], those[net]
        self.previous[...] = now

    def select(self, nets):
        """Return the best weights of the nets that a mask names."""
        selected = BestWeights(self.parameters[nets])
        selected.losses, selected.previous = self.losses[nets], self.previous[nets]
        return selected
