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
    ends_early,
    every_model,
    plain_objective,
    wine,
    with_entry,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.utils.fixes import parse_version
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from sklearn_toynn import SoftmaxClassifier

pytestmark = ends_early

X, y = wine()
DIGITS = load_digits(return_X_y=True)[0][:200]


# ---- dtypes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_model
def test_the_model_has_the_dtype_of_the_rows(model, dtype):
    fitted = clone(model).fit(X.astype(dtype), y)
    assert_dtype(fitted, X.astype(dtype), dtype)
    # also for rows of the other dtype
    assert_dtype(fitted, X.astype(np.float32), dtype)
    assert_dtype(fitted, X, dtype)
    assert_allclose(fitted.predict_proba(X), fitted.predict_proba(X.astype("f4")), atol=1e-5)
    assert_allclose(fitted.loss_, plain_objective(fitted, X, y), rtol=1e-5)


@every_model
def test_float64_weights_and_validation_rows_do_not_change_the_dtype(model):
    w = np.linspace(0.5, 2, len(y))
    model = clone(model).set_params(class_weight={0: 1.5, 1: 1.0, 2: 0.7})
    X32 = X.astype(np.float32)
    curves = []
    for X_val in (X32, X32.astype(float)):
        model.fit(X32, y, w, X_val=X_val, y_val=y, sample_weight_val=w)
        assert_dtype(model, X32, np.float32)
        curves.append(model.validation_loss_curve_)
    assert curves[0] == curves[1]
    assert_dtype(model.set_params(early_stopping=True).fit(X32, y, w), X32, np.float32)


@pytest.mark.parametrize(
    "as_other",
    [
        lambda X: X.astype(np.uint8),
        lambda X: X.astype(np.float16),
        lambda X: X.astype(np.longdouble),
        lambda X: X.astype(">f4").astype(">f8"),
        lambda X: X.astype(object),
        lambda X: X > 4,
        lambda X: X.tolist(),
        lambda X: pd.DataFrame(X.astype(int)),
        lambda X: pl.DataFrame(X.astype(int), orient="row"),
    ],
)
def test_other_numbers_are_converted_to_float64(as_other):
    codes = np.arange(200) % 3
    given = as_other(DIGITS)
    fitted = SoftmaxClassifier().fit(given, codes)
    assert_dtype(fitted, given, np.float64)
    assert_close(fitted, SoftmaxClassifier().fit(np.array(given, float), codes))


# ---- labels


@pytest.mark.parametrize(
    ("labels", "as_y"),
    [
        (["a", "bb", "ccc"], np.asarray),
        ([-7, 0, 1000], np.asarray),
        ([0.0, 1.0, 2.0], np.asarray),
        (["a", "bb", "ccc"], partial(np.asarray, dtype=object)),
        ([10, 20, 30], list),
        (["a", "bb", "ccc"], pd.Categorical),
        (["a", "bb", "ccc"], lambda y: pd.Series(y, dtype=object, index=range(5, 5 + len(y)))),
        ([3, 5, 9], lambda y: pd.Series(y, dtype="Int64")),
        (["a", "bb", "ccc"], pl.Series),
        (["a", "bb", "ccc"], lambda y: pl.Series(y, dtype=pl.Categorical)),
    ],
)
def test_labels_of_any_kind(labels, as_y):
    given = as_y(np.asarray(labels)[y].tolist())
    model = SoftmaxClassifier(solver="adam", max_iter=5, random_state=0)
    plain = clone(model).fit(X, y, X_val=X, y_val=y)
    assert clone(model).fit(X, y == 1).predict(X).dtype == bool
    fitted = model.fit(X, given, X_val=X, y_val=given)
    assert list(fitted.classes_) == labels
    assert_same_bits(fitted, plain)
    assert fitted.validation_loss_curve_ == plain.validation_loss_curve_
    assert_array_equal(fitted.predict(X), np.asarray(labels)[plain.predict(X)])
    assert fitted.score(X, given) == plain.score(X, y)


# ---- names of columns


# polars 1.40 warns about the interchange protocol, which scikit-learn before 1.9 uses
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
def test_names_of_columns_are_kept_and_checked(frame):
    rows, (*names, _) = X[:, :4], list("abcde")
    named, other = frame(rows, columns=names), frame(rows, columns=["other", *names[1:]])
    model = SoftmaxClassifier(solver="sgd", random_state=0).fit(named, y)
    assert_array_equal(model.feature_names_in_, names)
    assert model.n_features_in_ == 4
    assert_array_equal(model.predict(named), clone(model).fit(rows, y).predict(rows))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(rows)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(other)
    with pytest.raises(ValueError, match="feature names should match"):
        model.partial_fit(other, y)
    with pytest.raises(ValueError, match="names must be in the same order"):
        model.predict_proba(frame(rows[:, ::-1], columns=names[::-1]))
    with pytest.raises(ValueError, match="feature names should match"):
        model.fit(named, y, X_val=other, y_val=y)
    # a fit to an array drops them
    assert not hasattr(model.fit(rows, y), "feature_names_in_")
    with pytest.warns(UserWarning, match="fitted without feature names"):
        model.predict(named)


