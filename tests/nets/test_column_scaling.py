"""The scaling of columns: its rule, the change of variables, and nets on raw columns."""

import warnings

import numpy as np
import pytest
from helpers import assert_same_bits, plain_objective, plain_scores
from kernel_cases import make_network
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn._nets.column_scaling import NetColumnScaling, change_scaling
from sklearn_toynn._nets.kernels.numpy_kernels import NumpyKernels
from sklearn_toynn._nets.samples import Samples

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SOLVERS = ["adam", "gd", "lbfgs", "sgd"]
every_solver = pytest.mark.parametrize("solver", SOLVERS)
two_solvers = pytest.mark.parametrize("solver", ["adam", "lbfgs"])


def make_decades():
    """Return columns with standard deviations and means over six decades."""
    X, y = make_classification(
        600, 12, n_informative=6, n_classes=3, class_sep=1.5, random_state=0
    )
    scales = np.random.RandomState(0).permutation(np.logspace(-3, 3, 12))
    return (X + np.random.RandomState(1).standard_normal(12)) * scales, y


LOADERS = {"wine": lambda: load_wine(return_X_y=True), "decades": make_decades}
X_wine, y_wine = LOADERS["wine"]()


def scaling_of(X, weights=None, rows=None):
    weights = np.ones(X.shape[0], X.dtype) if weights is None else weights
    return NetColumnScaling.from_samples(Samples(X, None, weights, rows), X.dtype)


