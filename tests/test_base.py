"""Invalid parameters, and failed fits, which keep the earlier fit."""

import pickle
import re

import numpy as np
import pytest
from helpers import ends_early, every_class, raise_late, wine, with_entry
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

X, y = wine()

# ---- invalid parameters

BAD_PARAMETERS = [
    *(("reg", value) for value in (-1e-3, np.nan, np.inf, "small", None)),
    *(("solver", value) for value in ("newton-cg", None, 3)),
    *(("learning_rate", value) for value in (0, -1.0, np.nan, np.inf, "fast", None)),
    *(("schedule", value) for value in ("step", None, 0.5)),
    *(("momentum", value) for value in (-0.1, 1.0, np.nan, "auto", None)),
    *(("batch_size", value) for value in (0, -5, 2.5, "all", None)),
    *(("max_iter", value) for value in (0, -5, 2.5, "many", None)),
    *(("tol", value) for value in (-1e-5, np.nan, np.inf, "tight", None)),
    *(("n_iter_no_change", value) for value in (0, -5, 2.5, "few", None)),
    *(("early_stopping", value) for value in ("yes", 2, None)),
    *(("validation_fraction", value) for value in (0.0, 1.0, -0.1, np.nan, "tenth", None)),
    *(("class_weight", value) for value in ("even", 2.0, [1.0, 2.0, 3.0])),
    *(("init", value) for value in ("xavier", -0.1, np.nan, np.inf, None)),
    *(("shuffle", value) for value in ("yes", 2, None)),
    *(("random_state", value) for value in ("seed", -1, 0.5)),
    *(("dtype", value) for value in ("float16", np.float32, None)),
    *(("encoding", value) for value in ("spline", True, None)),
    *(("warm_start", value) for value in ("yes", 2, None)),
    *(("verbose", value) for value in (-1, 0.5, "loud", None)),
]
BAD_NET_PARAMETERS = [
    *(("hidden_size", value) for value in (0, -5, 2.5, (100,), "wide", None)),
    *(("n_nets", value) for value in (0, -5, 2.5, "many", None)),
    *(("activation", value) for value in ("sigmoid", None, np.tanh)),
    # solvers of the linear model
    ("solver", "newton"),
    ("solver", "auto"),
]


@pytest.mark.parametrize(
    ("model_class", "name", "value"),
    [
        *((TwoLayerNetClassifier, *bad) for bad in [*BAD_PARAMETERS, *BAD_NET_PARAMETERS]),
        *((SoftmaxClassifier, *bad) for bad in BAD_PARAMETERS[::5]),
    ],
)
def test_an_invalid_parameter_is_named(model_class, name, value):
    message = rf"'{name}' parameter of {model_class.__name__}.* Got {re.escape(repr(value))}"
    with pytest.raises(ValueError, match=message):
        model_class(**{name: value}).fit(X, y)


def test_partial_fit_checks_the_parameters():
    net = TwoLayerNetClassifier(solver="sgd", momentum=1.0)
    with pytest.raises(ValueError, match="'momentum' parameter"):
        net.partial_fit(X, y, classes=[0, 1, 2])


def test_every_parameter_has_invalid_values_above():
    named = {name for name, _ in [*BAD_PARAMETERS, *BAD_NET_PARAMETERS]}
    assert named == set(TwoLayerNetClassifier().get_params())


@every_class
def test_other_parameters_are_keyword_only(model_class):
    with pytest.raises(TypeError, match="positional"):
        model_class(1, 2, 3)
    with pytest.raises(TypeError, match="positional"):
        model_class().fit(X, y, None, X, y)


# ---- failed fits


def raise_in_init(*_):
    raise RuntimeError("early")


