"""Fit times of the nets, compared with `MLPClassifier` and a plain NumPy loop.

    python docs/benchmarks/bench_fit.py [--rounds 5]

Both train the same net with Adam on batches of 200 rows for the same number of epochs, without a
stopping rule. `MLPClassifier` uses its default number of threads. The script measures each set of
kernels and prints median times, their ratios and the share of the peak: the floating-point
operations of the matrix products, divided by the time of the whole fit (compiled) and by the speed
of a loop of fused multiply-adds on registers, which `cc` compiles.

Further tables and lines:

- nets with several hidden layers;
- eight nets and a fused search with one and two threads;
- gradient descent on the whole spiral, compared with a loop in plain NumPy;
- a fit of 50 rows and 20,000 columns;
- `predict_proba` of one row;
- the import time in addition to scikit-learn's.
"""

import argparse
import ctypes
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import geometric_mean, median
from tempfile import TemporaryDirectory

import numpy as np
from in_turn import KERNELS, KernelProcess, medians_in_turn, seconds, versions
from sklearn.datasets import load_digits, load_iris, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._nets.kernels.dispatch import instruction_set
from sklearn_toynn.datasets import make_spiral
from sklearn_toynn.model_selection import FusedGridSearchCV

BATCH_SIZE = 200
#: The size of a vector of the instruction set in use.
VECTOR_BYTES = {"avx512": 64, "avx2": 32, "sse2": 16}.get(instruction_set, 16)


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
    spiral = make_spiral(shuffle=False, random_state=0)
    yield "iris", iris, 8, 200
    yield "spiral", spiral, 20, 200
    yield "spiral", spiral, 100, 200
    for hidden_size in (16, 64, 128):
        yield "digits", digits, hidden_size, 20
    yield "20,000 x 16 x 26", generated(20_000, 16, 26), 100, 3
    yield "20,000 x 100 x 20", generated(20_000, 100, 20), 256, 3


def seconds_at(n_threads, call, *args):
    with threadpool_limits(n_threads):
        return seconds(call, *args)


PEAK = """
typedef REAL vector __attribute__((vector_size(BYTES)));
double run(long n) {
    vector a[12] = {{0}};
    vector b, c;
    for (unsigned i = 0; i < sizeof(b) / sizeof(REAL); i++) {
        b[i] = (REAL)0.5;
        c[i] = (REAL)1e-3;
    }
    for (long i = 0; i < n; i++)
        for (int k = 0; k < 12; k++)
            a[k] = a[k] * b + c;
    for (int k = 1; k < 12; k++)
        a[0] += a[k];
    return a[0][0];
}
"""


def compile_peak(dtype, folder):
    """Return a function without arguments that measures the peak in operations per second."""
    n_bytes, real = VECTOR_BYTES, {4: "float", 8: "double"}
    source = Path(folder) / f"peak_{dtype.name}.c"
    source.write_text(PEAK.replace("REAL", real[dtype.itemsize]).replace("BYTES", str(n_bytes)))
    library = source.with_suffix(".so")
    flags = ["-O3", "-march=native", "-funroll-loops", "-ffp-contract=fast", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, "-o", library, source], check=True)
    run = ctypes.CDLL(str(library)).run
    run.restype, n = ctypes.c_double, 2_000_000
    n_operations = n * 12 * 2 * n_bytes / dtype.itemsize
    return lambda: n_operations / seconds(run, ctypes.c_long(n))


def count_operations(X, y, hidden_size, n_epochs):
    """Return the number of additions and multiplications of the five matrix products."""
    n_samples, n_features = X.shape
    return 2 * n_epochs * n_samples * hidden_size * (2 * n_features + 3 * (y.max() + 1))


def standardized(X, dtype):
    return StandardScaler().fit_transform(X).astype(dtype)


def make_net(hidden_size, n_epochs, n_nets=1):
    return TwoLayerNetClassifier(
        hidden_size,
        n_nets=n_nets,
        batch_size=BATCH_SIZE,
        learning_rate=1e-3,
        schedule="constant",
        max_iter=n_epochs,
        tol=0,
        n_iter_no_change=n_epochs,
        random_state=0,
    )


