"""`reg="auto"`: the penalty as a function of the rows and their weights."""

import pickle

import numpy as np
import pytest
from helpers import assert_same_bits, ends_early, every_class, scaled, wine
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import AdaBoostClassifier

from sklearn_toynn import (
    MultiLayerNetClassifier,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)

pytestmark = ends_early

X, y = wine()
N = len(y)


WEIGHTS = {
    "between 0.5 and 2": np.linspace(0.5, 2, N),
    "normalized": np.linspace(0.5, 2, N) / np.linspace(0.5, 2, N).sum(),
    "one heavy row": np.where(np.arange(N) == 0, 1.0, 1e-3),
    "tiny": 1e-200 * np.linspace(0, 2, N),
    "tiny and equal": np.full(N, 1e-320),
    "times 1e6": 1e6 * (np.arange(N) % 3),
}
every_kind_of_weights = pytest.mark.parametrize("w", WEIGHTS.values(), ids=WEIGHTS)


def size_of(w):
    """The m of the rule in the guide."""
    kish = np.square(w / w.max())
    return max(w.sum(), (w / w.max()).sum() ** 2 / kish.sum())


@every_kind_of_weights
def test_it_is_one_over_the_sum_of_weights_or_the_effective_rows(w):
    model = TwoLayerNetClassifier(4, max_iter=2, random_state=0)
    assert model.fit(X, y, w).reg_ == pytest.approx(1 / size_of(w), rel=1e-12)
    model.set_params(class_weight={0: 0.25}).fit(X.astype(np.float32), y, w)
    # 1e-320 is subnormal, so a quarter of it has four digits
    rel = 1e-3 if w[0] == 1e-320 else 1e-12
    assert model.reg_ == pytest.approx(1 / size_of(w * np.where(y == 0, 0.25, 1)), rel=rel)
    if w.sum() > N / 2:  # balancing keeps the total weight
        model.set_params(class_weight="balanced").fit(X, y, w)
        assert model.reg_ == pytest.approx(1 / w.sum(), rel=1e-12)


@every_class
def test_two_classes_double_it_in_the_linear_model_only(model_class):
    X, y = scaled("breast cancer")
    model = model_class(solver="adam", max_iter=2, random_state=0)
    expected = 2 if model_class is SoftmaxClassifier else 1
    assert model.fit(X, y).reg_ * len(y) == pytest.approx(expected)


@every_kind_of_weights
def test_partial_fit_counts_the_rows_seen_so_far(w):
    model = SoftmaxClassifier(solver="sgd", random_state=0)
    parts = [np.arange(40), np.arange(40, 130), np.arange(130, N)]
    for number, rows in enumerate(parts):
        model = pickle.loads(pickle.dumps(model))
        model.partial_fit(X[rows], y[rows], [0, 1, 2], w[rows])
        seen = w[np.concatenate(parts[: number + 1])]
        assert model.reg_ == pytest.approx(1 / size_of(seen), rel=1e-9)
    model.fit(X, y).partial_fit(X[:22], y[:22], sample_weight=np.full(22, 2.0))
    assert model.reg_ == pytest.approx(1 / (N + 44))


@pytest.mark.parametrize(
    "model",
    [
        SoftmaxClassifier(),
        TwoLayerNetClassifier(max_iter=20),
        MultiLayerNetClassifier((20,), max_iter=20),
        SoftmaxClassifierCV(regs=3, cv=3),
        TwoLayerNetClassifierCV(regs=3, cv=3, n_nets=1, max_iter=20),
    ],
    ids=lambda model: type(model).__name__,
)
def test_boosting_by_normalized_weights_starts_with_an_unweighted_fit(model):
    # AdaBoost passes weights that sum to 1
    boosted = AdaBoostClassifier(model, n_estimators=1, random_state=0).fit(X, y)
    first, unweighted = boosted.estimators_[0], clone(boosted.estimators_[0]).fit(X, y)
    assert first.reg_ == pytest.approx(unweighted.reg_, rel=1e-12)
    assert_allclose(first.predict_proba(X), unweighted.predict_proba(X), rtol=1e-5, atol=1e-8)


@every_class
def test_the_penalty_follows_from_the_training_rows_with_weight(model_class):
    model = model_class(solver="adam", max_iter=5, random_state=0)
    assert model.reg == "auto"
    w = np.arange(N) % 2
    named = clone(model).set_params(reg=1 / w.sum())
    assert_same_bits(named.fit(X, y, w), clone(model).fit(X, y, w))
    assert model.set_params(early_stopping=True).fit(X, y).reg_ == pytest.approx(1 / (N - 18))


def test_weights_with_an_infinite_sum_raise_an_error():
    w = np.full(N, 1e307)
    model = SoftmaxClassifier(solver="adam", max_iter=2, random_state=0).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"reg='auto'.*sample_weight.*give reg as a number"):
        model.fit(X, y, w)
    assert_array_equal(model.predict_proba(X), before)
    assert np.isfinite(model.set_params(reg=1e-3).fit(X.astype(np.float32), y, w).loss_)


def test_the_sum_of_weights_has_the_same_bits_in_any_order():
    rng = np.random.RandomState(0)
    weights, order = rng.exponential(size=N), rng.permutation(N)
    model = SoftmaxClassifier(solver="gd", max_iter=1)
    first = model.fit(X, y, weights).reg_
    assert model.fit(X[order], y[order], weights[order]).reg_ == first
