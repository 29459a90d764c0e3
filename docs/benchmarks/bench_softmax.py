"""Fit times of softmax regression, compared with every solver of `LogisticRegression`.

    python docs/benchmarks/bench_softmax.py [name ...]
    python docs/benchmarks/bench_softmax.py --approaches [name ...]

The targets are relative gaps of the objective to its minimum: 1e-4, 1e-6 and 1e-8. On each data
set, each solver of `LogisticRegression` first runs once with each of many tolerances. For each
target, the fastest tolerance that reaches it is then timed in turn with
`SoftmaxClassifier(tol=target)`. The table has the minimum times of the whole `fit`, because other
processes can only slow it down. `LogisticRegression` runs with its default number of threads and
with one thread, which is faster for small products; "best" is the faster one. Solvers that do not
reach the target within the time limit are named. The smallest objective of all runs, including
`SoftmaxClassifier(tol=1e-13)`, counts as the minimum.

--approaches: the milliseconds and iterations to a gap of 1e-6 with a single model of the Hessian,
from zero and on all rows. "auto" is the default, which starts on some of the rows if there are
many. Its iterations include those on some of the rows.
"""

import argparse
import platform
import warnings
from collections import defaultdict
from contextlib import contextmanager
from statistics import geometric_mean
from time import perf_counter

import numpy as np
import scipy
import scipy.sparse as sp
import sklearn
from joblib import cpu_count
from scipy.ndimage import gaussian_filter
from scipy.special import logsumexp
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import ThreadpoolController

from sklearn_toynn import SoftmaxClassifier
from sklearn_toynn._linear import descent_starts
from sklearn_toynn._linear.descent import Descent
from sklearn_toynn._linear.hessian_models import (
    ClassFactors,
    Diagonal,
    FullHessian,
    UniformFactor,
)

TARGETS = (1e-4, 1e-6, 1e-8)
THEIR_SOLVERS = ("lbfgs", "newton-cholesky", "newton-cg", "sag", "saga")
TOLERANCES = 10.0 ** -np.arange(1, 11.1, 0.5)
BLAS = ThreadpoolController()


# ---- data


def draw(X, n_classes, rng, strength=2.0):
    scores = X @ (strength / np.sqrt(X.shape[1]) * rng.standard_normal((n_classes, X.shape[1]))).T
    return np.argmax(scores + rng.gumbel(size=scores.shape), axis=1)


def plain(n_samples, n_features, n_classes):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features))
    return X, draw(X, n_classes, rng)


def decades():
    rng = np.random.default_rng(1)
    Z = rng.standard_normal((20_000, 100)) + rng.standard_normal(100)
    return Z * 10.0 ** rng.permutation(np.linspace(-3, 3, 100)), draw(Z, 5, rng)


def wide():
    rng = np.random.default_rng(2)
    y = np.arange(200) % 4
    means = rng.standard_normal((4, 1000)) * (rng.random(1000) < 0.1)
    return rng.standard_normal((200, 1000)) + 0.5 * means[y], y


def images():
    """Draw images of 28 x 28 pixels in [0, 1], dark at the rim: three noisy prototypes a class."""
    rng = np.random.default_rng(3)
    prototypes = [gaussian_filter(rng.standard_normal((28, 28)), 2.5) for _ in range(30)]
    y = rng.integers(0, 10, 5000)
    rows, columns = np.mgrid[:28, :28]
    window = np.exp(-((((rows - 13.5) ** 2 + (columns - 13.5) ** 2) / 70) ** 2))
    X = np.empty((len(y), 784))
    for i, which in enumerate(3 * y + rng.integers(0, 3, len(y))):
        image = np.roll(
            prototypes[which] / prototypes[which].std(), rng.integers(-2, 3, 2), (0, 1)
        )
        image = image + 0.9 * gaussian_filter(rng.standard_normal((28, 28)), 1.5) / 0.19
        X[i] = np.clip((image - 0.6) * window, 0, 1).ravel()
    return np.where(X < 0.02, 0, X), y


