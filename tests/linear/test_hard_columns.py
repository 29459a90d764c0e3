"""Columns on which linear solvers once ended far from the minimum.

Truth is `softmax_reference`. `test_differential` has hard columns of every kind.
"""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from softmax_reference import draw_labels, relative_excess

from sklearn_toynn import SoftmaxClassifier

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
#: What is promised of the objective, relative to its minimum.
TOL = {"f": 1e-5, "d": 1e-6}
#: The rounding of a relative gap.
ROUNDING = 1e-12


def assert_minimum(X, y, solver, reg=1e-3):
    """Fit, with a warning as an error; the minimum is found, and `gap_` proves no more."""
    model = SoftmaxClassifier(reg, solver=solver).fit(X, y)
    above = relative_excess(model, X, y)
    assert above <= TOL[X.dtype.char]
    assert above / (1 + above) - ROUNDING <= model.gap_ <= TOL[X.dtype.char]
    return model


class TestTinySpread:
    """The steep penalty of one column says nothing of the others."""

    def test_components_of_standardised_digits(self, solver):
        X, y = load_digits(return_X_y=True)
        model = make_pipeline(StandardScaler(), PCA(), SoftmaxClassifier(solver=solver)).fit(X, y)
        assert model[1].explained_variance_[-1] < 1e-25
        assert model.score(X, y) > 0.99
        assert model[-1].loss_ < 0.1 < np.log(10)
        # a rotation changes neither loss nor penalty
        unrotated = SoftmaxClassifier(solver=solver).fit(StandardScaler().fit_transform(X), y)
        assert_allclose(model[-1].loss_, unrotated.loss_, rtol=1e-6)

    @pytest.mark.parametrize("factor", [1e-10, 1e-14])
    def test_units_of_iris(self, factor, solver):
        X, y = load_iris(return_X_y=True)
        X[:, 2] *= factor
        model = assert_minimum(X, y, solver)
        assert model.score(X, y) > 0.95
        assert model.n_iter_ < 50


def make_wide(kind):
    """More columns than rows, of which all can be told apart."""
    rng = np.random.RandomState(0)
    if kind == "spectra":  # smooth curves 1 +- 0.01, and a peak that tells the classes apart
        y, grid = np.arange(50) % 2, np.linspace(0, 1, 100)
        waves = np.cos(np.pi * np.outer(np.arange(1, 9), grid))
        X = 1 + 0.0015 * rng.standard_normal((50, 8)) @ waves
        X += 0.0005 * rng.standard_normal(X.shape)
        X += 0.001 * np.outer(2 * y - 1, np.exp(-(((grid - 0.5) / 0.05) ** 2)))
        return X.astype(np.float32), y
    y = np.arange(40) % 2
    X = rng.standard_normal((40, 80)) + np.outer(y - 0.5, np.arange(80) < 40)
    if kind == "offset":
        X += 1000
    else:
        X[:, -1] *= 1e4 if kind == "unit in float32" else 1e8
    return X.astype(np.float64 if kind == "unit in float64" else np.float32), y


def make_raw_columns(n_samples, n_features):
    """Columns whose spreads lie over twelve decades; the widest say nothing."""
    rng = np.random.RandomState(0)
    y = np.arange(n_samples) % 2
    is_telling = rng.uniform(size=n_features) < 0.3
    X = rng.standard_normal((n_samples, n_features)) + 0.4 * np.outer(y - 0.5, is_telling)
    X = (X + rng.standard_normal(n_features)) * 10 ** rng.uniform(-4, 1, n_features)
    X[:, :4] *= np.array([1e5, 1e6, 1e7, 1e8]) / np.abs(X[:, :4]).max(axis=0)
    return X, y


@both_dtypes
@pytest.mark.parametrize("n_classes", [6, 10])
def test_digits_in_units_over_many_decades(n_classes, dtype):
    # conjugate gradients need a better preconditioner than the diagonal
    X, y = load_digits(return_X_y=True)
    used = np.flatnonzero(y < n_classes)[:800]
    X, y = (X[used] * np.logspace(-7, 7, 64)).astype(dtype), y[used]
    model = SoftmaxClassifier(max_iter=300).fit(X, y)  # a warning is an error
    assert model.gap_ <= model.tol


class TestMoreColumnsThanRows:
    @pytest.mark.parametrize("kind", ["unit in float32", "unit in float64", "offset", "spectra"])
    def test_all_rows_are_told_apart(self, kind, solver):
        X, y = make_wide(kind)
        model = assert_minimum(X, y, solver, reg=1e-6 if kind == "spectra" else 1e-3)
        assert model.score(X, y) == 1

    def test_raw_columns(self, solver):
        X, y = make_raw_columns(50, 120)
        assert assert_minimum(X, y, solver).score(X, y) > 0.9


class TestSinglePrecision:
    """float32 parameters, at a minimum that is found in float64."""

    def test_offset_of_a_hundred_thousand(self, solver):
        rng = np.random.RandomState(0)
        X = rng.standard_normal((20_000, 8))
        y = draw_labels(X, 3, rng)
        X = (X + 1e5).astype(np.float32)
        with warnings.catch_warnings():  # weights are rounded to 1e-7, scores to 1e-2
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = SoftmaxClassifier(solver=solver).fit(X, y)
        assert model.n_iter_ < 50
        double = SoftmaxClassifier(solver=solver).fit(X.astype(float), y)
        above = model.loss_ / double.loss_ - 1
        assert -double.tol <= above <= min(model.gap_, 1e-4)

    def test_what_rounding_leaves_is_told(self, solver):
        # one float32 apart, a weight of 1 moves the scores by 0.06
        X, y = load_iris(return_X_y=True)
        X = (X + 1e6).astype(np.float32)
        with pytest.warns(ConvergenceWarning, match="above tol") as caught:
            model = SoftmaxClassifier(1e-6, solver=solver, tol=1e-9).fit(X, y)
        assert f"at most {model.gap_:.3g} of the objective" in str(caught[0].message)
        assert model.gap_ > 1e-5
        assert model.n_iter_ < 300
        above = relative_excess(model, X, y)
        assert above / (1 + above) <= model.gap_


def make_outliers(rng, X):
    X[rng.permutation(len(X))[:3], np.arange(3)] = 1e6
    return X


def make_cubed(rng, X):
    return (X / rng.standard_normal(X.shape)) ** 3


def make_log_normal(rng, X):
    return np.exp(4 * X)


def make_lone_entries(rng, X):
    is_there = np.arange(len(X))[:, None] == rng.permutation(len(X))[: X.shape[1]]
    return np.where(is_there, 10 ** rng.uniform(-3, 6, X.shape[1]), 0)


HEAVY_TAILS = [(make_outliers, 0), (make_cubed, 1), (make_log_normal, 2), (make_lone_entries, 3)]


@both_dtypes
@pytest.mark.parametrize(("n_columns", "n_classes"), [(5, 2), (30, 3)])
@pytest.mark.parametrize(("make", "seed"), HEAVY_TAILS)
def test_heavy_tails(make, seed, n_columns, n_classes, dtype, solver):
    # a small decrement far from the minimum proves nothing
    rng = np.random.RandomState(seed)
    X = rng.standard_normal((200, n_columns))
    y = draw_labels(X, n_classes, rng, strength=3)
    assert_minimum(make(rng, X).astype(dtype), y, solver, reg=1e-3 if n_columns == 5 else 1.0)
