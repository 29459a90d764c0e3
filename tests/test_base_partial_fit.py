"""`partial_fit`: steps, weights, invalid parameters and classes."""

import numpy as np
import pandas as pd
import pytest
from helpers import (
    BATCH_SOLVERS,
    BATCH_UPDATES,
    assert_same_bits,
    ends_early,
    every_batch_solver,
    every_case,
    every_class,
    glorot_uniform,
    scaled,
    with_entry,
)
from kernel_cases import reference_of, train_by_plain_loop
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

X, y = scaled("wine")

# ---- steps


@pytest.mark.parametrize("batch_size", [16, "auto"])
@pytest.mark.parametrize("solver", BATCH_UPDATES)
def test_calls_on_chunks_follow_a_plain_loop(solver, batch_size):
    n_rows, length = 160, 32  # sorted by class: no chunk has all classes
    net = TwoLayerNetClassifier(
        6,
        0.01,
        solver=solver,
        learning_rate=0.003,
        momentum=0.7,
        batch_size=batch_size,
        init=glorot_uniform,
        shuffle=False,
    )
    for _ in range(3):
        for start in range(0, n_rows, length):
            chunk = slice(start, start + length)
            net.partial_fit(X[chunk], y[chunk], classes=[0, 1, 2])
    size = length if batch_size == "auto" else batch_size
    step_sizes = np.full((3, n_rows // size), 0.003)
    data = X[:n_rows], y[:n_rows], np.ones(n_rows)
    _, expected = train_by_plain_loop(net, *data, step_sizes, size)
    assert_allclose(reference_of(net, *data)[0], expected, rtol=1e-6, atol=1e-8)
    assert net.n_iter_ == len(net.loss_curve_) == 15


@ends_early
@every_class
@every_batch_solver
def test_a_call_on_all_rows_is_an_epoch_of_fit(model_class, solver):
    model = model_class(reg=1e-3, solver=solver, batch_size=40, init=0.1, tol=0, random_state=0)
    model.set_params(dtype="float64")
    steps = clone(model)
    for _ in range(5):
        steps.partial_fit(X, y, classes=[0, 1, 2])
    # optimizer state and batch order continue from call to call
    fitted = clone(model).set_params(schedule="constant", max_iter=5).fit(X, y)
    assert_same_bits(steps, fitted)
    assert steps.loss_curve_ == fitted.loss_curve_
    assert steps.n_iter_ == 5


def test_rows_are_weighted():
    w = np.random.RandomState(0).randint(0, 4, len(y)).astype(float)
    model = SoftmaxClassifier(solver="adam", batch_size=30, random_state=0)
    weighted = clone(model).partial_fit(X, y, classes=[0, 1, 2], sample_weight=w)
    left_out = clone(model).partial_fit(X[w > 0], y[w > 0], [0, 1, 2], w[w > 0])
    assert_same_bits(weighted, left_out)
    factors = {0: 2.0, 1: 1.0, 2: 0.5}
    by_class = clone(model).set_params(class_weight=factors).partial_fit(X, y, [0, 1, 2])
    by_row = clone(model).partial_fit(X, y, [0, 1, 2], np.array([2.0, 1.0, 0.5])[y])
    assert_same_bits(by_class, by_row)


@every_class
def test_training_continues_from_weights_set_by_hand(model_class):
    fitted = model_class(solver="sgd", random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    by_hand = clone(fitted)
    names = ["coef_", "intercept_"] if hasattr(fitted, "coef_") else ["coefs_", "intercepts_"]
    for name in ["classes_", "n_features_in_", *names]:
        setattr(by_hand, name, getattr(fitted, name))
    assert_array_equal(by_hand.predict_proba(X), fitted.predict_proba(X))
    by_hand.partial_fit(X, y)
    assert by_hand.n_iter_ == len(by_hand.loss_curve_) == 1
    assert by_hand.loss_ < fitted.loss_


# ---- invalid parameters


@every_case
def test_the_method_exists_for_batch_solvers_only(model_class, solver):
    model = model_class(solver=solver)
    assert hasattr(model, "partial_fit") == (solver in BATCH_SOLVERS)
    if solver == "lbfgs":
        able = " or ".join(map(repr, sorted(BATCH_SOLVERS)))
        with pytest.raises(AttributeError, match=f"{able}. Got solver='lbfgs'"):
            model.partial_fit  # noqa: B018


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("early_stopping", True, "False"),
        ("class_weight", "balanced", "a dict or None"),
        ("schedule", "cosine", "'auto' or 'constant'"),
        ("schedule", lambda _: 1.0, "'auto' or 'constant'"),
    ],
)
def test_parameters_that_need_all_rows_raise_an_error(name, value, allowed):
    model = TwoLayerNetClassifier(**{name: value})
    with pytest.raises(ValueError, match=f"partial_fit .*{name}=.*Set {name} to {allowed}, or"):
        model.partial_fit(X, y, classes=[0, 1, 2])


# ---- classes


def assert_refuses(model, labels, classes, message):
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X[: len(labels)], labels, classes=classes)
    assert not hasattr(model, "classes_")
    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([0, 1, 2], None, "classes must be given in the first call"),
        ([0, 1, 2], [0, 1], r"y must hold labels among .*\[0, 1\].* got \[2\]"),
        ([0, 0, 0], [0], r"classes must name at least 2 classes, got \[0\]"),
        ([0, 0, 0], [], "classes must name at least 2 classes"),
        ([0, 1], [[0, 1, 2]], r"(?s)classes.*1d array.*\(1, 3\)"),
        ([0, 1], 3, r"(?s)classes.*1d array.*\(\)"),
    ],
)
@every_class
def test_classes_are_checked(model_class, labels, classes, message):
    assert_refuses(model_class(solver="sgd"), labels, classes, message)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([0, 1, np.nan], "NaN"),
        (pd.Series([0, 1, None], dtype="Int64"), "NaN"),
        ([0, 1, np.inf], "infinity"),
        ([0, 1, 2.5], "continuous"),
        (np.array([0, 1, 2], object), "unknown"),
        ([0, 1, None], "NoneType, int"),
        ([0j, 1, 2], "[Cc]omplex"),
    ],
    ids=str,
)
def test_classes_that_are_invalid_as_y_raise_an_error(classes, message):
    model = SoftmaxClassifier(solver="sgd")
    assert_refuses(model, [0, 1], classes, f"(?s)classes.*{message}")
    with pytest.raises(ValueError, match=message):
        model.fit(X[:3], classes)