def text_like():
    rng = np.random.default_rng(4)
    X = sp.random(20_000, 30_000, 0.002, format="csr", random_state=4)
    X.data = 0.2 + X.data
    y = np.argmax(X @ (0.8 * rng.standard_normal((30_000, 9))) + rng.gumbel(size=(20_000, 9)), 1)
    X.data /= np.repeat(np.sqrt(np.add.reduceat(X.data**2, X.indptr[:-1])), np.diff(X.indptr))
    return X, y


def real(loader, *, scaled):
    X, y = loader(return_X_y=True)
    return (StandardScaler().fit_transform(X) if scaled else X.astype(float)), y


REAL = {"iris": load_iris, "wine": load_wine, "cancer": load_breast_cancer, "digits": load_digits}
DATA = {
    **{
        f"{name} {'scaled' if scaled else 'raw'}": lambda loader=loader, scaled=scaled: real(
            loader, scaled=scaled
        )
        for name, loader in REAL.items()
        for scaled in (False, True)
    },
    "20,000 x 50 x 10": lambda: plain(20_000, 50, 10),
    "20,000 x 100 x 5, six decades": decades,
    "100,000 x 20 x 3": lambda: plain(100_000, 20, 3),
    "200 x 1,000 x 4": wide,
    "5,000 x 784 x 10, images": images,
    "20,000 x 30,000 x 9, sparse": text_like,
}
UNSCALED = ("raw", "six decades")


def cases(names):
    for name, make in DATA.items():
        if not names or any(part in name for part in names):
            X, y = make()
            n_classes = y.max() + 1
            for C in (1, 100):
                reg = (2.0 if n_classes == 2 else 1.0) / (C * len(y))
                yield name, X, y, C, reg


# ---- LogisticRegression and SoftmaxClassifier


def objective(X, y, reg, coef, intercept):
    scores = np.asarray(X @ coef.T) + intercept
    return np.mean(logsumexp(scores, axis=1) - scores[np.arange(len(y)), y]) + reg / 2 * np.sum(
        coef**2
    )


def their_objective(model, X, y, reg):
    coef, intercept = model.coef_, model.intercept_
    if len(coef) == 1:
        coef, intercept = np.vstack([-coef / 2, coef / 2]), np.r_[-intercept / 2, intercept / 2]
    return objective(X, y, reg, coef, intercept)


def seconds(call):
    start = perf_counter()
    call()
    return perf_counter() - start


def applies(solver, name, X, y):
    if solver == "newton-cholesky":
        return not sp.issparse(X) and X.shape[1] * (y.max() + 1) <= 1000
    return solver not in ("sag", "saga") or not any(word in name for word in (*UNSCALED, "images"))


def climb(solver, X, y, C, reg, cap):
    """Return (tol, max_iter, seconds, objective) for each tolerance, until one takes too long."""
    few = {"newton-cholesky": 1, "newton-cg": 1}.get(solver, 5)
    short = LogisticRegression(C=C, solver=solver, max_iter=few, tol=1e-14)
    each = seconds(lambda: short.fit(X, y)) / few
    max_iter = 500 if solver == "newton-cg" else int(np.clip(cap / each, 10, 20_000))
    rungs, spent = [], 0.0
    for tol in TOLERANCES:
        model = LogisticRegression(C=C, solver=solver, max_iter=max_iter, tol=tol)
        took = seconds(lambda model=model: model.fit(X, y))
        rungs.append((tol, max_iter, took, their_objective(model, X, y, reg)))
        spent += took
        if took > cap or spent > 2.5 * cap or np.max(model.n_iter_) >= max_iter:
            break
    return rungs


