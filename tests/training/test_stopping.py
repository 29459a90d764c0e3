"""When training ends, and what is said of it."""

import warnings

import numpy as np
import pytest
from helpers import (
    BATCH_SOLVERS,
    LOADERS,
    ends_early,
    every_batch_solver,
    every_class,
    first_order,
    flat,
    scaled,
    split,
    tanh_objective,
)
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._training.schedules import SCHEDULES

# ---- stopping


def stalls_at(curve, tol, n_iter_no_change):
    """The number of iterations after which a curve has not improved by tol for so many."""
    best, n_stalled = np.inf, 0
    for n_iter, loss in enumerate(curve, start=1):
        n_stalled = 0 if loss < best - tol else n_stalled + 1
        best = min(best, loss)
        if n_stalled == n_iter_no_change:
            return n_iter
    return None


@every_class
@every_batch_solver
@pytest.mark.parametrize("schedule", ["constant", "plateau", lambda p: 1 - p])
@pytest.mark.parametrize(("tol", "n_iter_no_change"), [(1e-2, 3), (1e-3, 10), (0.5, 1)])
def test_stops_where_the_objective_stands_still(
    model_class, solver, schedule, tol, n_iter_no_change
):
    X, y = scaled("wine")
    model = model_class(
        solver=solver,
        schedule=schedule,
        tol=tol,
        n_iter_no_change=n_iter_no_change,
        max_iter=1000,
        random_state=0,
    ).fit(X, y)
    assert model.n_iter_ < 1000
    assert model.n_iter_ == stalls_at(model.loss_curve_, tol, n_iter_no_change)


@every_class
@every_batch_solver
def test_cosine_runs_to_max_iter_without_a_warning(model_class, solver):
    X, y = scaled("iris")
    model = model_class(solver=solver, tol=1.0, n_iter_no_change=1, max_iter=133, random_state=0)
    assert model.fit(X, y).n_iter_ == 133
    # from a start at the minimum, too, where nothing improves
    model.set_params(warm_start=True)
    assert model.fit(X, y).fit(X, y).n_iter_ == 133
    assert len(model.loss_curve_) == 3 * 133


@pytest.mark.parametrize("max_iter", [2, 5, 10, 30])
@every_batch_solver
def test_cosine_warns_if_the_loss_still_falls(solver, max_iter):
    X, y = load_iris(return_X_y=True)
    model = TwoLayerNetClassifier(8, solver=solver, max_iter=max_iter, random_state=0)
    with pytest.warns(ConvergenceWarning, match=f"still falling .*max_iter .now {max_iter}"):
        model.set_params(learning_rate=0.01).fit(X, y)
    assert model.score(X, y) < 0.7
    if model.loss_ < np.log(3):  # else there is another warning
        model.set_params(tol=0).fit(X, y)
        model.set_params(tol=1e-5).fit(X, y, X_val=X, y_val=y)


@pytest.mark.parametrize("scale", [scale, np.asarray])
@pytest.mark.parametrize("load", [*LOADERS.values(), load_digits])
@pytest.mark.parametrize(
    "model_class", [SoftmaxClassifier, TwoLayerNetClassifier, MultiLayerNetClassifier]
)
def test_defaults_do_not_warn(model_class, load, scale):
    X, y = load(return_X_y=True)
    for solver in BATCH_SOLVERS:
        model_class(solver=solver, random_state=0).fit(scale(X), y)


@every_class
@first_order
@pytest.mark.parametrize("schedule", [*SCHEDULES, lambda p: 1 - p])
def test_tol_of_zero_runs_all_iterations(model_class, solver, schedule):
    # the loss is constant and the gradient zero
    X, y = np.zeros((6, 2)), [0, 1, 2] * 2
    model = model_class(reg=0, solver=solver, schedule=schedule, max_iter=40, random_state=0)
    model.set_params(tol=0, n_iter_no_change=1)
    assert model.fit(X, y).n_iter_ == 40
    assert model.stop_reason_ == ("schedule" if schedule == "cosine" else "max_iter")
    model.fit(X, y, X_val=X, y_val=y)
    assert model.n_iter_ < 40


@every_class
@every_batch_solver
@pytest.mark.parametrize("schedule", ["constant", "inverse", lambda _: 1.0])
def test_warns_at_max_iter_while_the_loss_falls(model_class, solver, schedule):
    model = model_class(
        solver=solver, learning_rate=1e-3, schedule=schedule, max_iter=5, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match=r"max_iter=5 .*tol"):
        model.fit(*scaled("wine"))
    assert model.n_iter_ == 5


