"""Schedules, stopping, solvers, validation, warm starts, partial_fit, and stacks of nets."""

import inspect
import re
import warnings
from functools import cache

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import value_and_grad
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

import sklearn_toynn._validation
from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._training.first_order import MiniBatchSolver
from sklearn_toynn._training.random_streams import RandomStreams
from sklearn_toynn._training.run import TrainingRun, train
from sklearn_toynn._training.schedules import SCHEDULES
from sklearn_toynn._training.solvers import SOLVERS
from sklearn_toynn.datasets import make_spiral

LOADERS = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer}
MODEL_CLASSES = [SoftmaxClassifier, TwoLayerNetClassifier]
BATCH_SOLVERS = [name for name, solver in SOLVERS.items() if issubclass(solver, MiniBatchSolver)]

every_class = pytest.mark.parametrize("model_class", MODEL_CLASSES)
every_batch_solver = pytest.mark.parametrize("solver", BATCH_SOLVERS)
first_order = pytest.mark.parametrize("solver", ["gd", *BATCH_SOLVERS])
# for fits whose end at `max_iter` is beside the point
ends_early = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def solvers_of(model_class):
    (options,) = model_class._parameter_constraints["solver"]
    return sorted(options.options)


def scaled(name):
    X, y = LOADERS[name](return_X_y=True)
    return StandardScaler().fit_transform(X), y


def split():
    X, y = scaled("wine")
    return train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)


def parameters(model):
    if isinstance(model, SoftmaxClassifier):
        return [model.coef_, model.intercept_]
    return [*model.coefs_, *model.intercepts_]


def assert_same_bits(one, other):
    for a, b in zip(parameters(one), parameters(other), strict=True):
        assert_array_equal(a, b)


def objective(model, X, y, w=None):
    """The contract's objective of a softmax or a ReLU net."""
    if isinstance(model, SoftmaxClassifier):
        weights, scores = [model.coef_], X @ model.coef_.T + model.intercept_
    else:
        weights = model.coefs_
        hidden = np.maximum(X @ weights[0] + model.intercepts_[0], 0)
        scores = hidden @ weights[1] + model.intercepts_[1]
    losses = -log_softmax(scores, axis=1)[np.arange(len(y)), y]
    return np.average(losses, weights=w) + model.reg / 2 * sum((W**2).sum() for W in weights)


# ---- schedules


TABLES = {
    "constant": {0: 1, 0.25: 1, 0.5: 1, 1: 1},
    "inverse": {0: 1, 1 / 9: 0.5, 1 / 3: 0.25, 1: 0.1},
    "cosine": {0: 1, 1 / 3: 0.75, 0.5: 0.5, 2 / 3: 0.25, 1: 0},
}


def test_every_schedule_has_a_table():
    assert {*TABLES, "plateau"} == set(SCHEDULES)


@pytest.mark.parametrize("name", TABLES)
def test_schedule_by_its_table(name):
    schedule = SCHEDULES[name]()
    for progress, factor in TABLES[name].items():
        assert schedule.factor(progress) == pytest.approx(factor, abs=1e-15)


@every_class
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_stands_in_the_docstring(model_class, name):
    assert f'- "{name}": ' in inspect.getdoc(model_class)


@ends_early
@every_class
@first_order
@pytest.mark.parametrize("name", TABLES)
def test_schedule_is_the_callable_of_its_formula(model_class, solver, name):
    formulas = {
        "constant": lambda _: 1.0,
        "inverse": lambda p: 1 / (1 + 9 * p),
        "cosine": lambda p: (1 + np.cos(np.pi * p)) / 2,
    }
    X, y = scaled("wine")
    model = model_class(
        solver=solver, max_iter=12, batch_size=50, tol=0, n_iter_no_change=99, random_state=0
    )
    by_name = clone(model).set_params(schedule=name).fit(X, y)
    by_formula = clone(model).set_params(schedule=formulas[name]).fit(X, y)
    assert_allclose(by_name.loss_curve_, by_formula.loss_curve_, rtol=1e-10)
    # and each is one of its own
    other = clone(model).set_params(schedule=lambda p: 1 - p / 2).fit(X, y)
    assert abs(np.subtract(by_name.loss_curve_, other.loss_curve_)).max() > 1e-6