def bench_adam(processes, n_rounds, folder):
    for x_dtype, training_dtype in (("float32", "auto"), ("float64", "auto"), ("float64",) * 2):
        of = "" if training_dtype == "auto" else f", dtype={training_dtype!r}"
        print(
            f"\n{'':34}ms{'':24}MLP over\n{x_dtype + of:26}h epochs    MLP compiled"
            "   numpy  compiled numpy      peak"
        )
        peaks = {name: compile_peak(np.dtype(name), folder) for name in ("float32", "float64")}
        ratios = []
        for name, (X_raw, y), hidden_size, n_epochs in cases():
            X = standardized(X_raw, x_dtype)
            theirs = MLPClassifier(
                hidden_size,
                batch_size=min(BATCH_SIZE, len(X)),
                max_iter=n_epochs,
                tol=0,
                n_iter_no_change=n_epochs,
                random_state=0,
            )
            ours = make_net(hidden_size, n_epochs).set_params(dtype=training_dtype)
            is_single = training_dtype == "auto" and len(X) > BATCH_SIZE
            t_theirs, t_compiled, t_numpy, peak = medians_in_turn(
                partial(seconds, theirs.fit, X, y),
                *(partial(process, seconds, ours.fit, X, y) for process in processes),
                peaks["float32" if is_single else x_dtype],
                n_rounds=n_rounds,
            )
            ratios.append((t_theirs / t_compiled, t_theirs / t_numpy))
            share = count_operations(X, y, hidden_size, n_epochs) / t_compiled / peak
            print(
                f"{name:18} {hidden_size:8} {n_epochs:6} {1e3 * t_theirs:6.1f} "
                f"{1e3 * t_compiled:8.1f} {1e3 * t_numpy:7.1f} {ratios[-1][0]:9.2f} "
                f"{ratios[-1][1]:5.2f} {share:9.2f}",
                flush=True,
            )
        for kernels, column in zip(KERNELS, zip(*ratios, strict=True), strict=True):
            mean, least = geometric_mean(column), min(column)
            print(f"{kernels}: geometric mean {mean:.2f}, least {least:.2f}")


def bench_layers(processes, n_rounds):
    X_raw, y = load_digits(return_X_y=True)
    print(f"\ndigits, 20 epochs{'':25}MLP ms  compiled          numpy")
    for sizes in ((64, 64), (128, 64, 32)):
        for dtype in (np.float32, np.float64):
            X = standardized(X_raw, dtype)
            how = {"max_iter": 20, "tol": 0, "n_iter_no_change": 20, "random_state": 0}
            theirs = MLPClassifier(sizes, batch_size=BATCH_SIZE, **how)
            ours = MultiLayerNetClassifier(
                sizes, batch_size=BATCH_SIZE, learning_rate=1e-3, schedule="constant", **how
            )
            mlp, *times = medians_in_turn(
                partial(seconds, theirs.fit, X, y),
                *(partial(process, seconds, ours.fit, X, y) for process in processes),
                n_rounds=n_rounds,
            )
            cells = "".join(f"{1e3 * took:10.1f} ({mlp / took:.2f})" for took in times)
            print(f"{sizes!s:32}{np.dtype(dtype).name:9}{1e3 * mlp:7.1f}{cells}", flush=True)


def thread_cases():
    iris, digits = load_iris(return_X_y=True), load_digits(return_X_y=True)
    spiral = make_spiral(random_state=0)
    yield "eight nets, iris, h=8", iris, make_net(8, 200, 8)
    yield "eight nets, spiral, h=20", spiral, make_net(20, 200, 8)
    yield "eight nets, spiral, h=100", spiral, make_net(100, 100, 8)
    yield "eight nets, digits, h=64", digits, make_net(64, 20, 8)
    for name, data, hidden_sizes in (("spiral", spiral, [5, 20]), ("digits", digits, [16, 64])):
        grid = {"hidden_size": hidden_sizes, "reg": np.logspace(-5, 0, 8)}
        search = FusedGridSearchCV(make_net(1, 20), grid, cv=3, refit=False)
        yield f"fused search, {name}, {hidden_sizes}", data, search


