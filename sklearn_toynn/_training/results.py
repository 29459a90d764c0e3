"""The results of trainings, and the curves of several nets."""

from dataclasses import dataclass
from itertools import zip_longest
from statistics import fmean

import numpy as np

from .._nets.network import Network
from .starts import NetStart


@dataclass(frozen=True)
class TrainingResult:
    """The outcome of a training, whatever the model."""

    loss: float
    loss_curve: list
    validation_curve: list
    best_iter: int
    #: One of `STOP_REASONS`.
    stop_reason: str
    #: The text of a warning, or None.
    warning: str | None

    @property
    def n_iter(self):
        """The number of iterations."""
        return len(self.loss_curve)


@dataclass(frozen=True)
class NetResult(TrainingResult):
    """The outcome of the training of a net."""

    #: The net on the original columns.
    network: Network
    #: From where training can continue, on the columns of the training.
    end: NetStart


def mean_curve(curves):
    """Return the mean curve of several nets, at each iteration of those that trained."""
    if len(curves) == 1:
        return curves[0]
    return [
        fmean([value for value in values if value is not None]) for values in zip_longest(*curves)
    ]


def continue_curves(curves, results, n_before):
    """Return the curve of each net that has begun, now or in the `n_before` steps before."""
    return [
        [*curve, *[np.nan] * (n_before - len(curve)), *result.loss_curve] if result else [*curve]
        for curve, result in zip_longest(curves, results, fillvalue=[])
        if curve or result
    ]
