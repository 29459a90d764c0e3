"""`reg="auto"`: the penalty of `LogisticRegression` at its C=1, by the weight of the rows."""

import inspect
import pickle

import numpy as np
import pytest
from helpers import (
    assert_same_bits,
    ends_early,
    every_case,
    every_class,
    scaled,
    wine,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV

LOADERS = {"iris": load_iris, "wine": load_wine, "cancer": load_breast_cancer}
CLASS_WEIGHTS = {"none": None, "balanced": "balanced", "dict": {0: 2.0, 1: 0.5}}


def draw_weights(kind, n):
    rng = np.random.RandomState(0)
    drawn = {"uniform": rng.uniform(0, 2, n), "counts": rng.randint(0, 3, n)}
    return drawn.get(kind)


@pytest.mark.parametrize("class_weight", CLASS_WEIGHTS)
@pytest.mark.parametrize("weights", ["none", "uniform", "counts"])
@pytest.mark.parametrize("name", LOADERS)
def test_it_is_the_problem_of_logistic_regression(name, weights, class_weight):
    X, y = LOADERS[name](return_X_y=True)
    X = StandardScaler().fit_transform(X)
    class_weight, w = CLASS_WEIGHTS[class_weight], draw_weights(weights, len(y))
    ours = SoftmaxClassifier(class_weight=class_weight, tol=1e-9).fit(X, y, w)
    if class_weight == "balanced" and w is not None:  # by the weights, theirs is from 1.7 on
        totals = np.bincount(y, w)
        their_weight = dict(enumerate(w.sum() / (len(totals) * totals)))
    else:
        their_weight = class_weight
    theirs = LogisticRegression(class_weight=their_weight, tol=1e-8, max_iter=5000)
    theirs.fit(X, y, w)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
    total = len(y) if w is None else w.sum()
    if class_weight is not None and class_weight != "balanced":
        own = np.ones(len(y)) if w is None else w
        total = own @ np.array([class_weight.get(k, 1.0) for k in range(y.max() + 1)])[y]
    assert ours.reg_ == pytest.approx((2 if y.max() == 1 else 1) / total, rel=1e-12)


@every_class
def test_two_classes_double_it_in_the_linear_model_alone(model_class):
    X, y = load_breast_cancer(return_X_y=True)
    model = model_class(solver="adam", max_iter=2, random_state=0)
    expected = 2 if model_class is SoftmaxClassifier else 1
    assert model.fit(X, y).reg_ * len(y) == pytest.approx(expected)


@every_case
@ends_early
def test_it_is_a_fit_with_that_penalty(model_class, solver):
    X, y = wine()
    model = model_class(solver=solver, max_iter=10, random_state=0).fit(X, y)
    named = clone(model).set_params(reg=model.reg_).fit(X, y)
    assert_same_bits(model, named)
    assert named.reg_ == model.reg_ == 1 / len(y)
    assert model.reg == "auto"


@ends_early
@every_class
def test_rows_to_validate_on_do_not_count(model_class):
    X, y = wine()
    model = model_class(solver="adam", early_stopping=True, random_state=0).fit(X, y)
    assert model.reg_ == pytest.approx(1 / (len(y) - 18))


@every_class
def test_rows_of_weight_zero_do_not_count(model_class):
    X, y = wine()
    weights = np.arange(len(y)) % 2
    assert model_class(random_state=0).fit(X, y, weights).reg_ == 1 / weights.sum()


def test_partial_fit_counts_the_rows_seen_so_far():
    X, y = wine()
    model = SoftmaxClassifier(solver="sgd", random_state=0)
    for n_seen in (50, 100, 150):
        model.partial_fit(X[n_seen - 50 : n_seen], y[n_seen - 50 : n_seen], classes=[0, 1, 2])
        assert model.reg_ == pytest.approx(1 / n_seen)
    model.fit(X, y)
    model = pickle.loads(pickle.dumps(model))
    model.partial_fit(X[:22], y[:22], sample_weight=np.full(22, 2.0))
    assert model.reg_ == pytest.approx(1 / (len(y) + 44))


@ends_early
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_each_fold_of_a_search_has_its_own(n_jobs):
    X, y = scaled("iris")
    X, y = X[:100], y[:100] + (X[:100, 0] > 0)  # folds of unequal weight: 3 of 100 rows
    net = TwoLayerNetClassifier(4, max_iter=5, random_state=0)
    grid = {"reg": ["auto", 1e-3, 0.1]}
    kwargs = {"cv": 3, "scoring": "neg_log_loss", "n_jobs": n_jobs}
    search = FusedGridSearchCV(net, grid, **kwargs).fit(X, y)
    expected = GridSearchCV(net, grid, **kwargs).fit(X, y)
    for fold in range(3):
        name = f"split{fold}_test_score"
        assert_array_equal(search.cv_results_[name], expected.cv_results_[name])


@ends_early
@pytest.mark.parametrize("weight", [1e307, 1e-320])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_class
def test_weights_of_no_sum_are_refused(model_class, dtype, weight):
    X, y = wine()
    model = model_class(solver="adam", max_iter=2, random_state=0).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"reg='auto'.*sample_weight.*give reg as a number"):
        model.fit(X.astype(dtype), y, np.full(len(y), weight))
    assert_array_equal(model.predict_proba(X), before)
    model.set_params(reg=1e-3).fit(X.astype(dtype), y, np.full(len(y), weight))
    assert np.isfinite(model.loss_)


def test_the_sum_has_the_same_bits_in_any_order():
    X, y = wine()
    rng = np.random.RandomState(0)
    weights, order = rng.exponential(size=len(y)), rng.permutation(len(y))
    net = TwoLayerNetClassifier(3, solver="lbfgs", activation="tanh", max_iter=5, random_state=0)
    regs = [
        clone(net).set_params(tol=1).fit(X[rows], y[rows], weights[rows]).reg_
        for rows in (np.arange(len(y)), order)
    ]
    assert regs[0] == regs[1]


@every_class
def test_it_is_the_default_and_the_only_word(model_class):
    assert inspect.signature(model_class).parameters["reg"].default == "auto"
    with pytest.raises(ValueError, match="'reg' parameter"):
        model_class(reg="Auto").fit(*wine())