# ---- values that scikit-learn does not accept


ROWS = {
    "NaN": lambda X: with_entry(X, (3, 5), np.nan),
    "infinity": lambda X: with_entry(X, (3, 5), -np.inf),
    "one column less": lambda X: X[:, 1:],
    "one column more": lambda X: np.hstack([X, X[:, :1]]),
    "one row as 1-D": lambda X: X[0],
    "no rows": lambda X: X[:0],
    "complex": lambda X: X + 0j,
    "a matrix": lambda X: np.ones(X.shape).view(np.matrix),
}


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict", "predict_proba"])
def test_invalid_rows_raise_the_errors_of_scikit_learn(method, kind):
    model = SoftmaxClassifier(solver="adam").fit(X, y)
    rows = ROWS[kind](X)
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


@pytest.mark.parametrize("labels", [y[1:], y + 0.5, y + 0j])
def test_invalid_labels_raise_the_errors_of_scikit_learn(labels):
    with pytest.raises(ValueError) as theirs:  # noqa: PT011
        check_classification_targets(validate_data(SoftmaxClassifier(), X, labels)[1])
    with pytest.raises(ValueError, match=re.escape(str(theirs.value))):
        SoftmaxClassifier().fit(X, labels)


def test_rows_whose_sum_overflows_are_accepted():
    X32 = X.astype(np.float32)
    model = SoftmaxClassifier(reg=1e3).fit(X32, y)  # a large penalty gives small weights
    X32[:2, 0] = 3e38
    assert np.isfinite(model.decision_function(X32)).all()


def test_assume_finite_skips_the_check_of_values():
    model = SoftmaxClassifier().fit(X, y)
    with sklearn.config_context(assume_finite=True):
        assert np.isnan(model.predict_proba(with_entry(X, (3, 5), np.nan))[3]).all()


# ---- layouts in memory


def as_read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


def as_rows_and_columns_apart(X):
    wide = np.full((2 * len(X), 2 * X.shape[1]), 1e9)
    wide[::2, ::2] = X
    return wide[::2, ::2]


LAYOUTS = {
    "read-only": as_read_only,
    "fortran": np.asfortranarray,
    "rows and columns apart": as_rows_and_columns_apart,
    "reversed": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
}


@pytest.mark.parametrize("as_layout", LAYOUTS.values(), ids=LAYOUTS)
@every_model
def test_the_memory_layout_does_not_change_the_results(model, as_layout):
    given = as_layout(X)
    w = as_read_only(np.linspace(0.5, 2, len(y)))
    labels, before = as_read_only(y), given.copy()

    def fit(X):
        data = {"X_val": X, "y_val": labels, "sample_weight_val": w}
        return clone(model).fit(X, labels, w, **data)

    fitted, plain = fit(given), fit(X)
    assert_close(fitted, plain)
    assert_allclose(fitted.predict_proba(given), plain.predict_proba(X), rtol=1e-6)
    assert_array_equal(given, before)


def at_an_odd_address(values):
    """Return a copy at an address that is not aligned, as in a received buffer."""
    copy = np.empty(values.nbytes + 1, np.uint8)[1:].view(values.dtype).reshape(values.shape)
    copy[...] = values
    assert not copy.flags.aligned
    return copy


@pytest.mark.parametrize("container", ["array", "csr", "csc"])
@every_model
def test_unaligned_arrays_give_the_same_bits(model, container):
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
    class_weight, init = {0: 2.0, 1: 1.0, 2: 0.5}, np.random.RandomState(0).randn(13, 3)
    w = np.linspace(0, 2, len(y))
    arguments = [X, y, w, X[:50], y[:50], w[50:100], init]
    X_, y_, w_, X_val, y_val, w_val, init_ = (a.copy() for a in arguments)
    model = clone(model).set_params(class_weight=class_weight)
    if isinstance(model, SoftmaxClassifier):
        model.set_params(init=lambda *_: init_)
    model.fit(X_, y_, w_, X_val=X_val, y_val=y_val, sample_weight_val=w_val)
    model.predict_proba(X_)
    for after, before in zip((X_, y_, w_, X_val, y_val, w_val, init_), arguments, strict=True):
        assert_array_equal(after, before)
    assert class_weight == {0: 2.0, 1: 1.0, 2: 0.5}
