"""Solvers against plain loops, scikit-learn's MLPClassifier and independent minima."""

from functools import cache

import numpy as np
import pytest
from helpers import (
    BATCH_UPDATES,
    LINEAR_SOLVERS,
    ends_early,
    flat,
    glorot_uniform,
    scaled,
    solvers_of,
    tanh_objective,
)
from kernel_cases import train_by_plain_loop
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
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
    mlp = MLPClassifier((9,), alpha=alpha, learning_rate_init=0.02, **params).fit(X, y)
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
    curve, parameters = train_by_plain_loop(net, X, y, w, step_sizes, batch_size)
    assert_allclose(net.loss_curve_, curve, rtol=1e-9)
    assert_allclose(flat(net), parameters, rtol=1e-6, atol=1e-8)


# ---- independent minima


@cache
def optimum_of(name, reg):
    """The minimum of the softmax objective, by Newton's method with the whole Hessian."""
    X, y = scaled(name)
    n, K = len(y), y.max() + 1
    A = np.c_[X, np.ones(n)]
    penalty = np.tile(np.r_[np.full(X.shape[1], reg), 0], K)
    onehot = np.eye(K)[y]

    def value(theta):
        log_p = log_softmax(A @ theta.reshape(K, -1).T, axis=1)
        return -(onehot * log_p).sum() / n + (penalty * theta**2).sum() / 2, np.exp(log_p)

    theta = np.zeros(K * A.shape[1])
    loss, p = value(theta)
    for _ in range(100):
        gradient = ((p - onehot).T @ A / n).ravel() + penalty * theta
        if abs(gradient).max() < 1e-12:
            return loss
        blocks = [
            [(A * (p[:, [j]] * ((j == k) - p[:, [k]]))).T @ A / n for k in range(K)]
            for j in range(K)
        ]
        # the least-norm step, as the mean of the biases is free
        step = np.linalg.lstsq(np.block(blocks) + np.diag(penalty), -gradient, rcond=1e-12)[0]
        size = 1.0
        while value(theta + size * step)[0] > loss + 1e-4 * size * (gradient @ step) + 1e-15:
            size /= 2
        theta = theta + size * step
        loss, p = value(theta)
    raise AssertionError("Newton's method did not converge")


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("name", ["iris", "breast cancer"])
@pytest.mark.parametrize("solver", LINEAR_SOLVERS)
def test_the_linear_tol_bounds_the_distance_to_the_minimum(solver, name, tol):
    X, y = scaled(name)
    model = SoftmaxClassifier(0.01, solver=solver, tol=tol).fit(X, y)
    assert model.loss_ <= optimum_of(name, 0.01) * (1 + tol)


# the relative distance to the minimum; that of sgd and adam is the noise of their batches
GAPS = {"gd": 1e-4, "sgd": 1e-3, "adam": 1e-3}


@pytest.mark.parametrize(
    ("model", "name", "solver"),
    [
        *((SoftmaxClassifier(0.01), "iris", solver) for solver in solvers_of(SoftmaxClassifier)),
        *(
            (SoftmaxClassifier(0.1), "breast cancer", solver)
            for solver in solvers_of(SoftmaxClassifier)
        ),
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
    model = clone(model).set_params(
        solver=solver, max_iter=n_iter, learning_rate=rate, batch_size=32, random_state=0
    )
    model.fit(X, y)
    if isinstance(model, SoftmaxClassifier):
        optimum = optimum_of(name, model.reg)
    else:  # the minimum near these weights, by another method
        value = tanh_objective(X, y, model.reg, [W.shape for W in model.coefs_])
        optimum = minimize(value, flat(model), jac=True, method="BFGS").fun
    assert optimum * (1 - 1e-9) <= model.loss_ <= optimum * (1 + GAPS.get(solver, 1e-5))


def test_scikit_learn_agrees_on_the_minimum():
    X, y = scaled("iris")
    logistic = LogisticRegression(C=1 / (0.01 * len(y)), tol=1e-12, max_iter=10_000).fit(X, y)
    scores = logistic.decision_function(X)
    losses = -log_softmax(scores, axis=1)[np.arange(len(y)), y]
    expected = losses.mean() + 0.01 / 2 * (logistic.coef_**2).sum()
    assert optimum_of("iris", 0.01) == pytest.approx(expected, rel=1e-10)
