"""Means and standard deviations of columns."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from sklearn_toynn._column_statistics import measure_columns


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("with_rows", [False, True])
def test_statistics_equal_those_in_extended_precision(dtype, with_rows):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((2000, 7))
    X[:, 1] = X[:, 1] + 1e5
    X[:, 2] *= 1e-30 if dtype == np.float32 else 1e-250
    X[:, 3] *= 1e30 if dtype == np.float32 else 1e250
    X[:, 4] = np.where(rng.uniform(size=2000) < 0.01, X[:, 4], 0)
    X[:, 5] = 1000 * np.exp(3 * X[:, 5])
    X[:, 6] = np.where(X[:, 6] > 1, 5, 0)  # not constant, though all stored values are equal
    X = X.astype(dtype)
    weights = 3e7 * rng.randint(0, 3, 2000).astype(dtype)
    rows = rng.permutation(2000)[:1500] if with_rows else None
    used = np.arange(2000) if rows is None else rows
    exact, w = X[used].astype(np.longdouble), weights[used].astype(np.longdouble)
    w /= w.sum()
    mean = w @ exact
    std = np.sqrt(w @ (exact - mean) ** 2)
    largest = np.abs(exact - mean)[w > 0].max(axis=0)
    for as_kind in (np.asarray, np.asfortranarray, lambda X: X[::-1][::-1], csr_array):
        found = measure_columns(as_kind(X), weights, rows, with_largest=True)
        for values, desired in zip(found, (mean, std, largest), strict=True):
            assert values.dtype == np.float64
            assert_allclose(values, desired.astype(float), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("as_kind", [np.asarray, csr_array])
def test_a_column_is_constant_if_it_has_one_value(as_kind, dtype):
    X = np.empty((3000, 6), dtype)
    X[:] = [0.1, 1e6 + 0.3, 0, -3, 1e30 if dtype == np.float32 else 1e200, 0.1]
    weights = np.random.RandomState(0).uniform(0, 1, 3000).astype(dtype)
    weights[-1] = 0
    X[-1] = 7  # is not used
    X[5, 5] = np.nextafter(X[5, 5], dtype(1))
    mean, std, _ = measure_columns(as_kind(X), weights)
    assert_array_equal(mean[:5], X[0, :5])
    assert_array_equal(std[:5], 0)
    assert 0 < std[5] < 1e-8
    X[0, 2] = 1e-30 if dtype == np.float32 else 1e-200  # whose square underflows
    assert measure_columns(as_kind(X), weights)[1][2] > 0
