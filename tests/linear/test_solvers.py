"""The linear model's solvers: the minimum itself, what they say of it, and which way they take."""

import re
import warnings
from functools import cache

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import scipy.sparse as sp
from helpers import linear_objective
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp, softmax
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import SoftmaxClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV

LOADERS = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "digits": load_digits,
}
every_solver = pytest.mark.parametrize("solver", ["newton", "lbfgs", "auto"])


def draw(X, n_classes, rng, strength=2.0):
    """Labels that a softmax model of X gives, so that the classes overlap."""
    n_features = X.shape[1]
    W = strength / np.sqrt(n_features) * rng.standard_normal((n_features, n_classes))
    return np.argmax(X @ W + rng.gumbel(size=(X.shape[0], n_classes)), axis=1)


def generated(n_samples, n_features, n_classes, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.standard_normal((n_samples, n_features))
    return X, draw(X, n_classes, rng)


def text_like(n_samples=1000, n_features=200, n_classes=5):
    """Rows like those of term frequencies: few entries, all positive, of length 1."""
    rng = np.random.RandomState(0)
    X = sp.random(n_samples, n_features, 0.05, format="csr", random_state=0)
    X.data = 0.2 + X.data
    lengths = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
    X = sp.csr_array(sp.diags(1 / np.maximum(lengths, 1e-9)) @ X)
    return X, draw(X, n_classes, rng, strength=20.0)


@cache
def load(name):
    if name in LOADERS:
        X, y = LOADERS[name](return_X_y=True)
        return X.astype(float), y
    if name == "text-like":
        return text_like()
    if name.startswith("scaled "):
        X, y = load(name.removeprefix("scaled "))
        return StandardScaler().fit_transform(X), y
    X, y = generated(*map(int, name.split(" x ")))
    return X, y


# ---- the objective, once more and plainly


def gradient(coef, intercept, X, y, reg, w=None):
    """With respect to coef and intercept."""
    w = np.full(len(y), 1 / len(y)) if w is None else w / w.sum()
    P = softmax(np.asarray(X @ coef.T) + intercept, axis=1)
    P[np.arange(len(y)), y] -= 1
    P *= w[:, None]
    return np.asarray((X.T @ P).T) + reg * coef, P.sum(axis=0)


def plain_newton(X, y, reg, w=None, n_iter=100):
    """The least objective that Newton's method with every block of the Hessian can find.

    On dense, standardised rows, with the penalty of the original columns, by least squares, so
    that the free mean of the intercepts does no harm. It goes on until the loss stands still.
    """
    X = X.toarray() if sp.issparse(X) else X
    n, D, K = *X.shape, y.max() + 1
    w = np.full(n, 1 / n) if w is None else w / w.sum()
    mean, std = w @ X, np.sqrt(w @ (X - w @ X) ** 2)
    is_constant = std <= 1e-12 * abs(mean)
    inverse = np.where(is_constant, 0, 1 / np.where(is_constant, 1, std))
    Z = np.c_[(X - mean) * inverse, np.ones(n)]
    ridge = np.append(reg * inverse**2, 0)
    onehot = np.eye(K)[y]

    def value(theta):
        scores = Z @ theta.T
        losses = logsumexp(scores, axis=1) - scores[np.arange(n), y]
        return w @ losses + 0.5 * (ridge * theta**2).sum(), softmax(scores, axis=1)

    theta = np.zeros((K, D + 1))
    best, P = value(theta)
    for _ in range(n_iter):
        g = ((P - onehot) * w[:, None]).T @ Z + ridge * theta
        H = np.zeros((K, D + 1, K, D + 1))
        for k in range(K):
            for m in range(k + 1):
                curvature = w * P[:, k] * ((k == m) - P[:, m])
                H[k, :, m] = (Z * curvature[:, None]).T @ Z
                H[m, :, k] = H[k, :, m].T
            H[k, :, k] += np.diag(ridge)
        H = H.reshape(theta.size, theta.size)
        H[np.diag_indices(len(H))] += 1e-14 * H.diagonal().max()
        step = scipy.linalg.solve(H, -g.ravel(), assume_a="sym").reshape(theta.shape)
        for t in 0.5 ** np.arange(30):
            trial, trial_P = value(theta + t * step)
            if trial < best:
                break
        if not trial < best:
            break
        theta, best, P = theta + t * step, trial, trial_P
    return best


@cache
def optimum(name, reg):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)  # of near-singular Hessians
        return plain_newton(*load(name), reg)


