"""A descent on the linear objective: quasi-Newton steps, and an end that is proven.

L-BFGS that starts from H_0 = M^-1, M a model of the Hessian, is L-BFGS in variables in which M
is the identity, and Newton's method where M is the Hessian and new at every step. The model
chooses the steps; whether the end has come, it is not asked.
"""

import math
from dataclasses import dataclass

import numpy as np

from .objective import Hessian

#: Relative differences of the objective that may be rounding.
ROUNDING = 64 * float(np.finfo(float).eps)
#: Evaluations between renewals, at least: they forget the L-BFGS pairs, which an inexact model
#: needs.
MIN_PERIOD = 5
#: The most products with the Hessian for a step.
MAX_PRODUCTS = 25
#: Where the decrement is this share of the gap to reach, it is worth while to ask for a proof.
NEAR = 0.3
#: A proof is worth its pass where it is going to be this share of the gap to reach, or less.
PROMISING = 0.7
#: A step of conjugate gradients is near Newton's where the residual's square has come to this
#: share of the first.
FORCING = 0.01
#: Steps on end that bring neither the objective nor the gap down: rounding has ended the descent.
PATIENCE = 8


class Memory:
    """The L-BFGS correction of a model of the Hessian.

    Nocedal 1980, "Updating quasi-Newton matrices with limited storage", Math. Comp. 35, 773.
    """

    def __init__(self, size=10):
        self._size = size
        self.forget()

    def forget(self):
        """Begin anew, as with a new model."""
        self.pairs, self._scale = [], 1.0

    def add(self, step, change, model):
        """Take in a step and the change of the gradient along it."""
        curvature = float(np.vdot(step, change))
        if curvature > 0:
            pair = step.ravel(), change.ravel(), curvature
            self.pairs = [*self.pairs[1 - self._size :], pair]
            if model.is_guess:
                self._scale = curvature / float(np.vdot(change, model.solve(change)))

    def direction(self, gradient, model):
        """Return -H gradient by the two-loop recursion."""
        if not self.pairs:
            return model.solve(gradient) * -1.0
        q, factors = gradient.ravel().copy(), []
        for step, change, curvature in reversed(self.pairs):
            factor = step.dot(q) / curvature
            q -= factor * change
            factors.append(factor)
        d = model.solve(q.reshape(gradient.shape)).ravel()
        d *= self._scale
        for (step, change, curvature), factor in zip(self.pairs, reversed(factors), strict=True):
            d += (factor - change.dot(d) / curvature) * step
        np.negative(d, out=d)
        return d.reshape(gradient.shape)


@dataclass(frozen=True)
class Goal:
    """How near a descent is to come."""

    #: The gap to reach, relative to the objective.
    relative: float = 0.0
    #: A gap that is enough in any case.
    absolute: float = 0.0
    #: Where the objective and the largest gradient entry are at most this, that will do too.
    gradient: float = 0.0
    #: Whether the model's word for the gap will do, as where only a start is sought.
    is_rough: bool = False

    def gap(self, loss):
        """Return the gap to reach at an objective."""
        return max(self.relative * loss, self.absolute)


def search_line(objective, theta, direction, loss, slope):
    """Return (theta, loss, gradient) at a step that lowers the objective enough, or None.

    Armijo's condition, by backtracking with Hermite's cubic. Within the rounding of the loss, the
    slope decides: the approximate Wolfe conditions of Hager and Zhang 2005, "A new conjugate
    gradient method with guaranteed descent and an efficient line search", SIAM J. Optim. 16, 170.
    """
    t = 1.0
    for _ in range(30):
        new = theta + t * direction
        new_loss, gradient = objective.value_and_gradient(new)
        new_slope = float(np.vdot(gradient, direction))
        descends = new_loss <= loss + 1e-4 * t * slope
        flat = new_loss <= loss * (1 + ROUNDING) and abs(new_slope) <= 0.9 * abs(slope)
        if descends or flat:
            return new, new_loss, gradient
        # the minimum of the cubic through both values and slopes
        e = slope + new_slope - 3 * (new_loss - loss) / t
        square = e * e - slope * new_slope
        ratio = 0.5
        if square > 0:
            root = math.sqrt(square)
            ratio = 1 - (new_slope + root - e) / (new_slope - slope + 2 * root)
        t *= min(max(ratio, 0.1), 0.5) if math.isfinite(ratio) else 0.1
    return None