@ends_early
@pytest.mark.parametrize(
    ("solver", "expected"),
    [
        ("gd", [0, 1 / 4, 2 / 4, 3 / 4]),
        # the share of the epoch that is done counts: batches of 100 and 78 rows
        ("sgd", [(epoch + done) / 4 for epoch in range(4) for done in (0, 100 / 178)]),
        ("adam", [(epoch + done) / 4 for epoch in range(4) for done in (0, 100 / 178)]),
    ],
)
def test_schedule_gets_the_share_of_max_iter(solver, expected):
    seen = []
    SoftmaxClassifier(
        solver=solver,
        schedule=lambda p: seen.append(p) or 1.0,
        max_iter=4,
        batch_size=100,
        tol=0,
        random_state=0,
    ).fit(*scaled("wine"))
    assert_allclose(seen, expected, rtol=1e-12)


@ends_early
@every_class
@first_order
def test_auto_schedule(model_class, solver):
    X, y = scaled("wine")
    model = model_class(solver=solver, max_iter=5, tol=0, random_state=0)
    named = clone(model).set_params(schedule="constant" if solver == "gd" else "cosine")
    assert_same_bits(clone(model).fit(X, y), named.fit(X, y))


@pytest.mark.parametrize(
    ("losses", "exponents"),
    [
        # a fall by less than tol = 0.1 is none; two epochs on end without one are a plateau
        ([5, 4, 3, 2], [0, 0, 0, 0]),
        ([5, 5, 5, 5, 5], [0, 0, 1, 1, 2]),
        ([5, 4.95, 4.93, 3, 3, 3], [0, 0, 1, 1, 1, 2]),
        ([5, 5, 4, 4, 3, 3, 2], [0, 0, 0, 0, 0, 0, 0]),
        ([5, 6, 7, 4, 8, 9], [0, 0, 1, 1, 1, 2]),
    ],
)
def test_plateau_by_a_table(losses, exponents):
    schedule, best, n_stalled = SCHEDULES["plateau"](), np.inf, 0
    for loss, exponent in zip(losses, exponents, strict=True):
        n_stalled = 0 if loss < best - 0.1 else n_stalled + 1
        best = min(best, loss)
        schedule.observe([n_stalled])
        assert_allclose(schedule.factor(0.5), [[5.0**-exponent]], rtol=1e-12)


@ends_early
@pytest.mark.parametrize("validate", [False, True])
@every_batch_solver
def test_plateau_divides_the_step_where_the_loss_stands_still(solver, validate):
    # replay the curve: the same factors, given by a callable, lead to the same weights
    X, X_val, y, y_val = split()
    validation = {"X_val": X_val, "y_val": y_val} if validate else {}
    model = SoftmaxClassifier(
        solver=solver,
        learning_rate=0.5,
        tol=1e-2,
        max_iter=40,
        n_iter_no_change=7,
        batch_size=30,
        random_state=0,
    )
    plateau = clone(model).set_params(schedule="plateau").fit(X, y, **validation)
    curve = plateau.validation_loss_curve_ if validate else plateau.loss_curve_
    factors, best, n_stalled = [1.0], np.inf, 0
    for loss in curve:
        n_stalled = 0 if loss < best - 1e-2 else n_stalled + 1
        best = min(best, loss)
        at_plateau = n_stalled > 0 and n_stalled % 2 == 0
        factors.append(factors[-1] / 5 if at_plateau else factors[-1])
    assert factors[len(curve) - 1] < 1
    replayed = clone(model).set_params(schedule=lambda p: factors[int(p * 40 + 1e-9)])
    replayed.fit(X, y, **validation)
    assert replayed.n_iter_ == plateau.n_iter_
    assert_allclose(replayed.loss_curve_, plateau.loss_curve_, rtol=1e-9)


# ---- learning_rate, batch_size and max_iter


@every_class
@first_order
def test_auto_learning_rate_is_documented(model_class, solver):
    rate = SOLVERS[solver].learning_rate
    text = re.sub(r"\s+", " ", inspect.getdoc(model_class))
    assert f'{rate} for "{solver}"' in text


