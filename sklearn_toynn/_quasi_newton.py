"""A quasi-Newton descent on the linear objective, whose model of the Hessian is renewed.

L-BFGS that starts from H_0 = M^-1, M a model of the Hessian, is L-BFGS in variables in which M
is the identity, and Newton's method where M is the Hessian and new at every step.
"""

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["Descent", "Goal"]

#: Evaluations that a check of the end by a better model may always take.
CHEAP_CHECK = 8
#: Evaluations between renewals, at least: they forget the L-BFGS pairs, which an inexact model
#: needs.
MIN_PERIOD = 5


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


class GapEstimate:
    """The estimate of L - min L, from the decrement -g'd/2 of the quasi-Newton step d.

    With the Hessian, the decrement is the gap up to third order. With another model it is off by
    a factor, which changes slowly and can be measured: since an earlier iteration s, L fell by
    L_s - L and the decrement by l_s - l, so gap / decrement was about (L_s - L) / (l_s - l). The
    largest of these over the last 50 iterations with l_s >= 2 l is taken, at least 1, and half
    as much again for safety.
    """

    WINDOW, SAFETY = 50, 1.5

    def __init__(self):
        self._trace = []

    def update(self, loss, decrement, *, exact):
        """Take in an iterate and return its gap; `exact` says that d is Newton's."""
        factor = 1.0
        if not exact:
            for earlier, earlier_decrement in self._trace[-self.WINDOW :]:
                if earlier_decrement >= 2 * decrement:
                    fall = earlier_decrement - decrement
                    factor = max(factor, (earlier - loss) / fall if fall > 0 else 1.0)
        self._trace.append((loss, decrement))
        return self.SAFETY * factor * decrement


@dataclass(frozen=True)
class Goal:
    """How near a descent is to come."""

    #: The gap to reach, relative to the objective.
    relative: float
    #: A gap that is enough in any case.
    absolute: float
    #: Where the objective and the largest gradient entry are at most this, that will do too.
    gradient: float = 0.0
    #: Whether a coarse model's word is taken for it that the end has come.
    trusts_coarse: bool = False

    def gap(self, loss):
        """Return the gap to reach at an objective."""
        return max(self.relative * loss, self.absolute)


def search_line(objective, theta, direction, loss, slope, noise):
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
        flat = new_loss <= loss + noise and abs(new_slope) <= 0.9 * abs(slope)
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

    Parameters
    ----------
    objective : LinearObjective
        What to minimise.
    theta : ndarray of shape (n_classes, n_features + 1)
        Where to begin; it sums to zero over the classes.
    model : Curvature
        A model of the Hessian.
    renewals : tuple of type
        What it may be renewed by, the cheapest first.
    goal : Goal
        Where to end.
    always : bool
        Whether to renew at every step, but where the model of the step before says that the end
        has come.

    Attributes
    ----------
    theta, loss, gradient : ndarray, float, ndarray
        Where it stands.
    gap : float
        The estimated gap there.
    """

    def __init__(self, objective, theta, model, renewals, goal, *, always=False):
        self.theta, self.model = theta, model
        self._objective, self._renewals, self._goal = objective, renewals, goal
        self._always = always
        self._memory, self._estimate = Memory(), GapEstimate()
        self._n_evaluations_before = objective.n_evaluations
        self._n_steps = 0
        self._was_renewed = False
        self._begin_period()
        self.loss, self.gradient = objective.value_and_gradient(theta)
        self._noise = 8 * float(np.finfo(objective.dtype).eps) * (1 + abs(self.loss))
        self._aim()

    def _begin_period(self):
        """Forget what was measured with another model."""
        self._memory.forget()
        self._n_evaluations, self._n_period_steps, self._first_gap = 0, 0, None

    @property
    def has_converged(self):
        """Whether the goal is reached."""
        goal = self._goal
        return self.gap <= goal.gap(self.loss) or (
            self.loss <= goal.gradient and np.abs(self.gradient).max() <= goal.gradient
        )

    @property
    def is_at_rounding(self):
        """Whether the estimated gap is within the rounding of the loss."""
        return self.gap <= self._noise

    def advance(self):
        """Take a step; return False where none lowers the objective."""
        step = self._search()
        if step is None and self._renewals and (self._n_evaluations or not self._was_renewed):
            self._renew(self._renewals[-1])
            self._measure()
            step = self._search()
        if step is None:
            return False
        theta, self.loss, gradient = step
        if not self._always:
            self._memory.add(theta - self.theta, gradient - self.gradient, self.model)
        self.theta, self.gradient = theta, gradient
        self._n_steps += 1
        self._n_period_steps += 1
        self._aim()
        return True

    def _search(self):
        objective, before = self._objective, self._objective.n_evaluations
        if self._first_gap is None:
            self._first_gap = self.gap
        step = search_line(
            objective, self.theta, self._direction, self.loss, self._slope, self._noise
        )
        self._n_evaluations += objective.n_evaluations - before
        return step

    def _aim(self):
        """Find the direction of the next step, with a new model where one is due."""
        self._measure()
        if self._always:
            if self._n_steps and not self.has_converged:
                self._renew(self._renewals[-1])
                self._measure()
            return
        due = self._affordable()
        while due is not None and self._is_due(due):
            self._renew(due)
            self._measure()

    def _measure(self):
        """Find the direction from here, and the gap that it tells of."""
        self._direction = self._memory.direction(self.gradient, self.model)
        self._slope = float(np.vdot(self.gradient, self._direction))
        exact = self._was_renewed and self.model.is_exact and not self._memory.pairs
        self.gap = self._estimate.update(self.loss, -0.5 * self._slope, exact=exact)

    def _renew(self, kind):
        self.model = kind(self._objective, self.theta)
        self._was_renewed = True
        self._begin_period()

    @property
    def _n_spent(self):
        return self._objective.n_evaluations - self._n_evaluations_before

    def _affordable(self):
        """Return the best model that costs no more than was spent so far, or the cheapest."""
        affordable = None
        for kind in self._renewals:
            if affordable is None or kind.cost(self._objective) <= self._n_spent:
                affordable = kind
        return affordable

    def _is_due(self, due):
        """Say whether to renew the model now by one that is affordable."""
        cost = due.cost(self._objective)
        goal = self._goal.gap(self.loss)
        doubtful = self.model.is_coarse and not self._was_renewed and self._n_steps > 0
        if doubtful and not self._goal.trusts_coarse:
            # the curvature elsewhere may hide slow directions: the end is declared on that found
            # near it, or, where that would cost more than all so far, with three times the safety
            if cost > max(self._n_spent, CHEAP_CHECK):
                self.gap *= 3.0
            elif self.gap <= goal:
                return True
        cost = max(round(cost), 1 if due.is_exact else MIN_PERIOD)
        if self.has_converged or self._n_evaluations < cost:
            return False
        if self._n_evaluations >= 2 * cost:
            return True
        rate = (self.gap / self._first_gap) ** (1 / self._n_period_steps)
        return not (rate < 1 and math.log(goal / self.gap) / math.log(rate) <= cost)
