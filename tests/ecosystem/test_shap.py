"""SHAP's permutation explainer."""

import numpy as np
import pytest
from helpers import wine
from numpy.testing import assert_allclose

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

shap = pytest.importorskip("shap", reason="requires the extra `ecosystem`")
pytestmark = pytest.mark.filterwarnings("ignore:::shap")


def explain(function, X, rows):
    masker = shap.maskers.Independent(X, max_samples=len(X))
    return shap.PermutationExplainer(function, masker, seed=0)(X[rows], silent=True)


def test_the_values_of_a_linear_model_equal_the_closed_form():
    X, y = wine()
    model = SoftmaxClassifier().fit(X, y)
    explained = explain(model.decision_function, X, slice(5))
    expected = (X[:5] - X.mean(axis=0))[:, :, None] * model.coef_.T
    assert_allclose(explained.values, expected, atol=1e-8)


def test_the_values_of_a_net_sum_to_its_probabilities_minus_their_mean():
    X, y = wine()
    net = TwoLayerNetClassifier(8, random_state=0).fit(X, y)
    explained = explain(net.predict_proba, X, slice(0, None, 30))
    probabilities = net.predict_proba(X)
    assert_allclose(
        explained.values.sum(axis=1), probabilities[::30] - probabilities.mean(axis=0), atol=1e-8
    )
    assert np.abs(explained.values).max() > 0.05