@ends_early
@every_class
@first_order
def test_auto_learning_rate(model_class, solver):
    X, y = scaled("wine")
    model = model_class(solver=solver, max_iter=5, init="he", tol=0, random_state=0)
    explicit = clone(model).set_params(learning_rate=SOLVERS[solver].learning_rate)
    assert_same_bits(clone(model).fit(X, y), explicit.fit(X, y))
    assert (
        model.fit(X, y).loss_curve_
        != explicit.set_params(learning_rate=0.03).fit(X, y).loss_curve_
    )


@ends_early
@pytest.mark.parametrize("max_iter", [1, 2, 7])
@every_class
def test_max_iter(model_class, max_iter):
    X, y = scaled("wine")
    for solver in solvers_of(model_class):
        model = model_class(solver=solver, max_iter=max_iter, tol=0, random_state=0).fit(X, y)
        assert model.n_iter_ <= max_iter
        if solver in ("gd", "sgd", "adam"):
            assert model.n_iter_ == max_iter
        assert len(model.loss_curve_) == model.n_iter_


@ends_early
@every_batch_solver
def test_auto_batch_size_is_at_least_200_or_all(solver):
    X, y = load_digits(return_X_y=True)
    n_steps = []
    for n in (150, 200, 1797):
        seen = []
        SoftmaxClassifier(
            solver=solver, schedule=lambda p, seen=seen: seen.append(p) or 1e-3, max_iter=1
        ).fit(X[:n] / 16, y[:n])
        n_steps.append(len(seen))
    assert n_steps[:2] == [1, 1]
    assert 2 <= n_steps[2] <= 9


@ends_early
@every_batch_solver
def test_a_batch_larger_than_the_data_is_the_data(solver):
    X, y = scaled("wine")
    model = TwoLayerNetClassifier(5, solver=solver, max_iter=4, random_state=0)
    whole, larger = (clone(model).set_params(batch_size=b).fit(X, y) for b in (178, 1000))
    assert_same_bits(whole, larger)


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
    model = model_class(solver=solver, tol=1.0, n_iter_no_change=1, max_iter=33, random_state=0)
    assert model.fit(X, y).n_iter_ == 33
    # from a start at the minimum, too, where nothing improves
    model.set_params(warm_start=True)
    assert model.fit(X, y).fit(X, y).n_iter_ == 33


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
    return max(abs(errors.T @ X + model.reg * model.coef_).max(), abs(errors.sum(axis=0)).max())


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
    gradient = tanh_objective(X, y, net.reg, shapes)(flat(net))[1]
    assert abs(gradient).max() <= tol


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize(
    "solver", sorted({*solvers_of(SoftmaxClassifier)} - {"gd", *BATCH_SOLVERS})
)
def test_the_linear_tol_is_a_gap_of_the_objective(solver, name, tol):
    X, y = scaled(name)
    model = SoftmaxClassifier(0.01, solver=solver, tol=tol).fit(X, y)
    assert model.loss_ <= optimum_of(name, 0.01) * (1 + 3 * tol)


# ---- solvers against plain loops


def glorot_uniform(rng, fan_in, fan_out):
    bound = np.sqrt(6 / (fan_in + fan_out))
    return np.random.RandomState(fan_out).uniform(-bound, bound, (fan_in, fan_out))


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


def relu_gradient(layers, X, y, w, reg):
    W1, b1, W2, b2 = layers
    hidden = np.maximum(X @ W1 + b1, 0)
    log_p = log_softmax(hidden @ W2 + b2, axis=1)
    own = np.arange(len(y)), y
    loss = -(w * log_p[own]).mean() + reg / 2 * ((W1**2).sum() + (W2**2).sum())
    d2 = np.exp(log_p)
    d2[own] -= 1
    d2 *= w[:, None] / len(y)
    d1 = (d2 @ W2.T) * (hidden > 0)
    gradient = [X.T @ d1 + reg * W1, d1.sum(axis=0), hidden.T @ d2 + reg * W2, d2.sum(axis=0)]
    return loss, gradient


def nesterov(memory, gradient, rate, t):
    velocity = 0.7 * memory.get("v", 0) - rate * gradient
    memory["v"] = velocity
    return 0.7 * velocity - rate * gradient


