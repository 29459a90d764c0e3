"""The training of the linear model, whose objective is convex: a proven minimum."""

import math
from dataclasses import dataclass, replace
from weakref import WeakMethod

import numpy as np

from .._blas import single_threaded_blas
from .._nets.loss import Objective
from .._nets.network import Network
from .._training.divergence import recover
from .._training.monitor import Monitor
from .._training.schedules import SCHEDULES
from .._training.stopping import StoppingPolicy, describe_large_loss
from .._training.training import TrainingResult
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


@dataclass(frozen=True)
class LinearResult(TrainingResult):
    """The outcome of the training of the linear model."""

    coef: np.ndarray
    intercept: np.ndarray
    #: The proven gap of the objective to its minimum, relative to it; NaN without a proof.
    gap: float


def choose_newton_models(objective):
    """Return the Hessian, which at theta = 0 is `UniformFactor`."""
    n_classes, size = objective.shape
    order = (n_classes - 1) * size
    if order**2 > MAX_HESSIAN_ENTRIES:
        raise ValueError(
            f"solver='newton' needs the {order} x {order} Hessian of {n_classes} classes and "
            f"rows that span {size - 1} dimensions, {8e-9 * order**2:.1f} GB. Set "
            "solver='lbfgs' or 'auto'."
        )
    return UniformFactor, (FullHessian,)


def choose_lbfgs_models(objective):
    """Return the best models that fit, except the Hessian."""
    return choose_hessian_models(objective, may_be_exact=False)


def choose_auto_models(objective):
    """Return the best models by the rule."""
    return choose_hessian_models(objective, may_be_exact=True)


#: The solvers: functions that return the first model of the Hessian and its renewals.
LINEAR_SOLVERS = {
    "auto": choose_auto_models,
    "newton": choose_newton_models,
    "lbfgs": choose_lbfgs_models,
}

#: What `max_iter="auto"` stands for.
MAX_ITER = 1000