FAILURES = [
    ({"reg": -1.0}, X, y, {}),
    ({}, with_entry(X, (0, 0), np.nan), y, {}),
    ({}, np.c_[X, X], 0 * y, {}),
    ({}, X, y + 7, {"sample_weight": -np.ones(len(y))}),
    ({"class_weight": {0: -1.0, 1: 1.0, 2: 1.0}}, X, y, {}),
    ({}, X[:, 1:], y + 7, {"X_val": np.ones((1, 5)), "y_val": [7]}),
    ({"early_stopping": True, "validation_fraction": 0.999}, X[:, 1:], y + 7, {}),
    ({"init": raise_in_init}, X[:, 1:], y + 7, {}),
    ({"schedule": raise_late}, X[:, 1:], y + 7, {}),
    ({"warm_start": True}, X[:, 1:], y, {}),
    ({"warm_start": True}, X, y + 1, {}),
    ({"warm_start": True}, X[y < 2], y[y < 2], {}),
    ({"warm_start": True, "schedule": raise_late}, X, y, {}),
]


def fitted_attributes(model):
    """Return their bytes, as lists and arrays may change in place."""
    return {name: pickle.dumps(value) for name, value in vars(model).items() if name[-1] == "_"}


@ends_early
@pytest.mark.parametrize(("params", "X_bad", "y_bad", "kwargs"), FAILURES)
@pytest.mark.parametrize(
    ("model_class", "solver"), [(SoftmaxClassifier, "gd"), (TwoLayerNetClassifier, "adam")]
)
def test_a_failed_fit_keeps_the_earlier_one(model_class, solver, params, X_bad, y_bad, kwargs):
    # a validation set adds attributes
    fitted = model_class(solver=solver, max_iter=20, tol=0, random_state=0)
    fitted.fit(X, y, X_val=X[::3], y_val=y[::3])
    before, probability = fitted_attributes(fitted), fitted.predict_proba(X)
    unchanged = fitted.get_params()
    fitted.set_params(**params)
    with pytest.raises((ValueError, RuntimeError)):
        fitted.fit(X_bad, y_bad, **kwargs)
    assert fitted_attributes(fitted) == before
    assert_array_equal(fitted.predict_proba(X), probability)
    assert fitted.score(X, y) > 0.5
    # the next fit is not affected
    fitted.set_params(**unchanged).fit(X, y)
    alone = model_class(**unchanged).fit(X, y)
    assert_array_equal(fitted.predict_proba(X), alone.predict_proba(X))


@pytest.mark.parametrize(
    "bad",
    [
        (with_entry(X, (0, 0), np.nan), y),
        (X[:, 1:], y),
        (X, y + 1),
        (X, y, [0, 1]),
        (X, y, None, -np.ones(len(y))),
    ],
)
@pytest.mark.parametrize(
    ("model_class", "solver"), [(SoftmaxClassifier, "sgd"), (TwoLayerNetClassifier, "adam")]
)
def test_a_failed_partial_fit_keeps_weights_state_and_stream(model_class, solver, bad):
    model, undisturbed = (
        model_class(solver=solver, random_state=0).partial_fit(X, y, classes=[0, 1, 2])
        for _ in range(2)
    )
    with pytest.raises(ValueError, match=r"X|y|classes|sample_weight"):
        model.partial_fit(*bad)
    model.partial_fit(X, y)
    undisturbed.partial_fit(X, y)
    assert_array_equal(model.predict_proba(X), undisturbed.predict_proba(X))
    assert model.loss_curve_ == undisturbed.loss_curve_


@ends_early
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_failed_warm_start_keeps_state_and_stream(solver):
    params = {"schedule": "constant", "max_iter": 5, "batch_size": 20, "tol": 0}
    model, undisturbed = (
        TwoLayerNetClassifier(solver=solver, random_state=0, warm_start=True, **params).fit(X, y)
        for _ in range(2)
    )
    with pytest.raises(RuntimeError, match="late"):
        model.set_params(schedule=raise_late).fit(X, y)
    model.set_params(schedule="constant").fit(X, y)
    undisturbed.fit(X, y)
    assert_array_equal(model.predict_proba(X), undisturbed.predict_proba(X))


@every_class
def test_a_warning_turned_into_an_error_keeps_the_earlier_fit(model_class):
    model = model_class(solver="gd", tol=1.0, random_state=0).fit(X, y)
    probability = model.predict_proba(X)
    model.set_params(tol=1e-12, max_iter=2)
    with pytest.raises(ConvergenceWarning):  # by the warning filter of the tests
        model.fit(X, y)
    assert_array_equal(model.predict_proba(X), probability)
