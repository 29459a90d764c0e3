"""The training of the linear model to a proven gap to the minimum of its convex objective."""

import math
from dataclasses import dataclass
from functools import partial
from weakref import WeakMethod

import numpy as np

from .._blas import single_threaded_blas
from .._nets.loss import Objective
from .._nets.network import Network
from .._training.monitor import Monitor
from .._training.results import TrainingResult
from .._training.schedules import SCHEDULES
from .._training.stopping import StoppingPolicy, describe_large_loss
from .._training.training import run_to_result
from .certificate import bound_gap
from .descent_starts import begin_descent, begin_newton
from .hessian_models import MAX_MODEL_ENTRIES
from .line_search import ROUNDING
from .linear_objective import LinearObjective
from .row_space import RowSpace
from .rows import DENSE_CHUNK_ELEMENTS

#: The number of steps before the first change of variables. It doubles with each change.
STEPS_BEFORE_NEW_VARIABLES = 100
#: The maximum number of changes of variables because no step lowers the objective.
MAX_STAGNATIONS = 3
#: The smallest relative gap that float32 parameters can guarantee.
MIN_GAP_FLOAT32 = 1e-5
#: The solvers; see `choose_hessian_models`.
LINEAR_SOLVERS = ("auto", "newton", "lbfgs")


@dataclass(frozen=True)
class LinearResult(TrainingResult):
    """The result of the training of the linear model."""

    coef: np.ndarray
    intercept: np.ndarray
    #: The proven gap to the minimum, relative to the objective; NaN without a proof.
    gap: float


