"""The kernels of the linear model: NumPy's beside plain formulas, the compiled beside NumPy's."""

import numpy as np
import pytest
from helpers import assert_same_bits
from kernel_cases import assert_checks
from numpy.testing import assert_allclose
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.datasets import load_iris

from sklearn_toynn import SoftmaxClassifier
from sklearn_toynn._linear import descent
from sklearn_toynn._linear.linear_kernels import NumpyLinearKernels as NumpyKernels

try:
    from sklearn_toynn._linear.linear_kernels import CompiledLinearKernels as CompiledKernels
except ImportError:
    CompiledKernels = None

both_sets = pytest.mark.parametrize(
    "kernels",
    [
        NumpyKernels,
        pytest.param(
            CompiledKernels, marks=pytest.mark.skipif(CompiledKernels is None, reason="not built")
        ),
    ],
)
#: n_classes, n_rows, size
shapes = pytest.mark.parametrize(
    "shape", [(2, 1, 1), (2, 300, 5), (3, 150, 4), (3, 256, 1), (10, 1001, 7), (40, 9, 12)]
)


def draw(shape, spread=3.0):
    n_classes, n_rows, size = shape
    rng = np.random.RandomState(0)
    scores = spread * rng.standard_normal((n_classes, n_rows))
    weights = rng.uniform(size=n_rows)
    codes = rng.randint(0, n_classes, n_rows)
    return scores, codes, weights / weights.sum(), rng.standard_normal((n_rows, size))


@both_sets
@shapes
@pytest.mark.parametrize("spread", [0, 3, 300])
@pytest.mark.parametrize("keeps", [True, False])
def test_cross_entropy(kernels, shape, spread, keeps):
    scores, codes, weights, _ = draw(shape, spread)
    rows, derivative = np.arange(len(codes)), scores.copy()
    P = np.empty_like(scores) if keeps else None
    value = kernels.cross_entropy(derivative, codes, weights, P)
    p = softmax(scores, axis=0)
    losses = -log_softmax(scores, axis=0)[codes, rows]
    assert_allclose(value, weights @ losses, rtol=1e-13)
    expected = p.copy()
    expected[codes, rows] = -np.sum(p, axis=0, where=codes != np.arange(len(p))[:, None])
    assert_allclose(derivative, weights * expected, rtol=1e-12, atol=1e-300)
    if keeps:
        assert_allclose(P, p, rtol=1e-12, atol=1e-300)


@both_sets
@pytest.mark.parametrize("gap", [1.0, 10.0, 40.0, 700.0])
def test_cross_entropy_keeps_the_digits_of_small_losses(kernels, gap):
    scores = np.array([[gap], [0.0]])
    value = kernels.cross_entropy(scores, np.zeros(1, np.intp), np.ones(1), None)
    assert_allclose(value, np.log1p(np.exp(-gap)), rtol=1e-14)
    assert_allclose(scores[:, 0], np.array([-1, 1]) / (1 + np.exp(gap)), rtol=1e-14)


@both_sets
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_row(kernels, bad):
    scores, codes, weights, _ = draw((3, 300, 1))
    scores[1, 7] = bad
    changes, P = scores.copy(), np.empty_like(scores)
    with np.errstate(invalid="ignore"):
        assert np.isnan(kernels.cross_entropy(changes, codes, weights, P))
        kernels.softmax(scores)
    for values in (changes, P, scores):
        is_bad = np.isnan(values).any(axis=0)
        assert is_bad[7]
        assert is_bad.sum() == 1


@both_sets
@shapes
@pytest.mark.parametrize("spread", [3, 1e4])
def test_softmax(kernels, shape, spread):
    scores, *_ = draw(shape, spread)
    expected = softmax(scores, axis=0)
    kernels.softmax(scores)
    assert_allclose(scores, expected, rtol=1e-12, atol=1e-300)


@both_sets
@shapes
def test_derivative_change(kernels, shape):
    scores, _, weights, _ = draw(shape)
    changes, p = np.random.RandomState(1).standard_normal(scores.shape), softmax(scores, axis=0)
    expected = weights * p * (changes - np.sum(p * changes, axis=0))
    kernels.derivative_change(changes, p, weights)
    assert_allclose(changes, expected, rtol=1e-12, atol=1e-15 * weights.max())


@both_sets
@shapes
def test_hessian(kernels, shape):
    scores, _, weights, Z = draw(shape)
    n_classes, size = len(scores), Z.shape[1]
    ridge, p = np.linspace(0, 1, size), softmax(scores, axis=0)
    n_free = n_classes - 1
    covariance = np.einsum("ki,kl->kli", p, np.eye(n_classes)) - p[:, None] * p
    expected = np.einsum("i,kli,ia,ib->kalb", weights, covariance[:n_free, :n_free], Z, Z)
    coupling = np.eye(n_free) - 1 / n_classes
    expected += np.einsum("kl,ab->kalb", coupling, np.diag(ridge))
    order = n_free * size
    H = np.zeros((order, order), order="F")
    H = kernels.add_hessian(H, Z, p, weights)
    kernels.add_penalty(H, ridge, n_classes)
    expected = np.tril(expected.reshape(order, order))
    assert_allclose(np.tril(H), expected, rtol=1e-11, atol=1e-14)


