"""The solvers of nets.

A solver has `init`, `step` and `is_done`. The loop in `NetTraining.run` calls them. To add a
first-order solver, write an update rule and a class that names it, and add the class to `SOLVERS`.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from time import perf_counter
from typing import ClassVar

import numpy as np
from scipy.optimize import minimize

from .._nets.update_rules import Adam, GradientDescent, NesterovMomentum
from .schedules import make_schedule
from .stopping import StoppingPolicy, describe_fall

#: The duration of a call of the kernels. Python handles Ctrl-C between the calls.
CALL_SECONDS = 0.01

#: The minimum number of mini-batch steps on `RowCoordinates`.
MIN_STEPS = 1000


@dataclass
class OptimizerState:
    """The state of a solver. Each step changes it in place and returns it."""

    #: An array of shape (n_moments, n_parameters).
    moments: np.ndarray
    #: The number of updates so far.
    n_steps: int = 0
    epoch_seconds: float = math.inf
    #: SciPy's `OptimizeResult`, after L-BFGS has ended.
    result: object = None


class Solver(ABC):
    """Minimizes the objective of a net.

    Parameters
    ----------
    options : TrainingOptions
        The options of the training.
    bit_generator : numpy.random.BitGenerator or None
        Shuffles the rows; None keeps their order.
    """

    #: The values of `learning_rate="auto"` and `schedule="auto"`.
    learning_rate: ClassVar[float] = math.nan
    schedule: ClassVar[str] = "constant"
    #: Whether the learning rate and the schedule set the step sizes; `tol=0` then runs all steps.
    follows_schedule: ClassVar[bool] = False
    #: Whether a step uses a batch, so that `partial_fit` can continue with new rows.
    takes_batches: ClassVar[bool] = False
    #: Whether equal rows are merged first, for a solver that amplifies rounding errors.
    merges_equal_rows: ClassVar[bool] = False

    def __init__(self, options, bit_generator=None):
        self.options, self.bit_generator = options, bit_generator
        self.schedule_in_use = make_schedule(
            options.schedule if self.follows_schedule else "constant"
        )

    @staticmethod
    def get_max_iter(samples, batch_size):  # noqa: ARG004
        """Return the value of `max_iter="auto"`."""
        return 1000

    def make_policy(self, *, validates):
        """Return the stopping rule."""
        return StoppingPolicy.make(
            self.options,
            self.schedule_in_use,
            stops_on_loss=self.takes_batches,
            stops_on_gradient=not self.takes_batches,
            runs_all=self.follows_schedule,
            validates=validates,
        )

    @classmethod
    def init(cls, parameters):
        """Return the state before the first step from parameters of shape (n_parameters,)."""
        return OptimizerState(np.empty((0, len(parameters)), parameters.dtype))

    @abstractmethod
    def step(self, objective, state, monitor):
        """Make one or more iterations and record each in the monitor.

        Returns
        -------
        state : OptimizerState
            The next state.
        """

    def is_done(self, state):  # noqa: ARG002
        """Return the reason, one of `STOP_REASONS`, why the solver cannot continue, or None."""
        return

    def describe_termination(self, objective, state, monitor, get_scaling_advice):  # noqa: ARG002
        """Return the warning about a bad termination, or None."""
        if monitor.reason != "max_iter" or monitor.policy.max_iter_is_intended:
            return None
        if not monitor.policy.watches_gradient:
            return monitor.policy.describe_progress()
        return monitor.policy.describe_gradient(
            objective.largest_gradient_entry(), get_scaling_advice()
        )


class FirstOrderSolver(Solver):
    """Iterations by an update rule; one call of the kernels makes several."""

    follows_schedule = True
    rule_class: ClassVar[type]

    def __init__(self, options, bit_generator=None):
        super().__init__(options, bit_generator)
        self.rule = self._make_rule()

    def _make_rule(self):
        return self.rule_class()

    @classmethod
    def init(cls, parameters):
        """Return a state with zero moments."""
        shape = cls.rule_class.n_moments, len(parameters)
        return OptimizerState(np.zeros(shape, parameters.dtype))

    def step(self, objective, state, monitor):
        """Make one epoch, or several in about `CALL_SECONDS` if the monitor allows it."""
        options, policy, n_samples = self.options, monitor.policy, objective.samples.n_samples
        start, n_epochs, max_epochs = perf_counter(), 1, monitor.max_iter_per_call
        if max_epochs > 1:
            n_epochs = min(max(int(CALL_SECONDS / state.epoch_seconds), 1), max_epochs)
        batch_size = min(options.batch_size, n_samples) if self.takes_batches else n_samples
        starts = np.arange(0, n_samples, batch_size) / n_samples
        epochs = np.arange(monitor.n_iter, monitor.n_iter + n_epochs)[:, None]
        sizes = self.schedule_in_use.factors(
            (epochs + starts) / options.max_iter, monitor.n_plateaus
        )
        steps = state.n_steps + 1 + np.arange(sizes.size)
        sizes = options.learning_rate * sizes * self.rule.scale(steps).reshape(sizes.shape)
        losses = objective.kernels.run_epochs(
            self.rule,
            state,
            sizes,
            batch_size,
            self.bit_generator if batch_size < n_samples else None,  # order affects only rounding
            monitor.best,
            policy.tol if policy.watches_gradient else -1.0,
        )
        state.n_steps += len(losses) * len(starts)
        state.epoch_seconds = (perf_counter() - start) / len(losses)
        largest = objective.largest_gradient_entry() if policy.watches_gradient else None
        monitor.record(losses, largest)
        return state


class GradientDescentSolver(FirstOrderSolver):
    """Gradient descent over all rows."""

    learning_rate = 0.5
    rule_class = GradientDescent

    def describe_termination(self, objective, state, monitor, get_scaling_advice):
        """Also warn if the loss has risen from its minimum, because the steps are too large."""
        warning = super().describe_termination(objective, state, monitor, get_scaling_advice)
        if monitor.watches_validation or not monitor.n_iter:
            return warning
        end, best = monitor.loss_curve[-1], monitor.best.loss[0]
        if end <= 1.01 * best:
            return warning
        rise = (
            f"The loss has risen to {end:.4g} from its minimum of {best:.4g}. Lower learning_rate "
            f"(now {self.options.learning_rate:.3g}), or set a schedule that lowers it."
        )
        return rise if warning is None else f"{warning} {rise}"


class MiniBatchSolver(FirstOrderSolver):
    """An update after each batch."""

    takes_batches = True
    schedule = "cosine"

    @staticmethod
    def get_max_iter(samples, batch_size):
        """Return 4500 / sqrt(n_samples) epochs, clipped to [20, 240].

        If columns have pieces, 120 epochs are enough. Training on coordinates of the rows takes at
        least `MIN_STEPS` steps, which are fast.
        """
        max_epochs = 120 if samples.has_pieces else 240
        n_epochs = min(max(round(4500 / math.sqrt(samples.n_samples)), 20), max_epochs)
        if samples.coordinates is None:
            return n_epochs
        n_batches = math.ceil(samples.n_samples / batch_size)
        return max(n_epochs, math.ceil(MIN_STEPS / n_batches))

    def describe_termination(self, objective, state, monitor, get_scaling_advice):
        """Also warn if the loss was high and still falling when the schedule ended."""
        if monitor.reason != "schedule":
            return super().describe_termination(objective, state, monitor, get_scaling_advice)
        if monitor.watches_validation or monitor.n_iter < 2 or self.options.tol == 0:
            return None
        middles = (np.arange(monitor.n_iter) + 0.5) / monitor.n_iter
        sizes = self.schedule_in_use.factors(middles, monitor.n_plateaus)
        log_n_classes = math.log(objective.network.widths[-1])
        return describe_fall(monitor.loss_curve, sizes, log_n_classes, self.options.max_iter)


class SGDSolver(MiniBatchSolver):
    """Stochastic gradient descent with Nesterov's momentum."""

    learning_rate = 0.1
    rule_class = NesterovMomentum

    def _make_rule(self):
        return NesterovMomentum(self.options.momentum)


