"""Dtypes, labels, names of columns and layouts in memory."""

import re
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from helpers import (
    assert_close,
    assert_dtype,
    assert_same_bits,
    both_classes,
    every_model,
    parameters,
    plain_objective,
    wine,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.utils.fixes import parse_version
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from sklearn_toynn import SoftmaxClassifier

# for fits whose end at `max_iter` is beside the point
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# ---- dtypes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_model
def test_float32_stays_float32(model, dtype):
    X, y = wine()
    fitted = clone(model).fit(X.astype(dtype), y)
    assert_dtype(fitted, X.astype(dtype), dtype)
    # X of the other dtype does not change what the parameters are
    assert_dtype(fitted, X.astype(np.float32), dtype)
    assert_dtype(fitted, X, dtype)
    assert_allclose(fitted.predict_proba(X), fitted.predict_proba(X.astype("f4")), atol=1e-5)
    assert_allclose(fitted.loss_, plain_objective(fitted, X, y), rtol=1e-5)


@pytest.mark.parametrize("kind", ["weights", "class_weight", "validation", "early_stopping"])
@every_model
def test_float32_stays_float32_with_float64_beside_it(model, kind):
    X, y = wine()
    X32 = X.astype(np.float32)
    model = clone(model)
    if kind == "weights":
        model.fit(X32, y, sample_weight=np.linspace(0.5, 2, len(y)))
    elif kind == "class_weight":
        model.set_params(class_weight={0: 1.5, 1: 1.0, 2: 0.7}).fit(X32, y)
    elif kind == "validation":
        model.fit(X32, y, X_val=X, y_val=y)
    else:
        model.set_params(early_stopping=True).fit(X32, y)
    assert_dtype(model, X32, np.float32)


@pytest.mark.parametrize(
    "as_other",
    [
        lambda X: X.astype(int),
        lambda X: X.astype(np.uint8),
        lambda X: X.astype(np.float16),
        lambda X: X.astype(np.longdouble),
        lambda X: X.astype(">f8"),
        lambda X: X.astype(">i4"),
        lambda X: X.astype(object),
        lambda X: X.tolist(),
        lambda X: pd.DataFrame(X.astype(int)),
        lambda X: pl.DataFrame(X.astype(int), orient="row"),
    ],
    ids=["int", "uint8", "f2", "longdouble", ">f8", ">i4", "object", "list", "pandas", "polars"],
)
@both_classes
def test_anything_else_is_float64(model, as_other):
    X, y = load_digits(return_X_y=True)  # whole numbers to 16, so that every dtype holds them
    X, y = X[:200], y[:200]
    fitted = clone(model).fit(as_other(X), y)
    assert_dtype(fitted, as_other(X), np.float64)
    assert_close(fitted, clone(model).fit(X, y))  # a frame lies column by column


@both_classes
def test_bool_is_float64(model):
    X, y = load_digits(return_X_y=True)
    X, y = X[:200] > 4, y[:200]
    fitted = clone(model).fit(X, y)
    assert_dtype(fitted, X, np.float64)
    assert_same_bits(fitted, clone(model).fit(X.astype(float), y))


@both_classes
def test_big_endian_float32_is_not_read_backwards(model):
    X, y = wine()
    fitted = clone(model).fit(X.astype(">f4"), y)
    assert parameters(fitted)[0].dtype.isnative
    assert_close(fitted, clone(model).fit(X.astype("<f4"), y), rtol=1e-2, atol=1e-3)


# ---- labels


@pytest.mark.parametrize(
    ("labels", "as_y"),
    [
        (["a", "bb", "ccc"], np.asarray),
        ([-7, 0, 1000], np.asarray),
        ([-3, -2, -1], np.asarray),
        ([0.0, 1.0, 2.0], np.asarray),
        ([0, 1, 2], partial(np.asarray, dtype=np.uint8)),
        (["a", "bb", "ccc"], partial(np.asarray, dtype=object)),
        ([10, 20, 30], list),
        (["a", "bb", "ccc"], pd.Series),
        (["a", "bb", "ccc"], pd.Categorical),
        (["a", "bb", "ccc"], lambda y: pd.Series(y, dtype="category")),
        (["a", "bb", "ccc"], lambda y: pd.Series(y, dtype=object, index=range(5, 5 + len(y)))),
        ([3, 5, 9], lambda y: pd.Series(y, dtype="Int64")),
        ([3, 5, 9], pl.Series),
        (["a", "bb", "ccc"], pl.Series),
        (["a", "bb", "ccc"], lambda y: pl.Series(y, dtype=pl.Categorical)),
    ],
)
@both_classes
def test_labels(model, labels, as_y):
    X, codes = wine()
    y = as_y(np.asarray(labels)[codes].tolist())
    fitted = clone(model).fit(X, y)
    assert list(fitted.classes_) == labels
    plain = clone(model).fit(X, codes)
    assert_same_bits(fitted, plain)
    expected = np.asarray(labels)[plain.predict(X)]
    assert_array_equal(fitted.predict(X), expected)
    assert fitted.score(X, y) == plain.score(X, codes)


@both_classes
def test_boolean_labels(model):
    X, y = wine()
    fitted = clone(model).fit(X, y == 1)
    assert_array_equal(fitted.classes_, [False, True])
    assert fitted.classes_.dtype == bool
    assert fitted.predict(X).dtype == bool
    assert_same_bits(fitted, clone(model).fit(X, (y == 1).astype(int)))


@pytest.mark.parametrize("as_y", [np.asarray, pd.Series, pd.Categorical, pl.Series])
@both_classes
def test_labels_of_a_validation_set(model, as_y):
    X, codes = wine()
    y = as_y(np.array(["x", "y", "z"])[codes].tolist())
    fitted = clone(model).fit(X, y, X_val=X[:100], y_val=y[:100])
    plain = clone(model).fit(X, codes, X_val=X[:100], y_val=codes[:100])
    assert fitted.validation_loss_curve_ == plain.validation_loss_curve_


# ---- names of columns


# before 1.9 scikit-learn reads names by the interchange protocol, which polars 1.40 warns of
reads_polars = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9")
    and parse_version(pl.__version__) >= parse_version("1.40"),
    reason=f"scikit-learn {sklearn.__version__} reads no names from polars {pl.__version__}",
)
FRAMES = [
    pd.DataFrame,
    pytest.param(
        lambda X, columns: pl.DataFrame(X, schema=columns, orient="row"), marks=reads_polars
    ),
]


