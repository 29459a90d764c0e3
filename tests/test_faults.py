"""Bad input, failed fits, divergence and Ctrl-C."""

import inspect
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._nets.network import Network
from sklearn_toynn._training.run import TrainingRun
from sklearn_toynn._validation import split_rows
from sklearn_toynn.model_selection import FusedGridSearchCV

MODEL_CLASSES = [SoftmaxClassifier, TwoLayerNetClassifier]


def solvers_of(model_class):
    (options,) = model_class._parameter_constraints["solver"]
    return sorted(options.options)


SOLVERS = [
    (model_class, solver) for model_class in MODEL_CLASSES for solver in solvers_of(model_class)
]
# for fits whose end at `max_iter` is beside the point
ends_early = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
every_class = pytest.mark.parametrize("model_class", MODEL_CLASSES)
every_solver = pytest.mark.parametrize(("model_class", "solver"), SOLVERS)


def wine():
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def with_entry(array, index, value):
    array = np.array(array)
    array[index] = value
    return array


def parameters(model):
    if isinstance(model, SoftmaxClassifier):
        return [model.coef_, model.intercept_]
    return [*model.coefs_, *model.intercepts_]


def is_finite(model):
    return all(np.isfinite(a).all() for a in parameters(model))


# ---- wrong parameters


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
    *(("warm_start", value) for value in ("yes", 2, None)),
    *(("verbose", value) for value in (-1, 0.5, "loud", None)),
]
BAD_NET_PARAMETERS = [
    *(("hidden_size", value) for value in (0, -5, 2.5, (100,), "wide", None)),
    *(("n_nets", value) for value in (0, -5, 2.5, "many", None)),
    *(("activation", value) for value in ("sigmoid", None, np.tanh)),
    # these are the linear model's own
    ("solver", "newton"),
    ("solver", "auto"),
]
ALL_BAD_PARAMETERS = [
    *((model_class, *bad) for model_class in MODEL_CLASSES for bad in BAD_PARAMETERS),
    *((TwoLayerNetClassifier, *bad) for bad in BAD_NET_PARAMETERS),
]


@pytest.mark.parametrize(("model_class", "name", "value"), ALL_BAD_PARAMETERS)
def test_bad_parameter_is_named(model_class, name, value):
    message = rf"'{name}' parameter of {model_class.__name__}.* Got {re.escape(repr(value))}"
    with pytest.raises(ValueError, match=message):
        model_class(**{name: value}).fit(*wine())
    if name != "solver":
        solver = {"solver": "sgd"}
        with pytest.raises(ValueError, match=message):
            model_class(**{**solver, name: value}).partial_fit(*wine(), classes=[0, 1, 2])


@every_class
def test_every_parameter_has_bad_values_above(model_class):
    named = {name for other, name, _ in ALL_BAD_PARAMETERS if other is model_class}
    assert named == set(model_class().get_params())


@every_class
def test_all_but_size_and_reg_go_by_keyword(model_class):
    with pytest.raises(TypeError, match="positional"):
        model_class(1, 2, 3)
    with pytest.raises(TypeError, match="positional"):
        model_class().fit(*wine(), None, *wine())


@pytest.mark.parametrize(
    ("init", "message"),
    [
        (lambda _, m, k: np.zeros((k, m)), r"init must .*\(13, 3\).* got \(3, 13\)"),
        (lambda _, m, k: np.zeros(m * k), r"init must .*\(13, 3\).* got \(39,\)"),
        (lambda *_: 0.0, r"init must .*\(13, 3\).* got \(\)"),
        (lambda _, m, k: np.full((m, k), np.nan), "init must .*finite.* got NaN"),
        (lambda _, m, k: np.full((m, k), np.inf), "init must .*finite.* got .*inf"),
    ],
)
def test_bad_init_callable(init, message):
    with pytest.raises(ValueError, match=message):
        SoftmaxClassifier(init=init).fit(*wine())


@pytest.mark.parametrize("value", [-0.5, np.nan, np.inf])
@pytest.mark.parametrize("solver", ["gd", "sgd", "adam"])
@every_class
def test_bad_schedule_callable(model_class, solver, value):
    model = model_class(solver=solver, schedule=lambda progress: value if progress > 0.3 else 1.0)
    with pytest.raises(ValueError, match=rf"schedule must .* got .*{re.escape(str(value))}"):
        model.fit(*wine())
    assert not hasattr(model, "classes_")


# ---- wrong data


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@every_class
def test_nan_and_infinity_in_the_data(model_class, value):
    X, y = wine()
    bad = with_entry(X, (5, 3), value)
    model = model_class(solver="sgd", random_state=0)
    what = "NaN" if np.isnan(value) else "infinity"
    with pytest.raises(ValueError, match=f"Input X contains {what}"):
        model.fit(bad, y)
    with pytest.raises(ValueError, match=f"Input X contains {what}"):
        model.partial_fit(bad, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=f"Input X_val contains {what}"):
        model.fit(X, y, X_val=bad, y_val=y)
    model.fit(X, y)
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(ValueError, match=f"Input X contains {what}"):
            getattr(model, method)(bad)


@every_class
def test_other_width(model_class):
    X, y = wine()
    model = model_class(solver="sgd", random_state=0)
    with pytest.raises(ValueError, match=r"X_val has 12 features.* 13 features"):
        model.fit(X, y, X_val=X[:, 1:], y_val=y)
    model.fit(X, y)
    with pytest.raises(ValueError, match=r"X has 12 features.* 13 features"):
        model.partial_fit(X[:, 1:], y)
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(ValueError, match=r"X has 12 features.* 13 features"):
            getattr(model, method)(X[:, 1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X, y[1:]), "inconsistent numbers of samples"),
        (lambda X, y: (X[0], y), "Expected 2D array, got 1D array"),
        (lambda X, y: (X[None], y), "Found array with dim 3"),
        (lambda X, y: (X[:0], y[:0]), r"Found array with 0 sample\(s\)"),
        (lambda X, y: (X[:, :0], y), r"Found array with 0 feature\(s\)"),
        (lambda X, y: (X + 1j, y), "Complex data"),
        (lambda X, y: (np.full(X.shape, "word"), y), "could not convert string to float"),
        (lambda X, _: (X, None), "requires y to be passed, but the target y is None"),
        (lambda X, _: (X, X[:, 0]), "Unknown label type: continuous"),
        (lambda X, _: (X, X[:, :2]), "y should be a 1d array, got an array of shape"),
        (lambda X, y: (X, with_entry(y.astype(float), 3, np.nan)), "Input y contains NaN"),
        (lambda X, y: (X, np.where(y, "a", None)), "Unknown label type"),
        (lambda X, y: (X, np.where(y, 1, None)), "Unknown label type|Input y contains"),
        (lambda X, y: (X, np.array(["a", 1, 2.0], dtype=object)[y]), "'<' not supported"),
        (lambda X, y: (X, np.zeros(len(y), int)), r"y must .* one class.*\[0\]"),
        (lambda X, y: (X, np.full(len(y), "only")), r"y must .* one class.*\['only'\]"),
        (lambda X, y: (X[:1], y[:1]), r"y must .* one class.*\[0\]|1 sample"),
    ],
)
@every_class
def test_wrong_data(model_class, change, message):
    model = model_class()
    with pytest.raises((ValueError, TypeError), match=message):  # scikit-learn's own are both
        model.fit(*change(*wine()))
    assert not hasattr(model, "classes_")
    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function", "score"])
