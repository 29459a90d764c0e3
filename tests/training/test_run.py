"""Runs of a stack: the best weights, nets that leave, and Ctrl-C."""

import signal
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from helpers import (
    assert_same_bits,
    ends_early,
    every_batch_solver,
    every_case,
    every_class,
    first_order,
    fit_with_convergence_warnings_alone,
    interrupt_kernels,
    is_finite,
    plain_objective,
    scaled,
    solvers_of,
    split,
    wine,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn._training.random_streams import RandomStreams
from sklearn_toynn._training.run import TrainingRun, train
from sklearn_toynn._training.stacks import with_scaled_columns

# ---- validation


@ends_early
@pytest.mark.parametrize("weighted", [False, True])
@every_class
def test_the_best_weights_are_returned(model_class, weighted):
    X, X_val, y, y_val = split()
    w = np.random.RandomState(0).uniform(0.2, 3, len(y_val)) if weighted else None
    for solver in solvers_of(model_class):
        model = model_class(solver=solver, reg=0.0, max_iter=40, random_state=0)
        model.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=w)
        curve = model.validation_loss_curve_
        assert len(curve) == len(model.loss_curve_) == model.n_iter_
        assert type(model.best_iter_) is int
        assert model.best_iter_ == np.argmin(curve)
        loss = log_loss(y_val, model.predict_proba(X_val), sample_weight=w)
        assert_allclose(loss, min(curve), rtol=1e-10)
        assert_allclose(model.loss_, plain_objective(model, X, y), rtol=1e-10)


def test_best_weights_are_those_of_a_fit_that_ends_there():
    X, X_val, y, y_val = split()
    y = np.where(np.arange(len(y)) % 5, y, 0)  # wrong labels, which the net learns in the end
    model = TwoLayerNetClassifier(
        20,
        0.0,
        schedule="constant",
        learning_rate=0.02,
        batch_size=20,
        max_iter=500,
        n_iter_no_change=20,
        random_state=0,
    ).fit(X, y, X_val=X_val, y_val=y_val)
    assert 0 < model.best_iter_ < model.n_iter_ - 1
    shorter = clone(model).set_params(max_iter=model.best_iter_ + 1)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        shorter.fit(X, y)
    assert_same_bits(model, shorter)


# ---- a stack of nets


def train_stack(models, X, y, X_val=None, y_val=None):
    """Train all together, as each one's `fit` trains it alone."""
    streams = [RandomStreams(model.random_state) for model in models]
    problem = clone(models[0])._validate(
        (X, y, None),
        validation_data=(X_val, y_val, None),
        split_streams=streams[0] if models[0].early_stopping else None,
    )
    states = [
        state
        for model, stream in zip(models, streams, strict=True)
        for state in model._start(problem, stream)
    ]
    options = [model._resolve_options(problem) for model in models]
    samples, validation = problem.samples, problem.validation
    if options[0].scales_columns:
        samples, validation = with_scaled_columns(samples, validation)
    run = TrainingRun.from_nets(options, states, samples, validation)
    results, interrupt = train(run)
    assert interrupt is None
    return problem, results


def assert_stack_equals_nets(models, X, y, X_val=None, y_val=None):
    """Return the nets' numbers of iterations."""
    problem, outcomes = train_stack(models, X, y, X_val, y_val)
    for model, outcome in zip(models, outcomes, strict=True):
        together = clone(model)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            alone = clone(model).fit(X, y, X_val=X_val, y_val=y_val)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            together._set_fitted(problem, [outcome], ([], [], []), keeps_memory=False)
        assert_same_bits(together, alone)
        assert together.loss_ == alone.loss_
        assert together.n_iter_ == alone.n_iter_
        assert_array_equal(together.loss_curve_, alone.loss_curve_)
        if X_val is not None or model.early_stopping:
            assert_array_equal(together.validation_loss_curve_, alone.validation_loss_curve_)
            assert together.best_iter_ == alone.best_iter_
        assert [str(w.message) for w in caught] == ([outcome.warning] if outcome.warning else [])
    return [outcome.n_iter for outcome in outcomes]


COEFFICIENTS = [
    {"reg": 1e-3, "learning_rate": 0.05, "momentum": 0.9},
    {"reg": 1e-1, "learning_rate": 0.01, "momentum": 0.5},
    {"reg": 0.0, "learning_rate": 0.2, "momentum": 0.0},
    {"reg": 1.0, "learning_rate": 0.002, "momentum": 0.9, "init": "lecun"},
    {"reg": 1e-5, "learning_rate": 0.03, "momentum": 0.99, "init": 0.3},
]


def stack_of(model_class, **kwargs):
    return [model_class(**{"random_state": 0, **kwargs, **each}) for each in COEFFICIENTS]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("schedule", ["auto", "inverse", lambda p: 1 - p**2])