def adam(memory, gradient, rate, t):
    m = memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * gradient
    v = memory["v"] = 0.999 * memory.get("v", 0) + 0.001 * gradient**2
    rate = rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return -rate * m / (np.sqrt(v) + 1e-8)


LOOPS = {"sgd": nesterov, "adam": adam}


def batch_loop(X, y, w, step, *, batch_size, n_epochs, rate, reg, schedule):
    """Epochs in the order of the rows; the curve is the mean over the rows as they went by."""
    n, w = len(y), w / w.mean()
    layers = [
        glorot_uniform(None, X.shape[1], 6),
        np.zeros(6),
        glorot_uniform(None, 6, 3),
        np.zeros(3),
    ]
    memories, curve, t = [{} for _ in layers], [], 0
    for epoch in range(n_epochs):
        curve.append(0)
        for start in range(0, n, batch_size):
            rows = slice(start, min(start + batch_size, n))
            loss, gradients = relu_gradient(layers, X[rows], y[rows], w[rows], reg)
            curve[-1] += loss * (rows.stop - rows.start) / n
            t += 1
            factor = schedule((epoch + start / n) / n_epochs)
            layers = [
                layer + step(memory, gradient, rate * factor, t)
                for layer, memory, gradient in zip(layers, memories, gradients, strict=True)
            ]
    return curve, layers


SCHEDULE_FORMULAS = {"constant": lambda _: 1.0, "cosine": lambda p: (1 + np.cos(np.pi * p)) / 2}


@ends_early
@pytest.mark.parametrize("schedule", SCHEDULE_FORMULAS)
@pytest.mark.parametrize("batch_size", [1, 32, 178])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", LOOPS)
def test_batches_follow_a_plain_loop(solver, weighted, batch_size, schedule):
    X, y = scaled("wine")
    y = np.random.RandomState(0).permutation(y)  # no two batches with one class alone
    w = np.random.RandomState(1).uniform(0.2, 3, len(y)) if weighted else np.ones(len(y))
    curve, layers = batch_loop(
        X,
        y,
        w,
        LOOPS[solver],
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


def flat(net):
    return np.concatenate([a.ravel() for a in (*net.coefs_, *net.intercepts_)])


def tanh_objective(X, y, reg, shapes):
    """Value and gradient of a tanh net's objective on flat parameters, by autograd."""
    (d, h), (_, K) = shapes
    ends = np.cumsum([d * h, h * K, h])

    def value(theta):
        W1, W2, b1, b2 = (part for part in anp.split(theta, ends))
        scores = anp.tanh(X @ W1.reshape(d, h) + b1) @ W2.reshape(h, K) + b2
        peak = anp.max(scores, axis=1)
        log_sums = anp.log(anp.sum(anp.exp(scores - peak[:, None]), axis=1)) + peak
        losses = log_sums - scores[anp.arange(len(y)), y]
        return anp.mean(losses) + reg / 2 * (anp.sum(W1**2) + anp.sum(W2**2))

    return value_and_grad(value)


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


# ---- initial weights


@ends_early
@pytest.mark.parametrize(
    ("init", "activation", "stds"),
    [
        ("he", "tanh", (np.sqrt(2 / 200), np.sqrt(2 / 300))),
        ("lecun", "relu", (1 / np.sqrt(200), 1 / np.sqrt(300))),
        ("glorot", "relu", (np.sqrt(2 / 500), np.sqrt(2 / 350))),
        (0.01, "relu", (0.01, 0.01)),
        ("auto", "relu", (np.sqrt(2 / 200), np.sqrt(2 / 300))),
        ("auto", "tanh", (np.sqrt(2 / 500), np.sqrt(2 / 350))),
    ],
)
def test_initial_weights(init, activation, stds):
    rng = np.random.RandomState(0)
    X, y = StandardScaler().fit_transform(rng.standard_normal((100, 200))), np.arange(100) % 50
    # a step too short to change a number leaves the start
    net = TwoLayerNetClassifier(
        300, 0.0, activation=activation, solver="gd", learning_rate=1e-300, max_iter=1, init=init
    )
    first, other = (clone(net).set_params(random_state=i).fit(X, y) for i in range(2))
    for W, std in zip(first.coefs_, stds, strict=True):
        tolerance = 4 / np.sqrt(2 * W.size)  # four standard errors
        assert W.std() == pytest.approx(std, rel=tolerance)
        assert abs(W.mean()) < 4 * std / np.sqrt(W.size)
        assert (abs(W) > 2 * std).mean() == pytest.approx(0.0455, abs=0.01)  # as in a normal one
    for b in first.intercepts_:
        assert_allclose(b, 0, atol=1e-290)
    # layers, units and seeds are independent
    W1, W2 = first.coefs_
    n = W2.size
    for a, b in (
        (W1.ravel()[:n], W2.ravel()),
        (W1.ravel()[1:], W1.ravel()[:-1]),
        (W1.T.ravel()[1:], W1.T.ravel()[:-1]),
        (W1.ravel(), other.coefs_[0].ravel()),
        (W2.ravel(), other.coefs_[1].ravel()),
    ):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(a))


