"""The values of the models of the Hessian, and the rule that chooses among them."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from sklearn_toynn._linear import hessian_models
from sklearn_toynn._linear.hessian_models import (
    ClassFactors,
    Diagonal,
    FullHessian,
    UniformFactor,
    choose_hessian_models,
)
from sklearn_toynn._linear.linear_objective import LinearObjective


def without_mean(step):
    return step - step.mean(axis=0)


def model_of(kind, H):
    """Return the blocks (n_classes, size, size) of the dense Hessian that a model contains."""
    blocks = np.array([H[k, :, k] for k in range(len(H))])
    if kind is Diagonal:
        return blocks * np.eye(blocks.shape[1])
    return blocks


@pytest.mark.parametrize("kind", [Diagonal, ClassFactors])
def test_models_by_class(case, kind):
    g = case.draw_theta(3)
    step = kind(case.objective, case.theta).solve(g)
    blocks = model_of(kind, case.hessian(case.theta))
    expected = without_mean(np.linalg.solve(blocks, g[..., None])[..., 0])
    # `ClassFactors` omits rows that make up less than 1 % of the sum
    assert_allclose(step, expected, atol=(1e-6 if kind is Diagonal else 0.03) * abs(step).max())


@pytest.mark.parametrize("entries", [2**16, 1], ids=["", "in parts"])
@pytest.mark.parametrize("kind", [FullHessian, UniformFactor])
def test_models_that_equal_the_hessian(case, kind, entries, monkeypatch):
    """`FullHessian` at every theta, `UniformFactor` at theta = 0."""
    monkeypatch.setattr(hessian_models, "TEMPORARY_ENTRIES", entries)
    theta = case.theta if kind is FullHessian else np.zeros(case.objective.shape)
    g = case.draw_theta(3)
    step = kind(case.objective, theta).solve(g)
    assert_allclose(step.sum(axis=0), 0, atol=1e-9 * abs(step).max())
    assert_allclose(np.tensordot(case.hessian(theta), step, 2), g, atol=1e-6 * abs(g).max())


@pytest.mark.parametrize("kind", [UniformFactor, ClassFactors, FullHessian])
def test_models_use_the_array_that_add_gram_returns(case, kind, monkeypatch):
    # BLAS may return a copy
    g, add_gram = case.draw_theta(3), hessian_models.add_gram
    expected = kind(case.objective, case.theta).solve(g)
    monkeypatch.setattr(
        hessian_models, "add_gram", lambda A, *args: add_gram(A.copy(order="F"), *args)
    )
    assert_allclose(kind(case.objective, case.theta).solve(g), expected, rtol=1e-12)


@pytest.mark.parametrize(("n", "D", "K", "density", "solver", "expected"), [
    (150, 4, 3, None, "auto", (UniformFactor, (FullHessian,), True)),
    (150, 4, 3, None, "lbfgs", (UniformFactor, (ClassFactors,), False)),
    (20_000, 50, 2, None, "auto", (UniformFactor, (FullHessian,), False)),
    (1797, 64, 10, None, "auto", (UniformFactor, (ClassFactors,), False)),
    (1797, 64, 10, None, "newton", (UniformFactor, (FullHessian,), True)),
    (500, 450, 50, None, "auto", (UniformFactor, (Diagonal,), False)),
    (100, 5000, 3, None, "auto", (Diagonal, (Diagonal,), False)),
    (2000, 5000, 3, 0, "auto", (Diagonal, (Diagonal,), False)),
    (2000, 500, 9, 0, "auto", (Diagonal, (Diagonal, ClassFactors), False)),
])  # fmt: skip
def test_choice_of_models(n, D, K, density, solver, expected):
    X = np.zeros((n, D)) if density is None else sp.csr_array((n, D))
    objective = LinearObjective(X, np.arange(n) % K, np.full(n, 1 / n), 1e-3, K)
    assert choose_hessian_models(objective, solver) == expected
    assert all(kind.cost(objective) > 0 for kind in expected[1])
