"""Where the descents begin."""

import math

import numpy as np

from .descent import Descent
from .hessian_approximation import HessianApproximation
from .hessian_models import choose_hessian_models, choose_preconditioners

#: With many rows, training starts from the minimum on every fourth row.
WARM_START_STRIDE = 4
MAX_WARM_START_STEPS = 30
#: A start whose objective is more than so many times that of zero is replaced by zero.
MAX_START_LOSS = 4.0


def begin_descent(objective, theta, solver, tol, gradient_tol):
    """Return a descent from theta, or from a better start if theta is zero or far off."""
    _, kinds, renews_always = choose_hessian_models(objective, solver)
    model = kinds[-1]
    # from far above the objective of zero, log K, the way is long, or lost in rounding
    most = MAX_START_LOSS * math.log(objective.n_classes)
    if not (theta.any() and objective.value_and_gradient(theta)[0] <= most):
        theta, model = find_start(objective, solver)
    approximation = HessianApproximation(objective, kinds, model, renews_always=renews_always)
    return Descent(objective, theta, approximation, tol, gradient_tol=gradient_tol)


def find_start(objective, solver):
    """Return theta and a model of the Hessian, of some of the rows if they are many.

    The minimum on m of the rows lies within about P / 2m of the minimum on all rows, with P free
    parameters. It is found to a tenth of that, from a start found the same way.
    """
    n_classes, size = objective.shape
    n_free = (n_classes - 1) * size
    n_rows = objective.n_rows // WARM_START_STRIDE
    has_many = not objective.is_sparse and n_rows >= max(10 * n_free, 1000)
    smaller = objective.on_every(WARM_START_STRIDE) if has_many else None
    if smaller is None:
        first, _, _ = choose_hessian_models(objective, solver)
        theta = np.zeros(objective.shape)
        return theta, first(objective, theta)
    theta, model = find_start(smaller, solver)
    _, kinds, renews_always = choose_hessian_models(smaller, solver)
    approximation = HessianApproximation(smaller, kinds, model, renews_always=renews_always)
    rough_gap = 0.05 * n_free / smaller.n_rows
    descent = Descent(smaller, theta, approximation, 0.0, rough_gap=rough_gap)
    for _ in range(MAX_WARM_START_STEPS):
        if descent.has_converged or not descent.advance():
            break
    approximation.renew(descent.theta)
    return descent.theta, approximation.model


def begin_newton(objective, theta, tol, gradient_tol, step=None):
    """Return a descent by Newton's steps, from theta and with a cheap model at first.

    `step` is about the first step, if that is known.
    """
    kinds = choose_preconditioners(objective)
    approximation = HessianApproximation(objective, kinds, kinds[0], keeps_pairs=False)
    return Descent(
        objective,
        theta,
        approximation,
        tol,
        gradient_tol=gradient_tol,
        is_newton=True,
        newton_step=step,
    )
