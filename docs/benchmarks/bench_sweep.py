"""Search times of `GridSearchCV` and `FusedGridSearchCV` over hidden_size and reg.

    python docs/benchmarks/bench_sweep.py [--rounds 1] [--regs 1] [--jobs 1 2]

Each candidate is a pipeline of `StandardScaler` and a net, on 5 folds. The net trains with Adam at
a constant learning rate of 1e-3 on batches of 200 rows, without early stopping.
`FusedGridSearchCV` runs the whole grid. `GridSearchCV` runs all hidden sizes with `--regs` of the
16 values of reg, and the script scales its times up to the whole grid; `--regs 16` runs all. The
searches of our net run with each set of kernels. The table has the median times after a warm-up,
their ratios and the best scores of `MLPClassifier` and of the fused searches, each over the
candidates that it ran. The last line is the time of a fused search of 1,000 candidates on the
spiral.
"""

import argparse
from functools import partial
from statistics import geometric_mean

import numpy as np
from in_turn import KERNELS, KernelProcess, call_in_turn, seconds, versions
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.datasets import make_spiral
from sklearn_toynn.model_selection import FusedGridSearchCV

BATCH_SIZE, N_FOLDS = 200, 5
REGS = np.logspace(-5, 0, 16).tolist()


def cases():
    digits = load_digits(return_X_y=True)
    yield "iris", load_iris(return_X_y=True), [2, 4, 8, 16], 200
    yield "wine", load_wine(return_X_y=True), [2, 4, 8, 16], 200
    yield "spiral", make_spiral(random_state=0), [5, 10, 20, 50], 200
    yield "digits", digits, [8, 16, 32, 64], 50
    yield "digits", digits, [64, 128], 50


def behind_scaler(net):
    return Pipeline([("scaler", StandardScaler()), ("net", net)])


def ours(n_epochs):
    return behind_scaler(
        TwoLayerNetClassifier(
            learning_rate=1e-3,
            schedule="constant",
            batch_size=BATCH_SIZE,
            max_iter=n_epochs,
            tol=0,
            n_iter_no_change=n_epochs,
            random_state=0,
        )
    )


def theirs(n_epochs, n_rows):
    return behind_scaler(
        MLPClassifier(
            batch_size=min(BATCH_SIZE, n_rows),
            max_iter=n_epochs,
            tol=0,
            n_iter_no_change=n_epochs,
            random_state=0,
        )
    )


def searches(X, hidden_sizes, n_epochs, n_regs, n_jobs):
    """Return `GridSearchCV` of both nets on a part of the grid, and the fused search on all."""
    regs = REGS[:: len(REGS) // n_regs][:n_regs]
    n_rows = len(X) * (N_FOLDS - 1) // N_FOLDS
    sizes = [(h,) for h in hidden_sizes]
    # alpha / batch size corresponds to reg
    alphas = [reg * min(BATCH_SIZE, n_rows) for reg in regs]
    args = {"cv": N_FOLDS, "n_jobs": n_jobs, "refit": False}
    net, mlp = ours(n_epochs), theirs(n_epochs, n_rows)
    part = {"net__hidden_size": hidden_sizes, "net__reg": regs}
    return (
        GridSearchCV(mlp, {"net__hidden_layer_sizes": sizes, "net__alpha": alphas}, **args),
        GridSearchCV(net, part, **args),
        FusedGridSearchCV(net, part | {"net__reg": REGS}, **args),
    )


def run(search, X, y):
    """Return the time of a search and its best score."""
    return seconds(search.fit, X, y), search.cv_results_["mean_test_score"].max()


def contestants(processes, X, y, *grid):
    """Return calls: `MLPClassifier`'s search, then both searches of our net in each process."""
    mlp, *nets = searches(X, *grid)
    calls = [partial(process, run, net, X, y) for process in processes for net in nets]
    return partial(run, mlp, X, y), *calls


def bench_grids(processes, dtype, n_jobs, n_rounds, n_regs):
    _, (X, y), hidden_sizes, _ = next(cases())
    call_in_turn(contestants(processes, X, y, hidden_sizes, 1, 1, n_jobs), 1)  # warm up
    print(
        f"\n{np.dtype(dtype).name}, n_jobs={n_jobs}; seconds and ratios\n"
        f"{'':26}GridSearchCV  compiled       numpy          MLP/fused       grid/fused\n"
        f"{'':10}hidden          of MLP    grid  fused    grid  fused  compiled numpy  "
        "compiled numpy   best scores"
    )
    ratios = []
    for name, (X_raw, y), hidden_sizes, n_epochs in cases():
        X = X_raw.astype(dtype)
        calls = contestants(processes, X, y, hidden_sizes, n_epochs, n_regs, n_jobs)
        results = np.array(call_in_turn(calls, n_rounds))
        times, scores = np.median(results[:, :, 0], axis=1), results[:, 0, 1]
        times[[0, 1, 3]] *= len(REGS) / n_regs
        ratios.append(times[[0, 0, 1, 3]] / times[[2, 4, 2, 4]])
        best = " ".join(f"{score:.3f}" for score in scores[[0, 2, 4]])
        print(
            f"{name:9} {hidden_sizes!s:15} {times[0]:6.1f} "
            + "".join(f"{grid:8.1f} {fused:6.2f}" for grid, fused in (times[1:3], times[3:]))
            + "".join(
                f"{one:10.1f} {other:5.1f}" for one, other in (ratios[-1][:2], ratios[-1][2:])
            )
            + f"   {best}",
            flush=True,
        )
    names = (f"{of}, {kernels}" for of in ("MLP/fused", "grid/fused") for kernels in KERNELS)
    for name, column in zip(names, zip(*ratios, strict=True), strict=True):
        print(f"{name}: geometric mean {geometric_mean(column):.1f}, least {min(column):.1f}")


def bench_thousand(processes, n_jobs):
    X, y = make_spiral(random_state=0)
    grid = {"net__hidden_size": [5, 10, 20, 50], "net__reg": np.logspace(-5, 0, 250)}
    search = FusedGridSearchCV(ours(200), grid, cv=N_FOLDS, n_jobs=n_jobs, refit=False)
    cells = (
        f"{kernels} {process(seconds, search.fit, X.astype(np.float32), y):.1f} s"
        for kernels, process in zip(KERNELS, processes, strict=True)
    )
    print(
        f"1,000 candidates x {N_FOLDS} folds on the spiral, 200 epochs, float32, "
        f"n_jobs={n_jobs}: {', '.join(cells)}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--regs", type=int, default=1, choices=[1, 2, 4, 8, 16])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    print(
        f"{versions()}; medians of {args.rounds}; both GridSearchCV on {args.regs} of 16 reg, "
        f"times scaled by {16 // args.regs}"
    )
    processes = list(map(KernelProcess, KERNELS))
    for n_jobs in args.jobs:
        for dtype in (np.float32, np.float64):
            bench_grids(processes, dtype, n_jobs, args.rounds, args.regs)
        bench_thousand(processes, n_jobs)
