"""Columns and piecewise-linear functions of them, made where rows are read."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from helpers import ends_early
from kernel_cases import both_dtypes
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._nets.encoded_rows import EncodedRows
from sklearn_toynn._nets.kernels.dispatch import KERNELS
from sklearn_toynn._nets.piecewise_encoding import (
    N_BINS,
    PIECE_SCALE,
    PiecewiseEncoding,
    choose_edges,
    encode_rows,
    numpy_encode_rows,
)
from sklearn_toynn._nets.samples import Samples

pytestmark = ends_early


def make_data(n_rows=300, dtype=float):
    """Return columns of all kinds, and three classes."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((n_rows, 6))
    X[:, 1] = np.exp(2 * X[:, 1])
    X[:, 2] = np.round(X[:, 2])  # ties
    X[:, 3] = X[:, 3] > 1  # two values
    X[:, 4] = 7.5  # constant
    X[:, 5] = 100 + X[:, 5]
    y = (X[:, 0] * X[:, 1] > 0.5).astype(int) + (X[:, 2] > 0)
    return X.astype(dtype), y


def encode(X, rows=None, weights=None):
    weights = np.ones(len(X), X.dtype) if weights is None else weights.astype(X.dtype)
    return PiecewiseEncoding.from_samples(Samples(X, None, weights, rows))


def encode_by_definition(X, weights):
    """Return the encoded rows by the formulas."""
    repeated = X.astype(float).repeat(weights, axis=0)
    mean = repeated.mean(axis=0)
    largest = np.abs(repeated - mean).max(axis=0)
    scale = np.maximum(repeated.std(axis=0), largest / 10)
    columns = [(X - mean) / np.where(scale > 0, scale, 1)]
    for x, values in zip(X.T.astype(float), repeated.T, strict=True):
        levels = np.arange(N_BINS + 1) / N_BINS
        edges = np.unique(np.quantile(values, levels, method="inverted_cdf"))
        for low, high in pairwise(edges) if len(edges) > 4 else ():
            piece = np.clip((x - low) / (high - low), 0, 1)
            of_training = piece.repeat(weights)
            columns.append(
                (piece - of_training.mean())[:, None] * (PIECE_SCALE / of_training.std())
            )
    return np.hstack(columns)


@both_dtypes
@pytest.mark.parametrize("order", ["C", "F"])
def test_values_follow_from_the_weighted_quantiles(dtype, order):
    X, _ = make_data(dtype=dtype)
    X = np.asarray(X, order=order)
    weights = np.random.RandomState(1).randint(0, 4, len(X))
    encoding = encode(X, np.flatnonzero(weights), weights)
    Z = EncodedRows(X, encoding)[:]
    assert Z.dtype == dtype
    tol = 1e-10 if dtype is np.float64 else 2e-3  # the mean of the last column takes digits
    assert_allclose(Z, encode_by_definition(X, weights), atol=tol, rtol=tol)
    assert [len(edges) for edges in encoding.bin_edges[2:]] == [5, 0, 0, 9]


def test_integer_weights_are_repeated_rows_and_order_plays_no_part():
    X, _ = make_data()
    weights = np.random.RandomState(1).randint(1, 4, len(X))
    shuffled = np.random.RandomState(2).permutation(len(X))
    expected = encode(X.repeat(weights, axis=0))
    for rows, w in ((X, weights), (X[shuffled], 0.1 * weights[shuffled])):
        found = encode(rows, None, w)
        for edges, same in zip(found.bin_edges, expected.bin_edges, strict=True):
            assert_array_equal(edges, same)
        assert_allclose(found.mean, expected.mean, rtol=1e-12, atol=1e-13)
        assert_allclose(found.scale, expected.scale, rtol=1e-12)


@pytest.mark.parametrize(
    ("x", "edges"),
    [
        (np.arange(5.0), np.arange(5.0)),
        (np.arange(4.0), []),
        (np.repeat([1.0, 2.0], 50), []),
        (np.r_[np.zeros(900), np.arange(1, 101)], []),
        (1e3 * (1 + np.arange(100) * np.finfo(float).eps), []),
        (1e3 + np.arange(9) * 1e-9, 1e3 + np.arange(9) * 1e-9),
    ],
)
def test_few_distinct_bins_give_no_pieces(x, edges):
    assert_array_equal(choose_edges(x, np.ones(len(x))), edges)


