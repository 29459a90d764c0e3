"""The scaling of columns: its rule, the change of variables, and nets on raw columns."""

import warnings
from functools import cache

import numpy as np
import pytest
from kernel_cases import make_network
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_wine,
    make_classification,
)
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn._nets.column_scaling import (
    NetColumnScaling,
    are_scaled_alike,
    change_scaling,
)
from sklearn_toynn._nets.kernels.numpy_kernels import NumpyKernels
from sklearn_toynn._nets.samples import Samples

# for fits whose end at `max_iter` is beside the point
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

every_solver = pytest.mark.parametrize("solver", ["adam", "gd", "lbfgs", "sgd"])


def make_decades():
    """Columns whose spreads lie over six decades, and whose means are as far from zero."""
    X, y = make_classification(
        600, 12, n_informative=6, n_classes=3, class_sep=1.5, random_state=0
    )
    scales = np.random.RandomState(0).permutation(np.logspace(-3, 3, 12))
    return (X + np.random.RandomState(1).standard_normal(12)) * scales, y


@cache
def load(name):
    loaders = {"wine": load_wine, "breast cancer": load_breast_cancer}
    return make_decades() if name == "decades" else loaders[name](return_X_y=True)


def columns_of(X, y, model):
    return NetColumnScaling.from_samples(clone(model)._validate((X, y, None)).samples)


def scaling_of(X, weights=None, rows=None):
    weights = np.ones(X.shape[0], X.dtype) if weights is None else weights
    return NetColumnScaling.from_samples(Samples(X, None, weights, rows))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("container", [np.asarray, csr_array])
@pytest.mark.parametrize("uses_rows", [False, True])
def test_the_rule(dtype, container, uses_rows):
    rng = np.random.RandomState(0)
    z = rng.standard_normal((400, 9))
    weights = rng.uniform(0.5, 2, 400).astype(dtype)
    rows = rng.permutation(400)[:300] if uses_rows else None
    used = slice(None) if rows is None else rows
    X = np.column_stack([
        0.7 * z[:, 0] + 0.3,  # fine as it is
        z[:, 1] + 2,
        1e3 * z[:, 2],
        1e-3 * z[:, 3] + 4e-4,  # a mean within half the scale stays
        np.arange(400) == used[7] if uses_rows else np.arange(400) == 7,
        np.full(400, 3.0),
        np.zeros(400),
        3 + 1e-9 * z[:, 7] * (dtype == np.float32),  # rounding beside its mean, or constant
        1e-16 * z[:, 8],  # rounding beside the widest column
    ]).astype(dtype)  # fmt: skip
    scaling = scaling_of(container(X), weights, rows)
    mean = np.average(X[used].astype(float), axis=0, weights=weights[used])
    std = np.sqrt(np.average((X[used] - mean) ** 2, axis=0, weights=weights[used]))
    rare = max(std[4], (1 - mean[4]) / 10)
    assert rare > std[4]
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    assert_allclose(scaling.mean, [0, mean[1], 0, 0, 0, 3, 0, mean[7], 0], rtol=rtol)
    assert_allclose(scaling.scale, [1, std[1], std[2], std[3], rare, 1, 1, 1, 1], rtol=rtol)
    assert scaling.mean.dtype == scaling.scale.dtype == dtype


def test_nothing_to_scale():
    X = np.random.RandomState(0).standard_normal((300, 4)) * [0.7, 1, 1.5, 1.9] + [0.3, -0.3, 0, 0]
    assert scaling_of(X) is None


def test_a_net_on_scaled_columns_is_the_same_function():
    X = np.random.RandomState(0).standard_normal((50, 5)) * 10 ** np.arange(-2.0, 3) + 7
    scaling, network = scaling_of(X), make_network((5, 4, 3))
    scaled = scaling.to_scaled(network)
    scores = NumpyKernels.scores(network, X)
    z = (X - scaling.mean) / scaling.scale
    assert_allclose(NumpyKernels.scores(scaled, z), scores, rtol=1e-9)
    assert_allclose(scaling.to_original(scaled).parameters, network.parameters, rtol=1e-9)
    other = scaling_of(3 * X + 1)
    again = change_scaling(scaled, scaling, other)
    assert_allclose(again.parameters, other.to_scaled(network).parameters, rtol=1e-9)
    assert_allclose(
        change_scaling(scaled, scaling, None).parameters, network.parameters, rtol=1e-9
    )