def bench_threads(processes, n_rounds):
    for dtype in (np.float32, np.float64):
        print(
            f"\n{np.dtype(dtype).name}: ms at one and at two threads"
            f"   compiled           ratio   numpy              ratio"
        )
        for name, (X_raw, y), model in thread_cases():
            X = standardized(X_raw, dtype)
            times = medians_in_turn(
                *(
                    partial(process, seconds_at, n_threads, model.fit, X, y)
                    for process in processes
                    for n_threads in (1, 2)
                ),
                n_rounds=n_rounds,
            )
            cells = (
                f"{1e3 * one:8.1f} {1e3 * two:8.1f} {one / two:7.2f}"
                for one, two in (times[:2], times[2:])
            )
            print(f"{name:35}" + "   ".join(cells), flush=True)


def plain_descent(X, y, hidden_size, reg, step, n_iter, rng):
    """Train a ReLU net by gradient descent on all rows, in plain NumPy."""
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


def bench_descent(processes, n_rounds):
    X, y = make_spiral(shuffle=False, random_state=0)
    net = TwoLayerNetClassifier(
        100, solver="gd", learning_rate=1.0, max_iter=1000, init=0.01, random_state=0
    )
    rng = np.random.RandomState(0)
    plain, *ours = medians_in_turn(
        partial(seconds, plain_descent, X, y, 100, 1e-3, 1.0, 1000, rng),
        *(partial(process, seconds, net.fit, X, y) for process in processes),
        n_rounds=n_rounds,
    )
    cells = (
        f"{kernels} {1e3 * took:.0f} ms, ratio {plain / took:.2f}"
        for kernels, took in zip(KERNELS, ours, strict=True)
    )
    print(
        "\nwhole-batch descent, spiral, h=100, 1000 iterations, float64: plain loop "
        f"{1e3 * plain:.0f} ms; {'; '.join(cells)}"
    )


def bench_wide(processes, n_rounds):
    X = np.random.RandomState(0).standard_normal((50, 20_000))
    y = np.arange(50) % 2
    net = TwoLayerNetClassifier(random_state=0)
    mlp, *ours = medians_in_turn(
        partial(seconds, MLPClassifier(random_state=0).fit, X, y),
        *(partial(process, seconds, net.fit, X, y) for process in processes),
        n_rounds=n_rounds,
    )
    cells = (f"{kernels} {took:.2f} s" for kernels, took in zip(KERNELS, ours, strict=True))
    print(f"50 x 20,000, defaults: MLPClassifier {mlp:.2f} s; {', '.join(cells)}")


def median_seconds(call, *args):
    return median(seconds(call, *args) for _ in range(201))


def bench_one_row(processes, n_rounds):
    X, y = load_digits(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    for theirs, ours in (
        (MLPClassifier(max_iter=5), TwoLayerNetClassifier(max_iter=5)),
        (LogisticRegression(), SoftmaxClassifier()),
    ):
        predict = ours.fit(X, y).predict_proba
        t_theirs, *t_ours = medians_in_turn(
            partial(median_seconds, theirs.fit(X, y).predict_proba, X[:1]),
            *(partial(process, median_seconds, predict, X[:1]) for process in processes),
            n_rounds=n_rounds,
        )
        cells = (
            f"{kernels} {1e6 * took:.0f} us, ratio {t_theirs / took:.2f}"
            for kernels, took in zip(KERNELS, t_ours, strict=True)
        )
        print(
            f"predict_proba of one row: {type(theirs).__name__} {1e6 * t_theirs:.0f} us; "
            f"{type(ours).__name__} {'; '.join(cells)}"
        )


def bench_import(n_rounds):
    code = (
        "import sklearn.neural_network; from time import perf_counter as t; a = t(); "
        "import sklearn_toynn; print(t() - a)"
    )
    # write bytecode, as an installed package has it
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    times = [
        float(subprocess.run(command, capture_output=True, check=True, env=environ).stdout)
        for _ in range(2 * n_rounds)
    ][n_rounds:]
    print(f"import sklearn_toynn after sklearn.neural_network: {1e3 * median(times):.1f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    n_rounds = parser.parse_args().rounds
    print(f"{versions()}; medians of {n_rounds}")
    processes = list(map(KernelProcess, KERNELS))
    with TemporaryDirectory() as folder:
        bench_adam(processes, n_rounds, folder)
    bench_layers(processes, n_rounds)
    bench_threads(processes, n_rounds)
    bench_descent(processes, n_rounds)
    bench_wide(processes, n_rounds)
    bench_one_row(processes, n_rounds)
    bench_import(n_rounds)
