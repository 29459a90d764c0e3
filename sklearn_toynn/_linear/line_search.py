"""The line search of the descent."""

import math

import numpy as np

#: Relative differences of the objective that may be rounding.
ROUNDING = 64 * float(np.finfo(float).eps)
MAX_TRIALS = 30


def line_search(objective, theta, direction, loss, slope):
    """Return (theta, loss, gradient) at a step that lowers the objective enough, or None.

    The second result is the number of evaluations.

    A step is accepted by Armijo's condition, with backtracking by cubic interpolation. If the loss
    changes within rounding, the slope decides, by the approximate Wolfe conditions (Hager and
    Zhang 2005, "A new conjugate gradient method with guaranteed descent and an efficient line
    search", SIAM J. Optim. 16, 170).
    """
    t = 1.0
    for n_evaluations in range(1, MAX_TRIALS + 1):
        new = theta + t * direction
        new_loss, gradient = objective.value_and_gradient(new)
        if new_loss <= loss + 1e-4 * t * slope:
            return (new, new_loss, gradient), n_evaluations
        new_slope = float(np.vdot(gradient, direction))
        if new_loss <= loss * (1 + ROUNDING) and abs(new_slope) <= 0.9 * abs(slope):
            return (new, new_loss, gradient), n_evaluations
        # the minimum of the cubic with these values and slopes at 0 and t
        e = slope + new_slope - 3 * (new_loss - loss) / t
        square = e * e - slope * new_slope
        ratio = 0.5
        if square > 0:
            root = math.sqrt(square)
            ratio = 1 - (new_slope + root - e) / (new_slope - slope + 2 * root)
        t *= min(max(ratio, 0.1), 0.5) if math.isfinite(ratio) else 0.1
    return None, MAX_TRIALS
