"""The training of the linear model: the minimum, and the reported loss, gap and warnings."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import LOADERS, assert_same_bits, linear_objective, scaled
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from softmax_reference import draw_labels, relative_excess

from sklearn_toynn import SoftmaxClassifier


def draw_text(n_samples, n_features, n_classes):
    """Draw CSR rows like term frequencies: few positive entries, normalized to length 1."""
    rng = np.random.RandomState(0)
    X = sp.random(n_samples, n_features, 0.05, format="csr", random_state=0)
    X.data = 0.2 + X.data
    X = sp.csr_array(normalize(X))
    return X, draw_labels(X, n_classes, rng, strength=20.0)


def load(name):
    if name in LOADERS:
        return LOADERS[name](return_X_y=True)
    if name == "text":
        return draw_text(300, 40, 3)
    if name.startswith("scaled "):
        return scaled(name.removeprefix("scaled "))
    n_samples, n_features, n_classes = map(int, name.split(" x "))
    rng = np.random.RandomState(0)
    X = rng.standard_normal((n_samples, n_features))
    return X, draw_labels(X, n_classes, rng)


def gradient(model, X, y):
    """Return the gradient of the objective with respect to coef_ and intercept_."""
    P = softmax(X @ model.coef_.T + model.intercept_, axis=1)
    P[np.arange(len(y)), y] -= 1
    return P.T @ X / len(y) + model.reg_ * model.coef_, P.mean(axis=0)


# ---- the minimum


@pytest.mark.parametrize("C", [1, 100])
@pytest.mark.parametrize(
    "name",
    [
        *("scaled iris", "wine", "300 x 30 x 2", "400 x 4 x 20", "40 x 60 x 3", "text"),
        *("6000 x 5 x 3", "3000 x 12 x 6"),  # start on some of the rows, and several chunks
    ],
)
def test_minimum_equals_logistic_regression(name, C, solver):
    X, y = load(name)
    factor = 2 if y.max() == 1 else 1
    dense = X.toarray() if sp.issparse(X) else X
    # centering changes only the intercepts
    theirs = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12, max_iter=300)
    theirs.fit(dense - dense.mean(axis=0), y)
    coef, intercept = theirs.coef_, theirs.intercept_
    if factor == 2:
        coef, intercept = np.vstack([-coef, coef]) / 2, np.append(-intercept, intercept) / 2
    reg = factor / (C * len(y))
    least = linear_objective(coef, intercept, dense - dense.mean(axis=0), y, reg)
    for tol in (1e-8, 1e-4):
        model = SoftmaxClassifier(reg, solver=solver, tol=tol).fit(X, y)
        loss = linear_objective(model.coef_, model.intercept_, X, y, reg)
        assert least * (1 - 1e-9) <= loss <= least * (1 + tol)
        assert model.loss_ == pytest.approx(loss, rel=1e-9)
        assert loss / least - 1 - 1e-10 <= model.gap_ <= tol
        assert model.intercept_.sum() == pytest.approx(0, abs=1e-9 * abs(intercept).max())


def test_sparse_rows_are_never_converted_to_dense(monkeypatch):
    X, y = draw_text(500, 4000, 3)
    monkeypatch.setattr(sp.csr_array, "toarray", None)
    SoftmaxClassifier(1e-3).fit(X, y)


@pytest.mark.parametrize("reg", [0, 1e-14, 1e-10, 1e-3])
def test_separable_classes(reg, solver):
    X, _ = load("200 x 5 x 2")
    y = (X[:, 0] > 0).astype(int)
    model = SoftmaxClassifier(reg, solver=solver).fit(X, y)
    assert model.score(X, y) == 1
    assert np.isfinite(model.coef_).all()
    if reg == 0:  # the objective has the infimum 0, but no minimum
        assert model.loss_ <= 1e-6
    elif reg >= 1e-10:
        assert relative_excess(model, X, y) <= 1e-6


def test_no_penalty(solver):
    X, y = load("300 x 10 x 2")
    model = SoftmaxClassifier(0, solver=solver).fit(X, y)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(X, y)
    P = theirs.predict_proba(X)
    assert_allclose(model.loss_, -np.mean(np.log(P[np.arange(len(y)), y])), rtol=1e-6)
    assert isinstance(model.gap_, float)
    assert np.isnan(model.gap_)


@pytest.mark.parametrize("n_rows", [9000, 300], ids=["by weight", "by a copy"])
def test_early_stopping_excludes_validation_rows(solver, n_rows):
    X, y = load(f"{n_rows} x 40 x 3")
    model = SoftmaxClassifier(1e-2, solver=solver, early_stopping=True, random_state=0).fit(X, y)
    assert len(model.validation_loss_curve_) == model.n_iter_
    # the validation rows have a higher loss
    total = linear_objective(model.coef_, model.intercept_, X, y, 1e-2)
    validation = min(model.validation_loss_curve_) + 0.5e-2 * (model.coef_**2).sum()
    assert_allclose(0.9 * model.loss_ + 0.1 * validation, total, rtol=1e-3)


# ---- losses, gaps and warnings


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
    # this number of iterations is enough, and one fewer is not
    SoftmaxClassifier(solver=solver, max_iter=model.n_iter_).fit(X, y)
    with pytest.warns(ConvergenceWarning):
        SoftmaxClassifier(solver=solver, max_iter=model.n_iter_ - 1).fit(X, y)


def test_verbose_does_not_change_the_bits(solver):
    X, y = load("iris")
    alone = SoftmaxClassifier(1e-4, solver=solver).fit(X, y)
    assert_same_bits(alone, clone(alone).set_params(verbose=1).fit(X, y))


def test_gap_and_warning_at_max_iter(solver):
    X, y = load("scaled wine")  # columns of variance 1
    model = SoftmaxClassifier(1e-3, solver=solver, max_iter=2)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, y)
    (warning,) = caught
    pattern = (
        r"max_iter=2 iterations ended the training, when the gap to the minimum was at "
        r"most (\S+) of the objective, above tol=1e-06. The largest entry of the gradient \(for "
        r"columns of unit variance\) was (\S+)\. Raise max_iter, tol or reg\."
    )
    gap, largest = map(float, re.fullmatch(pattern, str(warning.message)).groups())
    above = relative_excess(model, X, y)
    assert above / (1 + above) <= model.gap_
    assert gap == pytest.approx(model.gap_, rel=1e-2)
    expected = max(abs(part).max() for part in gradient(model, X, y))
    assert largest == pytest.approx(expected, rel=1e-2)


def test_the_gap_of_the_best_weights_on_a_validation_set(solver):
    X, y = load("scaled wine")
    rng = np.random.RandomState(0)
    noise = rng.standard_normal((60, X.shape[1])), rng.randint(3, size=60)
    model = SoftmaxClassifier(solver=solver).fit(X, y, X_val=noise[0], y_val=noise[1])
    above = relative_excess(model, X, y)
    assert above > 1e-3
    assert above / (1 + above) <= model.gap_ < np.inf


def test_without_a_proof_the_lower_bound_is_zero(solver):
    X, y = load("scaled wine")
    weights = np.array([1e-3, 1, 1e3])[y]
    model = SoftmaxClassifier(1e-3, solver=solver, max_iter=1)
    with pytest.warns(ConvergenceWarning, match="at most 1 of the objective"):
        model.fit(X, y, weights)
    assert model.gap_ == pytest.approx(1)


@pytest.mark.parametrize("solver", ["gd", "sgd", "adam"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_gradient_solvers_have_no_gap(solver):
    X, y = load("scaled wine")
    model = SoftmaxClassifier().fit(X, y)
    assert not hasattr(clone(model), "gap_")
    assert not hasattr(model.set_params(solver=solver, max_iter=5).fit(X, y), "gap_")
    if solver != "gd":
        model.set_params(solver="auto", max_iter="auto").fit(X, y)
        assert not hasattr(model.set_params(solver=solver).partial_fit(X, y), "gap_")


def test_rounding_ends_training_with_tol_zero(solver):
    X, y = load("iris")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = SoftmaxClassifier(1e-3, solver=solver, tol=0).fit(X, y)
    assert model.n_iter_ < 200
    assert abs(relative_excess(model, X, y)) <= 1e-12


@pytest.mark.parametrize(("X", "message"), [
    (sp.csr_array((50, 30_000)), r"needs the 30001 x 30001.*7\.2 GB\. Set solver='lbfgs'"),
    (np.random.RandomState(0).standard_normal((300, 400)), r"rows that span 299 dimensions"),
], ids=["sparse", "wide"])  # fmt: skip
def test_newton_raises_an_error_for_a_hessian_that_is_too_large(X, message):
    y = np.arange(X.shape[0]) % (75 if X.shape[0] == 300 else 2)
    with pytest.raises(ValueError, match=f"solver='newton' .*{message}"):
        SoftmaxClassifier(solver="newton").fit(X, y)


# ---- starts


def test_warm_start_at_the_minimum(solver):
    X, y = make_classification(200, 2, n_informative=2, n_redundant=0, random_state=0)
    model = SoftmaxClassifier(solver=solver, warm_start=True, tol=1e-10).fit(X, y)
    loss = model.loss_
    for tol in (1e-2, 1e-6, 1e-8):
        model.set_params(tol=tol).fit(X, y)
        assert model.n_iter_ == 1
        assert model.stop_reason_ == "tol"
        assert model.loss_ == pytest.approx(loss, rel=1e-9)
        assert model.gap_ <= tol


@pytest.mark.parametrize("init", [2.0, 1e5])
@pytest.mark.parametrize("name", ["wine", "40 x 60 x 3"])
def test_training_reaches_the_minimum_from_any_start(solver, name, init):
    X, y = load(name)
    from_zero = SoftmaxClassifier(solver=solver, tol=1e-8).fit(X, y)
    drawn = clone(from_zero).set_params(init=init, random_state=0).fit(X, y)
    assert_allclose(drawn.loss_, from_zero.loss_, rtol=2e-8)


@pytest.mark.parametrize("reg", [0, 1e-3])
def test_training_when_zero_is_the_minimum(solver, reg):
    xor = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    for X, y in ((np.ones((4, 2)), [0, 1, 0, 1]), (xor, [0, 1, 1, 0])):
        model = SoftmaxClassifier(reg, solver=solver).fit(X, y)
        assert_array_equal(model.coef_, 0)
        assert model.n_iter_ == 1
        assert_allclose(model.loss_, np.log(2))