@every_class
def test_not_fitted(model_class, method):
    X, y = wine()
    arguments = (X, y) if method == "score" else (X,)
    with pytest.raises(NotFittedError, match=model_class.__name__):
        getattr(model_class(), method)(*arguments)


# ---- wrong weights


BAD_WEIGHTS = [
    (lambda w: with_entry(w, 3, -0.5), r"{name} must not be negative.* -0.5"),
    (lambda w: with_entry(w, 3, np.nan), "Input {name} contains NaN"),
    (lambda w: with_entry(w, 3, np.inf), "Input {name} contains infinity"),
    (lambda w: 0 * w, "{name} must not be zero"),
    (lambda _: 0.0, "{name} must not be zero"),
    (lambda _: -1.0, "{name} must not be negative"),
    (lambda _: np.nan, "Input {name} contains NaN"),
    (lambda w: w[1:], r"{name} must have shape \(178,\), got \(177,\)"),
    (lambda w: np.r_[w, 1], r"{name} must have shape \(178,\), got \(179,\)"),
    (lambda w: w[:, None], r"{name} must have shape \(178,\), got \(178, 1\)"),
]


@pytest.mark.parametrize(("change", "message"), BAD_WEIGHTS)
@every_class
def test_wrong_weights(model_class, change, message):
    X, y = wine()
    bad = change(np.ones(len(y)))
    model = model_class(solver="sgd")
    with pytest.raises(ValueError, match=message.format(name="sample_weight")):
        model.fit(X, y, sample_weight=bad)
    with pytest.raises(ValueError, match=message.format(name="sample_weight")):
        model.partial_fit(X, y, classes=[0, 1, 2], sample_weight=bad)
    with pytest.raises(ValueError, match=message.format(name="sample_weight_val")):
        model.fit(X, y, X_val=X, y_val=y, sample_weight_val=bad)
    assert not hasattr(model, "classes_")


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({0: -1.0, 1: 1.0, 2: 1.0}, "class_weight must .* at least 0.* -1.0"),
        ({0: np.nan, 1: 1.0, 2: 1.0}, "class_weight must .*finite.* nan"),
        ({0: np.inf, 1: 1.0, 2: 1.0}, "class_weight must .*finite.* inf"),
        ({0: 0.0, 1: 0.0, 2: 0.0}, "class_weight=.* leaves no row"),
        ({0: "one", 1: 1.0, 2: 1.0}, "class_weight|could not convert"),
    ],
)
@every_class
def test_wrong_class_weight(model_class, class_weight, message):
    with pytest.raises(ValueError, match=message):
        model_class(class_weight=class_weight).fit(*wine())


@every_class
def test_class_weight_and_sample_weight_leave_nothing(model_class):
    X, y = wine()
    model = model_class(class_weight={0: 0.0, 1: 1.0, 2: 1.0})
    with pytest.raises(ValueError, match=r"class_weight=.* leaves no row"):
        model.fit(X, y, sample_weight=(y == 0).astype(float))


# ---- wrong validation sets


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        (lambda X, _: {"X_val": X}, "X_val was given without y_val"),
        (lambda _, y: {"y_val": y}, "y_val was given without X_val"),
        (lambda _, y: {"sample_weight_val": np.ones(len(y))}, "sample_weight_val was given"),
        (lambda X, y: {"X_val": X, "y_val": y[1:]}, r"\[178, 177\]|X_val|y_val"),
        (lambda X, y: {"X_val": X, "y_val": y + 1}, r"y_val must .*\[0, 1, 2\].* got \[3\]"),
        (lambda X, y: {"X_val": X, "y_val": y.astype(str)}, r"y_val must .*\['0', '1', '2'\]"),
        (lambda X, y: {"X_val": X, "y_val": y + 0.5}, r"y_val must .*\[0\.5, 1\.5, 2\.5\]"),
        (lambda X, _: {"X_val": X, "y_val": X[:, :2]}, "y should be a 1d array|y_val"),
        (lambda X, y: {"X_val": X[:0], "y_val": y[:0]}, r"0 sample\(s\)"),
    ],
)
@every_class
def test_wrong_validation_set(model_class, kwargs, message):
    X, y = wine()
    model = model_class()
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, **kwargs(X, y))
    assert not hasattr(model, "classes_")


@every_class
def test_class_weight_leaves_nothing_to_validate_on(model_class):
    X, y = wine()
    model = model_class(class_weight={0: 0.0, 1: 1.0, 2: 1.0})
    with pytest.raises(ValueError, match="class_weight"):
        model.fit(X, y, X_val=X[y == 0], y_val=y[y == 0])


@every_class
def test_early_stopping_needs_two_rows_of_each_class(model_class):
    X, y = wine()
    rows = [*np.flatnonzero(y < 2), 170]
    model = model_class(early_stopping=True)
    with pytest.raises(ValueError, match=r"early_stopping=True needs .* 1 of class .*2"):
        model.fit(X[rows], y[rows])
    # rows of weight 0 do not count
    w = np.ones(len(y))
    w[np.flatnonzero(y == 1)[1:]] = 0
    with pytest.raises(ValueError, match=r"early_stopping=True needs .* 1 of class .*1"):
        model.fit(X, y, sample_weight=w)


@pytest.mark.parametrize("fraction", [0.001, 0.999])
@every_class
def test_validation_fraction_leaves_too_few(model_class, fraction):
    model = model_class(early_stopping=True, validation_fraction=fraction)
    with pytest.raises(ValueError, match=f"validation_fraction={fraction} of 178 rows"):
        model.fit(*wine())


# ---- partial_fit


@every_solver
def test_partial_fit_is_there_for_batches_alone(model_class, solver):
    assert hasattr(model_class(solver=solver), "partial_fit") == (solver in ("sgd", "adam"))


@every_class
def test_partial_fit_says_which_solvers_take_batches(model_class):
    with pytest.raises(AttributeError, match="partial_fit"):
        model_class(solver="lbfgs").partial_fit  # noqa: B018


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("early_stopping", True),
        ("class_weight", "balanced"),
        ("schedule", "cosine"),
        ("schedule", "inverse"),
        ("schedule", lambda _: 1.0),
    ],
)
@every_class
def test_partial_fit_refuses_what_it_cannot_know(model_class, name, value):
    model = model_class(solver="adam", **{name: value})
    with pytest.raises(ValueError, match=f"partial_fit .*{name}="):
        model.partial_fit(*wine(), classes=[0, 1, 2])


