"""The results of trainings, and the curves of several nets."""

from dataclasses import dataclass
from itertools import zip_longest
from statistics import fmean

import numpy as np

from .._nets.network import Network
from .starts import NetStart


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training."""

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
    """The result of the training of a net."""

    #: The net on the original columns.
    network: Network
    #: The state to continue training from, for the columns as scaled in training.
    checkpoint: NetStart


def mean_curve(curves):
    """Return the mean of the curves at each iteration, over the nets that still trained."""
    if len(curves) == 1:
        return curves[0]
    return [
        fmean([value for value in values if value is not None]) for values in zip_longest(*curves)
    ]


def continue_curves(curves, results, n_before):
    """Return the curves of the nets that have begun, with NaN for steps before their start."""
    return [
        [*curve, *[np.nan] * (n_before - len(curve)), *result.loss_curve] if result else [*curve]
        for curve, result in zip_longest(curves, results, fillvalue=[])
        if curve or result
    ]
