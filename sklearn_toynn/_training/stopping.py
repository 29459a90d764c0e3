"""When the training of a net ends, for what reason, and what is to be warned of then.

Solvers and schedules say what they go by (`Solver.stops_on_gradient`, `Schedule.ends`, ...);
what follows from that is decided here. `STOP_REASONS` are the values of `stop_reason_`.
"""

import math
from dataclasses import dataclass

STOP_REASONS = {
    "tol": "the gradient, the gap to the minimum or the progress of the loss is within `tol`",
    "max_iter": "`max_iter` came before the end",
    "schedule": "the schedule has run to its end, which is at `max_iter`",
    "validation": "the loss on the validation set no longer fell by `tol`",
    "precision": "the dtype resolves no better objective",
    "callback": "a callback asked for it",
    "diverged": "the objective is not finite, or above both its start and that of zero weights",
    "interrupted": "Ctrl-C",
    "partial_fit": "the one pass of `partial_fit` is over",
}


@dataclass(frozen=True)
class StoppingPolicy:
    """When a net has been trained enough."""

    tol: float
    n_iter_no_change: int
    max_iter: int
    #: Why it ends where the loss that is watched has not improved for `n_iter_no_change`
    #: iterations; None where it goes on.
    stall_reason: str | None
    #: Why it ends at `max_iter`.
    limit_reason: str
    #: Whether it ends where the largest gradient entry is at most `tol`.
    watches_gradient: bool

    @classmethod
    def from_options(cls, options, schedule, *, has_validation):
        """Return what follows from options, their `Schedule` and whether one validates."""
        solver_class = options.solver_class
        ends = solver_class.follows_schedule and schedule.ends
        stall_reason, limit_reason = None, "schedule" if ends else "max_iter"
        runs_all = options.tol == 0 and solver_class.follows_schedule
        if options.is_one_pass:
            limit_reason = "partial_fit"
        elif has_validation:
            stall_reason = "validation"
        elif solver_class.stops_on_loss and not (ends or runs_all):
            stall_reason = "tol"
        return cls(
            tol=options.tol,
            n_iter_no_change=options.n_iter_no_change,
            max_iter=options.max_iter,
            stall_reason=stall_reason,
            limit_reason=limit_reason,
            watches_gradient=solver_class.stops_on_gradient and (has_validation or not runs_all),
        )

    def find_reason(self, history, largest_entry, *, callback_asks):
        """Return why training ends after the iteration that a net has just finished, or None.

        Parameters
        ----------
        history : History
            Of the net.
        largest_entry : float or None
            Of the gradient of its objective before the iteration; None if that is not watched.
        callback_asks : bool
            Whether a callback asks to stop.
        """
        if not math.isfinite(history.loss_curve[-1] + history.watched_curve[-1]):
            return "diverged"
        if self.stall_reason is not None and history.n_stalled >= self.n_iter_no_change:
            return self.stall_reason
        if largest_entry is not None and largest_entry <= self.tol:
            return "tol"
        if callback_asks:
            return "callback"
        if len(history.loss_curve) == self.max_iter:
            return self.limit_reason
        return None

    def describe_gradient(self, largest_entry, scaling_advice):
        """Say that `max_iter` came before the gradient was small, and what to change."""
        return (
            f"max_iter={self.max_iter} iterations ended the training where the largest entry "
            f"of the gradient was {largest_entry:.3g}, above tol={self.tol:.3g}. Raise "
            f"max_iter or tol{scaling_advice}."
        )

    def describe_progress(self):
        """Say that `max_iter` came while the loss still fell, and what to change."""
        return (
            f"max_iter={self.max_iter} epochs ended the training while the loss still fell by "
            f"more than tol={self.tol:.3g}. Raise max_iter, tol or learning_rate, or take "
            "schedule='cosine', which ends at max_iter."
        )
