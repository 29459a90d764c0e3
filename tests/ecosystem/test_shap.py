"""SHAP's permutation explainer."""

import numpy as np
import pytest
from helpers import wine
from numpy.testing import assert_allclose

from sklearn_toynn import TwoLayerNetClassifier

shap = pytest.importorskip("shap", reason="requires the extra `ecosystem`")
pytestmark = pytest.mark.filterwarnings("ignore:::shap")


def test_the_values_of_a_net_sum_to_its_probabilities_minus_their_mean():
    X, y = wine()
    net = TwoLayerNetClassifier(8, random_state=0).fit(X, y)
    masker = shap.maskers.Independent(X, max_samples=len(X))
    explainer = shap.PermutationExplainer(net.predict_proba, masker, seed=0)
    explained = explainer(X[::30], silent=True)
    probabilities = net.predict_proba(X)
    assert_allclose(
        explained.values.sum(axis=1), probabilities[::30] - probabilities.mean(axis=0), atol=1e-8
    )
    assert np.abs(explained.values).max() > 0.05
