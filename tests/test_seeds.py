"""The estimators reproduce four public tutorials, written here as plain loops.

In these loops the biases start at zero and are not penalized. `curve[t]` is the objective before
step t.
"""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn.datasets import make_spiral

# the tutorials take a fixed number of steps
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

#: The activations and their derivatives as functions of the input.
ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "logistic": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
}


def normal(scale):
    """Return an `init` whose weights depend only on the fans."""

    def init(rng, fan_in, fan_out):
        std = {"he": np.sqrt(2 / fan_in), "lecun": 1 / np.sqrt(fan_in)}.get(scale, scale)
        return std * np.random.RandomState(fan_out).randn(fan_in, fan_out)

    return init


def softmax(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_loop(X, y, W, *, reg, step, n_iter):
    n, b, curve = len(X), np.zeros(W.shape[1]), []
    onehot = np.eye(W.shape[1])[y]
    for _ in range(n_iter):
        p = softmax(X @ W + b)
        curve.append(-np.log(p[np.arange(n), y]).mean() + reg / 2 * (W**2).sum())
        d = (p - onehot) / n
        W, b = W - step * (X.T @ d + reg * W), b - step * d.sum(axis=0)
    return np.array(curve), W, b


def net_loop(X, y, W1, W2, *, reg, step, n_iter, activation, divisor=None):
    """With `divisor=1`, descend on the loss summed over the samples; the curve is divided by n."""
    n, curve = len(X), []
    f, f_prime = ACTIVATIONS[activation]
    b1, b2 = np.zeros(W1.shape[1]), np.zeros(W2.shape[1])
    onehot = np.eye(W2.shape[1])[y]
    divisor = divisor or n
    for _ in range(n_iter):
        z = X @ W1 + b1
        a = f(z)
        p = softmax(a @ W2 + b2)
        penalty = reg / 2 * ((W1**2).sum() + (W2**2).sum())
        loss = -np.log(p[np.arange(n), y]).sum() / divisor + penalty
        curve.append(loss * divisor / n)
        d2 = (p - onehot) / divisor
        d1 = (d2 @ W2.T) * f_prime(z)
        W1, W2 = W1 - step * (X.T @ d1 + reg * W1), W2 - step * (a.T @ d2 + reg * W2)
        b1, b2 = b1 - step * d1.sum(axis=0), b2 - step * d2.sum(axis=0)
    return np.array(curve), [W1, W2], [b1, b2]


def net_predict(X, coefs, intercepts, activation):
    hidden = ACTIVATIONS[activation][0](X @ coefs[0] + intercepts[0])
    return np.argmax(hidden @ coefs[1] + intercepts[1], axis=1)


def spiral():
    return make_spiral(shuffle=False, random_state=0)


def moons_net(hidden_size, max_iter, init, n=200):
    """Return a net with the reg and the step 0.01 of the summed loss."""
    params = {"reg": 0.01 / n, "learning_rate": 0.01 * n, "max_iter": max_iter, "init": init}
    params |= {"activation": "tanh", "solver": "gd", "tol": 0, "random_state": 0}
    return TwoLayerNetClassifier(hidden_size, **params)


# ---- the first iterations, number by number


@pytest.mark.parametrize(("reg", "scale"), [(0.0, "lecun"), (1e-3, 0.01), (0.1, 0.01)])
def test_the_linear_model_follows_the_loop(reg, scale):
    X, y = spiral()
    init = normal(scale)
    start, n_iter = init(None, 2, 3), 100
    curve, _, _ = softmax_loop(X, y, start, reg=reg, step=1.0, n_iter=n_iter + 1)
    _, W, b = softmax_loop(X, y, start, reg=reg, step=1.0, n_iter=n_iter)
    params = {"solver": "gd", "learning_rate": 1.0, "max_iter": n_iter, "tol": 0, "init": init}
    model = SoftmaxClassifier(reg, **params).fit(X, y)
    assert_allclose(model.loss_curve_, curve[:-1], rtol=1e-9)
    # loss_ is the objective of the fitted weights
    assert_allclose(model.loss_, curve[-1], rtol=1e-9)
    assert_allclose(model.coef_, W.T, rtol=1e-8, atol=1e-10)
    assert_allclose(model.intercept_, b, rtol=1e-8, atol=1e-10)
    assert_allclose(model.predict_proba(X), softmax(X @ W + b), rtol=1e-8)


# larger steps oscillate and amplify rounding
@pytest.mark.parametrize(
    ("reg", "scale", "step"), [(0.0, 0.01, 0.5), (1e-3, "he", 0.3), (1e-3, "lecun", 0.3)]
)
@pytest.mark.parametrize("activation", ["relu", "logistic", "tanh"])
def test_the_net_follows_the_loop(activation, reg, scale, step):
    X, y = spiral()
    h, n_iter, init = 40, 100, normal(scale)
    start = init(None, 2, h), init(None, h, 3)
    given = {"reg": reg, "step": step, "activation": activation}
    curve, _, _ = net_loop(X, y, *start, n_iter=n_iter + 1, **given)
    _, coefs, intercepts = net_loop(X, y, *start, n_iter=n_iter, **given)
    params = {"solver": "gd", "learning_rate": step, "max_iter": n_iter, "tol": 0, "init": init}
    model = TwoLayerNetClassifier(h, reg, activation=activation, **params).fit(X, y)
    assert_allclose(model.loss_curve_, curve[:-1], rtol=1e-9)
    assert_allclose(model.loss_, curve[-1], rtol=1e-9)
    for fitted, expected in zip(model.coefs_ + model.intercepts_, coefs + intercepts, strict=True):
        assert_allclose(fitted, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("h", [1, 3, 50])
def test_the_net_on_moons_follows_the_loop_with_the_summed_loss(h):
    X, y = make_moons(200, noise=0.20, random_state=0)
    init = normal("lecun")
    start = init(None, 2, h), init(None, h, 2)
    given = {"reg": 0.01, "step": 0.01, "activation": "tanh", "divisor": 1}
    curve, coefs, intercepts = net_loop(X, y, *start, n_iter=400, **given)
    model = moons_net(h, 400, init).fit(X, y)
    assert_allclose(model.loss_curve_[:200], curve[:200], rtol=1e-9)
    # near the edge of stability, rounding grows
    assert_allclose(model.loss_curve_, curve, rtol=1e-6)
    assert_array_equal(model.predict(X), net_predict(X, coefs, intercepts, "tanh"))


def test_init_gets_a_random_state_and_the_fans():
    calls = []

    def init(rng, fan_in, fan_out):
        calls.append((type(rng), fan_in, fan_out))
        return 0.01 * rng.randn(fan_in, fan_out)

    TwoLayerNetClassifier(7, solver="gd", max_iter=1, init=init).fit(*spiral())
    assert calls == [(np.random.RandomState, 2, 7), (np.random.RandomState, 7, 3)]


# ---- the results of the tutorials


def test_the_linear_model_on_the_spiral_prints_the_lines_of_the_tutorial(capsys):
    X, y = spiral()
    params = {"solver": "gd", "learning_rate": 1.0, "max_iter": 200, "init": 0.01}
    model = SoftmaxClassifier(1e-3, **params, random_state=0, verbose=10).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"iteration {t}" for t in range(0, 200, 10)]
    # the last of the six decimals depends on the start
    for index, loss, atol in ((0, 1.097, 2e-3), (10, 0.787938, 5e-6), (19, 0.786302, 5e-6)):
        assert re.fullmatch(r"iteration \d+: loss \d\.\d{6}", lines[index])
        assert_allclose(float(lines[index][-8:]), loss, atol=atol)
        assert_allclose(model.loss_curve_[10 * index], loss, atol=atol)
    assert model.n_iter_ == 200
    assert round(model.score(X, y), 2) == 0.49


def test_the_net_on_the_spiral_reaches_98_percent():
    X, y = spiral()
    params = {"solver": "gd", "learning_rate": 1.0, "max_iter": 10_000, "init": 0.01}
    model = TwoLayerNetClassifier(100, 1e-3, **params, random_state=0).fit(X, y)
    # the flat start, hundreds of iterations near log(3), does not stop the training
    assert model.n_iter_ == 10_000
    assert_allclose(model.loss_curve_[0], 1.0987, atol=5e-4)
    assert_allclose(model.loss_, 0.245, atol=0.002)
    assert_allclose(model.score(X, y), 0.98, atol=0.01)


@pytest.mark.slow
def test_the_net_on_the_wide_spiral_follows_the_loop():
    X, y = make_spiral(900, arm_angle=8.0, shuffle=False, random_state=0)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.33, random_state=0)
    params = {"solver": "gd", "learning_rate": 0.1, "max_iter": 5001, "init": "he"}
    model = TwoLayerNetClassifier(200, 1e-3, **params, random_state=0)
    # after one tiny step the weights are the initial weights
    start = clone(model).set_params(learning_rate=1e-300, max_iter=1).fit(X_train, y_train)
    for W, b in zip(start.coefs_, start.intercepts_, strict=True):
        assert_allclose(W.std(), np.sqrt(2 / len(W)), rtol=0.15)
        assert_allclose(b, 0, atol=1e-290)
    given = {"reg": 1e-3, "step": 0.1, "n_iter": 5001, "activation": "relu"}
    curve, coefs, intercepts = net_loop(X_train, y_train, *start.coefs_, **given)
    model.fit(X_train, y_train)
    assert_allclose(model.loss_curve_, curve, rtol=1e-9)
    assert_array_equal(model.predict(X_test), net_predict(X_test, coefs, intercepts, "relu"))
    assert model.score(X_test, y_test) > 0.8
    linear = SoftmaxClassifier(reg=1e-3).fit(X_train, y_train)
    assert linear.score(X_test, y_test) < 0.5


@pytest.mark.parametrize("solver", ["gd", "sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("model", [SoftmaxClassifier(), TwoLayerNetClassifier(8)], ids=str)
def test_verbose_prints_every_kth_objective(model, solver, capsys):
    X, y = spiral()
    tol = 1e-3 if solver == "lbfgs" else 0
    model = clone(model).set_params(solver=solver, max_iter=25, random_state=0, tol=tol)
    model.fit(X, y)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
    curve = model.set_params(verbose=7).fit(X, y).loss_curve_
    expected = [f"iteration {t}: loss {curve[t]:.6f}" for t in range(0, len(curve), 7)]
    assert capsys.readouterr().out.splitlines() == expected