class LinearTraining:
    """A descent with models of the Hessian.

    With many rows it starts from the minimum of the problem on every fourth row, found the same
    way; iterations of that smaller problem are not counted. With fewer rows than columns it starts
    from the minimum in the span of the rows.

    Parameters
    ----------
    samples, validation : Samples
        The rows to train on, and those that choose the weights, or None.
    options : TrainingOptions
        The options.
    start : tuple of ndarray
        W of shape (n_classes, n_features) and b of shape (n_classes,), in the dtype of the result;
        changed in place.
    observer : callable or None
        As in `NetTraining`.
    """

    def __init__(self, samples, validation, options, start, observer=None):
        W, b = start
        self._options, self._dtype = options, samples.X.dtype
        self._choose_models = LINEAR_SOLVERS[options.solver]
        self._network = Network.from_layers([W], [b], None)
        self._validation = validation and Objective(self._network, validation, 0.0)
        policy = StoppingPolicy.make(
            options,
            SCHEDULES["constant"],
            stops_on_loss=False,
            stops_on_gradient=False,
            runs_all=False,
            validates=validation is not None,
        )
        self.monitor = Monitor(
            self._network,
            policy,
            validation=self._validation,
            verbose=options.verbose,
            observer=observer and observer(WeakMethod(self.result)),
        )
        self._problem = LinearProblem(samples, options.reg, len(b))
        self._descent, self._lower_bound = None, -math.inf

    def run(self):
        """Minimise until the gap is proven to be at most `tol` times the objective."""
        self.monitor.begin()
        monitor, problem, tol = self.monitor, self._problem, self._options.tol
        objective = problem.objective
        theta = problem.load(self._network.weights[0], self._network.biases[0])
        goal = Tolerance(relative=max(tol, ROUNDING), gradient=tol if objective.reg == 0 else 0.0)
        if problem.is_wide:
            reduced = problem.in_row_space()
            nearer = replace(goal, relative=0.5 * goal.relative)  # so that it holds in X as well
            descent = self._begin(reduced.objective, reduced.from_full(theta), nearer)
            self._follow(descent, STEPS_BEFORE_NEW_VARIABLES, reduced.to_full)
            if monitor.reason is not None:
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
        if monitor.reason is None and monitor.n_iter == 0:
            monitor.record(np.array([descent.loss]))
        monitor.end("precision")

    def _follow(self, descent, n_steps, to_full=None):
        """Record the steps of a descent in theta, or in what `to_full` turns into it.

        The network has the weights of each step that is watched, and those of the last.
        Return whether it has come to no end, neither its own nor the training's.
        """
        monitor, self._descent = self.monitor, descent
        is_full, may_go_on = to_full is None, True

        def store():
            theta = descent.theta if is_full else to_full(descent.theta)
            self._problem.store(theta, self._network.weights[0], self._network.biases[0])

        try:
            for _ in range(n_steps):
                n_unwatched = monitor.n_unwatched
                losses = descent.run_ahead(n_unwatched)
                if not losses:
                    losses = [descent.loss]
                    may_go_on = not descent.has_converged and descent.advance()
                if is_full:
                    self._lower_bound = max(self._lower_bound, descent.lower_bound)
                if not may_go_on:
                    break
                if len(losses) == n_unwatched or not np.isfinite(losses[0]):
                    store()
                monitor.record(np.array(losses))
                if monitor.reason is not None:
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
        _, renewals = self._choose_models(objective)
        return renewals[-1]

    def _descend(self, objective, theta, model, goal):
        _, renewals = self._choose_models(objective)
        always = self._options.solver == "newton" or any(
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
        first, _ = self._choose_models(objective)
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

    def end(self, reason):
        """End the training for a reason, unless it has ended."""
        self.monitor.end(reason)

    def result(self):
        """Return the outcome; before the end, of a training that a callback ends now."""
        monitor, network = self.monitor, self._network.copy()
        if monitor.watches_validation:
            network.parameters[...] = monitor.best.parameters
        loss, has_diverged = recover(
            network.parameters,
            self._evaluate(network)[0],
            [monitor.best.parameters, monitor.initial],
            lambda parameters: self._evaluate(network.with_parameters(parameters))[0],
            self._validation and self._validation.value_at,
            math.log(network.widths[-1]),
        )
        has_diverged = has_diverged or monitor.ended_at_infinity
        loss, gap, largest = self._measure(network)
        reason, warning = monitor.reason or "callback", None
        if has_diverged:
            reason = "diverged"
            warning = (
                f"Training diverged within {monitor.n_iter} iterations. The best weights so far "
                f"are kept, with an objective of {loss:.4g}. Scale the columns of X, as "
                "StandardScaler does, or raise reg."
            )
        elif reason in ("precision", "max_iter"):
            warning = self._describe_end(reason, gap, largest)
            reason = reason if warning else "tol"
            if reason == "max_iter" and monitor.policy.max_iter_is_intended:
                warning = None
        warnings = [warning]
        if monitor.reason not in (None, "interrupted"):
            n_classes, reg = network.widths[-1], self._options.reg
            comparison = describe_large_loss(loss, n_classes, reg, has_learning_rate=False)
            warnings.insert(0, comparison)
        return LinearResult(
            coef=network.weights[0],
            intercept=network.biases[0],
            gap=gap,
            loss=loss,
            loss_curve=monitor.loss_curve[:],
            validation_curve=monitor.validation_curve[:],
            best_iter=monitor.best_iter if monitor.watches_validation else 0,
            stop_reason=reason,
            warning=" ".join(filter(None, warnings)) or None,
        )

    def _evaluate(self, network):
        """Return objective and gradient; where the descent stands, to rounding, they are known."""
        theta, descent = self._load(network), self._descent
        if descent is not None and descent.objective is self._problem.objective:
            rounding = 2e-15 * np.abs(theta).max()
            if np.abs(theta - descent.theta).max() <= rounding:
                return descent.loss, descent.gradient
        return self._problem.objective.value_and_gradient(theta)

    def _load(self, network):
        return self._problem.load(network.weights[0], network.biases[0])

    def _measure(self, network):
        """Return the objective, its proven gap and the largest gradient entry at the stored W, b.

        The gap includes what rounding may have taken from the objective.
        """
        problem, theta = self._problem, self._load(network)
        loss, gradient = self._evaluate(network)
        rounding, bound = problem.objective.rounding(theta, loss), self._lower_bound
        if not self._is_proven(self._relative_gap(loss, bound, rounding)):
            bound = max(bound, loss - problem.objective.duality_gap(theta, gradient))
        return loss, self._relative_gap(loss, bound, rounding), float(np.abs(gradient).max())

    @staticmethod
    def _relative_gap(loss, bound, rounding):
        if not np.isfinite(bound):
            return math.nan
        bound = max(bound, 0.0)  # no objective is negative
        return float((max(loss - bound, 0.0) + rounding) / loss) if loss > 0 else 0.0

    def _is_proven(self, gap):
        """Say whether a gap is at most `tol`, or what float32 can promise."""
        tol = self._options.tol
        enough = max(tol, MIN_GAP_FLOAT32) if self._dtype == np.float32 else tol
        return gap <= enough + 8 * ROUNDING

    def _describe_end(self, reason, gap, largest):
        """Return the warning about an end too far from the minimum, or None."""
        has_bound, tol = self._problem.objective.reg > 0, self._options.tol
        has_converged = self._descent is not None and self._descent.has_converged
        if has_converged and (not has_bound or self.monitor.watches_validation):
            return None
        if has_bound and self._is_proven(gap):
            return None
        end = f"max_iter={self._options.max_iter} iterations ended the training"
        if reason == "precision":
            end = f"No step lowered the objective after {self.monitor.n_iter} iterations"
        proof = (
            f"the gap to the minimum was at most {gap:.3g} of the objective, above tol={tol:.3g}"
            if has_bound
            else "with reg=0 there is no bound of the gap to the minimum"
        )
        other = ", or pass X as float64" if self._dtype == np.float32 else ""
        return (
            f"{end}, where {proof}. The largest entry of the gradient (for columns of unit "
            f"variance) was {largest:.3g}. Raise max_iter, tol or reg{other}."
        )


@single_threaded_blas
def train_linear(samples, validation, options, start, observer=None):
    """Train the linear model to its end.

    Parameters
    ----------
    samples, validation, options, start, observer
        As in `LinearTraining`.

    Returns
    -------
    result : LinearResult
        The outcome; on Ctrl-C, with the weights so far.
    interrupt : KeyboardInterrupt or None
        The interrupt that ended the training, for the caller to raise.
    """
    interrupt = None
    # overflow is how divergence shows; the monitor looks for it
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        training = LinearTraining(samples, validation, options, start, observer)
        try:
            training.run()
        except KeyboardInterrupt as error:
            interrupt = error
            training.end("interrupted")
        return training.result(), interrupt
