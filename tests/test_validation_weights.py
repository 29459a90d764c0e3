"""Weights of rows and of classes."""

from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import (
    MODELS,
    WHOLE_MODELS,
    assert_close,
    assert_same_bits,
    both_classes,
    ends_early,
    every_case,
    every_class,
    every_model,
    parameters,
    plain_objective,
    wine,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from sklearn_toynn import (
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn.model_selection import FusedGridSearchCV, FusedRandomizedSearchCV

# for fits whose end at `max_iter` is beside the point
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# ---- no NaN without a word


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
        model = clone(model).set_params(reg=1e-3, max_iter=5, random_state=0, **params)
        return model.fit(X, y, factor * w), model.predict_proba(X)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("power", [-900, -600, 600, 1000])
    @every_case
    def test_class_weight_times_sample_weight(self, model_class, solver, power, dtype):
        for params in ({}, {"early_stopping": True}):
            model = model_class(solver=solver, **params)
            _, expected = self.fit(model, dtype, 1.0, 1.0)
            fitted, probability = self.fit(model, dtype, 2.0**power, 2.0**power)
            assert_array_equal(probability, expected)
            assert np.isfinite(fitted.loss_)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("power", [-1070, -1030, 1000, 1021])
    @every_case
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


whole_model = pytest.mark.parametrize("model", WHOLE_MODELS.values(), ids=WHOLE_MODELS)

# ---- weights of rows


@pytest.mark.parametrize("validation", [False, True])
@whole_model
def test_integer_weights_equal_repeated_rows(model, validation):
    X, y = wine()
    w = np.random.RandomState(0).randint(1, 4, size=len(y))
    repeats = np.repeat(np.arange(len(y)), w)
    model = clone(model).set_params(max_iter=30)
    weighted, repeated = clone(model), clone(model)
    if validation:
        weighted.fit(X, y, w, X_val=X, y_val=y, sample_weight_val=w)
        repeated.fit(X[repeats], y[repeats], X_val=X[repeats], y_val=y[repeats])
        assert_allclose(weighted.validation_loss_curve_, repeated.validation_loss_curve_, 1e-7)
    else:
        weighted.fit(X, y, w)
        repeated.fit(X[repeats], y[repeats])
    assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-7)
    assert_close(weighted, repeated, rtol=1e-6, atol=1e-7)


@whole_model
def test_repeating_every_row_changes_nothing(model):
    # reg weighs on the mean loss, not on the sum
    X, y = wine()
    once = clone(model).set_params(reg=0.1).fit(X, y)
    thrice = clone(model).set_params(reg=0.1).fit(np.tile(X, (3, 1)), np.tile(y, 3))
    assert_allclose(once.loss_, thrice.loss_, rtol=1e-9)
    assert_close(once, thrice, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("early_stopping", [False, True])
@every_model
def test_rows_of_weight_zero_are_as_if_left_out(model, early_stopping):
    X, y = wine()
    w = np.random.RandomState(0).randint(0, 4, size=len(y)).astype(float)
    used = w > 0
    X_bad = np.where(used[:, None], X, 1e30)  # what such rows hold has no effect
    model = clone(model).set_params(early_stopping=early_stopping, batch_size=30)
    weighted = clone(model).fit(X_bad, y, sample_weight=w)
    left_out = clone(model).fit(X[used], y[used], sample_weight=w[used])
    # batches and split are those of the rows that are left
    if model.solver in ("sgd", "adam"):
        assert_same_bits(weighted, left_out)
        assert weighted.loss_curve_ == left_out.loss_curve_
    else:
        assert_close(weighted, left_out)
        assert_allclose(weighted.loss_curve_, left_out.loss_curve_, rtol=1e-9)
    if early_stopping:
        assert_allclose(
            weighted.validation_loss_curve_, left_out.validation_loss_curve_, rtol=1e-9
        )


@pytest.mark.parametrize("by", ["sample_weight", "class_weight"])
@pytest.mark.parametrize("early_stopping", [False, True])
@every_model
def test_class_without_weight_stays_in_classes(model, by, early_stopping):
    X, y = wine()
    model = clone(model).set_params(early_stopping=early_stopping)
    if by == "sample_weight":
        model.fit(X, y, sample_weight=(y != 1).astype(float))
    else:
        model.set_params(class_weight={0: 1.0, 1: 0.0, 2: 1.0}).fit(X, y)
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.predict_proba(X).shape == (len(X), 3)
    assert all(np.isfinite(a).all() for a in parameters(model))


@pytest.mark.parametrize("model", [SoftmaxClassifier(reg=0.1), MODELS["net-gd"]])
def test_the_class_without_weight_is_never_foretold(model):
    X, y = wine()
    model = clone(model).set_params(max_iter=500).fit(X, y, sample_weight=(y != 1).astype(float))
    assert 1 not in model.predict(X)
    assert model.predict_proba(X)[:, 1].mean() < 0.02


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-100, 1e-30, 0.3, 1e6, 1e30, 1e100])
@every_model
def test_scale_of_the_weights_has_no_effect(model, scale, dtype):
    X, y = wine()
    w = np.random.RandomState(0).randint(0, 4, size=len(y)).astype(float)
    model = clone(model).set_params(batch_size=30, reg=1e-3, dtype=np.dtype(dtype).name)
    plain = clone(model).fit(X.astype(dtype), y, w, X_val=X, y_val=y, sample_weight_val=w)
    scaled = clone(model).fit(
        X.astype(dtype), y, scale * w, X_val=X, y_val=y, sample_weight_val=scale * w
    )
    tolerance = 1e-3 if dtype == np.float32 else 1e-7
    assert_allclose(scaled.loss_curve_, plain.loss_curve_, rtol=tolerance)
    assert_allclose(scaled.validation_loss_curve_, plain.validation_loss_curve_, rtol=tolerance)


