"""The net with any number of hidden layers."""

import inspect
import itertools

import numpy as np
import pytest
from helpers import assert_same_bits, docstring_entries, ends_early, scaled, wine
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._training.solvers import SOLVERS
from sklearn_toynn.model_selection import FusedGridSearchCV

every_solver = pytest.mark.parametrize("solver", SOLVERS)


@pytest.mark.parametrize("sizes", [7, (7,), [7], np.array([7])], ids=repr)
@every_solver
@ends_early
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
@ends_early
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
    # the fitted weights are the best ones, before the last step
    assert net.score(X, y) > 0.8


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
@ends_early
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


@pytest.mark.parametrize("n_jobs", [None, 2])
@ends_early
def test_a_fused_search_over_layers(n_jobs):
    X, y = scaled("iris")
    net = MultiLayerNetClassifier(max_iter=20, random_state=0)
    grid = {"hidden_layer_sizes": [4, (4,), (5, 3), (4, 4, 4)], "reg": [1e-3, "auto"]}
    how = {"cv": 3, "scoring": "neg_log_loss", "n_jobs": n_jobs}
    fused, plain = (
        search(net, grid, **how).fit(X, y) for search in (FusedGridSearchCV, GridSearchCV)
    )
    for name in ("mean_test_score", "std_test_score", "rank_test_score"):
        assert_array_equal(fused.cv_results_[name], plain.cv_results_[name])
    assert_same_bits(fused.best_estimator_, plain.best_estimator_)


@pytest.mark.parametrize(
    "sizes", [(), (5, 0), -1, (2.5,), [[3, 2]], "100", ("5",), None], ids=repr
)
def test_wrong_sizes_are_named(sizes):
    X, y = wine()
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        MultiLayerNetClassifier(sizes).fit(X, y)


@ends_early
def test_a_warm_start_needs_the_same_layers():
    X, y = wine()
    net = MultiLayerNetClassifier((5, 4), max_iter=5, warm_start=True, random_state=0).fit(X, y)
    before = clone(net).fit(X, y)
    with pytest.raises(ValueError, match=r"\[13, 5, 4, 3\] and"):
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
