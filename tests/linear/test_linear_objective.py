"""The linear objective, compared with the formula on the original columns."""

import numpy as np
import pytest
from helpers import linear_objective
from numpy.testing import assert_allclose
from scipy.special import softmax

RTOL = 1e-7  # for float32 columns with mean 1e5


def test_value_and_gradient(case):
    objective, theta = case.objective, case.theta
    W, b = objective.columns.to_coefs(theta)
    value, gradient = objective.value_and_gradient(theta)
    expected = linear_objective(W, b, case.X, case.y, case.reg, case.w)
    assert_allclose(value, expected, rtol=RTOL)
    assert_allclose(objective.columns.from_coefs(W, b), theta, rtol=RTOL)
    shift = case.draw_theta(2)
    values = [objective.value_and_gradient(theta + t * shift)[0] for t in (1e-5, -1e-5)]
    assert_allclose(np.vdot(gradient, shift), (values[0] - values[1]) / 2e-5, rtol=1e-6)


def test_derivatives_of_scores(case):
    objective, theta, columns = case.objective, case.theta, case.objective.columns
    Z = np.column_stack([(case.X - columns.mean) / columns.scale, np.ones(len(case.X))])
    P = softmax(Z @ theta.T, axis=1)
    found = np.concatenate([part for _, part in objective.curvatures(theta)], axis=1)
    assert_allclose(found.T, case.w[:, None] * P * (1 - P), rtol=RTOL, atol=1e-12)
    shift = case.draw_theta(2)
    assert_allclose(objective.largest_change(shift), np.ptp(Z @ shift.T, axis=1).max(), rtol=RTOL)


def test_new_variables_give_the_hessian_a_constant_diagonal(case):
    objective = case.objective
    W, b = objective.columns.to_coefs(case.theta)
    new = objective.with_columns_at(case.theta)
    theta = new.columns.from_coefs(W, b)
    value, _ = new.value_and_gradient(theta)
    assert_allclose(value, objective.value_and_gradient(case.theta)[0], rtol=RTOL)
    curvatures = sum(part.sum(axis=1)[:, None] for _, part in new.curvatures(theta)).sum()
    diagonal = np.zeros(new.shape)
    for chunk, part in new.curvatures(theta):
        new.rows.add_squares(part, chunk, diagonal)
    diagonal = (diagonal + new.ridge).sum(axis=0)[:-1]
    assert_allclose(diagonal, curvatures, rtol=1e-6)
    # still an upper bound of the squares
    Z = (case.X - new.columns.mean) / new.columns.scale
    assert (new.square >= case.w @ Z**2 * (1 - 1e-6)).all()


def test_every_fourth_row(case):
    smaller = case.objective.on_every(4)
    W, b = case.objective.columns.to_coefs(case.theta)
    part = slice(None, None, 4)
    expected = linear_objective(W, b, case.X[part], case.y[part], case.reg, case.w[part])
    assert smaller.value_and_gradient(case.theta)[0] == pytest.approx(expected, rel=RTOL)
    case.objective.weights[part] = 0
    assert case.objective.on_every(4) is None