def reg_of(name, C):
    """LogisticRegression's C as reg."""
    _, y = load(name)
    return (2 if y.max() == 1 else 1) / (C * len(y))


def assert_minimum(model, X, y, least, tol, w=None):
    loss = linear_objective(model.coef_, model.intercept_, X, y, model.reg_, w)
    assert loss <= least * (1 + tol)
    assert_allclose(model.loss_, loss, rtol=1e-9)
    assert_allclose(model.intercept_.sum(), 0, atol=1e-9 * (1 + abs(model.intercept_).max()))
    # g'd/2 over the directions of the standardised columns is a part of the gap
    coef_gradient, intercept_gradient = gradient(
        model.coef_, model.intercept_, X, y, model.reg_, w
    )
    dense = X.toarray() if sp.issparse(X) else X
    std = dense.std(axis=0) if w is None else np.sqrt(np.cov(dense.T, aweights=w).diagonal())
    mean = np.average(dense, axis=0, weights=w)
    shifted = coef_gradient - np.outer(intercept_gradient, mean)
    scaled = np.divide(shifted, std, where=std > 1e-9 * abs(mean), out=np.zeros_like(shifted))
    # a convex function with a curvature of at most 1/2 + reg/std^2 along each of them
    bound = 0.5 + np.divide(model.reg_, std**2, where=std > 0, out=np.full_like(std, np.inf))
    assert (scaled**2 <= 4 * bound * (tol * least + 1e-14)).all()
    assert (abs(intercept_gradient) <= 2 * np.sqrt(tol * least + 1e-14)).all()


# ---- the minimum


REAL = [f"{scaling}{name}" for name in LOADERS for scaling in ("", "scaled ")]
QUICK = ["iris", "scaled iris", "wine", "scaled wine", "breast cancer", "scaled breast cancer"]


@pytest.mark.parametrize("C", [1, 100])
@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in REAL),
        "800 x 30 x 2",
        "400 x 4 x 40",
        pytest.param("1500 x 6 x 100", marks=pytest.mark.slow),
        "40 x 60 x 3",
        pytest.param("text-like", marks=pytest.mark.slow),
    ],
)
@every_solver
def test_gap_is_within_tol(name, C, solver):
    (X, y), reg = load(name), reg_of(name, C)
    least = optimum(name, reg)
    for tol in (1e-8, SoftmaxClassifier().tol, 1e-4):
        model = SoftmaxClassifier(reg, solver=solver, tol=tol).fit(X, y)
        assert_minimum(model, X, y, least, tol)
    assert SoftmaxClassifier().tol <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "solver"),
    [
        ("2300 x 2000 x 3", "auto"),  # the Hessian has 4002 rows here
        *(("400 x 2000 x 3", solver) for solver in ("newton", "lbfgs", "auto")),
        *(("800 x 2000 x 2", solver) for solver in ("newton", "lbfgs", "auto")),
    ],
)
def test_gap_with_two_thousand_columns(name, solver):
    # the plain Newton above would take minutes: here the solvers bound each other, far tighter
    (X, y), reg = load(name), reg_of(name, 1)
    least = SoftmaxClassifier(reg, tol=1e-12).fit(X, y).loss_
    for tol in (1e-8, SoftmaxClassifier().tol):
        assert_minimum(SoftmaxClassifier(reg, solver=solver, tol=tol).fit(X, y), X, y, least, tol)


@pytest.mark.parametrize("solver", ["lbfgs", "auto"])
def test_digits(solver):
    # the same against a descent that knows nothing of the Hessian's models
    X, y = load("digits")
    X, y = X[:600], y[:600]
    model = SoftmaxClassifier(1e-3, solver=solver).fit(X, y)
    reference = scipy.optimize.minimize(
        lambda v: (
            linear_objective(v[:640].reshape(10, 64), v[640:], X, y, 1e-3),
            np.concatenate(
                [g.ravel() for g in gradient(v[:640].reshape(10, 64), v[640:], X, y, 1e-3)]
            ),
        ),
        np.r_[model.coef_.ravel(), model.intercept_],
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 3000, "maxfun": 9000, "ftol": 0, "gtol": 1e-8},
    )
    assert_minimum(model, X, y, reference.fun, 1e-6)


