"""Fits that continue from an earlier one, also after changes of parameters and weights."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import (
    assert_same_bits,
    ends_early,
    every_case,
    every_class,
    first_order,
    parameters,
    plain_objective,
    plain_scores,
    raise_late,
    scaled,
    wine,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

X, y = scaled("wine")

# ---- warm_start


@ends_early
@every_class
@first_order
def test_two_fits_of_fifty_iterations_equal_one_of_a_hundred(model_class, solver):
    params = {"schedule": "constant", "batch_size": 50, "tol": 0, "init": 0.1}
    model = model_class(solver=solver, random_state=0, **params)
    whole = clone(model).set_params(max_iter=100).fit(X, y)
    halves = clone(model).set_params(max_iter=50, warm_start=True).fit(X, y).fit(X, y)
    assert_same_bits(halves, whole)
    assert halves.loss_ == whole.loss_
    assert halves.loss_curve_ == whole.loss_curve_
    assert halves.n_iter_ == 50
    if solver != "gd":
        assert halves.partial_fit(X, y).n_iter_ == 51


@every_case
def test_n_iter_counts_one_call_which_warns_at_max_iter(model_class, solver):
    model = model_class(solver=solver, schedule="constant", warm_start=True, random_state=0)
    for n_iter, reg in [(2, 1e-3), (3, 1e-6)]:
        model.set_params(max_iter=n_iter, reg=reg)
        with pytest.warns(ConvergenceWarning, match=f"max_iter={n_iter} "):
            model.fit(X, y)
        assert model.n_iter_ == n_iter
        assert model.stop_reason_ == "max_iter"
    assert len(model.loss_curve_) == 5


@ends_early
@every_class
def test_a_warm_start_with_another_solver_keeps_only_the_weights(model_class):
    model = model_class(solver="adam", dtype="float64", warm_start=True, random_state=0).fit(X, y)
    loss = model.loss_
    for solver in ("gd", "sgd"):
        model.set_params(solver=solver, learning_rate=1e-300, max_iter=1).fit(X, y)
        assert model.loss_curve_[-1] == pytest.approx(loss, rel=1e-9)
        assert model.loss_ == pytest.approx(loss, rel=1e-9)


@ends_early
@every_class
def test_curves_continue_with_and_without_a_validation_set(model_class):
    model = model_class(solver="sgd", max_iter=5, tol=0, warm_start=True, random_state=0)
    model.fit(X, y).fit(X, y, X_val=X, y_val=y)
    assert model.n_iter_ == 5
    assert len(model.loss_curve_) == len(model.validation_loss_curve_) == 10
    assert np.isnan(model.validation_loss_curve_[:5]).all()
    assert model.best_iter_ == np.nanargmin(model.validation_loss_curve_)
    assert not hasattr(model.fit(X, y), "validation_loss_curve_")
    assert len(model.loss_curve_) == 15


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_tol_reached_at_max_iter_is_the_reason(solver):
    n_iter = SoftmaxClassifier(solver=solver).fit(X, y).n_iter_
    model = SoftmaxClassifier(solver=solver, max_iter=n_iter).fit(X, y)
    assert model.stop_reason_ == "tol"
    with pytest.warns(ConvergenceWarning, match="max_iter="):
        model.set_params(max_iter=n_iter - 1).fit(X, y)
    assert model.stop_reason_ == "max_iter"


# ---- an activation set between fits


def scores_of(model, X, activation):
    return plain_scores(SimpleNamespace(**vars(model) | {"activation": activation}), X)


@ends_early
@pytest.mark.parametrize("solver", ["adam", "gd", "lbfgs"])
def test_an_activation_takes_effect_at_the_next_warm_fit(solver):
    X, y = wine()
    model = TwoLayerNetClassifier(
        5, solver=solver, dtype="float64", max_iter=5, warm_start=True, random_state=0
    )
    before = model.fit(X, y).predict_proba(X)
    model.set_params(activation="tanh")
    assert_array_equal(model.predict_proba(X), before)
    start, n_before = plain_objective(model, X, y), model.n_iter_  # with the new activation
    with pytest.raises(RuntimeError, match="late"):
        model.set_params(solver="adam", schedule=raise_late).fit(X, y)
    assert_array_equal(model.predict_proba(X), before)
    model.set_params(solver=solver, schedule="auto").fit(X, y)
    if solver in ("gd", "lbfgs"):
        assert model.loss_curve_[n_before] == pytest.approx(start, rel=1e-9)
    model.set_params(activation="relu")
    assert_allclose(model.decision_function(X), scores_of(model, X, "tanh"), rtol=1e-9)


# ---- weights edited between fits


def edit(model, factor):
    """Multiply the model's weights and intercepts."""
    if isinstance(model, SoftmaxClassifier):
        model.coef_ = factor * model.coef_
        model.intercept_ = factor * model.intercept_
    else:
        model.coefs_ = [factor * a for a in model.coefs_]
        model.intercepts_ = [factor * a for a in model.intercepts_]


