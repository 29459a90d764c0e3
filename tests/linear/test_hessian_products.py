"""Products with the Hessian, compared with the dense Hessian."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_toynn._linear import hessian_products
from sklearn_toynn._linear.hessian_products import HessianProducts


@pytest.mark.parametrize("limit", [0, 9], ids=["recomputed", "cached"])
def test_hessian_products(case, limit, monkeypatch):
    monkeypatch.setattr(hessian_products, "MAX_CACHED_PROBABILITIES", limit)
    H, direction = case.hessian(case.theta), case.draw_theta(2)
    products = HessianProducts(case.objective, case.theta)
    expected = np.tensordot(H, direction, 2)
    for _ in range(2):
        assert_allclose(products.multiply(direction), expected, atol=1e-7 * abs(expected).max())
    assert_allclose(products.intercept_block(), H[:, -1, :, -1], rtol=1e-7)
