"""Activations against their formulas."""

import numpy as np
import pytest
from helpers import FORMULAS, assert_dtype, plain_objective, wine
from numpy.testing import assert_allclose

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn._nets.activations import ACTIVATIONS

# for fits whose end at `max_iter` is beside the point
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_every_activation_has_a_formula():
    assert set(FORMULAS) == set(ACTIVATIONS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_float32_stays_float32_for_every_activation(activation, dtype):
    X, y = wine()
    model = TwoLayerNetClassifier(5, activation=activation, max_iter=3).fit(X.astype(dtype), y)
    assert_dtype(model, X, dtype)
    assert_allclose(model.loss_, plain_objective(model, X.astype(dtype), y), rtol=1e-5)