# ---- the rule and the change of variables


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("container", [np.asarray, csr_array])
@pytest.mark.parametrize("uses_rows", [False, True])
def test_means_and_scales_follow_the_rule(dtype, container, uses_rows):
    rng = np.random.RandomState(0)
    z = rng.standard_normal((400, 9))
    weights = rng.uniform(0.5, 2, 400).astype(dtype)
    rows = rng.permutation(400)[:300] if uses_rows else None
    used = slice(None) if rows is None else rows
    offset, spread = (1e4, 1e-3) if dtype == np.float32 else (1e6, 2e-10)
    X = np.column_stack([
        0.7 * z[:, 0] + 0.3,  # stays unchanged
        z[:, 1] + 2,
        1e3 * z[:, 2],
        1e-3 * z[:, 3] + 4e-4,  # a mean within half the scale stays
        np.arange(400) == used[7] if uses_rows else np.arange(400) == 7,
        np.full(400, 3.0),
        np.zeros(400),
        offset + spread * z[:, 7],  # rounding errors relative to its mean
        1e-16 * z[:, 8],  # rounding errors relative to the widest column
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


def test_standardized_columns_stay_unchanged():
    X = np.random.RandomState(0).standard_normal((300, 4)) * [0.7, 1, 1.5, 1.9] + [0.3, -0.3, 0, 0]
    assert scaling_of(X) is None
    X = StandardScaler().fit_transform(X_wine)
    assert scaling_of(X) is None
    net = TwoLayerNetClassifier(8, max_iter=5, random_state=0).fit(X, y_wine)
    # "he" is "auto" for ReLU
    assert_same_bits(clone(net).set_params(init="he").fit(X, y_wine), net)


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


def test_the_initial_weights_shrink_with_a_steep_penalty():
    network, reg = make_network((3, 4, 2)), 0.1
    before = network.copy()
    scaling = NetColumnScaling(np.zeros(3), np.array([1.0, 1e-2, 1e2]))
    scaling.shrink_first_layer(network, reg)
    ridge = reg / np.array([1.0, 1e-4, 1e4])
    assert_allclose(network.weights[0], before.weights[0] / np.sqrt(1 + 4 * ridge), rtol=1e-12)
    assert_array_equal(network.weights[1], before.weights[1])


# ---- fitted attributes, in the original columns


@every_solver
@pytest.mark.parametrize(("name", "activation"), [("wine", "relu"), ("decades", "tanh")])
def test_probabilities_and_objective_are_on_the_original_columns(name, solver, activation):
    X, y = LOADERS[name]()
    assert scaling_of(X) is not None
    weights = np.random.RandomState(0).randint(1, 4, len(y)).astype(float)
    net = TwoLayerNetClassifier(
        8, 1e-3, activation=activation, solver=solver, max_iter=10, dtype="float64", random_state=0
    ).fit(X, y, weights, X_val=X, y_val=y)
    log_loss = -net.predict_log_proba(X)[np.arange(len(y)), y].mean()
    assert_allclose(min(net.validation_loss_curve_), log_loss, rtol=1e-8)
    probabilities = softmax(plain_scores(net, X), axis=1)
    assert_allclose(net.predict_proba(X), probabilities, rtol=1e-6, atol=1e-12)
    assert_allclose(net.loss_, plain_objective(net, X, y, weights), rtol=1e-8)


@pytest.mark.parametrize("solver", ["gd", "lbfgs"])
def test_the_loss_curve_is_on_the_original_columns(solver):
    params = {"hidden_size": 8, "solver": solver, "random_state": 0}
    curve = TwoLayerNetClassifier(max_iter=6, **params).fit(X_wine, y_wine).loss_curve_
    for k in range(1, 6):
        shorter = TwoLayerNetClassifier(max_iter=k, **params).fit(X_wine, y_wine)
        assert_allclose(curve[k], shorter.loss_, rtol=1e-8)


def test_scales_of_columns_do_not_matter():
    X, y = load_breast_cancer(return_X_y=True)
    scales = np.logspace(-4, 4, X.shape[1])
    net = TwoLayerNetClassifier(8, reg=0, max_iter=20, random_state=0)
    one = clone(net).fit(X, y).predict_proba(X)
    other = clone(net).fit(X * scales, y).predict_proba(X * scales)
    assert_allclose(other, one, atol=1e-6)


# ---- the initial weights on scaled columns


@two_solvers
@pytest.mark.parametrize(
    ("spread", "dtype"),
    [(0.1, np.float64), (1e-4, np.float32), (1e-30, np.float32), (1e-30, np.float64)],
)
def test_columns_with_a_small_spread_fit_as_well_as_unscaled_ones(solver, spread, dtype):
    X, y = make_classification(150, 30, n_informative=8, random_state=0)
    X = (spread * StandardScaler().fit_transform(X)).astype(dtype)
    net = TwoLayerNetClassifier(solver=solver, max_iter=40, random_state=0).fit(X, y)
    plain = clone(net).set_params(init="he").fit(X, y)
    assert net.loss_curve_[0] < 3
    assert net.loss_ <= plain.loss_ * 1.01


@two_solvers
@pytest.mark.parametrize("reg", [1e-3, 0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_column_of_rounding_errors_gets_no_large_weights(solver, reg, dtype):
    X = StandardScaler().fit_transform(X_wine)
    noise = np.random.RandomState(0).standard_normal((len(X), 1))
    net = TwoLayerNetClassifier(16, reg=reg, solver=solver, max_iter=40, random_state=0)
    X_train = np.column_stack([X, 1e-16 * noise]).astype(dtype)
    net.fit(X_train, y_wine)
    assert np.abs(net.coefs_[0][-1]).max() < 2
    X_test = np.column_stack([X, 1e-10 * noise[::-1]]).astype(dtype)
    assert_allclose(net.predict_proba(X_test), net.predict_proba(X_train), atol=1e-5)


def draw_hard_problem(seed):
    """Draw columns of any scale and offset: copies, heavy tails, rare and constant values."""
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


# all pairs of a solver and `seed % 4`, which chooses weights and dtype
@pytest.mark.parametrize(
    ("seed", "solver"), [(seed, SOLVERS[(seed + seed // 4) % 4]) for seed in range(16)]
)
def test_any_columns(solver, seed):
    X, y, weights, params = draw_hard_problem(seed)
    net = TwoLayerNetClassifier(**params, solver=solver, activation="tanh", random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net.set_params(max_iter=40).fit(X, y, weights)
    assert net.loss_curve_[0] < 8
    is_warned_of = any("weights at 0" in str(warning.message) for warning in caught)
    assert is_warned_of == (net.loss_ > np.log(3) * (1 + 1e-6))
    assert {warning.category for warning in caught} <= {ConvergenceWarning}
    dense = net.set_params(max_iter=4).fit(X, y, weights).loss_curve_
    stored = net.fit(csr_array(X), y, weights).loss_curve_
    assert_allclose(stored, dense, rtol=1e-3 if X.dtype == np.float32 else 1e-7)
