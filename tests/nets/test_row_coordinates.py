"""Training in coordinates of the rows, for X with many more columns than rows."""

import numpy as np
import pytest
from helpers import ends_early, plain_objective
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import log_loss

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._nets.network import Network
from sklearn_toynn._nets.row_coordinates import RowCoordinates, reduce_columns
from sklearn_toynn._nets.samples import Samples

pytestmark = ends_early


def make_wide(n_rows=60, n_features=300, n_classes=3, dtype=np.float64):
    rng = np.random.RandomState(0)
    y = np.arange(n_rows) % n_classes
    X = rng.standard_normal((n_rows, n_features)) + 0.3 * rng.standard_normal((3, n_features))[y]
    return (3 * X + 100).astype(dtype), y


def space_of(X, rows=None):
    return RowCoordinates.from_samples(Samples(X, None, np.ones(len(X), X.dtype), rows))[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("rows", [None, np.arange(40)[::-2]])
def test_distances_scores_and_penalty_equal_those_in_X(dtype, order, rows):  # noqa: N802
    X, y = make_wide(40, dtype=dtype)
    X = np.asarray(np.vstack([X, X[:5]]), order=order)  # dependent rows
    y = np.append(y, y[:5])
    samples = Samples(X, y, np.ones(len(y), dtype), rows)
    validation = Samples(X, y, np.ones(len(y), dtype), np.array([1, 3, 44]))
    reduced, reduced_validation = reduce_columns(samples, validation)
    used = X if rows is None else X[rows]
    Z = reduced.X
    assert Z.dtype == dtype
    assert Z.shape == (len(used), len(np.unique(used, axis=0)) - 1)
    assert_array_equal(reduced.codes, y if rows is None else y[rows])
    centered = used - used.mean(axis=0, dtype=float)
    rtol = 1e-9 if dtype == np.float64 else 1e-3
    assert_allclose(Z @ Z.T, centered @ centered.T, rtol=rtol, atol=rtol * 100)
    rng = np.random.RandomState(1)
    network = Network.from_layers(
        [rng.standard_normal((4, Z.shape[1])).astype(dtype)], [np.ones(4, dtype)], None
    )
    original = reduced.to_original(network)
    (V,), (c,), (W,), (b,) = network.weights, network.biases, original.weights, original.biases
    assert original.parameters.dtype == dtype
    assert_allclose(np.sum(W**2), np.sum(V**2), rtol=rtol)
    scale = np.abs(X).max() * np.abs(W).sum()
    for rows_of_X, rows_of_Z in ((used, Z), (X[validation.rows], reduced_validation.X)):
        assert_allclose(rows_of_X @ W.T + b, rows_of_Z @ V.T + c, atol=rtol * 1e-2 * scale)


def test_columns_of_very_different_scales_are_not_replaced():
    X, _ = make_wide()
    X[:, 0] *= 1e7
    assert space_of(X) is None
    assert space_of(np.full((5, 30), 2.0)) is None
    assert space_of(1e308 * np.random.RandomState(0).uniform(-1, 1, (5, 30))) is None


@pytest.mark.parametrize(
    ("n_rows", "n_features", "n_classes"), [(50, 400, 2), (90, 200, 3), (210, 430, 3)]
)
@pytest.mark.parametrize("reg", ["auto", 1e-3])
def test_the_objective_is_at_most_the_objective_of_training_on_the_columns(
    n_rows, n_features, n_classes, reg
):
    X, y = make_wide(n_rows, n_features, n_classes)
    weights = np.random.RandomState(0).uniform(0.5, 2, n_rows)
    net = TwoLayerNetClassifier(10, reg, dtype="float64", random_state=0).fit(X, y, weights)
    # a warm start trains on the columns of X
    direct = clone(net).set_params(warm_start=True).fit(X, y, weights)
    objective = plain_objective(net, X, y, weights)
    assert_allclose(net.loss_, objective, rtol=1e-6)
    assert objective <= 1.01 * direct.loss_


def test_the_minimum_of_a_linear_model_is_the_same():
    X, y = make_wide()
    exact = SoftmaxClassifier(1.0, tol=1e-12).fit(X, y)
    model = SoftmaxClassifier(1.0, solver="adam", max_iter=4000, dtype="float64").fit(X, y)
    assert_allclose(model.coef_, exact.coef_, atol=1e-4 * np.abs(exact.coef_).max())
    assert_allclose(model.predict_proba(X), exact.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("params", [{}, {"n_nets": 2}, {"solver": "lbfgs"}], ids=str)
def test_weights_and_validation_loss_belong_to_the_columns(params):
    X, y = make_wide()
    X_val, y_val = X[::2] + np.random.RandomState(1).standard_normal(X[::2].shape), y[::2]
    net = MultiLayerNetClassifier((30, 10), max_iter=20, random_state=0, **params)
    net.fit(X, y, X_val=X_val, y_val=y_val)
    assert net.coefs_[0].shape[-2:] == (300, 30)
    if "n_nets" in params:
        alone = MultiLayerNetClassifier((30, 10), max_iter=20, random_state=0)
        alone.fit(X, y, X_val=X_val, y_val=y_val)
        assert_array_equal(net.coefs_[0][0], alone.coefs_[0])
    else:
        entropy = log_loss(y_val, net.predict_proba(X_val))
        assert_allclose(net.validation_loss_curve_[net.best_iter_], entropy, rtol=1e-5)


@pytest.mark.parametrize(
    "change",
    [{"init": "he"}, {"reg": 0.0}, {"warm_start": True}, {"hidden_size": 9}],
    ids=str,
)
def test_training_on_the_columns(change):
    """If the path matters or the span lacks the minimum, the weights leave the span."""
    X, y = make_wide()
    spans = []
    for params in ({}, change):
        net = TwoLayerNetClassifier(max_iter=5, random_state=0, **params).fit(X, y)
        span = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[2][:-1]
        rest = net.coefs_[0] - span.T @ (span @ net.coefs_[0])
        spans.append(np.abs(rest).max() < 1e-8)
    assert spans == [True, False]


def test_sparse_rows_stay_sparse():
    X, y = make_wide()
    X[X < 100] = 0
    sparse_net, net = (
        TwoLayerNetClassifier(30, max_iter=3, random_state=0, **params).fit(rows, y)
        for rows, params in ((sparse.csr_array(X), {}), (X, {"warm_start": True}))
    )
    assert_allclose(sparse_net.loss_curve_, net.loss_curve_, rtol=1e-6)


def test_few_rows_get_enough_steps():
    for n_rows, n_epochs in ((60, 1000), (201, 500), (450, 334)):
        X, y = make_wide(n_rows, max(257, 4 * n_rows))
        assert TwoLayerNetClassifier(10, random_state=0).fit(X, y).n_iter_ == n_epochs
    for n_rows, n_features in ((60, 256), (70, 279)):
        X, y = make_wide(n_rows, n_features)
        assert TwoLayerNetClassifier(10, random_state=0).fit(X, y).n_iter_ == 240


@pytest.mark.parametrize("way", ["repeated", "weight 0"])
def test_only_the_rows_in_use_affect_lbfgs(way):
    """Repeated rows and rows of weight 0 give the same bits as weights."""
    X, y = make_wide(60, 300)
    net = TwoLayerNetClassifier(10, solver="lbfgs", max_iter=20, random_state=0)
    if way == "repeated":
        weighted = clone(net).fit(X, y, np.full(60, 2.0))
        other = clone(net).fit(np.repeat(X, 2, axis=0), np.repeat(y, 2))
    else:
        weighted = clone(net).fit(X, y)
        other = clone(net).fit(np.vstack([X, -X[:50]]), np.append(y, y[:50]), np.arange(110) < 60)
    assert_array_equal(other.coefs_[0], weighted.coefs_[0])


@pytest.mark.parametrize("factor", [1e-100, 1e-25, 1e25])
def test_any_scale_of_the_columns_trains_in_float32(factor):
    X, y = make_wide(300, 1300)
    net = TwoLayerNetClassifier(10, max_iter=5, random_state=0).fit(factor * X, y)
    double = clone(net).set_params(dtype="float64").fit(factor * X, y)
    assert net.stop_reason_ == "schedule"
    assert_allclose(net.loss_, double.loss_, rtol=1e-3)


def test_with_many_validation_rows_training_uses_the_columns():
    X, y = make_wide()
    X_val, y_val = np.tile(X, (17, 1)), np.tile(y, 17)
    net = TwoLayerNetClassifier(10, random_state=0).fit(X, y, X_val=X_val, y_val=y_val)
    assert net.n_iter_ <= 240