def assert_stays(model, X, y):
    """Check that `partial_fit` with a learning rate of almost 0 keeps the weights.

    An earlier optimizer state would change them.
    """
    expected = [a.copy() for a in parameters(model)]
    model.set_params(learning_rate=1e-300).partial_fit(X, y)
    for now, then in zip(parameters(model), expected, strict=True):
        assert_allclose(now, then, rtol=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        SoftmaxClassifier(solver="sgd", random_state=0),
        TwoLayerNetClassifier(solver="adam", random_state=0),
        TwoLayerNetClassifier(solver="sgd", n_nets=3, random_state=0),
    ],
    ids=str,
)
def test_partial_fit_continues_from_edited_weights_with_a_new_state(model):
    model = clone(model)
    for _ in range(3):
        model.partial_fit(X, y, classes=[0, 1, 2])
    for factor in (0.5, 3.0):
        edit(model, factor)
        assert_stays(model, X, y)
        assert model.set_params(learning_rate="auto").partial_fit(X, y).n_iter_ > 3


@ends_early
@every_class
def test_the_state_is_dropped_with_the_scaling_of_the_columns(model_class):
    X, y = wine()
    model = model_class(solver="sgd", max_iter=3, warm_start=True, random_state=0)
    # partial_fit trains on the original columns
    assert_stays(model.fit(100 * X, y), 100 * X, y)
    model.set_params(learning_rate="auto", schedule="constant").fit(100 * X, y)
    other, n_before = 30 * X + 50, len(model.loss_curve_)
    expected = plain_objective(model, other, y)
    model.set_params(learning_rate=1e-300, max_iter=1).fit(other, y)
    assert model.loss_curve_[n_before] == pytest.approx(expected, rel=1e-5)


@ends_early
@every_case
def test_a_warm_fit_continues_from_edited_weights(model_class, solver):
    X, y = wine()
    model = model_class(solver=solver, max_iter=3, warm_start=True, random_state=0).fit(X, y)
    for array in parameters(model):
        array[...] *= 0.5
    expected, n_before = plain_objective(model, X, y), model.n_iter_
    model.set_params(max_iter=1, learning_rate=1e-300).fit(X, y)
    assert model.loss_curve_[n_before] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@every_class
def test_weights_set_to_equal_values_keep_the_state(model_class, solver):
    model, undisturbed = (
        model_class(solver=solver, batch_size=40, random_state=0) for _ in range(2)
    )
    for _ in range(3):
        edit(model.partial_fit(X, y, classes=[0, 1, 2]), 1.0)
        undisturbed.partial_fit(X, y, classes=[0, 1, 2])
    assert_array_equal(model.predict_proba(X), undisturbed.predict_proba(X))


@every_class
def test_edited_weights_do_not_restart_the_batch_order(model_class):
    model = model_class(solver="sgd", batch_size=40, random_state=0)
    model.partial_fit(X, y, classes=[0, 1, 2])
    first = [a.copy() for a in parameters(model)]
    results = []
    for _ in range(2):
        for array, value in zip(parameters(model), first, strict=True):
            array[...] = value
        array[...] += 1e-12
        model.partial_fit(X, y)
        results.append(parameters(model)[0].copy())
    assert not np.allclose(*results, rtol=1e-6)


@pytest.mark.parametrize(("value", "dtype"), [(np.nan, float), (1e300, np.float32)])
@every_class
def test_edited_weights_must_be_finite(model_class, value, dtype):
    model = model_class(solver="sgd", random_state=0)
    edit(model.partial_fit(X.astype(dtype), y, classes=[0, 1, 2]), np.float64(value))
    with pytest.raises(ValueError, match=r"partial_fit .*weights .*NaN or infinity"):
        model.partial_fit(X.astype(dtype), y)


@ends_early
@pytest.mark.parametrize("first", [{"solver": "gd"}, {"solver": "lbfgs"}, {"shuffle": False}])
def test_batches_after_a_fit_without_shuffling_follow_random_state(first):
    def fit():
        net = TwoLayerNetClassifier(5, max_iter=3, warm_start=True, random_state=0)
        net.set_params(**first).fit(X, y)
        return net.set_params(solver="adam", shuffle=True, batch_size=20).fit(X, y)

    one, other = fit(), fit()
    assert_same_bits(one, other)
    assert pickle.dumps(one) == pickle.dumps(other)
