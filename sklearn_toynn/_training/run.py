"""Training a stack: what is watched on the way, and where each net comes to its end."""

import math
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import compress
from threading import Event

import numpy as np

from .._blas import single_threaded_blas
from .._nets.columns import Columns
from .._nets.network import Network
from .._nets.objective import Objective
from .solver import Solver


@dataclass
class History:
    """What became of one net, iteration by iteration."""

    #: Where the net stood in the stack at the start.
    place: int
    loss_curve: list = field(default_factory=list)
    #: Equal to `loss_curve` where there is no validation set.
    watched_curve: list = field(default_factory=list)
    best_loss: float = math.inf
    best_iter: int = 0
    #: The iterations since `best_loss` last fell by `tol`.
    n_stalled: int = 0

    def add(self, loss, watched_loss, tol):
        """Add an iteration, and say whether the watched loss is the best so far."""
        self.loss_curve.append(loss)
        self.watched_curve.append(watched_loss)
        self.n_stalled = 0 if watched_loss < self.best_loss - tol else self.n_stalled + 1
        is_best = watched_loss < self.best_loss
        if is_best:
            self.best_loss, self.best_iter = watched_loss, len(self.watched_curve) - 1
        return is_best

    def has_ended(self, rule):
        """Say whether the losses end the training: not finite, or stalled."""
        stalled = rule.stops_on_stall and self.n_stalled >= rule.n_iter_no_change
        return stalled or not math.isfinite(self.loss_curve[-1] + self.watched_curve[-1])


@dataclass(frozen=True)
class Outcome:
    """What training made of one net; the networks and `solver` are stacks of one."""

    network: Network
    #: The same in the variables of the training, on columns scaled by `columns`.
    trained: Network
    columns: Columns | None
    solver: Solver
    streams: object
    loss: float
    #: See `Solver.gap`.
    gap: float | None
    n_iter: int
    history: History
    warning: str | None