@pytest.mark.parametrize("weight", [1, 2.5, np.float32(3)])
@every_model
def test_one_weight_for_all_is_no_weight(model, weight):
    X, y = wine()
    model = clone(model).set_params(reg=1e-3)
    plain = clone(model).fit(X, y)
    assert_close(clone(model).fit(X, y, sample_weight=np.full(len(y), weight)), plain)
    assert_close(clone(model).fit(X, y, sample_weight=weight), plain)


@pytest.mark.parametrize(
    "as_weights", [list, pd.Series, pl.Series, partial(np.asarray, dtype=int)]
)
@both_classes
def test_kinds_of_sample_weight(model, as_weights):
    X, y = wine()
    w = (1 + np.arange(len(y)) % 3).tolist()
    fitted = clone(model).fit(X, y, sample_weight=as_weights(w))
    assert_same_bits(fitted, clone(model).fit(X, y, sample_weight=np.array(w, dtype=float)))


@pytest.mark.parametrize(
    "dtype",
    [
        "bool",
        "boolean",
        "uint8",
        "Int64",
        "Float32",
        "float32",
        "float64",
        "object",
        "bool[pyarrow]",
        "int64[pyarrow]",
        "float[pyarrow]",
        "double[pyarrow]",
    ],
)
def test_weights_as_a_series_of_any_dtype(dtype):
    # pandas 3 returns arrays that are read-only
    X, y = wine()
    plain = (np.arange(len(y)) % 3).astype(float)
    if dtype.startswith("bool"):
        plain = np.minimum(plain, 1)
    given = pd.Series(plain.astype(bool) if dtype.startswith("bool") else plain).astype(dtype)
    before = given.copy()
    fits = {
        "fit": lambda w: SoftmaxClassifier(class_weight={0: 2.0}).fit(X, y, w),
        "sample_weight_val": lambda w: SoftmaxClassifier().fit(
            X, y, X_val=X, y_val=y, sample_weight_val=w
        ),
        "early_stopping": lambda w: SoftmaxClassifier(
            class_weight="balanced", early_stopping=True, random_state=0
        ).fit(X, y, w),
        "partial_fit": lambda w: SoftmaxClassifier(solver="sgd", random_state=0).partial_fit(
            X, y, [0, 1, 2], w
        ),
        "cv": lambda w: SoftmaxClassifierCV(regs=2, cv=3, random_state=0).fit(X, y, w),
        "net cv": lambda w: TwoLayerNetClassifierCV(
            [3], regs=2, cv=3, n_nets=1, max_iter=3, random_state=0
        ).fit(X, y, w),
        "fused": lambda w: FusedGridSearchCV(
            TwoLayerNetClassifier(3, max_iter=3, random_state=0),
            {"reg": [0.1, "auto"]},
            cv=3,
            error_score="raise",
        ).fit(X, y, sample_weight=w),
        "sampled": lambda w: FusedRandomizedSearchCV(
            TwoLayerNetClassifier(3, max_iter=3, random_state=0),
            {"reg": [0.1, "auto"]},
            n_iter=2,
            cv=3,
            error_score="raise",
        ).fit(X, y, sample_weight=w),
    }
    for name, fit in fits.items():
        assert_array_equal(fit(given).predict_proba(X), fit(plain).predict_proba(X), name)
    pd.testing.assert_series_equal(given, before)


