"""Searches over hidden size and reg: `GridSearchCV` beside `FusedGridSearchCV`, in turn.

    python docs/benchmarks/bench_sweep.py [--rounds 3] [--regs 4] [--jobs 1 2]

Each search is over a `StandardScaler` and a net trained by Adam at a constant step of 1e-3 on
batches of 200, without early stop, on 5 folds. `FusedGridSearchCV` runs over the whole grid.
The two others run over `--regs` of its 16 values of reg, at all hidden sizes, and their times
are scaled up to the whole, which leaves out nothing but their constant costs; 16 runs all.
Printed are medians, ratios, and the best score of each (of what it ran). Last comes the time of
1,000 candidates on the spiral.
"""

import argparse
import platform
import warnings
from statistics import geometric_mean, median
from time import perf_counter

import numpy as np
import scipy
import sklearn
from joblib import cpu_count
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
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
    yield "spiral", make_spiral(shuffle=True, random_state=0), [5, 10, 20, 50], 200
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
    """Return three searches, unfitted, and by what their times are to be scaled."""
    regs = REGS[:: len(REGS) // n_regs][:n_regs]
    n_rows = len(X) * (N_FOLDS - 1) // N_FOLDS
    sizes = [(h,) for h in hidden_sizes]
    # alpha / n of the one is reg of the other
    alphas = [reg * n_rows for reg in regs]
    args = {"cv": N_FOLDS, "n_jobs": n_jobs, "refit": False}
    net, mlp = ours(n_epochs), theirs(n_epochs, n_rows)
    part = {"net__hidden_size": hidden_sizes, "net__reg": regs}
    scale = len(REGS) / len(regs)
    return (
        GridSearchCV(mlp, {"net__hidden_layer_sizes": sizes, "net__alpha": alphas}, **args),
        GridSearchCV(net, part, **args),
        FusedGridSearchCV(net, part | {"net__reg": REGS}, **args),
    ), (scale, scale, 1)


def seconds(search, X, y):
    start = perf_counter()
    search.fit(X, y)
    return perf_counter() - start


def bench_grids(dtype, n_jobs, n_rounds, n_regs):
    print(
        f"\n{np.dtype(dtype).name}, n_jobs={n_jobs}: seconds of GridSearchCV(MLPClassifier), "
        "GridSearchCV and FusedGridSearchCV\n"
        "          hidden          MLP     grid    fused   MLP/fused  grid/fused   best scores"
    )
    ratios = []
    for name, (X_raw, y), hidden_sizes, n_epochs in cases():
        X = X_raw.astype(dtype)
        contestants, scales = searches(X, hidden_sizes, n_epochs, n_regs, n_jobs)
        times = [[seconds(search, X, y) for search in contestants] for _ in range(n_rounds)]
        t_mlp, t_grid, t_fused = (
            scale * median(column)
            for scale, column in zip(scales, zip(*times, strict=True), strict=True)
        )
        ratios.append((t_mlp / t_fused, t_grid / t_fused))
        best = " ".join(f"{s.cv_results_['mean_test_score'].max():.3f}" for s in contestants)
        print(
            f"{name:9} {hidden_sizes!s:14}{t_mlp:8.1f} {t_grid:8.1f} {t_fused:8.2f} "
            f"{ratios[-1][0]:11.1f} {ratios[-1][1]:11.1f}   {best}",
            flush=True,
        )
    for of, column in zip(("MLP/fused", "grid/fused"), zip(*ratios, strict=True), strict=True):
        print(f"{of}: geometric mean {geometric_mean(column):.1f}, least {min(column):.1f}")


def bench_thousand(n_jobs):
    X, y = make_spiral(shuffle=True, random_state=0)
    grid = {"net__hidden_size": [5, 10, 20, 50], "net__reg": np.logspace(-5, 0, 250)}
    search = FusedGridSearchCV(ours(200), grid, cv=N_FOLDS, n_jobs=n_jobs, refit=False)
    print(
        f"1,000 candidates x {N_FOLDS} folds on the spiral, 200 epochs, float32, "
        f"n_jobs={n_jobs}: {seconds(search, X.astype(np.float32), y):.1f} s"
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore", ConvergenceWarning)
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--regs", type=int, default=4, choices=[1, 2, 4, 8, 16])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    print(
        f"{cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}; medians of "
        f"{args.rounds}; both GridSearchCV on {args.regs} of 16 reg, times scaled by "
        f"{16 // args.regs}"
    )
    for n_jobs in args.jobs:
        for dtype in (np.float32, np.float64):
            bench_grids(dtype, n_jobs, args.rounds, args.regs)
        bench_thousand(n_jobs)
