"""Schedules: factors on the learning rate.

To add a schedule, write a function `(progress, n_plateaus) -> factors` and add it to `SCHEDULES`.
`progress` is an array of fractions of `max_iter` in [0, 1). `n_plateaus` is the number of times
that the watched loss did not improve for `PLATEAU_EPOCHS` epochs.
"""

import math
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

import numpy as np

from .._errors import plain

#: The number of epochs without an improvement by `tol` that form a plateau.
PLATEAU_EPOCHS = 2


def constant(progress, n_plateaus):  # noqa: ARG001
    """Return 1."""
    return np.ones_like(progress)


def inverse(progress, n_plateaus):  # noqa: ARG001
    """Return 1 / (1 + 9 p), which ends at 1/10."""
    return 1 / (1 + 9 * progress)


def cosine(progress, n_plateaus):  # noqa: ARG001
    """Return (1 + cos(pi p)) / 2 (Loshchilov and Hutter 2017, arXiv 1608.03983)."""
    return 0.5 * (1 + np.cos(np.pi * progress))


def plateau(progress, n_plateaus):
    """Return 5^-k after k plateaus."""
    return np.full_like(progress, 5.0**-n_plateaus)


@dataclass(frozen=True)
class Schedule:
    """A schedule and its properties."""

    factors: Callable
    #: Whether the factor falls to 0 at `max_iter`, so that training ends there.
    ends: bool = False
    #: Whether the factor depends on the losses.
    watches_loss: bool = False


SCHEDULES = {
    "constant": Schedule(constant),
    "inverse": Schedule(inverse),
    "cosine": Schedule(cosine, ends=True),
    "plateau": Schedule(plateau, watches_loss=True),
}


def make_schedule(schedule):
    """Return the `Schedule` for a name in `SCHEDULES` or a callable of the progress."""
    if isinstance(schedule, str):
        return SCHEDULES[schedule]

    def custom(progress, n_plateaus):  # noqa: ARG001
        return np.array([check_factor(schedule(float(p)), p) for p in progress.flat]).reshape(
            progress.shape
        )

    return Schedule(custom)


def check_factor(returned, progress):
    """Return the factor of a user's schedule as a float, or raise an error."""
    # a NumPy function may return a zero-dimensional array
    factor = returned[()] if isinstance(returned, np.ndarray) else returned
    if not (isinstance(factor, Real) and 0 <= factor < math.inf):
        raise ValueError(
            "schedule must return a finite factor of at least 0, got "
            f"{reprlib.repr(plain(returned))} at progress {progress:.3g}."
        )
    return float(factor)