@every_class
@first_order
def test_a_stack_has_the_bits_of_its_nets(model_class, solver, schedule, dtype):
    X, y = scaled("wine")
    models = stack_of(
        model_class, solver=solver, schedule=schedule, batch_size=50, max_iter=15, tol=0
    )
    assert_stack_equals_nets(models, X.astype(dtype), y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("schedule", ["constant", "plateau"])
@every_class
@every_batch_solver
def test_nets_leave_a_stack_when_their_loss_stands_still(model_class, solver, schedule, dtype):
    X, y = scaled("wine")
    models = stack_of(
        model_class,
        solver=solver,
        schedule=schedule,
        batch_size=50,
        max_iter=80,
        tol=1e-2,
        n_iter_no_change=4,
    )
    n_iters = assert_stack_equals_nets(models, X.astype(dtype), y)
    assert len(set(n_iters)) > 2


@every_class
def test_nets_leave_a_stack_when_their_gradient_is_small(model_class):
    models = stack_of(model_class, solver="gd", max_iter=2000, tol=0.03)
    n_iters = assert_stack_equals_nets(models, *scaled("wine"))
    assert len(set(n_iters)) > 2


@pytest.mark.parametrize("own_split", [False, True])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "plateau"])
@every_class
@first_order
def test_nets_leave_a_stack_by_their_validation_loss(model_class, solver, schedule, own_split):
    X, X_val, y, y_val = split()
    models = stack_of(
        model_class,
        solver=solver,
        schedule=schedule,
        batch_size=50,
        max_iter=100,
        tol=1e-3,
        n_iter_no_change=3,
        early_stopping=own_split,
    )
    validation = () if own_split else (X_val, y_val)
    n_iters = assert_stack_equals_nets(models, X, y, *validation)
    assert len(set(n_iters)) > 1


@every_class
@first_order
def test_a_net_that_diverges_leaves_the_others_alone(model_class, solver):
    models = stack_of(model_class, solver=solver, max_iter=30, batch_size=50)
    models[1].set_params(learning_rate=1e6)
    models[3].set_params(learning_rate=1e300)
    assert_stack_equals_nets(models, *scaled("wine"))


@pytest.mark.parametrize("n_nets", [1, 2, 33])
@pytest.mark.parametrize("hidden_size", [1, 2, 17])
def test_stacks_of_any_size(n_nets, hidden_size):
    X, y = scaled("iris")
    models = [
        TwoLayerNetClassifier(
            hidden_size, 10.0**-i, batch_size=32, max_iter=3, activation="tanh", random_state=0
        )
        for i in range(n_nets)
    ]
    assert_stack_equals_nets(models, X[::2], y[::2])


# ---- Ctrl-C


CHILD = """
import sys
import numpy as np
from sklearn.datasets import make_classification
from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

X, y = make_classification(60_000, 50, n_informative=20, n_classes=8, random_state=0)
X /= X.std(axis=0)
model_class, solvers = eval(sys.argv[1]), sys.argv[2].split(",")
for solver in solvers:
    for validation in ({}, {"X_val": X[:1000], "y_val": y[:1000]}):
        model = model_class(solver=solver, max_iter=100_000, tol=0, n_iter_no_change=100_000,
                            reg=0.0, verbose=1, random_state=0)
        try:
            model.fit(X, y, **validation)
            print("finished: fit ended before the signal came")
        except KeyboardInterrupt:
            arrays = ([model.coef_, model.intercept_] if model_class is SoftmaxClassifier
                      else model.coefs_ + model.intercepts_)
            assert all(np.isfinite(a).all() for a in arrays), "weights are not finite"
            assert np.isfinite(model.loss_), model.loss_
            assert 0 < model.n_iter_ == len(model.loss_curve_), model.n_iter_
            if validation:
                assert model.best_iter_ == np.argmin(model.validation_loss_curve_)
            assert model.predict(X).shape == y.shape
            print("caught", flush=True)
"""


@every_class
def test_ctrl_c_leaves_a_fitted_estimator(model_class):
    solvers = solvers_of(model_class)
    child = subprocess.Popen(
        [
            sys.executable,
            "-u",
            "-c",
            textwrap.dedent(CHILD),
            model_class.__name__,
            ",".join(solvers),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        n_caught, waiting = 0, True
        for line in child.stdout:
            if waiting and line.startswith("iteration 2"):
                child.send_signal(signal.SIGINT)
                waiting = False  # one signal per fit
            elif line.startswith(("caught", "finished")):
                assert line.strip() == "caught"
                n_caught, waiting = n_caught + 1, True
        assert child.wait(60) == 0, child.stderr.read()
        assert n_caught == 2 * len(solvers)
    finally:
        child.kill()
        child.communicate()


@every_case
def test_ctrl_c_at_any_moment_of_training(model_class, solver, monkeypatch):
    # raised where a signal may land as well: in a call that training makes of its schedule or net
    X, y = wine()
    for moment in (0, 1, 2, 5, 9):
        model = model_class(
            reg=1e-3, solver=solver, max_iter=20, tol=0, batch_size=60, random_state=0
        )
        interrupt_kernels(monkeypatch, moment)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, y, X_val=X, y_val=y)
        monkeypatch.undo()
        assert is_finite(model)
        assert len(model.loss_curve_) == len(model.validation_loss_curve_) == model.n_iter_
        assert model.predict(X).shape == y.shape


@pytest.mark.parametrize("moment", [0, 1])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_ctrl_c_in_partial_fit(solver, moment, monkeypatch):
    X, y = wine()
    model = TwoLayerNetClassifier(solver=solver, random_state=0)
    model.partial_fit(X, y, classes=[0, 1, 2])
    model.set_params(batch_size=20)
    interrupt_kernels(monkeypatch, moment)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, y)
    monkeypatch.undo()
    assert is_finite(model)
    model.partial_fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()


@every_case
def test_fitting_again_after_ctrl_c(model_class, solver, monkeypatch):
    # nothing of the interrupted fit lives on
    X, y = load_digits(return_X_y=True)
    X, y = X[:300], y[:300]
    model = model_class(solver=solver, max_iter=3, random_state=0)
    expected = clone(model)
    fit_with_convergence_warnings_alone(expected, X, y)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingRun, "record", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    monkeypatch.undo()
    fit_with_convergence_warnings_alone(model, X, y)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
