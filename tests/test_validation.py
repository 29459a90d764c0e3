"""Validation sets: given by the user, or split from the rows."""

import numpy as np
import pytest
from helpers import (
    BATCH_SOLVERS,
    assert_same_bits,
    ends_early,
    every_case,
    every_class,
    plain_objective,
    solvers_of,
    split,
    wine,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import log_loss

import sklearn_toynn._validation
from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._validation import split_rows

pytestmark = ends_early


def test_a_given_validation_set_replaces_the_split():
    X, X_val, y, y_val = split()
    model = TwoLayerNetClassifier(5, schedule="constant", tol=1e-3, max_iter=500, random_state=0)
    given = clone(model).fit(X, y, X_val=X_val, y_val=y_val)
    both = clone(model).set_params(early_stopping=True).fit(X, y, X_val=X_val, y_val=y_val)
    assert_same_bits(given, both)
    own = clone(model).set_params(early_stopping=True).fit(X, y)
    assert own.validation_loss_curve_ != given.validation_loss_curve_


@pytest.fixture
def splits(monkeypatch):
    """A list of the splits into training and validation rows."""
    found = []

    def spy(*args):
        found.append(split_rows(*args))
        return found[-1]

    monkeypatch.setattr(sklearn_toynn._validation, "split_rows", spy)
    return found


@every_class
def test_early_stopping_equals_a_split_and_a_validation_set(model_class, splits):
    X, y = wine()
    w = np.random.RandomState(0).uniform(0.1, 5, len(y))
    for solver in solvers_of(model_class):
        params = {"max_iter": 10, "batch_size": 30, "dtype": "float64", "random_state": 0}
        model = model_class(solver=solver, **params)
        stopped = clone(model).set_params(early_stopping=True, validation_fraction=0.25)
        stopped.fit(X, y, w)
        rows, rows_val = splits[-1]
        # the split has its own random stream, so start and batches are the same
        by_hand = clone(model).fit(
            X[rows],
            y[rows],
            w[rows],
            X_val=X[rows_val],
            y_val=y[rows_val],
            sample_weight_val=w[rows_val],
        )
        assert_allclose(stopped.loss_curve_, by_hand.loss_curve_, rtol=1e-9)
        assert_allclose(stopped.validation_loss_curve_, by_hand.validation_loss_curve_, rtol=1e-9)
        if solver in BATCH_SOLVERS:
            assert_same_bits(stopped, by_hand)
        loss = log_loss(y[rows_val], stopped.predict_proba(X[rows_val]), sample_weight=w[rows_val])
        assert_allclose(loss, min(stopped.validation_loss_curve_), rtol=1e-9)
        objective = plain_objective(stopped, X[rows], y[rows], w[rows])
        assert_allclose(stopped.loss_, objective, rtol=1e-9)


def test_the_split_depends_only_on_random_state(splits):
    X, y = wine()
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


def test_a_validation_set_may_lack_classes():
    X, X_val, y, y_val = split()
    model = SoftmaxClassifier(solver="adam", max_iter=5, random_state=0)
    model.fit(X, y, X_val=X_val[y_val == 1], y_val=y_val[y_val == 1])
    own = model.predict_proba(X_val[y_val == 1])[:, 1]
    assert_allclose(-np.log(own).mean(), min(model.validation_loss_curve_), rtol=1e-10)


@pytest.mark.parametrize("convert", [sparse.csr_matrix, sparse.csc_array, sparse.coo_matrix])
@every_case
def test_a_validation_set_is_converted_to_the_container_of_the_rows(model_class, solver, convert):
    X, y = wine()
    X = np.where(X > 0, 30 * X, 0)
    model = model_class(solver=solver, max_iter=4, random_state=0)
    for X_train, mixed, same in (
        (X, convert(X[::2]), X[::2]),
        (convert(X), X[::2], convert(X[::2])),
    ):
        one, other = (
            clone(model).fit(X_train, y, X_val=X_val, y_val=y[::2]) for X_val in (mixed, same)
        )
        assert one.validation_loss_curve_ == other.validation_loss_curve_
        assert_same_bits(one, other)


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.3, 0.5, 0.8, 0.9])
@pytest.mark.parametrize("counts", [
    (2, 10), (2, 2, 2, 100), (2, 2), (5, 4, 3, 2), (1, 30, 30), (1, 1, 1, 2), (0, 1, 50, 0, 7),
    (3,) * 40,
])  # fmt: skip
def test_the_split_is_stratified_and_each_class_keeps_a_training_row(counts, fraction):
    codes = np.repeat(np.arange(len(counts)), counts)
    n_classes, n_rows, counts = len(counts), len(codes), np.array(counts)
    n_validation = int(np.ceil(fraction * n_rows))
    splittable = counts > 1
    for seed in range(5):
        arguments = np.arange(n_rows), codes, n_classes, fraction, np.random.RandomState(seed)
        if n_validation == n_rows:
            with pytest.raises(ValueError, match=rf"validation_fraction={fraction} of {n_rows} "):
                split_rows(*arguments)
            continue
        rows, rows_val = split_rows(*arguments)
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
