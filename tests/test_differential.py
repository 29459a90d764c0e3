"""The linear solvers against a reference with a proof, on hard columns: no silent miss.

The long run is ``python tests/test_differential.py --n 3000``.
"""

import argparse
import sys
import time
import warnings
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache

import numpy as np
import pytest
from hard_columns import Problem, draw_problem
from numpy.testing import assert_allclose
from scipy.optimize import brentq, minimize
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from softmax_reference import excess, find_minimum

from sklearn_toynn import SoftmaxClassifier

SOLVERS = ["auto", "newton", "lbfgs"]
DTYPES = [np.dtype("f4"), np.dtype("f8")]
#: The excess of the objective over its minimum, relative, that needs no warning.
TOL = {"f": 1e-5, "d": 1e-6}
#: The share of fits that may end in a warning.
MOST_WARNINGS = {"f": 1 / 10, "d": 1 / 200}
#: Relative gaps as small as this are rounding in `gap_`.
ROUNDING = 1e-12
#: What the reference proves to more than this is no truth.
UNPROVEN = 1e-8

CHUNK, N_CHUNKS = 25, 12
#: The chunks that take no more than two seconds.
QUICK = (0, 4, 5, 7)
#: Seeds of small problems, with duplicates, offsets, outliers, spreads, heavy tails.
SMALL = [40, 228, 332, 397, 441, 300]


def seeds_of(chunk):
    return range(chunk * CHUNK, (chunk + 1) * CHUNK)


draw = cache(draw_problem)


@cache
def solve(seed):
    """Return the reference's `Minimum`."""
    return find_minimum(draw(seed))


@dataclass(frozen=True)
class Fit:
    """What one fit has come to."""

    coef: np.ndarray
    intercept: np.ndarray
    gap: float
    #: The text of its `ConvergenceWarning`, or "".
    warning: str
    seconds: float


@cache
def fit(seed, solver):
    """Fit, with any warning but `ConvergenceWarning` an error."""
    problem = draw(seed)
    model = SoftmaxClassifier(problem.reg, solver=solver)
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(problem.X, problem.y, problem.sample_weight)
    seconds = time.perf_counter() - start
    warning = str(caught[0].message) if caught else ""
    gap = getattr(model, "gap_", np.nan)
    return Fit(model.coef_, model.intercept_, gap, warning, seconds)


def relative_excess(seed, coef, intercept):
    """Return how far an objective is above the reference's, relative to the latter."""
    return excess(draw(seed), solve(seed), coef, intercept) / solve(seed).value


def describe(seed, solver):
    return f"seed {seed}, {solver}: {draw(seed).name}"


def find_faults(seed, solver):
    """Return sentences on a silent miss, and on a `gap_` below the truth."""
    result = fit(seed, solver)
    above = relative_excess(seed, result.coef, result.intercept)
    faults = []
    if not (above <= TOL[draw(seed).X.dtype.char] or result.warning):
        faults.append(f"{above:.1e} above the minimum without a warning")
    # gap_ is relative to the objective at the fitted parameters
    if not result.gap >= above / (1 + above) - ROUNDING:
        faults.append(f"gap_={result.gap:.1e} where {above / (1 + above):.1e} is true")
    return [f"{fault} ({describe(seed, solver)})" for fault in faults]


@pytest.mark.parametrize(
    "chunk",
    [pytest.param(k, marks=[] if k in QUICK else pytest.mark.slow) for k in range(N_CHUNKS)],
)
def test_no_silent_miss(chunk):
    faults = [
        fault
        for seed in seeds_of(chunk)
        for solver in SOLVERS
        for fault in find_faults(seed, solver)
    ]
    assert not faults, "\n".join(faults)
    assert max(solve(seed).gap for seed in seeds_of(chunk)) <= UNPROVEN


@pytest.mark.slow
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_warnings_are_rare(dtype, solver):
    seeds = [s for s in range(CHUNK * N_CHUNKS) if draw(s).X.dtype == dtype]
    warned = [describe(seed, solver) for seed in seeds if fit(seed, solver).warning]
    assert len(warned) <= MOST_WARNINGS[dtype.char] * len(seeds), "\n".join(warned)


