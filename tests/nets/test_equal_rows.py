"""The merging of equal rows into one row with the sum of their weights."""

import numpy as np
import pytest
from helpers import assert_same_bits, blind_model, ends_early
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn._nets.equal_rows import merge_equal_rows

rng = np.random.RandomState(0)
X, codes = rng.randint(3, size=(200, 3)).astype(float), rng.randint(2, size=200)
weights = rng.randint(1, 4, size=200).astype(float)


@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [None, np.flatnonzero(rng.randint(2, size=200))])
def test_equal_rows_become_one_row_with_the_sum_of_their_weights(container, dtype, rows):
    used = np.arange(200) if rows is None else rows
    merged, joint = merge_equal_rows(container(X.astype(dtype)), codes, weights.copy(), rows)
    contents = np.column_stack([X, codes])
    groups, expected = np.unique(contents[used], axis=0, return_inverse=True)
    order = np.lexsort(contents[merged].T[::-1])
    assert_array_equal(contents[merged][order], groups)
    assert_array_equal(joint[merged][order], np.bincount(expected.ravel(), weights[used]))
    firsts = [used[(contents[used] == row).all(axis=1)][0] for row in contents[merged]]
    assert_array_equal(merged, firsts)


@ends_early
@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
def test_weighted_and_repeated_rows_give_the_same_bits(container):
    model, other = (blind_model(TwoLayerNetClassifier, "lbfgs") for _ in range(2))
    repeated = np.random.RandomState(1).permutation(np.repeat(np.arange(200), weights.astype(int)))
    model.fit(container(X), codes, weights)
    assert_same_bits(other.fit(container(X[repeated]), codes[repeated]), model)
