"""The classifiers with hidden layers: one or several nets, and the values of hidden units."""

import itertools
import pickle
from copy import copy

import numpy as np
import pytest
from helpers import (
    FORMULAS,
    N_NETS,
    STALLS,
    assert_same_bits,
    ends_early,
    ensemble,
    scaled,
    wine,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.neural_network import MLPClassifier

from sklearn_toynn import (
    MultiLayerNetClassifier,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn._training.solvers import SOLVERS

pytestmark = ends_early

X, y = wine()
WEIGHTS = np.random.RandomState(0).uniform(0, 2, len(y))


# ---- any number of layers


@pytest.mark.parametrize("sizes", [7, (7,), np.array([7])], ids=repr)
@pytest.mark.parametrize("solver", SOLVERS)
def test_one_hidden_layer_is_the_two_layer_net(solver, sizes):
    params = {"activation": "tanh", "n_nets": 2, "init": "glorot", "reg": 0.01, "random_state": 0}
    two, multi = (
        model_class(size, solver=solver, max_iter=12, class_weight={0: 2.0}, **params)
        for model_class, size in ((TwoLayerNetClassifier, 7), (MultiLayerNetClassifier, sizes))
    )
    assert_same_bits(multi.fit(X, y, WEIGHTS), two.fit(X, y, WEIGHTS))


def uniform(_, fan_in, fan_out):
    """Initial weights for two programs."""
    return np.random.RandomState(fan_in).uniform(-1, 1, (fan_in, fan_out)) / np.sqrt(fan_in)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
def test_gradient_descent_on_four_layers_equals_mlp_classifier(activation):
    n, alpha, step = len(y), 0.3, 0.1
    mlp = MLPClassifier(
        (8, 6, 4),
        activation=activation,
        alpha=alpha,
        solver="sgd",
        momentum=0,
        nesterovs_momentum=False,
        batch_size=n,
        shuffle=False,
        learning_rate_init=step,
        max_iter=1,
        warm_start=True,
        tol=0,
    ).fit(X, y)
    widths = [13, 8, 6, 4, 3]
    mlp.coefs_ = [uniform(None, *shape) for shape in itertools.pairwise(widths)]
    mlp.intercepts_ = [np.zeros(m) for m in widths[1:]]
    losses = []
    for _ in range(30):
        mlp.fit(X, y)
        losses.append(mlp.loss_)
    net = MultiLayerNetClassifier(
        (8, 6, 4),
        alpha / n,
        activation=activation,
        solver="gd",
        learning_rate=step,
        init=uniform,
        max_iter=30,
    )
    assert_allclose(net.fit(X, y).loss_curve_, losses, rtol=1e-9)


def test_invalid_sizes_are_named():
    for sizes in ((), (5, 0), -1, (2.5,), [[3, 2]], "100", ("5",), None):
        with pytest.raises(ValueError, match="hidden_layer_sizes"):
            MultiLayerNetClassifier(sizes).fit(X, y)


def test_a_warm_start_needs_the_same_layers_and_nets():
    net = MultiLayerNetClassifier((5, 4), max_iter=5, warm_start=True, random_state=0).fit(X, y)
    before = clone(net).fit(X, y)
    for params, message in (
        ({"hidden_layer_sizes": (4, 5)}, r"earlier fit: 1, \[13, 5, 4, 3\]"),
        ({"n_nets": 2}, "of the earlier fit: 1, .* Now they are 2,"),
    ):
        with pytest.raises(ValueError, match=message):
            copy(net).set_params(**params).fit(X, y)
    assert_same_bits(net, before)


# ---- several nets


def mean_log_probabilities(model, X):
    """Return the logarithm of the mean of the nets' probabilities, and the largest score."""
    hidden = np.maximum(X @ model.coefs_[0] + model.intercepts_[0][:, None], 0)
    scores = hidden @ model.coefs_[1] + model.intercepts_[1][:, None]
    log_probabilities = scores - logsumexp(scores, axis=2, keepdims=True)
    return logsumexp(log_probabilities, axis=0) - np.log(N_NETS), abs(scores).max()


# 800 and 1e3: scores whose exponentials are too large, too small, or both
@pytest.mark.parametrize(("factor", "offset"), [(1, 0), (1, 800), (1, -800), (1e3, 0)])
@pytest.mark.parametrize("name", ["wine", "breast cancer"])
def test_scores_are_the_logarithms_of_the_mean_probabilities(name, factor, offset):
    X, y = scaled(name)
    model = ensemble().fit(X, y)
    model.coefs_[1] *= factor
    model.intercepts_[1] += offset
    expected, largest = mean_log_probabilities(model, X)
    atol = max(1e-14, 1e-15 * largest)
    assert_allclose(model.predict_log_proba(X), expected, rtol=1e-12, atol=atol)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-14)
    assert_array_equal(model.predict(X), model.classes_[expected.argmax(axis=1)])
    if (factor, offset) == (1, 0):
        assert_allclose(model.predict_proba(X), np.exp(expected), rtol=1e-12)
        scores = model.decision_function(X)
        if len(model.classes_) == 2:
            assert_allclose(scores, expected[:, 1] - expected[:, 0], rtol=1e-10)
        else:
            assert_allclose(scores, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_warm_start_continues(solver):
    params = {"solver": solver, "schedule": "constant", "tol": 0, "batch_size": 50}
    whole = ensemble(**params, max_iter=10).fit(X, y)
    halves = ensemble(**params, max_iter=5, warm_start=True).fit(X, y).fit(X, y)
    assert_array_equal(halves.coefs_[0], whole.coefs_[0])
    assert_array_equal(halves.intercepts_[1], whole.intercepts_[1])
    again = pickle.loads(pickle.dumps(halves)).fit(X, y)
    assert_array_equal(again.coefs_[0], halves.fit(X, y).coefs_[0])


def test_partial_fit_and_weights():
    """Each net continues from its own state."""
    params = {"batch_size": 30, "class_weight": {0: 2.0}}
    together = ensemble(**params)
    first = ensemble(n_nets=1, **params)
    for model in (together, first):
        for part in (slice(0, None, 2), slice(1, None, 2)):
            model.partial_fit(X[part], y[part], [0, 1, 2], WEIGHTS[part])
    assert_array_equal(together.coefs_[0][0], first.coefs_[0])
    assert together.n_iter_ == len(together.loss_curve_) == 2


def test_curves_and_losses_are_means():
    model = ensemble(**STALLS, warm_start=True)
    for _ in range(2):
        n_before = len(vars(model).get("loss_curve_", []))
        model.fit(X, y)
        lengths = [len(curve) - n_before for curve in model.loss_curves_]
        assert model.n_iter_ == max(lengths)
        for place, loss in enumerate(model.loss_curve_[n_before:], n_before):
            losses = [curve[place] for curve in model.loss_curves_ if len(curve) > place]
            assert loss == pytest.approx(np.mean(losses), rel=1e-12)
    assert len(set(lengths)) > 1
    assert model.best_iter_.shape == model.stop_reason_.shape == (N_NETS,)
    assert len(model.validation_loss_curve_) == len(model.loss_curve_)


def test_one_warning_counts_the_nets():
    model = ensemble(learning_rate=1e6, solver="sgd", schedule="constant")
    with pytest.warns(ConvergenceWarning, match=r"^\d of 3 nets, the first: ") as caught:
        model.fit(X, y)
    assert len(caught) == 1
    assert all(np.isfinite(layer).all() for layer in model.coefs_)


# ---- hidden values


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", FORMULAS)
def test_hidden_values_follow_the_formula(activation, dtype):
    net = MultiLayerNetClassifier((6, 5), activation=activation, max_iter=5, random_state=0)
    values = net.fit(X.astype(dtype), y).hidden_values(X)
    expected = X
    for coef, intercept, layer in zip(net.coefs_, net.intercepts_, values, strict=False):
        expected = FORMULAS[activation](expected @ coef + intercept)
        assert layer.dtype == dtype
        assert_allclose(layer, expected, atol=1e-4 if dtype == np.float32 else 1e-12)
    assert [layer.shape for layer in values] == [(len(X), 6), (len(X), 5)]
    # scores follow from the last layer
    scores = values[-1] @ net.coefs_[-1] + net.intercepts_[-1]
    assert_allclose(net.decision_function(X), scores, atol=1e-4)


def test_hidden_values_of_several_nets_have_an_axis_for_the_nets():
    net = TwoLayerNetClassifierCV(
        [4, 5], 2, encodings="linear", blend=False, cv=2, n_nets=3, max_iter=5, random_state=0
    )
    (values,) = net.fit(X, y).hidden_values(sparse.csr_array(X))
    assert values.shape == (3, len(X), net.hidden_size_)
    for one, coef, intercept in zip(values, net.coefs_[0], net.intercepts_[0], strict=True):
        assert_allclose(one, np.maximum(X @ coef + intercept, 0), atol=1e-12)


def test_weights_may_be_set_without_a_fit():
    net = TwoLayerNetClassifier(2, activation="identity")
    with pytest.raises(NotFittedError):
        net.hidden_values([[3.0, 4.0]])
    net.classes_, net.n_features_in_ = np.array([0, 1]), 2
    net.coefs_, net.intercepts_ = [np.eye(2), np.eye(2)], [np.ones(2), np.zeros(2)]
    (values,) = net.hidden_values([[3.0, 4.0]])
    assert_array_equal(values, [[4.0, 5.0]])
    with pytest.raises(ValueError, match="features"):
        net.hidden_values([[3.0, 4.0, 5.0]])