@every_solver
def test_sparse_is_the_dense_problem(solver):
    X, y = text_like(300, 40, 3)
    sparse, dense = (
        SoftmaxClassifier(1e-4, solver=solver, tol=1e-12).fit(rows, y)
        for rows in (sp.csr_array(X), X.toarray())
    )
    assert_allclose(sparse.loss_, dense.loss_, rtol=1e-11)
    assert_allclose(sparse.coef_, dense.coef_, atol=1e-4 * abs(dense.coef_).max())
    least = plain_newton(X, y, 1e-4)
    for tol in (1e-8, 1e-6):
        model = SoftmaxClassifier(1e-4, solver=solver, tol=tol).fit(X, y)
        assert_minimum(model, X, y, least, tol)


@every_solver
def test_many_rows(solver):
    # so many that the start is found on some of them, and that they come in chunks
    X, y = generated(12_000, 6, 3)
    model = SoftmaxClassifier(1e-4, solver=solver, tol=1e-8).fit(X, y)
    assert_minimum(model, X, y, plain_newton(X, y, 1e-4), 1e-8)
    assert model.n_iter_ <= 6


# ---- odd columns, classes and weights


def with_odd_columns(kind):
    X, y = generated(300, 8, 4)
    if kind == "scales":
        X = X * 10.0 ** np.linspace(-6, 6, 8)
    elif kind == "offsets":
        X = (X + 1e3 * np.arange(8)) * 10.0 ** np.linspace(-6, 6, 8)
    elif kind == "constant":
        X = np.c_[X, np.zeros(300), np.full(300, 5.0), np.full(300, 1e6), np.full(300, 0.1)]
    elif kind == "duplicated":
        X = np.c_[X, X, X[:, 0]]
    elif kind == "collinear":
        X = np.c_[X, X[:, 0] + X[:, 1], X.sum(axis=1)]
    elif kind == "wide":
        X, y = X[:100, :1] + np.random.RandomState(0).standard_normal((100, 150)), y[:100]
    return X, y


@pytest.mark.parametrize("reg", [1e-3, 1e-8])
@pytest.mark.parametrize(
    "kind", ["scales", "offsets", "constant", "duplicated", "collinear", "wide"]
)
@every_solver
def test_odd_columns(kind, reg, solver):
    X, y = with_odd_columns(kind)
    model = SoftmaxClassifier(reg, solver=solver).fit(X, y)  # a warning would be an error
    if kind != "wide":
        assert_minimum(model, X, y, plain_newton(X, y, reg), 1e-6)
    else:
        tight = SoftmaxClassifier(reg, solver="newton", tol=1e-12).fit(X, y)
        assert model.loss_ <= tight.loss_ * (1 + 1e-6)


@pytest.mark.parametrize("kind", ["scales", "constant", "duplicated"])
@every_solver
def test_odd_columns_in_float32(kind, solver):
    X, y = with_odd_columns(kind)
    X = X.astype(np.float32)
    model = SoftmaxClassifier(1e-3, solver=solver).fit(X, y)
    assert model.coef_.dtype == np.float32
    loss = linear_objective(model.coef_.astype(float), model.intercept_, X.astype(float), y, 1e-3)
    assert loss <= plain_newton(X.astype(float), y, 1e-3) * (1 + 1e-5)


@pytest.mark.parametrize("reg", [0, 1e-14, 1e-10, 1e-6, 1e-3])
@every_solver
def test_separable_classes(reg, solver):
    X, _ = generated(200, 5, 2)
    y = (X[:, 0] > 0).astype(int)
    model = SoftmaxClassifier(reg, solver=solver).fit(X, y)
    assert model.score(X, y) == 1
    assert np.isfinite(model.coef_).all()
    if reg == 0:  # no minimiser: the objective goes to 0
        assert model.loss_ <= 1e-6
    elif reg >= 1e-10:
        assert_minimum(model, X, y, plain_newton(X, y, reg), 1e-6)


