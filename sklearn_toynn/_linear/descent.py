"""A descent on the linear objective: quasi-Newton steps, and an end that is proven.

L-BFGS that starts from H_0 = M^-1, M a model of the Hessian, is L-BFGS in variables in which M
is the identity, and Newton's method where M is the Hessian and new at every step. The model
chooses the steps; whether the end has come, it is not asked.
"""

import math
from dataclasses import dataclass

import numpy as np

from .hessian import Hessian
from .lbfgs_pairs import LBFGSPairs
from .line_search import ROUNDING, line_search
from .linear_kernels import kernels

#: Evaluations between renewals, at least: they lose the L-BFGS pairs, which an inexact model
#: needs.
MIN_EVALUATIONS_PER_RENEWAL = 5
#: The most steps of conjugate gradients towards a step of Newton's.
MAX_CG_STEPS = 25
#: These end where the residual's square has come to this share of the first.
CG_TOL = 0.01
#: It is worth while to ask for a proof where the decrement is at most this share of the gap to
#: reach, and worth the proof's pass where what is expected of it is at most this share.
MAX_DECREMENT_TO_PROVE, MAX_EXPECTED_GAP_TO_PROVE = 0.3, 0.7
#: Steps are taken in one call up to such an order of the Hessian, and so many, so that Ctrl-C is
#: heard.
MAX_ORDER_AHEAD, MAX_STEPS_AHEAD = 200, 20
#: Steps on end that bring neither the objective nor the gap down: then rounding has ended the
#: descent.
MAX_IDLE_STEPS = 8


@dataclass(frozen=True)
class Tolerance:
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


