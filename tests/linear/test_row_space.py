"""The span of the rows."""

import numpy as np
import pytest
from helpers import linear_objective
from numpy.testing import assert_allclose

from sklearn_toynn._linear.linear_objective import LinearObjective
from sklearn_toynn._linear.row_space import RowSpace


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_row_space(dtype):
    rng = np.random.RandomState(0)
    X = (rng.standard_normal((20, 600)) + 100).astype(dtype)  # in more than one block
    X = np.vstack([X, X[:5]])  # rank 20, and rank 19 after centering
    y = np.arange(25) % 3
    full = LinearObjective(X, y, np.full(25, 1 / 25), 0.1, 3)
    space = RowSpace(full)
    Z, centered = space.objective.rows.X, X - X.mean(axis=0, dtype=float)
    assert Z.shape == (25, 19)
    assert_allclose(Z @ Z.T, centered @ centered.T, atol=1e-8)
    theta = rng.standard_normal((3, 20))
    theta -= theta.mean(axis=0)
    value, _ = space.objective.value_and_gradient(theta)
    W, b = full.columns.to_coefs(space.to_full(theta))
    assert_allclose(linear_objective(W, b, X.astype(float), y, 0.1), value, rtol=1e-8)
    assert_allclose(space.from_full(space.to_full(theta)), theta, atol=1e-7)
