"""The classifiers with hidden layers: one or several nets, and the values of hidden units."""

import inspect
import itertools
import pickle

import numpy as np
import pytest
from helpers import (
    FORMULAS,
    N_NETS,
    STALLS,
    assert_same_bits,
    docstring_entries,
    ends_early,
    ensemble,
    wine,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine, make_moons
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import (
    MultiLayerNetClassifier,
    SoftmaxClassifier,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn._training.solvers import SOLVERS

pytestmark = ends_early

X, y = wine()
WEIGHTS = np.random.RandomState(0).uniform(0, 2, len(y))


def standardized(load):
    X, y = load(return_X_y=True)
    return StandardScaler().fit_transform(X), y


# ---- any number of layers


@pytest.mark.parametrize("sizes", [7, (7,), [7], np.array([7])], ids=repr)
@pytest.mark.parametrize("solver", SOLVERS)
def test_one_hidden_layer_is_the_two_layer_net(solver, sizes):
    X, y = wine()
    params = {"solver": solver, "max_iter": 12, "activation": "tanh", "random_state": 0}
    two = TwoLayerNetClassifier(7, **params).fit(X, y)
    assert_same_bits(MultiLayerNetClassifier(sizes, **params).fit(X, y), two)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "params",
    [
        {"n_nets": 3},
        {"early_stopping": True, "schedule": "constant"},
        {"class_weight": "balanced", "init": "glorot", "reg": 0.01},
    ],
    ids=str,
)
def test_so_it_is_with_other_parameters(params, dtype):
    X, y = wine()
    X, weights = X.astype(dtype), 1 + np.arange(len(y)) % 3
    two = TwoLayerNetClassifier(9, max_iter=10, random_state=0, **params).fit(X, y, weights)
    multi = MultiLayerNetClassifier(9, max_iter=10, random_state=0, **params).fit(X, y, weights)
    assert_same_bits(multi, two)
    for model in (two, multi):
        model.set_params(early_stopping=False, schedule="auto", class_weight=None)
        model.partial_fit(X[:50], y[:50])
    assert_same_bits(multi, two)


def uniform(_, fan_in, fan_out):
    """A start that two programs can share."""
    return np.random.RandomState(fan_in).uniform(-1, 1, (fan_in, fan_out)) / np.sqrt(fan_in)


def test_four_layers_by_whole_batch_descent_are_the_plain_loop():
    X, y = make_moons(120, noise=0.2, random_state=0)
    widths, reg, step = [2, 8, 6, 4, 2], 1e-3, 0.3
    W = [uniform(None, *shape) for shape in itertools.pairwise(widths)]
    b = [np.zeros(n) for n in widths[1:]]
    losses = []
    for _ in range(200):
        inputs = [X]
        for layer in range(3):
            inputs.append(np.tanh(inputs[-1] @ W[layer] + b[layer]))
        scores = inputs[-1] @ W[3] + b[3]
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        penalty = reg / 2 * sum((w**2).sum() for w in W)
        losses.append(-np.log(p[np.arange(len(y)), y]).mean() + penalty)
        p[np.arange(len(y)), y] -= 1
        delta = p / len(y)
        for layer in reversed(range(4)):
            below = delta @ W[layer].T * (1 - inputs[layer] ** 2)
            W[layer] = W[layer] - step * (inputs[layer].T @ delta + reg * W[layer])
            b[layer] = b[layer] - step * delta.sum(axis=0)
            delta = below
    net = MultiLayerNetClassifier(
        (8, 6, 4),
        reg,
        solver="gd",
        activation="tanh",
        learning_rate=step,
        init=uniform,
        max_iter=200,
        tol=1e-12,
    )
    with pytest.warns(match="max_iter=200"):
        net.fit(X, y)
    assert_allclose(net.loss_curve_, losses, rtol=1e-9)
    assert [coef.shape for coef in net.coefs_] == [(2, 8), (8, 6), (6, 4), (4, 2)]


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
def test_two_hidden_layers_descend_as_mlp_classifier_does(activation):
    X, y = wine()
    n, alpha, step = len(y), 0.3, 0.1
    mlp = MLPClassifier(
        (6, 5),
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
    widths = [13, 6, 5, 3]
    mlp.coefs_ = [uniform(None, *shape) for shape in itertools.pairwise(widths)]
    mlp.intercepts_ = [np.zeros(m) for m in widths[1:]]
    losses = []
    for _ in range(30):
        mlp.fit(X, y)
        losses.append(mlp.loss_)
    net = MultiLayerNetClassifier(
        (6, 5),
        alpha / n,
        activation=activation,
        solver="gd",
        learning_rate=step,
        init=uniform,
        max_iter=30,
    )
    assert_allclose(net.fit(X, y).loss_curve_, losses, rtol=1e-6)


@pytest.mark.parametrize(
    "sizes", [(), (5, 0), -1, (2.5,), [[3, 2]], "100", ("5",), None], ids=repr
)
def test_wrong_sizes_are_named(sizes):
    X, y = wine()
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        MultiLayerNetClassifier(sizes).fit(X, y)


def test_a_warm_start_needs_the_same_layers():
    X, y = wine()
    net = MultiLayerNetClassifier((5, 4), max_iter=5, warm_start=True, random_state=0).fit(X, y)
    before = clone(net).fit(X, y)
    with pytest.raises(ValueError, match=r"earlier fit: 1, \[13, 5, 4, 3\]"):
        net.set_params(hidden_layer_sizes=(4, 5)).fit(X, y)
    assert_same_bits(net, before)


@pytest.mark.parametrize("section", ["Parameters", "Attributes"])
def test_what_is_shared_is_documented_alike(section):
    two, multi = (
        docstring_entries(c, section) for c in (TwoLayerNetClassifier, MultiLayerNetClassifier)
    )
    own = {"hidden_size", "hidden_layer_sizes", "coefs_", "intercepts_"}
    assert len(two) > 10
    assert two.keys() - own == multi.keys() - own
    for name in two.keys() - own:
        assert two[name] == multi[name], name
    if section == "Parameters":
        assert list(two)[1:] == list(inspect.signature(TwoLayerNetClassifier).parameters)[1:]
        alike = {"class_weight", "n_iter_no_change", "validation_fraction", "momentum", "verbose"}
        linear = docstring_entries(SoftmaxClassifier, section)
        assert all(linear[name] == two[name] for name in alike)


# ---- several nets


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_scores_are_the_logarithms_of_the_mean_probabilities(load):
    X, y = standardized(load)
    model = ensemble().fit(X, y)
    log_probabilities = []
    for place in range(N_NETS):
        hidden = np.maximum(X @ model.coefs_[0][place] + model.intercepts_[0][place], 0)
        scores = hidden @ model.coefs_[1][place] + model.intercepts_[1][place]
        log_probabilities.append(scores - logsumexp(scores, axis=1, keepdims=True))
    expected = logsumexp(log_probabilities, axis=0) - np.log(N_NETS)
    assert_allclose(model.predict_log_proba(X), expected, rtol=1e-12, atol=1e-14)
    assert_allclose(model.predict_proba(X), np.exp(expected), rtol=1e-12)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-14)
    scores = model.decision_function(X)
    if len(model.classes_) == 2:
        assert_allclose(scores, expected[:, 1] - expected[:, 0], rtol=1e-10)
    else:
        assert_allclose(scores, expected, rtol=1e-12, atol=1e-14)
    assert_array_equal(model.predict(X), model.classes_[expected.argmax(axis=1)])


# scores whose exponentials, as they are, are too large, too small, or both
@pytest.mark.parametrize(("factor", "offset"), [(1, 800), (1, -800), (1e3, 0)])
def test_log_probabilities_of_scores_beyond_the_exponential(factor, offset):
    model = ensemble().fit(X, y)
    model.coefs_[1] *= factor
    model.intercepts_[1] += offset
    hidden = np.maximum(X @ model.coefs_[0] + model.intercepts_[0][:, None], 0)
    scores = hidden @ model.coefs_[1] + model.intercepts_[1][:, None]
    log_probabilities = scores - logsumexp(scores, axis=2, keepdims=True)
    expected = logsumexp(log_probabilities, axis=0) - np.log(N_NETS)
    rounding = 1e-15 * abs(scores).max()
    assert_allclose(model.predict_log_proba(X), expected, rtol=1e-12, atol=rounding)
    assert_array_equal(model.predict(X), expected.argmax(axis=1))


def test_extreme_scores_stay_finite():
    model = ensemble().fit(X, y)
    for scale in (1e4, 1e100, 1e300):
        probabilities = model.predict_proba(scale * X)
        assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
        if scale < 1e300:
            assert np.isfinite(model.predict_log_proba(scale * X)).all()


@pytest.mark.parametrize("convert", [sparse.csr_array, sparse.csc_matrix])
def test_sparse_rows(convert):
    X_sparse = np.where(np.abs(X) > 1, X, 0)
    dense, model = (ensemble(init=0.3).fit(data, y) for data in (X_sparse, convert(X_sparse)))
    for layer in range(2):
        assert_allclose(model.coefs_[layer], dense.coefs_[layer], rtol=1e-8, atol=1e-10)
    assert_allclose(
        model.predict_proba(convert(X_sparse)), dense.predict_proba(X_sparse), rtol=1e-8
    )


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_warm_start_goes_on(solver):
    params = {"solver": solver, "schedule": "constant", "tol": 0, "batch_size": 50}
    whole = ensemble(**params, max_iter=10).fit(X, y)
    halves = ensemble(**params, max_iter=5, warm_start=True).fit(X, y).fit(X, y)
    assert_array_equal(halves.coefs_[0], whole.coefs_[0])
    assert_array_equal(halves.intercepts_[1], whole.intercepts_[1])
    again = pickle.loads(pickle.dumps(halves)).fit(X, y)
    assert_array_equal(again.coefs_[0], halves.fit(X, y).coefs_[0])


def test_partial_fit_and_weights():
    """Each net goes on by itself, from its own place."""
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


@pytest.mark.parametrize("n_nets", [1, 2])
def test_another_number_of_nets_cannot_go_on(n_nets):
    model = ensemble(warm_start=True).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=f"of the earlier fit: 3, .* Now they are {n_nets},"):
        model.set_params(n_nets=n_nets).fit(X, y)
    assert_array_equal(model.set_params(n_nets=3).predict_proba(X), before)