@ends_early
def test_initial_weights_do_not_depend_on_the_solver():
    X, y = scaled("wine")
    starts = [
        TwoLayerNetClassifier(
            7, 0.0, solver=solver, learning_rate=1e-300, max_iter=1, init="he", random_state=0
        ).fit(X, y)
        for solver in ("gd", "sgd", "adam")
    ]
    for other in starts[1:]:
        for W, first in zip(other.coefs_, starts[0].coefs_, strict=True):
            assert_array_equal(W, first)


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
        assert_allclose(model.loss_, objective(model, X, y), rtol=1e-10)


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


def test_a_given_validation_set_takes_the_place_of_the_split():
    X, X_val, y, y_val = split()
    model = TwoLayerNetClassifier(5, schedule="constant", tol=1e-3, max_iter=500, random_state=0)
    given = clone(model).fit(X, y, X_val=X_val, y_val=y_val)
    both = clone(model).set_params(early_stopping=True).fit(X, y, X_val=X_val, y_val=y_val)
    assert_same_bits(given, both)
    own = clone(model).set_params(early_stopping=True).fit(X, y)
    assert own.validation_loss_curve_ != given.validation_loss_curve_


def spied_split(monkeypatch):
    """A list that each split of the rows, for training and for validation, is added to."""
    splits = []

    split_rows = sklearn_toynn._validation.split_rows

    def spy(*args):
        splits.append(split_rows(*args))
        return splits[-1]

    monkeypatch.setattr(sklearn_toynn._validation, "split_rows", spy)
    return splits


@ends_early
@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
@every_class
def test_early_stopping_is_a_split_and_a_validation_set(model_class, fraction, monkeypatch):
    splits = spied_split(monkeypatch)
    X, y = scaled("wine")
    for solver in solvers_of(model_class):
        model = model_class(solver=solver, max_iter=10, batch_size=30, random_state=0)
        stopped = clone(model).set_params(early_stopping=True, validation_fraction=fraction)
        stopped.fit(X, y)
        rows, rows_val = splits[-1]
        # stratified, and no row lost or in both
        assert_array_equal(np.sort([*rows, *rows_val]), np.arange(178))
        assert len(rows_val) == pytest.approx(178 * fraction, abs=1)
        share = np.bincount(y[rows_val]) / len(rows_val)
        assert_allclose(share, np.bincount(y) / 178, atol=1 / len(rows_val))
        # the split has a stream of its own: given the rows, batches and start are the same
        by_hand = clone(model).fit(X[rows], y[rows], X_val=X[rows_val], y_val=y[rows_val])
        assert_allclose(stopped.loss_curve_, by_hand.loss_curve_, rtol=1e-9)
        assert_allclose(stopped.validation_loss_curve_, by_hand.validation_loss_curve_, rtol=1e-9)
        if solver in BATCH_SOLVERS:
            assert_same_bits(stopped, by_hand)


