"""Symmetric matrices given by their lower triangle."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_toynn._linear.symmetric import add_gram, cholesky, inverse, symmetric_product

sizes = pytest.mark.parametrize("size", [5, 300])  # by a copy, and in place


def draw(size, rank):
    Z = np.random.RandomState(0).standard_normal((rank, size))
    return Z, np.asfortranarray(Z.T @ Z)


@sizes
@pytest.mark.parametrize("order", ["C", "F"])
def test_gram_and_inverse(size, order):
    Z, expected = draw(size, 2 * size)
    A = add_gram(np.zeros((size, size), order="F"), np.asarray(Z, order=order))
    assert_array_equal(np.triu(A, 1), 0)
    assert_allclose(np.tril(A), np.tril(expected), rtol=1e-10, atol=1e-10)
    assert_allclose(add_gram(A, Z[:0]), np.tril(A))
    vectors = Z[:3]
    product = symmetric_product(inverse(A), vectors)
    assert_allclose(product @ expected, vectors, atol=1e-8)


@sizes
def test_cholesky_of_a_singular_matrix(size):
    _, A = draw(size, size // 2)
    A[0], A[:, 0] = 0, 0
    original = A.copy()
    L = np.tril(cholesky(A))
    assert L[0, 0] == pytest.approx(1)
    change = (L @ L.T - original)[1:, 1:]
    assert abs(change).max() <= 1e-8 * original.max()
