"""A descent on the linear objective to a proven gap."""

import math

import numpy as np

from .certificate import bound_gap, bound_newton_gap, estimate_newton_gap
from .hessian_products import HessianProducts
from .line_search import ROUNDING, line_search

#: The maximum number of conjugate gradient steps for a Newton step. They end when the squared norm
#: of the residual is at most `CG_TOL` times -g'd.
MAX_CG_STEPS = 25
CG_TOL = 0.01
#: A proof is attempted if the decrement is at most the first fraction of the target gap, and the
#: estimate of the proven gap at most the second fraction.
MAX_DECREMENT_TO_PROVE, MAX_ESTIMATE_TO_PROVE = 0.3, 0.7
#: The descent stagnates after more consecutive steps that lower neither the objective nor the
#: decrement.
MAX_IDLE_STEPS = 8


class Descent:
    """A descent from theta to within a relative gap of the minimum.

    The descent takes quasi-Newton steps until the decrement g' H^-1 g / 2, with the approximate
    Hessian H, is small. Then conjugate gradients with the exact Hessian compute the Newton step.
    If this step proves the gap, the descent has converged. Otherwise it takes the step.

    With reg = 0 there is no proof. The descent has converged if, for the Newton step d, -g'd is at
    most the target gap and differences of two scores change by at most 1 along d. Curvatures then
    change by at most a factor of e (Bach 2010, "Self-concordant analysis for logistic regression",
    Electron. J. Stat. 4, 384).

    Parameters
    ----------
    objective : LinearObjective
    theta : ndarray of shape (n_classes, n_features + 1)
        The start; it sums to zero over the classes.
    approximation : HessianApproximation
    tol : float
        The target gap, relative to the objective.
    gradient_tol : float, default=0.0
        The descent also ends if the objective and the largest gradient entry are at most this.
    rough_gap : float, default=0.0
        The descent also ends, without a proof, if the decrement is at most this.
    is_newton : bool, default=False
        Whether every step is a Newton step, computed by conjugate gradients.
    newton_step : ndarray of the shape of theta, default=None
        An approximate Newton step at theta. The step that proves the gap replaces it.

    Attributes
    ----------
    theta, loss, gradient : ndarray, float, ndarray
        The current point.
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
        self._needs_model = False  # whether conjugate gradients have not converged
        self.lower_bound, self.has_converged = -math.inf, False
        self._tol, self._gradient_tol, self._rough_gap = tol, gradient_tol, rough_gap
        self._n_idle_steps, self._best_loss, self._best_decrement = 0, math.inf, math.inf
        self.loss, self.gradient = objective.value_and_gradient(theta)
        if isinstance(approximation.model, type) and not self._is_proven_at_start():
            approximation.renew(theta, approximation.model)
        if not self.has_converged:
            self._update_direction()

    @property
    def _target_gap(self):
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
        """Find the direction of the next step, or set `has_converged`."""
        self._set_quasi_newton_direction()
        if self._is_gradient_negligible() or self._decrement <= self._rough_gap > 0:
            self.has_converged = True
            return
        max_decrement = MAX_DECREMENT_TO_PROVE * self._target_gap
        while self._decrement > max_decrement or self._needs_model:
            model_class = self._approximation.choose_renewal(self._decrement, self._target_gap)
            if model_class is None:
                break
            self._approximation.renew(self.theta, model_class)
            self._needs_model = False
            self._set_quasi_newton_direction()
        if self._decrement <= max_decrement or self._is_newton:
            self._find_newton_direction()
        self._count_idle_steps()

    def _set_direction(self, direction):
        self._direction, self._slope = direction, float(np.vdot(self.gradient, direction))

    def _set_quasi_newton_direction(self):
        self._set_direction(self._approximation.direction(self.gradient))
        self._decrement = -0.5 * self._slope

    def _find_newton_direction(self):
        """Compute the Newton step d, and set `has_converged` if it proves the gap.

        Conjugate gradients (Hestenes and Stiefel 1952, J. Res. NBS 49, 409) with the approximate
        Hessian as the preconditioner. The residual is g + H d, and `square` its squared norm with
        respect to the preconditioner.
        """
        objective, target_gap = self.objective, self._target_gap
        hessian = HessianProducts(objective, self.theta)
        step, residual = np.zeros_like(self.gradient), self.gradient.copy()
        conjugate, square, is_solved = self._direction, 2 * self._decrement, False
        for _ in range(MAX_CG_STEPS):
            product = hessian.multiply(conjugate)
            self._approximation.count(1)
            curvature = float(np.vdot(conjugate, product))
            if not (square > 0 and curvature > 0):  # zero up to rounding
                break
            step += square / curvature * conjugate
            residual += square / curvature * product
            slope = float(np.vdot(self.gradient, step))
            may_prove = -slope <= 2 * MAX_ESTIMATE_TO_PROVE * target_gap
            if objective.reg > 0 and may_prove and self._try_proof(hessian, step, residual):
                break
            preconditioned = self._approximation.direction(residual)
            square_before, square = square, -float(np.vdot(residual, preconditioned))
            is_solved = square <= -CG_TOL * slope
            if is_solved and (objective.reg == 0 or not may_prove):
                break
            conjugate = preconditioned + square / square_before * conjugate
        self._needs_model = not (is_solved or self.has_converged)
        self._set_direction(step)
        if objective.reg == 0 and is_solved and -self._slope <= target_gap:
            self.has_converged = objective.largest_change(step) <= 1

    def _count_idle_steps(self):
        is_lower = self.loss < self._best_loss * (1 - ROUNDING)
        is_progress = is_lower or self._decrement < 0.8 * self._best_decrement
        self._n_idle_steps = 0 if is_progress else self._n_idle_steps + 1
        self._best_loss = min(self._best_loss, self.loss)
        self._best_decrement = min(self._best_decrement, self._decrement)

    # ---- convergence

    def _is_gradient_negligible(self):
        """Return whether the gradient is 0, or it and the objective are within gradient_tol."""
        limit = self._gradient_tol
        if limit > 0 and max(self.loss, np.abs(self.gradient).max()) <= limit:
            return True
        return not self.gradient.any()

    def _is_proven_at_start(self):
        """Return whether the gap can be proven without a model of the Hessian."""
        self._update_lower_bound(bound_gap(self.objective, self.theta, self.gradient))
        step = self.newton_step
        if not self.has_converged and step is not None:
            hessian = HessianProducts(self.objective, self.theta)
            self._try_proof(hessian, step, self.gradient + hessian.multiply(step))
        return self.has_converged

    def _try_proof(self, hessian, step, residual):
        """Try to prove the gap by a step d and g + H d; return False if this is hopeless."""
        max_gap = MAX_ESTIMATE_TO_PROVE * self._target_gap
        if estimate_newton_gap(self.objective, self.gradient, step, residual) > max_gap:
            return False
        self.newton_step = step
        point = self.objective, self.theta, self.gradient
        gap = bound_newton_gap(*point, hessian, step, residual, tol=0.1 * max_gap)
        self._update_lower_bound(gap)
        return True

    def _update_lower_bound(self, gap):
        """Use an upper bound of the gap at the current point."""
        self.lower_bound = max(self.lower_bound, self.loss - gap)
        self.has_converged = self.loss - self.lower_bound <= self._target_gap
