"""The training of the linear model to a proven minimum of its convex objective."""

import math
from dataclasses import dataclass
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
from .certificate import bound_gap
from .descent import Descent
from .hessian_approximation import HessianApproximation
from .hessian_models import MAX_MODEL_ENTRIES, Diagonal, FullHessian, choose_hessian_models
from .line_search import ROUNDING
from .linear_objective import LinearObjective
from .row_space import RowSpace
from .rows import DENSE_CHUNK_ELEMENTS

#: With many rows, training starts from the minimum on every fourth row.
WARM_START_STRIDE = 4
MAX_WARM_START_STEPS = 30
#: The number of steps before the variables are first changed; it doubles with each change.
STEPS_BEFORE_NEW_VARIABLES = 100
#: The number of times that the variables are changed because no step lowers the objective.
MAX_STAGNATIONS = 3
#: A start whose objective is more than so many times that of zero is replaced by zero.
MAX_START_LOSS = 4.0
#: The smallest relative gap that float32 parameters can promise.
MIN_GAP_FLOAT32 = 1e-5
#: The solvers; see `choose_hessian_models`.
LINEAR_SOLVERS = ("auto", "newton", "lbfgs")


@dataclass(frozen=True)
class LinearResult(TrainingResult):
    """The outcome of the training of the linear model."""

    coef: np.ndarray
    intercept: np.ndarray
    #: The proven gap of the objective to its minimum, relative to it; NaN without a proof.
    gap: float


def make_objective(samples, reg, n_classes):
    """Return the objective on samples.

    Few rows in use are copied. If they are many, all rows stay, with a weight of 0 for the others.
    """
    X, codes, weights, rows = samples.X, samples.codes, samples.weights, samples.rows
    if rows is not None and len(rows) * X.shape[1] <= DENSE_CHUNK_ELEMENTS:
        X, codes, weights = X[rows], codes[rows], weights[rows]
    elif rows is not None:
        used = np.zeros(len(weights))
        used[rows] = weights[rows]
        weights = used
    weights = np.multiply(weights, samples.weight_scale / samples.n_samples, dtype=float)
    return LinearObjective(X, codes, weights, reg, n_classes)


