"""The estimators in scikit-learn's tools, compared with LogisticRegression."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

pytestmark = pytest.mark.usefixtures("one_blas_thread")

LOADERS = {"wine": load_wine, "breast cancer": load_breast_cancer}
MODELS = {
    "softmax": SoftmaxClassifier(),
    "net": TwoLayerNetClassifier(16, random_state=0),
}
LOGISTIC = LogisticRegression(max_iter=1000)
both_models = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def scaled_split(name):
    X, y = LOADERS[name](return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.4, stratify=y, random_state=0
    )
    scaler = StandardScaler().fit(X_train)
    return scaler.transform(X_train), scaler.transform(X_test), y_train, y_test


@pytest.mark.filterwarnings("ignore:The objective of the fitted model")
@pytest.mark.parametrize("name", ["wine", "breast cancer"])
@pytest.mark.parametrize(
    "wrap",
    [
        OneVsRestClassifier,
        lambda model: CalibratedClassifierCV(model, cv=3),
        lambda model: BaggingClassifier(model, n_estimators=4, max_samples=0.5, random_state=0),
        lambda model: AdaBoostClassifier(model, n_estimators=4, random_state=0),
        lambda model: VotingClassifier([("a", model), ("b", LOGISTIC)], voting="soft"),
        lambda model: StackingClassifier([("a", model), ("b", LOGISTIC)], model, cv=3),
    ],
    ids=["one vs rest", "calibrated", "bagging", "boosting", "voting", "stacking"],
)
@both_models
def test_ensembles_score_like_ensembles_of_logistic_regression(model, wrap, name):
    X_train, X_test, y_train, y_test = scaled_split(name)
    ours, reference = (wrap(clone(m)).fit(X_train, y_train) for m in (model, LOGISTIC))
    assert ours.score(X_test, y_test) >= reference.score(X_test, y_test) - 0.03
    assert_allclose(ours.predict_proba(X_test).sum(axis=1), 1)


@pytest.mark.parametrize("name", ["wine", "breast cancer"])
def test_select_from_model_selects_the_features_that_logistic_regression_selects(name):
    X, _, y, _ = scaled_split(name)
    X = np.c_[X, np.random.RandomState(0).randn(len(X), 4)]
    C = (1 if name == "wine" else 2) / (0.1 * len(y))
    reference = LogisticRegression(C=C, tol=1e-8, max_iter=1000)
    ours, theirs = (
        SelectFromModel(m).fit(X, y).get_support() for m in (SoftmaxClassifier(0.1), reference)
    )
    assert_array_equal(ours, theirs)
    assert ours.any()
    assert not ours[-4:].any()