def test_the_start_is_shrunk_where_the_penalty_is_steep():
    network, reg = make_network((3, 4, 2)), 0.1
    before = network.copy()
    scaling = NetColumnScaling(np.zeros(3), np.array([1.0, 1e-2, 1e2]))
    scaling.shrink_first_layer(network, reg)
    ridge = reg / np.array([1.0, 1e-4, 1e4])
    assert_allclose(network.weights[0], before.weights[0] / np.sqrt(1 + 4 * ridge), rtol=1e-12)
    assert_array_equal(network.weights[1], before.weights[1])


def test_scalings_that_differ_by_rounding_are_alike():
    old = NetColumnScaling(np.array([1e6, 0.0]), np.array([1.0, 1e-3]))
    assert are_scaled_alike(None, None)
    assert not are_scaled_alike(old, None)
    assert not are_scaled_alike(None, old)
    for change, alike in ((1e-15, True), (1e-6, False)):
        assert are_scaled_alike(old, NetColumnScaling(old.mean * (1 + change), old.scale)) == alike
        assert are_scaled_alike(old, NetColumnScaling(old.mean, old.scale * (1 + change))) == alike
    assert not are_scaled_alike(old, NetColumnScaling(old.mean + 1e-9 * old.scale, old.scale))


class TestScaledColumns:
    @every_solver
    @pytest.mark.parametrize("name", ["wine", "breast cancer", "decades"])
    def test_a_plain_start_to_the_bit(self, name, solver):
        X, y = load(name)
        X = StandardScaler().fit_transform(X)
        net = TwoLayerNetClassifier(8, solver=solver, max_iter=5, random_state=0)
        assert columns_of(X, y, net) is None
        net.fit(X, y)
        plain = clone(net).set_params(init="he").fit(X, y)  # what "auto" is for ReLU
        for layer, other in zip(
            net.coefs_ + net.intercepts_, plain.coefs_ + plain.intercepts_, strict=True
        ):
            assert_array_equal(layer, other)


