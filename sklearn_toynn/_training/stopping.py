"""The stopping rule, the reasons to stop, and the warnings about a bad termination."""

import math
from dataclasses import dataclass

import numpy as np

from .schedules import Schedule

#: The values of `stop_reason_`.
STOP_REASONS = {
    "tol": "the gradient, the gap to the minimum or the decrease of the loss is within `tol`",
    "max_iter": "`max_iter` was reached before the stopping rule was met",
    "schedule": "the schedule ended, at `max_iter`",
    "validation": "the loss on the validation set no longer fell by `tol`",
    "precision": "rounding prevents a lower objective",
    "callback": "a callback asked for it",
    "diverged": "the objective is not finite, or well above its best and its value for weights 0",
    "interrupted": "Ctrl-C",
    "partial_fit": "`partial_fit` makes one pass",
}


@dataclass(frozen=True)
class StoppingPolicy:
    """The stopping rule of a training."""

    schedule: Schedule
    tol: float
    n_iter_no_change: int
    max_iter: int
    #: The reason to stop after `n_iter_no_change` iterations without an improvement of the watched
    #: loss; None to continue.
    stall_reason: str | None
    #: The reason to stop at `max_iter`.
    limit_reason: str
    #: Whether training stops when the largest gradient entry is at most `tol`.
    watches_gradient: bool
    #: Whether reaching `max_iter` is intended and gives no warning.
    max_iter_is_intended: bool

    @classmethod
    def make(cls, options, schedule, *, stops_on_loss, stops_on_gradient, runs_all, validates):
        """Return the policy of a training.

        `stops_on_loss` and `stops_on_gradient` say what the solver watches without a validation
        set. `runs_all` says whether the solver runs all iterations with ``tol=0``.
        """
        runs_all = runs_all and options.tol == 0
        stall_reason, limit_reason = None, "schedule" if schedule.ends else "max_iter"
        if options.is_one_pass:
            limit_reason = "partial_fit"
        elif validates:
            stall_reason = "validation"
        elif stops_on_loss and not (schedule.ends or runs_all):
            stall_reason = "tol"
        return cls(
            schedule=schedule,
            tol=options.tol,
            n_iter_no_change=options.n_iter_no_change,
            max_iter=options.max_iter,
            stall_reason=stall_reason,
            limit_reason=limit_reason,
            watches_gradient=stops_on_gradient and (validates or not runs_all),
            max_iter_is_intended=options.tol == 0,
        )

    def find_reason(self, *, is_finite, n_stalled, largest_gradient_entry, callback_asks, n_iter):
        """Return the reason to stop after an iteration, or None.

        `n_stalled` is the number of iterations since the watched loss last fell by `tol`. The
        largest gradient entry, before the iteration, is None if it is not watched.
        """
        if not is_finite:
            return "diverged"
        if self.stall_reason is not None and n_stalled >= self.n_iter_no_change:
            return self.stall_reason
        if largest_gradient_entry is not None and largest_gradient_entry <= self.tol:
            return "tol"
        if callback_asks:
            return "callback"
        return self.limit_reason if n_iter >= self.max_iter else None

    def describe_progress(self):
        """Return the warning that the loss still fell at `max_iter`."""
        return (
            f"max_iter={self.max_iter} epochs ended the training while the loss still fell by "
            f"more than tol={self.tol:.3g}. Raise max_iter, tol or learning_rate, or set "
            "schedule='cosine', which ends at max_iter."
        )

    def describe_gradient(self, largest_entry, scaling_advice):
        """Return the warning that the gradient was not small at `max_iter`."""
        return (
            f"max_iter={self.max_iter} iterations ended the training when the largest entry "
            f"of the gradient was {largest_entry:.3g}, above tol={self.tol:.3g}. Raise max_iter "
            f"or tol{scaling_advice}."
        )


def describe_fall(curve, step_sizes, log_n_classes, max_iter):
    """Return the warning that the loss still fell when the schedule ended, or None.

    The loss still fell if the last tenth of the sum of step sizes lowered it by more than 5 % of
    its total decrease, and by more than 5 % of log K / 2, where log K is the loss of zero weights.
    There is no warning if the loss is at most log K / 2.
    """
    steps = np.cumsum(step_sizes)
    place = min(int(np.searchsorted(steps, 0.9 * steps[-1])), len(curve) - 2)
    fall, total = curve[place] - curve[-1], curve[0] - curve[-1]
    if fall <= 0.05 * max(total, log_n_classes / 2) or curve[-1] <= log_n_classes / 2:
        return None
    return (
        f"The loss was still falling when the schedule ended: from {curve[place]:.3g} after "
        f"{place + 1} to {curve[-1]:.3g} after {len(curve)} epochs. Raise max_iter "
        f"(now {max_iter})."
    )


#: The part of log K by which an objective may exceed it without the warning.
LARGE_LOSS_TOLERANCE = 1e-3

#: The start of a warning that is only about a large loss. Other warnings come first.
LARGE_LOSS_ALONE = "(.* the first: )?The objective of the fitted model "


def describe_large_loss(
    loss,
    n_classes,
    reg,
    *,
    has_learning_rate,
    watched=math.inf,
    has_diverged=False,
    get_scaling_advice=str,
):
    """Return the warning that equal probabilities have a lower objective, log K, or None.

    `watched` is the validation loss that chose the weights. There is no warning if it is low.
    """
    zero_loss = math.log(n_classes)
    if not min(loss, watched) > zero_loss * (1 + LARGE_LOSS_TOLERANCE):  # also if it is NaN
        return None
    causes = [f"reg (now {reg:.3g})"] * (reg > 0) + ["learning_rate"] * has_learning_rate
    advice = " or ".join(causes)
    if has_diverged and causes:
        advice = f"Lower {advice}"
    else:
        advice = f"Raise max_iter, or lower {advice}" if causes else "Raise max_iter"
    return (
        f"The objective of the fitted model ({loss:.6g}) is higher than with all weights at 0 "
        f"({zero_loss:.6g}). {advice}{get_scaling_advice()}."
    )
