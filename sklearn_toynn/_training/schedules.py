"""The factor on the learning rate as training goes on.

To add one, write a final subclass of `Schedule` and enter it in `SCHEDULES`.
"""

import math
import reprlib
from abc import ABC, abstractmethod
from numbers import Real

import numpy as np

from .._errors import plain


class Schedule(ABC):
    """A factor on the learning rate, by the share of `max_iter` that is done."""

    #: Whether the factor falls to 0 at progress 1, which then ends the training.
    ends = False
    #: Whether the factor goes by how the losses fall, so that `observe` is to be called.
    observes = False

    @abstractmethod
    def factor(self, progress):
        """Return the factor at `progress` in [0, 1]: a float, or (n_nets, 1) if nets differ."""

    def observe(self, n_stalled):  # noqa: B027 (most schedules have no memory)
        """Take note of how many epochs on end each net has gone without an improvement."""

    def select(self, nets):  # noqa: ARG002
        """Return the schedule of the nets that a mask names."""
        return self


class Constant(Schedule):
    """factor(p) = 1."""

    def factor(self, progress):  # noqa: ARG002
        """Return 1."""
        return 1.0


class Inverse(Schedule):
    """factor(p) = 1 / (1 + 9 p): a tenth at the end."""

    def factor(self, progress):
        """Return 1 / (1 + 9 p)."""
        return 1 / (1 + 9 * progress)


class Cosine(Schedule):
    """factor(p) = (1 + cos(pi p)) / 2 (Loshchilov and Hutter 2017, arXiv 1608.03983)."""

    ends = True

    def factor(self, progress):
        """Return (1 + cos(pi p)) / 2."""
        return 0.5 * (1 + math.cos(math.pi * progress))


class Plateau(Schedule):
    """factor = 5^-k after k plateaus: 2 epochs on end without an improvement by `tol`."""

    observes = True
    patience = 2
    shrinkage = 5.0

    def __init__(self, factors=1.0):
        self._factors = factors

    def factor(self, progress):  # noqa: ARG002
        """Return 5^-k."""
        return self._factors

    def observe(self, n_stalled):
        """Divide the factor at every second epoch on end without an improvement."""
        on_plateau = [n > 0 and n % self.patience == 0 for n in n_stalled]
        self._factors = self._factors * np.where(on_plateau, 1 / self.shrinkage, 1.0)[:, None]

    def select(self, nets):
        """Return the schedule of the nets that a mask names."""
        return Plateau(self._factors[nets])


class Custom(Schedule):
    """factor(p) = function(p), a user's."""

    def __init__(self, function):
        self.function = function

    def factor(self, progress):
        """Return function(p)."""
        returned = self.function(progress)
        # a NumPy function may return an array without axes
        factor = returned[()] if isinstance(returned, np.ndarray) else returned
        if not (isinstance(factor, Real) and 0 <= factor < math.inf):
            raise ValueError(
                "schedule must return a finite factor of at least 0, got "
                f"{reprlib.repr(plain(returned))} at progress {progress:.3g}."
            )
        return float(factor)


SCHEDULES = {"constant": Constant, "inverse": Inverse, "cosine": Cosine, "plateau": Plateau}


def make_schedule(schedule):
    """Return a fresh `Schedule` for a name in `SCHEDULES` or a callable of progress."""
    return SCHEDULES[schedule]() if isinstance(schedule, str) else Custom(schedule)
