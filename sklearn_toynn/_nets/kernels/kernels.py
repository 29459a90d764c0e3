"""What a set of kernels must do."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from ..._cached_property import cached_property


class Kernels(ABC):
    """The objective of a stack over samples, its gradient, and updates by it.

    Parameters
    ----------
    network : Network
        The stack. Its `parameters` are shared, and changed in place.
    samples : Samples
        The data.
    penalty : Penalty
        What the objective adds to the mean loss.

    Attributes
    ----------
    gradient : ndarray of shape (n_nets, n_parameters)
        Of what `on_batch` or `on_all` was last called for, in the solvers' variables.
    """

    #: Whether epochs go by without the interpreter lock, the nets of a stack by turns.
    takes_epochs: ClassVar[bool]

    def __init__(self, network, samples, penalty):
        self.network, self.samples, self.penalty = network, samples, penalty

    @cached_property
    def gradient(self):
        """See above; where the objective alone is asked for, there is none."""
        return np.empty_like(self.network.parameters)

    @staticmethod
    @abstractmethod
    def supports(network, X):
        """Say whether this set takes a stack and rows of X, dense or CSR."""

    @staticmethod
    @abstractmethod
    def scores(network, X, out=None):
        """Return the scores of rows of X, (n_nets, n_classes, n_samples), perhaps in `out`."""

    @abstractmethod
    def value(self):
        """Return the objective, (n_nets,)."""

    @abstractmethod
    def on_all(self):
        """Return the objective (n_nets,) and set `gradient`."""

    @abstractmethod
    def on_batch(self, rows):
        """Return the loss (n_nets,) on rows, an unbiased estimate of `on_all`; set `gradient`."""

    def run_epochs(self, orders, batch_size, rule, step_sizes, momentum, best, n_threads=1):  # noqa: ARG002
        """Go through the batches of several epochs, with an update after each.

        Parameters
        ----------
        orders : ndarray of shape (n_epochs, n_samples), dtype intp
            The rows of each epoch.
        batch_size : int
            How many of them make a batch.
        rule : MiniBatchSolver
            Makes steps of gradients.
        step_sizes : ndarray of shape (n_epochs * n_batches, n_nets)
            Of each update.
        momentum : ndarray of shape (n_nets, 1)
            Each net's.
        best : BestWeights
            Brought up to date between the epochs, not after the last.
        n_threads : int, default=1
            How many may be used; the bits are the same for any.

        Returns
        -------
        losses : ndarray of shape (n_epochs, n_nets)
            The means over each epoch's batches as they went by. Fewer epochs where a loss was not
            finite, the last of them.
        """
        losses = np.zeros((len(orders), self.network.n_nets))
        n_samples, step_sizes = orders.shape[1], iter(step_sizes[:, :, None])
        for epoch, order in enumerate(orders):
            for start in range(0, n_samples, batch_size):
                rows = order[start : start + batch_size]
                losses[epoch] += self.on_batch(rows) * (len(rows) / n_samples)
                rule.update(self.gradient, next(step_sizes), momentum)
                self.step(self.gradient)
            if not np.isfinite(losses[epoch]).all():
                return losses[: epoch + 1]
            if epoch < len(orders) - 1:
                best.update(losses[epoch], self.network.parameters)
        return losses

    def step(self, step):
        """Subtract a step in the solvers' variables, (n_nets, n_parameters), from the parameters.

        The step is changed.
        """
        if self.penalty.unit is not None:
            step *= self.penalty.unit
        self.network.parameters -= step