@both_sets
@shapes
def test_solve_hessian(kernels, shape):
    n_classes, _, size = shape
    rng, order = np.random.RandomState(0), (n_classes - 1) * size
    A = rng.standard_normal((order, order))
    H = A @ A.T + order * np.eye(order)
    gradient = rng.standard_normal((n_classes, size))
    factor = np.asfortranarray(np.linalg.cholesky(H) + np.triu(A, 1))  # what is above is not read
    steps = np.empty_like(gradient)
    kernels.solve_hessian(factor, gradient, steps)
    assert_allclose(steps.sum(axis=0), 0, atol=1e-13)
    differences = (steps[:-1] - steps[-1]).ravel()
    assert_allclose(H @ differences, gradient[:-1].ravel(), rtol=1e-9, atol=1e-12)


needs_compiled = pytest.mark.skipif(CompiledKernels is None, reason="not built")


def fit(monkeypatch, newton_steps, make_X, **params):
    X, y = load_iris(return_X_y=True)
    monkeypatch.setattr(descent.kernels, "newton_steps", newton_steps)
    return SoftmaxClassifier(1e-4, **params).fit(make_X(X), y)


@needs_compiled
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("make_X", [np.copy, lambda X: X**3, np.zeros_like])
@pytest.mark.parametrize("solver", ["auto", "newton"])
@pytest.mark.parametrize("max_iter", ["auto", 1, 2, 5])
def test_newton_steps_are_those_that_a_descent_takes_one_by_one(
    monkeypatch, max_iter, solver, make_X
):
    params = {"solver": solver, "max_iter": max_iter}
    alone = fit(monkeypatch, None, make_X, **params)
    model = fit(monkeypatch, CompiledKernels.newton_steps, make_X, **params)
    assert model.n_iter_ == alone.n_iter_
    assert model.stop_reason_ == alone.stop_reason_
    assert_allclose(model.loss_curve_, alone.loss_curve_, rtol=1e-9)
    assert_allclose(model.predict_proba(make_X(load_iris().data)).sum(axis=1), 1)
    assert_allclose(model.loss_, alone.loss_, rtol=1e-9)


@pytest.mark.parametrize("solver", ["auto", "newton"])
def test_steps_that_are_watched_one_by_one_have_the_same_bits(solver):
    X, y = load_iris(return_X_y=True)
    alone = SoftmaxClassifier(1e-4, solver=solver).fit(X, y)
    assert_same_bits(alone, clone(alone).set_params(verbose=1).fit(X, y))


@needs_compiled
def test_newton_steps_leave_one_that_is_too_long():
    scores, codes, weights, Z = draw((3, 50, 4))
    gradient = (np.full((3, 50), 1 / 3) - np.eye(3)[codes].T) * weights @ Z
    theta, before = np.zeros((3, 4)), gradient.copy()
    n_steps, loss, is_current, has_factor = CompiledKernels.newton_steps(
        Z,
        codes,
        weights,
        np.full(4, 1e-3),
        theta,
        gradient,
        np.log(3),
        np.asfortranarray(1e-3 * np.eye(8)),
        np.empty_like(scores),
        np.empty(9),
        1e-7,
        0.0,
    )
    assert (n_steps, loss, is_current, has_factor) == (0, np.log(3), False, True)
    assert not theta.any()
    assert np.array_equal(gradient, before)


@needs_compiled
@shapes
def test_compiled_results_do_not_depend_on_where_the_arrays_lie(shape):
    scores, codes, weights, _ = draw(shape)
    results = []
    for offset in range(4):
        place = np.empty(scores.size + offset)[offset:].reshape(scores.shape)
        place[...] = scores
        results.append((CompiledKernels.cross_entropy(place, codes, weights, None), place.copy()))
    for value, derivative in results[1:]:
        assert value == results[0][0]
        assert np.array_equal(derivative, results[0][1])


@pytest.mark.skipif(CompiledKernels is None, reason="not built")
def test_arrays_are_checked():
    n_classes, size = 3, 4
    scores, codes, weights, Z = draw((n_classes, 20, size))
    P, order = softmax(scores, axis=0), (n_classes - 1) * size
    factor, gradient = np.eye(order, order="F"), Z[:n_classes]
    H = np.asfortranarray(np.ones((order, order)))
    kernels = CompiledKernels
    assert_checks(kernels.cross_entropy, scores, codes, weights, np.zeros_like(P))
    assert_checks(kernels.softmax, scores)
    assert_checks(kernels.derivative_change, scores, P, weights)
    assert_checks(lambda H, ridge: kernels.add_penalty(H, ridge, n_classes), H, np.ones(size))
    assert_checks(kernels.add_hessian, H, Z, P, weights)
    assert_checks(kernels.solve_hessian, factor, gradient, np.zeros_like(gradient))
    assert_checks(
        lambda *arrays: kernels.newton_steps(*arrays[:6], 1.0, *arrays[6:], 0.0, 0.0),
        *(Z, codes, weights, np.ones(size), np.zeros((n_classes, size)), gradient),
        *(factor, np.zeros_like(P), np.zeros(2)),
        any_length=[8],
    )
