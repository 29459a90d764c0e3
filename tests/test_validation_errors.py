"""Errors about invalid rows, labels, weights and validation sets."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from helpers import ends_early, solvers_of, wine, with_entry
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone

from sklearn_toynn import (
    MultiLayerNetClassifier,
    MultiLayerNetClassifierCV,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn._sklearn_compat import Interval
from sklearn_toynn.model_selection import FusedGridSearchCV

X, y = wine()
PREDICTIONS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


def search(model):
    return FusedGridSearchCV(model, {"reg": [0.1, 1]}, cv=2, error_score="raise")


def assert_every_entry_point_raises(bad, message):
    """Pass invalid rows to each method that takes X or X_val."""
    model = SoftmaxClassifier(solver="sgd", max_iter=2, random_state=0)
    for estimator in (model, search(model)):
        with pytest.raises(ValueError, match=message.format("X_val")):
            estimator.fit(X, y, X_val=bad, y_val=y)
    with pytest.raises(ValueError, match=message.format("X")):
        model.partial_fit(bad, y, classes=[0, 1, 2])
    for estimator, methods in (
        (model, ["fit", *PREDICTIONS]),
        (TwoLayerNetClassifier(5, max_iter=2), ["fit", *PREDICTIONS, "hidden_values"]),
        (MultiLayerNetClassifier((4, 3), max_iter=2), ["fit"]),
        (SoftmaxClassifierCV(regs=[0.1], cv=2), ["fit", "predict_proba"]),
        (TwoLayerNetClassifierCV(4, regs=[0.1], cv=2, max_iter=2), ["fit"]),
        (search(model), ["fit", "predict"]),
    ):
        estimator.fit(X, y)
        for method in methods:
            with pytest.raises(ValueError, match=message.format("X")):
                getattr(estimator, method)(*((bad, y) if method == "fit" else (bad,)))


# ---- rows


@ends_early
@pytest.mark.parametrize(("value", "name"), [(np.nan, "NaN"), (-np.inf, "infinity")])
def test_nan_and_infinity_raise_an_error_everywhere(value, name):
    assert_every_entry_point_raises(with_entry(X, (5, 3), value), f"Input {{}} contains {name}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X, y[1:]), "inconsistent numbers of samples"),
        (lambda X, y: (X[:, :0], y), r"Found array with 0 feature\(s\)"),
        (lambda X, y: (np.full(X.shape, "word"), y), "could not convert string to float"),
        (lambda X, _: (X, X[:, :2]), "y should be a 1d array, got an array of shape"),
        (lambda X, y: (X, with_entry(y.astype(float), 3, np.nan)), "Input y contains NaN"),
        (lambda X, y: (X, np.where(y, 1, None)), "one type, got NoneType, int"),
        (lambda X, y: (X, np.full(len(y), "only")), r"y must .* one class.*\['only'\]"),
        (lambda X, y: (X[:1], y[:1]), r"y must .* one class.*\[0\]|1 sample"),
    ],
)
def test_a_failed_first_fit_sets_nothing(change, message):
    model = TwoLayerNetClassifier()
    with pytest.raises((ValueError, TypeError), match=message):  # scikit-learn's own are both
        model.fit(*change(X, y))
    assert not hasattr(model, "classes_")
    assert not hasattr(model, "n_features_in_")


def as_elements(array):
    """Return an object array of NumPy scalars."""
    out = np.empty(array.shape, object)
    for index in np.ndindex(array.shape):
        out[index] = array[index]
    return out


TIMES = {
    "array": lambda times: times,
    "list": lambda times: [list(row) for row in times],
    "objects": as_elements,
    "an object among floats": lambda times: with_entry(
        np.ones(times.shape, object), (3, 5), times[3, 5]
    ),
    "pandas": pd.DataFrame,
    "pandas categories": lambda times: pd.DataFrame({"a": pd.Categorical(times[:, 0])}),
    "pandas with pyarrow": lambda times: pd.DataFrame(
        {"a": pd.Series(times[:, 0]).astype(pd.ArrowDtype(pa.from_numpy_dtype(times.dtype)))}
    ),
    "polars": pl.DataFrame,
    "pyarrow": lambda times: pa.table({"a": times[:, 0], "b": np.ones(len(times))}),
}
NO_NUMBERS = r"^{} must hold numbers, got ([dD]ate|[tT]ime|[dD]uration|[<>][mM]8)"


@pytest.mark.parametrize("container", TIMES)
@pytest.mark.parametrize("dtype", ["datetime64[ms]", "timedelta64[ms]"])
def test_dates_and_durations_raise_an_error_in_any_container(dtype, container):
    bad = TIMES[container]((1000 * X).astype("int64").astype(dtype))
    with pytest.raises(ValueError, match=NO_NUMBERS.format("X")):
        SoftmaxClassifier().fit(bad, y)


@ends_early
def test_dates_raise_an_error_everywhere():
    assert_every_entry_point_raises((1000 * X).astype("datetime64[ms]"), NO_NUMBERS)


# Entries that SciPy's constructors or conversions do not check. Their use is undefined behavior.
FAR = 10**6
BAD_ENTRIES = {
    "csr": [
        lambda X: X.indices.put(3, X.shape[1]),
        lambda X: X.indices.put(-1, -1),
        lambda X: X.indptr.put(0, -FAR),
        lambda X: X.indptr.put(5, FAR),
        lambda X: X.indptr.put(-1, FAR),
        lambda X: X.indptr.put(-1, 0),
        lambda X: X.indptr.put([5, 6], [np.iinfo("i").max, np.iinfo("i").min]),
        lambda X: setattr(X, "indptr", X.indptr[:-1]),
        lambda X: setattr(X, "indices", X.indices[:-1]),
        lambda X: setattr(X, "data", X.data[:-1]),
    ],
    "csc": [lambda X: X.indices.put(3, X.shape[0])],
    "coo": [lambda X: X.row.put(3, FAR), lambda X: X.col.put(3, -FAR)],
    "bsr": [lambda X: X.indices.put(3, FAR), lambda X: X.indptr.put(5, FAR)],
    "lil": [
        lambda X: X.rows[0].__setitem__(0, FAR),
        lambda X: X.data[0].extend(range(FAR)),
        lambda X: setattr(X, "rows", X.rows[:-1]),
    ],
    "dia": [lambda X: setattr(X, "data", X.data[:-1])],
}


def spoiled(format, spoil):  # noqa: A002
    bad = sparse.csr_array(np.maximum(X, 0)).asformat(format, copy=True)
    spoil(bad)
    return bad


@pytest.mark.parametrize(
    ("format", "spoil"),
    [(name, spoil) for name, spoils in BAD_ENTRIES.items() for spoil in spoils],
)
@pytest.mark.filterwarnings("ignore:Constructing a DIA")
def test_invalid_sparse_matrices_raise_an_error(format, spoil):  # noqa: A002
    bad = spoiled(format, spoil)
    with pytest.raises(ValueError, match="^X is .*sparse"):
        SoftmaxClassifier().fit(bad, y)
    with pytest.raises(ValueError, match="^X is .*sparse"):
        SoftmaxClassifier().fit(X, y).predict(bad)


@ends_early
def test_an_index_out_of_bounds_raises_an_error_everywhere():
    bad = spoiled("csr", lambda X: X.indices.put(3, FAR))
    assert_every_entry_point_raises(bad, "^{} is .*sparse.* index 1000000, .* are 0 to 12")
    for solver in solvers_of(SoftmaxClassifier):
        with pytest.raises(ValueError, match="^X is .*sparse"):
            SoftmaxClassifier(solver=solver).fit(bad, y)


def test_unused_entries_at_the_end_of_sparse_arrays_are_ignored():
    tight = sparse.csr_matrix(X)
    data, indices = np.r_[tight.data, 1, 1], np.r_[tight.indices, -1, FAR].astype(np.intc)
    spare = tight.copy()
    spare.data, spare.indices = data, indices
    model = SoftmaxClassifier()
    desired = model.fit(tight, y).predict_proba(tight)
    assert_array_equal(model.fit(spare, y).predict_proba(spare), desired)
    assert spare.data is data
    assert spare.indices is indices


# ---- weights


BAD_WEIGHTS = [
    (with_entry(np.ones(178), 3, -0.5), r"{name} must not be negative.* -0.5"),
    (with_entry(np.ones(178), 3, np.nan), "Input {name} contains NaN"),
    (with_entry(np.ones(178), 3, np.inf), "Input {name} contains infinity"),
    (np.zeros(178), "{name} must not be zero"),
    (0.0, "{name} must not be zero"),
    (np.ones(177), r"{name} must have shape \(178,\), got \(177,\)"),
    (np.ones((178, 1)), r"{name} must have shape \(178,\), got \(178, 1\)"),
    *(
        (bad, r"\b{name}\b")
        for bad in (["a"] * 178, {}, "word", 1j, np.array(2.5), np.ones((2, 2, 2)), [[1], [1, 2]])
    ),
]


@pytest.mark.parametrize(("bad", "message"), BAD_WEIGHTS)
def test_invalid_weights_are_named(bad, message):
    model = SoftmaxClassifier(solver="sgd")
    with pytest.raises(ValueError, match=message.format(name="sample_weight")):
        model.fit(X, y, sample_weight=bad)
    with pytest.raises(ValueError, match=message.format(name="sample_weight")):
        model.partial_fit(X, y, classes=[0, 1, 2], sample_weight=bad)
    with pytest.raises(ValueError, match=message.format(name="sample_weight_val")):
        model.fit(X, y, X_val=X, y_val=y, sample_weight_val=bad)
    assert not hasattr(model, "classes_")


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-1.0, "class_weight must .* at least 0.* -1.0"),
        (np.nan, "class_weight must .*finite.* nan"),
        (np.inf, "class_weight must .*finite.* inf"),
        *((bad, "class_weight") for bad in ("one", [1, 2], 10**400, 1j, None)),
    ],
)
def test_an_invalid_class_weight_is_named(weight, message):
    with pytest.raises(ValueError, match=message):
        SoftmaxClassifier(class_weight={0: weight, 1: 1.0, 2: 1.0}).fit(X, y)


@pytest.mark.parametrize(
    ("class_weight", "data", "validation"),
    [
        ({0: 0.0, 1: 0.0, 2: 0.0}, (X, y), {}),
        ({0: 0.0}, (X, y, (y == 0).astype(float)), {}),
        ({0: 0.0}, (X, y), {"X_val": X[y == 0], "y_val": y[y == 0]}),
    ],
)
def test_class_weight_must_leave_rows_of_positive_weight(class_weight, data, validation):
    name = "X_val" if validation else "X"
    with pytest.raises(ValueError, match=rf"class_weight=.* leaves no row of {name} "):
        SoftmaxClassifier(class_weight=class_weight).fit(*data, **validation)


# ---- validation sets


def with_words(X):
    raw = X.astype(object)
    raw[:, 0] = "a"
    return raw


@pytest.mark.parametrize(
    ("X_val", "y_val", "message"),
    [
        (X, None, "X_val was given without y_val"),
        (None, y, "y_val was given without X_val"),
        (X, y[1:], r"\[178, 177\]"),
        (X, y + 1, r"y_val must .*\[0, 1, 2\].* got \[3\]"),
        (X, y + 0.5, r"y_val must .*\[0\.5, 1\.5, 2\.5\]"),
        (X, X[:, :2], "y_val"),
        (X, np.where(y == 0, None, y), "y_val"),
        (X, y + 1j, "y_val"),
        (X, y.astype("datetime64[s]"), "y_val"),
        (X, [[1], [1, 2]], "y_val"),
        (X, 5, "y_val"),
        (X, sparse.csr_matrix(y), "y_val"),
        (X[:0], y[:0], r"0 sample\(s\)"),
        (X[:, 1:], y, r"X_val has 12 features.* 13 features.*transform_input"),
        (X[:, :0], y, "X_val"),
        (X[0], y, "X_val"),
        (X + 1j, y, "X_val"),
        ("word", y, "X_val"),
        ([[1], [2, 3]], y, "X_val"),
        # a pipeline transforms it only on request
        (with_words(X), y, r"X_val: could not convert.*transform_input=\['X_val'\]"),
    ],
)
def test_an_invalid_validation_set_is_named(X_val, y_val, message):
    model = SoftmaxClassifier()
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, X_val=X_val, y_val=y_val)
    assert not hasattr(model, "classes_")
    with pytest.raises(ValueError, match="sample_weight_val was given"):
        model.fit(X, y, sample_weight_val=np.ones(len(y)))


@pytest.mark.parametrize("bad", [y, y.astype("datetime64[s]"), np.where(y == 0, None, y)])
def test_validation_labels_must_be_strings_if_the_classes_are(bad):
    with pytest.raises(ValueError, match="y_val"):
        SoftmaxClassifier().fit(X, y.astype(str), X_val=X, y_val=bad)


def test_early_stopping_needs_two_rows_of_a_class():
    rows = [0, 70, 140]
    model = SoftmaxClassifier(early_stopping=True)
    w = with_entry(np.zeros(len(y)), rows, 1)  # rows of weight 0 do not count
    for data in ((X, y, w), (X[rows], y[rows])):
        with pytest.raises(ValueError, match=r"early_stopping=True .* got 3 rows of 3 classes"):
            model.fit(*data)


# ---- functions as parameters


@pytest.mark.parametrize("solver", ["gd", "adam"])
def test_the_result_of_a_schedule_is_checked(solver):
    for value in (None, "0.5", [1.0], np.array([0.5]), np.array([0.5, 1]), 1j, np.nan, -1, {}):
        model = TwoLayerNetClassifier(solver=solver, schedule=lambda _, value=value: value)
        message = f"schedule must return .* got {re.escape(repr(value))}"
        with pytest.raises(ValueError, match=message):
            model.fit(X, y)


@pytest.mark.parametrize(
    "value",
    [None, "a", {}, *(np.full((13, 3), entry) for entry in ("0.5", 1j, None)), [[1.0], [1.0, 2]]],
)
def test_the_result_of_init_is_checked(value):
    with pytest.raises(ValueError, match=r"^init"):
        SoftmaxClassifier(init=lambda *_: value).fit(X, y)


# ---- labels of several types


MIXED = {
    "None": np.array(["a", "b", None] * 20, object),
    "bool and int": np.array([True, 2, 3] * 20, object),
    "three types": np.array(["a", 1, 2.0] * 20, object),
    "Categorical": pd.Categorical(["a", "b", 1] * 20),
}
EVERY_MODEL = [
    SoftmaxClassifier(solver="sgd"),
    TwoLayerNetClassifier(4),
    MultiLayerNetClassifier(4),
    SoftmaxClassifierCV(),
    TwoLayerNetClassifierCV(4),
    MultiLayerNetClassifierCV(4),
]
every_estimator = pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda m: type(m).__name__)


@pytest.mark.parametrize("mixed", MIXED.values(), ids=MIXED)
def test_labels_of_several_types_raise_an_error(mixed):
    rows = np.random.RandomState(0).standard_normal((60, 2))
    types = {type(label).__name__ for label in mixed}
    message = f"must hold labels of one type, got {', '.join(sorted(types))}. Convert"
    for model in EVERY_MODEL:
        with pytest.raises(ValueError, match=f"^y {message}"):
            model.fit(rows, mixed)
    model = SoftmaxClassifier(solver="sgd")
    for labels in (np.arange(60) % 2, np.array(["a", "b"] * 30)):
        with pytest.raises(ValueError, match=f"^y_val {message}"):
            model.fit(rows, labels, X_val=rows, y_val=mixed)
        with pytest.raises(ValueError, match=f"^y {message}"):
            model.partial_fit(rows, mixed, classes=np.unique(labels))
    with pytest.raises(ValueError, match=f"^classes {message}"):
        model.partial_fit(rows, labels, classes=mixed[:3])


@pytest.mark.parametrize("bad", [[None, 1, 2], [[0, 1], [2]], [None, "a", "b"]])
def test_invalid_classes_are_named(bad):
    with pytest.raises(ValueError, match="^classes"):
        SoftmaxClassifier(solver="sgd").partial_fit(X, y, classes=bad)


# ---- True and False as numbers


@every_estimator
def test_booleans_raise_an_error_as_numbers(model):
    for name, constraints in model._parameter_constraints.items():
        if any(isinstance(one, Interval) for one in constraints) and "boolean" not in constraints:
            for value in (True, np.True_):
                with pytest.raises(ValueError, match=f"{name}.*True"):
                    clone(model).set_params(**{name: value}).fit(X, y)


@pytest.mark.parametrize(
    "model",
    [
        MultiLayerNetClassifier((True, 3)),
        TwoLayerNetClassifierCV([3, True]),
        MultiLayerNetClassifierCV([3, (2, True)]),
        SoftmaxClassifierCV([0.1, True]),
        SoftmaxClassifierCV([True]),
    ],
)
def test_booleans_among_numbers_raise_an_error(model):
    with pytest.raises(ValueError, match="must be .*True"):
        model.fit(X, y)
