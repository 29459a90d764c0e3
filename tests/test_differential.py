"""The linear solvers find the proven minimum or warn, on random problems with hard columns."""

import warnings
from dataclasses import dataclass
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
#: The relative excess of the objective over its minimum that is allowed without a warning.
TOL = {"f": 1e-5, "d": 1e-6}
#: The allowed fraction of fits with a warning.
MOST_WARNINGS = {"f": 1 / 10, "d": 1 / 200}
#: The allowed rounding of `gap_`, relative to the objective.
ROUNDING = 1e-12
#: The largest gap of a proven reference.
PROVEN = 1e-8
#: The seeds of the problems.
ALL = range(300)
#: The largest size of X times the number of classes in the quick test.
QUICK_SIZE = 2000

draw = cache(draw_problem)


@cache
def solve(seed):
    """Return the reference's `Minimum`."""
    return find_minimum(draw(seed))


@dataclass(frozen=True)
class Fit:
    """The result of one fit."""

    coef: np.ndarray
    intercept: np.ndarray
    gap: float
    #: The text of its `ConvergenceWarning`, or "".
    warning: str


@cache
def fit(seed, solver):
    """Fit. Warnings other than `ConvergenceWarning` are errors."""
    problem = draw(seed)
    model = SoftmaxClassifier(problem.reg, solver=solver)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(problem.X, problem.y, problem.sample_weight)
    warning = str(caught[0].message) if caught else ""
    return Fit(model.coef_, model.intercept_, getattr(model, "gap_", np.nan), warning)


def find_faults(seed, solver):
    """Describe a missed minimum without a warning and a `gap_` that is too small."""
    result, minimum = fit(seed, solver), solve(seed)
    above = excess(draw(seed), minimum, result.coef, result.intercept) / minimum.value
    faults = []
    if not (above <= TOL[draw(seed).X.dtype.char] or result.warning):
        faults.append(f"{above:.1e} above the minimum without a warning")
    # gap_ is relative to the objective of the fitted parameters
    if not result.gap >= above / (1 + above) - ROUNDING:
        faults.append(f"gap_={result.gap:.1e}, but the gap is {above / (1 + above):.1e}")
    if not minimum.gap <= PROVEN:
        faults.append(f"the reference is proven only to {minimum.gap:.1e}")
    return [f"{fault} (seed {seed}, {solver}: {draw(seed).name})" for fault in faults]


def check(seeds):
    faults = [fault for seed in seeds for solver in SOLVERS for fault in find_faults(seed, solver)]
    assert not faults, "\n".join(faults)


def test_fits_of_small_problems_find_the_minimum_or_warn():
    seeds = [s for s in ALL if draw(s).X.size * draw(s).n_classes <= QUICK_SIZE]
    assert len(seeds) > 100
    check(seeds)


@pytest.mark.slow
@pytest.mark.parametrize("start", ALL[::25])
def test_fits_of_all_problems_find_the_minimum_or_warn(start):
    check(range(start, start + 25))


@pytest.mark.slow
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", ["f", "d"])
def test_warnings_are_rare(dtype, solver):
    seeds = [s for s in ALL if draw(s).X.dtype.char == dtype]
    warned = [draw(s).name for s in seeds if fit(s, solver).warning]
    assert len(warned) <= MOST_WARNINGS[dtype] * len(seeds), "\n".join(warned)


class TestReference:
    """The reference agrees with independent computations."""

    @pytest.mark.parametrize("spread", [1e-12, 1e-3, 1.0, 1e8])
    @pytest.mark.parametrize("reg", [1e-8, 1e-3, 1.0])
    def test_its_minimum_equals_the_closed_form_for_two_rows(self, reg, spread):
        # x = +-spread, by symmetry b = 0 and W = (-w, w) / spread:
        # L = log(1 + exp(-2 w)) + reg w^2 / spread^2
        X = np.array([[spread], [-spread]])
        minimum = find_minimum(Problem(0, "", X, np.array([1, 0]), None, reg, 2))
        ridge = reg / spread**2
        w = brentq(lambda w: w * ridge - 1 / (1 + np.exp(2 * w)), 0, 100, xtol=1e-300, rtol=1e-15)
        assert_allclose(minimum.value, np.log1p(np.exp(-2 * w)) + ridge * w**2, rtol=1e-12)
        assert minimum.gap <= 1e-10

    @pytest.mark.parametrize("n_classes", [2, 3, 8])
    def test_its_minimum_equals_the_minimum_of_scipy(self, n_classes):
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

    def test_excess_is_the_difference_of_the_objectives(self):
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
