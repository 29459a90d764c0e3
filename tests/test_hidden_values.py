"""`hidden_values`: what the hidden units make of rows."""

import numpy as np
import pytest
from helpers import FORMULAS, ends_early, wine
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import NotFittedError

from sklearn_toynn import (
    MultiLayerNetClassifier,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)

pytestmark = ends_early


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", FORMULAS)
def test_the_formula(activation, dtype):
    X, y = wine()
    net = MultiLayerNetClassifier((6, 5), activation=activation, max_iter=5, random_state=0)
    values = net.fit(X.astype(dtype), y).hidden_values(X)
    expected = X
    for coef, intercept, layer in zip(net.coefs_, net.intercepts_, values, strict=False):
        expected = FORMULAS[activation](expected @ coef + intercept)
        assert layer.dtype == dtype
        assert_allclose(layer, expected, atol=1e-4 if dtype == np.float32 else 1e-12)
    assert [layer.shape for layer in values] == [(len(X), 6), (len(X), 5)]
    # the scores are of the last layer
    scores = values[-1] @ net.coefs_[-1] + net.intercepts_[-1]
    assert_allclose(net.decision_function(X), scores, atol=1e-4)


@pytest.mark.parametrize("convert", [sparse.csr_array, sparse.csr_matrix])
def test_several_nets_and_sparse_rows(convert):
    X, y = wine()
    net = TwoLayerNetClassifier(4, n_nets=3, max_iter=5, random_state=0).fit(X, y)
    (values,) = net.hidden_values(convert(X))
    assert values.shape == (3, len(X), 4)
    for one, coef, intercept in zip(values, net.coefs_[0], net.intercepts_[0], strict=True):
        assert_allclose(one, np.maximum(X @ coef + intercept, 0), atol=1e-12)


def test_of_the_net_that_was_chosen():
    X, y = wine()
    choosing = TwoLayerNetClassifierCV([4, 5], regs=2, cv=2, n_nets=2, max_iter=5, random_state=0)
    (values,) = choosing.fit(X, y).hidden_values(X)
    assert_array_equal(values, choosing.best_estimator_.hidden_values(X)[0])


def test_of_weights_set_by_hand():
    net = TwoLayerNetClassifier(2, activation="identity")
    net.classes_, net.n_features_in_ = np.array([0, 1]), 2
    net.coefs_, net.intercepts_ = [np.eye(2), np.eye(2)], [np.ones(2), np.zeros(2)]
    (values,) = net.hidden_values([[3.0, 4.0]])
    assert_array_equal(values, [[4.0, 5.0]])


def test_wrong_rows_are_refused():
    X, y = wine()
    with pytest.raises(NotFittedError):
        TwoLayerNetClassifier().hidden_values(X)
    net = TwoLayerNetClassifier(4, max_iter=5, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="features"):
        net.hidden_values(X[:, 1:])