numbers = np.vectorize(Decimal, otypes=[object])


def polish(problem, minimum):
    """Return the objective after two of Newton's steps from the reference's end, in Decimal.

    On the columns as they are; of the classes, whose weights sum to zero, the last is left out.
    """
    n_rows, n_classes = len(problem.y), problem.n_classes
    X = numbers(np.column_stack([problem.dense, np.ones(n_rows)]))
    w = np.ones(n_rows) if problem.sample_weight is None else problem.sample_weight
    w = numbers(w) / numbers(w).sum()
    Y = numbers(np.eye(n_classes)[problem.y])
    size = X.shape[1]
    reg = numbers(np.append(np.full(size - 1, problem.reg), 0.0))

    def probabilities(theta):
        scores = X @ theta.T
        E = np.exp(scores - scores.max(axis=1)[:, None])
        return E / E.sum(axis=1)[:, None]

    def block(P, k, m):
        return (X * (w * P[:, k] * ((k == m) - P[:, m]))[:, None]).T @ X + (k == m) * np.diag(reg)

    # a long double is the sum of two floats
    theta = np.column_stack([minimum.coef, minimum.intercept - minimum.coef @ minimum.centre])
    high = theta.astype(float)
    theta = numbers(high) + numbers((theta - high).astype(float))
    theta -= theta.sum(axis=0) / n_classes
    for _ in range(2):
        P = probabilities(theta)
        g = ((P - Y) * w[:, None]).T @ X + reg * theta
        H = np.array([[block(P, k, m) for m in range(n_classes)] for k in range(n_classes)])
        H = H[:-1, :-1] - H[-1:, :-1] - H[:-1, -1:] + H[-1, -1]
        order = (n_classes - 1) * size
        step = eliminate(H.transpose(0, 2, 1, 3).reshape(order, order), (g[:-1] - g[-1]).ravel())
        step = step.reshape(n_classes - 1, size)
        theta = theta - np.vstack([step, -step.sum(axis=0)])
    own = np.sum(probabilities(theta) * Y, axis=1)
    return -w @ np.vectorize(Decimal.ln, otypes=[object])(own) + np.sum(reg * theta**2) / 2


def eliminate(A, b):
    """Return A^-1 b by Gauss's elimination; A is positive definite."""
    A, b = A.copy(), b.copy()
    for j in range(len(b)):
        factors = A[j + 1 :, j] / A[j, j]
        A[j + 1 :] -= np.outer(factors, A[j])
        b[j + 1 :] -= factors * b[j]
    for j in reversed(range(len(b))):
        b[j] = (b[j] - A[j, j + 1 :] @ b[j + 1 :]) / A[j, j]
    return b


