"""Every solver on every problem."""

from functools import cache

import numpy as np
import pytest
from helpers import BATCH_SOLVERS, LOADERS, MODEL_CLASSES, flat, scaled, solvers_of, tanh_objective
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

# ---- stopping


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize(
    "solver", sorted({*solvers_of(SoftmaxClassifier)} - {"gd", *BATCH_SOLVERS})
)
def test_the_linear_tol_is_a_gap_of_the_objective(solver, name, tol):
    X, y = scaled(name)
    model = SoftmaxClassifier(0.01, solver=solver, tol=tol).fit(X, y)
    assert model.loss_ <= optimum_of(name, 0.01) * (1 + 3 * tol)


# ---- every solver on every problem


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


CONVEX = {"iris": 0.01, "wine": 0.05, "breast cancer": 0.1}
TINY_NETS = {"iris": 0.02, "wine": 0.03}
PROBLEMS = [
    *(("softmax", name, reg) for name, reg in CONVEX.items()),
    *(("tanh net", name, reg) for name, reg in TINY_NETS.items()),
]
# the relative gap that may be left; that of sgd and adam is the noise of their batches
GAPS = {"gd": 1e-4, "sgd": 1e-3, "adam": 1e-3}


@pytest.mark.parametrize(("kind", "name", "reg"), PROBLEMS)
@pytest.mark.parametrize(
    "solver", sorted({s for model_class in MODEL_CLASSES for s in solvers_of(model_class)})
)
def test_every_solver_on_every_problem(solver, kind, name, reg):
    X, y = scaled(name)
    model = (
        SoftmaxClassifier(reg)
        if kind == "softmax"
        else TwoLayerNetClassifier(4, reg, activation="tanh")
    )
    if solver not in solvers_of(type(model)):
        return  # the linear model's own
    n_iter = {"gd": 5000, "sgd": 300, "adam": 300}.get(solver, 1000)
    rate = {"sgd": 0.1, "adam": 0.03}.get(solver, "auto")
    model.set_params(
        solver=solver, max_iter=n_iter, learning_rate=rate, batch_size=32, random_state=0
    ).fit(X, y)
    if kind == "softmax":
        optimum = optimum_of(name, reg)
    else:  # the minimum that this start leads to, looked for by another method
        value = tanh_objective(X, y, reg, [W.shape for W in model.coefs_])
        optimum = minimize(value, flat(model), jac=True, method="BFGS").fun
    assert optimum * (1 - 1e-9) <= model.loss_ <= optimum * (1 + GAPS.get(solver, 1e-5))


# ---- a stack of nets


def test_baseline_beside_the_linear_optimum():
    # the independent Newton run above is right: scikit-learn's model has the same minimum
    X, y = scaled("iris")
    logistic = LogisticRegression(C=1 / (0.01 * len(y)), tol=1e-12, max_iter=10_000).fit(X, y)
    scores = logistic.decision_function(X)
    losses = -log_softmax(scores, axis=1)[np.arange(len(y)), y]
    expected = losses.mean() + 0.01 / 2 * (logistic.coef_**2).sum()
    assert optimum_of("iris", 0.01) == pytest.approx(expected, rel=1e-10)
