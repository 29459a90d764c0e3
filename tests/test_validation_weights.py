"""Weights of rows and classes."""

from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import (
    WHOLE_MODELS,
    assert_close,
    assert_same_bits,
    both_classes,
    ends_early,
    every_class,
    every_model,
    is_finite,
    plain_objective,
    wine,
    with_entry,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import log_loss

from sklearn_toynn import (
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn.model_selection import FusedGridSearchCV, FusedRandomizedSearchCV

pytestmark = ends_early

X, y = wine()


class TestWeightsAtTheEndsOfTheRange:
    """Factors that are powers of 2 do not change any bit."""

    @staticmethod
    def predict(model, dtype, factor=1.0, class_factor=None, **params):
        w = (1 + np.arange(len(y)) % 3).astype(float)
        if class_factor is not None:
            params["class_weight"] = {k: class_factor * (k + 1) for k in range(3)}
        model = clone(model).set_params(reg=1e-3, max_iter=5, random_state=0, **params)
        return model.fit(X.astype(dtype), y, factor * w).predict_proba(X.astype(dtype))

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("early_stopping", [False, True])
    @every_class
    def test_factors_on_the_weights_and_on_class_weight(self, model_class, early_stopping, dtype):
        model = model_class(solver="sgd", early_stopping=early_stopping)
        expected = self.predict(model, dtype, 1.0, 1.0)
        for power in (-900, 1000):
            found = self.predict(model, dtype, 2.0**power, 2.0**power)
            assert_array_equal(found, expected)
        model.set_params(class_weight="balanced")
        expected = self.predict(model, dtype)
        for power in (-1070, 1021):
            assert_array_equal(self.predict(model, dtype, 2.0**power), expected)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @every_class
    def test_balanced_over_classes_at_both_ends(self, model_class, dtype):
        w = (1 + np.arange(len(y)) % 3).astype(float)
        far = w * np.array([1e-310, 1.0, 1e307])[y]
        model = model_class(class_weight="balanced", reg=0.1, random_state=0)
        plain, apart = (
            clone(model).fit(X.astype(dtype), y, given, X_val=X, y_val=y, sample_weight_val=w)
            for given in (w, far)
        )
        # the class weights make the first class dominate the validation set
        assert apart.loss_ == pytest.approx(plain.loss_, rel=0.2)
        assert apart.loss_curve_[0] == pytest.approx(plain.loss_curve_[0], rel=1e-4)
        first = y == 0
        p = apart.predict_proba(X[first])
        loss = log_loss(y[first], p, sample_weight=w[first], labels=[0, 1, 2])
        assert loss == pytest.approx(min(apart.validation_loss_curve_), rel=1e-4)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @every_class
    def test_the_validation_set_may_contain_only_rows_of_small_weight(self, model_class, dtype):
        w = with_entry(np.full(len(y), 1e-200), [0, 70, 140], 1.0)  # one heavy row per class
        for seed in range(4):
            model = model_class(solver="sgd", max_iter=3, early_stopping=True, random_state=seed)
            model.fit(X.astype(dtype), y, w)
            assert np.isfinite(model.validation_loss_curve_).all()
            assert np.isfinite(model.loss_)


@pytest.mark.parametrize("validation", [False, True])
@pytest.mark.parametrize("model", WHOLE_MODELS.values(), ids=WHOLE_MODELS)
def test_integer_weights_equal_repeated_rows(model, validation):
    w = np.random.RandomState(0).randint(1, 4, size=len(y))
    X_rep, y_rep = np.repeat(X, w, axis=0), np.repeat(y, w)
    of_w = {"X_val": X, "y_val": y, "sample_weight_val": w} if validation else {}
    of_rep = {"X_val": X_rep, "y_val": y_rep} if validation else {}
    model = clone(model).set_params(max_iter=30, reg=0.1)
    weighted, repeated = clone(model).fit(X, y, w, **of_w), model.fit(X_rep, y_rep, **of_rep)
    assert_allclose(weighted.loss_, plain_objective(weighted, X_rep, y_rep), rtol=1e-9)
    assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-7)
    assert_close(weighted, repeated, rtol=1e-6, atol=1e-7)
    if validation:
        assert_allclose(weighted.validation_loss_curve_, repeated.validation_loss_curve_, 1e-7)


@pytest.mark.parametrize("early_stopping", [False, True])
@every_model
def test_rows_of_weight_zero_are_ignored(model, early_stopping):
    w = np.random.RandomState(0).randint(0, 4, size=len(y)).astype(float)
    used = w > 0
    X_bad = np.where(used[:, None], X, 1e30)
    model = clone(model).set_params(early_stopping=early_stopping, batch_size=30)
    weighted = clone(model).fit(X_bad, y, sample_weight=w)
    left_out = clone(model).fit(X[used], y[used], sample_weight=w[used])
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
@both_classes
def test_a_class_without_weight_stays_in_classes_but_is_not_predicted(model, by, early_stopping):
    model = clone(model).set_params(reg=0.1, max_iter=500, early_stopping=early_stopping)
    if by == "sample_weight":
        model.fit(X, y, sample_weight=(y != 1).astype(float))
    else:
        model.set_params(class_weight={0: 1.0, 1: 0.0, 2: 1.0}).fit(X, y)
    assert_array_equal(model.classes_, [0, 1, 2])
    assert is_finite(model)
    assert 1 not in model.predict(X)
    if not early_stopping:
        assert model.predict_proba(X)[:, 1].mean() < 0.02


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-100, 0.3, 1e30])
@every_model
def test_a_factor_on_all_weights_has_no_effect(model, scale, dtype):
    w = np.random.RandomState(0).randint(0, 4, size=len(y)).astype(float)
    model = clone(model).set_params(batch_size=30, reg=1e-3, dtype=np.dtype(dtype).name)
    plain, scaled = (
        clone(model).fit(X.astype(dtype), y, w_, X_val=X, y_val=y, sample_weight_val=w_)
        for w_ in (w, scale * w)
    )
    tolerance = 1e-3 if dtype == np.float32 else 1e-7
    assert_allclose(scaled.loss_curve_, plain.loss_curve_, rtol=tolerance)
    assert_allclose(scaled.validation_loss_curve_, plain.validation_loss_curve_, rtol=tolerance)


