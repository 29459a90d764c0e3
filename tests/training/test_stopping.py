"""Stopping rules, stop reasons and warnings."""

import re

import numpy as np
import pytest
from helpers import (
    BATCH_SOLVERS,
    LINEAR_SOLVERS,
    ends_early,
    every_batch_solver,
    every_class,
    first_order,
    scaled,
    split,
)
from kernel_cases import reference_of
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._training import solvers
from sklearn_toynn._training.schedules import SCHEDULES
from sklearn_toynn._training.solvers import SOLVERS
from sklearn_toynn._training.stopping import STOP_REASONS, StoppingPolicy, describe_large_loss

X, y = scaled("wine")
X_iris, y_iris = load_iris(return_X_y=True)

# ---- stopping rules


def stalls_at(curve, tol, n_iter_no_change):
    """Return the first iteration after so many without an improvement by `tol`."""
    best, n_stalled = np.inf, 0
    for n_iter, loss in enumerate(curve, start=1):
        n_stalled = 0 if loss < best - tol else n_stalled + 1
        best = min(best, loss)
        if n_stalled == n_iter_no_change:
            return n_iter
    return None


@every_class
@every_batch_solver
@pytest.mark.parametrize(
    ("schedule", "tol", "n_iter_no_change"),
    [("constant", 1e-2, 3), ("plateau", 1e-3, 10), (lambda p: 1 - p, 0.5, 1)],
)
def test_batches_stop_when_the_loss_stalls(model_class, solver, schedule, tol, n_iter_no_change):
    model = model_class(solver=solver, schedule=schedule, tol=tol, max_iter=1000, random_state=0)
    model.set_params(n_iter_no_change=n_iter_no_change).fit(X, y)
    assert model.n_iter_ < 1000
    assert model.n_iter_ == stalls_at(model.loss_curve_, tol, n_iter_no_change)


@every_class
@every_batch_solver
def test_cosine_runs_to_max_iter_without_a_warning(model_class, solver):
    X, y = scaled("iris")
    model = model_class(solver=solver, tol=1.0, n_iter_no_change=1, max_iter=133, random_state=0)
    assert model.fit(X, y).n_iter_ == 133
    # also from a start at the minimum, where the loss cannot improve
    model.set_params(warm_start=True)
    assert model.fit(X, y).fit(X, y).n_iter_ == 133
    assert len(model.loss_curve_) == 3 * 133


@pytest.mark.parametrize(
    ("model_class", "solver"),
    [(SoftmaxClassifier, "gd"), (TwoLayerNetClassifier, "sgd"), (TwoLayerNetClassifier, "adam")],
)
@pytest.mark.parametrize("schedule", [*SCHEDULES, lambda p: 1 - p])
def test_tol_of_zero_runs_all_iterations(model_class, solver, schedule):
    # constant loss, zero gradient
    X, y = np.zeros((6, 2)), [0, 1, 2] * 2
    model = model_class(reg=0, solver=solver, schedule=schedule, max_iter=40, random_state=0)
    model.set_params(tol=0, n_iter_no_change=1)
    assert model.fit(X, y).n_iter_ == 40
    assert model.stop_reason_ == ("schedule" if schedule == "cosine" else "max_iter")
    model.fit(X, y, X_val=X, y_val=y)
    assert model.n_iter_ < 40


def largest_gradient_entry(model, X, y):
    parameters, reference = reference_of(model, X, y)
    return np.abs(reference.value_and_gradient(parameters)[1]).max()


@pytest.mark.parametrize("tol", [1e-2, 1e-4])
@pytest.mark.parametrize("solver", ["gd", "lbfgs"])
def test_a_small_gradient_stops_the_training(solver, tol):
    model = TwoLayerNetClassifier(4, 0.05, activation="tanh", solver=solver, random_state=0)
    model.set_params(tol=tol, max_iter=5000, learning_rate=0.5).fit(X, y)
    assert 1 < model.n_iter_ < 5000
    assert largest_gradient_entry(model, X, y) <= tol
    # two iterations before, the gradient was larger
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        before = clone(model).set_params(max_iter=model.n_iter_ - 2).fit(X, y)
    assert largest_gradient_entry(before, X, y) > tol


