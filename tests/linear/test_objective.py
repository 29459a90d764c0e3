"""The linear objective."""

import numpy as np
from helpers import linear_objective, random_theta
from numpy.testing import assert_allclose


def test_objective_is_the_contract_in_other_variables(problem):
    problem, (X, y, w) = problem
    theta = random_theta(problem)
    W, b = problem.columns.to_coefs(theta)
    value, g = problem.value_and_gradient(theta)
    assert_allclose(value, linear_objective(W, b, X, y, 0.01, w), rtol=1e-12)
    assert_allclose(problem.columns.from_coefs(W, b), theta, rtol=1e-10)
    shift = random_theta(problem, 2)
    values = [problem.value_and_gradient(theta + t * shift)[0] for t in (1e-5, -1e-5)]
    assert_allclose(np.vdot(g, shift), (values[0] - values[1]) / 2e-5, rtol=1e-6)