@pytest.mark.parametrize(
    ("y", "classes", "message"),
    [
        ([0, 1, 2], None, "classes must be given in the first call"),
        ([0, 1, 2], [0, 1], r"y must hold labels among .*\[0, 1\].* got \[2\]"),
        ([0, 0, 0], [0], r"classes must name at least 2 classes, got \[0\]"),
        ([0, 0, 0], [], "classes must name at least 2 classes"),
    ],
)
@every_class
def test_partial_fit_checks_classes(model_class, y, classes, message):
    X, _ = wine()
    model = model_class(solver="sgd")
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X[:3], y, classes=classes)
    assert not hasattr(model, "classes_")
    assert not hasattr(model, "n_features_in_")


@every_class
def test_partial_fit_keeps_to_its_classes(model_class):
    X, y = wine()
    model = model_class(solver="sgd", random_state=0).partial_fit(X, y, classes=[2, 0, 1])
    assert_array_equal(model.classes_, [0, 1, 2])
    model.partial_fit(X, y, classes=[1, 2, 0])  # the same ones in any order
    with pytest.raises(ValueError, match=r"classes=\[0, 1, 2, 3\]"):
        model.partial_fit(X, y, classes=[0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"y must hold labels among .* got \[7\]"):
        model.partial_fit(X, with_entry(y, 0, 7))
    with pytest.raises(ValueError, match=r"y must hold labels among .* got"):
        model.partial_fit(X, y.astype(str))


# ---- a failed fit leaves the earlier one


def raise_late(progress):
    if progress > 0.5:
        raise RuntimeError("late")
    return 1.0


def raise_in_init(*_):
    raise RuntimeError("early")


FAILURES = {
    "parameter": ({"reg": -1.0}, lambda X, y: (X, y), {}),
    "nan": ({}, lambda X, y: (with_entry(X, (0, 0), np.nan), y), {}),
    "wider, then one class": ({}, lambda X, y: (np.c_[X, X], 0 * y), {}),
    "continuous": ({}, lambda X, _: (X, X[:, 0]), {}),
    "other classes, bad weights": ({}, lambda X, y: (X, y + 7, -np.ones(len(y))), {}),
    "class_weight": ({"class_weight": {0: -1.0, 1: 1.0, 2: 1.0}}, lambda X, y: (X, y), {}),
    "validation": ({}, lambda X, y: (X[:, 1:], y + 7), {"X_val": np.ones((1, 5)), "y_val": [7]}),
    "early_stopping": (
        {"early_stopping": True, "validation_fraction": 0.001},
        lambda X, y: (X[:, 1:], y + 7),
        {},
    ),
    "init": ({"init": raise_in_init}, lambda X, y: (X[:, 1:], y + 7), {}),
    "schedule": ({"schedule": raise_late}, lambda X, y: (X[:, 1:], y + 7), {}),
    "warm_start": ({"warm_start": True}, lambda X, y: (X[:, 1:], y), {}),
    "warm_start, schedule": (
        {"warm_start": True, "schedule": raise_late},
        lambda X, y: (X, y),
        {},
    ),
}


def fitted_attributes(model):
    """Their bytes, for a list or an array may be changed in place."""
    return {name: pickle.dumps(value) for name, value in vars(model).items() if name[-1] == "_"}


@ends_early
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("solver", ["sgd", "adam", "gd"])
@every_class
def test_a_failed_fit_leaves_the_earlier_one(model_class, solver, failure):
    X, y = wine()
    change, data, kwargs = FAILURES[failure]
    # with a validation set there are more attributes to lose
    fitted = model_class(solver=solver, max_iter=20, tol=0, random_state=0)
    fitted.fit(X, y, X_val=X[::3], y_val=y[::3])
    before, probability = fitted_attributes(fitted), fitted.predict_proba(X)
    unchanged = fitted.get_params()
    fitted.set_params(**change)
    with pytest.raises((ValueError, RuntimeError)):
        fitted.fit(*data(X, y), **kwargs)
    assert fitted_attributes(fitted) == before
    assert_array_equal(fitted.predict_proba(X), probability)
    assert fitted.score(X, y) > 0.5
    # and it learns as ever
    fitted.set_params(**unchanged).fit(X, y)
    alone = model_class(**unchanged).fit(X, y)
    assert_array_equal(fitted.predict_proba(X), alone.predict_proba(X))


@pytest.mark.parametrize(
    "bad",
    [
        lambda X, y: (with_entry(X, (0, 0), np.nan), y),
        lambda X, y: (X[:, 1:], y),
        lambda X, y: (X, y + 1),
        lambda X, y: (X, y, [0, 1]),
        lambda X, y: (X, y, None, -np.ones(len(y))),
    ],
)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@every_class
def test_a_failed_partial_fit_leaves_the_earlier_one(model_class, solver, bad):
    X, y = wine()
    model, undisturbed = (
        model_class(solver=solver, random_state=0).partial_fit(X, y, classes=[0, 1, 2])
        for _ in range(2)
    )
    with pytest.raises(ValueError, match=r"X|y|classes|sample_weight"):
        model.partial_fit(*bad(X, y))
    # the solver's memory and the random stream are whole as well
    model.partial_fit(X, y)
    undisturbed.partial_fit(X, y)
    assert_array_equal(model.predict_proba(X), undisturbed.predict_proba(X))
    assert model.loss_curve_ == undisturbed.loss_curve_


@ends_early
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@every_class
def test_a_failed_warm_start_leaves_solver_and_stream(model_class, solver):
    X, y = wine()
    model, undisturbed = (
        model_class(
            solver=solver,
            schedule="constant",
            max_iter=5,
            batch_size=20,
            tol=0,
            random_state=0,
            warm_start=True,
        )
        for _ in range(2)
    )
    model.fit(X, y)
    undisturbed.fit(X, y)
    with pytest.raises(RuntimeError, match="late"):
        model.set_params(schedule=raise_late).fit(X, y)
    model.set_params(schedule="constant").fit(X, y)
    undisturbed.fit(X, y)
    assert_array_equal(model.predict_proba(X), undisturbed.predict_proba(X))


@every_class
def test_a_warning_made_an_error_leaves_the_earlier_fit(model_class):
    X, y = wine()
    model = model_class(solver="gd", tol=1.0, random_state=0).fit(X, y)
    probability = model.predict_proba(X)
    model.set_params(tol=0.0, max_iter=2)
    with pytest.raises(ConvergenceWarning):  # as the tests' own filter makes it
        model.fit(X, y)
    assert_array_equal(model.predict_proba(X), probability)


# ---- divergence


def objective(model, X, y):
    """The contract's objective, in float64."""
    if isinstance(model, SoftmaxClassifier):
        weights, scores = [model.coef_], X.astype(float) @ model.coef_.T + model.intercept_
    else:
        weights = model.coefs_
        hidden = np.maximum(X.astype(float) @ weights[0] + model.intercepts_[0], 0)
        scores = hidden @ weights[1] + model.intercepts_[1]
    squares = sum((W.astype(float) ** 2).sum() for W in weights)
    return -log_softmax(scores, axis=1)[np.arange(len(y)), y].mean() + model.reg / 2 * squares


def start_of(model, X, y):
    """The model at its initial weights: one step too short to change them."""
    start = clone(model).set_params(solver="gd", learning_rate=1e-300, max_iter=1)
    with pytest.warns(ConvergenceWarning):
        return start.fit(X, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["sgd", "adam", "gd"])
@every_class
def test_a_step_size_of_a_million(model_class, solver, dtype):
    X, y = wine()
    X = X.astype(dtype)
    model = model_class(solver=solver, learning_rate=1e6, random_state=0)
    start = start_of(model, X, y)
    with pytest.warns(ConvergenceWarning, match=r"(?s)diverged.*learning_rate.*StandardScaler"):
        model.fit(X, y)
    assert is_finite(model)
    assert np.isfinite(model.loss_)
    assert model.loss_ <= start.loss_
    np.testing.assert_allclose(model.loss_, objective(model, X, y), rtol=1e-4)
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["sgd", "adam", "gd"])
@every_class
def test_a_step_size_of_a_million_with_a_validation_set(model_class, solver, dtype):
    X, y = wine()
    X = X.astype(dtype)
    model = model_class(solver=solver, learning_rate=1e6, early_stopping=True, random_state=0)
    start = start_of(model, X, y)
    with pytest.warns(ConvergenceWarning, match=r"(?s)diverged.*learning_rate.*StandardScaler"):
        model.fit(X, y)
    assert is_finite(model)
    if min(model.validation_loss_curve_) > np.log(3):  # the start is better
        assert objective(model, X, y) <= 1.05 * start.loss_


