"""The Hessian as a descent knows it: a model, corrected by L-BFGS, and when to renew it."""

import math

import numpy as np

from .hessian_models import FullHessian

#: The fewest evaluations between renewals of an inexact model, which needs its L-BFGS pairs.
MIN_EVALUATIONS_PER_RENEWAL = 5
MAX_PAIRS = 10


class HessianApproximation:
    """A model of the Hessian, corrected by L-BFGS and renewed now and then.

    L-BFGS (Nocedal 1980, "Updating quasi-Newton matrices with limited storage", Math. Comp. 35,
    773) that starts from the inverse of a model M is L-BFGS in variables in which M is the
    identity. If M is the Hessian, and is renewed at every step, it is Newton's method.

    Parameters
    ----------
    objective : LinearObjective
    kinds : tuple of type
        The models to renew it by, the cheapest first.
    model : HessianModel or type
        The first model, or its type if the descent builds it at its start. Later the present one.
    keeps_pairs : bool, default=True
        Whether L-BFGS corrects the model.
    renews_always : bool, default=False
        Whether to renew the model at every step.

    Attributes
    ----------
    is_fresh : bool
        Whether no step was taken since the model was built or first used.
    """

    def __init__(self, objective, kinds, model, *, keeps_pairs=True, renews_always=False):
        self._objective, self._kinds = objective, kinds
        self._keeps_pairs, self._renews_always = keeps_pairs, renews_always
        self._n_evaluations = 0
        self._set_model(model)

    def renew(self, theta, kind=None):
        """Build a model at theta, by default of the best kind."""
        self.model = None  # so that no two are held at once
        self._set_model((kind or self._kinds[-1])(self._objective, theta))

    def _set_model(self, model):
        """Start with a model, and forget what was measured with another."""
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
        """Correct the model by a step to theta and the change of the gradient along it."""
        if self._renews_always:
            self.renew(theta)
            return
        self.is_fresh = False
        curvature = float(np.vdot(step, change))
        if self._keeps_pairs and curvature > 0:
            pair = step.ravel(), change.ravel(), curvature
            self._pairs = [*self._pairs[1 - MAX_PAIRS :], pair]
            if self.model.is_guess:
                self._scale = curvature / float(np.vdot(change, self.model.solve(change)))

    def choose_renewal(self, decrement, gap_to_reach):
        """Return the kind of model to renew the present one by now, or None.

        A renewal is due when the evaluations since the last one have cost as much, so that neither
        takes more than half of the time. It is put off, until they have cost twice as much, if the
        decrement falls so fast that the end is nearer than that.
        """
        if self._decrement_at_renewal is None:
            self._decrement_at_renewal = decrement
        if self.is_fresh:
            return None
        kind, *others = self._kinds
        for other in others:  # that cost no more than was spent so far
            kind = other if other.cost(self._objective) <= self._n_evaluations else kind
        least = 1 if kind is FullHessian else MIN_EVALUATIONS_PER_RENEWAL
        cost = max(round(kind.cost(self._objective)), least)
        n_evaluations = self._n_evaluations - self._n_evaluations_at_renewal
        if n_evaluations < cost:
            return None
        # without a descent direction, L-BFGS has lost its precision
        if n_evaluations >= 2 * cost or min(decrement, self._decrement_at_renewal) <= 0:
            return kind
        fall = math.log(self._decrement_at_renewal / decrement) / n_evaluations
        return None if fall > 0 and math.log(decrement / gap_to_reach) <= fall * cost else kind
