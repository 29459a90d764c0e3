"""Models of the Hessian."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import random_theta
from numpy.testing import assert_allclose

from sklearn_toynn._linear.hessian_models import (
    ClassFactors,
    Diagonal,
    FullHessian,
    SharedFactor,
    UniformFactor,
    choose_hessian_models,
)
from sklearn_toynn._linear.linear_objective import LinearObjective

MODELS = [Diagonal, UniformFactor, SharedFactor, ClassFactors, FullHessian]


def hessian_by_differences(problem, theta, step=1e-5):
    """Its columns, each a central difference of the gradient."""
    columns = []
    for entry in np.ndindex(theta.shape):
        shift = np.zeros(theta.shape)
        shift[entry] = step
        ahead, behind = (problem.value_and_gradient(theta + s * shift)[1] for s in (1, -1))
        columns.append((ahead - behind).ravel() / (2 * step))
    return np.array(columns).T


@pytest.mark.parametrize("kind", MODELS)
def test_models_of_the_hessian(problem, kind):
    problem, _ = problem
    theta = random_theta(problem) if kind is not UniformFactor else np.zeros(problem.shape)
    K, size = problem.shape
    H = hessian_by_differences(problem, theta).reshape(K, size, K, size)
    model, g = kind(problem, theta), random_theta(problem, 3)
    step = model.solve(g)
    assert_allclose(step.sum(axis=0), 0, atol=1e-9 * abs(step).max())
    if kind in (FullHessian, UniformFactor):  # H d = g
        assert_allclose(np.tensordot(H, step, 2), g, atol=1e-4 * abs(g).max())
    elif kind is not SharedFactor:
        expected = np.zeros_like(g)
        for k in range(K):
            block = H[k, :, k]
            block = np.diag(block.diagonal()) if kind is Diagonal else block
            expected[k] = np.linalg.solve(block, g[k])
        expected -= expected.mean(axis=0)
        assert_allclose(step, expected, atol=0.03 * abs(expected).max())
    assert np.vdot(step, g) > 0
    assert kind.cost(problem) > 0


def test_the_rule():
    def rule(n, D, K, exact=True, density=None):
        X = np.zeros((n, D)) if density is None else sp.csr_array((n, D))
        codes = np.arange(n) % K
        problem = LinearObjective(X, codes, np.full(n, 1 / n), 1e-3, K)
        return choose_hessian_models(problem, may_be_exact=exact)

    assert rule(150, 4, 3) == (UniformFactor, (FullHessian,))
    assert rule(150, 4, 3, exact=False) == (UniformFactor, (ClassFactors,))
    assert rule(1797, 64, 10) == (UniformFactor, (ClassFactors,))
    assert rule(500, 450, 50) == (UniformFactor, (SharedFactor,))
    assert rule(100, 5000, 3) == (Diagonal, (Diagonal,))
    assert rule(2000, 5000, 3, density=0) == (Diagonal, (Diagonal,))
    assert rule(2000, 500, 9, density=0) == (Diagonal, (Diagonal, ClassFactors))