@pytest.mark.parametrize("scale", [1e6, 1e12])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_solver
def test_columns_of_a_million(model_class, solver, dtype, scale):
    X, y = load_breast_cancer(return_X_y=True)
    X = (scale * StandardScaler().fit_transform(X)).astype(dtype)
    model = model_class(solver=solver, init=0.01, random_state=0)
    start = start_of(model, X, y)
    fit_with_convergence_warnings_alone(model, X, y)
    assert is_finite(model)
    assert model.loss_ <= start.loss_
    np.testing.assert_allclose(model.loss_, objective(model, X, y), rtol=1e-3, atol=1e-6)


def fit_with_convergence_warnings_alone(model, X, y):
    """Whether it warned; a warning of another kind is an error."""
    with pytest.MonkeyPatch.context() as patch:
        messages = []
        patch.setattr("warnings.warn", lambda *args, **_: messages.append(args))
        model.fit(X, y)
    assert all(category is ConvergenceWarning for _, category in messages)
    return [message for message, _ in messages]


@pytest.mark.parametrize("solver", ["sgd", "gd"])
@every_class
def test_columns_of_a_million_are_named_as_the_cause(model_class, solver):
    X, y = load_breast_cancer(return_X_y=True)
    model = model_class(solver=solver, init=0.01, random_state=0)
    (message,) = fit_with_convergence_warnings_alone(
        model, 1e6 * StandardScaler().fit_transform(X), y
    )
    assert "learning_rate" in message
    assert "StandardScaler" in message


@pytest.mark.parametrize(("dtype", "scale"), [(np.float32, 1e30), (np.float64, 1e200)])
@every_solver
def test_columns_as_large_as_their_dtype_allows(model_class, solver, dtype, scale):
    X, y = wine()
    X = (scale * X).astype(dtype)
    model = model_class(solver=solver, random_state=0)
    fit_with_convergence_warnings_alone(model, X, y)
    assert is_finite(model)
    assert np.isfinite(model.loss_)
    assert len(model.predict(X[:5])) == 5


# ---- where a warning points


WAYS_TO_FIT = {
    "fit": lambda model, X, y: model.fit(X, y),
    "partial_fit": lambda model, X, y: model.partial_fit(X, y, classes=[0, 1, 2]),
    "fit of the class": lambda model, X, y: type(model).fit(model, X, y),
    "fit without its wrapper": lambda model, X, y: type(model).fit.__wrapped__(model, X, y),
    "partial_fit without its wrapper": lambda model, X, y: model.partial_fit.__wrapped__(
        model, X, y, classes=[0, 1, 2]
    ),
    "pipeline": lambda model, X, y: make_pipeline(StandardScaler(), model).fit(X, y),
    "search": lambda model, X, y: GridSearchCV(model, {"reg": [0.1]}, cv=2).fit(X, y),
    "fused search": lambda model, X, y: FusedGridSearchCV(model, {"reg": [0, 1]}, cv=2).fit(X, y),
}


@pytest.mark.parametrize("way", WAYS_TO_FIT)
@every_class
def test_a_warning_points_at_the_line_that_called(model_class, way):
    X, y = wine()
    fit = WAYS_TO_FIT[way]
    model = model_class(solver="sgd", learning_rate=1e9, schedule="constant", random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, X, y)
    _, first_line = inspect.getsourcelines(fit)
    for warning in caught:
        assert warning.category is ConvergenceWarning
        assert warning.filename == __file__
        assert warning.lineno == first_line
    assert caught


# ---- fork


FORKING = """
import os, signal, sys, threading
import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits
from sklearn_toynn import SoftmaxClassifier
from sklearn_toynn._blas import single_threaded_blas

X, y = np.random.RandomState(0).standard_normal((60, 3)), np.arange(60) % 3
threadpool_limits(2, user_api="blas")

def fit(during):
    def schedule(progress):
        during()
        return 1.0
    SoftmaxClassifier(solver="gd", max_iter=1, schedule=schedule).fit(X, y)

def show(where):
    blas = [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]
    print(where, *set(blas), flush=True)

def in_child(call):
    if os.fork() == 0:
        signal.alarm(30)  # a lock that nobody holds would hold the child up
        call()
        os._exit(0)
    _, status = os.wait()
    assert status == 0, status

def show_and_fit():
    show("child")
    fit(lambda: show("its fit"))
    show("child")

def while_a_thread_fits(inside):
    done = threading.Event()
    thread = threading.Thread(target=fit, args=[lambda: inside.set() or done.wait(60)])
    thread.start()
    inside.wait(60)
    in_child(show_and_fit)
    show("parent")
    done.set()
    thread.join()
    show("parent")

print("nobody fits")
in_child(show_and_fit)
show("parent")

print("a thread fits")
while_a_thread_fits(threading.Event())

print("a thread is on its way into a fit")
limit, inside = single_threaded_blas._limit, threading.Event()

def slow_limit(n_threads):
    if not inside.is_set():
        inside.set()
        threading.Event().wait(0.2)
    limit(n_threads)

single_threaded_blas._limit = slow_limit
while_a_thread_fits(inside)
del single_threaded_blas._limit

print("a fit forks")
fit(lambda: in_child(lambda: show("child")) or show("parent"))
show("parent")

print("a fit forks, and the child goes on with it", flush=True)
fit(lambda: os.fork() == 0 or os.wait())
show("either")
"""
FORKED = """
nobody fits
child 2
its fit 1
child 2
parent 2
a thread fits
child 2
its fit 1
child 2
parent 1
parent 2
a thread is on its way into a fit
child 2
its fit 1
child 2
parent 1
parent 2
a fit forks
child 1
parent 1
parent 2
a fit forks, and the child goes on with it
either 2
either 2
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_has_the_blas_threads_of_its_thread():
    # in a process of its own, as Python warns of a fork among threads
    done = subprocess.run(
        [sys.executable, "-u", "-W", "ignore::DeprecationWarning", "-c", FORKING],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == FORKED[1:].split("\n")


# ---- Ctrl-C


CHILD = """
import sys
import numpy as np
from sklearn.datasets import make_classification
from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

