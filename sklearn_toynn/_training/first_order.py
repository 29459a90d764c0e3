"""The solvers: how the parameters of a stack go from their start to a minimum.

To add one, write a final subclass of `Solver`, or of `MiniBatchSolver` for an update that
needs nothing but a batch's gradient, and enter it in `SOLVERS`.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.optimize import minimize

from .schedules import Schedule

__all__ = ["SOLVERS", "MiniBatchSolver", "Plan", "Solver"]


@dataclass(frozen=True)
class Plan:
    """What a solver is told: `learning_rate` and `momentum` are (n_nets, 1)."""

    learning_rate: np.ndarray
    momentum: np.ndarray
    schedule: Schedule
    batch_size: int
    shuffle: bool
    max_iter: int
    #: Its `batches` order the rows.
    streams: object

    def select(self, nets):
        """Return the plan of the nets that a mask names."""
        return replace(
            self,
            learning_rate=self.learning_rate[nets],
            momentum=self.momentum[nets],
            schedule=self.schedule.select(nets),
        )


class Solver(ABC):
    """Takes the parameters of a stack to lower values of its objective.

    Parameters
    ----------
    slots : ndarray of shape (n_slots, n_nets, n_parameters)
        The solver's memory, such as a velocity; zero at the start.
    n_steps : int, default=0
        The number of steps taken so far.
    """

    #: What `learning_rate` and `schedule` stand for where they are "auto".
    learning_rate: ClassVar[float] = math.nan
    schedule: ClassVar[str] = "constant"
    #: Whether training ends where the largest gradient entry is at most `tol`.
    stops_on_gradient: ClassVar[bool] = True
    #: Whether it ends, unless the schedule does, where the loss no longer falls by `tol`.
    stops_on_loss: ClassVar[bool] = False
    #: Whether several nets can be trained in one run.
    fuses: ClassVar[bool] = False
    #: Whether raw columns are to be brought to a common scale first, under init="auto".
    scales_columns: ClassVar[bool] = True
    #: Whether equal rows are to be merged first: for solvers that blow up rounding errors.
    merges_equal_rows: ClassVar[bool] = False
    n_slots: ClassVar[int] = 0

    def __init__(self, slots, n_steps=0):
        self.slots = slots
        self.n_steps = n_steps

    @staticmethod
    def get_max_iter(n_samples):  # noqa: ARG004
        """Return what `max_iter="auto"` stands for."""
        return 1000

    @classmethod
    def start(cls, parameters):
        """Make a solver for parameters of shape (n_nets, n_parameters)."""
        return cls(np.zeros((cls.n_slots, *parameters.shape), parameters.dtype))

    def select(self, nets):
        """Return a solver with the memory of the nets that a mask names."""
        return type(self)(self.slots[:, nets], self.n_steps)

    def value(self, objective):
        """Return the objective (n_nets,) at the end of a run."""
        return objective.value()

    def gap(self, loss):  # noqa: ARG002
        """Return what is proven of the gap to the minimum, relative to a loss; None if nothing."""
        return

    @abstractmethod
    def run(self, training):
        """Change `training.objective.network.parameters` until every net has been let go."""


class FirstOrderSolver(Solver):
    """Iterations of the stack as a whole, from which nets leave as they come to their end."""

    fuses = True

    def run(self, training):
        """Iterate until the last net has left."""
        while training.n_nets:
            # not self: when a net leaves, the others' solver takes its place
            loss = training.solver.iterate(training.objective, training.plan, training.progress)
            training.record(loss)

    @abstractmethod
    def iterate(self, objective, plan, progress):
        """Go through the data once; return the objective as it went by, (n_nets,)."""


class GradientDescent(FirstOrderSolver):
    """theta <- theta - eta grad L(theta), over the whole data."""

    learning_rate = 0.5
    n_slots = 1

    def iterate(self, objective, plan, progress):
        """Take one step; the loss and the gradient are those before it."""
        loss = objective.on_all()
        (step,) = self.slots
        rate = plan.learning_rate * plan.schedule.factor(progress)
        np.multiply(objective.gradient, rate.astype(step.dtype), out=step)
        objective.step(step)
        return loss


class MiniBatchSolver(FirstOrderSolver):
    """One update per batch, the batches drawn anew in each epoch."""

    schedule = "cosine"
    stops_on_gradient = False
    stops_on_loss = True

    @staticmethod
    def get_max_iter(n_samples):
        """Return 3000 / sqrt(n_samples) epochs, within [20, 80]: more steps for more rows."""
        return min(max(round(3000 / math.sqrt(n_samples)), 20), 80)

    def iterate(self, objective, plan, progress):
        """Go through the batches of an epoch; the loss is the mean over them as they went by."""
        gradient = objective.gradient
        momentum = plan.momentum.astype(gradient.dtype)
        order = objective.samples.epoch_order(plan.streams.batches if plan.shuffle else None)
        n_samples = len(order)
        epoch_loss = np.zeros(len(gradient))
        for start in range(0, n_samples, plan.batch_size):
            rows = order[start : start + plan.batch_size]
            epoch_loss += objective.on_batch(rows) * (len(rows) / n_samples)
            factor = plan.schedule.factor(progress + start / n_samples / plan.max_iter)
            self.n_steps += 1
            self.update(gradient, plan.learning_rate * factor, momentum)
            objective.step(gradient)
        return epoch_loss

    @abstractmethod
    def update(self, gradient, learning_rate, momentum):
        """Turn the gradient, in place, into step `n_steps`, to be subtracted."""


class SGD(MiniBatchSolver):
    """v <- mu v - eta g, theta <- theta + mu v - eta g: Nesterov's momentum.

    Sutskever et al. 2013, "On the importance of initialization and momentum in deep
    learning", in the form of Bengio et al. 2012, arXiv 1212.0901, eq. 7.
    """

    learning_rate = 0.1
    n_slots = 2

    def update(self, gradient, learning_rate, momentum):
        """Make a step of the gradient."""
        velocity, ahead = self.slots
        gradient *= learning_rate.astype(gradient.dtype)
        velocity *= momentum
        velocity -= gradient
        np.multiply(velocity, momentum, out=ahead)
        gradient -= ahead


class Adam(MiniBatchSolver):
    """Steps along each entry's mean gradient over its root mean square.

    m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g^2,
    theta <- theta - eta sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)

    Kingma and Ba 2015, arXiv 1412.6980, end of section 2. The memory holds m / (1 - b1) and
    v / (1 - b2), which saves two passes over the parameters a step.
    """

    learning_rate = 1e-2
    n_slots = 3
    beta1, beta2, epsilon = 0.9, 0.999, 1e-8

    def update(self, gradient, learning_rate, momentum):  # noqa: ARG002
        """Make a step of the gradient."""
        first, second, root_square = self.slots
        root = math.sqrt(1 - self.beta2)
        unbiased = math.sqrt(1 - self.beta2**self.n_steps) / (1 - self.beta1**self.n_steps)
        scale = learning_rate * (unbiased * (1 - self.beta1) / root)
        first *= self.beta1
        first += gradient
        gradient *= gradient
        second *= self.beta2
        second += gradient
        np.sqrt(second, out=root_square)
        root_square += self.epsilon / root
        np.divide(first, root_square, out=gradient)
        gradient *= scale.astype(gradient.dtype)


class LBFGS(Solver):
    """SciPy's L-BFGS-B on a stack of one; its line search chooses the steps.

    On a net, rounding errors grow until two runs end in different minima. Merging equal rows
    keeps weights and repeated rows, and any order of the rows, equal to the bit.

    Where SciPy stops by itself, its reason is warned of, unless no entry g of the gradient is
    above `tol` or its rounding: g^2 / 2, what a step along it gains at a curvature of 1, is then
    less than the rounding of the loss.
    """

    merges_equal_rows = True

    def run(self, training):
        """Minimise until `training` has let the net go, or the loss stands still in its dtype."""
        objective = training.objective
        parameters = objective.network.parameters
        unit = objective.unit()[0].astype(float)
        accepted = parameters[0] / unit
        loss = None  # at `accepted`

        def evaluate(theta):
            nonlocal loss
            parameters[0] = theta * unit
            (value,) = objective.on_all()
            if loss is None:
                loss = value
            return value, objective.gradient[0].astype(float)

        def after_iteration(intermediate_result):
            nonlocal accepted, loss
            accepted = intermediate_result.x.copy()
            parameters[0] = accepted * unit
            training.record(np.array([loss]))
            loss = intermediate_result.fun
            if not training.n_nets:
                raise StopIteration

        def describe_stop(_):
            eps, tol = np.finfo(parameters.dtype).eps, training.rule.tol
            largest = np.abs(result.jac).max()
            if largest <= max(tol, 10 * eps + math.sqrt(eps * result.fun)):
                return None
            return (
                f"L-BFGS-B stopped by itself after {training.n_iter} iterations, "
                f"{result.message!r}, where the largest entry of the gradient was {largest:.3g}, "
                f"above tol={tol:.3g}. Raise tol or reg, pass X as float64, or take an activation "
                "without kinks, such as 'tanh'."
            )

        try:
            result = minimize(
                evaluate,
                accepted,
                jac=True,
                method="L-BFGS-B",
                callback=after_iteration,
                options={
                    "maxiter": training.plan.max_iter,
                    "maxfun": 100 * training.plan.max_iter,
                    "maxls": 50,
                    "gtol": 0,  # `training` looks at the gradient
                    "ftol": np.finfo(parameters.dtype).eps,
                },
            )
        finally:
            parameters[0] = accepted * unit
        if training.n_iter == 0:
            training.record(np.array([loss]))
        training.close(describe_end=describe_stop)


SOLVERS = {"lbfgs": LBFGS, "gd": GradientDescent, "sgd": SGD, "adam": Adam}