@pytest.mark.parametrize("name", ["scaled wine", "800 x 30 x 2", "40 x 60 x 3"])
@every_solver
def test_no_penalty(name, solver):
    X, y = load(name)
    model = SoftmaxClassifier(0, solver=solver).fit(X, y)
    if name == "800 x 30 x 2":
        assert model.loss_ <= optimum(name, 0) * (1 + 1e-6)
    else:
        assert model.loss_ <= 1e-6


@every_solver
def test_weights(solver):
    X, y = load("scaled wine")
    w = np.random.RandomState(0).uniform(size=len(y)) ** 8
    w[::7] = 0
    model = SoftmaxClassifier(1e-3, solver=solver, tol=1e-8).fit(X, y, w)
    least = plain_newton(X[w > 0], y[w > 0], 1e-3, w[w > 0])
    assert linear_objective(model.coef_, model.intercept_, X, y, 1e-3, w) <= least * (1 + 1e-8)


@every_solver
def test_integer_weights_are_repeated_rows(solver):
    X, y = load("scaled breast cancer")
    w = np.random.RandomState(0).randint(0, 4, size=len(y))
    weighted = SoftmaxClassifier(1e-3, solver=solver).fit(X, y, w)
    repeated = SoftmaxClassifier(1e-3, solver=solver).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    assert_allclose(weighted.loss_, repeated.loss_, rtol=1e-12)
    assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6, atol=1e-9)


@every_solver
def test_early_stopping_leaves_many_rows_out_by_weight(solver):
    X, y = generated(9000, 40, 3)
    model = SoftmaxClassifier(solver=solver, early_stopping=True, random_state=0).fit(X, y)
    assert len(model.validation_loss_curve_) == model.n_iter_
    assert model.score(X, y) > SoftmaxClassifier(solver=solver).fit(X, y).score(X, y) - 0.01


# ---- what is said of it


@every_solver
def test_loss_curve_and_n_iter(solver):
    X, y = load("wine")
    seen = []
    for n_iter in (1, 2, 3):
        model = SoftmaxClassifier(solver=solver, max_iter=n_iter)
        with pytest.warns(ConvergenceWarning):
            model.fit(X, y)
        assert model.n_iter_ == len(model.loss_curve_) == n_iter
        seen.append(model.loss_)
    model = SoftmaxClassifier(solver=solver).fit(X, y)
    assert_allclose(model.loss_curve_[0], np.log(3))  # before the step
    assert_allclose(model.loss_curve_[1:4], seen, rtol=1e-9)
    assert model.loss_ <= min(model.loss_curve_)
    # that many are enough, and one fewer is not
    SoftmaxClassifier(solver=solver, max_iter=model.n_iter_).fit(X, y)
    with pytest.warns(ConvergenceWarning):
        SoftmaxClassifier(solver=solver, max_iter=model.n_iter_ - 1).fit(X, y)


@every_solver
def test_text_of_the_convergence_warning(solver):
    X, y = load("scaled wine")  # so that the columns' variance is 1
    model = SoftmaxClassifier(1e-3, solver=solver, max_iter=2)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, y)
    (warning,) = caught
    text = str(warning.message)
    assert text.startswith("max_iter=2 iterations ended the training")
    gap, tol, largest = map(
        float, re.findall(r"\d[\d.]*(?:e[+-]?\d+)?(?= of|\. The|\. Raise)", text)
    )
    assert tol == model.tol < gap
    least = SoftmaxClassifier(1e-3, solver=solver, tol=1e-12).fit(X, y).loss_
    assert gap > 0.3 * (model.loss_ - least) / model.loss_
    expected = max(abs(g).max() for g in gradient(model.coef_, model.intercept_, X, y, model.reg_))
    assert largest == pytest.approx(expected, rel=1e-2)
    assert "Raise max_iter, tol or reg" in text


@every_solver
def test_out_of_reach_is_said(solver):
    # a tol of 0 can't be reached; rounding ends it, long before max_iter
    X, y = load("iris")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = SoftmaxClassifier(1e-3, solver=solver, tol=0).fit(X, y)
    assert model.n_iter_ < 200
    assert model.loss_ <= optimum("iris", 1e-3) * (1 + 1e-12)


