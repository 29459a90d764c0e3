"""The solvers of the linear model, whose objective is convex: they find its minimum."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar

import numpy as np

from .._training.solver import Solver
from .descent import Descent, Tolerance
from .hessian_models import Diagonal, FullHessian, UniformFactor, choose_hessian_models
from .line_search import ROUNDING
from .problem import LinearProblem

#: Every so many rows make the smaller problem that a larger one starts from.
WARM_START_STRIDE = 4
#: The most evaluations that a Hessian may cost which is renewed at every step.
MAX_COST_AT_EVERY_STEP = 2
#: Steps until the variables are chosen anew, if the end has not come; then twice as many.
STEPS_BEFORE_NEW_VARIABLES = 100
#: How often they are chosen anew where no step lowers the objective any more.
MAX_STANDSTILLS = 2
#: A start whose objective is more than so many times that of zero is left for zero.
MAX_START_LOSS = 4.0
#: The least relative gap that float32 parameters can promise.
MIN_GAP_FLOAT32 = 1e-5
#: The most entries of a Hessian that is asked for by name: 3.2 GB.
MAX_HESSIAN_ENTRIES = 400_000_000


class LinearSolver(Solver, ABC):
    """A descent with models of the Hessian, on one linear net.

    Where there are many rows, it starts from the minimum of the problem on every fourth of them,
    found likewise; the iterations there are not counted, as they are of another objective. Where
    there are fewer rows than columns, it starts from the minimum in the span of the rows.
    """

    stops_on_gradient = False
    scales_columns = False  # it has variables of its own
    #: Whether the model of the Hessian is renewed at every step.
    renews_always: ClassVar[bool] = False
    _descent = None  # until it has begun

    @abstractmethod
    def choose_models(self, objective):
        """Return the first model and its renewals, as `choose_hessian_models` does."""

    def minimize(self, run):
        """Minimise until the gap is proven to be at most `tol` times the objective."""
        self._problem = problem = LinearProblem(run.objective)
        self._run, self._least = run, -np.inf
        objective, tol = problem.objective, run.policy.tol
        theta = problem.load(run.objective.network)
        goal = Tolerance(relative=max(tol, ROUNDING), gradient=tol if objective.reg == 0 else 0.0)
        if problem.is_wide:
            reduced = problem.in_row_space()
            nearer = replace(goal, relative=0.5 * goal.relative)  # so that it holds in X as well
            descent = self._begin(reduced.objective, reduced.from_full(theta), nearer)
            self._follow(descent, STEPS_BEFORE_NEW_VARIABLES, reduced.to_full)
            if not run.n_nets:
                return
            step = descent.newton_step
            step = None if step is None else reduced.to_full(step)
            descent = self._finish(reduced.to_full(descent.theta), goal, step)
        else:
            descent = self._begin(objective, theta, goal)
        period, n_standstills = STEPS_BEFORE_NEW_VARIABLES, 0
        while self._follow(descent, period) and n_standstills <= MAX_STANDSTILLS:
            n_standstills += descent.stands_still
            period *= 2
            descent = self._finish(problem.change_variables(descent.theta), goal)
        if run.n_nets and run.n_iter == 0:
            run.record(np.array([[descent.loss]]))
        run.close("precision")

    def _follow(self, descent, n_steps, to_full=None):
        """Record the steps of a descent in theta, or in what `to_full` turns into it.

        The network has the weights of each step that is watched, and those of the last.
        Return whether it has come to no end, neither its own nor the training's.
        """
        run, self._descent = self._run, descent
        is_full, may_go_on = to_full is None, True

        def store():
            theta = descent.theta if is_full else to_full(descent.theta)
            self._problem.store(theta, run.objective.network)

        try:
            for _ in range(n_steps):
                n_unwatched = run.n_unwatched
                losses = descent.run_ahead(n_unwatched)
                if not losses:
                    losses = [descent.loss]
                    may_go_on = not descent.has_converged and descent.advance()
                if is_full:
                    self._least = max(self._least, descent.lower_bound)
                if not may_go_on:
                    break
                if len(losses) == n_unwatched or not np.isfinite(losses[0]):
                    store()
                run.record(np.array(losses)[:, None])
                if not run.n_nets:
                    return False
        finally:  # on Ctrl-C too
            store()
        return not descent.has_converged

    def _begin(self, objective, theta, goal):
        """Return a descent from theta, or where that is zero, from a better start."""
        # from far above the objective of zero, log K, the way is long, or lost in rounding
        farthest = MAX_START_LOSS * np.log(objective.n_classes)
        if theta.any() and objective.value_and_gradient(theta)[0] <= farthest:
            model = self._last_model(objective)
        else:
            theta, model = self._warm_start(objective)
        return self._descend(objective, theta, model, goal)

    def _last_model(self, objective):
        _, renewals = self.choose_models(objective)
        return renewals[-1]

    def _descend(self, objective, theta, model, goal):
        _, renewals = self.choose_models(objective)
        always = self.renews_always or any(
            kind.is_exact and kind.cost(objective) <= MAX_COST_AT_EVERY_STEP for kind in renewals
        )
        return Descent(objective, theta, model, renewals, goal, renews_always=always)

    def _finish(self, theta, goal, step=None):
        """Return a descent by Newton steps whose directions need no dear model."""
        objective = self._problem.objective
        _, renewals = choose_hessian_models(objective, may_be_exact=True)
        return Descent(
            objective,
            theta,
            Diagonal,
            (Diagonal, *renewals),
            goal,
            is_newton=True,
            newton_step=step,
        )

    def _warm_start(self, objective):
        """Return a theta and a model of the Hessian from some of the rows, recursively.

        The minimum on m rows lies within about P / 2m of that on all in the objective, P the
        number of free parameters; it is not sought closer than a tenth of that.
        """
        first, _ = self.choose_models(objective)
        n_classes, size = objective.shape
        n_free = (n_classes - 1) * size
        n_rows = objective.n_rows // WARM_START_STRIDE
        many = not objective.is_sparse and n_rows >= max(10 * n_free, 1000)
        smaller = objective.on_every(WARM_START_STRIDE) if many else None
        if smaller is None:
            theta = np.zeros(objective.shape)
            return theta, first(objective, theta)
        theta, model = self._warm_start(smaller)
        goal = Tolerance(absolute=0.05 * n_free / smaller.n_rows, is_rough=True)
        descent = self._descend(smaller, theta, model, goal)
        for _ in range(30):
            if descent.has_converged or not descent.advance():
                break
        return descent.theta, self._last_model(smaller)(smaller, descent.theta)

    def value(self, objective):
        """Return the objective at a network's parameters as they are, in float64."""
        if self._descent is None:
            return super().value(objective)
        theta, problem = self._problem.load(objective.network), self._problem.objective
        loss, gradient = self._evaluate(theta)
        self._rounding = problem.rounding(theta, loss)
        self._last = loss, float(np.abs(gradient).max())
        self._least_at_end = self._least
        if not self._is_proven(loss):
            least = loss - problem.duality_gap(theta, gradient)
            self._least_at_end = max(self._least, least)
        return np.array([loss])

    def _evaluate(self, theta):
        """Return objective and gradient; where the descent stands, to rounding, they are known."""
        descent, rounding = self._descent, 2e-15 * np.abs(theta).max()
        if descent.objective is self._problem.objective and (
            np.abs(theta - descent.theta).max() <= rounding
        ):
            return descent.loss, descent.gradient
        return self._problem.objective.value_and_gradient(theta)

    def _is_proven(self, loss):
        """Say whether the gap of an objective is at most `tol`, or what float32 can promise."""
        tol = self._run.policy.tol
        enough = max(tol, MIN_GAP_FLOAT32) if self._problem.X.dtype == np.float32 else tol
        return self.gap(loss) <= enough + 8 * ROUNDING

    def gap(self, loss):
        """Return the proven gap of an objective to the minimum, relative to it; NaN if reg = 0.

        What rounding may have taken from it is added.
        """
        if self._descent is None or not np.isfinite(self._least_at_end):
            return np.nan
        least = max(self._least_at_end, 0.0)  # no objective is negative
        return float((max(loss - least, 0.0) + self._rounding) / loss) if loss > 0 else 0.0

    def conclude(self, run, net, reason):
        """Take the proof's word for the reason; say how far from the minimum an end was."""
        if reason not in ("precision", "max_iter"):
            return super().conclude(run, net, reason)
        warning = self._describe(reason)
        if warning is None:
            return "tol", None
        is_meant = reason == "max_iter" and run.options.tol == 0
        return reason, None if is_meant else warning

    def _describe(self, reason):
        """Say how far from the minimum the descent has ended, and what to change, if too far."""
        max_iter, n_iter = self._run.options.max_iter, self._run.n_iter
        end = f"max_iter={max_iter} iterations ended the training"
        if reason == "precision":
            end = f"After {n_iter} iterations, no step lowered the objective any more"
        loss, largest = self._last
        tol, gap = self._run.policy.tol, self.gap(loss)
        has_bound = self._problem.objective.reg > 0
        if self._descent.has_converged and (not has_bound or self._run.watches_validation):
            return None
        if not has_bound:
            proof = "with reg=0 there is no bound of the gap to the minimum"
        else:
            if self._is_proven(loss):
                return None
            proof = (
                f"the gap to the minimum was at most {gap:.3g} of the objective, above "
                f"tol={tol:.3g}"
            )
        other = ", or pass X as float64" if self._problem.X.dtype == np.float32 else ""
        return (
            f"{end}, where {proof}, and the largest entry of the gradient (for columns of unit "
            f"variance) was {largest:.3g}. Raise max_iter, tol or reg{other}."
        )