class Descent:
    """A descent from theta to a tolerance.

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
    model : HessianModel or type
        A model of the Hessian, or the class of one to be built there, if it is needed.
    renewals : tuple of type
        What it may be renewed by, the cheapest first.
    tolerance : Tolerance
        Where to end.
    renews_always : bool
        Whether to renew at every step.
    is_newton : bool
        Whether every step is to be Newton's, by conjugate gradients.
    newton_step : ndarray of the shape of theta, default=None
        What is about Newton's step there, if that is known.

    Attributes
    ----------
    theta, loss, gradient : ndarray, float, ndarray
        Where it stands.
    lower_bound : float
        No objective is below that; -inf where there is no penalty.
    has_converged : bool
        Whether the tolerance is reached.
    newton_step : ndarray of the shape of theta or None
        The step by which the end was proven.
    stands_still : bool
        Whether no step lowered the objective any more.
    """

    def __init__(
        self,
        objective,
        theta,
        model,
        renewals,
        tolerance,
        *,
        renews_always=False,
        is_newton=False,
        newton_step=None,
    ):
        self.objective, self._renewals, self._tolerance = objective, renewals, tolerance
        self._renews_always, self._is_newton = renews_always, is_newton
        self.theta, self.newton_step = theta, newton_step
        self.lower_bound = -math.inf
        self.has_converged = self.stands_still = False
        self._n_evaluations_before = objective.n_evaluations
        self._n_idle_steps = 0
        self._best_loss = self._best_decrement = math.inf
        self._newton_gap = math.inf  # by Newton's step from here, unproven
        self.loss, self.gradient = objective.value_and_gradient(theta)
        if not isinstance(model, type):
            self._take_model(model)
        elif not self._is_proven_at_start():
            self._take_model(model(objective, theta))
        if not self.has_converged:
            self._aim()

    @property
    def gap(self):
        """The proven gap; infinite where there is no penalty."""
        return self.loss - self.lower_bound

    @property
    def _gap_to_reach(self):
        return self._tolerance.gap(self.loss)

    def advance(self):
        """Take a step; return False where none lowers the objective any more."""
        point = None
        if self._n_idle_steps <= MAX_IDLE_STEPS:
            point = self._search() or self._search_with_new_model()
        if point is None:
            self._stand_still()
            return False
        self._move_to(*point)
        self._aim()
        return True

    def run_ahead(self, max_steps):
        """Take up to `max_steps` steps in one call, where such are to be had.

        That is where the Hessian is new at every step and small, and all rows are kept.

        Returns
        -------
        losses : list of float
            The objective before each step.
        """
        tolerance = self._tolerance
        if not (
            kernels.newton_steps
            and not self.has_converged  # else there may be no model
            and self._renews_always
            and self._is_fresh
            and self.model.is_exact
            and len(self.model.factor) <= MAX_ORDER_AHEAD
            and self.objective.rows.Z is not None
            and tolerance.gradient == 0
            and self._decrement > MAX_DECREMENT_TO_PROVE * self._gap_to_reach
        ):
            return []
        losses, point, has_factor = self.objective.newton_steps(
            self.theta,
            self.gradient,
            self.loss,
            self.model.factor,
            min(max_steps, MAX_STEPS_AHEAD),
            MAX_DECREMENT_TO_PROVE * tolerance.relative,
            MAX_DECREMENT_TO_PROVE * tolerance.absolute,
        )
        if losses:
            self._move_to(*point)
            if has_factor:
                self._take_model(self.model)
            else:
                self._renew(self._renewals[-1])
            self._aim()
        return losses

    def _aim(self):
        """See whether the end has come, and else find the direction of the next step."""
        self._find_direction()
        if self._ends_without_proof():
            self.has_converged = True
            return
        near = MAX_DECREMENT_TO_PROVE * self._gap_to_reach
        while self._decrement > near and (due := self._due_model()) is not None:
            self._renew(due)
        if self._decrement <= near or self._is_newton:
            self._find_newton_direction()
        self._count_idle_steps()

    # ---- a step

    def _find_direction(self):
        self._direction = self._precondition(self.gradient)
        self._slope = float(np.vdot(self.gradient, self._direction))
        self._decrement = -0.5 * self._slope

    def _precondition(self, gradient):
        return self._pairs.direction(gradient)

    def _search(self):
        objective, before = self.objective, self.objective.n_evaluations
        if self._decrement_at_renewal is None:
            self._decrement_at_renewal = self._decrement
        point = line_search(objective, self.theta, self._direction, self.loss, self._slope)
        self._n_evaluations += objective.n_evaluations - before
        return point

    def _search_with_new_model(self):
        """Search along the direction of a model of the Hessian here; None if it is of here."""
        if self._is_fresh:
            return None
        self._renew(self._renewals[-1])
        return self._search()

    def _move_to(self, theta, loss, gradient):
        if not (self._renews_always or self._is_newton):
            self._pairs.add(theta - self.theta, gradient - self.gradient)
        self.theta, self.loss, self.gradient = theta, loss, gradient
        self._is_fresh = False
        self._newton_gap = math.inf
        self._n_steps += 1

    def _count_idle_steps(self):
        is_lower = self.loss < self._best_loss * (1 - ROUNDING)
        is_progress = is_lower or self._decrement < 0.8 * self._best_decrement
        self._n_idle_steps = 0 if is_progress else self._n_idle_steps + 1
        self._best_loss = min(self._best_loss, self.loss)
        self._best_decrement = min(self._best_decrement, self._decrement)

    # ---- the end

    def _is_proven_at_start(self):
        """Say whether there is a proof of the end that needs no model."""
        self._take_gap(self.objective.duality_gap(self.theta, self.gradient))
        if not self.has_converged and self.newton_step is not None:
            hessian = Hessian(self.objective, self.theta, self.gradient)
            step = self.newton_step
            self._try_proof(hessian, step, self.gradient + hessian.multiply(step))
        return self.has_converged

    def _try_proof(self, hessian, step, residual):
        """Ask a step for its proof; return False where that can't be enough."""
        most = MAX_EXPECTED_GAP_TO_PROVE * self._gap_to_reach
        if hessian.expected_gap(step, residual) > most:
            return False
        self.newton_step = step
        self._take_gap(hessian.duality_gap(step, residual))
        return True

    def _take_gap(self, gap):
        """Take in an upper bound of the gap here."""
        self.lower_bound = max(self.lower_bound, self.loss - gap)
        self.has_converged = self.gap <= self._gap_to_reach

    def _ends_without_proof(self):
        is_enough = self._tolerance.is_rough and self._decrement <= self._gap_to_reach
        return self._has_vanished() or is_enough

    def _has_vanished(self):
        """Say whether the gradient is zero, or the objective and it next to nothing.

        The latter where it may have no minimum.
        """
        limit = self._tolerance.gradient
        if limit > 0 and max(self.loss, np.abs(self.gradient).max()) <= limit:
            return True
        return not self.gradient.any()

    def _stand_still(self):
        """Take the last Newton step's word for it, as rounding lets nothing be proven.

        Within rounding that word is rough: what it says to be far below the gap to reach, is
        taken to be that, with what rounding may have taken from the objective, here and with
        the weights as they are stored.
        """
        self.stands_still = True
        gap = self._gap_to_reach - 2 * self.objective.rounding(self.theta, self.loss)
        if self._newton_gap <= MAX_DECREMENT_TO_PROVE * gap:
            self.lower_bound = max(self.lower_bound, self.loss - gap)
            self.has_converged = True

    def _find_newton_direction(self):
        """Aim along Newton's step, or see by it that the end has come.

        By conjugate gradients (Hestenes and Stiefel 1952, J. Res. NBS 49, 409): step and residual
        are d and g + H d, `square` is the residual's by the measure of the preconditioner.
        """
        objective, gap_to_reach = self.objective, self._gap_to_reach
        hessian, before = Hessian(objective, self.theta, self.gradient), objective.n_evaluations
        step, residual = np.zeros_like(self.gradient), self.gradient.copy()
        ahead, square, is_near = self._direction, 2 * self._decrement, False
        for _ in range(MAX_CG_STEPS):
            product = hessian.multiply(ahead)
            curvature = float(np.vdot(ahead, product))
            if not (square > 0 and curvature > 0):  # within rounding
                break
            step += square / curvature * ahead
            residual += square / curvature * product
            slope = float(np.vdot(self.gradient, step))
            may_end = -slope <= 2 * MAX_EXPECTED_GAP_TO_PROVE * gap_to_reach
            if objective.reg > 0 and may_end:
                has_tried = self._try_proof(hessian, step, residual)
                if self.has_converged:
                    return
                if has_tried:
                    break
            steepest = self._precondition(residual)
            before_square, square = square, -float(np.vdot(residual, steepest))
            is_near = square <= -CG_TOL * slope
            if is_near and (objective.reg == 0 or not may_end):
                break
            ahead = steepest + square / before_square * ahead
        self._n_evaluations += objective.n_evaluations - before
        self._direction, self._slope = step, float(np.vdot(self.gradient, step))
        if is_near and -self._slope <= gap_to_reach and objective.largest_change(step) <= 1:
            self._newton_gap = -self._slope
            self.has_converged = objective.reg == 0

    # ---- the model of the Hessian

    def _renew(self, kind):
        self._take_model(kind(self.objective, self.theta))
        self._find_direction()

    def _take_model(self, model):
        """Begin with a model, and forget what was measured with another."""
        self.model, self._pairs = model, LBFGSPairs(model)
        self._is_fresh = True  # a model of the Hessian at theta
        self._n_evaluations = self._n_steps = 0
        self._decrement_at_renewal = None

    def _affordable_model(self):
        """Return the best model that costs no more than was spent so far, or the cheapest."""
        n_spent = self.objective.n_evaluations - self._n_evaluations_before
        cheapest, *others = self._renewals
        affordable = [kind for kind in others if kind.cost(self.objective) <= n_spent]
        return affordable[-1] if affordable else cheapest

    def _due_model(self):
        """Return the model to renew the present one by now, or None."""
        if self._renews_always:
            return None if self._is_fresh else self._renewals[-1]
        due = self._affordable_model()
        cost = due.cost(self.objective)
        cost = max(round(cost), 1 if due.is_exact else MIN_EVALUATIONS_PER_RENEWAL)
        if self._n_evaluations < cost or not self._n_steps:
            return None
        if self._n_evaluations >= 2 * cost:
            return due
        rate = (self._decrement / self._decrement_at_renewal) ** (1 / self._n_steps)
        to_go = self._gap_to_reach / self._decrement
        ends_sooner = rate < 1 and math.log(to_go) / math.log(rate) <= cost
        return None if ends_sooner else due
