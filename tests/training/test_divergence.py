"""Trainings that diverge, and objectives that are never finite."""

import warnings

import numpy as np
import pytest
from helpers import (
    ends_early,
    every_case,
    every_class,
    fit_with_convergence_warnings_alone,
    is_finite,
    plain_objective,
    wine,
)
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._training.divergence import recover

# ---- recover


def loss_at(parameters):
    return float(parameters[0])


@pytest.mark.parametrize(
    ("end", "best", "start", "kept", "has_diverged"),
    [
        (0.5, 0.4, 3.0, 0.5, False),  # kept, because it is below the loss of zero weights
        (5.0, 4.0, 9.0, 4.0, True),
        (5.0, 4.8, 9.0, 5.0, False),  # kept, because it is hardly above the best
        (1.12, 1.08, 9.0, 1.12, False),
        (1.099, 0.2, 9.0, 1.099, False),  # kept, because it is hardly above that of zero weights
        (1.103, 0.5, 9.0, 0.5, True),
        (5.0, 4.0, 3.0, 3.0, True),
        (np.inf, 4.0, 9.0, 4.0, True),
        (np.nan, np.nan, 2.0, 2.0, True),
        (np.nan, np.nan, np.inf, np.inf, True),
    ],
)
def test_the_last_parameters_are_replaced_only_by_much_better_ones(
    end, best, start, kept, has_diverged
):
    parameters, fallbacks = np.array([end]), [np.array([best]), np.array([start])]
    loss, diverged = recover(parameters, end, fallbacks, loss_at, None, np.log(3))
    assert diverged == has_diverged
    assert loss == loss_at(parameters) == kept


@pytest.mark.parametrize(
    ("end", "watched_end", "watched_start", "kept"),
    [
        (5.0, 1.0, 0.9, 5.0),  # the watched loss is below the loss of zero weights
        (5.0, 2.0, 3.0, 5.0),
        (5.0, 3.0, 2.0, 4.0),
        (5.0, np.nan, 2.0, 4.0),
        (np.inf, 1.0, 2.0, 4.0),
    ],
)
def test_the_validation_loss_determines_the_better_parameters(
    end, watched_end, watched_start, kept
):
    parameters, start = np.array([5.0]), np.array([4.0])
    watched = {5.0: watched_end, 4.0: watched_start}
    outcome = recover(parameters, end, [start], loss_at, lambda at: watched[at[0]], np.log(3))
    assert outcome == (kept, True)
    assert parameters[0] == kept


# ---- divergence


def start_of(model, X, y):
    """Return the model with its initial weights, by a negligible step."""
    start = clone(model).set_params(solver="gd", learning_rate=1e-300, max_iter=1)
    with pytest.warns(ConvergenceWarning):
        return start.fit(X, y)


@pytest.mark.parametrize(("dtype", "validates"), [(np.float32, False), (np.float64, True)])
@pytest.mark.parametrize("solver", ["sgd", "adam", "gd"])
@every_class
def test_a_step_size_of_a_million_keeps_the_best_weights_and_warns(
    model_class, solver, dtype, validates
):
    X, y = wine()
    X = X.astype(dtype)
    model = model_class(solver=solver, learning_rate=1e6, early_stopping=validates, random_state=0)
    start = start_of(model, X, y)
    message = r"(?s)diverged.*Lower learning_rate \(now 1e\+06\)\."
    with pytest.warns(ConvergenceWarning, match=message):
        model.fit(X, y)
    assert model.stop_reason_ == "diverged"
    assert is_finite(model)
    assert np.isfinite(model.predict_proba(X)).all()
    if not validates:
        assert model.loss_ <= start.loss_
        np.testing.assert_allclose(model.loss_, plain_objective(model, X, y), rtol=1e-4)
    elif min(model.validation_loss_curve_) > np.log(3):  # the start is better
        assert plain_objective(model, X, y) <= 1.05 * start.loss_