@pytest.mark.parametrize("frame", FRAMES, ids=["pandas", "polars"])
@both_classes
def test_names_of_columns(model, frame):
    X, y = load_iris(return_X_y=True)
    names = ["sepal length", "sepal width", "petal length", "petal width"]
    fitted = clone(model).fit(frame(X, columns=names), y)
    assert_array_equal(fitted.feature_names_in_, names)
    assert fitted.n_features_in_ == 4
    assert_array_equal(fitted.predict(frame(X, columns=names)), clone(model).fit(X, y).predict(X))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        fitted.predict(X)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(frame(X, columns=["other", *names[1:]]))
    with pytest.raises(ValueError, match="names must be in the same order"):
        fitted.predict_proba(frame(X[:, ::-1], columns=names[::-1]))
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.fit(
            frame(X, columns=names), y, X_val=frame(X, columns=["other", *names[1:]]), y_val=y
        )
    # a refit on an array forgets them
    assert not hasattr(fitted.fit(X, y), "feature_names_in_")
    with pytest.warns(UserWarning, match="fitted without feature names"):
        fitted.predict(frame(X, columns=names))


@pytest.mark.parametrize("frame", FRAMES, ids=["pandas", "polars"])
def test_names_of_columns_in_partial_fit(frame):
    X, y = load_iris(return_X_y=True)
    model = SoftmaxClassifier(solver="sgd", random_state=0)
    model.partial_fit(frame(X, columns=list("abcd")), y, classes=[0, 1, 2])
    assert_array_equal(model.feature_names_in_, list("abcd"))
    with pytest.raises(ValueError, match="feature names should match"):
        model.partial_fit(frame(X, columns=list("abce")), y)


# ---- values that scikit-learn refuses


def with_value(X, value):
    X = X.copy()
    X[3, 5] = value
    return X