@every_class
@every_batch_solver
def test_the_warning_does_not_advise_what_is_so_already(model_class, solver):
    X, X_val, y, y_val = split()
    model = model_class(solver=solver, schedule="cosine", max_iter=3, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y, X_val=X_val, y_val=y_val)
    assert not [w for w in caught if "schedule='cosine'" in str(w.message)]


@every_class
@pytest.mark.parametrize("solver", ["gd", "lbfgs"])
def test_whole_batch_solvers_warn_at_max_iter(model_class, solver):
    model = model_class(solver=solver, max_iter=3, random_state=0)
    with pytest.warns(ConvergenceWarning, match="max_iter=3"):
        model.fit(*scaled("wine"))
    assert model.n_iter_ == 3


def largest_gradient_entry(model, X, y):
    """By the formula for softmax, row-major."""
    scores = X @ model.coef_.T + model.intercept_
    errors = (np.exp(log_softmax(scores, axis=1)) - np.eye(len(model.classes_))[y]) / len(y)
    return max(abs(errors.T @ X + model.reg_ * model.coef_).max(), abs(errors.sum(axis=0)).max())


@pytest.mark.parametrize("tol", [1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("name", LOADERS)
def test_gd_stops_on_the_gradient(name, tol):
    X, y = scaled(name)
    model = SoftmaxClassifier(0.05, solver="gd", tol=tol, max_iter=5000).fit(X, y)
    assert 1 < model.n_iter_ < 5000
    assert largest_gradient_entry(model, X, y) <= tol
    # a stop as soon as it may: two iterations before, the gradient was larger
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        before = clone(model).set_params(max_iter=model.n_iter_ - 2).fit(X, y)
    assert largest_gradient_entry(before, X, y) > tol


@ends_early
def test_gd_default_tol_is_under_5e_4():
    assert SoftmaxClassifier().tol < 5e-4
    assert TwoLayerNetClassifier().tol < 5e-4


@pytest.mark.parametrize("tol", [1e-2, 1e-4])
def test_net_lbfgs_stops_on_the_gradient(tol):
    X, y = scaled("wine")
    net = TwoLayerNetClassifier(
        4, 0.01, activation="tanh", solver="lbfgs", tol=tol, random_state=0
    ).fit(X, y)
    shapes = [W.shape for W in net.coefs_]
    gradient = tanh_objective(X, y, net.reg_, shapes)(flat(net))[1]
    assert abs(gradient).max() <= tol


# ---- validation


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(("tol", "n_iter_no_change"), [(1e-3, 3), (1e-2, 1), (1e-4, 5)])
@every_class
@first_order
def test_a_validation_set_stops_the_training(
    model_class, solver, early_stopping, tol, n_iter_no_change, schedule
):
    X, X_val, y, y_val = split()
    model = model_class(
        reg=1e-3,
        solver=solver,
        schedule=schedule,
        learning_rate=0.05,
        tol=tol,
        n_iter_no_change=n_iter_no_change,
        max_iter=2000,
        early_stopping=early_stopping,
        random_state=0,
    ).fit(X, y, X_val=X_val, y_val=y_val)
    assert model.n_iter_ < 2000
    expected = stalls_at(model.validation_loss_curve_, tol, n_iter_no_change)
    if solver != "gd" or expected == model.n_iter_:
        assert model.n_iter_ == expected


@every_class
def test_scaled_columns_are_not_to_be_scaled(model_class):
    X, y = scaled("wine")
    model = model_class(solver="gd", init=0.01, max_iter=5, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"Raise max_iter or tol\.$"):
        model.fit(X, y)
    with pytest.warns(ConvergenceWarning, match=r"common scale, as StandardScaler does\.$"):
        model.set_params(learning_rate=1e-4).fit(30 * X, y)


def test_a_loss_that_rises_again_is_told():
    X, y = make_moons(200, noise=0.2, random_state=0)
    model = TwoLayerNetClassifier(10, 1e-3, solver="gd", learning_rate=4.0, random_state=0)
    model.set_params(max_iter=100, tol=0)
    with pytest.warns(ConvergenceWarning, match=r"has risen to .* Lower learning_rate") as caught:
        model.fit(X, y)
    assert model.loss_curve_[-1] > 1.01 * min(model.loss_curve_)
    assert len(caught) == 1
