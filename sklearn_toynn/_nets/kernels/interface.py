"""The interface of a set of kernels."""

from abc import ABC, abstractmethod
from functools import partial

import numpy as np


class Kernels(ABC):
    """The objective of a net over samples, its gradient, and epochs of updates.

    Parameters
    ----------
    network : Network
        The net. The kernels change its `parameters` in place.
    samples : Samples
        The data.
    penalty : Penalty
        The term that the objective adds to the mean loss.

    Attributes
    ----------
    gradient : ndarray of shape (n_parameters,)
        The last gradient, with respect to the solvers' variables.
    """

    def __init__(self, network, samples, penalty):
        self.network, self.samples, self.penalty = network, samples, penalty
        self.gradient = np.empty_like(network.parameters)

    @staticmethod
    @abstractmethod
    def supports(network, X):
        """Say whether this set takes such a net and such rows, dense or CSR."""

    @staticmethod
    @abstractmethod
    def scores(network, X, out=None):
        """Return the scores of rows of X, (n_classes, n_samples); in `out` if that is given."""

    @classmethod
    def make_scorer(cls, network, X):  # noqa: ARG003
        """Return a function of `len(X)` rows like those of X, and of `out`, as `scores` is."""
        return partial(cls.scores, network)

    @abstractmethod
    def value(self):
        """Return the objective."""

    @abstractmethod
    def value_and_gradient(self):
        """Return the objective and set `gradient`."""

    @abstractmethod
    def batch_value_and_gradient(self, rows):
        """Return the objective on some rows, an unbiased estimate, and set `gradient`."""

    @abstractmethod
    def run_epochs(self, rule, state, step_sizes, batch_size, bit_generator, best, tol):
        """Go through the data several times, with an update after each batch.

        Parameters
        ----------
        rule : UpdateRule
            The update rule. With `rule.takes_batches` false, an epoch is one step by the gradient
            over all rows.
        state : OptimizerState
            Its memory; changed in place.
        step_sizes : ndarray of shape (n_epochs, n_updates)
            The step size of each update.
        batch_size : int
            The number of rows of a batch.
        bit_generator : numpy.random.BitGenerator or None
            Shuffles the rows in use, in their own order, before each epoch, as
            `RandomState.shuffle` does; None leaves them in that order.
        best : BestWeights
            Updated between the epochs, not after the last.
        tol : float
            Epochs end after one whose gradient over all rows has no entry above it.

        Returns
        -------
        losses : ndarray of shape (n_epochs,)
            The mean over each epoch's batches as they went by. Fewer after a loss that is not
            finite, or a small gradient.
        """