ROWS = {
    "NaN": partial(with_value, value=np.nan),
    "infinity": partial(with_value, value=-np.inf),
    "one column less": lambda X: X[:, 1:],
    "one column more": lambda X: np.hstack([X, X[:, :1]]),
    "one row as 1-D": lambda X: X[0],
    "3-D": lambda X: X[None],
    "no rows": lambda X: X[:0],
    "complex": lambda X: X + 0j,
    "a matrix": lambda X: np.ones(X.shape).view(np.matrix),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict", "predict_proba"])
def test_rows_are_refused_as_by_scikit_learn(method, kind, dtype):
    X, y = wine()
    model = SoftmaxClassifier(solver="adam").fit(X, y)
    rows = ROWS[kind](X.astype(dtype))
    if method == "fit" and kind.startswith("one column"):
        assert model.fit(rows, y).n_features_in_ == rows.shape[1]
        return
    labels = {"y": y} if "fit" in method else {}
    expected = partial(
        validate_data, model, rows, **labels, accept_sparse="csr", dtype=["f8", "f4"]
    )
    with pytest.raises((ValueError, TypeError)) as theirs:
        expected(reset=method == "fit")
    with pytest.raises(theirs.type) as ours:
        getattr(model, method)(rows, **labels)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("labels", [lambda y: y[1:], lambda y: y + 0.5, lambda y: y + 0j])
def test_labels_are_refused_as_by_scikit_learn(labels):
    X, y = wine()
    with pytest.raises(ValueError) as theirs:  # noqa: PT011
        check_classification_targets(validate_data(SoftmaxClassifier(), X, labels(y))[1])
    with pytest.raises(ValueError, match=re.escape(str(theirs.value))):
        SoftmaxClassifier().fit(X, labels(y))


def test_rows_whose_sum_overflows_are_taken():
    X, y = wine()
    X = X.astype(np.float32)
    model = SoftmaxClassifier(reg=1e3).fit(X, y)  # of small weights
    X[:2, 0] = 3e38
    assert np.isfinite(model.decision_function(X)).all()


def test_rows_are_not_looked_through_where_that_is_switched_off():
    X, y = wine()
    model = SoftmaxClassifier().fit(X, y)
    with sklearn.config_context(assume_finite=True):
        assert np.isnan(model.predict_proba(with_value(X, np.nan))[3]).all()


# ---- how X lies in memory


def as_memmap(X, path):
    np.save(path, X)
    return np.load(path, mmap_mode="r")


def as_read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


def as_columns_apart(X):
    wide = np.full((len(X), 2 * X.shape[1]), 1e9)
    wide[:, ::2] = X
    return wide[:, ::2]


def as_rows_apart(X):
    return np.repeat(X, 2, axis=0)[::2]


LAYOUTS = {
    "fortran": np.asfortranarray,
    "columns apart": as_columns_apart,
    "rows apart": as_rows_apart,
    "both apart": lambda X: as_rows_apart(as_columns_apart(X)),
    "reversed": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "read-only": as_read_only,
}


@pytest.mark.parametrize("layout", [*LAYOUTS, "memmap"])
@every_model
def test_layout_in_memory(model, layout, tmp_path):
    X, y = wine()
    given = as_memmap(X, tmp_path / "X.npy") if layout == "memmap" else LAYOUTS[layout](X)
    w = as_read_only(np.linspace(0.5, 2, len(y)))
    y, before = as_read_only(y), given.copy()
    fitted = clone(model).fit(given, y, sample_weight=w, X_val=given, y_val=y, sample_weight_val=w)
    plain = clone(model).fit(X, y, sample_weight=w, X_val=X, y_val=y, sample_weight_val=w)
    assert_close(fitted, plain)
    assert_allclose(fitted.predict_proba(given), plain.predict_proba(X), rtol=1e-6)
    assert_array_equal(given, before)
    if layout == "memmap":
        assert_array_equal(np.load(tmp_path / "X.npy"), X)


def at_an_odd_address(values):
    """Return a copy that lies as one may that came over a wire."""
    copy = np.empty(values.nbytes + 1, np.uint8)[1:].view(values.dtype).reshape(values.shape)
    copy[...] = values
    assert not copy.flags.aligned
    return copy


@pytest.mark.parametrize("container", ["array", "csr", "csc"])
@every_model
def test_odd_addresses_do_not_change_a_bit(model, container):
    X, y = wine()
    plain, given = X, at_an_odd_address(X)
    if container != "array":
        plain = sparse.csr_array(X).asformat(container)
        given = plain.copy()
        given.data, given.indices = map(at_an_odd_address, (plain.data, plain.indices))
    expected, fitted = clone(model).fit(plain, y), clone(model).fit(given, y)
    assert_same_bits(fitted, expected)
    assert_array_equal(fitted.predict_proba(given), expected.predict_proba(plain))


@every_model
def test_arguments_are_not_changed(model):
    X, y = wine()
    w, init = np.linspace(0, 2, len(y)), np.random.RandomState(0).randn(13, 3)
    arguments = [a.copy() for a in (X, y, w, X[:50], y[:50], w[50:100])]
    class_weight = {0: 2.0, 1: 1.0, 2: 0.5}
    model = clone(model).set_params(class_weight=class_weight)
    if isinstance(model, SoftmaxClassifier):
        model.set_params(init=lambda *_: init)
    X_, y_, w_, X_val, y_val, w_val = arguments
    model.fit(X_, y_, w_, X_val=X_val, y_val=y_val, sample_weight_val=w_val)
    model.predict_proba(X_)
    for after, before in zip(arguments, (X, y, w, X[:50], y[:50], w[50:100]), strict=True):
        assert_array_equal(after, before)
    assert class_weight == {0: 2.0, 1: 1.0, 2: 0.5}
    assert_array_equal(init, np.random.RandomState(0).randn(13, 3))


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_results_are_the_callers_own(method):
    # to write on a result must not change the model
    X, y = wine()
    model = SoftmaxClassifier().fit(X, y)
    first = getattr(model, method)(X)
    expected = first.copy()
    first[...] = 0
    assert_array_equal(getattr(model, method)(X), expected)
