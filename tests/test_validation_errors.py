"""Errors on wrong rows, labels and weights."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from helpers import ends_early, every_class, solvers_of, wine, with_entry
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sklearn_toynn import (
    MultiLayerNetClassifier,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn._sklearn_compat import Interval
from sklearn_toynn.model_selection import FusedGridSearchCV

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
def test_a_raw_validation_set_behind_transformers_is_told_why(model_class):
    X, y = wine()
    raw = X.astype(object)
    raw[:, 0] = "a"
    with pytest.raises(ValueError, match=r"X_val: could not convert.*transform_input=\['X_val'\]"):
        model_class(solver="sgd").fit(X, y, X_val=raw, y_val=y)


@every_class
def test_other_width(model_class):
    X, y = wine()
    model = model_class(solver="sgd", random_state=0)
    with pytest.raises(ValueError, match=r"X_val has 12 features.* 13 features.*transform_input"):
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
        (lambda X, y: (X, np.where(y, "a", None)), "one type, got NoneType, str"),
        (lambda X, y: (X, np.where(y, 1, None)), "one type, got NoneType, int"),
        (lambda X, y: (X, np.array(["a", 1, 2.0], object)[y]), "one type, got float, int, str"),
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


def as_elements(array):
    """An object array that holds NumPy's scalars, not Python's."""
    out = np.empty(array.shape, object)
    for index in np.ndindex(array.shape):
        out[index] = array[index]
    return out


TIMES = {
    "array": lambda times: times,
    "big-endian": lambda times: times.astype(times.dtype.newbyteorder(">")),
    "list": lambda times: [list(row) for row in times],
    "objects": as_elements,
    "Python's objects": lambda times: times.astype(object),
    "an object among floats": lambda times: with_entry(
        np.ones(times.shape, object), (3, 5), times[3, 5]
    ),
    "pandas": pd.DataFrame,
    "a pandas column": lambda times: pd.DataFrame({"a": times[:, 0], "b": 1.0}),
    "a pandas column of objects": lambda times: pd.DataFrame(
        {"a": pd.Series(as_elements(times[:, 0]), dtype=object), "b": 1.0}
    ),
    "pandas categories": lambda times: pd.DataFrame({"a": pd.Categorical(times[:, 0])}),
    "pandas with pyarrow": lambda times: pd.DataFrame(
        {"a": pd.Series(times[:, 0]).astype(pd.ArrowDtype(pa.from_numpy_dtype(times.dtype)))}
    ),
    "polars": pl.DataFrame,
    "a polars column": lambda times: pl.DataFrame({"a": times[:, 0], "b": np.ones(len(times))}),
    "pyarrow": lambda times: pa.table({"a": times[:, 0], "b": np.ones(len(times))}),
}


@pytest.mark.parametrize("container", TIMES)
@pytest.mark.parametrize("dtype", ["datetime64[ms]", "timedelta64[ms]"])
def test_dates_and_durations_are_no_numbers(dtype, container):
    X, y = wine()
    bad = TIMES[container]((1000 * X).astype("int64").astype(dtype))
    message = r"^{} must hold numbers, got ([dD]ate|[tT]ime|[dD]uration|[<>][mM]8)"
    model = SoftmaxClassifier(solver="sgd", random_state=0)
    search = FusedGridSearchCV(model, {"reg": [0.1, 1]}, cv=2, error_score="raise")
    for estimator in (model, SoftmaxClassifierCV(regs=[0.1], cv=2), search):
        with pytest.raises(ValueError, match=message.format("X")):
            estimator.fit(bad, y)
    with pytest.raises(ValueError, match=message.format("X")):
        model.partial_fit(bad, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=message.format("X_val")):
        model.fit(X, y, X_val=bad, y_val=y)
    net = TwoLayerNetClassifier(5, random_state=0).fit(X, y)
    for method in ("predict", "predict_proba", "decision_function", "hidden_values"):
        with pytest.raises(ValueError, match=message.format("X")):
            getattr(net, method)(bad)


# Entries that SciPy's constructors or conversions do not check. Their use is undefined behaviour.
FAR = 10**6
BAD_ENTRIES = {
    "csr": [
        lambda X: X.indices.put(3, FAR),
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
    "csc": [
        lambda X: X.indices.put(3, FAR),
        lambda X: X.indices.put(3, X.shape[0]),
        lambda X: X.indptr.put(5, FAR),
    ],
    "coo": [
        lambda X: X.row.put(3, FAR),
        lambda X: X.col.put(3, -FAR),
        lambda X: setattr(X, "data", X.data[:-1]),
    ],
    "bsr": [
        lambda X: X.indices.put(3, FAR),
        lambda X: X.indptr.put(5, FAR),
    ],
    "lil": [
        lambda X: X.rows[0].__setitem__(0, FAR),
        lambda X: X.data[0].extend(range(FAR)),
        lambda X: setattr(X, "rows", X.rows[:-1]),
    ],
    "dia": [lambda X: setattr(X, "data", X.data[:-1])],
}


@pytest.mark.parametrize(
    ("format", "spoil"),
    [(name, spoil) for name, spoils in BAD_ENTRIES.items() for spoil in spoils],
)
@pytest.mark.filterwarnings("ignore:Constructing a DIA")
@ends_early
def test_sparse_entries_out_of_bounds(format, spoil):  # noqa: A002
    X, y = wine()
    X[X < 0] = 0
    X = sparse.csr_array(X)
    bad = X.asformat(format, copy=True)
    spoil(bad)
    model = SoftmaxClassifier(solver="sgd", max_iter=2, random_state=0)
    search = FusedGridSearchCV(model, {"reg": [0.1, 1]}, cv=2, error_score="raise")
    for estimator in (
        *(SoftmaxClassifier(solver=solver) for solver in solvers_of(SoftmaxClassifier)),
        SoftmaxClassifierCV(regs=[0.1], cv=2),
        TwoLayerNetClassifier(5),
        TwoLayerNetClassifierCV(regs=[0.1], cv=2),
        MultiLayerNetClassifier((4, 3)),
        search,
    ):
        with pytest.raises(ValueError, match="^X is .*sparse"):
            estimator.fit(bad, y)
    with pytest.raises(ValueError, match="^X is .*sparse"):
        model.partial_fit(bad, y, classes=[0, 1, 2])
    for estimator in (model, search):
        with pytest.raises(ValueError, match="^X_val is .*sparse"):
            estimator.fit(X, y, X_val=bad, y_val=y)
    for estimator, methods in (
        (model, ["predict", "predict_proba", "predict_log_proba", "decision_function"]),
        (TwoLayerNetClassifier(5, max_iter=2), ["predict_proba", "hidden_values"]),
        (SoftmaxClassifierCV(regs=[0.1], cv=2), ["predict_proba"]),
        (search, ["predict"]),
    ):
        estimator.fit(X, y)
        for method in methods:
            with pytest.raises(ValueError, match="^X is .*sparse"):
                getattr(estimator, method)(bad)


def test_the_sparse_matrix_of_the_example():
    X = sparse.csr_matrix((np.ones(2), [0, 1000], [0, 1, 2]), shape=(2, 5))
    with pytest.raises(ValueError, match=r"index 1000.* from 0 to 4"):
        SoftmaxClassifier().fit(X, [0, 1])


def test_spare_room_in_sparse_arrays_is_no_fault():
    X, y = wine()
    tight = sparse.csr_matrix(X)
    data, indices = np.r_[tight.data, 1, 1], np.r_[tight.indices, -1, FAR].astype(np.intc)
    X = tight.copy()
    X.data, X.indices = data, indices
    model = SoftmaxClassifier()
    desired = model.fit(tight, y).predict_proba(tight)
    assert_array_equal(model.fit(X, y).predict_proba(X), desired)
    assert X.data is data
    assert X.indices is indices


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
def test_early_stopping_needs_two_rows_of_a_class(model_class):
    X, y = wine()
    model = model_class(early_stopping=True)
    w = np.zeros(len(y))  # rows of weight 0 do not count
    w[[0, 70, 140]] = 1
    with pytest.raises(ValueError, match=r"early_stopping=True needs .* got 3 rows of as many"):
        model.fit(X, y, sample_weight=w)
    with pytest.raises(ValueError, match=r"early_stopping=True needs .* got 3 rows of as many"):
        model.fit(X[[0, 70, 140]], y[[0, 70, 140]])


@every_class
def test_validation_fraction_leaves_no_row_to_train_on(model_class):
    model = model_class(early_stopping=True, validation_fraction=0.999)
    with pytest.raises(ValueError, match=r"validation_fraction=0\.999 of 178 rows"):
        model.fit(*wine())


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


# ---- labels of several types


MIXED = {
    "int first": np.array([1, "a", "b"] * 20, object),
    "string first": np.array(["a", "b", 1] * 20, object),
    "None": np.array(["a", "b", None] * 20, object),
    "bool and int": np.array([True, 2, 3] * 20, object),
    "Series": pd.Series(["a", "b", 1] * 20),
    "Categorical": pd.Categorical(["a", "b", 1] * 20),
}
every_mixture = pytest.mark.parametrize("mixed", MIXED.values(), ids=MIXED)
EVERY_MODEL = [
    SoftmaxClassifier(solver="sgd"),
    TwoLayerNetClassifier(4),
    MultiLayerNetClassifier(4),
    SoftmaxClassifierCV(),
    TwoLayerNetClassifierCV(4),
]
every_estimator = pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda m: type(m).__name__)


@every_mixture
@every_estimator
def test_labels_of_several_types(model, mixed):
    X = np.random.RandomState(0).standard_normal((60, 2))
    types = {type(label).__name__ for label in mixed}
    message = f"must hold labels of one type, got {', '.join(sorted(types))}. Convert"
    with pytest.raises(ValueError, match=f"^y {message}"):
        model.fit(X, mixed)
    if "CV" in type(model).__name__:
        return
    for y in (np.arange(60) % 2, np.array(["a", "b"] * 30)):
        with pytest.raises(ValueError, match=f"^y_val {message}"):
            model.fit(X, y, X_val=X, y_val=mixed)
        with pytest.raises(ValueError, match=f"^y {message}"):
            model.partial_fit(X, mixed, classes=np.unique(y))
    with pytest.raises(ValueError, match=f"^classes {message}"):
        model.partial_fit(X, y, classes=mixed[:3])


# ---- True and False are no numbers


def numbers(model):
    for name, constraints in model._parameter_constraints.items():
        if any(isinstance(one, Interval) for one in constraints) and "boolean" not in constraints:
            yield name


@pytest.mark.parametrize(
    ("model", "name"), [(model, name) for model in EVERY_MODEL for name in numbers(model)]
)
@pytest.mark.parametrize("value", [True, np.True_])
def test_booleans_are_no_numbers(model, name, value):
    X, y = wine()
    model = clone(model).set_params(**{name: value})
    with pytest.raises(ValueError, match=f"{name}.*True"):
        model.fit(X, y)


@pytest.mark.parametrize(
    "model",
    [
        MultiLayerNetClassifier((True, 3)),
        TwoLayerNetClassifierCV([3, True]),
        SoftmaxClassifierCV([0.1, True]),
        SoftmaxClassifierCV([True]),
    ],
)
def test_booleans_among_numbers(model):
    with pytest.raises(ValueError, match="must be .*True"):
        model.fit(*wine())
