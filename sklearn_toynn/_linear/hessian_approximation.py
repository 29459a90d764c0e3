"""An approximate Hessian: a model, corrected by L-BFGS, and the rule for renewals."""

import math

import numpy as np

from .hessian_models import FullHessian

#: The minimum number of evaluations between renewals of an inexact model, because each renewal
#: discards the L-BFGS pairs.
MIN_EVALUATIONS_PER_RENEWAL = 5
MAX_PAIRS = 10


class HessianApproximation:
    """A model of the Hessian, corrected by L-BFGS and renewed from time to time.

    The initial matrix of L-BFGS (Nocedal 1980, "Updating quasi-Newton matrices with limited
    storage", Math. Comp. 35, 773) is the inverse of the model. If the model is the exact Hessian
    and is renewed at every step, the result is Newton's method.

    Parameters
    ----------
    objective : LinearObjective
    model_classes : tuple of type
        The classes of models for renewals, the cheapest first.
    model : HessianModel or type
        The first model, or its class if the descent builds it. The attribute is the current model.
    keeps_pairs : bool, default=True
        Whether L-BFGS corrects the model.
    renews_always : bool, default=False
        Whether to renew the model at every step.

    Attributes
    ----------
    is_fresh : bool
        Whether no step has been taken with the current model.
    """

    def __init__(self, objective, model_classes, model, *, keeps_pairs=True, renews_always=False):
        self._objective, self._model_classes = objective, model_classes
        self._keeps_pairs, self._renews_always = keeps_pairs, renews_always
        self._n_evaluations = 0
        self._set_model(model)

    def renew(self, theta, model_class=None):
        """Build a model at theta, by default of the best class."""
        self.model = None  # frees its memory
        self._set_model((model_class or self._model_classes[-1])(self._objective, theta))

    def _set_model(self, model):
        """Set the model, and discard pairs and measurements of an earlier model."""
        self.model, self.is_fresh = model, True
        self._pairs, self._scale = [], 1.0
        self._n_evaluations_at_renewal = self._n_evaluations
        self._decrement_at_renewal = None

    def count(self, n_evaluations):
        """Count evaluations of the objective, or products with the Hessian."""
        self._n_evaluations += n_evaluations

    def direction(self, gradient):
        """Return -H^-1 gradient, by the two-loop recursion."""
        if not self._pairs:
            return -self.model.solve(gradient)
        q, factors = gradient.ravel(), []
        for step, change, curvature in reversed(self._pairs):
            factor = step.dot(q) / curvature
            q = q - factor * change
            factors.append(factor)
        d = self.model.solve(q.reshape(gradient.shape)).ravel()
        d *= -self._scale
        for (step, change, curvature), factor in zip(self._pairs, reversed(factors), strict=True):
            d -= (factor + change.dot(d) / curvature) * step
        return d.reshape(gradient.shape)

    def update(self, theta, step, change):
        """Correct the model by a step to theta and the change of the gradient by this step."""
        if self._renews_always:
            self.renew(theta)
            return
        self.is_fresh = False
        curvature = float(np.vdot(step, change))
        if self._keeps_pairs and curvature > 0:
            pair = step.ravel(), change.ravel(), curvature
            self._pairs = [*self._pairs[1 - MAX_PAIRS :], pair]
            if self.model.needs_scale:
                self._scale = curvature / float(np.vdot(change, self.model.solve(change)))

    def choose_renewal(self, decrement, target_gap):
        """Return the class of the model to build now, or None to keep the current model.

        A renewal is due when the evaluations since the last one have cost as much as the renewal,
        so that renewals take at most half of the time. If the decrement falls fast enough to reach
        the target gap before, the renewal waits until they have cost twice as much.
        """
        if self._decrement_at_renewal is None:
            self._decrement_at_renewal = decrement
        if self.is_fresh:
            return None
        model_class, *others = self._model_classes
        for other in others:
            if other.cost(self._objective) <= self._n_evaluations:
                model_class = other
        min_cost = 1 if model_class is FullHessian else MIN_EVALUATIONS_PER_RENEWAL
        cost = max(round(model_class.cost(self._objective)), min_cost)
        n_evaluations = self._n_evaluations - self._n_evaluations_at_renewal
        if n_evaluations < cost:
            return None
        # if the direction is no descent direction, L-BFGS has become imprecise
        if n_evaluations >= 2 * cost or min(decrement, self._decrement_at_renewal) <= 0:
            return model_class
        rate = math.log(self._decrement_at_renewal / decrement) / n_evaluations
        is_fast = rate > 0 and math.log(decrement / target_gap) <= rate * cost
        return None if is_fast else model_class