class AdamSolver(MiniBatchSolver):
    """Adam."""

    learning_rate = 1e-2
    rule_class = Adam


class LBFGSSolver(Solver):
    """SciPy's L-BFGS-B, whose line search chooses the step sizes. One `step` runs to the end.

    Rounding errors can lead to another minimum. So equal rows are merged first: repeated rows or
    weights, and any order of the rows, give the same bits.
    """

    merges_equal_rows = True

    def step(self, objective, state, monitor):
        """Minimize until the monitor or SciPy stops."""
        network, kernels = objective.network, objective.kernels
        scale = kernels.penalty.param_scale
        scale = 1.0 if scale is None else scale.astype(float)
        accepted, loss = network.parameters / scale, None

        def evaluate(theta):
            nonlocal loss
            network.parameters[...] = theta * scale
            value = kernels.value_and_gradient()
            loss = value if loss is None else loss
            return value, kernels.gradient.astype(float)

        def after_iteration(intermediate_result):
            nonlocal accepted, loss
            accepted = intermediate_result.x.copy()
            network.parameters[...] = accepted * scale
            watches = monitor.policy.watches_gradient
            monitor.record(
                np.array([loss]), objective.largest_gradient_entry() if watches else None
            )
            loss = intermediate_result.fun
            if monitor.reason is not None:
                raise StopIteration

        try:
            result = minimize(
                evaluate,
                accepted,
                jac=True,
                method="L-BFGS-B",
                callback=after_iteration,
                options={
                    "maxiter": self.options.max_iter,
                    "maxfun": 100 * self.options.max_iter,
                    "maxls": 50,
                    "gtol": 0,  # the monitor looks at the gradient
                    "ftol": np.finfo(network.parameters.dtype).eps,
                },
            )
        finally:
            network.parameters[...] = accepted * scale
        if monitor.n_iter == 0:
            monitor.record(np.array([loss]))
        state.result = result
        return state

    def is_done(self, state):
        """Return "precision" if SciPy has stopped because it found no lower loss."""
        return None if state.result is None else "precision"

    def describe_termination(self, objective, state, monitor, get_scaling_advice):
        """Return a warning with SciPy's message if the gradient is large.

        An entry g is large if it exceeds `tol` and if a step along it, at a curvature of 1, would
        decrease the loss by more than rounding errors, g^2 / 2.
        """
        if monitor.reason != "precision":
            return super().describe_termination(objective, state, monitor, get_scaling_advice)
        result, tol = state.result, monitor.policy.tol
        eps = np.finfo(objective.network.parameters.dtype).eps
        largest = np.abs(result.jac).max()
        if largest <= max(tol, 10 * eps + math.sqrt(2 * eps * result.fun)):
            return None
        return (
            f"L-BFGS-B stopped after {monitor.n_iter} iterations with the message "
            f"{result.message!r}. The largest entry of the gradient was {largest:.3g}, above "
            f"tol={tol:.3g}. Raise tol or reg, pass X as float64, or set a smooth activation such "
            "as 'tanh'."
        )


SOLVERS = {
    "gd": GradientDescentSolver,
    "sgd": SGDSolver,
    "adam": AdamSolver,
    "lbfgs": LBFGSSolver,
}
