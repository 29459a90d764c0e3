"""Equal rows, which are trained as one."""

import numpy as np
import pytest
from helpers import (
    LINEAR_SOLVERS,
    assert_same_fit,
    batch_cases,
    blind_model,
    ends_early,
    every_case,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn_toynn._training.duplicate_rows import merge_equal_rows

from sklearn_toynn import SoftmaxClassifier


def test_equal_rows_are_merged_whatever_their_order():
    rng = np.random.RandomState(0)
    X = rng.randint(3, size=(200, 3)).astype(float)  # small integers: few bits to hash
    y = rng.randint(2, size=200)
    rows, weights = merge_equal_rows(X, y, np.ones(200), None)
    counts = np.unique(np.column_stack([X, y]), axis=0, return_counts=True)[1]
    assert_array_equal(np.sort(weights[rows]), np.sort(counts))
    order = rng.permutation(200)
    some = np.flatnonzero(rng.randint(2, size=200))
    for again in (order, np.concatenate([some, np.setdiff1d(np.arange(200), some)])):
        other_rows, other_weights = merge_equal_rows(X[again], y[again], np.ones(200), None)
        assert_array_equal(X[again][other_rows], X[rows])
        assert_array_equal(y[again][other_rows], y[rows])
        assert_array_equal(other_weights[other_rows], weights[rows])


@ends_early
class TestDuplicates:
    """Entries of the same place add up, as in the bag of words of SciPy's csr_matrix."""

    @pytest.fixture
    def words(self):
        """The csr_matrix docstring's loop over documents, made longer."""
        rng = np.random.RandomState(0)
        indptr, indices, data, vocabulary, y = [0], [], [], {}, []
        for _ in range(90):
            topic = rng.randint(3)
            for word in rng.randint(6, size=12) + 3 * topic:
                indices.append(vocabulary.setdefault(int(word), len(vocabulary)))
                data.append(1)
            indptr.append(len(indices))
            y.append(topic)
        rows = sparse.csr_matrix((data, indices, indptr), dtype=int)
        assert not rows.has_canonical_format
        return rows, np.array(y)

    @every_case
    def test_same_as_dense(self, model_class, solver, words):
        rows, y = words
        before = [array.copy() for array in (rows.data, rows.indices, rows.indptr)]
        model = blind_model(model_class, solver, init="auto", max_iter=6)
        if model_class is SoftmaxClassifier and solver in LINEAR_SOLVERS:
            model.set_params(tol=1e-10, max_iter=500, reg=0.1)
            dense = clone(model).fit(rows.toarray(), y)
            model.fit(rows, y)
        else:
            dense = clone(model).fit(rows.toarray(), y, X_val=rows.toarray()[::2], y_val=y[::2])
            model.fit(rows, y, X_val=rows[::2], y_val=y[::2])
        assert_allclose(model.loss_, dense.loss_, rtol=1e-7)
        assert_allclose(model.predict_proba(rows), dense.predict_proba(rows.toarray()), atol=1e-5)
        for array, was in zip((rows.data, rows.indices, rows.indptr), before, strict=True):
            assert_array_equal(array, was)

    @batch_cases
    def test_partial_fit(self, model_class, solver, words):
        rows, y = words
        model, dense = blind_model(model_class, solver), blind_model(model_class, solver)
        model.partial_fit(rows, y, classes=[0, 1, 2])
        assert_same_fit(model, dense.partial_fit(rows.toarray(), y, classes=[0, 1, 2]))

    @every_case
    def test_those_of_compressed_columns(self, model_class, solver, words):
        columns, y = words[0].tocsc(), words[1]
        arrays = 9.0 * columns.data, columns.indices, columns.indptr
        rows = sparse.csc_array(arrays, shape=columns.shape)
        model = blind_model(model_class, solver, init="auto", max_iter=6)
        if model_class is SoftmaxClassifier and solver in LINEAR_SOLVERS:
            model.set_params(tol=1e-10, max_iter=500, reg=0.1)
        dense = clone(model).fit(rows.toarray(), y)
        assert_allclose(model.fit(rows, y).loss_, dense.loss_, rtol=1e-7)

    @pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_array])
    def test_a_sum_beyond_the_range_is_refused(self, container):
        rows = container(([1e308, 1e308, 1.0], [0, 0, 1], [0, 2, 3]), shape=(2, 2))
        with pytest.raises(ValueError, match="infinity"):
            SoftmaxClassifier().fit(rows, [0, 1])