@pytest.mark.parametrize(
    ("schedule", "early_stopping", "tol", "n_iter_no_change"),
    [("constant", False, 1e-3, 3), ("cosine", True, 1e-2, 1), ("cosine", False, 1e-4, 5)],
)
@every_class
@first_order
def test_a_validation_set_stops_the_training(
    model_class, solver, schedule, early_stopping, tol, n_iter_no_change
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
    if model.stop_reason_ == "validation":
        assert model.n_iter_ == expected
    else:  # the gradient may become small before
        assert (solver, model.stop_reason_, expected) == ("gd", "tol", None)


# ---- reasons


def test_the_first_of_several_reasons_is_reported():
    policy = StoppingPolicy(
        schedule=SCHEDULES["constant"],
        tol=0.1,
        n_iter_no_change=3,
        max_iter=20,
        stall_reason="validation",
        limit_reason="max_iter",
        watches_gradient=True,
        max_iter_is_intended=False,
    )
    state = {
        "is_finite": False,
        "n_stalled": 3,
        "largest_gradient_entry": 0.1,
        "callback_asks": True,
        "n_iter": 20,
    }
    # without the first reason, the next one is reported
    for name, value, reason in [
        ("is_finite", True, "diverged"),
        ("n_stalled", 2, "validation"),
        ("largest_gradient_entry", 0.11, "tol"),
        ("callback_asks", False, "callback"),
        ("n_iter", 19, "max_iter"),
    ]:
        assert policy.find_reason(**state) == reason
        state[name] = value
    assert policy.find_reason(**state) is None


@ends_early
@pytest.mark.parametrize("schedule", ["auto", "cosine"])
@pytest.mark.parametrize(
    ("model_class", "solver"),
    [(TwoLayerNetClassifier, solver) for solver in SOLVERS]
    + [(SoftmaxClassifier, solver) for solver in [*LINEAR_SOLVERS, "gd", "adam"]],
)
def test_the_reason_at_max_iter_is_the_schedule_or_max_iter(model_class, solver, schedule):
    model = model_class(solver=solver, tol=0, schedule=schedule, max_iter=2, random_state=0)
    assert model.fit(X, y).n_iter_ == 2
    ends = solver in BATCH_SOLVERS or (schedule == "cosine" and solver == "gd")
    assert model.stop_reason_ == ("schedule" if ends else "max_iter")


@ends_early
def test_lbfgs_stops_at_the_precision_of_float32():
    model = TwoLayerNetClassifier(5, 0.1, activation="tanh", solver="lbfgs", random_state=0)
    model.set_params(tol=0, max_iter=10_000).fit(X_iris.astype(np.float32), y_iris)
    assert model.n_iter_ < 10_000
    assert model.stop_reason_ == "precision"


@pytest.mark.parametrize("solver", LINEAR_SOLVERS)
def test_linear_solvers_stop_at_the_precision_of_float32(solver):
    model = SoftmaxClassifier(solver=solver, reg=1e-6)
    with pytest.warns(ConvergenceWarning, match="float64"):
        model.fit((X_iris + 1e6).astype(np.float32), y_iris)
    assert model.gap_ > 1e-5
    assert model.stop_reason_ == "precision"


@every_class
def test_partial_fit_has_its_own_reason(model_class):
    model = model_class(solver="adam", random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    assert model.stop_reason_ == "partial_fit"
    assert model.fit(X, y).stop_reason_ == "schedule"
    assert model.partial_fit(X, y).stop_reason_ == "partial_fit"


@pytest.mark.parametrize("n_more", [0, 5])  # with 0, both reasons hold for the first net
def test_each_net_has_its_own_reason(n_more):
    model = TwoLayerNetClassifier(5, 1e-3, solver="gd", activation="tanh", random_state=7)
    alone = model.set_params(tol=0.02, max_iter=1000).fit(X_iris, y_iris)
    assert alone.stop_reason_ == "tol"
    model = clone(alone).set_params(max_iter=alone.n_iter_ + n_more, n_nets=4)
    with pytest.warns(ConvergenceWarning, match="of 4 nets") as caught:
        model.fit(X_iris, y_iris)
    assert model.stop_reason_.shape == (4,)
    assert set(model.stop_reason_) == {"tol", "max_iter"}
    assert model.stop_reason_[0] == "tol"
    (largest,) = re.findall("gradient was ([0-9.]+), above", str(caught[0].message))
    assert 0.02 < float(largest) < 0.1


@every_class
def test_reasons_are_documented(model_class):
    _, attribute = model_class.__doc__.split("stop_reason_ :")
    for reason in STOP_REASONS:
        assert f'"{reason}"' in attribute.split("loss_curve_ :")[0]


# ---- warnings


@pytest.mark.parametrize(
    ("load", "transform"),
    [
        (load_iris, scale),
        (load_wine, np.asarray),
        (load_breast_cancer, np.asarray),
        (load_digits, scale),
    ],
)
@pytest.mark.parametrize(
    "model_class", [SoftmaxClassifier, TwoLayerNetClassifier, MultiLayerNetClassifier]
)
def test_defaults_do_not_warn(model_class, load, transform):
    X, y = load(return_X_y=True)
    for solver in BATCH_SOLVERS:
        model_class(solver=solver, random_state=0).fit(transform(X), y)


@pytest.mark.parametrize("max_iter", [2, 30])
@every_batch_solver
def test_cosine_warns_that_the_loss_still_falls(solver, max_iter):
    X, y = X_iris, y_iris
    model = TwoLayerNetClassifier(8, solver=solver, max_iter=max_iter, random_state=0)
    with pytest.warns(ConvergenceWarning, match=f"still falling .*max_iter .now {max_iter}"):
        model.set_params(learning_rate=0.01).fit(X, y)
    assert model.score(X, y) < 0.7
    if max_iter == 30:
        assert model.loss_ < np.log(3)  # no other warning is raised
        model.set_params(tol=0).fit(X, y)
        model.set_params(tol=1e-5).fit(X, y, X_val=X, y_val=y)


@every_class
def test_advice_to_scale_is_only_given_for_unscaled_columns(model_class):
    model = model_class(solver="gd", init=0.01, max_iter=5, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"Raise max_iter or tol\.$"):
        model.fit(X, y)
    with pytest.warns(ConvergenceWarning, match=r", as StandardScaler does\.$"):
        model.set_params(learning_rate=1e-4).fit(30 * X, y)


def test_a_loss_that_has_risen_gives_a_warning():
    X, y = make_moons(200, noise=0.2, random_state=0)
    model = TwoLayerNetClassifier(10, 1e-3, solver="gd", learning_rate=4.0, random_state=0)
    model.set_params(max_iter=100, tol=0)
    with pytest.warns(ConvergenceWarning, match=r"has risen to .* Lower learning_rate") as caught:
        model.fit(X, y)
    assert model.loss_curve_[-1] > 1.01 * min(model.loss_curve_)
    assert len(caught) == 1


@pytest.mark.parametrize("reg", [0.0, 1e10])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_loss_above_the_loss_of_zero_weights_gives_a_warning(solver, reg):
    # the minimum with a large penalty is just below log(3), and training ends just above it
    assert describe_large_loss(1.0001 * np.log(3), 3, 1.0, has_learning_rate=True) is None
    assert describe_large_loss(1.01 * np.log(3), 3, 1.0, has_learning_rate=True) is not None
    reg = 1e300 if reg and solver == "lbfgs" else reg
    net = TwoLayerNetClassifier(5, reg, solver=solver, init=30.0, random_state=0)
    net.set_params(max_iter=1 if reg == 0 else "auto", learning_rate=1e-9 if reg == 0 else "auto")
    with pytest.warns(ConvergenceWarning, match=r"higher .* \(1\.09861\)") as caught:
        net.fit(X, y)
    assert net.loss_ > np.log(3)
    advice = re.search(r"\(1\.09861\)\. (.*)", str(caught[0].message))[1]
    assert (f"ower reg (now {reg:.3g})" in advice) == (reg > 0)
    assert advice.startswith("Raise max_iter") == (net.stop_reason_ != "diverged")
    assert ("learning_rate" in advice) == (solver != "lbfgs")


def test_a_large_loss_of_weights_that_a_validation_set_chose_gives_no_warning():
    net = TwoLayerNetClassifier(
        5, 1e-3, solver="gd", init=30.0, tol=0, max_iter=50, random_state=0
    )
    net.fit(X, y, X_val=X[:1], y_val=y[:1])
    assert net.loss_ > 1.01 * np.log(3) > min(net.validation_loss_curve_)
    with pytest.warns(ConvergenceWarning, match="higher than with all weights at 0"):
        net.fit(X, y, X_val=X[::2], y_val=np.roll(y[::2], 1))
    assert min(net.validation_loss_curve_) > 1.01 * np.log(3)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_does_not_warn_about_a_large_loss(solver):
    net = TwoLayerNetClassifier(5, init=3.0, learning_rate=1e-6, solver=solver)
    net.partial_fit(X, y, classes=[0, 1, 2])
    assert net.loss_ > np.log(3)


def test_lbfgs_that_stops_at_a_large_gradient_gives_a_warning():
    net = TwoLayerNetClassifier(20, 1e-3, solver="lbfgs", random_state=0)
    message = r"L-BFGS-B stopped .* 'CONVERGENCE.* largest .* was 0\.0"
    with pytest.warns(ConvergenceWarning, match=message):
        net.fit(X_iris.astype(np.float32), y_iris)


def test_lbfgs_that_stops_at_the_rounding_of_the_loss_does_not_warn():
    net = TwoLayerNetClassifier(5, activation="tanh", solver="lbfgs", tol=0, random_state=0)
    assert net.fit(X, y).n_iter_ < 1000


@pytest.mark.parametrize("sizes", [*range(1, 18), 100, (5, 7), (16, 9)], ids=str)
def test_a_small_gradient_stops_training_within_a_call(sizes, monkeypatch):
    X, y = scaled("iris")
    net = MultiLayerNetClassifier(sizes, reg=0.3, solver="gd", tol=0.02, random_state=0)
    stops = []
    for seconds in (0, 60):  # one epoch per call, and all
        monkeypatch.setattr(solvers, "CALL_SECONDS", seconds)
        net.fit(X, y)
        stops.append((net.stop_reason_, net.n_iter_))
    assert stops[0] == stops[1]
    assert stops[0][0] == "tol"
