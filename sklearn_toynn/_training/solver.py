"""What takes the parameters of a stack to a minimum: the interface of all solvers."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np


class Solver(ABC):
    """Takes the parameters of a stack to lower values of its objective.

    Parameters
    ----------
    slots : ndarray of shape (n_slots, n_nets, n_parameters)
        The solver's memory, such as a velocity; zero at the start.
    n_steps : int, default=0
        The number of steps taken so far.
    """

    #: What `learning_rate` and `schedule` stand for where they are "auto".
    learning_rate: ClassVar[float] = math.nan
    schedule: ClassVar[str] = "constant"
    #: Whether the learning rate and its schedule play a part.
    follows_schedule: ClassVar[bool] = False
    #: Whether training ends where the largest gradient entry is at most `tol`.
    stops_on_gradient: ClassVar[bool] = True
    #: Whether it ends, unless the schedule does, where the loss no longer falls by `tol`.
    stops_on_loss: ClassVar[bool] = False
    #: Whether several nets can be trained in one run.
    fuses: ClassVar[bool] = False
    #: Whether raw columns are to be brought to a common scale first, under init="auto".
    scales_columns: ClassVar[bool] = True
    #: Whether equal rows are to be merged first: for solvers that blow up rounding errors.
    merges_equal_rows: ClassVar[bool] = False
    n_slots: ClassVar[int] = 0

    def __init__(self, slots, n_steps=0):
        self.slots = slots
        self.n_steps = n_steps

    @staticmethod
    def get_max_iter(n_samples):  # noqa: ARG004
        """Return what `max_iter="auto"` stands for."""
        return 1000

    @classmethod
    def start(cls, parameters):
        """Make a solver for parameters of shape (n_nets, n_parameters)."""
        return cls(np.zeros((cls.n_slots, *parameters.shape), parameters.dtype))

    def select(self, nets):
        """Return a solver with the memory of the nets that a mask names."""
        places = np.arange(self.slots.shape[1])[nets]
        # not by an index, which may leave the axes of the copy in another order
        return type(self)(self.slots.take(places, axis=1), self.n_steps)

    def value(self, objective):
        """Return the objective (n_nets,) at the end of a run."""
        return objective.value()

    def gap(self, loss):  # noqa: ARG002
        """Return what is proven of the gap to the minimum, relative to a loss; None if nothing."""
        return

    def conclude(self, run, net, reason):
        """Return why a net of a run ends, as it turned out, and what to warn of or None.

        Parameters
        ----------
        run : TrainingRun
            The run.
        net : int
            The net's place in it.
        reason : str
            One of `STOP_REASONS`.
        """
        if reason not in ("max_iter", "schedule") or run.options.tol == 0:
            return reason, None
        if reason == "schedule":
            return reason, run.describe_fall(net)
        if not run.policy.watches_gradient:
            return reason, run.policy.describe_progress()
        largest = run.objective.largest_gradient_entries()[net]
        return reason, run.policy.describe_gradient(largest, run.scaling_advice)

    @abstractmethod
    def minimize(self, run):
        """Change `run.objective.network.parameters` until every net of a run has been let go."""
