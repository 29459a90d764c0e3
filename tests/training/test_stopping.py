"""When training ends, why, and the warnings about a bad end."""

import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import (
    BATCH_SOLVERS,
    LINEAR_SOLVERS,
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
from sklearn.datasets import load_digits, load_iris, load_wine, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler, scale

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._training.schedules import SCHEDULES
from sklearn_toynn._training.solvers import SOLVERS
from sklearn_toynn._training.stopping import STOP_REASONS, StoppingPolicy

FIRST_ORDER = ["gd", *BATCH_SOLVERS]

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
    with pytest.warns(ConvergenceWarning, match=r", as StandardScaler does\.$"):
        model.set_params(learning_rate=1e-4).fit(30 * X, y)


def test_a_loss_that_rises_again_is_told():
    X, y = make_moons(200, noise=0.2, random_state=0)
    model = TwoLayerNetClassifier(10, 1e-3, solver="gd", learning_rate=4.0, random_state=0)
    model.set_params(max_iter=100, tol=0)
    with pytest.warns(ConvergenceWarning, match=r"has risen to .* Lower learning_rate") as caught:
        model.fit(X, y)
    assert model.loss_curve_[-1] > 1.01 * min(model.loss_curve_)
    assert len(caught) == 1


# ---- reasons


X, y = load_iris(return_X_y=True)


def net(**params):
    return TwoLayerNetClassifier(**{"hidden_size": 5, "random_state": 0, **params})


def softmax(**params):
    return SoftmaxClassifier(random_state=0, **params)


MODELS = [
    *(pytest.param(net, solver, id=f"net-{solver}") for solver in SOLVERS),
    *(pytest.param(softmax, solver, id=f"softmax-{solver}") for solver in SOLVERS),
    *(pytest.param(softmax, solver, id=f"softmax-{solver}") for solver in LINEAR_SOLVERS),
]


def make_policy(**kwargs):
    defaults = {
        "schedule": SCHEDULES["constant"],
        "tol": 0.1,
        "n_iter_no_change": 3,
        "max_iter": 20,
        "stall_reason": "validation",
        "limit_reason": "max_iter",
        "watches_gradient": True,
        "max_iter_is_intended": False,
    }
    return StoppingPolicy(**(defaults | kwargs))


@pytest.mark.parametrize(("is_finite", "n_stalled", "largest", "asks", "n_iter", "expected"), [
    (True, 0, 1.0, False, 5, None),
    (False, 9, 0.0, True, 20, "diverged"),
    (True, 3, 0.0, True, 20, "validation"),
    (True, 2, 0.1, True, 20, "tol"),
    (True, 2, 0.2, True, 20, "callback"),
    (True, 2, None, False, 20, "max_iter"),
    (True, 2, 0.2, False, 20, "max_iter"),
    (True, 2, 0.2, False, 19, None),
])  # fmt: skip
def test_the_first_reason_that_holds(is_finite, n_stalled, largest, asks, n_iter, expected):
    reason = make_policy().find_reason(
        is_finite=is_finite,
        n_stalled=n_stalled,
        largest_gradient_entry=largest,
        callback_asks=asks,
        n_iter=n_iter,
    )
    assert reason == expected


BATCHES = {"stops_on_loss": True, "stops_on_gradient": False, "runs_all": True}
DESCENT = {"stops_on_loss": False, "stops_on_gradient": True, "runs_all": True}
LBFGS = {"stops_on_loss": False, "stops_on_gradient": True, "runs_all": False}


@pytest.mark.parametrize(("solver", "schedule", "tol", "one_pass", "validates", "expected"), [
    (BATCHES, "constant", 0.1, False, False, ("tol", "max_iter", False)),
    (BATCHES, "constant", 0, False, False, (None, "max_iter", False)),
    (BATCHES, "constant", 0, False, True, ("validation", "max_iter", False)),
    (BATCHES, "cosine", 0.1, False, False, (None, "schedule", False)),
    (BATCHES, "cosine", 0.1, False, True, ("validation", "schedule", False)),
    (BATCHES, "constant", 0.1, True, False, (None, "partial_fit", False)),
    (DESCENT, "constant", 0.1, False, False, (None, "max_iter", True)),
    (DESCENT, "constant", 0, False, False, (None, "max_iter", False)),
    (DESCENT, "constant", 0, False, True, ("validation", "max_iter", True)),
    (LBFGS, "constant", 0, False, False, (None, "max_iter", True)),
])  # fmt: skip
def test_the_policy_of_a_training(solver, schedule, tol, one_pass, validates, expected):
    options = SimpleNamespace(tol=tol, n_iter_no_change=3, max_iter=20, is_one_pass=one_pass)
    policy = StoppingPolicy.make(options, SCHEDULES[schedule], validates=validates, **solver)
    assert (policy.stall_reason, policy.limit_reason, policy.watches_gradient) == expected
    assert policy.max_iter_is_intended == (tol == 0)


@ends_early
@pytest.mark.parametrize("schedule", ["auto", *SCHEDULES])
@pytest.mark.parametrize(("make", "solver"), MODELS)
def test_at_max_iter(make, solver, schedule):
    model = make(solver=solver, tol=0, schedule=schedule, max_iter=2).fit(X, y)
    assert model.n_iter_ == 2
    ends = schedule == "cosine" or (schedule == "auto" and solver in BATCH_SOLVERS)
    follows = solver in FIRST_ORDER
    assert model.stop_reason_ == ("schedule" if ends and follows else "max_iter")


def test_precision():
    model = net(solver="lbfgs", tol=0, max_iter=10_000, activation="tanh", reg=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X.astype(np.float32), y)
    assert model.n_iter_ < 10_000
    assert model.stop_reason_ == "precision"


@pytest.mark.parametrize("solver", LINEAR_SOLVERS)
def test_precision_of_float32_weights_far_from_zero(solver):
    model = softmax(solver=solver, reg=1e-6)
    with pytest.warns(ConvergenceWarning, match="float64"):
        model.fit((X + 1e6).astype(np.float32), y)
    assert model.gap_ > 1e-5
    assert model.stop_reason_ == "precision"


@pytest.mark.parametrize("solver", BATCH_SOLVERS)
@pytest.mark.parametrize("make", [net, softmax])
def test_partial_fit(make, solver):
    model = make(solver=solver)
    model.partial_fit(X, y, classes=[0, 1, 2])
    assert model.stop_reason_ == "partial_fit"
    assert model.fit(X, y).stop_reason_ == "schedule"
    assert model.partial_fit(X, y).stop_reason_ == "partial_fit"


@pytest.mark.parametrize("n_more", [0, 5])  # with none, the first net ends by both at once
def test_each_net_has_its_own(n_more):
    params = {"reg": 1e-3, "solver": "gd", "tol": 0.02, "activation": "tanh", "random_state": 7}
    alone = net(**params, max_iter=1000).fit(X, y)
    model = net(**params, max_iter=alone.n_iter_ + n_more, n_nets=4)
    with pytest.warns(ConvergenceWarning, match="of 4 nets") as caught:
        model.fit(X, y)
    assert model.stop_reason_.shape == (4,)
    assert set(model.stop_reason_) == {"tol", "max_iter"}
    assert model.stop_reason_[0] == alone.stop_reason_ == "tol"
    (largest,) = re.findall("gradient was ([0-9.]+), above", str(caught[0].message))
    assert 0.02 < float(largest) < 0.1


@pytest.mark.parametrize("reason", STOP_REASONS)
@pytest.mark.parametrize("model_class", [SoftmaxClassifier, TwoLayerNetClassifier])
def test_the_reasons_are_documented(model_class, reason):
    _, attribute = model_class.__doc__.split("stop_reason_ :")
    assert f'"{reason}"' in attribute.split("loss_curve_ :")[0]


# ---- a loss above that of zero weights, and the end of L-BFGS


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("model", [TwoLayerNetClassifier(5), SoftmaxClassifier()])
def test_a_loss_above_weights_of_zero(solver, model):
    X, y = load_wine(return_X_y=True)
    model = clone(model).set_params(solver=solver, max_iter=1, init=3.0, random_state=0)
    if solver == "lbfgs":
        model = TwoLayerNetClassifier(5, 10.0, init=3.0, solver=solver, max_iter=1)
    with pytest.warns(ConvergenceWarning, match=r"worse .* \(1\.09861\)\. Lower reg"):
        model.fit(StandardScaler().fit_transform(X), y)
    assert model.loss_ > np.log(3)


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_large_penalty_is_named_first(solver, schedule):
    X, y = load_wine(return_X_y=True)
    reg = 1e300 if solver == "lbfgs" else 1e10
    net = TwoLayerNetClassifier(5, reg, solver=solver, schedule=schedule, random_state=0)
    with pytest.warns(ConvergenceWarning, match="equal probabilities") as caught:
        net.fit(StandardScaler().fit_transform(X), y)
    (warning,) = caught
    advice = re.search("(Lower|Raise|raise) .*", str(warning.message))[0]
    assert advice.startswith(f"Lower reg (now {reg:.3g})")
    assert ("learning_rate" in advice) == (solver != "lbfgs")


def test_no_penalty_is_not_to_be_lowered():
    X, y = load_wine(return_X_y=True)
    net = TwoLayerNetClassifier(5, 0, init=30.0, solver="lbfgs", max_iter=1, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"probabilities \(1\.09861\)\. Raise max_iter"):
        net.fit(StandardScaler().fit_transform(X), y)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_one_pass_is_not_judged(solver):
    X, y = load_wine(return_X_y=True)
    net = TwoLayerNetClassifier(5, init=3.0, learning_rate=1e-6, solver=solver)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.partial_fit(StandardScaler().fit_transform(X), y, classes=[0, 1, 2])
    assert net.loss_ > np.log(3)


def test_lbfgs_that_stops_by_itself():
    X, y = load_iris(return_X_y=True)
    net = TwoLayerNetClassifier(20, 1e-3, solver="lbfgs", random_state=0)
    with pytest.warns(
        ConvergenceWarning, match=r"L-BFGS-B stopped .* 'CONVERGENCE.* largest .* was 0\.0"
    ):
        net.fit(X.astype(np.float32), y)


def test_lbfgs_at_the_rounding_of_its_loss():
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    net = TwoLayerNetClassifier(5, activation="tanh", solver="lbfgs", tol=0, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert net.fit(X, y).n_iter_ < 1000
