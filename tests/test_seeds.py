"""Four public tutorials, written out as plain loops, against the estimators.

Every loop below works on rows, one product after the other, with biases that start at zero and are
not penalised. `curve[t]` is the objective before step t.
"""

import re
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import train_test_split

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn.datasets import make_spiral

# the tutorials stop after so many steps, converged or not
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

WIDTHS = [1, 2, 3, 4, 5, 20, 50]

# value and derivative, both as functions of the unit's input
ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "logistic": (
        lambda z: 1 / (1 + np.exp(-z)),
        lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    ),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
}


def normal(scale):
    """Weights that the loops and the estimators can both draw, whatever `rng` is."""

    def init(rng, fan_in, fan_out):
        std = {"he": np.sqrt(2 / fan_in), "lecun": 1 / np.sqrt(fan_in)}.get(scale, scale)
        return std * np.random.RandomState(fan_out).randn(fan_in, fan_out)

    return init


def softmax(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_loop(X, y, W, *, reg, step, n_iter):
    n = len(X)
    b = np.zeros(W.shape[1])
    onehot = np.eye(W.shape[1])[y]
    curve = []
    for _ in range(n_iter):
        p = softmax(X @ W + b)
        curve.append(-np.log(p[np.arange(n), y]).mean() + reg / 2 * (W**2).sum())
        d = (p - onehot) / n
        W = W - step * (X.T @ d + reg * W)
        b = b - step * d.sum(axis=0)
    return np.array(curve), W, b


def net_loop(X, y, W1, W2, *, reg, step, n_iter, activation):
    n = len(X)
    f, f_prime = ACTIVATIONS[activation]
    b1, b2 = np.zeros(W1.shape[1]), np.zeros(W2.shape[1])
    onehot = np.eye(W2.shape[1])[y]
    curve = []
    for _ in range(n_iter):
        z = X @ W1 + b1
        a = f(z)
        p = softmax(a @ W2 + b2)
        penalty = reg / 2 * ((W1**2).sum() + (W2**2).sum())
        curve.append(-np.log(p[np.arange(n), y]).mean() + penalty)
        d2 = (p - onehot) / n
        d1 = (d2 @ W2.T) * f_prime(z)
        W1, W2 = W1 - step * (X.T @ d1 + reg * W1), W2 - step * (a.T @ d2 + reg * W2)
        b1, b2 = b1 - step * d1.sum(axis=0), b2 - step * d2.sum(axis=0)
    return np.array(curve), [W1, W2], [b1, b2]


def summed_tanh_loop(X, y, W1, W2, *, reg, step, n_iter):
    """The gradient of the loss summed over samples; the curve is that loss over n."""
    n = len(X)
    b1, b2 = np.zeros(W1.shape[1]), np.zeros(W2.shape[1])
    onehot = np.eye(W2.shape[1])[y]
    curve = []
    for _ in range(n_iter):
        a = np.tanh(X @ W1 + b1)
        p = softmax(a @ W2 + b2)
        total = -np.log(p[np.arange(n), y]).sum() + reg / 2 * ((W1**2).sum() + (W2**2).sum())
        curve.append(total / n)
        d2 = p - onehot
        d1 = (d2 @ W2.T) * (1 - a**2)
        W1, W2 = W1 - step * (X.T @ d1 + reg * W1), W2 - step * (a.T @ d2 + reg * W2)
        b1, b2 = b1 - step * d1.sum(axis=0), b2 - step * d2.sum(axis=0)
    return np.array(curve), [W1, W2], [b1, b2]


def net_predict(X, coefs, intercepts, activation):
    hidden = ACTIVATIONS[activation][0](X @ coefs[0] + intercepts[0])
    return np.argmax(hidden @ coefs[1] + intercepts[1], axis=1)


def moons():
    return make_moons(200, noise=0.20, random_state=0)


def moons_net(hidden_size, max_iter, init, n=200):
    """The summed loop's reg and step of 0.01, in units of the mean."""
    return TwoLayerNetClassifier(
        hidden_size,
        reg=0.01 / n,
        activation="tanh",
        solver="gd",
        learning_rate=0.01 * n,
        max_iter=max_iter,
        tol=0.0,
        init=init,
        random_state=0,
    )


@pytest.fixture(scope="module")
def line():
    """The linear baseline of the moons; its defaults warn of what will change in scikit-learn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return LogisticRegressionCV().fit(*moons())


# ---- the first 200 iterations, number by number


@pytest.mark.parametrize("scale", [0.01, "lecun"])
@pytest.mark.parametrize("reg", [0.0, 1e-3, 0.1])
def test_softmax_follows_the_loop(reg, scale):
    X, y = make_spiral(shuffle=False, random_state=0)
    init = normal(scale)
    start = init(None, 2, 3)
    curve, _, _ = softmax_loop(X, y, start, reg=reg, step=1.0, n_iter=201)
    _, W, b = softmax_loop(X, y, start, reg=reg, step=1.0, n_iter=200)
    model = SoftmaxClassifier(
        reg, solver="gd", learning_rate=1.0, max_iter=200, tol=0.0, init=init
    ).fit(X, y)
    assert model.n_iter_ == 200
    assert_allclose(model.loss_curve_, curve[:200], rtol=1e-9)
    # loss_ is taken at the weights that fit returns, one step after the curve's last entry
    assert_allclose(model.loss_, curve[200], rtol=1e-9)
    assert_allclose(model.coef_, W.T, rtol=1e-8, atol=1e-10)
    assert_allclose(model.intercept_, b, rtol=1e-8, atol=1e-10)
    assert_allclose(model.predict_proba(X), softmax(X @ W + b), rtol=1e-8)


# with larger weights a step of 1 swings about, which blows rounding up past the tolerance
@pytest.mark.parametrize(("scale", "step"), [(0.01, 1.0), ("he", 0.3), ("lecun", 0.3)])
@pytest.mark.parametrize("activation", ["relu", "logistic", "tanh"])
@pytest.mark.parametrize("reg", [0.0, 1e-3])
def test_net_follows_the_loop(reg, activation, scale, step):
    X, y = make_spiral(shuffle=False, random_state=0)
    init = normal(scale)
    start = init(None, 2, 100), init(None, 100, 3)
    given = {"reg": reg, "step": step, "activation": activation}
    curve, _, _ = net_loop(X, y, *start, n_iter=201, **given)
    _, coefs, intercepts = net_loop(X, y, *start, n_iter=200, **given)
    model = TwoLayerNetClassifier(
        100,
        reg,
        activation=activation,
        solver="gd",
        learning_rate=step,
        max_iter=200,
        tol=0.0,
        init=init,
    ).fit(X, y)
    assert model.n_iter_ == 200
    assert_allclose(model.loss_curve_, curve[:200], rtol=1e-9)
    assert_allclose(model.loss_, curve[200], rtol=1e-9)
    for fitted, expected in zip(model.coefs_ + model.intercepts_, coefs + intercepts, strict=True):
        assert_allclose(fitted, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("h", WIDTHS)
def test_moons_follow_the_loop(h, line):
    X, y = moons()
    init = normal("lecun")
    start = init(None, 2, h), init(None, h, 2)
    curve, coefs, intercepts = summed_tanh_loop(X, y, *start, reg=0.01, step=0.01, n_iter=400)
    model = moons_net(h, 400, init).fit(X, y)
    assert_allclose(model.loss_curve_[:200], curve[:200], rtol=1e-9)
    # this step is near the edge of stability, so rounding grows; 400 passes stay well inside
    assert_allclose(model.loss_curve_, curve, rtol=1e-6)
    assert_array_equal(model.predict(X), net_predict(X, coefs, intercepts, "tanh"))
    if h >= 3:
        assert model.score(X, y) >= line.score(X, y) + 0.1


def test_init_gets_a_random_state_and_the_fans():
    X, y = make_spiral(shuffle=False, random_state=0)
    calls = []

    def init(rng, fan_in, fan_out):
        calls.append((fan_in, fan_out))
        assert isinstance(rng, np.random.RandomState)
        return 0.01 * rng.randn(fan_in, fan_out)

    TwoLayerNetClassifier(7, solver="gd", learning_rate=1.0, max_iter=1, init=init).fit(X, y)
    assert calls == [(2, 7), (7, 3)]


# ---- where the tutorials end


def test_spiral_softmax_ends_at_49_percent():
    X, y = make_spiral(shuffle=False, random_state=0)
    model = SoftmaxClassifier(
        reg=1e-3, solver="gd", learning_rate=1.0, max_iter=200, init=0.01, random_state=0
    ).fit(X, y)
    assert model.n_iter_ == 200
    assert model.loss_curve_[0] == pytest.approx(1.097, abs=2e-3)
    # the tutorial's last line; by then the start has all but faded
    assert model.loss_curve_[190] == pytest.approx(0.786302, abs=5e-6)
    assert model.loss_ == pytest.approx(0.7863, abs=1e-4)
    assert round(model.score(X, y), 2) == 0.49


def test_spiral_net_ends_at_98_percent():
    X, y = make_spiral(shuffle=False, random_state=0)
    model = TwoLayerNetClassifier(
        hidden_size=100,
        reg=1e-3,
        solver="gd",
        learning_rate=1.0,
        max_iter=10_000,
        init=0.01,
        random_state=0,
    ).fit(X, y)
    # the flat start, hundreds of iterations near log(3), must not pass for convergence
    assert model.n_iter_ == 10_000
    assert model.loss_curve_[0] == pytest.approx(1.0987, abs=5e-4)
    assert model.loss_curve_[1000] < 0.33
    assert model.loss_ == pytest.approx(0.245, abs=0.002)
    assert model.score(X, y) == pytest.approx(0.98, abs=0.01)


@pytest.mark.slow
def test_wide_spiral_equals_the_loop_on_its_test_split():
    X, y = make_spiral(900, arm_angle=8.0, shuffle=False, random_state=0)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.33, random_state=0)
    model = TwoLayerNetClassifier(
        200, reg=1e-3, solver="gd", learning_rate=0.1, max_iter=5001, init="he", random_state=0
    )
    # one step too short to change a number leaves the weights that the model starts from
    start = clone(model).set_params(learning_rate=1e-300, max_iter=1).fit(X_train, y_train)
    for W, b in zip(start.coefs_, start.intercepts_, strict=True):
        assert W.std() == pytest.approx(np.sqrt(2 / len(W)), rel=0.15)
        assert_allclose(b, 0, atol=1e-290)
    curve, coefs, intercepts = net_loop(
        X_train, y_train, *start.coefs_, reg=1e-3, step=0.1, n_iter=5001, activation="relu"
    )
    model.fit(X_train, y_train)
    # this step is small: rounding does not grow over the whole run
    assert_allclose(model.loss_curve_, curve, rtol=1e-9)
    assert_array_equal(model.predict(X_test), net_predict(X_test, coefs, intercepts, "relu"))
    assert model.score(X_test, y_test) > 0.8
    linear = SoftmaxClassifier(reg=1e-3).fit(X_train, y_train)
    assert linear.score(X_test, y_test) < 0.5


@pytest.mark.slow
def test_moons_by_width(line):
    # a third of the tutorial's 20,000 passes is enough to see where each width ends
    X, y = moons()
    X_new, y_new = make_moons(2000, noise=0.20, random_state=1)
    fits = {h: moons_net(h, 6000, "lecun").fit(X, y) for h in WIDTHS}
    train = {h: fit.score(X, y) for h, fit in fits.items()}
    new = {h: fit.score(X_new, y_new) for h, fit in fits.items()}
    # one unit bends nothing: it does what the line does
    assert train[1] == pytest.approx(line.score(X, y), abs=0.03)
    assert new[1] == pytest.approx(line.score(X_new, y_new), abs=0.03)
    for h in (3, 4, 5, 20, 50):
        assert train[h] >= line.score(X, y) + 0.1
        assert new[h] >= line.score(X_new, y_new) + 0.05
    # fifty units learn the noise: a lower loss on the data, more errors on new data
    assert fits[50].loss_ < 0.8 * fits[3].loss_
    assert new[50] < max(new[3], new[4])


# ---- what is printed on the way


@pytest.mark.parametrize("k", [1, 7, 10])
@pytest.mark.parametrize("solver", ["gd", "sgd", "adam", "lbfgs"])
@pytest.mark.parametrize(
    "model", [SoftmaxClassifier(), TwoLayerNetClassifier(8)], ids=["softmax", "net"]
)
def test_verbose_prints_every_kth_objective(model, solver, k, capsys):
    X, y = make_spiral(shuffle=False, random_state=0)
    model.set_params(
        solver=solver, verbose=k, max_iter=25, random_state=0, tol=1e-3 if solver == "lbfgs" else 0
    )
    model.fit(X, y)
    expected = [
        f"iteration {t}: loss {model.loss_curve_[t]:.6f}"
        for t in range(0, len(model.loss_curve_), k)
    ]
    assert capsys.readouterr().out.splitlines() == expected


def test_verbose_prints_the_tutorial_lines(capsys):
    X, y = make_spiral(shuffle=False, random_state=0)
    SoftmaxClassifier(
        1e-3, solver="gd", learning_rate=1.0, max_iter=200, init=0.01, random_state=0, verbose=10
    ).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"iteration {t}" for t in range(0, 200, 10)]
    # six decimals; the last of them still depends on the start
    for line, loss in ((lines[0], 1.097), (lines[10], 0.787938), (lines[19], 0.786302)):
        assert re.fullmatch(r"iteration \d+: loss \d\.\d{6}", line)
        assert float(line[-8:]) == pytest.approx(loss, abs=2e-3 if loss > 1 else 5e-6)


@pytest.mark.parametrize(
    "model", [SoftmaxClassifier(solver="gd"), TwoLayerNetClassifier(8, solver="gd")]
)
def test_silent_by_default(model, capsys):
    model.set_params(max_iter=5).fit(*make_spiral(shuffle=False, random_state=0))
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
