"""Probabilities, compared with their formulas, also for large scores."""

import numpy as np
import pytest
from helpers import both_classes, plain_scores, wine
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._nets.kernels import dispatch

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("scale", [1e4, -1e4])
@pytest.mark.parametrize(("dtype", "n_classes"), [(np.float32, 3), (np.float64, 2)])
@both_classes
def test_large_scores_give_finite_log_probabilities(model, n_classes, dtype, scale):
    X, y = wine()
    X, y = X[y < n_classes].astype(dtype), y[y < n_classes]
    fitted = clone(model).fit(X, y)
    # a factor on the last layer makes the largest score +-1e4
    factor = dtype(scale / abs(plain_scores(fitted, X)).max())
    if isinstance(model, SoftmaxClassifier):
        fitted.coef_, fitted.intercept_ = fitted.coef_ * factor, fitted.intercept_ * factor
    else:
        fitted.coefs_[-1] *= factor
        fitted.intercepts_[-1] *= factor
    assert abs(plain_scores(fitted, X)).max() >= 0.999e4
    probability, log_probability = fitted.predict_proba(X), fitted.predict_log_proba(X)
    assert_allclose(probability.sum(axis=1), 1, rtol=1e-6)
    assert np.isfinite(log_probability).all()
    assert log_probability.min() < -5000  # the logarithm of the probability would be -inf
    assert_allclose(np.exp(log_probability), probability, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("n_features", [40, 400])
def test_the_prediction_of_a_sparse_row_does_not_depend_on_other_rows(n_features):
    rng = np.random.RandomState(0)
    X = sparse.random(60, n_features, density=0.1, format="csr", random_state=rng)
    y = rng.randint(3, size=60)
    net = TwoLayerNetClassifier(5, max_iter=2, tol=0, random_state=0).fit(X, y)
    together = net.predict_proba(X)
    alone = np.concatenate([net.predict_proba(X[[i]]) for i in range(60)])
    # the shape of BLAS's products may change bits of NumPy's kernels
    rtol = 0 if dispatch.selected == "compiled" else 1e-12
    assert_allclose(alone, together, rtol=rtol)