class Training:
    """The state of a run: the nets that still train, their curves and their best weights.

    Parameters
    ----------
    objective : Objective
        Of the stack at its start.
    solver : Solver
        What trains it.
    plan : Plan
        What the solver is told.
    rule : StoppingRule
        When to stop.
    validation : Samples or None
        If given, the mean cross-entropy on it stops the training and chooses the weights.
    verbose : int
        Print the loss of every `verbose`-th iteration; 0 for silence.
    """

    def __init__(self, objective, solver, plan, rule, validation, verbose):
        self.objective, self.solver, self.plan = objective, solver, plan
        self.n_iter = 0
        n_nets = objective.network.n_nets
        self.outcomes = [None] * n_nets
        #: Told where each iteration begins and ends, if not None; see `CallbackObserver`.
        self.observer = None
        #: Ends the training after the iteration that goes on once set, as from another thread.
        self.stop = Event()
        self._histories = [History(place) for place in range(n_nets)]
        self.rule, self._validation, self._verbose = rule, validation, verbose
        self._watch_validation()
        parameters = objective.network.parameters
        self._initial, self._previous, self._best = (parameters.copy() for _ in range(3))

    @property
    def n_nets(self):
        """The number of nets that still train."""
        return len(self._histories)

    @property
    def watches_validation(self):
        """Whether a validation set chooses the weights."""
        return self._validation is not None

    @property
    def progress(self):
        """The share of `max_iter` that is done."""
        return self.n_iter / self.plan.max_iter

    def record(self, loss, describe_limit=None):
        """Take in an iteration that found `loss`, (n_nets,), and let go the nets at their end.

        The loss is that of the parameters before the iteration (for mini-batches, of the
        parameters as they changed), the validation loss that of the parameters now. A solver
        may say by itself, net by net, what to warn of where `max_iter` ends the training.
        """
        parameters = self.objective.network.parameters
        losses, candidates = loss.tolist(), self._previous
        validation_losses = losses
        if self._validation is not None:
            validation_losses = self._validation_objective.value().tolist()
            candidates = parameters
        if self._verbose and self.n_iter % self._verbose == 0:
            values = ", ".join(f"{value:.6f}" for value in losses)
            print(f"iteration {self.n_iter}: loss {values}")  # noqa: T201
        at_end = np.zeros(self.n_nets, bool)
        for net, history in enumerate(self._histories):
            if history.add(losses[net], validation_losses[net], self.rule.tol):
                self._best[net] = candidates[net]
            at_end[net] = history.has_ended(self.rule)
        self._previous[...] = parameters
        if self.solver.stops_on_gradient:
            at_end |= self._largest_gradient_entries() <= self.rule.tol
        self.n_iter += 1
        self.plan.schedule.observe([history.n_stalled for history in self._histories])
        if self.observer is not None and self.observer.end_iteration(self):
            at_end[:] = True
        if at_end.any():
            self._let_go(at_end)
        if self.n_nets and self.n_iter == self.plan.max_iter:
            self._let_go(np.ones(self.n_nets, bool), describe_limit or self._describe_limit)
        if self.stop.is_set():
            self.close()
        if self.n_nets and self.observer is not None:
            self.observer.begin_iteration(self)

    def close(self, describe_end=lambda net: None):  # noqa: ARG005
        """Let go the nets that still train, with the weights that they have now."""
        if self.n_nets:
            self._let_go(np.ones(self.n_nets, bool), describe_end)

    def peek(self):
        """Return the outcomes that all nets would have if the training ended now."""
        outcomes = list(self.outcomes)
        if self.n_nets:
            nets = np.ones(self.n_nets, bool)
            left = self.objective.select(nets)
            for outcome in self._make_outcomes(left, nets, lambda net: None):  # noqa: ARG005
                outcomes[outcome.history.place] = replace(
                    outcome,
                    history=deepcopy(outcome.history),
                    streams=deepcopy(outcome.streams),
                )
        return outcomes

    def _let_go(self, leaving, describe_end=lambda net: None):  # noqa: ARG005
        """Make the outcomes of the nets that a mask names, and go on without them."""
        # copies of the parameters where others stay
        left = self.objective if leaving.all() else self.objective.select(leaving)
        for outcome in self._make_outcomes(left, leaving, describe_end):
            self.outcomes[outcome.history.place] = outcome
        if leaving.all():
            self._histories = []
        else:
            self._keep(~leaving)

    def _make_outcomes(self, left, leaving, describe_end):
        """Return the outcomes of the nets that a mask names.

        Their objective, `left`, may be left with other parameters; nothing else changes.
        """
        if self._validation is not None:
            left.network.parameters[...] = self._best[leaving]
        loss = self.solver.value(left)
        diverged = self._rescue(left, loss, leaving)
        columns = left.samples.columns
        # those that stay draw on, and what has left is where a net alone would be
        streams = self.plan.streams if leaving.all() else deepcopy(self.plan.streams)
        trained = [left.network.select([index]) for index in range(left.network.n_nets)]
        return [
            Outcome(
                network=trained[index] if columns is None else columns.to_original(trained[index]),
                trained=trained[index],
                columns=columns,
                solver=self.solver.select([net]),
                streams=streams,
                loss=float(loss[index]),
                gap=self.solver.gap(float(loss[index])),
                n_iter=self.n_iter,
                history=self._histories[net],
                warning=self._compare_with_zero(
                    loss[index],
                    self._describe_divergence(net, loss[index])
                    if diverged[index]
                    else describe_end(net),
                ),
            )
            for index, net in enumerate(np.flatnonzero(leaving))
        ]

    def _keep(self, staying):
        """Go on with the nets that a mask names."""
        objective, solver, plan = (
            part.select(staying) for part in (self.objective, self.solver, self.plan)
        )
        initial, previous, best = (
            parameters[staying] for parameters in (self._initial, self._previous, self._best)
        )
        histories = list(compress(self._histories, staying))
        # no calls in between: Ctrl-C finds all of this done, or none
        self.objective, self.solver, self.plan = objective, solver, plan
        self._initial, self._previous, self._best = initial, previous, best
        self._histories = histories
        self._watch_validation()

    def _watch_validation(self):
        if self._validation is not None:
            network = self.objective.network
            no_penalty = np.zeros_like(self.objective.reg)
            self._validation_objective = Objective(network, self._validation, no_penalty)

    def _rescue(self, left, loss, leaving):
        """Put the best weights in place of those that training has only made worse.

        That is where the objective is not finite, or well above both that of weights of zero and
        that of the start or the best iteration, and so is the loss that is watched. Where no
        objective is finite, the start is put in place. `left` and `loss` are changed in place.

        Returns
        -------
        diverged : ndarray of shape (n_nets,)
            Where that is so of the objective, or training ended at a loss that is not finite.
        """
        of_zero, parameters = math.log(left.network.widths[-1]), left.network.parameters

        def is_well_above(losses, others):
            return np.isfinite(others) & ~(losses <= np.maximum(of_zero, 1.001 * others))

        watched = self._watched_losses(left, parameters, loss)
        ends = (
            (*history.loss_curve[-1:], *history.watched_curve[-1:])
            for history in compress(self._histories, leaving)
        )
        diverged = np.array([not all(map(math.isfinite, end)) for end in ends])
        if not (loss + 0 * watched <= of_zero).all():
            for candidates in (self._best[leaving], self._initial[leaving]):
                candidate_loss = left.value_at(candidates)
                candidate_watched = self._watched_losses(left, candidates, candidate_loss)
                worse = is_well_above(loss, candidate_loss)
                better = worse & is_well_above(watched, candidate_watched)
                parameters[better], loss[better] = candidates[better], candidate_loss[better]
                watched[better] = candidate_watched[better]
                diverged |= worse
            lost = ~np.isfinite(watched)
            parameters[lost], loss[lost] = candidates[lost], candidate_loss[lost]  # the start
            diverged |= lost
        return diverged

    def _watched_losses(self, left, parameters, loss):
        """Return the watched losses of nets, NaN where their objective `loss` is not finite.

        `left` is the objective of the nets that leave.
        """
        if self._validation is None:
            return loss
        validation = Objective(left.network, self._validation, np.zeros_like(left.reg))
        return validation.value_at(parameters) + 0 * loss

    def _compare_with_zero(self, loss, warning):
        """Add to a warning, or to None, where zero weights have a lower objective at the end.

        Without weights and biases, all classes are alike: the objective is log K.
        """
        n_classes = self.objective.network.widths[-1]
        zero_loss = math.log(n_classes)
        if self.rule.is_one_pass or self.stop.is_set() or loss <= zero_loss * (1 + 1e-6):
            return warning
        comparison = (
            f"loss_ is {loss:.6g}, above the {zero_loss:.6g} of weights of zero, log {n_classes}. "
            "Raise max_iter, lower learning_rate, reg or what init draws, or bring the columns of "
            "X to a common scale, as StandardScaler does."
        )
        return comparison if warning is None else f"{warning} {comparison}"

    def _largest_gradient_entries(self):
        gradient = self.objective.gradient
        return np.maximum(gradient.max(axis=1), -gradient.min(axis=1))

    def _describe_divergence(self, net, loss):
        (rate,) = self.plan.learning_rate[net]
        has_rate = not math.isnan(rate)
        change = f"Lower learning_rate (it was {rate:.3g}), or bring" if has_rate else "Bring"
        return (
            f"Training diverged within {self.n_iter} iterations; the best weights so far are "
            f"kept, with an objective of {loss:.4g}. {change} the columns of X to a common "
            "scale, as StandardScaler does."
        )

    def _describe_limit(self, net):
        """Say that `max_iter` came before the end, or None if `max_iter` is the end."""
        tol, max_iter = self.rule.tol, self.plan.max_iter
        if self.plan.schedule.ends:
            return None
        if self.solver.stops_on_gradient:
            largest = self._largest_gradient_entries()[net]
            return (
                f"max_iter={max_iter} iterations ended the training where the largest entry of "
                f"the gradient was {largest:.3g}, above tol={tol:.3g}. Raise max_iter or tol, or "
                "bring the columns of X to a common scale, as StandardScaler does."
            )
        if self.rule.stops_on_stall:
            return (
                f"max_iter={max_iter} epochs ended the training while the loss still fell by "
                f"more than tol={tol:.3g}. Raise max_iter, tol or learning_rate, or take "
                "schedule='cosine', which ends at max_iter."
            )
        return None


@single_threaded_blas
def train(training):
    """Run a training to its end.

    Parameters
    ----------
    training : Training
        If its `stop` is set, it ends where it begins.

    Returns
    -------
    outcomes : list of Outcome
        Of each net; on Ctrl-C, with the weights so far.
    interrupt : KeyboardInterrupt or None
        What ended the training before its time, the caller's to raise.
    """
    interrupt = None
    # overflow is how divergence shows; `Training` looks for it
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        try:
            if not training.stop.is_set():
                training.solver.run(training)
        except KeyboardInterrupt as error:
            interrupt = error
            training.stop.set()
        training.close()
    training.solver = None  # else one that knows its training keeps X, in a circle
    return training.outcomes, interrupt
