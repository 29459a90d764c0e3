"""`reg="auto"`: the penalty by the number of rows and their weights."""

import inspect
import pickle
import warnings

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
from sklearn.datasets import load_breast_cancer, load_iris, load_wine, make_classification
from sklearn.ensemble import AdaBoostClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import (
    MultiLayerNetClassifier,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
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


WEIGHTS = {
    "ones": np.ones,
    "between 0.5 and 2": lambda n: np.linspace(0.5, 2, n),
    "normalised": lambda n: np.linspace(0.5, 2, n) / np.linspace(0.5, 2, n).sum(),
    "one heavy row": lambda n: np.where(np.arange(n) == 0, 1.0, 1e-3),
    "tiny": lambda n: 1e-200 * np.linspace(0, 2, n),
    "tiny and even": lambda n: np.full(n, 1e-320),
    "times 1e-6": lambda n: 1e-6 * (np.arange(n) % 3),
    "times 1e6": lambda n: 1e6 * (np.arange(n) % 3),
}


def size_of(w):
    """The m of the rule, as it stands in the guide."""
    kish = np.square(w / w.max())
    return max(w.sum(), (w / w.max()).sum() ** 2 / kish.sum())


@ends_early
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", WEIGHTS)
@every_class
def test_it_is_one_over_the_sum_of_weights_or_the_effective_rows(model_class, kind, dtype):
    X, y = wine()
    w = WEIGHTS[kind](len(y))
    model = model_class(solver="adam", max_iter=2, random_state=0)
    assert model.fit(X.astype(dtype), y, w).reg_ == pytest.approx(1 / size_of(w), rel=1e-12)
    by_class = clone(model).set_params(class_weight={0: 0.25})
    w = w * np.where(y == 0, 0.25, 1)
    # 1e-320 is subnormal, and a quarter of it another number in four digits
    assert by_class.fit(X, y, WEIGHTS[kind](len(y))).reg_ == pytest.approx(
        1 / size_of(w), rel=1e-3 if kind == "tiny and even" else 1e-12
    )


@ends_early
@pytest.mark.parametrize("kind", WEIGHTS)
def test_partial_fit_and_fused_searches_go_by_the_weights(kind):
    X, y = wine()
    w = WEIGHTS[kind](len(y))
    model = SoftmaxClassifier(solver="sgd", random_state=0)
    parts = [np.arange(40), np.arange(40, 130), np.arange(130, len(y))]
    for number, rows in enumerate(parts):
        model.partial_fit(X[rows], y[rows], [0, 1, 2], w[rows])
        seen = w[np.concatenate(parts[: number + 1])]
        assert model.reg_ == pytest.approx(1 / size_of(seen), rel=1e-9)
    net = TwoLayerNetClassifier(4, max_iter=5, random_state=0)
    grid = {"reg": ["auto", 1e-3], "learning_rate": [0.01, 0.1]}
    splits = list(StratifiedKFold(3).split(X, y))
    kwargs = {"cv": splits, "scoring": recorded_reg, "error_score": "raise"}
    fused = FusedGridSearchCV(net, grid, **kwargs).fit(X, y, sample_weight=w)
    assert fused.best_estimator_.reg_ in (1e-3, pytest.approx(1 / size_of(w)))
    for fold, (train, _) in enumerate(splits):
        found = fused.cv_results_[f"split{fold}_test_score"]
        auto = np.array([params["reg"] == "auto" for params in fused.cv_results_["params"]])
        assert_allclose(found, np.where(auto, 1 / size_of(w[train]), 1e-3), rtol=1e-9)


def recorded_reg(model, X, y, sample_weight=None):
    return model.reg_


@pytest.mark.parametrize(
    "model",
    [
        SoftmaxClassifier(),
        TwoLayerNetClassifier(random_state=0),
        MultiLayerNetClassifier((20,), random_state=0),
        SoftmaxClassifierCV(cv=3, random_state=0),
        TwoLayerNetClassifierCV(cv=3, regs=3, n_nets=1, max_iter=40, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
@ends_early
def test_boosting_by_normalised_weights(model):
    # AdaBoost passes weights that sum to 1
    X, y = make_classification(
        400, n_informative=8, n_classes=4, n_clusters_per_class=1, random_state=0
    )
    boosted, plain = (
        make_pipeline(StandardScaler(), AdaBoostClassifier(one, n_estimators=3, random_state=0))
        .fit(X, y)
        .score(X, y)
        for one in (model, LogisticRegression(C=len(y)))  # C times weights that sum to 1
    )
    assert boosted > plain - 0.03


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("name", ["iris", "cancer"])
def test_the_model_of_scikit_learn_fits_the_same_by_its_parameters(name, factor):
    X, y = LOADERS[name](return_X_y=True)
    X = StandardScaler().fit_transform(X)
    w = factor * np.linspace(0.5, 2, len(y))
    ours = SoftmaxClassifier(tol=1e-9).fit(X, y, w)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its weights diverge where there is no penalty left
        theirs = clone(ours.to_sklearn()).set_params(tol=1e-10, max_iter=5000, solver="newton-cg")
        theirs.fit(X, y, w)
    assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), atol=1e-3)


@ends_early
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
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_class
def test_weights_of_an_infinite_sum_are_refused(model_class, dtype):
    weight = 1e307
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
