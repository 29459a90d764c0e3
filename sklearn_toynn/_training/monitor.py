"""The monitor of a training: curves, best weights, verbosity, callbacks and stopping."""

import math

import numpy as np

from .._nets.best_weights import BestWeights
from .divergence import recover
from .schedules import PLATEAU_EPOCHS


class Monitor:
    """Records the iterations of a training and decides when to stop.

    `network` holds the current parameters. `validation` is the `Objective` of a validation set
    without a penalty, or None. The watched loss stops training and chooses the weights. It is the
    value of `validation` or, without a validation set, the objective. Every `verbose`-th iteration
    is printed. The `observer` is called at each iteration. If the event `stop` is set, training
    stops after the current call of the kernels.

    Attributes
    ----------
    reason : str or None
        The reason to stop, one of `STOP_REASONS`; None while training continues.
    loss_curve, validation_curve : list of float
        The losses of the iterations.
    best : BestWeights
        The weights with the lowest watched loss.
    initial : ndarray of shape (n_parameters,)
        The initial weights.
    n_plateaus : int
        The number of times that the watched loss did not improve for `PLATEAU_EPOCHS` epochs.
    """

    def __init__(self, network, policy, *, validation=None, verbose=0, observer=None, stop=None):
        self.policy, self.reason = policy, None
        self.loss_curve, self.validation_curve = [], []
        self.best, self.initial = BestWeights(network.parameters), network.parameters.copy()
        self.n_plateaus = 0
        self._network, self._validation = network, validation
        self._verbose, self._observer, self._stop = verbose, observer, stop
        self._lowest, self._n_stalled = math.inf, 0

    @property
    def n_iter(self):
        """The number of iterations so far."""
        return len(self.loss_curve)

    @property
    def watches_validation(self):
        """Whether a validation set chooses the weights."""
        return self._validation is not None

    @property
    def best_iter(self):
        """The iteration of the lowest validation loss; 0 before the first."""
        curve = [*self.validation_curve, np.inf]
        return int(np.argmin(np.nan_to_num(curve, nan=np.inf, posinf=np.inf)))

    @property
    def is_last_loss_infinite(self):
        """Whether a loss at the last iteration is not finite."""
        ends = (*self.loss_curve[-1:], *self.validation_curve[-1:])
        return not all(map(math.isfinite, ends))

    @property
    def max_iter_per_call(self):
        """The maximum number of iterations in one call of the kernels."""
        policy = self.policy
        if (
            self.watches_validation
            or self._observer
            or self._verbose
            or policy.schedule.watches_loss
        ):
            return 1
        left = policy.max_iter - self.n_iter
        if policy.stall_reason is None:
            return left
        return min(left, policy.n_iter_no_change - self._n_stalled)

    def begin(self):
        """Call the observer before the next iteration, unless training has stopped."""
        if self.reason is None and self._observer is not None:
            self._observer.begin_iteration()

    def record(self, losses, largest_gradient_entry=None):
        """Record the iterations of one call of the kernels.

        `losses` are the objective before each iteration, or its mean over the mini-batches. The
        kernels have updated `best` for all iterations but the last. `largest_gradient_entry` is
        the one before the last iteration, or None if it is not watched.
        """
        if self._verbose and self.n_iter % self._verbose == 0:
            # the line ends in the same call of `write`, so that threads do not mix their lines
            print(f"iteration {self.n_iter}: loss {losses[0]:.6f}\n", end="")  # noqa: T201
        losses = watched = losses.tolist()
        if self._validation is not None:
            watched = [self._validation.value()]  # Ctrl-C here leaves the curves equally long
            self.validation_curve += watched
        self.loss_curve += losses
        self._count_stalls(watched)
        self.best.update(
            watched[-1], self._network.parameters, is_current=self._validation is not None
        )
        asks = self._observer is not None and self._observer.end_iteration()
        self.reason = self.policy.find_reason(
            is_finite=math.isfinite(losses[-1] + watched[-1]),
            n_stalled=self._n_stalled,
            largest_gradient_entry=largest_gradient_entry,
            callback_asks=asks,
            n_iter=self.n_iter,
        )
        if self.reason is None and self._stop is not None and self._stop.is_set():
            self.reason = "interrupted"
        self.begin()

    def end(self, reason):
        """Stop training for a reason, unless it has stopped already or the reason is None."""
        self.reason = self.reason or reason

    # ---- the result

    def load_best_weights(self, network):
        """Write the weights with the lowest validation loss, if any, to a network."""
        if self.watches_validation:
            network.parameters[...] = self.best.parameters

    def recover(self, network, loss, value_at):
        """Replace the weights of a diverged training in place; see `divergence.recover`.

        `value_at` returns the objective at parameters. Return the objective of the network, and
        whether training has diverged.
        """
        loss, has_diverged = recover(
            network.parameters,
            loss,
            [self.best.parameters, self.initial],
            value_at,
            self._validation and self._validation.value_at,
            math.log(network.widths[-1]),
        )
        return loss, has_diverged or self.is_last_loss_infinite

    def describe_divergence(self, loss, advice):
        """Return the warning that training has diverged."""
        return (
            f"Training diverged within {self.n_iter} iterations. The best weights so far are "
            f"kept, with an objective of {loss:.4g}. {advice}."
        )

    def summarize(self, loss, reason, warnings):
        """Return the fields of a `TrainingResult`."""
        return {
            "loss": loss,
            "loss_curve": self.loss_curve[:],
            "validation_curve": self.validation_curve[:],
            "best_iter": self.best_iter if self.watches_validation else 0,
            "stop_reason": reason,
            "warning": " ".join(filter(None, warnings)) or None,
        }

    def _count_stalls(self, watched):
        for loss in watched:
            is_lower = loss < self._lowest - self.policy.tol
            self._n_stalled = 0 if is_lower else self._n_stalled + 1
            self.n_plateaus += self._n_stalled > 0 and self._n_stalled % PLATEAU_EPOCHS == 0
            self._lowest = min(self._lowest, loss)
