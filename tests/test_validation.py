"""Validation sets, given or split from the rows."""

import numpy as np
import pytest
from helpers import (
    BATCH_SOLVERS,
    assert_same_bits,
    ends_early,
    every_case,
    every_class,
    parameters,
    plain_objective,
    scaled,
    solvers_of,
    split,
    wine,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.metrics import log_loss

import sklearn_toynn._validation
from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._validation import split_rows

# ---- validation


def test_a_given_validation_set_takes_the_place_of_the_split():
    X, X_val, y, y_val = split()
    model = TwoLayerNetClassifier(5, schedule="constant", tol=1e-3, max_iter=500, random_state=0)
    given = clone(model).fit(X, y, X_val=X_val, y_val=y_val)
    both = clone(model).set_params(early_stopping=True).fit(X, y, X_val=X_val, y_val=y_val)
    assert_same_bits(given, both)
    own = clone(model).set_params(early_stopping=True).fit(X, y)
    assert own.validation_loss_curve_ != given.validation_loss_curve_


def spied_split(monkeypatch):
    """A list that each split of the rows, for training and for validation, is added to."""
    splits = []

    split_rows = sklearn_toynn._validation.split_rows

    def spy(*args):
        splits.append(split_rows(*args))
        return splits[-1]

    monkeypatch.setattr(sklearn_toynn._validation, "split_rows", spy)
    return splits


@ends_early
@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
@every_class
def test_early_stopping_is_a_split_and_a_validation_set(model_class, fraction, monkeypatch):
    splits = spied_split(monkeypatch)
    X, y = scaled("wine")
    for solver in solvers_of(model_class):
        model = model_class(solver=solver, max_iter=10, batch_size=30, random_state=0)
        stopped = clone(model).set_params(early_stopping=True, validation_fraction=fraction)
        stopped.fit(X, y)
        rows, rows_val = splits[-1]
        # stratified, and no row lost or in both
        assert_array_equal(np.sort([*rows, *rows_val]), np.arange(178))
        assert len(rows_val) == pytest.approx(178 * fraction, abs=1)
        share = np.bincount(y[rows_val]) / len(rows_val)
        assert_allclose(share, np.bincount(y) / 178, atol=1 / len(rows_val))
        # the split has a stream of its own: given the rows, batches and start are the same
        by_hand = clone(model).fit(X[rows], y[rows], X_val=X[rows_val], y_val=y[rows_val])
        assert_allclose(stopped.loss_curve_, by_hand.loss_curve_, rtol=1e-9)
        assert_allclose(stopped.validation_loss_curve_, by_hand.validation_loss_curve_, rtol=1e-9)
        if solver in BATCH_SOLVERS:
            assert_same_bits(stopped, by_hand)


@ends_early
def test_the_split_depends_on_random_state_alone(monkeypatch):
    splits = spied_split(monkeypatch)
    X, y = scaled("wine")
    for kwargs in (
        {},
        {"solver": "sgd"},
        {"solver": "gd"},
        {"hidden_size": 30},
        {"init": 0.1},
        {"batch_size": 10, "shuffle": False},
        {"max_iter": 7},
    ):
        given = {"early_stopping": True, "max_iter": 3, "random_state": 0, **kwargs}
        TwoLayerNetClassifier(**given).fit(X, y)
    for rows, rows_val in splits[1:]:
        assert_array_equal(rows, splits[0][0])
        assert_array_equal(rows_val, splits[0][1])
    TwoLayerNetClassifier(early_stopping=True, max_iter=3, random_state=1).fit(X, y)
    assert (splits[-1][1] != splits[0][1]).any()


@ends_early
@pytest.mark.parametrize("solver", ["adam", "gd"])
def test_early_stopping_weighs_the_rows_that_it_sets_aside(solver, monkeypatch):
    splits = spied_split(monkeypatch)
    X, y = scaled("wine")
    w = np.random.RandomState(0).uniform(0.1, 5, len(y))
    model = SoftmaxClassifier(solver=solver, early_stopping=True, max_iter=10, random_state=0)
    model.fit(X, y, sample_weight=w)
    rows, rows_val = splits[-1]
    loss = log_loss(y[rows_val], model.predict_proba(X[rows_val]), sample_weight=w[rows_val])
    assert_allclose(loss, min(model.validation_loss_curve_), rtol=1e-10)
    assert_allclose(model.loss_, plain_objective(model, X[rows], y[rows], w[rows]), rtol=1e-10)


@ends_early
def test_a_validation_set_may_lack_classes():
    X, X_val, y, y_val = split()
    model = SoftmaxClassifier(solver="adam", max_iter=5, random_state=0)
    model.fit(X, y, X_val=X_val[y_val == 1], y_val=y_val[y_val == 1])
    own = model.predict_proba(X_val[y_val == 1])[:, 1]
    assert_allclose(-np.log(own).mean(), min(model.validation_loss_curve_), rtol=1e-10)


# ---- sets of rows


@ends_early
class TestContainersOfTheValidationSet:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("convert", [sparse.csr_matrix, sparse.csc_array, sparse.coo_matrix])
    @every_case
    def test_the_bits_of_one_container(self, model_class, solver, convert, dtype):
        X, y = wine()
        X = np.where(X > 0, 30 * X, 0).astype(dtype)
        y_val = y[::2]
        kwargs = {"max_iter": 4, "random_state": 0}
        for X_train, mixed, same in (
            (X, convert(X[::2]), X[::2]),
            (convert(X), X[::2], convert(X[::2])),
        ):
            one, other = (
                model_class(solver=solver, **kwargs).fit(X_train, y, X_val=X_val, y_val=y_val)
                for X_val in (mixed, same)
            )
            assert one.validation_loss_curve_ == other.validation_loss_curve_
            for a, b in zip(parameters(one), parameters(other), strict=True):
                assert_array_equal(a, b)


@ends_early
class TestEveryClassKeepsARow:
    @pytest.mark.parametrize("fraction", [0.01, 0.1, 0.3, 0.5, 0.8, 0.9])
    @pytest.mark.parametrize(
        "counts",
        [
            (2, 10),
            (2, 2, 2, 100),
            (10, 2, 3),
            (2, 2),
            (5, 4, 3, 2),
            (1, 30, 30),
            (1, 1, 1, 2),
            (0, 1, 50, 0, 7),
            (3,) * 40,
        ],
    )
    def test_split(self, counts, fraction):
        codes = np.repeat(np.arange(len(counts)), counts)
        n_classes, n_rows, counts = len(counts), len(codes), np.array(counts)
        n_validation = int(np.ceil(fraction * n_rows))
        splittable = counts > 1
        for seed in range(5):
            arguments = (np.arange(n_rows), codes, n_classes, fraction)
            if n_validation == n_rows:
                with pytest.raises(ValueError, match="validation_fraction"):
                    split_rows(*arguments, np.random.RandomState(seed))
                continue
            rows, rows_val = split_rows(*arguments, np.random.RandomState(seed))
            assert_array_equal(np.sort([*rows, *rows_val]), np.arange(n_rows))
            in_training = np.bincount(codes[rows], minlength=n_classes)
            in_validation = np.bincount(codes[rows_val], minlength=n_classes)
            assert (in_training[counts > 0] > 0).all()
            if splittable.sum() <= n_validation:
                assert (in_validation[splittable] > 0).all()
            else:
                assert len(rows_val) == n_validation
                shares = n_validation * counts / n_rows
                assert (abs(in_validation - shares)[splittable] < 1).all()
            if fraction >= 0.5:
                assert len(rows_val) == min(n_validation, n_rows - (counts > 0).sum())

    @pytest.mark.parametrize("solver", ["adam", "lbfgs"])
    @every_class
    def test_rare_classes_are_trained(self, model_class, solver):
        X, y = wine()
        y = np.where(np.arange(len(y)) == 5, 7, y)  # the only row of its class
        model = model_class(solver=solver, early_stopping=True, random_state=0)
        assert_array_equal(clone(model).fit(X, y).predict_proba(X).shape, (178, 4))
        assert clone(model).fit(X, y).score(X, y) > 0.95
        # more classes than rows to validate on
        few = clone(model).set_params(validation_fraction=0.01).fit(X, y)
        assert np.isfinite(few.validation_loss_curve_).all()
        bagging = BaggingClassifier(model, n_estimators=5, max_samples=0.2, random_state=0)
        assert bagging.fit(X, y).score(X, y) > 0.9

    @every_class
    def test_two_and_ten_rows(self, model_class):
        X = np.r_[np.full((2, 1), 3.0), -np.ones((10, 1))] + 1e-3 * np.arange(12)[:, None]
        y = np.repeat([0, 1], [2, 10])
        model = model_class(
            reg=1e-3, early_stopping=True, validation_fraction=0.8, max_iter=100, random_state=0
        )
        assert model.fit(X, y).score(X, y) == 1.0