def make_objective(samples, reg, n_classes):
    """Return the objective on samples.

    Small selections of rows are copied. For large ones, unused rows get weight 0.
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
        The rows to train on, and the rows that choose the weights, or None.
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
            validation=validation and Objective(self._network, validation, 0.0),
            verbose=options.verbose,
            observer=observer and observer(WeakMethod(self.result)),
        )
        self._objective = make_objective(samples, options.reg, len(b))
        self._tol = max(options.tol, ROUNDING)
        self._gradient_tol = options.tol if options.reg == 0 else 0.0
        self._has_converged, self._lower_bound = False, -math.inf
        self._point = None  # theta, objective and gradient at the weights of the network

    def run(self):
        """Minimize until the gap is proven to be at most `tol` times the objective.

        1. Take quasi-Newton steps. If there are fewer rows than columns, take them in the span of
           the rows. If there are many rows, start from the minimum on some of them.
        2. After many steps, or if no step lowers the objective, change the variables and continue
           with Newton steps.
        """
        self.monitor.begin()
        objective, theta = self._objective, self._load(self._network)
        goal = self._tol, self._gradient_tol
        if self._spans_fewer_dimensions():
            theta, step = self._descend_in_row_space(theta)
            if self.monitor.reason is not None:
                return
            descent = begin_newton(objective, theta, *goal, step)
        else:
            descent = begin_descent(objective, theta, self._options.solver, *goal)
        n_steps, n_stagnations = STEPS_BEFORE_NEW_VARIABLES, 0
        while (outcome := self._follow(descent, n_steps)) != "end":
            n_stagnations += outcome == "stagnation"
            if n_stagnations > MAX_STAGNATIONS:
                break
            coefs, self._point = self._objective.columns.to_coefs(descent.theta), None
            self._objective = self._objective.with_columns_at(descent.theta)
            theta = self._objective.columns.from_coefs(*coefs)
            descent = begin_newton(self._objective, theta, *goal)
            n_steps *= 2
        if self.monitor.n_iter == 0:
            self.monitor.record(np.array([descent.loss]))
        self.monitor.end("precision")

    def _spans_fewer_dimensions(self):
        """Return whether X is dense, has fewer rows than columns, and a small Gram matrix."""
        objective = self._objective
        n_rows, n_features = objective.rows.X.shape
        return not objective.is_sparse and n_rows < n_features and n_rows**2 <= MAX_MODEL_ENTRIES

    def _descend_in_row_space(self, theta):
        """Return theta at the minimum in the span of the rows, and an approximate Newton step."""
        space = RowSpace(self._objective)
        descent = begin_descent(
            space.objective,
            space.from_full(theta),
            self._options.solver,
            0.5 * self._tol,  # leaves room for rounding errors of the conversion to X
            self._gradient_tol,
        )
        self._follow(descent, STEPS_BEFORE_NEW_VARIABLES, space)
        step = descent.newton_step
        return space.to_full(descent.theta), None if step is None else space.to_full(step)

    def _follow(self, descent, n_steps, space=None):
        """Take up to `n_steps` steps of a descent, in the span of the rows if `space` is given.

        Steps that the monitor watches, and the last step, are stored in the network.

        Returns
        -------
        outcome : {"end", "stagnation", "limit"}
            "end" if the descent converged or the training ended, "stagnation" if no step lowers
            the objective, "limit" after `n_steps` steps.
        """
        monitor, losses = self.monitor, []

        def record():
            self._store(descent.theta if space is None else space.to_full(descent.theta))
            if space is None:
                self._has_converged = descent.has_converged
                self._point = descent.theta, descent.loss, descent.gradient
                self._lower_bound = max(self._lower_bound, descent.lower_bound)
            if losses:
                taken = np.array(losses)
                losses.clear()
                monitor.record(taken)

        try:
            for _ in range(n_steps):
                loss = descent.loss
                if descent.has_converged or not descent.advance():
                    return "end" if descent.has_converged else "stagnation"
                losses.append(loss)
                if len(losses) >= monitor.max_iter_per_call or not math.isfinite(loss):
                    record()
                    if monitor.reason is not None:
                        return "end"
        finally:  # on Ctrl-C too
            record()
        return "end" if descent.has_converged else "limit"

    def _load(self, network):
        """Return the theta of a network."""
        (W,), (b,) = network.weights, network.biases
        return self._objective.columns.from_coefs(W.astype(float), b.astype(float))

    def _store(self, theta):
        """Store theta in the network, with intercepts b of mean 0."""
        (W,), (b,) = self._network.weights, self._network.biases
        columns = self._objective.columns
        np.multiply(theta[:, :-1], columns.inv_scale, out=W, casting="same_kind")
        # from the rounded weights, so that their rounding errors times the mean shift no score
        centered = theta[:, -1] - W.astype(float, copy=False) @ columns.mean
        b[...] = centered - np.add.reduce(centered) / len(b)

    # ---- the result

    def end(self, reason):
        """End the training for a reason, unless it has ended."""
        self.monitor.end(reason)

    def result(self):
        """Return the result; while training runs, as if a callback ended it now."""
        monitor, network = self.monitor, self._network.copy()
        monitor.load_best_weights(network)
        is_rounded = self._dtype != np.float64
        if self._point is None or is_rounded or monitor.watches_validation:
            theta, loss, gradient = self._evaluate(network)
        else:
            theta, loss, gradient = self._point
        _, has_diverged = monitor.recover(
            network,
            loss,
            lambda parameters: self._evaluate(network.with_parameters(parameters))[1],
        )
        if has_diverged:
            theta, loss, gradient = self._evaluate(network)
        gap = self._prove_gap(theta, loss, gradient)
        reason, warning = monitor.reason or "callback", None
        if has_diverged:
            reason = "diverged"
            warning = monitor.describe_divergence(
                loss, "Scale the columns of X, as StandardScaler does, or raise reg"
            )
        elif reason in ("precision", "max_iter"):
            warning = self._describe_termination(reason, gap, np.abs(gradient).max())
            reason = reason if warning else "tol"
            if reason == "max_iter" and monitor.policy.max_iter_is_intended:
                warning = None
        large_loss = None
        if not has_diverged and monitor.reason not in (None, "interrupted"):
            large_loss = describe_large_loss(
                loss, len(theta), self._options.reg, has_learning_rate=False
            )
        return LinearResult(
            coef=network.weights[0],
            intercept=network.biases[0],
            gap=gap,
            **monitor.summarize(loss, reason, [warning, large_loss]),
        )

    def _evaluate(self, network):
        """Return theta, objective and gradient at a network."""
        theta = self._load(network)
        return theta, *self._objective.value_and_gradient(theta)

    def _prove_gap(self, theta, loss, gradient):
        """Return the proven gap plus a bound of its rounding error, relative to the objective."""
        if not self._objective.reg > 0:
            return math.nan
        rounding, bound = self._objective.rounding(theta, loss), self._lower_bound
        if not loss - bound + rounding <= self._tol * loss:
            bound = max(bound, loss - bound_gap(self._objective, theta, gradient))
        gap = max(loss - max(bound, 0.0), 0.0)  # objectives are not negative
        return float((gap + rounding) / loss) if loss > 0 else 0.0

    def _describe_termination(self, reason, gap, largest_gradient_entry):
        """Return the warning about a gap larger than `tol`, or None."""
        has_bound, tol = self._objective.reg > 0, self._options.tol
        max_gap = max(tol, MIN_GAP_FLOAT32) if self._dtype == np.float32 else tol
        if self._has_converged and (not has_bound or self.monitor.watches_validation):
            return None
        if has_bound and gap <= max_gap + 8 * ROUNDING:
            return None
        end = f"max_iter={self._options.max_iter} iterations ended the training"
        if reason == "precision":
            end = f"No step lowered the objective after {self.monitor.n_iter} iterations"
        proof = (
            f", when the gap to the minimum was at most {gap:.3g} of the objective, above "
            f"tol={tol:.3g}"
            if has_bound
            else ". With reg=0 there is no bound of the gap to the minimum"
        )
        other = ", or pass X as float64" if self._dtype == np.float32 else ""
        return (
            f"{end}{proof}. The largest entry of the gradient (for columns of unit variance) was "
            f"{largest_gradient_entry:.3g}. Raise max_iter, tol or reg{other}."
        )


@single_threaded_blas
def train_linear(samples, validation, options, start, observer=None):
    """Train the linear model, with the arguments of `LinearTraining`.

    Return the `LinearResult`, and a KeyboardInterrupt or None, as in `run_to_result`.
    """
    return run_to_result(partial(LinearTraining, samples, validation, options, start, observer))
