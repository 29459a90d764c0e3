"""L-BFGS on a model, compared with the BFGS formula, and renewals of the model."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_toynn._linear.hessian_approximation import HessianApproximation


class Model:
    """Twice the identity."""

    needs_scale, price = False, 1

    def __init__(self, *args):
        self.args = args

    def solve(self, g):
        return g / 2

    @classmethod
    def cost(cls, _):
        return cls.price


class Unscaled(Model):
    """The same matrix with a scale that L-BFGS corrects."""

    needs_scale = True


@pytest.mark.parametrize("kind", [Model, Unscaled])
def test_direction(kind):
    rng = np.random.RandomState(0)
    A = rng.standard_normal((6, 6))
    A = A @ A.T + np.eye(6)
    approximation = HessianApproximation(None, (kind,), kind())
    pairs = []
    for _ in range(12):  # L-BFGS uses the last ten pairs
        step = rng.standard_normal((2, 3))
        pairs.append((step.ravel(), A @ step.ravel()))
        approximation.update(None, step, pairs[-1][1].reshape(2, 3))
    s, y = pairs[-1]
    inverse = np.eye(6) * (s @ y / (y @ y) if kind.needs_scale else 0.5)
    for s, y in pairs[-10:]:
        V = np.eye(6) - np.outer(y, s) / (s @ y)
        inverse = V.T @ inverse @ V + np.outer(s, s) / (s @ y)
    g = rng.standard_normal((2, 3))
    assert_allclose(approximation.direction(g).ravel(), -inverse @ g.ravel(), rtol=1e-9)


def test_pairs_without_curvature_and_pairs_of_newton_steps_are_not_used():
    step = np.ones((2, 3))
    for kwargs, change in (({}, -step), ({"keeps_pairs": False}, step)):
        approximation = HessianApproximation(None, (Model,), Model(), **kwargs)
        approximation.update(None, step, change)
        assert not approximation.is_fresh
        assert_allclose(approximation.direction(step), -0.5)


def test_renewal_at_every_step():
    approximation = HessianApproximation(None, (Model,), Model(), renews_always=True)
    approximation.update("theta", np.ones((2, 3)), np.ones((2, 3)))
    assert approximation.is_fresh
    assert approximation.model.args[1] == "theta"