class TestReference:
    """What the reference says is checked by other means, where there are such."""

    @pytest.mark.parametrize("spread", [1e-12, 1e-3, 1.0, 1e8])
    @pytest.mark.parametrize("reg", [1e-8, 1e-3, 1.0])
    def test_two_rows(self, reg, spread):
        # x = +-spread, by symmetry b = 0 and W = (-w, w) / spread:
        # L = log(1 + exp(-2 w)) + reg w^2 / spread^2
        X = np.array([[spread], [-spread]])
        minimum = find_minimum(Problem(0, "", X, np.array([1, 0]), None, reg, 2))
        ridge = reg / spread**2
        w = brentq(lambda w: w * ridge - 1 / (1 + np.exp(2 * w)), 0, 100, xtol=1e-300, rtol=1e-15)
        assert_allclose(minimum.value, np.log1p(np.exp(-2 * w)) + ridge * w**2, rtol=1e-12)
        assert minimum.gap <= 1e-10

    @pytest.mark.parametrize("n_classes", [2, 3, 8])
    def test_scipy(self, n_classes):
        rng = np.random.RandomState(n_classes)
        X = rng.standard_normal((150, 4)) + 1
        y = rng.permutation(np.arange(150) % n_classes)
        weights, reg = rng.exponential(size=150), 0.01

        def objective(theta):
            theta = theta.reshape(n_classes, 5)
            entropy = -log_softmax(X @ theta[:, 1:].T + theta[:, 0], axis=1)[np.arange(150), y]
            return np.average(entropy, weights=weights) + reg / 2 * np.sum(theta[:, 1:] ** 2)

        found = minimize(objective, np.zeros(n_classes * 5), options={"gtol": 1e-6})
        minimum = find_minimum(Problem(0, "", X, y, weights, reg, n_classes))
        assert_allclose(minimum.value, found.fun, rtol=1e-9)
        assert minimum.gap <= 1e-10

    def test_excess_at_other_parameters(self):
        for seed in range(10):
            problem, minimum = draw(seed), solve(seed)
            coef = np.random.RandomState(seed).standard_normal(minimum.coef.shape)
            coef /= problem.dense.std(axis=0) + 1
            scores = problem.dense @ coef.T
            entropy = -log_softmax(scores, axis=1)[np.arange(len(scores)), problem.y]
            value = np.average(entropy, weights=problem.sample_weight)
            value += problem.reg / 2 * np.sum(coef**2)
            above = excess(problem, minimum, coef, np.zeros(len(coef)))
            assert_allclose(above, value - minimum.value, rtol=1e-8)

    @pytest.mark.parametrize("seed", SMALL)
    def test_in_eighty_digits(self, seed):
        problem, minimum = draw(seed), solve(seed)
        with localcontext(prec=80):
            value = polish(problem, minimum)
            below = 1 - float(value / Decimal(minimum.value))
        # with heavy tails scores are 1e8, of which a long double holds what the loss is made of
        scores = (problem.dense - minimum.centre) @ minimum.coef.T
        rounding = np.finfo(scores.dtype).eps * abs(scores).max() / minimum.value
        assert -1e-15 <= below <= minimum.gap + 1e-15 + rounding


def round_reference(seed):
    """Return the reference's parameters in the dtype of X: a bound on what can be asked for."""
    minimum, dtype = solve(seed), draw(seed).X.dtype
    coef = minimum.coef.astype(dtype)
    return coef, (minimum.intercept - coef @ minimum.centre).astype(dtype)


def run(start, n):
    """Compare on n seeds, print every fault and the counts."""
    counts, seconds, worst, slowest = Counter(), Counter(), Counter(), Counter()
    for seed in range(start, start + n):
        began = time.perf_counter()
        minimum, dtype = solve(seed), draw(seed).X.dtype
        seconds["reference"] += time.perf_counter() - began
        counts[dtype.name, "problems"] += 1
        counts[dtype.name, "unproven by the reference"] += not minimum.gap <= UNPROVEN
        out_of_reach = relative_excess(seed, *round_reference(seed)) > TOL[dtype.char]
        counts[dtype.name, "missed by the rounded reference"] += out_of_reach
        for solver in SOLVERS:
            key = f"{dtype.name}, {solver}"
            try:
                result = fit(seed, solver)
            except Exception as error:  # whatever it is, it is counted and the run goes on
                counts[key, "errors"] += 1
                say(f"{type(error).__name__}: {error} ({describe(seed, solver)})")
                continue
            faults = find_faults(seed, solver)
            say(*faults)
            above = relative_excess(seed, result.coef, result.intercept)
            counts[key, "fits"] += 1
            counts[key, "warnings"] += bool(result.warning)
            counts[key, "warnings within the tolerance"] += (
                bool(result.warning) and above <= TOL[dtype.char]
            )
            counts[key, "silent misses"] += any("without a warning" in fault for fault in faults)
            counts[key, "gap_ below the truth"] += any("gap_" in fault for fault in faults)
            if not result.warning:
                worst[key] = max(worst[key], above)
            seconds[solver] += result.seconds
            slowest[key] = max(slowest[key], result.seconds)
        for cached in (draw, solve, fit):
            cached.cache_clear()
    for (key, what), count in sorted(counts.items()):
        say(f"{key}: {count} {what}")
    for key in sorted(worst):
        say(
            f"{key}: worst excess without a warning {worst[key]:.1e}, slowest {slowest[key]:.2f} s"
        )
    say(*(f"{what}: {1e3 * total / n:.1f} ms a problem" for what, total in seconds.items()))


def say(*lines):
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=3000, help="the number of problems")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    arguments = parser.parse_args()
    run(arguments.start, arguments.n)
