"""The Hessian of softmax regression, by products with it."""

import numpy as np

from .linear_kernels import kernels


class Hessian:
    """Products with the Hessian at theta, and the gap that they prove.

    (H d)_k = sum_i w_i p_ik (z_i d_k - sum_m p_im z_i d_m) z_i + ridge d_k.

    Parameters
    ----------
    objective : LinearObjective
        L.
    theta : ndarray of shape (n_classes, n_features + 1)
        Where.
    gradient : ndarray of shape (n_classes, n_features + 1)
        That of L there, g.
    """

    def __init__(self, objective, theta, gradient):
        self._objective, self._theta, self._gradient = objective, theta, gradient
        has_cache = objective.caches_probabilities
        self._cached = list(objective.probabilities(theta)) if has_cache else None
        self._intercept_block = None  # of H, made by the first product

    def _changes(self, direction):
        """Yield each chunk with probabilities and changes of scores."""
        objective = self._objective
        if self._cached is None:
            yield from objective.probabilities_and_changes(self._theta, direction)
            return
        encoded = objective.rows.encode(direction)
        for chunk, P in self._cached:
            changes = np.empty_like(P)
            objective.rows.scores(chunk, encoded, changes)
            yield chunk, P, changes

    def multiply(self, direction):
        """Return H d; one pass over X."""
        objective = self._objective
        objective.n_evaluations += 1
        product, is_first = np.zeros(objective.shape), self._intercept_block is None
        if is_first:
            self._intercept_block = np.zeros((objective.n_classes, objective.n_classes))
        for chunk, P, changes in self._changes(direction):
            weights = objective.weights[chunk]
            kernels.derivative_change(changes, P, weights)
            objective.rows.pull_back(chunk, changes, product)
            if is_first:
                weighted = P * weights
                totals = np.add.reduce(weighted, axis=1)
                self._intercept_block += np.diag(totals) - weighted @ P.T
        return objective.rows.decode(product) + objective.ridge * direction

    def _multiply_intercepts(self, shift):
        """Return H d for a d that changes the intercepts alone, by `shift` (n_classes,)."""
        objective = self._objective
        objective.n_evaluations += 1
        product = np.zeros(objective.shape)
        for chunk, P in self._cached or objective.probabilities(self._theta):
            changes = np.empty_like(P)
            changes[...] = shift[:, None]
            kernels.derivative_change(changes, P, objective.weights[chunk])
            objective.rows.pull_back(chunk, changes, product)
        return objective.rows.decode(product)

    def expected_gap(self, step, residual):
        """Return what `duality_gap` is going to find at best, by a step d and g + H d."""
        pull = self._objective.ridge * step
        rest = residual[:, :-1] - pull[:, :-1]
        stiff = 0.5 * float(np.vdot(rest, rest / self._objective.ridge[:-1]))
        return stiff + 0.5 * float(np.vdot(step, residual - self._gradient - pull))

    def duality_gap(self, step, residual):
        """Return an upper bound of L(theta) - min L, the tighter the nearer to Newton's d is.

        That is `LinearObjective.duality_gap` for q = p + p c, the first-order change of p along d,
        in the place of p. Then L lies above the dual bound by sum_i w_i KL(q_i, p_i) more, which
        is at most (d'Hd - |d|^2) / 2 (1 - t) for |d|^2 the penalty's part of d'Hd and t < 1 the
        largest change of the difference of two scores along d; and its g and r are the residual
        g + H d less ridge d. The intercepts are moved first, so that r is zero.
        """
        objective = self._objective
        shift = -np.linalg.lstsq(self._intercept_block, residual[:, -1], rcond=None)[0]
        residual = residual + self._multiply_intercepts(shift)
        step = step.copy()
        step[:, -1] += shift
        pull = objective.ridge * step
        change = 0.5 * abs(float(np.vdot(step, residual - self._gradient - pull)))
        t = objective.largest_change(step)
        rest = objective.duality_gap(self._theta, residual - pull)
        return rest + change / (1 - t) if t < 1 else np.inf