@every_model
def test_class_weight_is_a_factor_on_the_weights(model):
    X, y = wine()
    w = np.random.RandomState(0).uniform(0.5, 2, size=len(y))
    factors = np.array([2.0, 1.0, 0.25])
    by_class = clone(model).set_params(class_weight=dict(enumerate(factors.tolist())))
    by_row = clone(model).fit(X, y, sample_weight=w * factors[y])
    assert_close(by_class.fit(X, y, sample_weight=w), by_row)
    assert_allclose(by_class.loss_, plain_objective(by_class, X, y, w * factors[y]), rtol=1e-9)
    # without weights of its own
    by_row = clone(model).fit(X, y, sample_weight=factors[y])
    assert_close(by_class.fit(X, y), by_row)


@every_model
def test_balanced_gives_every_class_the_same_weight(model):
    X, y = wine()
    model = clone(model).set_params(reg=1e-3)
    balanced = clone(model).set_params(class_weight="balanced").fit(X, y)
    by_row = clone(model).fit(X, y, sample_weight=1 / np.bincount(y)[y])
    assert_close(balanced, by_row)


@pytest.mark.parametrize(
    ("labels", "class_weight"),
    [
        (["a", "b", "c"], {"a": 2.0, "b": 1.0, "c": 0.5}),
        ([-5, 0, 7], {-5: 2.0, 0: 1.0, 7: 0.5}),
        ([-5, 0, 7], {-5: 2.0, 0: 1.0, 7: 0.5, 8: 3.0}),
        ([-5, 0, 7], {-5: 2.0, 0: 1.0}),
        ([-5, 0, 7], {-5: 2.0, 8: 1.0}),
        ([-5, 0, 7], {}),
    ],
)
def test_class_weight_by_label_as_in_logistic_regression(labels, class_weight):
    X, codes = wine()
    y = np.array(labels)[codes]
    logistic = LogisticRegression(class_weight=class_weight, tol=1e-9, max_iter=5000)
    model = SoftmaxClassifier(class_weight=class_weight)
    try:
        logistic.fit(X, y)
    except ValueError:
        with pytest.raises(ValueError, match="class_weight"):
            model.fit(X, y)
        return
    w = np.array([class_weight.get(label, 1.0) for label in labels])[codes]
    model.set_params(reg=1 / w.sum(), max_iter=1000).fit(X, y)
    assert_allclose(model.predict_proba(X), logistic.predict_proba(X), atol=5e-3)