def test_one_warning_counts_the_nets():
    model = ensemble(learning_rate=1e6, solver="sgd", schedule="constant")
    with pytest.warns(ConvergenceWarning, match=r"^\d of 3 nets, the first: ") as caught:
        model.fit(X, y)
    assert len(caught) == 1
    assert all(np.isfinite(layer).all() for layer in model.coefs_)


# ---- hidden values


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", FORMULAS)
def test_hidden_values_by_the_formula(activation, dtype):
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
def test_hidden_values_of_several_nets_and_sparse_rows(convert):
    X, y = wine()
    net = TwoLayerNetClassifier(4, n_nets=3, max_iter=5, random_state=0).fit(X, y)
    (values,) = net.hidden_values(convert(X))
    assert values.shape == (3, len(X), 4)
    for one, coef, intercept in zip(values, net.coefs_[0], net.intercepts_[0], strict=True):
        assert_allclose(one, np.maximum(X @ coef + intercept, 0), atol=1e-12)


def test_hidden_values_of_the_net_that_was_chosen():
    X, y = wine()
    choosing = TwoLayerNetClassifierCV([4, 5], regs=2, cv=2, n_nets=2, max_iter=5, random_state=0)
    (values,) = choosing.fit(X, y).hidden_values(X)
    assert_array_equal(values, choosing.best_estimator_.hidden_values(X)[0])


def test_hidden_values_of_weights_set_by_hand():
    net = TwoLayerNetClassifier(2, activation="identity")
    net.classes_, net.n_features_in_ = np.array([0, 1]), 2
    net.coefs_, net.intercepts_ = [np.eye(2), np.eye(2)], [np.ones(2), np.zeros(2)]
    (values,) = net.hidden_values([[3.0, 4.0]])
    assert_array_equal(values, [[4.0, 5.0]])


def test_hidden_values_of_wrong_rows_are_refused():
    X, y = wine()
    with pytest.raises(NotFittedError):
        TwoLayerNetClassifier().hidden_values(X)
    net = TwoLayerNetClassifier(4, max_iter=5, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="features"):
        net.hidden_values(X[:, 1:])