class Newton(LinearSolver):
    """Newton's method: the Hessian at every step, and a line search."""

    renews_always = True

    def choose_models(self, objective):
        """Take the Hessian, which at theta = 0 is `UniformFactor`."""
        n_classes, size = objective.shape
        order = (n_classes - 1) * size
        if order**2 > MAX_HESSIAN_ENTRIES:
            raise ValueError(
                f"solver='newton' needs the {order} x {order} Hessian of {n_classes} classes and "
                f"rows that span {size - 1} dimensions, {8e-9 * order**2:.1f} GB. Take "
                "solver='lbfgs' or 'auto'."
            )
        return UniformFactor, (FullHessian,)


class PreconditionedLBFGS(LinearSolver):
    """L-BFGS from a model of the Hessian, which is now and then renewed."""

    def choose_models(self, objective):
        """Take the best model that fits, but the Hessian."""
        return choose_hessian_models(objective, may_be_exact=False)


class Auto(LinearSolver):
    """The Hessian where it is cheap, else as `PreconditionedLBFGS`."""

    def choose_models(self, objective):
        """Take the best model by the rule."""
        return choose_hessian_models(objective, may_be_exact=True)


LINEAR_SOLVERS = {"auto": Auto, "newton": Newton, "lbfgs": PreconditionedLBFGS}