class LinearTraining:
    """The training of the linear model.

    Parameters
    ----------
    samples, validation : Samples
        The rows to train on, and those that choose the weights, or None.
    options : TrainingOptions
        The options.
    start : tuple of ndarray
        W of shape (n_classes, n_features) and b of shape (n_classes,), in the dtype of the result.
    observer : callable or None
        As in `NetTraining`.
    """

    def __init__(self, samples, validation, options, start, observer=None):
        W, b = start
        self._options, self._dtype = options, samples.X.dtype
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
        self._objective = make_objective(samples, options.reg, len(b))
        self._tol = max(options.tol, ROUNDING)
        self._gradient_tol = options.tol if options.reg == 0 else 0.0
        self._descent, self._lower_bound = None, -math.inf

    def run(self):
        """Minimise until the gap is proven to be at most `tol` times the objective.

        1. Descend by quasi-Newton steps, in the span of the rows if they are fewer than the
           columns, and with many rows from the minimum on some of them.
        2. After many steps, or if no step lowers the objective, change the variables and continue
           by Newton's steps.
        """
        self.monitor.begin()
        theta = self._load(self._network)
        if self._spans_fewer_dimensions():
            space = RowSpace(self._objective)
            # a smaller gap, so that it holds in X as well
            descent = self._begin(space.objective, space.from_full(theta), 0.5 * self._tol)
            outcome = self._follow(descent, STEPS_BEFORE_NEW_VARIABLES, space.to_full)
            if self.monitor.reason is not None:
                return
            step = descent.newton_step
            step = None if step is None else space.to_full(step)
            descent = self._begin_newton(space.to_full(descent.theta), step)
        else:
            descent = self._begin(self._objective, theta, self._tol)
        n_steps, n_stagnations = STEPS_BEFORE_NEW_VARIABLES, 0
        outcome = self._follow(descent, n_steps)
        while outcome != "end":
            n_stagnations += outcome == "stagnation"
            if n_stagnations > MAX_STAGNATIONS:
                break
            n_steps *= 2
            outcome = self._follow(self._change_variables(), n_steps)
        if self.monitor.n_iter == 0:
            self.monitor.record(np.array([self._descent.loss]))
        self.monitor.end("precision")

    # ---- descents

    def _begin(self, objective, theta, tol):
        """Return a descent from theta, or from a better start if theta is zero or far off."""
        # from far above the objective of zero, log K, the way is long, or lost in rounding
        most = MAX_START_LOSS * math.log(objective.n_classes)
        first, kinds = choose_hessian_models(objective, self._options.solver)
        model = None
        if not (theta.any() and objective.value_and_gradient(theta)[0] <= most):
            theta, model = self._find_start(objective)
        approximation = HessianApproximation(
            objective, kinds, model, renews_always=first is FullHessian
        )
        return Descent(objective, theta, approximation, tol, gradient_tol=self._gradient_tol)

    def _find_start(self, objective):
        """Return theta and a model of the Hessian, of some of the rows if they are many.

        The minimum on m of the rows lies within about P / 2m of the minimum on all rows, with P
        free parameters. It is found to a tenth of that, from a start found the same way.
        """
        n_classes, size = objective.shape
        n_free = (n_classes - 1) * size
        n_rows = objective.n_rows // WARM_START_STRIDE
        has_many = not objective.is_sparse and n_rows >= max(10 * n_free, 1000)
        smaller = objective.on_every(WARM_START_STRIDE) if has_many else None
        if smaller is None:
            first, _ = choose_hessian_models(objective, self._options.solver)
            theta = np.zeros(objective.shape)
            return theta, None if first is FullHessian else first(objective, theta)
        theta, model = self._find_start(smaller)
        first, kinds = choose_hessian_models(smaller, self._options.solver)
        approximation = HessianApproximation(
            smaller, kinds, model, renews_always=first is FullHessian
        )
        rough_gap = 0.05 * n_free / smaller.n_rows
        descent = Descent(smaller, theta, approximation, 0.0, rough_gap=rough_gap)
        for _ in range(MAX_WARM_START_STEPS):
            if descent.has_converged or not descent.advance():
                break
        return descent.theta, kinds[-1](smaller, descent.theta)

    def _begin_newton(self, theta, step=None):
        """Return a descent by Newton's steps, from theta and with a cheap model at first."""
        objective = self._objective
        kinds = (Diagonal, *choose_hessian_models(objective, "auto")[1])
        return Descent(
            objective,
            theta,
            HessianApproximation(objective, kinds, None, keeps_pairs=False),
            self._tol,
            gradient_tol=self._gradient_tol,
            is_newton=True,
            newton_step=step,
        )

    def _change_variables(self):
        """Return a descent from the present point, in variables that suit the curvature there."""
        coefs = self._objective.columns.to_coefs(self._descent.theta)
        self._objective = self._objective.with_columns_at(self._descent.theta)
        return self._begin_newton(self._objective.columns.from_coefs(*coefs))

    def _spans_fewer_dimensions(self):
        """Say whether dense rows are fewer than the columns, and their Gram matrix fits."""
        objective = self._objective
        n_rows, n_features = objective.rows.X.shape
        return not objective.is_sparse and n_rows < n_features and n_rows**2 <= MAX_MODEL_ENTRIES

    def _follow(self, descent, n_steps, to_full=None):
        """Take the steps of a descent in theta, or in what `to_full` turns into theta.

        The network has the weights of each step that is watched, and of the last.

        Returns
        -------
        outcome : {"end", "stagnation", "limit"}
            Whether the descent or the training has ended, no step lowers the objective, or the
            steps have been taken.
        """
        monitor, losses, outcome = self.monitor, [], "limit"
        self._descent, n_unwatched = descent, monitor.n_unwatched

        def record():
            self._store(descent.theta if to_full is None else to_full(descent.theta))
            if losses:
                taken = np.array(losses)
                losses.clear()
                monitor.record(taken)

        try:
            for _ in range(n_steps):
                loss = descent.loss
                may_go_on = not descent.has_converged and descent.advance()
                if to_full is None:
                    self._lower_bound = max(self._lower_bound, descent.lower_bound)
                if not may_go_on:
                    outcome = "end" if descent.has_converged else "stagnation"
                    break
                losses.append(loss)
                if len(losses) == n_unwatched or not math.isfinite(loss):
                    record()
                    if monitor.reason is not None:
                        outcome = "end"
                        break
                    n_unwatched = monitor.n_unwatched
        finally:  # on Ctrl-C too
            record()
        return "end" if descent.has_converged else outcome

    def _load(self, network):
        """Return the theta of a network."""
        (W,), (b,) = network.weights, network.biases
        return self._objective.columns.from_coefs(W.astype(float), b.astype(float))

    def _store(self, theta):
        """Store theta in the network; the mean of b, which is free, becomes zero."""
        (W,), (b,) = self._network.weights, self._network.biases
        columns = self._objective.columns
        np.multiply(theta[:, :-1], columns.inv_scale, out=W, casting="same_kind")
        # of the rounded weights, so that columns far from zero shift no score
        centred = theta[:, -1] - W.astype(float, copy=False) @ columns.mean
        b[...] = centred - np.add.reduce(centred) / len(b)

    # ---- the outcome

    def end(self, reason):
        """End the training for a reason, unless it has ended."""
        self.monitor.end(reason)

    def result(self):
        """Return the outcome; before the end, of a training that a callback ends now."""
        monitor, network = self.monitor, self._network.copy()
        if monitor.watches_validation:
            network.parameters[...] = monitor.best.parameters
        theta, loss, gradient = self._evaluate(network)
        n_classes = self._objective.n_classes
        _, has_diverged = recover(
            network.parameters,
            loss,
            [monitor.best.parameters, monitor.initial],
            lambda parameters: self._evaluate_at(network.with_parameters(parameters))[1],
            self._validation and self._validation.value_at,
            math.log(n_classes),
        )
        if has_diverged:
            theta, loss, gradient = self._evaluate_at(network)
        gap = self._prove_gap(theta, loss, gradient)
        reason, warning = monitor.reason or "callback", None
        if has_diverged or monitor.ended_at_infinity:
            reason = "diverged"
            warning = (
                f"Training diverged within {monitor.n_iter} iterations. The best weights so far "
                f"are kept, with an objective of {loss:.4g}. Scale the columns of X, as "
                "StandardScaler does, or raise reg."
            )
        elif reason in ("precision", "max_iter"):
            warning = self._describe_end(reason, gap, np.abs(gradient).max())
            reason = reason if warning else "tol"
            if reason == "max_iter" and monitor.policy.max_iter_is_intended:
                warning = None
        warnings = [warning]
        if monitor.reason not in (None, "interrupted"):
            comparison = describe_large_loss(
                loss, n_classes, self._options.reg, has_learning_rate=False
            )
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
        """Return theta, objective and gradient of the last or the chosen weights."""
        descent = self._descent
        is_known = (
            descent is not None
            and descent.objective is self._objective
            and self._dtype == np.float64  # else the weights are rounded
            and not self.monitor.watches_validation
        )
        if is_known:
            return descent.theta, descent.loss, descent.gradient
        return self._evaluate_at(network)

    def _evaluate_at(self, network):
        theta = self._load(network)
        return theta, *self._objective.value_and_gradient(theta)

    def _prove_gap(self, theta, loss, gradient):
        """Return the proven gap, relative to the objective, with what rounding may have taken."""
        rounding, bound = self._objective.rounding(theta, loss), self._lower_bound
        if not self._is_proven(self._relative_gap(loss, bound, rounding)):
            bound = max(bound, loss - bound_gap(self._objective, theta, gradient))
        return self._relative_gap(loss, bound, rounding)

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
        has_bound, tol = self._objective.reg > 0, self._options.tol
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