X, y = make_classification(20_000, 50, n_informative=20, n_classes=8, random_state=0)
X /= X.std(axis=0)
model_class, solvers = eval(sys.argv[1]), sys.argv[2].split(",")
for solver in solvers:
    for validation in ({}, {"X_val": X[:1000], "y_val": y[:1000]}):
        model = model_class(solver=solver, max_iter=100_000, tol=0, n_iter_no_change=100_000,
                            reg=0.0, verbose=1, random_state=0)
        try:
            model.fit(X, y, **validation)
            print("finished: fit ended before the signal came")
        except KeyboardInterrupt:
            arrays = ([model.coef_, model.intercept_] if model_class is SoftmaxClassifier
                      else model.coefs_ + model.intercepts_)
            assert all(np.isfinite(a).all() for a in arrays), "weights are not finite"
            assert np.isfinite(model.loss_), model.loss_
            assert 0 < model.n_iter_ == len(model.loss_curve_), model.n_iter_
            if validation:
                assert model.best_iter_ == np.argmin(model.validation_loss_curve_)
            assert model.predict(X).shape == y.shape
            print("caught", flush=True)
"""


@every_class
def test_ctrl_c_leaves_a_fitted_estimator(model_class):
    solvers = solvers_of(model_class)
    child = subprocess.Popen(
        [
            sys.executable,
            "-u",
            "-c",
            textwrap.dedent(CHILD),
            model_class.__name__,
            ",".join(solvers),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        n_caught, waiting = 0, True
        for line in child.stdout:
            if waiting and line.startswith("iteration 2"):
                child.send_signal(signal.SIGINT)
                waiting = False  # one signal per fit
            elif line.startswith(("caught", "finished")):
                assert line.strip() == "caught"
                n_caught, waiting = n_caught + 1, True
        assert child.wait(60) == 0, child.stderr.read()
        assert n_caught == 2 * len(solvers)
    finally:
        child.kill()
        child.communicate()


@every_solver
def test_ctrl_c_at_any_moment_of_training(model_class, solver, monkeypatch):
    # raised where a signal may land as well: in a call that training makes of its schedule or net
    X, y = wine()
    forward = Network.forward
    for moment in (0, 1, 2, 5, 9):
        calls = []

        def interrupted(self, space, calls=calls, moment=moment):
            calls.append(1)
            if len(calls) == moment + 1:
                raise KeyboardInterrupt
            return forward(self, space)

        model = model_class(solver=solver, max_iter=20, tol=0, batch_size=60, random_state=0)
        monkeypatch.setattr(Network, "forward", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, y, X_val=X, y_val=y)
        monkeypatch.undo()
        assert is_finite(model)
        assert len(model.loss_curve_) == len(model.validation_loss_curve_) == model.n_iter_
        assert model.predict(X).shape == y.shape


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_ctrl_c_in_partial_fit(solver, monkeypatch):
    X, y = wine()
    model = TwoLayerNetClassifier(solver=solver, random_state=0)
    model.partial_fit(X, y, classes=[0, 1, 2])
    forward = Network.forward
    calls = []

    def interrupted(self, space):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return forward(self, space)

    model.set_params(batch_size=20)
    monkeypatch.setattr(Network, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, y)
    monkeypatch.undo()
    assert is_finite(model)
    model.partial_fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()


@every_solver
def test_fitting_again_after_ctrl_c(model_class, solver, monkeypatch):
    # nothing of the interrupted fit lives on
    X, y = load_digits(return_X_y=True)
    X, y = X[:300], y[:300]
    model = model_class(solver=solver, max_iter=3, random_state=0)
    expected = clone(model)
    fit_with_convergence_warnings_alone(expected, X, y)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingRun, "record", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    monkeypatch.undo()
    fit_with_convergence_warnings_alone(model, X, y)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


# ---- parameters set and weights edited between fits


def hidden_of(z, activation):
    return np.tanh(z) if activation == "tanh" else np.maximum(z, 0)


def scores_by(model, X, activation):
    hidden = hidden_of(X @ model.coefs_[0] + model.intercepts_[0], activation)
    return hidden @ model.coefs_[1] + model.intercepts_[1]


@ends_early
class TestActivationSetBetweenFits:
    @pytest.mark.parametrize("solver", ["adam", "sgd", "gd", "lbfgs"])
    @pytest.mark.parametrize("scale", [1.0, 100.0])
    def test_warm_fit(self, solver, scale):
        X, y = wine()
        X = scale * X
        model = TwoLayerNetClassifier(
            5, solver=solver, max_iter=5, warm_start=True, random_state=0
        )
        before = model.fit(X, y).predict_proba(X)
        model.set_params(activation="tanh")
        assert_array_equal(model.predict_proba(X), before)
        begin = scores_by(model, X, "tanh")
        loss = -log_softmax(begin, axis=1)[np.arange(len(y)), y].mean()
        penalty = model.reg / 2 * sum((coef**2).sum() for coef in model.coefs_)
        model.fit(X, y)
        if solver in ("gd", "lbfgs"):
            assert model.loss_curve_[0] == pytest.approx(loss + penalty, rel=1e-9)
        assert_allclose(model.decision_function(X), scores_by(model, X, "tanh"), rtol=1e-9)
        model.set_params(activation="relu")
        assert_allclose(model.decision_function(X), scores_by(model, X, "tanh"), rtol=1e-9)

    @pytest.mark.parametrize("solver", ["adam", "sgd"])
    def test_partial_fit(self, solver):
        X, y = wine()
        model = TwoLayerNetClassifier(5, solver=solver, random_state=0)
        model.partial_fit(X, y, classes=[0, 1, 2]).set_params(activation="tanh")
        assert_allclose(model.decision_function(X), scores_by(model, X, "relu"), rtol=1e-12)
        model.partial_fit(X, y)
        assert_allclose(model.decision_function(X), scores_by(model, X, "tanh"), rtol=1e-12)

    def test_a_failed_fit_leaves_that_of_the_earlier_one(self):
        X, y = wine()
        model = TwoLayerNetClassifier(5, max_iter=5, random_state=0).fit(X, y)
        before = model.predict_proba(X)
        with pytest.raises(RuntimeError, match="late"):
            model.set_params(activation="tanh", schedule=raise_late).fit(X, y)
        assert_array_equal(model.predict_proba(X), before)


def edit(model, factor):
    """Multiply the model's weights and intercepts."""
    if isinstance(model, SoftmaxClassifier):
        model.coef_ = factor * model.coef_
        model.intercept_ = factor * model.intercept_
    else:
        model.coefs_ = [factor * a for a in model.coefs_]
        model.intercepts_ = [factor * a for a in model.intercepts_]