class Descent:
    """A descent from theta to a goal.

    The model of the Hessian is renewed at the present theta once the evaluations since the last
    time have cost as much as a renewal, so that neither takes more than half of the time. It is
    put off, by as much again at most, if at the present rate the end is nearer than that.

    The end is claimed on a proof, `LinearObjective.duality_gap`, which knows of no model. Where
    the model's decrement says that the end has come and the proof does not hold, Newton's step is
    found by conjugate gradients on products with the Hessian itself, for which the model is but
    the preconditioner, until the tighter proof that such a step gives holds, or the step says
    that the end has not come: then it is taken.

    Without a penalty there is no such proof, and where no step lowers the objective any more,
    rounding may be in its way. Then those conjugate gradients give the decrement of Newton's step
    d, and where the difference of two scores changes by no more than 1 along d, -g'd is taken for
    the gap: so far, no curvature changes by more than a factor of e (Bach 2010,
    "Self-concordant analysis for logistic regression", Electron. J. Stat. 4, 384).

    Parameters
    ----------
    objective : LinearObjective
        What to minimise.
    theta : ndarray of shape (n_classes, n_features + 1)
        Where to begin; it sums to zero over the classes.
    model : Curvature or type
        A model of the Hessian, or the class of one to be built there, if it is needed.
    renewals : tuple of type
        What it may be renewed by, the cheapest first.
    goal : Goal
        Where to end.
    always : bool
        Whether to renew at every step.
    is_newton : bool
        Whether every step is to be Newton's, by conjugate gradients.
    step : ndarray of the shape of theta, default=None
        What is about Newton's step there, if that is known.

    Attributes
    ----------
    theta, loss, gradient : ndarray, float, ndarray
        Where it stands.
    least : float
        No objective is below that; -inf where there is no penalty.
    has_converged : bool
        Whether the goal is reached.
    newton_step : ndarray of the shape of theta or None
        The step by which the end was proven.
    stands_still : bool
        Whether no step lowered the objective any more.
    """

    def __init__(
        self, objective, theta, model, renewals, goal, *, always=False, is_newton=False, step=None
    ):
        self.theta, self.model = theta, model
        self.objective, self._renewals, self._goal = objective, renewals, goal
        self._always, self._is_newton = always, is_newton
        self._memory = Memory()
        self._n_evaluations_before = objective.n_evaluations
        self._n_idle_steps = 0
        #: Whether the model is of the Hessian at theta.
        self._is_fresh = not isinstance(model, type)
        self._best_loss = self._best_decrement = math.inf
        self.least, self._newton_gap = -math.inf, math.inf
        self.newton_step = step
        self.has_converged = self.stands_still = False
        self._begin_period()
        self.loss, self.gradient = objective.value_and_gradient(theta)
        self._aim()

    def _begin_period(self):
        """Forget what was measured with another model."""
        self._memory.forget()
        self._n_evaluations, self._n_period_steps, self._first_decrement = 0, 0, None

    @property
    def gap(self):
        """The proven gap; infinite where there is no penalty."""
        return self.loss - self.least

    def advance(self):
        """Take a step; return False where none lowers the objective any more."""
        if self._n_idle_steps > PATIENCE:
            return self._stand_still()
        step = self._search()
        if step is None and not self._is_fresh:
            self._renew(self._renewals[-1] if self._renewals else type(self.model))
            self._measure()
            step = self._search()
        if step is None:
            return self._stand_still()
        theta, self.loss, gradient = step
        if not (self._always or self._is_newton):
            self._memory.add(theta - self.theta, gradient - self.gradient, self.model)
        self.theta, self.gradient = theta, gradient
        self._is_fresh = False
        self._newton_gap = math.inf
        self._n_period_steps += 1
        self._aim()
        return True

    def _stand_still(self):
        """Take the last Newton step's word for it, as rounding lets nothing be proven.

        Within rounding that word is rough: what it says to be far below the gap to reach, is
        taken to be that.
        """
        self.stands_still = True
        goal = self._goal.gap(self.loss)
        if self._newton_gap <= NEAR * goal:
            self.least = max(self.least, self.loss - goal)
            self.has_converged = True
        return False

    def _search(self):
        objective, before = self.objective, self.objective.n_evaluations
        if self._first_decrement is None:
            self._first_decrement = self._decrement
        step = search_line(objective, self.theta, self._direction, self.loss, self._slope)
        self._n_evaluations += objective.n_evaluations - before
        return step

    def _aim(self):
        """See whether the end has come, and else find the direction of the next step."""
        goal = self._goal.gap(self.loss)
        if isinstance(self.model, type):
            self._prove(self.objective.duality_gap(self.theta, self.gradient))
            if not self.has_converged and self.newton_step is not None:
                hessian = Hessian(self.objective, self.theta, self.gradient)
                step = self.newton_step
                self._prove_by(hessian, step, self.gradient + hessian.multiply(step))
            if self.has_converged:
                return
            self._renew(self.model)
        self._measure()
        if self._has_vanished() or (self._goal.is_rough and self._decrement <= goal):
            self.has_converged = True
            return
        while self._decrement > NEAR * goal and (due := self._due()) is not None:
            self._renew(due)
            self._measure()
        if self._decrement <= NEAR * goal or self._is_newton:
            self._take_newton_step()
        is_lower = self.loss < self._best_loss * (1 - ROUNDING)
        is_progress = is_lower or self._decrement < 0.8 * self._best_decrement
        self._n_idle_steps = 0 if is_progress else self._n_idle_steps + 1
        self._best_loss = min(self._best_loss, self.loss)
        self._best_decrement = min(self._best_decrement, self._decrement)

    def _prove_by(self, hessian, step, residual):
        """Ask a step for its proof; return False where that can't be enough."""
        if hessian.promise(step, residual) > PROMISING * self._goal.gap(self.loss):
            return False
        self.newton_step = step
        self._prove(hessian.prove(step, residual))
        return True

    def _has_vanished(self):
        """Say whether the gradient is zero, or the objective and it next to nothing.

        The latter where it may have no minimum.
        """
        limit, largest = self._goal.gradient, np.abs(self.gradient).max()
        return largest == 0 or max(self.loss, largest) <= limit

    def _prove(self, gap):
        """Take in an upper bound of the gap here."""
        self.least = max(self.least, self.loss - gap)
        self.has_converged = self.gap <= self._goal.gap(self.loss)

    def _measure(self):
        """Find the direction from here."""
        self._direction = self._precondition(self.gradient)
        self._slope = float(np.vdot(self.gradient, self._direction))
        self._decrement = -0.5 * self._slope

    def _precondition(self, gradient):
        return self._memory.direction(gradient, self.model)

    def _take_newton_step(self):
        """Aim along Newton's step, or see by it that the end has come.

        By conjugate gradients (Hestenes and Stiefel 1952, J. Res. NBS 49, 409): step and residual
        are d and g + H d, `square` is the residual's by the measure of the preconditioner.
        """
        objective, goal = self.objective, self._goal.gap(self.loss)
        hessian, before = Hessian(objective, self.theta, self.gradient), objective.n_evaluations
        step, residual = np.zeros_like(self.gradient), self.gradient.copy()
        ahead, square, is_near = self._direction, 2 * self._decrement, False
        for _ in range(MAX_PRODUCTS):
            product = hessian.multiply(ahead)
            curvature = float(np.vdot(ahead, product))
            if not (square > 0 and curvature > 0):  # within rounding
                break
            step += square / curvature * ahead
            residual += square / curvature * product
            slope = float(np.vdot(self.gradient, step))
            may_end = -slope <= 2 * PROMISING * goal
            if objective.reg > 0 and may_end:
                has_tried = self._prove_by(hessian, step, residual)
                if self.has_converged:
                    return
                if has_tried:
                    break
            steepest = self._precondition(residual)
            before_square, square = square, -float(np.vdot(residual, steepest))
            is_near = square <= -FORCING * slope
            if is_near and (objective.reg == 0 or not may_end):
                break
            ahead = steepest + square / before_square * ahead
        self._n_evaluations += objective.n_evaluations - before
        self._direction, self._slope = step, float(np.vdot(self.gradient, step))
        if is_near and -self._slope <= goal and objective.largest_change(step) <= 1:
            self._newton_gap = -self._slope
            self.has_converged = objective.reg == 0

    def _renew(self, kind):
        self.model = kind(self.objective, self.theta)
        self._is_fresh = True
        self._begin_period()

    @property
    def _n_spent(self):
        return self.objective.n_evaluations - self._n_evaluations_before

    def _affordable(self):
        """Return the best model that costs no more than was spent so far, or the cheapest."""
        affordable = None
        for kind in self._renewals:
            if affordable is None or kind.cost(self.objective) <= self._n_spent:
                affordable = kind
        return affordable

    def _due(self):
        """Return the model to renew the present one by now, or None."""
        if self._always:
            return None if self._is_fresh else self._renewals[-1]
        due = self._affordable()
        if due is None:
            return None
        cost = due.cost(self.objective)
        cost = max(round(cost), 1 if due.is_exact else MIN_PERIOD)
        if self._n_evaluations < cost or not self._n_period_steps:
            return None
        if self._n_evaluations >= 2 * cost:
            return due
        goal, decrement = self._goal.gap(self.loss), self._decrement
        rate = (decrement / self._first_decrement) ** (1 / self._n_period_steps)
        is_near = rate < 1 and math.log(goal / decrement) / math.log(rate) <= cost
        return None if is_near else due
