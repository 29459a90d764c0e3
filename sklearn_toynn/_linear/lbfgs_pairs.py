"""The correction of a model of the Hessian by what the steps have shown of it."""

import numpy as np


class LBFGSPairs:
    """L-BFGS that starts from a model of the Hessian.

    Nocedal 1980, "Updating quasi-Newton matrices with limited storage", Math. Comp. 35, 773.
    """

    def __init__(self, model, size=10):
        self._model, self._size = model, size
        self._pairs, self._scale = [], 1.0

    def add(self, step, change):
        """Take in a step and the change of the gradient along it."""
        curvature = float(np.vdot(step, change))
        if curvature > 0:
            pair = step.ravel(), change.ravel(), curvature
            self._pairs = [*self._pairs[1 - self._size :], pair]
            if self._model.is_guess:
                self._scale = curvature / float(np.vdot(change, self._model.solve(change)))

    def direction(self, gradient):
        """Return -H gradient by the two-loop recursion."""
        if not self._pairs:
            return self._model.solve(gradient) * -1.0
        q, factors = gradient.ravel().copy(), []
        for step, change, curvature in reversed(self._pairs):
            factor = step.dot(q) / curvature
            q -= factor * change
            factors.append(factor)
        d = self._model.solve(q.reshape(gradient.shape)).ravel()
        d *= self._scale
        for (step, change, curvature), factor in zip(self._pairs, reversed(factors), strict=True):
            d += (factor - change.dot(d) / curvature) * step
        np.negative(d, out=d)
        return d.reshape(gradient.shape)