@pytest.mark.parametrize(("dtype", "scale"), [(np.float32, 1e6), (np.float64, 1e12)])
@every_case
def test_columns_of_size_a_million_do_not_raise_the_objective(model_class, solver, dtype, scale):
    X, y = load_breast_cancer(return_X_y=True)
    X = (scale * StandardScaler().fit_transform(X)).astype(dtype)
    model = model_class(solver=solver, init=0.01, random_state=0)
    start = start_of(model, X, y)
    messages = fit_with_convergence_warnings_alone(model, X, y)
    assert is_finite(model)
    assert model.loss_ <= start.loss_
    np.testing.assert_allclose(model.loss_, plain_objective(model, X, y), rtol=1e-3, atol=1e-6)
    if solver in ("gd", "sgd"):
        (message,) = messages
        assert "learning_rate" in message
        assert "StandardScaler" in message


@pytest.mark.parametrize(("dtype", "scale"), [(np.float32, 1e30), (np.float64, 1e200)])
@every_case
def test_columns_near_the_largest_float_give_finite_weights(model_class, solver, dtype, scale):
    X, y = wine()
    X = (scale * X).astype(dtype)
    model = model_class(solver=solver, random_state=0)
    fit_with_convergence_warnings_alone(model, X, y)
    assert is_finite(model)
    assert np.isfinite(model.loss_)
    assert len(model.predict(X[:5])) == 5


# ---- the best weights by validation loss


@pytest.mark.parametrize(
    "model", [SoftmaxClassifier(10.0, solver="adam"), TwoLayerNetClassifier(10, 1.0)]
)
def test_a_large_penalty_does_not_replace_the_best_weights_by_the_start(model):
    X, y = wine()
    X, X_val, y, y_val = X[::2], X[1::2], y[::2], y[1::2]
    model = clone(model).set_params(learning_rate=1.0, random_state=0)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(X, y, X_val=X_val, y_val=y_val)
    best = min(model.validation_loss_curve_)
    assert best < np.log(3)
    assert log_loss(y_val, model.predict_proba(X_val)) == pytest.approx(best, rel=1e-5)


@ends_early
@every_case
def test_the_best_weights_may_be_worse_than_equal_probabilities(model_class, solver):
    X, y = wine()
    other = (y + 1) % 3
    model = model_class(solver=solver, random_state=0).fit(X, y, X_val=X, y_val=other)
    best = min(model.validation_loss_curve_)
    assert best > np.log(3)
    assert log_loss(other, model.predict_proba(X)) == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("solver", ["sgd", "gd"])
@every_class
def test_divergence_after_the_best_epoch_gives_a_warning(model_class, solver):
    X, y = wine()
    model = model_class(
        solver=solver,
        schedule=lambda progress: 1.0 if progress < 0.5 else 1e200,
        max_iter=20,
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(X, y, X_val=X, y_val=y)
    assert not np.isfinite(model.loss_curve_[-1] + model.validation_loss_curve_[-1])
    best = model.validation_loss_curve_[model.best_iter_]
    assert best == np.nanmin(model.validation_loss_curve_)
    assert log_loss(y, model.predict_proba(X)) == pytest.approx(best, rel=1e-9)


# ---- objectives that are never finite


@pytest.mark.parametrize("validate", [False, True])
@pytest.mark.parametrize("solver", ["gd", "sgd", "adam", "lbfgs"])
@every_class
def test_an_objective_that_is_never_finite_gives_a_warning(model_class, solver, validate):
    X, y = wine()
    X = 1e307 * np.abs(X)
    model = model_class(solver=solver, init=50.0, random_state=0)
    validation = {"X_val": X, "y_val": y} if validate else {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y, **validation)
    assert is_finite(model)
    # the linear lbfgs moves to zero weights, with a finite objective
    leaves = model_class is SoftmaxClassifier and solver == "lbfgs"
    assert {w.category for w in caught} == {ConvergenceWarning} or leaves
    assert np.isfinite(model.loss_) == leaves