@both_dtypes
@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_far_values_stay_finite(dtype, factor):
    X, y = make_data(dtype=dtype)
    X *= dtype(factor)
    far = X.copy()
    far[:3] = np.array([[0], [1], [-1]]) * (np.finfo(dtype).max / 1e4)
    for model in (SoftmaxClassifier(), TwoLayerNetClassifier(4, max_iter=3, random_state=0)):
        model.set_params(encoding="piecewise").fit(X, y)
        probabilities = model.predict_proba(far)
        assert probabilities.dtype == dtype
        assert np.isfinite(model.predict_log_proba(far)).all()
        assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("kernels", KERNELS, ids=lambda kernels: kernels.__name__)
@pytest.mark.parametrize("solver", ["adam", "sgd", "gd", "lbfgs"])
@both_dtypes
def test_training_is_that_on_encoded_columns(kernels, solver, dtype, monkeypatch):
    monkeypatch.setattr("sklearn_toynn._nets.kernels.dispatch.KERNELS", [kernels])
    X, y = make_data(dtype=dtype)
    weights = np.arange(len(y)) % 3
    params = {"solver": solver, "max_iter": 5, "tol": 0, "random_state": 0, "init": "glorot"}
    net = MultiLayerNetClassifier((5, 4), encoding="piecewise", **params)
    net.fit(X, y, weights, X_val=X[::7], y_val=y[::7])
    Z = EncodedRows(X, net._get_encoding(X.dtype))[:]
    plain = MultiLayerNetClassifier((5, 4), **params)
    plain.fit(Z, y, weights, X_val=Z[::7], y_val=y[::7])
    tol = 1e-9 if dtype == np.float64 else 1e-3
    assert_allclose(net.loss_curve_, plain.loss_curve_, rtol=tol)
    assert_allclose(net.validation_loss_curve_, plain.validation_loss_curve_, rtol=tol)
    assert_allclose(net.predict_proba(X), plain.predict_proba(Z), atol=tol)
    assert net.coefs_[0].shape == (Z.shape[1], 5)
    assert net.n_features_in_ == 6


def test_both_kernel_sets_read_any_layout():
    X, y = make_data(900)
    wide = np.zeros((1800, 13))
    wide[::2, 1::2] = X
    losses = []
    for rows in (X, np.asfortranarray(X), wide[::2, 1::2], X[::-1].copy()[::-1]):
        rows.flags.writeable = False
        net = TwoLayerNetClassifier(7, encoding="piecewise", max_iter=4, random_state=0)
        losses.append(net.fit(rows, y).loss_curve_)
    assert_allclose(losses, [losses[0]] * 4, rtol=1e-6)


@both_dtypes
def test_encoded_rows_have_the_same_bits_by_every_function(dtype):
    X, _ = make_data(dtype=dtype)
    encoding = encode(X)
    X[0], X[1, :3] = np.nan, (np.inf, -np.inf, np.finfo(dtype).max)
    unaligned = np.frombuffer(b"x" + X.tobytes(), dtype, offset=1).reshape(X.shape)
    expected = np.empty((len(X), len(encoding.mean)), dtype)
    numpy_encode_rows(X, encoding.functions, expected)
    assert_array_equal(np.isnan(expected).any(axis=1), np.arange(len(X)) == 0)
    for rows in (X, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], X[::-1][::-1], unaligned):
        assert_array_equal(encoding.encode(rows), expected)
    assert_array_equal(encoding.encode(X[2]), expected[2])
    assert_array_equal(encoding.encode(X, [3, 7, 0]), expected[:, [3, 7, 0]])
    out = np.empty_like(expected)
    assert encoding.encode(X, out=out) is out
    assert_array_equal(out, expected)