@ends_early
class TestWeightsEditedBetweenFits:
    @pytest.mark.parametrize("solver", ["adam", "sgd"])
    @pytest.mark.parametrize("n_nets", [1, 3])
    @every_class
    def test_partial_fit_goes_on_from_them(self, model_class, n_nets, solver):
        if model_class is SoftmaxClassifier and n_nets > 1:
            return  # of the net alone
        X, y = wine()
        model = model_class(solver=solver, random_state=0)
        if n_nets > 1:
            model.set_params(n_nets=n_nets)
        for _ in range(3):
            model.partial_fit(X, y, classes=[0, 1, 2])
        for factor in (0.5, 3.0):
            edit(model, factor)
            expected = [a.copy() for a in parameters(model)]
            # nothing of the old weights' memory moves the new ones
            model.set_params(learning_rate=1e-300).partial_fit(X, y)
            for now, then in zip(parameters(model), expected, strict=True):
                assert_allclose(now, then, rtol=1e-12)
            assert model.set_params(learning_rate="auto").partial_fit(X, y).n_iter_ > 3

    @every_solver
    @pytest.mark.parametrize("scale", [1.0, 100.0])
    def test_warm_fit_goes_on_from_them(self, model_class, solver, scale):
        X, y = wine()
        X = scale * X
        model = model_class(solver=solver, max_iter=3, warm_start=True, random_state=0).fit(X, y)
        for array in parameters(model):
            array[...] *= 0.5
        expected = objective(model, X, y)
        model.set_params(max_iter=1, learning_rate=1e-300).fit(X, y)
        assert model.loss_curve_[0] == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize("solver", ["adam", "sgd"])
    @every_class
    def test_the_memory_stays_where_they_are_but_set_anew(self, model_class, solver):
        X, y = wine()
        model, undisturbed = (
            model_class(solver=solver, batch_size=40, random_state=0) for _ in range(2)
        )
        for _ in range(3):
            edit(model.partial_fit(X, y, classes=[0, 1, 2]), 1.0)
            undisturbed.partial_fit(X, y, classes=[0, 1, 2])
        assert_array_equal(model.predict_proba(X), undisturbed.predict_proba(X))

    @every_class
    def test_the_memory_goes_with_the_scale_of_the_columns(self, model_class):
        X, y = wine()
        X = 100 * X
        model = model_class(solver="sgd", max_iter=3, warm_start=True, random_state=0).fit(X, y)
        expected = [a.copy() for a in parameters(model)]
        # a velocity in scaled columns says nothing of the steps of partial_fit, in raw ones
        model.set_params(learning_rate=1e-300).partial_fit(X, y)
        for now, then in zip(parameters(model), expected, strict=True):
            assert_allclose(now, then, rtol=1e-12)

    @every_class
    def test_the_order_of_the_batches_goes_on(self, model_class):
        X, y = wine()
        model = model_class(solver="sgd", batch_size=40, random_state=0)
        model.partial_fit(X, y, classes=[0, 1, 2])
        first = [a.copy() for a in parameters(model)]
        results = []
        for _ in range(2):
            for array, value in zip(parameters(model), first, strict=True):
                array[...] = value
            array[...] += 1e-12
            model.partial_fit(X, y)
            results.append(parameters(model)[0].copy())
        assert not np.allclose(*results, rtol=1e-6)

    @pytest.mark.parametrize(("value", "dtype"), [(np.nan, float), (1e300, np.float32)])
    @every_class
    def test_weights_that_are_not_finite(self, model_class, value, dtype):
        X, y = wine()
        X = X.astype(dtype)
        model = model_class(solver="sgd", random_state=0).partial_fit(X, y, classes=[0, 1, 2])
        edit(model, np.float64(value))
        with pytest.raises(ValueError, match=r"partial_fit .*weights .*NaN or infinity"):
            model.partial_fit(X, y)


# ---- the best by validation loss


@ends_early
class TestBestByValidationLoss:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize(
        "model", [SoftmaxClassifier(10.0, solver="adam"), TwoLayerNetClassifier(10, 1.0)]
    )
    def test_no_penalty_puts_the_start_in_its_place(self, model, dtype):
        X, y = wine()
        X, X_val, y, y_val = X[::2].astype(dtype), X[1::2].astype(dtype), y[::2], y[1::2]
        model = clone(model).set_params(learning_rate=3.0, random_state=0)
        with pytest.warns(ConvergenceWarning, match="diverged"):
            model.fit(X, y, X_val=X_val, y_val=y_val)
        best = min(model.validation_loss_curve_)
        assert best < np.log(3)
        assert log_loss(y_val, model.predict_proba(X_val)) == pytest.approx(best, rel=1e-5)

    @every_solver
    def test_a_validation_set_of_other_labels(self, model_class, solver):
        X, y = wine()
        other = (y + 1) % 3
        model = model_class(solver=solver, random_state=0).fit(X, y, X_val=X, y_val=other)
        best = min(model.validation_loss_curve_)
        assert best > np.log(3)
        assert log_loss(other, model.predict_proba(X)) == pytest.approx(best, rel=1e-9)

    @pytest.mark.parametrize("solver", ["sgd", "gd"])
    @every_class
    def test_divergence_after_it_is_warned_of(self, model_class, solver):
        X, y = wine()
        model = model_class(
            solver=solver,
            schedule=lambda progress: 1.0 if progress < 0.5 else 1e200,
            max_iter=20,
            random_state=0,
        )
        with pytest.warns(ConvergenceWarning, match="diverged"):
            model.fit(X, y, X_val=X, y_val=y)
        assert not np.isfinite(model.loss_curve_[-1] + model.validation_loss_curve_[-1])
        best = np.nanmin(model.validation_loss_curve_)
        assert log_loss(y, model.predict_proba(X)) == pytest.approx(best, rel=1e-9)