@ends_early
def test_the_split_depends_on_random_state_alone(monkeypatch):
    splits = spied_split(monkeypatch)
    X, y = scaled("wine")
    for kwargs in (
        {},
        {"solver": "sgd"},
        {"solver": "gd"},
        {"hidden_size": 30},
        {"init": 0.1},
        {"batch_size": 10, "shuffle": False},
        {"max_iter": 7},
    ):
        given = {"early_stopping": True, "max_iter": 3, "random_state": 0, **kwargs}
        TwoLayerNetClassifier(**given).fit(X, y)
    for rows, rows_val in splits[1:]:
        assert_array_equal(rows, splits[0][0])
        assert_array_equal(rows_val, splits[0][1])
    TwoLayerNetClassifier(early_stopping=True, max_iter=3, random_state=1).fit(X, y)
    assert (splits[-1][1] != splits[0][1]).any()


@ends_early
@pytest.mark.parametrize("solver", ["adam", "gd"])
def test_early_stopping_weighs_the_rows_that_it_sets_aside(solver, monkeypatch):
    splits = spied_split(monkeypatch)
    X, y = scaled("wine")
    w = np.random.RandomState(0).uniform(0.1, 5, len(y))
    model = SoftmaxClassifier(solver=solver, early_stopping=True, max_iter=10, random_state=0)
    model.fit(X, y, sample_weight=w)
    rows, rows_val = splits[-1]
    loss = log_loss(y[rows_val], model.predict_proba(X[rows_val]), sample_weight=w[rows_val])
    assert_allclose(loss, min(model.validation_loss_curve_), rtol=1e-10)
    assert_allclose(model.loss_, objective(model, X[rows], y[rows], w[rows]), rtol=1e-10)


@ends_early
def test_a_validation_set_may_lack_classes():
    X, X_val, y, y_val = split()
    model = SoftmaxClassifier(solver="adam", max_iter=5, random_state=0)
    model.fit(X, y, X_val=X_val[y_val == 1], y_val=y_val[y_val == 1])
    own = model.predict_proba(X_val[y_val == 1])[:, 1]
    assert_allclose(-np.log(own).mean(), min(model.validation_loss_curve_), rtol=1e-10)


# ---- warm_start


@ends_early
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_class
@first_order
def test_fifty_and_fifty_are_a_hundred(model_class, solver, dtype):
    X, y = scaled("wine")
    X = X.astype(dtype)
    model = model_class(
        solver=solver,
        schedule="constant",
        batch_size=50,
        tol=0,
        n_iter_no_change=1000,
        init=0.1,
        random_state=0,
    )
    whole = clone(model).set_params(max_iter=100).fit(X, y)
    halves = clone(model).set_params(max_iter=50, warm_start=True).fit(X, y)
    middle = halves.loss_curve_
    halves.fit(X, y)
    assert_same_bits(halves, whole)
    assert halves.loss_ == whole.loss_
    assert whole.loss_curve_ == middle + halves.loss_curve_[-50:]


@ends_early
@every_class
def test_warm_start_begins_where_the_last_fit_ended(model_class):
    X, y = scaled("wine")
    for solver in solvers_of(model_class):
        model = model_class(0.1 if model_class is SoftmaxClassifier else 5, solver=solver)
        model.set_params(random_state=0, warm_start=True, max_iter=200)
        first = model.fit(X, y).loss_
        assert model.fit(X, y).loss_ <= first * (1 + 1e-3)
        if solver == "gd":
            assert model.loss_curve_[0] == pytest.approx(first, rel=1e-12)


@ends_early
@every_class
def test_without_warm_start_each_fit_begins_anew(model_class):
    X, y = scaled("wine")
    model = model_class(solver="adam", max_iter=3, random_state=0).fit(X, y)
    first = [a.copy() for a in parameters(model)]
    for a, b in zip(parameters(model.fit(X, y)), first, strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("change", "params"),
    [
        (lambda X, y: (X, y + 1), {}),
        (lambda X, y: (X[y < 2], y[y < 2]), {}),
        (lambda X, y: (X[:, 1:], y), {}),
        (lambda X, y: (X, y), {"hidden_size": 6}),
    ],
)
@every_class
def test_warm_start_refuses_another_shape(model_class, change, params):
    X, y = scaled("wine")
    model = model_class(solver="adam", max_iter=3, warm_start=True, random_state=0).fit(X, y)
    if not params.keys() <= model.get_params().keys():
        return  # the linear model has no hidden_size
    probability = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"warm_start"):
        model.set_params(**params).fit(*change(X, y))
    assert_array_equal(model.predict_proba(X), probability)