def compare(names, cap):
    print(
        f"{'data':30}    C  target   ours ms its     gap  best of theirs, ms"
        "                x best  default  lbfgs"
    )
    ratios = defaultdict(lambda: defaultdict(list))
    for name, X, y, C, reg in cases(names):
        tight = SoftmaxClassifier(reg, tol=1e-13, max_iter=5000).fit(X, y)
        ladders = {
            solver: climb(solver, X, y, C, reg, cap)
            for solver in THEIR_SOLVERS
            if applies(solver, name, X, y)
        }
        least = min([tight.loss_, *(rung[3] for rungs in ladders.values() for rung in rungs)])
        for target in TARGETS:
            row = time_in_turn(X, y, C, reg, ladders, least, target)
            best, default, lbfgs, missed = row["best"], row["default"], row["lbfgs"], row["missed"]
            print(
                f"{name:30} {C:4} {target:7.0e} {1e3 * row['ours']:9.2f} {row['n_iter']:3} "
                f"{row['gap']:7.0e}  {row['which']:16} {1e3 * best:10.2f} "
                f"{best / row['ours']:20.2f} {default / row['ours']:8.2f} "
                f"{'>' if 'lbfgs' in missed else ' '}{lbfgs / row['ours']:.2f}"
                + (f"  not reached: {', '.join(missed)}" if missed else ""),
                flush=True,
            )
            if np.isfinite(best):
                ratios[target]["best"].append(best / row["ours"])
                ratios[target]["default"].append(default / row["ours"])
            ratios[target]["lbfgs"].append(lbfgs / row["ours"])
    for target, by_rival in ratios.items():
        summary = "; ".join(
            f"{rival} {geometric_mean(values):.2f} (least {min(values):.2f}, {len(values)} rows)"
            for rival, values in by_rival.items()
        )
        print(f"speed-up at {target:.0e}, geometric means: {summary}")
    print(
        "x best: their fastest solver, at the default number of threads or at one; default: their "
        "fastest solver at the default number; lbfgs: this solver, at the faster number; >: it "
        "did not reach the target in this time"
    )


def time_in_turn(X, y, C, reg, ladders, least, target):
    """Time `SoftmaxClassifier`, the two fastest solvers and lbfgs in turn."""
    reached, missed = {}, {}
    for solver, rungs in ladders.items():
        enough = [rung for rung in rungs if rung[3] <= least * (1 + target)]
        if enough:
            reached[solver] = min(enough, key=lambda rung: rung[2])
        else:
            missed[solver] = max(rung[2] for rung in rungs)
    ranked = sorted(reached, key=lambda solver: reached[solver][2])
    kept = ranked[:2] + [solver for solver in ("lbfgs",) if solver in ranked[2:]]
    ours = SoftmaxClassifier(reg, tol=target)
    times = defaultdict(list, {"ours": [seconds(lambda: ours.fit(X, y))]})
    slowest = max([reached[solver][2] for solver in kept], default=9)
    n_rounds = 31 if slowest < 0.03 else 9 if slowest < 0.3 else 3 if slowest < 2 else 1
    for _ in range(n_rounds):
        times["ours"].append(seconds(lambda: ours.fit(X, y)))
        for solver in kept:
            tol, max_iter, *_ = reached[solver]
            model = LogisticRegression(C=C, solver=solver, tol=tol, max_iter=max_iter)
            times[solver, None].append(seconds(lambda model=model: model.fit(X, y)))
            with BLAS.limit(limits=1):
                times[solver, 1].append(seconds(lambda model=model: model.fit(X, y)))
    least_times = {key: min(values) for key, values in times.items()}
    our_time = least_times.pop("ours")
    which = min(least_times, key=least_times.get, default=("none", None))
    lbfgs = [value for (solver, _), value in least_times.items() if solver == "lbfgs"]
    return {
        "ours": our_time,
        "n_iter": ours.n_iter_,
        "gap": ours.loss_ / least - 1,
        "which": which[0],
        "best": least_times.get(which, np.nan),
        "default": min([t for (_, n), t in least_times.items() if n is None], default=np.nan),
        "lbfgs": min(lbfgs, default=missed.get("lbfgs", np.nan)),
        "missed": missed,
    }