@every_model
def test_equal_weights_for_all_rows_have_no_effect(model):
    model = clone(model).set_params(reg=1e-3)
    plain = clone(model).fit(X, y)
    for weight in (1, np.float32(3), np.full(len(y), 2.5)):
        assert_close(clone(model).fit(X, y, sample_weight=weight), plain)


SERIES = "uint8 Int64 Float32 float32 object int64[pyarrow] double[pyarrow]"


@pytest.mark.parametrize(
    "as_weights",
    [
        list,
        pl.Series,
        partial(np.asarray, dtype=int),
        lambda w: pd.Series(w > 0),
        lambda w: pd.Series(w > 0).astype("boolean"),
        *(lambda w, dtype=dtype: pd.Series(w).astype(dtype) for dtype in SERIES.split()),
    ],
)
def test_weights_of_any_kind(as_weights):
    given = as_weights(np.arange(len(y)) % 3)
    plain = np.array(given, float)
    model = SoftmaxClassifier(class_weight="balanced", early_stopping=True, random_state=0)
    assert_same_bits(clone(model).fit(X, y, given), clone(model).fit(X, y, plain))
    assert_array_equal(np.array(given, float), plain)


def test_every_estimator_accepts_a_series_of_weights():
    # pandas 3 returns read-only arrays
    plain = (np.arange(len(y)) % 3).astype(float)
    given = pd.Series(plain).astype("double[pyarrow]")
    net = TwoLayerNetClassifier(3, max_iter=3, random_state=0)
    search = {"cv": 3, "error_score": "raise"}
    for estimator in (
        SoftmaxClassifierCV(regs=2, cv=3, random_state=0),
        TwoLayerNetClassifierCV([3], regs=2, cv=3, n_nets=1, max_iter=3, random_state=0),
        FusedGridSearchCV(net, {"reg": [0.1, "auto"]}, **search),
        FusedRandomizedSearchCV(net, {"reg": [0.1, "auto"]}, n_iter=2, **search),
    ):
        of_series, of_array = (
            clone(estimator).fit(X, y, sample_weight=w).predict_proba(X) for w in (given, plain)
        )
        assert_array_equal(of_series, of_array)
    net.fit(X, y, X_val=X, y_val=y, sample_weight_val=given)
    SoftmaxClassifier(solver="sgd").partial_fit(X, y, [0, 1, 2], given)


@every_model
def test_class_weight_is_a_factor_on_the_weights(model):
    w = np.random.RandomState(0).uniform(0.5, 2, size=len(y))
    for class_weight, factors in (
        ({0: 2.0, 1: 1.0, 2: 0.25}, np.array([2.0, 1.0, 0.25])),
        ("balanced", w.sum() / (3 * np.bincount(y, w))),
    ):
        by_class = clone(model).set_params(class_weight=class_weight).fit(X, y, w)
        assert_close(by_class, clone(model).fit(X, y, w * factors[y]))
        objective = plain_objective(by_class, X, y, w * factors[y])
        assert_allclose(by_class.loss_, objective, rtol=1e-9)


@pytest.mark.parametrize("labels", [["a", "b", "c"], [-5, 0, 7]])
def test_class_weight_is_by_label(labels):
    first, second, _ = labels
    model = SoftmaxClassifier(reg=0.1)
    for class_weight in ({first: 2.0, second: 0.5}, {}):
        factors = np.array([class_weight.get(label, 1.0) for label in labels])
        by_label = clone(model).set_params(class_weight=class_weight)
        assert_close(
            by_label.fit(X, np.array(labels)[y]), clone(model).fit(X, y, sample_weight=factors[y])
        )
    with pytest.raises(ValueError, match="class_weight"):
        model.set_params(class_weight={first: 2.0, 8: 1.0}).fit(X, np.array(labels)[y])