@ends_early
@every_class
def test_warm_start_with_another_solver_keeps_the_weights(model_class):
    X, y = scaled("wine")
    model = model_class(solver="adam", warm_start=True, random_state=0).fit(X, y)
    loss = model.loss_
    model.set_params(solver="gd", max_iter=1).fit(X, y)
    assert model.loss_curve_ == [pytest.approx(loss, rel=1e-9)]


# ---- partial_fit


def chunks(X, y, length=40):
    return [(X[i : i + length], y[i : i + length]) for i in range(0, len(y), length)]


@pytest.mark.parametrize("batch_size", [1, 16, "auto"])
@pytest.mark.parametrize("solver", LOOPS)
def test_partial_fit_is_the_loop_of_steps(solver, batch_size):
    # on chunks that the batches divide, the calls are one epoch of a plain loop at a constant rate
    X, y = scaled("wine")
    X, y = X[:160], np.random.RandomState(0).permutation(y)[:160]
    length = 32
    net = TwoLayerNetClassifier(
        6,
        0.01,
        solver=solver,
        learning_rate=0.003,
        momentum=0.7,
        batch_size=batch_size,
        init=glorot_uniform,
        shuffle=False,
    )
    for _ in range(3):
        for X_chunk, y_chunk in chunks(X, y, length):
            net.partial_fit(X_chunk, y_chunk, classes=[0, 1, 2])
    _, layers = batch_loop(
        X,
        y,
        np.ones(160),
        LOOPS[solver],
        batch_size=length if batch_size == "auto" else batch_size,
        n_epochs=3,
        rate=0.003,
        reg=0.01,
        schedule=lambda _: 1.0,
    )
    for fitted, expected in zip(parameters(net), layers[::2] + layers[1::2], strict=True):
        assert_allclose(fitted, expected, rtol=1e-6, atol=1e-8)
    assert net.n_iter_ == 15
    assert len(net.loss_curve_) == 15


@ends_early
@every_class
@every_batch_solver
def test_partial_fit_on_all_rows_is_an_epoch_of_fit(model_class, solver):
    X, y = scaled("wine")
    model = model_class(solver=solver, batch_size=40, init=0.1, tol=0, random_state=0)
    steps = clone(model)
    for _ in range(5):
        steps.partial_fit(X, y, classes=[0, 1, 2])
    # with the optimiser's memory and the stream of the batches, which a step would lose
    fitted = clone(model).set_params(schedule="constant", max_iter=5).fit(X, y)
    assert_same_bits(steps, fitted)
    assert steps.loss_curve_ == fitted.loss_curve_
    assert steps.n_iter_ == 5


@ends_early
@every_class
@every_batch_solver
def test_partial_fit_after_fit(model_class, solver):
    X, X_new, y, y_new = split()
    model = model_class(solver=solver, max_iter=5, random_state=0).fit(X, y)
    before, loss = [a.copy() for a in parameters(model)], objective(model, X_new, y_new)
    for _ in range(20):
        model.partial_fit(X_new, y_new)
    assert_array_equal(model.classes_, [0, 1, 2])
    assert objective(model, X_new, y_new) < loss
    assert (parameters(model)[0] != before[0]).any()
    assert_allclose(model.loss_, objective(model, X_new, y_new), rtol=1e-10)


@every_class
@every_batch_solver
def test_partial_fit_on_chunks_without_some_classes(model_class, solver):
    X, y = scaled("iris")
    names = np.array(["setosa", "versicolor", "virginica"])
    # sorted by class, each chunk of 25 holds one class alone
    model = model_class(solver=solver, learning_rate=0.01, random_state=0)
    order = np.random.RandomState(0)
    for _ in range(60):
        parts = chunks(X, names[y], 25)
        for i in order.permutation(len(parts)):
            model.partial_fit(*parts[i], classes=names[::-1])
    assert_array_equal(model.classes_, names)
    assert model.score(X, names[y]) > 0.9


