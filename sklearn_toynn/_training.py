"""Training a stack: what is watched on the way, and where each net comes to its end."""

import math
from dataclasses import dataclass

import numpy as np

from ._blas import single_threaded_blas
from ._network import Network
from ._objective import Objective
from ._solvers import Solver

__all__ = ["Outcome", "StoppingRule", "train"]


@dataclass(frozen=True)
class StoppingRule:
    """When a net has been trained enough."""

    tol: float
    n_iter_no_change: int
    #: Whether `n_iter_no_change` iterations without an improvement by `tol` end the training.
    stops_on_stall: bool


@dataclass(frozen=True)
class Outcome:
    """What training made of one net; `network` and `solver` are stacks of one."""

    network: Network
    solver: Solver
    loss: float
    loss_curve: list
    validation_loss_curve: list
    best_iter: int
    n_iter: int
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
        n_nets = self.n_nets
        self.outcomes = [None] * n_nets
        self._rule, self._validation, self._verbose = rule, validation, verbose
        self._watch_validation()
        self._nets = np.arange(n_nets)  # their places in `outcomes`
        self._curves = [[] for _ in range(n_nets)]
        self._validation_curves = [[] for _ in range(n_nets)]
        self._n_stalled = np.zeros(n_nets, int)
        self._best_loss = np.full(n_nets, math.inf)
        self._best_iter = np.zeros(n_nets, int)
        parameters = objective.network.parameters
        self._initial, self._previous, self._best = (parameters.copy() for _ in range(3))

    @property
    def n_nets(self):
        """The number of nets that still train."""
        return self.objective.network.n_nets

    @property
    def progress(self):
        """The share of `max_iter` that is done."""
        return self.n_iter / self.plan.max_iter

    def record(self, loss):
        """Take in an iteration that found `loss`, (n_nets,), and let go the nets at their end.

        The loss is that of the parameters before the iteration (for mini-batches, of the
        parameters as they changed), the validation loss that of the parameters now.
        """
        parameters = self.objective.network.parameters
        watched, candidates = loss, self._previous
        if self._validation is not None:
            watched, candidates = self._validation_objective.value(), parameters
        for net, value, validation_value in zip(
            self._nets, loss.tolist(), watched.tolist(), strict=True
        ):
            self._curves[net].append(value)
            self._validation_curves[net].append(validation_value)
        if self._verbose and self.n_iter % self._verbose == 0:
            values = ", ".join(f"{value:.6f}" for value in loss)
            print(f"iteration {self.n_iter}: loss {values}")  # noqa: T201
        improves = watched < self._best_loss - self._rule.tol
        is_best = watched < self._best_loss
        self._n_stalled = np.where(improves, 0, self._n_stalled + 1)
        self._best_loss[is_best] = watched[is_best]
        self._best_iter[is_best] = self.n_iter
        np.copyto(self._best, candidates, where=is_best[:, None])
        np.copyto(self._previous, parameters)
        self.n_iter += 1
        at_end = ~np.isfinite(loss + watched)
        if self._rule.stops_on_stall:
            at_end |= self._n_stalled >= self._rule.n_iter_no_change
        if self.solver.stops_on_gradient:
            at_end |= self._largest_gradient_entries() <= self._rule.tol
        self.plan.schedule.observe(self._n_stalled, ~at_end)
        if at_end.any():
            self._let_go(at_end)
        if self.n_nets and self.n_iter == self.plan.max_iter:
            self._let_go(np.ones(self.n_nets, bool), self._describe_limit)

    def close(self):
        """Let go the nets that still train, with the weights that they have now."""
        if self.n_nets:
            self._let_go(np.ones(self.n_nets, bool))

    def _let_go(self, leaving, describe_end=lambda net: None):  # noqa: ARG005
        """Make the outcomes of the nets that a mask names, and go on without them."""
        left, left_solver = self.objective.select(leaving), self.solver.select(leaving)
        if self._validation is not None:
            left.network.parameters[...] = self._best[leaving]
        loss = left.value()
        diverged = self._rescue(left, loss, leaving)
        for index, place in enumerate(np.flatnonzero(leaving)):
            net = self._nets[place]
            self.outcomes[net] = Outcome(
                network=left.network.select([index]),
                solver=left_solver.select([index]),
                loss=float(loss[index]),
                loss_curve=self._curves[net],
                validation_loss_curve=self._validation_curves[net],
                best_iter=int(self._best_iter[place]),
                n_iter=self.n_iter,
                warning=self._describe_divergence(place, loss[index])
                if diverged[index]
                else describe_end(place),
            )
        self._keep(~leaving)

    def _keep(self, staying):
        """Go on with the nets that a mask names."""
        self.objective = self.objective.select(staying)
        self.solver = self.solver.select(staying)
        self.plan = self.plan.select(staying)
        self._watch_validation()
        for name in (
            "_nets", "_n_stalled", "_best_loss", "_best_iter", "_initial", "_previous", "_best"
        ):  # fmt: skip
            setattr(self, name, getattr(self, name)[staying])

    def _watch_validation(self):
        if self._validation is not None:
            network = self.objective.network
            no_penalty = np.zeros_like(self.objective.reg)
            self._validation_objective = Objective(network, self._validation, no_penalty)

    def _rescue(self, left, loss, leaving):
        """Put the best weights in place of those that training has only made worse.

        That is where the objective is not finite, or well above both that of weights of zero
        and that of the start or the best iteration. `left` and `loss` are changed in place.
        """
        hopeful = loss <= math.log(left.network.widths[-1])
        rescued = np.zeros_like(hopeful)
        if not hopeful.all():
            for candidates in (self._best[leaving], self._initial[leaving]):
                candidate_loss = left.value_at(candidates)
                better = ~hopeful & np.isfinite(candidate_loss) & ~(loss <= 1.001 * candidate_loss)
                left.network.parameters[better] = candidates[better]
                loss[better] = candidate_loss[better]
                rescued |= better
        return rescued

    def _largest_gradient_entries(self):
        gradient = self.objective.gradient
        return np.maximum(gradient.max(axis=1), -gradient.min(axis=1))

    def _describe_divergence(self, net, loss):
        (rate,) = self.plan.learning_rate[net]
        return (
            f"Training diverged within {self.n_iter} iterations; the best weights so far are "
            f"kept, with an objective of {loss:.4g}. Lower learning_rate (it was {rate:.3g}), or "
            "bring the columns of X to a common scale, as StandardScaler does."
        )

    def _describe_limit(self, net):
        """Say that `max_iter` came before the end, or None if `max_iter` is the end."""
        tol, max_iter = self._rule.tol, self.plan.max_iter
        if self.solver.stops_on_gradient:
            largest = self._largest_gradient_entries()[net]
            return (
                f"max_iter={max_iter} iterations ended the training where the largest entry of "
                f"the gradient was {largest:.3g}, above tol={tol:.3g}. Raise max_iter or tol, or "
                "bring the columns of X to a common scale, as StandardScaler does."
            )
        if self._rule.stops_on_stall:
            return (
                f"max_iter={max_iter} epochs ended the training while the loss still fell by "
                f"more than tol={tol:.3g}. Raise max_iter, tol or learning_rate, or take "
                "schedule='cosine', which ends at max_iter."
            )
        return None


@single_threaded_blas
def train(training):
    """Run a training to its end; return its outcomes, net by net, and an interrupt or None.

    Ctrl-C ends the training with the weights so far, and is the caller's to raise.
    """
    # overflow is how divergence shows; `Training` looks for it
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        try:
            training.solver.run(training)
        except KeyboardInterrupt as interrupt:
            training.close()
            return training.outcomes, interrupt
    return training.outcomes, None
