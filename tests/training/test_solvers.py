"""Solvers, compared with plain loops, MLPClassifier and independent minima."""

import numpy as np
import pytest
from helpers import (
    BATCH_UPDATES,
    ends_early,
    glorot_uniform,
    scaled,
    solvers_of,
)
from kernel_cases import reference_of, train_by_plain_loop
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

# ---- mini-batches


@ends_early
@pytest.mark.parametrize("algorithm", ["adam", "sgd"])
def test_one_batch_per_epoch_gives_the_steps_of_mlp_classifier(algorithm, monkeypatch):
    X, y = scaled("wine")
    n, n_epochs, alpha = len(y), 60, 0.5

    def same_start(self, fan_in, fan_out, dtype):
        return glorot_uniform(None, fan_in, fan_out), np.zeros(fan_out)

    monkeypatch.setattr(MLPClassifier, "_init_coef", same_start)
    params = {
        "solver": algorithm,
        "batch_size": n,
        "momentum": 0.8,
        "max_iter": n_epochs,
        "tol": 0,
        "n_iter_no_change": n_epochs,
        "shuffle": False,
    }
    mlp = MLPClassifier((9,), alpha=alpha, learning_rate_init=0.02, beta_2=0.95, **params)
    mlp.fit(X, y)
    net = TwoLayerNetClassifier(
        9, alpha / n, learning_rate=0.02, schedule="constant", init=glorot_uniform, **params
    ).fit(X, y)
    assert_allclose(net.loss_curve_, mlp.loss_curve_, rtol=1e-7)
    assert_allclose(net.predict_proba(X), mlp.predict_proba(X), rtol=1e-5, atol=1e-9)


SCHEDULE_FORMULAS = {"constant": np.ones_like, "cosine": lambda p: (1 + np.cos(np.pi * p)) / 2}


@ends_early
@pytest.mark.parametrize(
    ("batch_size", "is_weighted", "schedule"),
    [(1, True, "constant"), (32, True, "cosine"), (178, False, "cosine")],
)
@pytest.mark.parametrize("solver", BATCH_UPDATES)
def test_batches_follow_a_plain_loop(solver, is_weighted, batch_size, schedule):
    X, y = scaled("wine")
    y = np.random.RandomState(0).permutation(y)  # batches of several classes
    w = np.random.RandomState(1).uniform(0.2, 3, len(y)) if is_weighted else np.ones(len(y))
    n_epochs = 1 if batch_size == 1 else 6
    net = TwoLayerNetClassifier(
        6,
        0.01,
        solver=solver,
        learning_rate=0.003,
        schedule=schedule,
        momentum=0.7,
        batch_size=batch_size,
        max_iter=n_epochs,
        tol=0,
        init=glorot_uniform,
        shuffle=False,
    ).fit(X, y, sample_weight=w)
    starts = np.arange(0, len(y), batch_size) / len(y)
    progress = (np.arange(n_epochs)[:, None] + starts) / n_epochs
    step_sizes = 0.003 * SCHEDULE_FORMULAS[schedule](progress)
    curve, expected = train_by_plain_loop(net, X, y, w, step_sizes, batch_size)
    assert_allclose(net.loss_curve_, curve, rtol=1e-9)
    assert_allclose(reference_of(net, X, y)[0], expected, rtol=1e-6, atol=1e-8)


# ---- minima

# the relative distance to the minimum; for sgd and adam it is the noise of batches
GAPS = {"gd": 1e-4, "sgd": 1e-3, "adam": 1e-3}


@pytest.mark.parametrize(
    ("model", "name", "solver"),
    [
        *((SoftmaxClassifier(0.01), "iris", solver) for solver in solvers_of(SoftmaxClassifier)),
        *((SoftmaxClassifier(0.05), "wine", solver) for solver in solvers_of(SoftmaxClassifier)),
        *(
            (TwoLayerNetClassifier(4, 0.03, activation="tanh"), "wine", solver)
            for solver in solvers_of(TwoLayerNetClassifier)
        ),
    ],
)
def test_every_solver_finds_the_minimum(model, name, solver):
    X, y = scaled(name)
    n_iter = {"gd": 5000, "sgd": 300, "adam": 300}.get(solver, 1000)
    rate = {"sgd": 0.1, "adam": 0.03}.get(solver, "auto")
    model = clone(model).set_params(solver=solver, max_iter=n_iter, learning_rate=rate)
    model.set_params(batch_size=32, random_state=0).fit(X, y)
    # another method finds no lower objective near these weights
    parameters, reference = reference_of(model, X, y)
    optimum = minimize(
        reference.value_and_gradient, parameters, jac=True, method="BFGS", options={"gtol": 1e-6}
    ).fun
    assert optimum * (1 - 1e-9) <= model.loss_ <= optimum * (1 + GAPS.get(solver, 1e-5))