# ---- no NaN without a word


@pytest.mark.parametrize("validate", [False, True])
@pytest.mark.parametrize("solver", ["gd", "sgd", "adam", "lbfgs"])
@every_class
def test_an_objective_that_is_never_finite_is_warned_of(model_class, solver, validate):
    X, y = wine()
    X = 1e307 * np.abs(X)
    model = model_class(solver=solver, init=50.0, random_state=0)
    validation = {"X_val": X, "y_val": y} if validate else {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y, **validation)
    assert is_finite(model)
    # the linear lbfgs leaves such a start for zero, where the objective is finite
    leaves = model_class is SoftmaxClassifier and solver == "lbfgs"
    assert {w.category for w in caught} == {ConvergenceWarning} or leaves
    assert np.isfinite(model.loss_) == leaves


@pytest.mark.parametrize(
    ("init", "dtype"),
    [
        (1e200, float),
        (1e160, float),
        (1e25, np.float32),
        (1e39, np.float32),
        (lambda _, m, k: np.full((m, k), 1e300), np.float32),
        (lambda _, m, k: np.full((m, k), 1e300), float),
    ],
)
@every_solver
def test_an_init_too_large(model_class, solver, init, dtype):
    X, y = wine()
    with pytest.raises(ValueError, match=r"init=.*float"):
        model_class(solver=solver, init=init, random_state=0).fit(X.astype(dtype), y)


@ends_early
class TestWeightsAtTheEndsOfTheRange:
    """By powers of 2, which change no bit."""

    @staticmethod
    def fit(model, dtype, factor=1.0, class_factor=None, **params):
        X, y = wine()
        X = X.astype(dtype)
        w = (1 + np.arange(len(y)) % 3).astype(float)
        if class_factor is not None:
            params["class_weight"] = {k: class_factor * (k + 1) for k in range(3)}
        model = clone(model).set_params(max_iter=5, random_state=0, **params)
        return model.fit(X, y, factor * w), model.predict_proba(X)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("power", [-900, -600, 600, 1000])
    @every_solver
    def test_class_weight_times_sample_weight(self, model_class, solver, power, dtype):
        for params in ({}, {"early_stopping": True}):
            model = model_class(solver=solver, **params)
            _, expected = self.fit(model, dtype, 1.0, 1.0)
            fitted, probability = self.fit(model, dtype, 2.0**power, 2.0**power)
            assert_array_equal(probability, expected)
            assert np.isfinite(fitted.loss_)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("power", [-1070, -1030, 1000, 1021])
    @every_solver
    def test_balanced(self, model_class, solver, power, dtype):
        model = model_class(solver=solver, class_weight="balanced")
        _, expected = self.fit(model, dtype)
        _, probability = self.fit(model, dtype, 2.0**power)
        assert_array_equal(probability, expected)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @every_class
    def test_balanced_over_classes_at_both_ends(self, model_class, dtype):
        X, y = wine()
        w = (1 + np.arange(len(y)) % 3).astype(float)
        far = w * np.array([1e-310, 1.0, 1e307])[y]
        model = model_class(class_weight="balanced", reg=0.1, random_state=0)
        plain, apart = clone(model), clone(model)
        plain.fit(X.astype(dtype), y, w, X_val=X, y_val=y, sample_weight_val=w)
        apart.fit(X.astype(dtype), y, far, X_val=X, y_val=y, sample_weight_val=w)
        # that of the validation set is by the same class weights: those of the first class rule
        assert apart.loss_ == pytest.approx(plain.loss_, rel=0.2)
        assert apart.loss_curve_[0] == pytest.approx(plain.loss_curve_[0], rel=1e-4)
        in_first = y == 0
        loss = log_loss(
            y[in_first],
            apart.predict_proba(X[in_first]),
            sample_weight=w[in_first],
            labels=[0, 1, 2],
        )
        assert loss == pytest.approx(min(apart.validation_loss_curve_), rel=1e-4)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @every_class
    def test_a_split_that_sets_aside_light_rows_alone(self, model_class, dtype):
        X, y = wine()
        w = np.full(len(y), 1e-200)
        w[[0, 70, 140]] = 1.0  # one of each class
        for seed in range(4):
            model = model_class(solver="sgd", max_iter=3, early_stopping=True, random_state=seed)
            model.fit(X.astype(dtype), y, w)
            assert np.isfinite(model.validation_loss_curve_).all()
            assert np.isfinite(model.loss_)


# ---- small integers and short floats


SMALL = {
    "max_iter": [np.int8(100), np.uint8(100), True],
    "batch_size": [np.int8(100), np.uint8(200), True],
    "n_iter_no_change": [np.int8(3), True],
    "verbose": [np.uint8(50), True],
    "tol": [np.float16(1e-3), np.float32(1e-3)],
    "validation_fraction": [np.float16(0.25)],
    "learning_rate": [np.float16(0.25)],
    "momentum": [np.float16(0.5)],
    "reg": [np.float16(0.25), True],
    "init": [np.float16(0.25), True],
}
SMALL_OF_NETS = {
    **SMALL,
    "hidden_size": [np.uint8(100), np.int8(100), True],
    "n_nets": [np.uint8(2), True],
}


@ends_early
@pytest.mark.parametrize(
    ("model_class", "name", "value"),
    [
        *((SoftmaxClassifier, name, value) for name in SMALL for value in SMALL[name]),
        *(
            (TwoLayerNetClassifier, name, value)
            for name in SMALL_OF_NETS
            for value in SMALL_OF_NETS[name]
        ),
    ],
)
def test_small_numbers_are_the_plain_ones(model_class, name, value, capsys):
    X, y = load_digits(return_X_y=True)
    X, y = X[:500] / 16, y[:500]
    plain = value.item() if isinstance(value, np.generic) else int(value)
    for solver in solvers_of(model_class):
        if solver == "newton" and model_class is SoftmaxClassifier and name not in ("reg", "tol"):
            continue  # slow, and as "auto"
        params = {"max_iter": 4, "random_state": 0, "solver": solver, "early_stopping": True}
        one, other = (
            model_class(**(params | {name: given})).fit(X, y) for given in (value, plain)
        )
        assert_array_equal(one.predict_proba(X), other.predict_proba(X))
        assert one.loss_curve_ == other.loss_curve_
    capsys.readouterr()


# ---- errors that name the argument


