"""The dtypes of training and of its results."""

import pickle

import numpy as np
import pytest
from helpers import ends_early, parameters, wine
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._training import training

pytestmark = ends_early

BATCHES = {"batch_size": 50, "max_iter": 5, "random_state": 0}


@pytest.fixture
def training_dtypes(monkeypatch):
    """The dtypes of the nets that are trained."""
    dtypes, train_net = [], training.train_net

    def record(start, options, *args, **kwargs):
        result, error = train_net(start, options, *args, **kwargs)
        dtypes.append(result.checkpoint.network.parameters.dtype.name)
        return result, error

    monkeypatch.setattr(training, "train_net", record)
    return dtypes


@pytest.mark.parametrize("x_dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, "float32"),
        ({"solver": "sgd"}, "float32"),
        ({"solver": "gd"}, None),
        ({"solver": "lbfgs"}, None),
        ({"init": "he"}, None),
        ({"batch_size": 178}, None),
        ({"batch_size": 177}, "float32"),
        ({"batch_size": 177, "early_stopping": True}, None),
        ({"solver": "gd", "dtype": "float32"}, "float32"),
        ({"solver": "lbfgs", "dtype": "float64"}, "float64"),
        ({"dtype": "float64"}, "float64"),
        ({"init": "he", "dtype": "float32"}, "float32"),
    ],
    ids=str,
)
def test_training_dtype_and_dtype_of_results(training_dtypes, x_dtype, params, expected):
    X, y = wine()
    X = X.astype(x_dtype)
    net = TwoLayerNetClassifier(5, tol=0.1, **{**BATCHES, **params}).fit(X, y)
    assert training_dtypes == [expected or x_dtype]
    assert {array.dtype.name for array in parameters(net)} == {x_dtype}
    assert net.predict_proba(X).dtype == x_dtype


def test_partial_fit_trains_in_the_dtype_of_the_rows_unless_named(training_dtypes):
    X, y = wine()
    for dtype in ("auto", "float32"):
        SoftmaxClassifier(solver="adam", batch_size=50, dtype=dtype).partial_fit(X, y, [0, 1, 2])
    assert training_dtypes == ["float64", "float32"]


@pytest.mark.parametrize("model", [SoftmaxClassifier(solver="sgd"), TwoLayerNetClassifier(5)])
@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_float32_training_differs_only_by_rounding(model, container):
    """Columns with large means, large scales and tiny scales included."""
    X, y = wine()
    X[:, 1] += 1e5
    X[:, 2] *= 1e200
    X[:, 3] *= 1e-200
    X[:, 4] = np.where(np.arange(len(X)) % 3, 0, X[:, 4])
    rows = container(X)
    one, other = (
        clone(model).set_params(dtype=dtype, **BATCHES).fit(rows, y)
        for dtype in ("auto", "float64")
    )
    for array in parameters(one):
        assert np.isfinite(array).all()
    assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-4)
    assert_allclose(one.predict_proba(rows), other.predict_proba(rows), atol=1e-4)


@pytest.mark.parametrize("scales", [False, True])
def test_a_warm_start_continues_a_float32_training(scales):
    """Except for the schedule, two fits of 5 epochs equal one of 10."""
    X, y = wine()
    X = 3 * X + 1 if scales else X
    params = BATCHES | {"schedule": "constant", "tol": 0, "warm_start": True}
    net = TwoLayerNetClassifier(5, **params).fit(X, y)
    net = pickle.loads(pickle.dumps(net)).fit(X, y)
    whole = TwoLayerNetClassifier(5, **params | {"max_iter": 10}).fit(X, y)
    assert_array_equal(net.loss_curve_, whole.loss_curve_)
    for one, other in zip(parameters(net), parameters(whole), strict=True):
        assert_array_equal(one, other)


def test_edited_weights_are_used_as_they_are():
    X, y = wine()
    X[:, 0] += 1e6  # float32 cannot represent the differences from this mean
    params = BATCHES | {"learning_rate": 1e-12, "warm_start": True, "max_iter": 1}
    net = TwoLayerNetClassifier(5, **params).fit(X, y)
    net.coefs_ = [2 * W for W in net.coefs_]
    net.intercepts_ = [2 * b for b in net.intercepts_]
    before = net.predict_proba(X)
    net.fit(X, y)
    assert_allclose(net.predict_proba(X), before, rtol=1e-4)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_values_beyond_float32(container):
    X, y = wine()
    X = container(X * 1e40)
    message = r"dtype='float32' cannot hold the values of X, .* up to .*e\+4\d. Set dtype='auto'"
    for params in ({"init": "he"}, {"init": 0.1, "solver": "gd"}):
        with pytest.raises(ValueError, match=message):
            TwoLayerNetClassifier(5, dtype="float32", **params).fit(X, y)
    with pytest.raises(ValueError, match=message):
        TwoLayerNetClassifier(5, dtype="float32").partial_fit(X, y, [0, 1, 2])
    scaled = TwoLayerNetClassifier(5, dtype="float32", **BATCHES).fit(X, y)
    double = TwoLayerNetClassifier(5, dtype="float64", **BATCHES).fit(X, y)
    assert_allclose(scaled.loss_, double.loss_, rtol=1e-5)


def test_a_validation_value_beyond_float32():
    X, y = wine()
    X_val = X.copy()
    X_val[0, 0] = 1e40
    params = {"X_val": X_val, "y_val": y}
    net = TwoLayerNetClassifier(5, random_state=0, batch_size=50, max_iter=5)
    auto, double = (
        clone(net).set_params(dtype=d).fit(X, y, **params) for d in ("auto", "float64")
    )
    assert_array_equal(auto.validation_loss_curve_, double.validation_loss_curve_)
    with pytest.raises(
        ValueError, match=r"dtype='float32' cannot hold the values of X_val, .*e\+40"
    ):
        clone(net).set_params(dtype="float32", init=0.1).fit(X, y, **params)


def test_linear_solvers_ignore_dtype():
    X, y = wine()
    fits = [SoftmaxClassifier(dtype=d, init=0.1).fit(X * 1e39, y) for d in ("float32", "auto")]
    assert_array_equal(fits[0].coef_, fits[1].coef_)
