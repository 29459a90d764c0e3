"""A descent on the linear objective, with an end that is proven."""

import math

import numpy as np

from .certificate import bound_gap, bound_newton_gap, estimate_newton_gap
from .hessian_products import HessianProducts
from .line_search import ROUNDING, line_search

#: The most steps of conjugate gradients towards a Newton step. They end when the square of the
#: residual is at most `CG_TOL` of the first.
MAX_CG_STEPS = 25
CG_TOL = 0.01
#: A proof is tried if the decrement is at most the first share of the gap to reach, and if the
#: estimate of the proven gap is at most the second share.
MAX_DECREMENT_TO_PROVE, MAX_ESTIMATE_TO_PROVE = 0.3, 0.7
#: The number of consecutive steps that lower neither the objective nor the decrement, before
#: rounding is taken to have ended the descent.
MAX_IDLE_STEPS = 8


class Descent:
    """A descent from theta to within a relative gap of the minimum.

    Quasi-Newton steps lead near the minimum. If the decrement, g' H^-1 g / 2 for the approximate
    Hessian, says that the end has come, conjugate gradients on products with the Hessian itself
    find Newton's step. The end has come if that step proves the gap. If not, the step is taken.

    With reg = 0 there is no proof. The descent ends where -g'd, for Newton's step d, is at most
    the gap to reach, and the difference of two scores changes by no more than 1 along d. Up to
    there no curvature changes by more than a factor of e (Bach 2010, "Self-concordant analysis for
    logistic regression", Electron. J. Stat. 4, 384).

    Parameters
    ----------
    objective : LinearObjective
    theta : ndarray of shape (n_classes, n_features + 1)
        The start; it sums to zero over the classes.
    approximation : HessianApproximation
    tol : float
        The gap to reach, relative to the objective.
    gradient_tol : float, default=0.0
        The descent also ends if the objective and the largest gradient entry are at most this.
    rough_gap : float, default=0.0
        The descent also ends, without a proof, if the decrement is at most this.
    is_newton : bool, default=False
        Whether every step is Newton's, by conjugate gradients.
    newton_step : ndarray of the shape of theta, default=None
        About Newton's step at theta. It becomes the step that proved the gap.

    Attributes
    ----------
    theta, loss, gradient : ndarray, float, ndarray
        The present point.
    lower_bound : float
        A proven lower bound of the objective; -inf without one.
    has_converged : bool
    """

    def __init__(
        self,
        objective,
        theta,
        approximation,
        tol,
        *,
        gradient_tol=0.0,
        rough_gap=0.0,
        is_newton=False,
        newton_step=None,
    ):
        self.objective, self.theta, self._approximation = objective, theta, approximation
        self.newton_step, self._is_newton = newton_step, is_newton
        self._needs_model = False  # whether conjugate gradients took too many steps
        self.lower_bound, self.has_converged = -math.inf, False
        self._tol, self._gradient_tol, self._rough_gap = tol, gradient_tol, rough_gap
        self._n_idle_steps, self._best_loss, self._best_decrement = 0, math.inf, math.inf
        self.loss, self.gradient = objective.value_and_gradient(theta)
        if isinstance(approximation.model, type) and not self._is_proven_at_start():
            approximation.renew(theta, approximation.model)
        if not self.has_converged:
            self._update_direction()

    @property
    def _gap_to_reach(self):
        return max(self._tol * self.loss, self._rough_gap)

    def advance(self):
        """Take a step; return False if no step lowers the objective."""
        point = None
        if self._n_idle_steps <= MAX_IDLE_STEPS:
            point = self._search()
            if point is None and not self._approximation.is_fresh:
                self._approximation.renew(self.theta)
                self._set_quasi_newton_direction()
                point = self._search()
        if point is None:
            return False
        theta, loss, gradient = point
        self._approximation.update(theta, theta - self.theta, gradient - self.gradient)
        self.theta, self.loss, self.gradient = theta, loss, gradient
        self._update_direction()
        return True

    def _search(self):
        point, n_evaluations = line_search(
            self.objective, self.theta, self._direction, self.loss, self._slope
        )
        self._approximation.count(n_evaluations)
        return point

    # ---- the direction of the next step

    def _update_direction(self):
        """Find the direction of the next step, or see that the end has come."""
        self._set_quasi_newton_direction()
        if self._has_vanished() or self._decrement <= self._rough_gap > 0:
            self.has_converged = True
            return
        near = MAX_DECREMENT_TO_PROVE * self._gap_to_reach
        while self._decrement > near or self._needs_model:
            kind = self._approximation.choose_renewal(self._decrement, self._gap_to_reach)
            if kind is None:
                break
            self._approximation.renew(self.theta, kind)
            self._needs_model = False
            self._set_quasi_newton_direction()
        if self._decrement <= near or self._is_newton:
            self._find_newton_direction()
        self._count_idle_steps()

    def _set_direction(self, direction):
        self._direction, self._slope = direction, float(np.vdot(self.gradient, direction))

    def _set_quasi_newton_direction(self):
        self._set_direction(self._approximation.direction(self.gradient))
        self._decrement = -0.5 * self._slope

    def _find_newton_direction(self):
        """Find Newton's step d, or see by it that the end has come.

        Conjugate gradients (Hestenes and Stiefel 1952, J. Res. NBS 49, 409) with the approximate
        Hessian as the preconditioner. The residual is g + H d, `square` its square by the
        preconditioner.
        """
        objective, gap_to_reach = self.objective, self._gap_to_reach
        hessian = HessianProducts(objective, self.theta)
        step, residual = np.zeros_like(self.gradient), self.gradient.copy()
        ahead, square, is_near = self._direction, 2 * self._decrement, False
        for _ in range(MAX_CG_STEPS):
            product = hessian.multiply(ahead)
            self._approximation.count(1)
            curvature = float(np.vdot(ahead, product))
            if not (square > 0 and curvature > 0):  # within rounding
                break
            step += square / curvature * ahead
            residual += square / curvature * product
            slope = float(np.vdot(self.gradient, step))
            may_end = -slope <= 2 * MAX_ESTIMATE_TO_PROVE * gap_to_reach
            if objective.reg > 0 and may_end and self._try_proof(hessian, step, residual):
                break
            steepest = self._approximation.direction(residual)
            square_before, square = square, -float(np.vdot(residual, steepest))
            is_near = square <= -CG_TOL * slope
            if is_near and (objective.reg == 0 or not may_end):
                break
            ahead = steepest + square / square_before * ahead
        self._needs_model = not (is_near or self.has_converged)
        self._set_direction(step)
        if objective.reg == 0 and is_near and -self._slope <= gap_to_reach:
            self.has_converged = objective.largest_change(step) <= 1

    def _count_idle_steps(self):
        is_lower = self.loss < self._best_loss * (1 - ROUNDING)
        is_progress = is_lower or self._decrement < 0.8 * self._best_decrement
        self._n_idle_steps = 0 if is_progress else self._n_idle_steps + 1
        self._best_loss = min(self._best_loss, self.loss)
        self._best_decrement = min(self._best_decrement, self._decrement)

    # ---- the end

    def _has_vanished(self):
        """Say whether the gradient is zero, or it and the objective are within gradient_tol."""
        limit = self._gradient_tol
        if limit > 0 and max(self.loss, np.abs(self.gradient).max()) <= limit:
            return True
        return not self.gradient.any()

    def _is_proven_at_start(self):
        """Say whether there is a proof that needs no model."""
        self._take_gap(bound_gap(self.objective, self.theta, self.gradient))
        step = self.newton_step
        if not self.has_converged and step is not None:
            hessian = HessianProducts(self.objective, self.theta)
            self._try_proof(hessian, step, self.gradient + hessian.multiply(step))
        return self.has_converged

    def _try_proof(self, hessian, step, residual):
        """Try to prove the gap by a step d and g + H d; return False if there is no hope."""
        most = MAX_ESTIMATE_TO_PROVE * self._gap_to_reach
        if estimate_newton_gap(self.objective, self.gradient, step, residual) > most:
            return False
        self.newton_step = step
        point = self.objective, self.theta, self.gradient
        self._take_gap(bound_newton_gap(*point, hessian, step, residual, enough=0.1 * most))
        return True

    def _take_gap(self, gap):
        """Take in an upper bound of the gap here."""
        self.lower_bound = max(self.lower_bound, self.loss - gap)
        self.has_converged = self.loss - self.lower_bound <= self._gap_to_reach