@every_class
def test_partial_fit_by_hand_over_chunks_learns_what_fit_does(model_class):
    # what dask_ml's Incremental does: one call per block, then predictions
    X, y = load_digits(return_X_y=True)
    X = X / 16
    model = model_class(solver="adam", random_state=0)
    for _ in range(20):
        for X_chunk, y_chunk in chunks(X[:1200], y[:1200], 150):
            model.partial_fit(X_chunk, y_chunk, classes=np.arange(10))
    whole = model_class(solver="adam", random_state=0).fit(X[:1200], y[:1200])
    assert model.score(X[1200:], y[1200:]) >= whole.score(X[1200:], y[1200:]) - 0.03


def test_partial_fit_takes_weights():
    X, y = scaled("wine")
    w = np.random.RandomState(0).randint(0, 4, len(y)).astype(float)
    model = SoftmaxClassifier(solver="adam", batch_size=30, random_state=0)
    weighted = clone(model).partial_fit(X, y, classes=[0, 1, 2], sample_weight=w)
    left_out = clone(model).partial_fit(X[w > 0], y[w > 0], [0, 1, 2], w[w > 0])
    assert_same_bits(weighted, left_out)
    factors = {0: 2.0, 1: 1.0, 2: 0.5}
    by_class = clone(model).set_params(class_weight=factors).partial_fit(X, y, [0, 1, 2])
    by_row = clone(model).partial_fit(X, y, [0, 1, 2], np.array([2.0, 1.0, 0.5])[y])
    assert_same_bits(by_class, by_row)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        SoftmaxClassifier(solver="adam", learning_rate=1e-3, random_state=0),
        TwoLayerNetClassifier(32, solver="sgd", learning_rate=0.05, random_state=0),
    ],
)
def test_a_million_rows_in_chunks(model):
    rng = np.random.RandomState(0)
    centres = 2 * rng.standard_normal((5, 20))

    def draw(n):
        y = rng.randint(5, size=n)
        return (centres[y] + 3 * rng.standard_normal((n, 20))).astype(np.float32), y

    X_test, y_test = draw(20_000)
    for _ in range(100):
        model.partial_fit(*draw(10_000), classes=np.arange(5))
    assert model.n_iter_ == len(model.loss_curve_) == 100
    # the classes are normal with one covariance, so the line is the best that there is
    best = ((X_test[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert model.score(X_test, y_test) > (best == y_test).mean() - 0.01
    assert model.loss_curve_[-1] < 0.6 * model.loss_curve_[0]
    assert {a.dtype for a in parameters(model)} == {np.dtype(np.float32)}


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
    run = TrainingRun.from_nets(options, states, problem.samples, problem.validation)
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
            together._set_fitted(problem, [outcome], keeps_memory=False)
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


def test_baseline_beside_the_linear_optimum():
    # the independent Newton run above is right: scikit-learn's model has the same minimum
    X, y = scaled("iris")
    logistic = LogisticRegression(C=1 / (0.01 * len(y)), tol=1e-12, max_iter=10_000).fit(X, y)
    scores = logistic.decision_function(X)
    losses = -log_softmax(scores, axis=1)[np.arange(len(y)), y]
    expected = losses.mean() + 0.01 / 2 * (logistic.coef_**2).sum()
    assert optimum_of("iris", 0.01) == pytest.approx(expected, rel=1e-10)


# ---- what "auto" stands for


@pytest.mark.parametrize(
    ("n_samples", "n_epochs"), [(6, 80), (1400, 80), (2500, 60), (10_000, 30), (10**6, 20)]
)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_epochs_by_the_number_of_rows(solver, n_samples, n_epochs):
    assert SOLVERS[solver].get_max_iter(n_samples) == n_epochs


@pytest.mark.filterwarnings("ignore:max_iter=1000 iterations ended the training")
@pytest.mark.parametrize("solver", ["adam", "gd"])
def test_rows_of_no_weight_do_not_count(solver):
    X, y = make_spiral(3000, random_state=0)
    weights = np.arange(3000) % 2
    model = TwoLayerNetClassifier(2, solver=solver, random_state=0, tol=0)
    n_iter = model.fit(X, y, weights).n_iter_
    assert n_iter == (77 if solver == "adam" else 1000)
