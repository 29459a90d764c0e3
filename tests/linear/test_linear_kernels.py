"""The cross-entropy in both sets of kernels, compared with plain formulas."""

import numpy as np
import pytest
from kernel_cases import assert_checks, needs_compiled
from numpy.testing import assert_allclose
from scipy.special import log_softmax, softmax

from sklearn_toynn._linear.linear_kernels import derivative_change, numpy_cross_entropy

try:
    from sklearn_toynn._nets.kernels._compiled import cross_entropy as compiled_cross_entropy
except ImportError:
    compiled_cross_entropy = None

both_sets = pytest.mark.parametrize(
    "cross_entropy",
    [numpy_cross_entropy, pytest.param(compiled_cross_entropy, marks=needs_compiled)],
    ids=["numpy", "compiled"],
)
#: n_classes, n_rows
shapes = pytest.mark.parametrize("shape", [(2, 1), (2, 300), (3, 256), (10, 1001), (40, 9)])


def draw(shape, spread=3.0):
    n_classes, n_rows = shape
    rng = np.random.RandomState(0)
    scores, weights = spread * rng.standard_normal(shape), rng.uniform(size=n_rows)
    return scores, rng.randint(0, n_classes, n_rows), weights / weights.sum()


@both_sets
@shapes
@pytest.mark.parametrize("spread", [0, 3, 300])
def test_cross_entropy(cross_entropy, shape, spread):
    scores, codes, weights = draw(shape, spread)
    rows, derivative, p = np.arange(len(codes)), scores.copy(), softmax(scores, axis=0)
    value = cross_entropy(derivative, codes, weights)
    assert_allclose(value, -weights @ log_softmax(scores, axis=0)[codes, rows], rtol=1e-13)
    p[codes, rows] = -np.sum(p, axis=0, where=codes != np.arange(len(p))[:, None])
    assert_allclose(derivative, weights * p, rtol=1e-12, atol=1e-300)


@both_sets
@pytest.mark.parametrize("gap", [1.0, 10.0, 40.0, 700.0])
def test_small_losses_are_precise(cross_entropy, gap):
    scores = np.array([[gap], [0.0]])
    value = cross_entropy(scores, np.zeros(1, np.intp), np.ones(1))
    assert_allclose(value, np.log1p(np.exp(-gap)), rtol=1e-14)
    assert_allclose(scores[:, 0], np.array([-1, 1]) / (1 + np.exp(gap)), rtol=1e-14)


@both_sets
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_affect_only_their_row(cross_entropy, bad):
    scores, codes, weights = draw((3, 300))
    scores[1, 7] = bad
    with np.errstate(invalid="ignore"):
        assert np.isnan(cross_entropy(scores, codes, weights))
    assert np.flatnonzero(np.isnan(scores).any(axis=0)) == [7]


@shapes
def test_derivative_change(shape):
    scores, _, weights = draw(shape)
    changes, p = np.random.RandomState(1).standard_normal(shape), softmax(scores, axis=0)
    expected = weights * p * (changes - np.sum(p * changes, axis=0))
    derivative_change(changes, p, weights)
    assert_allclose(changes, expected, rtol=1e-12, atol=1e-15 * weights.max())


@needs_compiled
@shapes
def test_compiled_results_do_not_depend_on_the_alignment(shape):
    scores, codes, weights = draw(shape)
    results = []
    for offset in range(4):
        shifted = np.empty(scores.size + offset)[offset:].reshape(shape)
        shifted[...] = scores
        results.append((compiled_cross_entropy(shifted, codes, weights), shifted.tobytes()))
    assert len(set(results)) == 1


@needs_compiled
def test_arrays_are_checked():
    assert_checks(compiled_cross_entropy, *draw((3, 20)))
