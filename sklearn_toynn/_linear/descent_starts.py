"""The starting points of descents."""

import math

import numpy as np

from .descent import Descent
from .hessian_approximation import HessianApproximation
from .hessian_models import choose_hessian_models, choose_preconditioners

#: With many rows, training starts from the minimum on every fourth row.
WARM_START_STRIDE = 4
MAX_WARM_START_STEPS = 30
#: A start is replaced if its objective is larger than this multiple of log K, the objective at 0.
MAX_START_LOSS = 4.0


def begin_descent(objective, theta, solver, tol, gradient_tol):
    """Return a descent from theta, or from a better start if theta is zero or far off."""
    _, models, renews_always = choose_hessian_models(objective, solver)
    model = models[-1]
    # a descent from a very large objective takes many steps or stagnates
    max_loss = MAX_START_LOSS * math.log(objective.n_classes)
    if not (theta.any() and objective.value_and_gradient(theta)[0] <= max_loss):
        theta, model = find_start(objective, solver)
    approximation = HessianApproximation(objective, models, model, renews_always=renews_always)
    return Descent(objective, theta, approximation, tol, gradient_tol=gradient_tol)


def find_start(objective, solver):
    """Return a start theta and a model of the Hessian, computed on some rows if there are many.

    With P free parameters, the objective at the minimum on m of the rows is about P / 2m above the
    minimum on all rows. The minimum on m rows is computed to a tenth of this gap, from a start
    that is found recursively.
    """
    n_classes, size = objective.shape
    n_free = (n_classes - 1) * size
    n_rows = objective.n_rows // WARM_START_STRIDE
    has_many = not objective.is_sparse and n_rows >= max(10 * n_free, 1000)
    smaller = objective.on_every(WARM_START_STRIDE) if has_many else None
    if smaller is None:
        first_class, _, _ = choose_hessian_models(objective, solver)
        theta = np.zeros(objective.shape)
        return theta, first_class(objective, theta)
    theta, model = find_start(smaller, solver)
    _, models, renews_always = choose_hessian_models(smaller, solver)
    approximation = HessianApproximation(smaller, models, model, renews_always=renews_always)
    rough_gap = 0.05 * n_free / smaller.n_rows
    descent = Descent(smaller, theta, approximation, 0.0, rough_gap=rough_gap)
    for _ in range(MAX_WARM_START_STEPS):
        if descent.has_converged or not descent.advance():
            break
    approximation.renew(descent.theta)
    return descent.theta, approximation.model


def begin_newton(objective, theta, tol, gradient_tol, step=None):
    """Return a descent by Newton steps from theta.

    The first preconditioner is the cheapest one. `step` is an approximate Newton step at theta.
    """
    models = choose_preconditioners(objective)
    approximation = HessianApproximation(objective, models, models[0], keeps_pairs=False)
    return Descent(
        objective,
        theta,
        approximation,
        tol,
        gradient_tol=gradient_tol,
        is_newton=True,
        newton_step=step,
    )
