"""Small searches compared with `MLPClassifier`; the effect of parameters, n_jobs and float32.

    python docs/benchmarks/bench_search.py [ordinary] [parameters] [jobs] [--rounds 1]

"ordinary": 12 candidates (3 widths and 4 penalties) on 3 folds, with two jobs and the refit.
`GridSearchCV` of `MLPClassifier` is compared with `GridSearchCV` and `FusedGridSearchCV` of our
net with each set of kernels. Accuracy and log loss are measured on held-out rows after the refit.
The settings are:

- default parameters for both;
- `MLPClassifier(early_stopping=True)`, against our defaults and against a few epochs of our net,
  which shows how long our net takes to reach the same log loss;
- equal settings: Glorot initialization, a constant learning rate of 1e-3 and early stopping (by
  log loss for our net, by accuracy for `MLPClassifier`);
- the same number of epochs for both.

"parameters": `GridSearchCV` and `FusedGridSearchCV` over one or two parameters, on the digits,
with one job.

"jobs": the speed-up of fits and fused searches by a second job and by float32.
"""

import argparse
from functools import partial

import numpy as np
from in_turn import KERNELS, KernelProcess, call_in_turn, seconds, versions
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV

WIDTHS, PENALTIES = [50, 100, 200], np.logspace(-5, -2, 4)


def load_large():
    return make_classification(
        20_000, 40, n_informative=20, n_redundant=0, n_classes=5, random_state=0
    )


# ---- small searches


def hold_out(X, y):
    return train_test_split(X, y, random_state=0)


def settings(n_epochs):
    """Yield a name, the parameters of `MLPClassifier` and the parameters of our net."""
    alike = {"init": "glorot", "learning_rate": 1e-3, "schedule": "constant"}
    alike |= {"early_stopping": True, "tol": 1e-4, "max_iter": 200}
    epochs = {"tol": 0, "max_iter": n_epochs, "n_iter_no_change": n_epochs}
    stops = {"early_stopping": True}
    yield "defaults", {}, {}
    yield "MLP stops early", stops, {}
    for few in (5, 10, 20):
        yield f"ours: {few} epochs", stops, {"max_iter": few}
    yield "equal settings", stops, alike
    yield f"{n_epochs} epochs each", stops | epochs, alike | epochs


def ordinary_searches(theirs, ours):
    mlp = MLPClassifier(random_state=0, **theirs)
    net = TwoLayerNetClassifier(random_state=0, **ours)
    # alpha / batch size corresponds to reg
    their_grid = {"hidden_layer_sizes": WIDTHS, "alpha": 200 * PENALTIES}
    our_grid = {"hidden_size": WIDTHS, "reg": PENALTIES}
    args = {"cv": 3, "n_jobs": 2}
    return (
        GridSearchCV(mlp, their_grid, **args),
        GridSearchCV(net, our_grid, **args),
        FusedGridSearchCV(net, our_grid, **args),
    )


def run(search, X, X_test, y, y_test):
    """Return the time, accuracy and log loss of a search."""
    took = seconds(search.fit, X, y)
    return took, search.score(X_test, y_test), log_loss(y_test, search.predict_proba(X_test))


def contestants(processes, rows, *params):
    """Return calls: `MLPClassifier`'s search, then both searches of our net in each process."""
    mlp, *nets = ordinary_searches(*params)
    calls = [partial(process, run, net, *rows) for process in processes for net in nets]
    return partial(run, mlp, *rows), *calls


def bench_ordinary(processes, n_rounds):
    data = {
        "digits": (hold_out(*load_digits(return_X_y=True)), 30),
        "15,000 x 40 x 5": (hold_out(*load_large()), 10),
    }
    print(
        f"\n{'':33}seconds{'':33}MLP over fused      accuracy     log loss\n"
        f"{'':33}   MLP  compiled        numpy\n"
        f"{'':33}          grid  fused    grid  fused   compiled numpy    MLP  ours    MLP  ours"
    )
    for name, (rows, n_epochs) in data.items():
        for setting, *params in settings(n_epochs):
            results = np.array(call_in_turn(contestants(processes, rows, *params), n_rounds))
            mlp, grid_compiled, fused_compiled, grid_numpy, fused_numpy = np.median(
                results[:, :, 0], axis=1
            )
            (_, their_score, their_loss), (_, our_score, our_loss) = results[[0, 2], 0]
            print(
                f"{name:16}{setting:17}{mlp:6.1f}{grid_compiled:8.1f}{fused_compiled:7.2f}"
                f"{grid_numpy:8.1f}{fused_numpy:7.2f}{mlp / fused_compiled:11.2f}"
                f"{mlp / fused_numpy:6.2f}{their_score:7.3f}{our_score:6.3f}{their_loss:7.3f}"
                f"{our_loss:6.3f}",
                flush=True,
            )


# ---- single parameters


