"""The span of the rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_toynn._linear.row_space import RowSpace


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_row_space(dtype):
    rng = np.random.RandomState(0)
    X = (rng.standard_normal((20, 50)) + 100).astype(dtype)
    X = np.vstack([X, X[:5]])  # rank 20, and 19 about the mean
    mean = X.mean(axis=0, dtype=float)
    space, centred = RowSpace(X, mean), X - mean
    assert space.Z.shape == (25, 19)
    assert_allclose(space.Z @ space.Z.T, centred @ centred.T, atol=1e-8)
    V = rng.standard_normal((3, 19))
    W = space.to_weights(V)
    assert_allclose(centred @ W.T, space.Z @ V.T, atol=1e-8)
    assert_allclose((W**2).sum(), (V**2).sum(), rtol=1e-8)
    assert_allclose(space.from_weights(W), V, atol=1e-8)