class TestErrorsNameTheArgument:
    @pytest.mark.parametrize(
        "value",
        [None, "a", "0.5", [1.0], np.array([0.5]), np.array([0.5, 1]), 1j, np.nan, -1, {}],
    )
    @pytest.mark.parametrize("solver", ["gd", "sgd", "adam"])
    def test_schedule(self, solver, value):
        model = TwoLayerNetClassifier(solver=solver, schedule=lambda _: value)
        message = f"schedule must return .* got {re.escape(repr(value))}"
        with pytest.raises(ValueError, match=message):
            model.fit(*wine())

    @ends_early
    @pytest.mark.parametrize("value", [1, True, np.float16(1), np.array(1.0)])
    def test_schedules_that_will_do(self, value):
        X, y = wine()
        model = TwoLayerNetClassifier(max_iter=3, schedule=lambda _: value, random_state=0)
        constant = clone(model).set_params(schedule="constant").fit(X, y)
        assert_array_equal(model.fit(X, y).predict_proba(X), constant.predict_proba(X))

    @pytest.mark.parametrize(
        "value",
        [
            None,
            "a",
            {},
            np.full((13, 3), "0.5"),
            np.full((13, 3), 1j),
            np.full((13, 3), None),
            [[1.0], [1.0, 2.0]],
        ],
    )
    def test_init(self, value):
        with pytest.raises(ValueError, match=r"^init"):
            SoftmaxClassifier(init=lambda *_: value).fit(*wine())

    @pytest.mark.parametrize("as_labels", [lambda y: y, lambda y: y.astype(str)])
    @pytest.mark.parametrize(
        "change",
        [
            lambda y: np.where(y == 0, None, y),
            lambda y: [None] * len(y),
            lambda y: np.array(["a", None, 3.0], dtype=object)[y],
            lambda y: y + 1j,
            lambda y: y.astype("datetime64[s]"),
            lambda _: [[1], [1, 2]],
            lambda _: 5,
            sparse.csr_matrix,
            lambda y: y[1:],
        ],
    )
    @every_class
    def test_y_val(self, model_class, change, as_labels):
        X, y = wine()
        with pytest.raises(ValueError, match="y_val"):
            model_class().fit(X, as_labels(y), X_val=X, y_val=change(y))

    @pytest.mark.parametrize(
        "change",
        [
            lambda X: X[0],
            lambda X: X[None],
            lambda _: "word",
            lambda X: np.full(X.shape, "word"),
            lambda X: X + 1j,
            lambda X: X[:0],
            lambda X: X[:, :0],
            lambda _: [[1], [2, 3]],
        ],
    )
    def test_X_val(self, change):  # noqa: N802
        X, y = wine()
        with pytest.raises(ValueError, match="X_val"):
            SoftmaxClassifier().fit(X, y, X_val=change(X), y_val=y)

    @pytest.mark.parametrize(
        "bad",
        [["a"] * 178, {}, "word", 1j, np.array(2.5), np.ones((2, 2, 2)), [[1], [1, 2]], []],
    )
    def test_weights(self, bad):
        X, y = wine()
        with pytest.raises(ValueError, match=r"\bsample_weight\b"):
            SoftmaxClassifier().fit(X, y, sample_weight=bad)
        with pytest.raises(ValueError, match="sample_weight_val"):
            SoftmaxClassifier().fit(X, y, X_val=X, y_val=y, sample_weight_val=bad)

    @pytest.mark.parametrize("bad", ["a", [1, 2], 10**400, 1j, None])
    def test_class_weight(self, bad):
        with pytest.raises(ValueError, match="class_weight"):
            SoftmaxClassifier(class_weight={0: bad, 1: 1.0, 2: 1.0}).fit(*wine())

    @pytest.mark.parametrize("bad", [[None, 1, 2], [[0, 1], [2]], [None, "a", "b"]])
    def test_classes(self, bad):
        with pytest.raises(ValueError, match="^classes"):
            SoftmaxClassifier(solver="sgd").partial_fit(*wine(), classes=bad)

    @pytest.mark.parametrize("y", [["a", 1, 2.0], ["a", None, "b"]])
    def test_y(self, y):
        X, codes = wine()
        y = np.array(y, dtype=object)[codes]
        with pytest.raises(ValueError, match=r"^y\b|Input y "):
            SoftmaxClassifier().fit(X, y)
        with pytest.raises(ValueError, match=r"^y\b|Input y "):
            SoftmaxClassifier(solver="sgd").partial_fit(X, y, classes=["a", "b"])

    def test_rows_are_not_called_columns(self):
        X = np.random.RandomState(0).standard_normal((300, 400))
        with pytest.raises(ValueError, match=r"rows that span 299 dimensions"):
            SoftmaxClassifier(solver="newton").fit(X, np.arange(300) % 75)


# ---- sets of rows


@ends_early
class TestContainersOfTheValidationSet:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("convert", [sparse.csr_matrix, sparse.csc_array, sparse.coo_matrix])
    @every_solver
    def test_the_bits_of_one_container(self, model_class, solver, convert, dtype):
        X, y = wine()
        X = np.where(X > 0, 30 * X, 0).astype(dtype)
        y_val = y[::2]
        kwargs = {"max_iter": 4, "random_state": 0}
        for X_train, mixed, same in (
            (X, convert(X[::2]), X[::2]),
            (convert(X), X[::2], convert(X[::2])),
        ):
            one, other = (
                model_class(solver=solver, **kwargs).fit(X_train, y, X_val=X_val, y_val=y_val)
                for X_val in (mixed, same)
            )
            assert one.validation_loss_curve_ == other.validation_loss_curve_
            for a, b in zip(parameters(one), parameters(other), strict=True):
                assert_array_equal(a, b)


@ends_early
class TestEveryClassKeepsARow:
    @pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 0.8, 0.9])
    @pytest.mark.parametrize("counts", [(2, 10), (2, 2, 2, 100), (10, 2, 3), (2, 2), (5, 4, 3, 2)])
    def test_split(self, counts, fraction):
        codes = np.repeat(np.arange(len(counts)), counts)
        n_classes, n_rows = len(counts), len(codes)
        n_validation = int(np.ceil(fraction * n_rows))
        for seed in range(5):
            arguments = (np.arange(n_rows), codes, np.arange(n_classes), fraction)
            if not n_classes <= n_validation <= n_rows - n_classes:
                with pytest.raises(ValueError, match="validation_fraction"):
                    split_rows(*arguments, np.random.RandomState(seed))
                continue
            rows, rows_val = split_rows(*arguments, np.random.RandomState(seed))
            assert (np.bincount(codes[rows], minlength=n_classes) > 0).all()
            assert (np.bincount(codes[rows_val], minlength=n_classes) > 0).all()
            assert_array_equal(np.sort([*rows, *rows_val]), np.arange(n_rows))
            if fraction >= 0.5:
                assert len(rows_val) == n_validation

    @every_class
    def test_two_and_ten_rows(self, model_class):
        X = np.r_[np.full((2, 1), 3.0), -np.ones((10, 1))] + 1e-3 * np.arange(12)[:, None]
        y = np.repeat([0, 1], [2, 10])
        model = model_class(
            reg=1e-3, early_stopping=True, validation_fraction=0.8, max_iter=100, random_state=0
        )
        assert model.fit(X, y).score(X, y) == 1.0