def parameter_grids():
    yield {"reg": np.logspace(-5, 0, 8)}
    yield {"learning_rate": np.logspace(-3.5, -1.5, 8)}
    yield {"solver": ["sgd"], "momentum": np.linspace(0, 0.95, 8)}
    yield {"reg": np.logspace(-4, -1, 4), "learning_rate": [3e-3, 1e-2]}
    yield {"reg": np.logspace(-4, -1, 4), "hidden_size": [32, 64]}
    yield {"hidden_size": [8, 16, 24, 32, 48, 64, 96, 128]}
    yield {"activation": ["relu", "leaky_relu", "logistic", "tanh", "gelu", "silu"]}
    yield {"solver": ["adam", "sgd", "gd", "lbfgs"]}
    yield {"schedule": ["constant", "inverse", "cosine", "plateau"]}
    yield {"batch_size": [50, 100, 150, 200, 250, 300, 350, 400]}
    yield {"max_iter": [5, 10, 15, 20, 25, 30, 35, 40]}
    yield {"init": ["he", "lecun", "glorot", 0.01]}
    yield {"n_nets": [1, 2, 4, 8]}
    yield {"early_stopping": [False, True]}
    yield {"class_weight": [None, "balanced"]}
    yield {"random_state": list(range(8))}


def bench_parameters(processes, n_rounds):
    X, y = load_digits(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    net = TwoLayerNetClassifier(64, max_iter=20, random_state=0)
    print(
        f"\n{'ms and ratios of the two searches':40}compiled{'':18}numpy\n"
        f"{'parameter':28}candidates  grid  fused  ratio    grid  fused  ratio"
    )
    for grid in parameter_grids():
        searches = [
            search(net, grid, cv=3, refit=False) for search in (GridSearchCV, FusedGridSearchCV)
        ]
        calls = [
            partial(process, seconds, search.fit, X, y)
            for process in processes
            for search in searches
        ]
        times = np.median(call_in_turn(calls, n_rounds), axis=1)
        varied = ", ".join(key for key, values in grid.items() if len(values) > 1)
        cells = (
            f"{1e3 * alone:8.0f}{1e3 * fused:7.0f}{alone / fused:7.2f}"
            for alone, fused in (times[:2], times[2:])
        )
        print(
            f"{varied:28}{np.prod(list(map(len, grid.values()))):10}" + "".join(cells), flush=True
        )


# ---- n_jobs and float32


def works():
    digits, large = load_digits(return_X_y=True), load_large()
    widths = {"hidden_size": WIDTHS, "reg": PENALTIES}
    regs = {"reg": np.logspace(-5, 0, 12)}
    for name, data, n_epochs in (("digits", digits, 20), ("20,000 x 40 x 5", large, 3)):
        net = TwoLayerNetClassifier(max_iter=n_epochs, random_state=0)
        yield f"{name}, fit", data, net
        yield f"{name}, fit of eight nets", data, clone(net).set_params(n_nets=8)
        for of, grid in (("12 reg", regs), ("3 widths x 4 reg", widths)):
            yield f"{name}, {of}", data, FusedGridSearchCV(net, grid, cv=3, refit=False)


def bench_jobs(processes, n_rounds):
    print(
        f"\n{'':40}compiled{'':26}numpy\n"
        f"{'':38}seconds  n_jobs=2  float32  both   seconds  n_jobs=2  float32  both"
    )
    for name, (X_raw, y), work in works():
        X = StandardScaler().fit_transform(X_raw)
        is_search = isinstance(work, FusedGridSearchCV)
        works_of_jobs = [work, clone(work).set_params(n_jobs=2)] if is_search else [work]
        calls = [
            partial(process, seconds, one.fit, X.astype(dtype), y)
            for process in processes
            for dtype in (np.float64, np.float32)
            for one in works_of_jobs
        ]
        times = np.median(call_in_turn(calls, n_rounds), axis=1)
        cells = ""
        for of_set in np.reshape(times, (len(processes), 2, -1)):
            ratios = of_set[0, 0] / of_set
            two_jobs = [f"{ratio:8.2f}" for ratio in ratios[:, 1]] if is_search else ["-", "-"]
            cells += f"{of_set[0, 0]:10.2f}{two_jobs[0]:>10}{ratios[1, 0]:9.2f}{two_jobs[1]:>6}"
        print(f"{name:35}{cells}", flush=True)


PARTS = {"ordinary": bench_ordinary, "parameters": bench_parameters, "jobs": bench_jobs}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="part")
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    print(f"{versions()}; medians of {args.rounds}")
    processes = list(map(KernelProcess, KERNELS))
    digits = hold_out(*load_digits(return_X_y=True))
    call_in_turn(contestants(processes, digits, {"max_iter": 1}, {"max_iter": 1}), 1)  # warm up
    for part in args.parts or PARTS:
        PARTS[part](processes, args.rounds)
