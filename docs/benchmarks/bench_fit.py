"""Fit times beside `MLPClassifier` and a plain loop, in turn and in one run.

    python docs/benchmarks/bench_fit.py

Both train the same net by Adam, batches of 200, the same number of epochs, without a
stopping rule. Printed are medians, their ratio, and the share of our time that the five
matrix products of each batch take when they run alone. Then come whole-batch descent on
the spiral beside a row-major loop in plain NumPy, one row's `predict_proba`, and the time
that the import adds to scikit-learn's own.
"""

import os
import platform
import subprocess
import sys
import warnings
from functools import partial
from statistics import geometric_mean, median
from time import perf_counter

import numpy as np
import scipy
import sklearn
from joblib import cpu_count
from sklearn.datasets import load_digits, load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.datasets import make_spiral

N_ROUNDS = 5
BATCH_SIZE = 200


def generated(n_samples, n_features, n_classes):
    return make_classification(
        n_samples,
        n_features,
        n_informative=n_features,
        n_redundant=0,
        n_classes=n_classes,
        n_clusters_per_class=1,
        random_state=0,
    )


def cases():
    iris, digits = load_iris(return_X_y=True), load_digits(return_X_y=True)
    spiral = make_spiral(random_state=0)
    yield "iris", iris, 8, 200
    yield "spiral", spiral, 20, 200
    yield "spiral", spiral, 100, 200
    for hidden_size in (16, 64, 128):
        yield "digits", digits, hidden_size, 20
    yield "20,000 x 16 x 26", generated(20_000, 16, 26), 100, 3
    yield "20,000 x 100 x 20", generated(20_000, 100, 20), 256, 3


def seconds(call):
    start = perf_counter()
    call()
    return perf_counter() - start


def medians_in_turn(*calls, n_rounds=N_ROUNDS):
    """Call each in turn, `n_rounds` times, and return the median seconds of each."""
    for call in calls:
        call()  # warm up
    times = [[seconds(call) for call in calls] for _ in range(n_rounds)]
    return [median(column) for column in zip(*times, strict=True)]


def products_alone(X, y, hidden_size, n_epochs):
    """Return a function that runs the products of the fit, and nothing else."""
    rng = np.random.RandomState(0)
    n_samples, n_features, n_classes, dtype = *X.shape, y.max() + 1, X.dtype
    whole, rest = divmod(n_samples, BATCH_SIZE)
    lengths = [BATCH_SIZE] * whole + [rest] * (rest > 0)
    first = rng.standard_normal((1, hidden_size, n_features)).astype(dtype)
    second = rng.standard_normal((1, n_classes, hidden_size)).astype(dtype)
    arrays = {}
    for m in set(lengths):
        inputs = rng.standard_normal((m, n_features)).astype(dtype)
        hidden = rng.standard_normal((1, hidden_size, m)).astype(dtype)
        scores = rng.standard_normal((1, n_classes, m)).astype(dtype)
        arrays[m] = inputs, hidden, scores
    first_out, second_out = np.empty_like(first), np.empty_like(second)

    def run():
        with threadpool_limits(1):
            for _ in range(n_epochs):
                for m in lengths:
                    inputs, hidden, scores = arrays[m]
                    np.matmul(first, inputs.T, out=hidden)
                    np.matmul(second, hidden, out=scores)
                    np.matmul(scores, hidden.transpose(0, 2, 1), out=second_out)
                    np.matmul(second.transpose(0, 2, 1), scores, out=hidden)
                    np.matmul(hidden, inputs, out=first_out)

    return run


