"""The bounds of the gap, compared with a proven minimum."""

from dataclasses import replace

import numpy as np
import pytest
from hard_columns import draw_problem
from softmax_reference import find_minimum

from sklearn_toynn._linear.certificate import bound_gap, bound_newton_gap, estimate_newton_gap
from sklearn_toynn._linear.hessian_models import FullHessian
from sklearn_toynn._linear.hessian_products import HessianProducts
from sklearn_toynn._linear.linear_objective import LinearObjective


def make_case(seed):
    """Return an objective, its minimum, and theta at the minimum."""
    problem = replace(draw_problem(seed), sample_weight=None, reg=1e-2)
    n_rows = len(problem.y)
    weights = np.full(n_rows, 1 / n_rows)
    objective = LinearObjective(problem.dense, problem.y, weights, 1e-2, problem.n_classes)
    minimum = find_minimum(problem)
    W, b = minimum.coef.astype(float), minimum.intercept - minimum.coef @ minimum.center
    return objective, minimum.value, objective.columns.from_coefs(W, b.astype(float))


@pytest.mark.parametrize("seed", [0, 3, 4, 6, 10])
@pytest.mark.parametrize("distance", [0, 1e-6, 1e-3, 0.1, 3])
def test_bounds(seed, distance):
    objective, least, theta = make_case(seed)
    shift = np.random.RandomState(seed).standard_normal(theta.shape)
    theta = theta + distance * (shift - shift.mean(axis=0))
    loss, gradient = objective.value_and_gradient(theta)
    excess, rounding = loss - least, objective.rounding(theta, loss)
    assert bound_gap(objective, theta, gradient) >= excess - rounding
    hessian, step = (
        HessianProducts(objective, theta),
        -FullHessian(objective, theta).solve(gradient),
    )
    for d in (step, 0.9 * step, 0 * step):
        residual = gradient + hessian.multiply(d)
        bound = bound_newton_gap(objective, theta, gradient, hessian, d, residual)
        assert bound >= excess - rounding
        is_near = objective.largest_change(d) < 0.1
        assert is_near or distance > 1e-6
        if d is step and is_near:  # the bound is tight
            assert bound <= 1.2 * excess + 1e-9 * loss
            assert estimate_newton_gap(objective, gradient, d, residual) <= 1.01 * bound


def test_no_bound_without_a_penalty():
    objective, _, theta = make_case(0)
    objective.reg = 0.0
    assert bound_gap(objective, theta, objective.value_and_gradient(theta)[1]) == np.inf


def test_a_class_without_rows():
    X, y = np.random.RandomState(0).standard_normal((40, 3)), np.arange(40) % 2
    three, two = (LinearObjective(X, y, np.full(40, 1 / 40), 0.1, k) for k in (3, 2))
    theta = np.zeros((2, 4))
    for _ in range(20):
        theta = theta - FullHessian(two, theta).solve(two.value_and_gradient(theta)[1])
    least, _ = two.value_and_gradient(theta)
    W, b = two.columns.to_coefs(theta)
    W, b = np.vstack([W, np.zeros(3)]), np.append(b, -9.0)
    theta = three.columns.from_coefs(W, b)
    loss, gradient = three.value_and_gradient(theta)
    assert loss > least  # the probability of the third class is above 0; the infimum is `least`
    assert loss - bound_gap(three, theta, gradient) <= least
