"""Upper bounds of the gap between the objective and its minimum.

Any probabilities q_i with sum_i w_i (q_i - onehot(y_i)) = 0 give a lower bound of the minimum,

    min L >= sum_i w_i entropy(q_i) - |G|^2 / 2,   G = sum_i w_i (q_i - onehot(y_i)) z_i^T,

with |G|^2 = sum_kj G_kj^2 / ridge_j: Fenchel's dual. The bounds below differ in their q.
"""

import numpy as np


def bound_gap(objective, theta, gradient):
    """Return an upper bound of L(theta) - min L by the gradient; infinite if reg is 0.

    For q = p, the probabilities at theta, G is the gradient g of the weights W less the penalty's.
    The gap is then |g|^2 / 2, if the gradient r of the intercepts b is zero (Blondel, Martins and
    Niculae 2020, "Learning with Fenchel-Young losses", JMLR 21(35), proposition 5).

    As r is not quite zero, take q = (1 - s) p + s c with one row c for all,
    c = shares - r (1 - s) / s, and s = max_k |r_k| / shares_k. The entropy is concave, so that
    sum w entropy(q) >= (1 - s) sum w entropy(p), and the gap is at most

        s log K + b r + |g + s D|^2 / 2 - s <W, D>,   D = ridge W - g - S,

    where S_kj = sum_i w_i [k = y_i] z_ij <= (shares_k v_j)^(1/2), v_j = sum_i w_i z_ij^2.
    """
    if not objective.reg > 0:
        return np.inf
    shares, ridge = objective.shares, objective.ridge[:-1]
    W, b, g, r = theta[:, :-1], theta[:, -1], gradient[:, :-1], gradient[:, -1]
    is_empty = shares == 0  # the best probability of such a class, 0, takes r_k from the objective
    s = float(np.maximum.reduce(np.abs(r) / np.where(is_empty, np.inf, shares)))
    if not s < 1:
        return np.inf
    length = np.sqrt(np.vdot(g, g / ridge))
    farthest = length + np.sqrt(np.vdot(W, W * ridge)) + np.sqrt(objective.square @ (1 / ridge))
    product = abs(np.vdot(W, g)) + np.sqrt(shares) @ np.abs(W) @ np.sqrt(objective.square)
    # the signs of r say nothing within rounding
    gap = s * (np.log(objective.n_classes) + product) + abs(b @ r)
    gap += 0.5 * (length + s * farthest) ** 2
    return float(gap + r @ is_empty)


def estimate_newton_gap(objective, gradient, step, residual):
    """Return an estimate of `bound_newton_gap` that needs no pass over X."""
    pull = objective.ridge * step
    rest = residual[:, :-1] - pull[:, :-1]
    penalty = 0.5 * float(np.vdot(rest, rest / objective.ridge[:-1]))
    return penalty + 0.5 * float(np.vdot(step, residual - gradient - pull))


def bound_newton_gap(objective, theta, gradient, hessian, step, residual, enough=0.0):
    """Return an upper bound of L(theta) - min L by a step d and its residual g + H d.

    `hessian` gives products with H, a `HessianProducts` at theta.

    The bound is tighter the nearer d is to Newton's step. It is `bound_gap` with q = p + p c, the
    first-order change of p along d, instead of p. L lies above that dual bound by
    sum_i w_i KL(q_i, p_i) more, which is at most (d'Hd - |d|^2) / 2 (1 - t), for |d|^2 the
    penalty's part of d'Hd and t < 1 the largest change of the difference of two scores along d.
    The residual less ridge d replaces its g and r. If that part of the bound is
    above `enough`, the intercepts are moved, so that r is zero.
    """
    pull = objective.ridge * step
    rest = bound_gap(objective, theta, residual - pull)
    if rest > enough:
        shift = np.zeros_like(step)
        moved, *_ = np.linalg.lstsq(hessian.intercept_block(), residual[:, -1], rcond=None)
        shift[:, -1] = -moved
        step, residual = step + shift, residual + hessian.multiply(shift)
        rest = bound_gap(objective, theta, residual - pull)
    change = 0.5 * abs(float(np.vdot(step, residual - gradient - pull)))
    t = objective.largest_change(step)
    return rest + change / (1 - t) if t < 1 else np.inf