def bench_adam():
    for dtype in (np.float32, np.float64):
        print(f"\n{np.dtype(dtype).name:20}   h   epochs  MLP ms  ours ms  ratio  products")
        ratios = []
        for name, (X_raw, y), hidden_size, n_epochs in cases():
            X = StandardScaler().fit_transform(X_raw).astype(dtype)
            shared = {"max_iter": n_epochs, "tol": 0, "n_iter_no_change": n_epochs}
            theirs = MLPClassifier(
                hidden_size, batch_size=min(BATCH_SIZE, len(X)), random_state=0, **shared
            )
            ours = TwoLayerNetClassifier(
                hidden_size,
                batch_size=BATCH_SIZE,
                learning_rate=1e-3,
                schedule="constant",
                random_state=0,
                **shared,
            )
            products = products_alone(X, y, hidden_size, n_epochs)
            t_theirs, t_ours, t_products = medians_in_turn(
                partial(theirs.fit, X, y), partial(ours.fit, X, y), products
            )
            ratios.append(t_theirs / t_ours)
            print(
                f"{name:20} {hidden_size:3} {n_epochs:8} {1e3 * t_theirs:7.1f} "
                f"{1e3 * t_ours:8.1f} {ratios[-1]:6.2f} {t_products / t_ours:9.2f}"
            )
        print(f"geometric mean {geometric_mean(ratios):.2f}, least {min(ratios):.2f}")


def plain_descent(X, y, hidden_size, reg, step, n_iter, rng):
    """Train a ReLU net by whole-batch descent, as one writes it down."""
    n = len(X)
    W1, b1 = 0.01 * rng.standard_normal((X.shape[1], hidden_size)), np.zeros(hidden_size)
    W2, b2 = 0.01 * rng.standard_normal((hidden_size, y.max() + 1)), np.zeros(y.max() + 1)
    losses = []
    for _ in range(n_iter):
        hidden = np.maximum(0, X @ W1 + b1)
        exp_scores = np.exp(hidden @ W2 + b2)
        p = exp_scores / exp_scores.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(n), y]).mean()
        losses.append(loss + 0.5 * reg * ((W1**2).sum() + (W2**2).sum()))
        p[np.arange(n), y] -= 1
        p /= n
        d_hidden = p @ W2.T
        d_hidden[hidden <= 0] = 0
        W2 -= step * (hidden.T @ p + reg * W2)
        b2 -= step * p.sum(axis=0)
        W1 -= step * (X.T @ d_hidden + reg * W1)
        b1 -= step * d_hidden.sum(axis=0)
    return losses


def bench_descent():
    X, y = make_spiral(random_state=0)
    net = TwoLayerNetClassifier(
        100, solver="gd", learning_rate=1.0, max_iter=1000, init=0.01, random_state=0
    )
    rng = np.random.RandomState(0)
    plain, ours = medians_in_turn(
        lambda: plain_descent(X, y, 100, 1e-3, 1.0, 1000, rng), lambda: net.fit(X, y)
    )
    print(
        f"\nwhole-batch descent, spiral, h=100, 1000 iterations, float64: plain loop "
        f"{1e3 * plain:.0f} ms, ours {1e3 * ours:.0f} ms, ratio {plain / ours:.2f}"
    )


def bench_one_row():
    X, y = load_digits(return_X_y=True)
    theirs = MLPClassifier(max_iter=5, random_state=0).fit(X, y)
    ours = TwoLayerNetClassifier(max_iter=5, random_state=0).fit(X, y)
    row = X[:1]
    t_theirs, t_ours = medians_in_turn(
        lambda: theirs.predict_proba(row), lambda: ours.predict_proba(row), n_rounds=1001
    )
    print(
        f"predict_proba of one row: MLPClassifier {1e6 * t_theirs:.0f} us, "
        f"ours {1e6 * t_ours:.0f} us, ratio {t_theirs / t_ours:.2f}"
    )


def bench_import():
    code = (
        "import sklearn.neural_network; from time import perf_counter as t; a = t(); "
        "import sklearn_toynn; print(t() - a)"
    )
    # an installed package has its bytecode, whatever this environment says
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    times = [
        float(subprocess.run(command, capture_output=True, check=True, env=environ).stdout)
        for _ in range(2 * N_ROUNDS)
    ][N_ROUNDS:]
    print(f"import sklearn_toynn after sklearn.neural_network: {1e3 * median(times):.1f} ms")


if __name__ == "__main__":
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(
        f"{cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}; medians of {N_ROUNDS}"
    )
    bench_adam()
    bench_descent()
    bench_one_row()
    bench_import()