# ---- models of the Hessian


def forced(first, *renewals):
    """Return a rule that always chooses the given models."""

    class Dear(first):
        @classmethod
        def cost(cls, objective):  # noqa: ARG003
            return 1e18  # too expensive to be renewed

    return lambda objective, solver: (first, renewals or (Dear,), False)  # noqa: ARG005


#: Replacements of `choose_hessian_models`; None keeps it.
APPROACHES = {
    "exact Newton": lambda objective, solver: (UniformFactor, (FullHessian,), True),  # noqa: ARG005
    "bound": forced(UniformFactor),
    "diagonal": forced(Diagonal),
    "class factors": forced(UniformFactor, ClassFactors),
    "full, renewed": forced(UniformFactor, FullHessian),
    "auto": None,
}


@contextmanager
def approach_taken(name):
    """Use another rule to choose the models; all but "auto" start from zero."""
    rule, before = (
        APPROACHES[name],
        (descent_starts.choose_hessian_models, descent_starts.WARM_START_STRIDE),
    )
    if rule is not None:
        descent_starts.choose_hessian_models, descent_starts.WARM_START_STRIDE = rule, 10**9
    try:
        yield
    finally:
        descent_starts.choose_hessian_models, descent_starts.WARM_START_STRIDE = before


def compare_approaches(names):
    print(f"{'data':30}    C " + "".join(f"{approach:>18}" for approach in APPROACHES))
    for name, X, y, C, reg in cases(names):
        cells = []
        n_free = y.max() * (X.shape[1] + 1)
        least = SoftmaxClassifier(reg, tol=1e-12).fit(X, y).loss_
        for approach in APPROACHES:
            needs_hessian = approach in ("exact Newton", "full, renewed")
            if (needs_hessian and n_free > 1500) or (n_free > 20_000 and approach == "bound"):
                cells.append("-")
                continue
            with approach_taken(approach):
                cells.append(time_to(least, 1e-6, SoftmaxClassifier(reg, tol=1e-9), X, y))
        print(f"{name:30} {C:4} " + "".join(f"{cell:>18}" for cell in cells), flush=True)
    print(
        "ms (iterations) to a relative gap of 1e-6; -: the model is too large, or 1000 iterations "
        "are too few"
    )


def time_to(least, target, model, X, y):
    """Return the time and the iterations until the relative gap is at most `target`."""
    goal, best = least * (1 + target), np.inf
    for _ in range(3):
        start, marks = perf_counter(), []
        record = Descent.advance

        def advance(descent, record=record, marks=marks, start=start):
            # the objective on some of the rows may be lower than the minimum on all rows
            has_all = descent.objective.n_rows == X.shape[0]
            marks.append((descent.loss if has_all else np.inf, perf_counter() - start))
            return record(descent)

        Descent.advance = advance
        try:
            model.fit(X, y)
        finally:
            Descent.advance = record
        marks.append((model.loss_, perf_counter() - start))
        reached = [(i, took) for i, (loss, took) in enumerate(marks) if loss <= goal]
        if not reached:
            return "-"
        best = min(best, reached[0][1])
    return f"{1e3 * best:.1f} ({reached[0][0]})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", help="parts of the data sets' names")
    parser.add_argument("--approaches", action="store_true")
    parser.add_argument("--cap", type=float, default=6.0, help="maximum seconds of a fit")
    args = parser.parse_args()
    print(
        f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}, "
        f"scikit-learn {sklearn.__version__}, {cpu_count()} cores"
    )
    warnings.simplefilter("ignore")  # large tolerances warn
    if args.approaches:
        compare_approaches(args.names)
    else:
        compare(args.names, args.cap)


if __name__ == "__main__":
    main()
