"""The contract's equivalences: C of LogisticRegression and alpha of MLPClassifier as reg."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

pytestmark = pytest.mark.usefixtures("one_blas_thread")

MULTICLASS = {"iris": load_iris, "wine": load_wine, "digits": load_digits}
LOADERS = {**MULTICLASS, "breast cancer": load_breast_cancer}
HIDDEN = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}


def load_scaled(name):
    X, y = LOADERS[name](return_X_y=True)
    return StandardScaler().fit_transform(X), y


def objective(scores, y, weights, reg, w=None):
    """Weighted mean cross-entropy plus reg/2 times the sum of squared weights."""
    cross_entropy = -log_softmax(scores, axis=1)[np.arange(len(y)), y]
    penalty = sum((W**2).sum() for W in weights)
    return np.average(cross_entropy, weights=w) + reg / 2 * penalty


def baseline(C, **kwargs):
    return LogisticRegression(C=C, tol=1e-9, max_iter=20_000, **kwargs)


def two_outputs(logistic):
    """The weights of each class; one row w of two classes is -w/2 and w/2."""
    if len(logistic.classes_) > 2:
        return logistic.coef_, logistic.intercept_
    half = np.array([-0.5, 0.5])
    return half[:, None] * logistic.coef_, half * logistic.intercept_


def assert_same_optimum(softmax, logistic, X, y, w=None):
    coef, intercept = two_outputs(logistic)
    optimum = objective(X @ coef.T + intercept, y, [coef], softmax.reg_, w)
    assert_allclose(softmax.loss_, optimum, rtol=1e-6)
    # loss_ is what it says it is
    own = objective(X @ softmax.coef_.T + softmax.intercept_, y, [softmax.coef_], softmax.reg_, w)
    assert_allclose(softmax.loss_, own, rtol=1e-10)
    assert_allclose(softmax.intercept_.sum(), 0, atol=1e-8)
    assert_array_equal(softmax.predict(X), logistic.predict(X))
    assert_allclose(softmax.predict_proba(X), logistic.predict_proba(X), atol=5e-3)


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("name", list(MULTICLASS))
def test_reg_is_one_over_c_n(name, C):
    X, y = load_scaled(name)
    logistic = baseline(C).fit(X, y)
    softmax = SoftmaxClassifier(reg=1 / (C * len(y))).fit(X, y)
    assert_same_optimum(softmax, logistic, X, y)


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_two_classes_have_twice_the_reg(C):
    # the penalty on -w/2 and w/2 is half of that on w alone
    X, y = load_scaled("breast cancer")
    logistic = baseline(C).fit(X, y)
    softmax = SoftmaxClassifier(reg=2 / (C * len(y))).fit(X, y)
    assert softmax.coef_.shape == (2, X.shape[1])
    assert_same_optimum(softmax, logistic, X, y)
    scores = logistic.decision_function(X)
    assert_allclose(softmax.decision_function(X), scores, atol=0.01 * abs(scores).max())


@pytest.mark.parametrize("name", ["iris", "wine", "breast cancer"])
def test_with_sample_weight_n_is_their_sum(name):
    X, y = load_scaled(name)
    w = np.random.RandomState(0).uniform(0.1, 5, size=len(y))
    K = y.max() + 1
    logistic = baseline(1.0).fit(X, y, sample_weight=w)
    softmax = SoftmaxClassifier(reg=(1 if K > 2 else 2) / w.sum()).fit(X, y, sample_weight=w)
    assert_same_optimum(softmax, logistic, X, y, w)
    # the weights change the answer, so that a fit without them would not pass
    assert abs(softmax.loss_ / SoftmaxClassifier(reg=softmax.reg_).fit(X, y).loss_ - 1) > 1e-3


@pytest.mark.parametrize(
    ("name", "class_weight"),
    [
        ("wine", {0: 1.0, 1: 5.0, 2: 0.3}),
        ("wine", "balanced"),
        ("breast cancer", {0: 7.0, 1: 0.5}),
        ("breast cancer", "balanced"),
    ],
)
def test_class_weight(name, class_weight):
    X, y = load_scaled(name)
    counts = np.bincount(y)
    per_class = len(y) / (len(counts) * counts)
    if class_weight != "balanced":
        per_class = np.array([class_weight[k] for k in range(len(counts))])
    w = per_class[y]
    reg = (1 if len(counts) > 2 else 2) / w.sum()
    logistic = baseline(1.0, class_weight=class_weight).fit(X, y)
    softmax = SoftmaxClassifier(reg=reg, class_weight=class_weight).fit(X, y)
    assert_same_optimum(softmax, logistic, X, y, w)


def test_class_weight_multiplies_sample_weight():
    X, y = load_scaled("wine")
    class_weight = {0: 1.0, 1: 5.0, 2: 0.3}
    sample_weight = np.random.RandomState(0).uniform(0.1, 5, size=len(y))
    w = sample_weight * np.array([class_weight[k] for k in y])
    logistic = baseline(1.0, class_weight=class_weight).fit(X, y, sample_weight=sample_weight)
    softmax = SoftmaxClassifier(reg=1 / w.sum(), class_weight=class_weight)
    softmax.fit(X, y, sample_weight=sample_weight)
    assert_same_optimum(softmax, logistic, X, y, w)


@pytest.mark.parametrize("name", list(MULTICLASS))
def test_defaults_score_like_the_baseline(name):
    # nobody tunes the first try: reg=1e-3 lies near C=1 on sets of about a thousand rows
    X, y = load_scaled(name)
    ours = SoftmaxClassifier().fit(X[::2], y[::2]).score(X[1::2], y[1::2])
    theirs = LogisticRegression(max_iter=1000).fit(X[::2], y[::2]).score(X[1::2], y[1::2])
    assert ours >= theirs - 0.02


@pytest.mark.parametrize("alpha", [1e-4, 0.1, 10.0])
@pytest.mark.parametrize("name", ["iris", "wine"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_objective_is_that_of_mlp_lbfgs(activation, name, alpha):
    X, y = load_scaled(name)
    mlp = MLPClassifier(
        (6,), activation=activation, alpha=alpha, solver="lbfgs", max_iter=2000, random_state=0
    ).fit(X, y)
    W1, W2 = mlp.coefs_
    hidden = HIDDEN[activation](X @ W1 + mlp.intercepts_[0])
    ours = objective(hidden @ W2 + mlp.intercepts_[1], y, [W1, W2], reg=alpha / len(y))
    assert_allclose(ours, mlp.loss_, rtol=1e-8)


@pytest.mark.parametrize("alpha", [1e-4, 0.1, 10.0])
@pytest.mark.parametrize("name", ["iris", "wine"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
@pytest.mark.filterwarnings("ignore:L-BFGS-B stopped")  # at a kink of ReLU
def test_mlp_sees_our_loss_in_our_weights(activation, name, alpha):
    # Adam on the full batch notes the loss before its step: give it our weights and look
    X, y = load_scaled(name)
    net = TwoLayerNetClassifier(
        6, reg=alpha / len(y), activation=activation, solver="lbfgs", max_iter=3000, random_state=0
    ).fit(X, y)
    mlp = MLPClassifier(
        (6,), activation=activation, alpha=alpha, solver="adam", batch_size=len(y)
    ).partial_fit(X, y, classes=net.classes_)
    mlp.coefs_ = [W.copy() for W in net.coefs_]
    mlp.intercepts_ = [b.copy() for b in net.intercepts_]
    assert_allclose(mlp.predict_proba(X), net.predict_proba(X), rtol=1e-9, atol=1e-12)
    mlp.partial_fit(X, y)
    assert_allclose(net.loss_, mlp.loss_curve_[-1], rtol=1e-9)
