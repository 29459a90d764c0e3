"""Columns on which earlier linear solvers stopped far from the minimum.

`softmax_reference` is the reference. `test_differential` tests random hard columns.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from softmax_reference import relative_excess

from sklearn_toynn import SoftmaxClassifier


def test_principal_components_with_tiny_variance(solver):
    X, y = load_digits(return_X_y=True)
    model = make_pipeline(StandardScaler(), PCA(), SoftmaxClassifier(solver=solver)).fit(X, y)
    assert model[1].explained_variance_[-1] < 1e-25
    assert model.score(X, y) > 0.99
    # a rotation changes neither loss nor penalty
    unrotated = SoftmaxClassifier(solver=solver).fit(StandardScaler().fit_transform(X), y)
    assert_allclose(model[-1].loss_, unrotated.loss_, rtol=1e-6)


def draw_spectra(rng):
    """Draw smooth curves near 1 with a peak that differs between the classes."""
    y, grid = np.arange(50) % 2, np.linspace(0, 1, 100)
    waves = np.cos(np.pi * np.outer(np.arange(1, 9), grid))
    X = 1 + 0.0015 * rng.standard_normal((50, 8)) @ waves
    X += 0.0005 * rng.standard_normal(X.shape)
    X += 0.001 * np.outer(2 * y - 1, np.exp(-(((grid - 0.5) / 0.05) ** 2)))
    return X.astype(np.float32), y


def draw_raw_columns(rng):
    """Draw columns whose scales span twelve decades; the widest are noise."""
    y = np.arange(50) % 2
    X = rng.standard_normal((50, 120)) + 0.4 * np.outer(y - 0.5, rng.uniform(size=120) < 0.3)
    X = (X + rng.standard_normal(120)) * 10 ** rng.uniform(-4, 1, 120)
    X[:, :4] *= np.array([1e5, 1e6, 1e7, 1e8]) / np.abs(X[:, :4]).max(axis=0)
    return X, y


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [6, 10])
def test_digits_with_scales_over_many_decades(n_classes, dtype):
    # conjugate gradients need a better preconditioner than the diagonal
    X, y = load_digits(return_X_y=True)
    used = np.flatnonzero(y < n_classes)[:800]
    X, y = (X[used] * np.logspace(-7, 7, 64)).astype(dtype), y[used]
    model = SoftmaxClassifier(max_iter=300).fit(X, y)  # a warning is an error
    assert model.gap_ <= model.tol


@pytest.mark.parametrize(("draw", "reg", "tol"), [
    (draw_spectra, 1e-6, 1e-5),
    (draw_raw_columns, 1e-3, 1e-6),
])  # fmt: skip
def test_more_columns_than_rows(draw, reg, tol, solver):
    X, y = draw(np.random.RandomState(0))
    model = SoftmaxClassifier(reg, solver=solver).fit(X, y)
    above = relative_excess(model, X, y)
    assert above <= tol
    assert above / (1 + above) - 1e-12 <= model.gap_ <= tol
    assert model.score(X, y) > 0.9


def test_the_rounding_of_float32_weights_is_reported(solver):
    # adjacent float32 values near 1e6 differ by 0.06, so rounding of weights changes the scores
    X, y = load_iris(return_X_y=True)
    X = (X + 1e6).astype(np.float32)
    with pytest.warns(ConvergenceWarning, match="above tol") as caught:
        model = SoftmaxClassifier(1e-6, solver=solver, tol=1e-9).fit(X, y)
    assert f"at most {model.gap_:.3g} of the objective" in str(caught[0].message)
    assert model.gap_ > 1e-5
    assert model.n_iter_ < 300
    above = relative_excess(model, X, y)
    assert above / (1 + above) <= model.gap_