def test_newton_says_where_it_is_too_much():
    X = sp.random(50, 30_000, 0.001, format="csr", random_state=0)
    with pytest.raises(
        ValueError, match=r"solver='newton' needs the 30001 x 30001 Hessian.*7\.2 GB"
    ):
        SoftmaxClassifier(solver="newton").fit(X, np.arange(50) % 2)


# ---- starts


@every_solver
def test_warm_start_at_the_minimum(solver):
    X, y = make_classification(200, 2, n_informative=2, n_redundant=0, random_state=0)
    model = SoftmaxClassifier(solver=solver, warm_start=True, tol=1e-10).fit(X, y)
    loss = model.loss_
    for tol in (1e-2, 1e-6, 1e-8):
        model.set_params(tol=tol).fit(X, y)
        assert model.n_iter_ == 1
        assert model.stop_reason_ == "tol"
        assert model.loss_ == pytest.approx(loss, rel=1e-9)


@every_solver
def test_warm_start_along_a_path(solver):
    X, y = load("digits")
    X, y = X[y < 4][:300], y[y < 4][:300]
    warm = SoftmaxClassifier(solver=solver, warm_start=True)
    n_cold = n_warm = 0
    for reg in 10.0 ** -np.arange(1, 4, 0.5):
        warm.set_params(reg=reg).fit(X, y)
        cold = SoftmaxClassifier(reg, solver=solver).fit(X, y)
        assert_allclose(warm.loss_, cold.loss_, rtol=2e-6)
        n_cold += cold.n_iter_
        n_warm += warm.n_iter_
    assert n_warm < n_cold
    assert warm.fit(X, y).n_iter_ == 1  # it is there already


@pytest.mark.parametrize("shape", [(300, 10), (40, 100)])
@every_solver
def test_any_start_ends_in_the_minimum(solver, shape):
    X, y = generated(*shape, 3)
    from_zero = SoftmaxClassifier(solver=solver, tol=1e-10).fit(X, y)
    drawn = SoftmaxClassifier(solver=solver, tol=1e-10, init=2.0, random_state=0).fit(X, y)
    assert_allclose(drawn.loss_, from_zero.loss_, rtol=1e-9)
    assert_allclose(drawn.coef_, from_zero.coef_, atol=1e-4)


@pytest.mark.parametrize("init", [10.0, 1e3, 1e5])
@pytest.mark.parametrize("name", ["wine", "scaled iris", "40 x 60 x 3"])
@every_solver
def test_a_start_far_off(solver, name, init):
    X, y = load(name)
    model = SoftmaxClassifier(solver=solver, init=init, random_state=0).fit(X, y)
    from_zero = SoftmaxClassifier(solver=solver).fit(X, y)
    assert_allclose(model.loss_, from_zero.loss_, rtol=2e-6)


@pytest.mark.parametrize("reg", [0, 1e-3])
@every_solver
def test_where_zero_is_the_minimum(solver, reg):
    xor = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    for X, y in ((np.ones((4, 2)), [0, 1, 0, 1]), (xor, [0, 1, 1, 0])):
        model = SoftmaxClassifier(reg, solver=solver).fit(X, y)
        assert_array_equal(model.coef_, 0)
        assert model.n_iter_ == 1
        assert_allclose(model.loss_, np.log(2))


# ---- searches


@every_solver
def test_fused_search_equals_grid_search(solver):
    X, y = load("wine")
    grid = {"reg": [1e-4, 1e-2, 1.0]}
    fused, plain = (
        search(SoftmaxClassifier(solver=solver), grid, scoring="neg_log_loss", cv=3).fit(X, y)
        for search in (FusedGridSearchCV, GridSearchCV)
    )
    for name in ("split0_test_score", "split1_test_score", "split2_test_score"):
        assert_array_equal(fused.cv_results_[name], plain.cv_results_[name])
    assert_array_equal(fused.best_estimator_.coef_, plain.best_estimator_.coef_)


# ---- the parts


def test_sparse_rows_are_never_made_dense(monkeypatch):
    X, y = text_like(500, 4000, 3)

    def fail(*_):
        raise AssertionError("made dense")

    monkeypatch.setattr(sp.csr_array, "toarray", fail)
    SoftmaxClassifier(1e-3).fit(X, y)
