"""The value of `reg` for a value of `C` of LogisticRegression."""

import numpy as np
import pytest
from helpers import linear_objective, scaled
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight

from sklearn_toynn import SoftmaxClassifier

pytestmark = pytest.mark.usefixtures("one_blas_thread")


@pytest.mark.parametrize(("is_weighted", "class_weight"), [
    (False, None),
    (True, None),
    (False, "balanced"),
    (True, {0: 7.0, 1: 0.5, 2: 0.3}),
])  # fmt: skip
@pytest.mark.parametrize("C", [0.01, 100.0])
@pytest.mark.parametrize("name", ["wine", "breast cancer"])
def test_reg_is_one_over_c_times_the_sum_of_the_weights(name, C, is_weighted, class_weight):
    X, y = scaled(name)
    sample_weight = np.random.RandomState(0).uniform(0.1, 5, len(y)) if is_weighted else None
    w = compute_sample_weight(class_weight, y) * (sample_weight if is_weighted else 1)
    theirs = LogisticRegression(C=C, class_weight=class_weight, tol=1e-9, max_iter=20_000)
    theirs.fit(X, y, sample_weight)
    # the penalty on -w/2 and w/2 is half of the penalty on w
    reg = (1 if y.max() > 1 else 2) / (C * w.sum())
    ours = SoftmaxClassifier(reg, class_weight=class_weight).fit(X, y, sample_weight)
    coef, intercept = theirs.coef_, theirs.intercept_
    if y.max() == 1:
        coef, intercept = np.vstack([-coef, coef]) / 2, np.append(-intercept, intercept) / 2
    assert ours.coef_.shape == coef.shape
    assert_allclose(ours.loss_, linear_objective(coef, intercept, X, y, reg, w), rtol=1e-6)
    own = linear_objective(ours.coef_, ours.intercept_, X, y, reg, w)
    assert_allclose(ours.loss_, own, rtol=1e-10)
    assert_allclose(ours.intercept_.sum(), 0, atol=1e-8)
    assert_array_equal(ours.predict(X), theirs.predict(X))
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=5e-3)