@pytest.mark.skipif(encode_rows is numpy_encode_rows, reason="the compiled kernels do not run")
def test_the_compiled_function_refuses_wrong_arrays():
    X, _ = make_data()
    sources, *functions = encode(X).functions
    out = np.empty((len(X), len(sources)))
    for wrong in (X.shape[1], -1):
        with pytest.raises(ValueError, match="sources"):
            encode_rows(X, (np.where(sources == 0, wrong, sources), *functions), out)
    with pytest.raises(ValueError, match="expected"):
        encode_rows(X, (sources, *functions), out[1:])
    with pytest.raises(ValueError, match="expected"):
        encode_rows(X.astype(np.float32), (sources, *functions), out)


@pytest.mark.parametrize("data", [load_wine, load_breast_cancer])
def test_the_linear_model_is_the_exact_additive_model(data):
    X, y = data(return_X_y=True)
    model = SoftmaxClassifier(encoding="piecewise", tol=1e-9).fit(X, y)
    assert model.gap_ <= 2e-9
    Z = EncodedRows(X, model._get_encoding(X.dtype))[:]
    n_classes = len(model.classes_)
    C = (2 if n_classes == 2 else 1) / (model.reg_ * len(y))
    reference = LogisticRegression(C=C, tol=1e-8, max_iter=10_000).fit(Z, y)
    assert_allclose(model.predict_proba(X), reference.predict_proba(Z), atol=1e-4)


def test_few_rows_train_as_many_rows_do():
    """With more encoded columns than rows, the solver works in the span of the rows."""
    X, y = make_data(20)
    model = SoftmaxClassifier(encoding="piecewise", tol=1e-9).fit(X, y)
    Z = EncodedRows(X, model._get_encoding(X.dtype))[:]
    assert Z.shape[1] > 20
    alone = SoftmaxClassifier(tol=1e-9).fit(Z, y)
    assert_allclose(model.coef_, alone.coef_, atol=1e-6)


def test_partial_fit_and_warm_starts_keep_the_quantiles():
    X, y = make_data()
    model = TwoLayerNetClassifier(4, encoding="piecewise", random_state=0)
    model.partial_fit(X[:100], y[:100], classes=[0, 1, 2])
    edges = [edges.copy() for edges in model.bin_edges_]
    for edge, expected in zip(edges, encode(X[:100]).bin_edges, strict=True):
        assert_array_equal(edge, expected)
    model.partial_fit(3 * X, y)
    model.set_params(warm_start=True, max_iter=2).fit(2 * X, y)
    for edge, kept in zip(model.bin_edges_, edges, strict=True):
        assert_array_equal(edge, kept)
    model.set_params(warm_start=False).fit(2 * X, y)
    assert_array_equal(model.bin_edges_[0], encode(2 * X).bin_edges[0])
    model.set_params(encoding="linear").fit(X, y)
    assert not hasattr(model, "bin_edges_")
    assert model.coefs_[0].shape == (6, 4)


def test_sparse_rows_are_refused():
    X, y = make_data()
    model = SoftmaxClassifier(encoding="piecewise")
    with pytest.raises(ValueError, match="dense for encoding='piecewise'"):
        model.fit(sparse.csr_array(X), y)
    model.fit(X, y)
    for call in (model.predict, model.predict_proba):
        with pytest.raises(ValueError, match="dense for encoding='piecewise'"):
            call(sparse.csr_array(X))


def test_a_diverged_fit_gives_no_advice_to_scale_columns():
    X, y = make_data()
    net = TwoLayerNetClassifier(
        4, solver="gd", learning_rate=1e5, max_iter=30, init="he", random_state=0
    )
    for encoding, is_advised in (("linear", True), ("piecewise", False)):
        with pytest.warns(ConvergenceWarning) as caught:
            clone(net).set_params(encoding=encoding).fit(X, y)
        assert ("scale the columns" in str(caught[0].message)) is is_advised


def test_memory_does_not_hold_the_encoded_rows():
    X, y = make_data(40_000)
    model = TwoLayerNetClassifier(4, encoding="piecewise", max_iter=1, random_state=0)
    clone(model).fit(X[:1000], y[:1000])
    tracemalloc.start()
    model.fit(X, y).predict(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * len(X) + 4e6  # the encoded rows take 304 bytes each