class TestFittedAttributes:
    """They are in the terms of X as it is, whatever training did with it."""

    @every_solver
    @pytest.mark.parametrize("name", ["wine", "decades"])
    @pytest.mark.parametrize("activation", ["relu", "tanh"])
    def test_probabilities_and_objective_by_hand(self, name, solver, activation):
        X, y = load(name)
        reg = 1e-3
        weights = np.random.RandomState(0).randint(1, 4, len(y)).astype(float)
        net = TwoLayerNetClassifier(
            8, reg, activation=activation, solver=solver, max_iter=10, random_state=0
        ).fit(X, y, weights)
        assert columns_of(X, y, net) is not None
        (W1, W2), (b1, b2) = net.coefs_, net.intercepts_
        f = np.tanh if activation == "tanh" else lambda z: np.maximum(z, 0)
        scores = f(X @ W1 + b1) @ W2 + b2
        assert_allclose(net.predict_proba(X), softmax(scores, axis=1), rtol=1e-6, atol=1e-12)
        entropy = -log_softmax(scores, axis=1)[np.arange(len(y)), y]
        penalty = reg / 2 * sum(np.sum(W**2) for W in net.coefs_)
        assert_allclose(net.loss_, np.average(entropy, weights=weights) + penalty, rtol=1e-8)

    @pytest.mark.parametrize("solver", ["gd", "lbfgs"])
    def test_curve_is_that_objective_too(self, solver):
        X, y = load("wine")
        params = {"hidden_size": 8, "solver": solver, "random_state": 0}
        curve = TwoLayerNetClassifier(max_iter=6, **params).fit(X, y).loss_curve_
        for k in range(1, 6):
            shorter = TwoLayerNetClassifier(max_iter=k, **params).fit(X, y)
            assert_allclose(curve[k], shorter.loss_, rtol=1e-8)

    def test_validation_loss(self):
        X, y = load("wine")
        net = TwoLayerNetClassifier(8, max_iter=10, random_state=0)
        net.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
        log_loss = -net.predict_log_proba(X[1::2])[np.arange(len(y) // 2), y[1::2]].mean()
        assert_allclose(min(net.validation_loss_curve_), log_loss, rtol=1e-8)


def test_units_of_columns_do_not_matter():
    X, y = load("breast cancer")
    scales = np.logspace(-4, 4, X.shape[1])
    net = TwoLayerNetClassifier(8, reg=0, max_iter=20, random_state=0)
    one = clone(net).fit(X, y).predict_proba(X)
    other = clone(net).fit(X * scales, y).predict_proba(X * scales)
    assert_allclose(other, one, atol=1e-6)


class TestStart:
    """What is drawn on scaled columns is harmless in X's own variables."""

    @every_solver
    @pytest.mark.parametrize("spread", [0.1, 1e-4, 1e-30])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_small_spreads(self, solver, spread, dtype):
        X, y = make_classification(150, 30, n_informative=8, random_state=0)
        X = (spread * StandardScaler().fit_transform(X)).astype(dtype)
        net = TwoLayerNetClassifier(solver=solver, max_iter=40, random_state=0).fit(X, y)
        plain = clone(net).set_params(init="he").fit(X, y)
        assert net.loss_curve_[0] < 3
        assert net.loss_ <= plain.loss_ * 1.01

    @every_solver
    @pytest.mark.parametrize("reg", [1e-3, 1e-8, 0])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_rounding_that_is_none_in_the_test(self, solver, reg, dtype):
        X, y = load("wine")
        X = StandardScaler().fit_transform(X)
        noise = np.random.RandomState(0).standard_normal((len(X), 1))
        net = TwoLayerNetClassifier(16, reg=reg, solver=solver, max_iter=40, random_state=0)
        X_train = np.column_stack([X, 1e-16 * noise]).astype(dtype)
        net.fit(X_train, y)
        assert np.abs(net.coefs_[0][-1]).max() < 2
        X_test = np.column_stack([X, 1e-10 * noise[::-1]]).astype(dtype)
        assert_allclose(net.predict_proba(X_test), net.predict_proba(X_train), atol=1e-5)

    @every_solver
    @pytest.mark.parametrize("scaled", [False, True])
    def test_principal_components_in_float32(self, solver, scaled):
        X, y = load_digits(n_class=4, return_X_y=True)
        if scaled:
            X = StandardScaler().fit_transform(X)
        X = PCA().fit_transform(X.astype(np.float32))
        net = TwoLayerNetClassifier(20, solver=solver, max_iter=30, random_state=0).fit(X, y)
        assert net.loss_curve_[0] < 4
        assert net.score(X, y) > 0.95


def draw_hard_problem(seed):
    """Columns of any scale and offset, copied, heavy-tailed, rare, constant or nearly so."""
    rng = np.random.RandomState(seed)
    n_samples, n_features, n_classes = rng.choice([20, 60, 200]), rng.choice([3, 10, 80]), 3
    X = rng.standard_normal((n_samples, n_features))
    for j, kind in enumerate(rng.randint(10, size=n_features)):
        column = X[:, j]
        X[:, j] = (
            column,
            column * 10 ** rng.uniform(-14, -2),
            column * 10 ** rng.uniform(2, 8),
            column + 10 ** rng.uniform(0, 6),
            X[:, rng.randint(n_features)],
            np.exp(2 * column),
            (np.arange(n_samples) == rng.randint(n_samples)) * 10 ** rng.uniform(-3, 3),
            column > 1,
            np.full(n_samples, 10 ** rng.uniform(-8, 8)),
            np.arange(n_samples) % rng.choice([2, 5]) == 0,
        )[kind]
    y = rng.randint(n_classes, size=n_samples)
    weights = rng.randint(1 if seed % 2 else 0, 3, size=n_samples).astype(float)
    y[:n_classes], weights[:n_classes] = range(n_classes), 1
    params = {"hidden_size": rng.choice([5, 50]).item(), "reg": 10 ** rng.uniform(-8, 0)}
    return X.astype([np.float32, np.float64][seed // 2 % 2]), y, weights, params


@every_solver
@pytest.mark.parametrize("seed", range(8))
def test_any_columns(solver, seed):
    X, y, weights, params = draw_hard_problem(seed)
    net = TwoLayerNetClassifier(**params, solver=solver, activation="tanh", random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net.set_params(max_iter=40).fit(X, y, weights)
    assert net.loss_curve_[0] < 8
    told = any("equal probabilities" in str(warning.message) for warning in caught)
    assert told == (net.loss_ > np.log(3) * (1 + 1e-6))
    assert {warning.category for warning in caught} <= {ConvergenceWarning}
    dense = net.set_params(max_iter=4).fit(X, y, weights).loss_curve_
    stored = net.fit(csr_array(X), y, weights).loss_curve_
    assert_allclose(stored, dense, rtol=1e-3 if X.dtype == np.float32 else 1e-7)


def test_only_the_init_auto_scales():
    X, y = load("wine")
    net = TwoLayerNetClassifier(8, max_iter=3, learning_rate=1e-5, random_state=0)
    plain, scaled = clone(net).set_params(init="he").fit(X, y), net.fit(X, y)
    # a plain start on columns in the hundreds begins far from the scores that mean nothing
    assert plain.loss_curve_[0] > 5 > scaled.loss_curve_[0]
