"""Sparse X: the same fits and predictions as dense X, and never a dense copy of it."""

import threading
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from helpers import (
    LINEAR_SOLVERS,
    assert_same_fit,
    blind_model,
    every_case,
    parameters,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

# for fits whose end at `max_iter` is beside the point
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FORMATS = {
    "csr_array": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
    "csc_array": sparse.csc_array,
    "csc_matrix": sparse.csc_matrix,
    "coo_array": sparse.coo_array,
    "coo_matrix": sparse.coo_matrix,
}
every_format = pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
images, labels = load_digits(n_class=4, return_X_y=True)
# strokes alone, a quarter of the entries, and a column that is zero throughout
X, y = np.where(images > 11, images / 16, 0)[:500], labels[:500]
X_val, y_val = np.where(images > 11, images / 16, 0)[500:], labels[500:]
weights = np.random.RandomState(0).randint(0, 4, len(y)).astype(float)


@pytest.fixture
def no_dense_copies(monkeypatch):
    """Raise where more than a few of the rows are made dense at once."""

    def forbidding(method):
        def wrapped(self, *args, **kwargs):
            if np.prod(self.shape) > 3 * 2**20:
                raise AssertionError(f"{self.shape} made dense")
            return method(self, *args, **kwargs)

        return wrapped

    for sparse_class in FORMATS.values():
        for name in ("toarray", "todense"):
            method = getattr(sparse_class, name)
            monkeypatch.setattr(sparse_class, name, forbidding(method))


class TestLikeDense:
    @every_case
    def test_fit(self, model_class, solver):
        rows = sparse.csr_array(X)
        # the linear solvers' steps depend on how the rows are held, their minimum does not
        if model_class is SoftmaxClassifier and solver in LINEAR_SOLVERS:
            params = {"tol": 1e-12, "max_iter": 500, "reg": 0.1}
            model = blind_model(model_class, solver, **params).fit(rows, y)
            dense = blind_model(model_class, solver, **params).fit(X, y)
            assert_allclose(model.coef_, dense.coef_, atol=1e-5)
            assert_allclose(model.loss_, dense.loss_, rtol=1e-10)
        else:
            model = blind_model(model_class, solver).fit(rows, y)
            assert_same_fit(model, blind_model(model_class, solver).fit(X, y))

    @pytest.mark.parametrize("model_class", [SoftmaxClassifier, TwoLayerNetClassifier])
    @every_format
    def test_predictions(self, model_class, make):
        model = blind_model(model_class, "adam").fit(X, y)
        for method in ("predict_proba", "predict_log_proba", "decision_function"):
            predict = getattr(model, method)
            assert type(predict(make(X_val))) is np.ndarray
            assert_allclose(predict(make(X_val)), predict(X_val), rtol=1e-9, atol=1e-9)
        assert_array_equal(model.predict(make(X_val)), model.predict(X_val))

    @every_case
    def test_formats_give_the_same_bits(self, model_class, solver):
        first, *others = (blind_model(model_class, solver).fit(m(X), y) for m in FORMATS.values())
        for other in others:
            for array, desired in zip(parameters(other), parameters(first), strict=True):
                assert_array_equal(array, desired)

    @every_case
    @pytest.mark.parametrize("given", [False, True])
    def test_validation_set(self, model_class, solver, given):
        model = blind_model(model_class, solver, early_stopping=not given, tol=0)
        extra = {"X_val": sparse.csc_array(X_val), "y_val": y_val} if given else {}
        model.fit(sparse.csr_array(X), y, **extra)
        dense = blind_model(model_class, solver, early_stopping=not given, tol=0)
        dense.fit(X, y, **({"X_val": X_val, "y_val": y_val} if given else {}))
        # a linear solver takes other steps to the same minimum
        linear = model_class is SoftmaxClassifier and solver in LINEAR_SOLVERS
        n = 1 if linear else len(dense.validation_loss_curve_)
        assert_allclose(
            model.validation_loss_curve_[:n],
            dense.validation_loss_curve_[:n],
            rtol=0.1 if linear else 1e-7,
        )
        assert model.validation_loss_curve_[model.best_iter_] == min(model.validation_loss_curve_)


class TestCommonScale:
    """Under init="auto" columns are brought to a common scale by one rule for both containers."""

    @pytest.fixture(params=[np.float64, np.float32])
    def columns(self, request):
        """Rare, wide, tiny, far from zero, full, constant, nearly constant and rounding alone."""
        rng = np.random.RandomState(0)
        X = np.where(rng.uniform(size=(300, 12)) < 0.3, rng.standard_normal((300, 12)), 0)
        y = np.digitize(X[:, :3].sum(axis=1), [-0.5, 0.5])
        X[:, 1] *= 1e3
        X[:, 2] *= 1e-3
        X[:, 3] = rng.standard_normal(300) + 500
        X[:, 4] = np.arange(300) == 7
        X[:, 5] = 3
        X[:, 6] = 0
        X[:, 7] = np.where(np.arange(300) == 9, 0, 0.25)
        X[:, 8] = rng.standard_normal(300)
        X[:, 9] *= 1e-16
        return X.astype(request.param), y

    def make(self, model_class, solver, **params):
        return blind_model(model_class, solver, **{"init": "auto", "max_iter": 4, **params})

    def tolerance(self, X):
        # float32 takes a rounding of the values far from zero, at 500
        return 1e-3 if X.dtype == np.float32 else 1e-8

    @every_case
    def test_same_as_dense(self, columns, model_class, solver):
        if model_class is SoftmaxClassifier and solver in LINEAR_SOLVERS:
            return  # those scale by a rule of their own
        X, y = columns
        X_val = X[::3].copy()
        X_val[0, [3, 5, 7]] = 0  # which are full in X
        model = self.make(model_class, solver)
        dense = clone(model).fit(X, y, X_val=X_val, y_val=y[::3])
        model.fit(sparse.csr_array(X), y, X_val=sparse.csr_array(X_val), y_val=y[::3])
        assert_same_fit(model, dense, self.tolerance(X))
        assert_allclose(
            model.validation_loss_curve_, dense.validation_loss_curve_, rtol=self.tolerance(X)
        )

    def test_ensemble_and_warm_start(self, columns):
        X, y = columns
        params = {"n_nets": 3, "warm_start": True, "schedule": "constant"}
        model = self.make(TwoLayerNetClassifier, "sgd", **params)
        dense = clone(model)
        for part in (slice(None), slice(1, None)):
            dense.fit(X[part], y[part])
            model.fit(sparse.csr_array(X[part]), y[part])
        assert_same_fit(model, dense, self.tolerance(X))
        dense.partial_fit(X[:50], y[:50])
        model.partial_fit(sparse.csr_array(X[:50]), y[:50])
        assert_same_fit(model, dense, self.tolerance(X))


class TestInput:
    @every_case
    @every_format
    def test_it_is_not_changed(self, model_class, solver, make):
        rows = make(X)
        arrays = [
            getattr(rows, n)
            for n in ("data", "indices", "indptr", "row", "col")
            if hasattr(rows, n)
        ]
        before = [array.copy() for array in arrays]
        for array in arrays:
            array.flags.writeable = False
        model = blind_model(model_class, solver).fit(rows, y, weights)
        model.predict_proba(rows)
        for array, was in zip(arrays, before, strict=True):
            assert_array_equal(array, was)

    @pytest.mark.parametrize("solver", ["adam", "lbfgs"])
    def test_unsorted_indices_and_explicit_zeros(self, solver):
        rows = sparse.csr_array(X)
        reversed_columns = sparse.csr_array(X[:, ::-1])
        indices = X.shape[1] - 1 - reversed_columns.indices
        unsorted = sparse.csr_array(
            (reversed_columns.data, indices.astype(np.int32), reversed_columns.indptr), X.shape
        )
        assert not unsorted.has_sorted_indices
        model = blind_model(TwoLayerNetClassifier, solver).fit(rows, y)
        assert_same_fit(blind_model(TwoLayerNetClassifier, solver).fit(unsorted, y), model, 1e-6)
        padded = rows.copy()
        padded.data[:50] = 0
        model = blind_model(TwoLayerNetClassifier, solver).fit(padded, y)
        desired = blind_model(TwoLayerNetClassifier, solver).fit(padded.toarray(), y)
        assert_same_fit(model, desired, 1e-6)

    def test_sixty_four_bit_indices(self):
        rows = sparse.csr_array(X)
        long = rows.copy()
        long.indices, long.indptr = long.indices.astype(np.int64), long.indptr.astype(np.int64)
        for model_class, solver in [
            (SoftmaxClassifier, "auto"),
            (SoftmaxClassifier, "adam"),
            (TwoLayerNetClassifier, "sgd"),
        ]:
            model, expected = (blind_model(model_class, solver).fit(x, y) for x in (long, rows))
            assert_same_fit(model, expected, 1e-9)  # NumPy's kernels take what C's do not

    @every_case
    def test_nan_is_refused(self, model_class, solver):
        rows = sparse.csr_array(X)
        rows.data[7] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            blind_model(model_class, solver).fit(rows, y)

    def test_one_row_and_empty_rows(self):
        rows = sparse.csr_array(X)
        model = blind_model(TwoLayerNetClassifier, "adam").fit(rows, y)
        empty = sparse.csr_array((3, X.shape[1]))
        assert_allclose(model.predict_proba(empty), model.predict_proba(np.zeros((3, X.shape[1]))))
        assert model.predict(rows[[0]]).shape == (1,)


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


class TestMemory:
    @every_case
    def test_never_dense_as_a_whole(self, model_class, solver, no_dense_copies):
        rng = np.random.RandomState(0)
        n_features = 60 if solver == "newton" else 600
        n_samples = 2**22 // n_features
        rows = sparse.csr_array(
            sparse.random(n_samples, n_features, density=0.004, format="csr", random_state=rng)
        )
        target = rng.randint(3, size=n_samples)
        model = blind_model(model_class, solver, max_iter=2).fit(
            rows, target, X_val=rows, y_val=target
        )
        assert model.predict_proba(rows).shape == (n_samples, 3)
        model.fit(sparse.coo_array(rows), target, np.arange(n_samples) % 3)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "model",
        [
            TwoLayerNetClassifier(max_iter=1, random_state=0),
            TwoLayerNetClassifier(solver="sgd", max_iter=1, random_state=0),
            TwoLayerNetClassifier(solver="gd", max_iter=1, random_state=0),
            TwoLayerNetClassifier(hidden_size=20, solver="lbfgs", max_iter=1, random_state=0),
            SoftmaxClassifier(),
            SoftmaxClassifier(solver="lbfgs"),
            SoftmaxClassifier(solver="adam", max_iter=1),
        ],
        ids=str,
    )
    def test_a_large_matrix_fits_in_half_a_gigabyte(self, model):
        rng = np.random.RandomState(0)
        starts = np.arange(0, 1_200_001, 60)
        columns = rng.randint(30_000, size=1_200_000)  # sparse.random would take gigabytes
        rows = sparse.csr_array(
            (rng.standard_normal(1_200_000), columns, starts), shape=(20_000, 30_000)
        )
        target = (rows @ rng.standard_normal((30_000, 4))).argmax(axis=1)
        resident = ResidentMemory()
        tracemalloc.start()
        try:
            with resident:
                model.fit(rows, target)
            traced = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert traced < 500e6
        assert resident.growth < 500e6
        assert model.predict_proba(rows).shape == (20_000, 4)


class ResidentMemory:
    """The most by which the memory of the process grows within a block, as the system sees it."""

    growth = 0

    def __enter__(self):
        self._before, self._is_done = self._now(), False
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def __exit__(self, *exc_info):
        self._is_done = True
        self._thread.join()

    def _watch(self):
        while not self._is_done:
            self.growth = max(self.growth, self._now() - self._before)
            time.sleep(0.005)

    @staticmethod
    def _now():
        with suppress(FileNotFoundError):  # where there is no /proc
            return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
        return 0