@pytest.mark.parametrize(
    "classes",
    [
        [0.0, 1.0, 2.0],
        [2, 0, 1, 1],
        [True, False],
        np.array(["b", "a"], object),
        pd.Categorical(["b", "a"]),
        pd.Series([2, 0], dtype="Int64"),
        pd.Series(["b", "a"], dtype="string[pyarrow]"),
    ],
    ids=repr,
)
@ends_early
def test_classes_that_are_valid_as_y_are_accepted(classes):
    rows = X[: len(classes)]
    fitted = SoftmaxClassifier(solver="sgd", max_iter=1, tol=0).fit(rows, classes)
    model = SoftmaxClassifier(solver="sgd").partial_fit(rows, classes, classes=classes)
    assert_array_equal(model.classes_, fitted.classes_, strict=True)
    assert set(model.predict(rows)) <= set(fitted.classes_)


@every_class
def test_later_calls_must_have_the_same_classes(model_class):
    model = model_class(solver="sgd", random_state=0).partial_fit(X, y, classes=[2, 0, 1])
    assert_array_equal(model.classes_, [0, 1, 2])
    model.partial_fit(X, y, classes=[1, 2, 0])  # in any order
    with pytest.raises(ValueError, match=r"classes=\[0, 1, 2, 3\]"):
        model.partial_fit(X, y, classes=[0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"y must hold labels among .* got \[7\]"):
        model.partial_fit(X, with_entry(y, 0, 7))
    with pytest.raises(ValueError, match=r"y must hold labels among .* got"):
        model.partial_fit(X, y.astype(str))
