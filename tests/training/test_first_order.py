"""Solvers by gradients against plain loops."""

import numpy as np
import pytest
from helpers import BATCH_UPDATES, batch_loop, ends_early, glorot_uniform, parameters, scaled
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from sklearn_toynn import TwoLayerNetClassifier


@ends_early
@pytest.mark.parametrize("algorithm", ["adam", "sgd"])
@pytest.mark.parametrize("name", ["iris", "wine", "digits"])
def test_the_steps_of_mlp(name, algorithm, monkeypatch):
    X, y = load_digits(return_X_y=True) if name == "digits" else scaled(name)
    X = X / 16 if name == "digits" else X
    n, n_epochs, alpha = len(y), 60, 0.5

    def same_start(self, fan_in, fan_out, dtype):
        return glorot_uniform(None, fan_in, fan_out), np.zeros(fan_out)

    monkeypatch.setattr(MLPClassifier, "_init_coef", same_start)
    mlp = MLPClassifier(
        (9,),
        solver=algorithm,
        alpha=alpha,
        batch_size=n,
        learning_rate_init=0.02,
        momentum=0.8,
        max_iter=n_epochs,
        tol=0,
        n_iter_no_change=n_epochs,
        shuffle=False,
    ).fit(X, y)
    net = TwoLayerNetClassifier(
        9,
        reg=alpha / n,
        solver=algorithm,
        learning_rate=0.02,
        schedule="constant",
        momentum=0.8,
        batch_size=n,
        max_iter=n_epochs,
        tol=0,
        n_iter_no_change=n_epochs,
        init=glorot_uniform,
    ).fit(X, y)
    assert_allclose(net.loss_curve_, mlp.loss_curve_, rtol=1e-7)
    assert_allclose(net.predict_proba(X), mlp.predict_proba(X), rtol=1e-5, atol=1e-9)


SCHEDULE_FORMULAS = {"constant": lambda _: 1.0, "cosine": lambda p: (1 + np.cos(np.pi * p)) / 2}


@ends_early
@pytest.mark.parametrize("schedule", SCHEDULE_FORMULAS)
@pytest.mark.parametrize("batch_size", [1, 32, 178])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", BATCH_UPDATES)
def test_batches_follow_a_plain_loop(solver, weighted, batch_size, schedule):
    X, y = scaled("wine")
    y = np.random.RandomState(0).permutation(y)  # no two batches with one class alone
    w = np.random.RandomState(1).uniform(0.2, 3, len(y)) if weighted else np.ones(len(y))
    curve, layers = batch_loop(
        X,
        y,
        w,
        BATCH_UPDATES[solver],
        batch_size=batch_size,
        n_epochs=6,
        rate=0.003,
        reg=0.01,
        schedule=SCHEDULE_FORMULAS[schedule],
    )
    net = TwoLayerNetClassifier(
        6,
        0.01,
        solver=solver,
        learning_rate=0.003,
        schedule=schedule,
        momentum=0.7,
        batch_size=batch_size,
        max_iter=6,
        tol=0,
        init=glorot_uniform,
        shuffle=False,
    ).fit(X, y, sample_weight=w)
    assert_allclose(net.loss_curve_, curve, rtol=1e-9)
    for fitted, expected in zip(parameters(net), layers[::2] + layers[1::2], strict=True):
        assert_allclose(fitted, expected, rtol=1e-6, atol=1e-8)
