"""The interface of kernels."""

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
        """Return whether these kernels support a net and the rows of X, dense or CSR."""

    @staticmethod
    @abstractmethod
    def scores(network, X, out=None):
        """Return the scores of rows of X, (n_classes, n_samples), in `out` if it is given."""

    @classmethod
    def make_scorer(cls, network, X):  # noqa: ARG003
        """Return a function `(X, out=None)` like `scores`, for X of this length and format."""
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
        """Make several epochs, with an update after each batch.

        Parameters
        ----------
        rule : UpdateRule
            The update rule. If `rule.takes_batches` is False, an epoch is one step by the gradient
            over all rows.
        state : OptimizerState
            The state of the optimizer; changed in place.
        step_sizes : ndarray of shape (n_epochs, n_updates)
            The step size of each update.
        batch_size : int
            The number of rows of a batch.
        bit_generator : numpy.random.BitGenerator or None
            Shuffles the rows in use before each epoch as `RandomState.shuffle` does, starting from
            their original order. None keeps the original order.
        best : BestWeights
            Updated between the epochs, not after the last.
        tol : float
            The last epoch is one whose gradient over all rows has no absolute entry above `tol`.

        Returns
        -------
        losses : ndarray of shape (n_epochs,)
            The mean over the batches of each epoch, before their updates. There are fewer losses
            if a loss is not finite or a gradient is small.
        """
