"""Fits of any shape have the promised shapes, dtypes, losses and bits."""

from functools import partial

import numpy as np
import pytest
from helpers import (
    assert_same_bits,
    ends_early,
    every_model,
    layers,
    parameters,
    plain_objective,
    plain_scores,
    solvers_of,
    wine,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._nets.activations import ACTIVATIONS

pytestmark = ends_early


@pytest.mark.parametrize("n_classes", [2, 3])
@every_model
def test_attributes_and_scores_have_the_documented_shapes(model, n_classes):
    X, y = wine()
    X, y = X[y < n_classes], y[y < n_classes]
    fitted = clone(model).fit(X, y)
    scores = plain_scores(fitted, X)
    if n_classes == 2:
        scores = scores[:, 1] - scores[:, 0]
    decision = fitted.decision_function(X)
    assert decision.shape == scores.shape
    assert_allclose(decision, scores, rtol=1e-9, atol=1e-12)
    if isinstance(model, SoftmaxClassifier):
        assert fitted.coef_.shape == (n_classes, 13)
        assert fitted.intercept_.shape == (n_classes,)
        assert_allclose(fitted.intercept_.sum(), 0, atol=1e-14)
    else:
        assert [W.shape for W in fitted.coefs_] == [(13, 7), (7, n_classes)]
        assert [b.shape for b in fitted.intercepts_] == [(7,), (n_classes,)]
    assert fitted.n_features_in_ == 13
    assert len(fitted.loss_curve_) == fitted.n_iter_
    assert fitted.predict_proba(X[:1]).shape == (1, n_classes)


@st.composite
def problems(draw):
    n_classes = draw(st.integers(2, 6))
    n_samples = draw(st.integers(n_classes, 40))
    n_features = draw(st.integers(1, 7))
    rng = np.random.RandomState(draw(st.integers(0, 2**32 - 1)))
    y = rng.permutation(np.arange(n_samples) % n_classes)
    X = rng.standard_normal((n_samples, n_features)) * draw(st.sampled_from([1e-3, 1.0, 30.0]))
    X[:, 0] *= draw(st.sampled_from([0.0, 1.0]))  # sometimes a constant column
    w = draw(st.sampled_from([None, rng.uniform(0.1, 3, n_samples)]))
    return X.astype(draw(st.sampled_from([np.float32, np.float64]))), y, w


def models(model_class, **params):
    return st.builds(
        partial(model_class, random_state=0),
        **params,
        solver=st.sampled_from(solvers_of(model_class)),
        reg=st.sampled_from([0.0, 1e-3, 1.0]),
        schedule=st.sampled_from(["auto", "constant", "inverse", "cosine", "plateau"]),
        batch_size=st.one_of(st.just("auto"), st.integers(1, 50)),
        max_iter=st.integers(1, 12),
        tol=st.sampled_from([0.0, 1e-4, 0.1]),
        n_iter_no_change=st.integers(1, 4),
        class_weight=st.sampled_from([None, "balanced"]),
        shuffle=st.booleans(),
        dtype=st.sampled_from(["auto", "float32", "float64"]),
    )


NETS = models(
    TwoLayerNetClassifier,
    hidden_size=st.integers(1, 9),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
)


def rounding_of_scores(model, X, dtype):
    """Return a bound on the rounding of the scores in a dtype."""
    sizes = np.abs(X).astype(float)
    for W, b in zip(*layers(model), strict=True):
        sizes = sizes @ np.abs(W) + np.abs(b)
    return np.finfo(dtype).eps * sizes.max()


@settings(max_examples=100, deadline=None)
@given(
    problem=problems(), model=st.one_of(models(SoftmaxClassifier), NETS), validate=st.booleans()
)
def test_any_fit_reports_its_objective_and_is_reproducible(problem, model, validate):
    X, y, w = problem
    validation = {"X_val": X[::-1], "y_val": y[::-1]} if validate else {}
    model.fit(X, y, w, **validation)
    assert all(np.isfinite(a).all() for a in parameters(model))
    assert {a.dtype for a in parameters(model)} == {X.dtype}
    assert len(model.loss_curve_) == model.n_iter_ <= model.max_iter
    assert np.isfinite(model.loss_curve_).all()
    weights = np.ones(len(y)) if w is None else w
    if model.class_weight == "balanced":
        weights = weights / np.bincount(y, weights=weights)[y]
    # dtype="auto" may train in float32
    is_double = X.dtype == np.float64 and model.dtype == "float64"
    rtol = 1e-9 if is_double else 1e-4
    atol = 8 * rounding_of_scores(model, X, np.float64 if is_double else np.float32)
    assert_allclose(model.loss_, plain_objective(model, X, y, weights), rtol=rtol, atol=atol)
    n_classes = len(np.unique(y))
    assert_array_equal(model.classes_, np.arange(n_classes))
    assert model.predict_proba(X).shape == (len(X), n_classes)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
    assert np.isfinite(model.predict_log_proba(X)).all()
    if validate:
        assert len(model.validation_loss_curve_) == model.n_iter_
        assert model.best_iter_ == np.argmin(model.validation_loss_curve_)
    assert_same_bits(clone(model).fit(X.copy(), y.copy(), w, **validation), model)
