"""The descent with each model of the Hessian."""

from functools import cache

import numpy as np
import pytest
from helpers import wine
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from sklearn_toynn._linear import descent
from sklearn_toynn._linear.descent import Descent
from sklearn_toynn._linear.hessian_approximation import HessianApproximation
from sklearn_toynn._linear.hessian_models import (
    ClassFactors,
    Diagonal,
    FullHessian,
    UniformFactor,
)
from sklearn_toynn._linear.line_search import line_search
from sklearn_toynn._linear.linear_objective import LinearObjective

MODELS = [Diagonal, UniformFactor, ClassFactors, FullHessian]


@cache
def make_objective(reg=1e-3):
    X, y = wine()
    return LinearObjective(X, y, np.full(len(y), 1 / len(y)), reg, 3)


def begin(objective, kind=Diagonal, tol=1e-8, *, keeps_pairs=True, renews_always=False, **kwargs):
    approximation = HessianApproximation(
        objective, (kind,), kind, keeps_pairs=keeps_pairs, renews_always=renews_always
    )
    return Descent(objective, np.zeros(objective.shape), approximation, tol, **kwargs)


def run(steps, max_steps=300):
    for _ in range(max_steps):
        if steps.has_converged or not steps.advance():
            break
    return steps


@cache
def find_minimum(objective):
    shape = objective.shape

    def flat(theta):
        value, gradient = objective.value_and_gradient(theta.reshape(shape))
        return value, gradient.ravel()

    options = {"maxiter": 10_000, "maxfun": 20_000, "ftol": 0, "gtol": 1e-10}
    start = np.zeros(objective.shape).ravel()
    return minimize(flat, start, jac=True, method="L-BFGS-B", options=options).fun


@pytest.mark.parametrize(("kind", "kwargs"), [
    *((kind, {}) for kind in MODELS),
    *((kind, {"is_newton": True, "keeps_pairs": False}) for kind in MODELS),
    (FullHessian, {"renews_always": True}),
])  # fmt: skip
def test_descents_with_every_model_reach_the_minimum(kind, kwargs):
    objective = make_objective()
    least, steps = find_minimum(objective), run(begin(objective, kind, **kwargs))
    assert steps.has_converged
    assert steps.lower_bound <= least * (1 + 1e-12)
    assert least * (1 - 1e-12) <= steps.loss <= least * (1 + 1e-8)
    value, gradient = objective.value_and_gradient(steps.theta)
    assert value == steps.loss
    assert_allclose(gradient, steps.gradient)
    # a descent that starts there, with the step that proved the gap, needs no model
    approximation = HessianApproximation(objective, (), Diagonal)
    known = {"newton_step": steps.newton_step}
    again = Descent(objective, steps.theta, approximation, 1e-8, **known)
    assert again.has_converged


@pytest.mark.parametrize("n_columns", [3, 13], ids=["a minimum", "separable"])
def test_a_small_gradient_ends_a_descent_without_penalty(n_columns):
    X, y = wine()
    y = np.random.RandomState(0).permutation(y) if n_columns == 3 else y
    objective = LinearObjective(X[:, :n_columns], y, np.full(len(y), 1 / len(y)), 0, 3)
    steps = run(begin(objective, UniformFactor, gradient_tol=1e-4))
    assert steps.has_converged
    assert steps.lower_bound == -np.inf
    assert_allclose(steps.loss, find_minimum(objective), rtol=1e-6, atol=1e-4)


def test_a_rough_gap_needs_no_proof():
    objective = make_objective()
    steps = run(begin(objective, FullHessian, 0.0, renews_always=True, rough_gap=0.01))
    assert steps.has_converged
    assert steps.lower_bound == -np.inf or steps.loss - steps.lower_bound > 1e-6
    assert steps.loss <= find_minimum(objective) + 0.02


def test_stagnation_ends_a_descent(monkeypatch):
    objective = make_objective()
    steps = run(begin(objective, FullHessian, 0.0, renews_always=True))
    assert not steps.has_converged
    assert not steps.advance()  # rounding prevents a lower objective
    assert_allclose(steps.loss, find_minimum(objective), rtol=1e-12)
    # steps without progress
    monkeypatch.setattr(
        descent, "line_search", lambda _, theta, *args: ((theta, args[1], steps.gradient), 1)
    )
    idle = begin(objective, FullHessian)
    assert sum(idle.advance() for _ in range(30)) < 15


@pytest.mark.parametrize("scale", [1.0, 8.0, 1e4, 1e-3])
def test_line_search(scale):
    objective = make_objective()
    theta = np.zeros(objective.shape)
    loss, gradient = objective.value_and_gradient(theta)
    direction = -scale * UniformFactor(objective, theta).solve(gradient)
    slope = float(np.vdot(gradient, direction))
    point, n_evaluations = line_search(objective, theta, direction, loss, slope)
    new, new_loss, new_gradient = point
    t = np.vdot(new, direction) / np.vdot(direction, direction)
    assert 0 < t <= 1
    assert (n_evaluations == 1) == (t == pytest.approx(1))
    assert new_loss <= loss + 1e-4 * t * slope
    assert_allclose(objective.value_and_gradient(new)[1], new_gradient)
