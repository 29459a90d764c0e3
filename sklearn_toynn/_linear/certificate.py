"""Upper bounds of the gap between the objective and its minimum.

Fenchel's dual gives a lower bound of the minimum for any probabilities q_i with
sum_i w_i (q_i - onehot(y_i)) = 0:

    min L >= sum_i w_i entropy(q_i) - |G|^2 / 2,   G = sum_i w_i (q_i - onehot(y_i)) z_i^T,

where |G|^2 = sum_kj G_kj^2 / ridge_j. The functions below differ in their choice of q.
"""

import numpy as np


def bound_gap(objective, theta, gradient):
    """Return an upper bound of L(theta) - min L from the gradient; infinite if reg is 0.

    Let p be the probabilities at theta, g the gradient with respect to the weights W, and r the
    gradient with respect to the intercepts b. For q = p, G is g minus the gradient of the penalty.
    If r is 0, the gap is |g|^2 / 2 (Blondel, Martins and Niculae 2020, "Learning with
    Fenchel-Young losses", JMLR 21(35), proposition 5).

    In practice r is small but not 0. Then q = (1 - s) p + s c satisfies the condition, with
    s = max_k |r_k| / shares_k and the same c = shares - r (1 - s) / s for all rows. The entropy is
    concave, so sum w entropy(q) >= (1 - s) sum w entropy(p), and the gap is at most

        s log K + b r + |g + s D|^2 / 2 - s <W, D>,   D = ridge W - g - S,

    where S_kj = sum_i w_i [k = y_i] z_ij <= (shares_k v_j)^(1/2), v_j = sum_i w_i z_ij^2.
    """
    if not objective.reg > 0:
        return np.inf
    shares, ridge = objective.shares, objective.ridge[:-1]
    W, b, g, r = theta[:, :-1], theta[:, -1], gradient[:, :-1], gradient[:, -1]
    is_empty = shares == 0  # probability 0 for such a class lowers the objective by r_k
    s = float(np.maximum.reduce(np.abs(r) / np.where(is_empty, np.inf, shares)))
    if not s < 1:
        return np.inf
    length = np.sqrt(np.vdot(g, g / ridge))
    farthest = length + np.sqrt(np.vdot(W, W * ridge)) + np.sqrt(objective.square @ (1 / ridge))
    product = abs(np.vdot(W, g)) + np.sqrt(shares) @ np.abs(W) @ np.sqrt(objective.square)
    # rounding may change the signs of r, so `gap` has absolute values
    gap = s * (np.log(objective.n_classes) + product) + abs(b @ r)
    gap += 0.5 * (length + s * farthest) ** 2
    return float(gap + r @ is_empty)


def estimate_newton_gap(objective, gradient, step, residual):
    """Return an estimate of `bound_newton_gap` that needs no pass over X."""
    penalty_change = objective.ridge * step
    g = residual[:, :-1] - penalty_change[:, :-1]
    penalty = 0.5 * float(np.vdot(g, g / objective.ridge[:-1]))
    return penalty + 0.5 * float(np.vdot(step, residual - gradient - penalty_change))


def bound_newton_gap(objective, theta, gradient, hessian, step, residual, tol=0.0):
    """Return an upper bound of L(theta) - min L from a step d and its residual g + H d.

    `hessian` is a `HessianProducts` at theta. The bound is tightest at the Newton step. It is the
    sum of two terms. The first is `bound_gap` with q = p + p c, the probabilities p after a
    first-order change along d, and with residual - ridge d instead of the gradient. If it exceeds
    `tol`, the intercepts are shifted so that r is 0. The second term bounds sum_i w_i KL(q_i, p_i)
    by (d'Hd - d' ridge d) / 2 (1 - t), where t < 1 is the largest change of the difference of two
    scores along d.
    """
    penalty_change = objective.ridge * step
    gap = bound_gap(objective, theta, residual - penalty_change)
    if gap > tol:
        shift = np.zeros_like(step)
        solution, *_ = np.linalg.lstsq(hessian.intercept_block(), residual[:, -1], rcond=None)
        shift[:, -1] = -solution
        step, residual = step + shift, residual + hessian.multiply(shift)
        gap = bound_gap(objective, theta, residual - penalty_change)
    divergence = 0.5 * abs(float(np.vdot(step, residual - gradient - penalty_change)))
    t = objective.largest_change(step)
    return gap + divergence / (1 - t) if t < 1 else np.inf
