"""Sparse X: the same fits and predictions as dense X, without a dense copy of it."""

import numpy as np
import pytest
from helpers import LINEAR_SOLVERS, assert_same_bits, assert_same_fit, blind_model, every_case
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FORMATS = {
    "csr_array": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
    "csc_array": sparse.csc_array,
    "csc_matrix": sparse.csc_matrix,
    "coo_array": sparse.coo_array,
    "coo_matrix": sparse.coo_matrix,
}
# the different paths through the training
PATHS = [
    (SoftmaxClassifier, "auto"),
    (SoftmaxClassifier, "adam"),
    (TwoLayerNetClassifier, "adam"),
    (TwoLayerNetClassifier, "lbfgs"),
]
every_path = pytest.mark.parametrize(("model_class", "solver"), PATHS)
images, labels = load_digits(n_class=4, return_X_y=True)
# a quarter of the entries and no entry of one column differ from 0
images = np.where(images > 11, images / 16, 0)
X, y, X_val, y_val = images[:500], labels[:500], images[500:], labels[500:]


def is_linear(model_class, solver):
    return model_class is SoftmaxClassifier and solver in LINEAR_SOLVERS


# ---- the same as dense X


@every_case
def test_a_fit_equals_a_fit_on_dense_rows(model_class, solver):
    rows = sparse.csr_array(X)
    if not is_linear(model_class, solver):
        model, dense = (blind_model(model_class, solver).fit(each, y) for each in (rows, X))
        assert_same_fit(model, dense)
        return
    # the steps of the linear solvers, but not the minimum, depend on the container
    params = {"tol": 1e-12, "max_iter": 500, "reg": 0.1}
    model, dense = (blind_model(model_class, solver, **params).fit(each, y) for each in (rows, X))
    assert_allclose(model.coef_, dense.coef_, atol=1e-5)
    assert_allclose(model.loss_, dense.loss_, rtol=1e-10)


@every_path
def test_all_formats_give_the_same_bits_and_do_not_change(model_class, solver):
    w = np.arange(len(y)) % 3
    first = blind_model(model_class, solver).fit(sparse.csr_array(X), y, w)
    for make in FORMATS.values():
        rows = make(X)
        names = ("data", "indices", "indptr", "row", "col")
        arrays = [getattr(rows, name) for name in names if hasattr(rows, name)]
        before = [array.copy() for array in arrays]
        for array in arrays:
            array.flags.writeable = False
        assert_same_bits(blind_model(model_class, solver).fit(rows, y, w), first)
        for method in ("predict_proba", "predict_log_proba", "decision_function", "predict"):
            predict = getattr(first, method)
            assert type(predict(rows)) is np.ndarray
            assert_allclose(predict(rows), predict(X), rtol=1e-9, atol=1e-9)
        for array, was in zip(arrays, before, strict=True):
            assert_array_equal(array, was)


@pytest.mark.parametrize("is_given", [False, True])
@every_path
def test_a_validation_set_is_used_like_a_dense_one(model_class, solver, is_given):
    def fit(make):
        model = blind_model(model_class, solver, early_stopping=not is_given, tol=0)
        extra = {"X_val": make(X_val), "y_val": y_val} if is_given else {}
        return model.fit(make(X), y, **extra)

    model, dense = fit(sparse.csc_array), fit(np.asarray)
    curve, expected = model.validation_loss_curve_, dense.validation_loss_curve_
    assert_allclose(curve, expected, rtol=1e-6 if is_linear(model_class, solver) else 1e-7)
    assert curve[model.best_iter_] == min(curve)


# ---- scaled columns (`init="auto"`)


@pytest.fixture(params=[np.float64, np.float32])
def columns(request):
    """Rare, wide, tiny, shifted, full, constant, almost constant columns and rounding errors."""
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
    # rounding of the values near 500
    rtol = 1e-3 if request.param == np.float32 else 1e-8
    return X.astype(request.param), y, rtol


@pytest.mark.parametrize(
    ("model_class", "solver"),
    [
        (SoftmaxClassifier, "sgd"),
        *((TwoLayerNetClassifier, solver) for solver in ("adam", "gd", "lbfgs")),
    ],
)
def test_columns_are_scaled_like_dense_ones(columns, model_class, solver):
    X, y, rtol = columns
    X_val = X[::3].copy()
    X_val[0, [3, 5, 7]] = 0  # full columns of X
    model = blind_model(model_class, solver, init="auto", dtype=X.dtype.name, max_iter=4)
    dense = clone(model).fit(X, y, X_val=X_val, y_val=y[::3])
    model.fit(sparse.csr_array(X), y, X_val=sparse.csr_array(X_val), y_val=y[::3])
    assert_same_fit(model, dense, rtol)
    assert_allclose(model.validation_loss_curve_, dense.validation_loss_curve_, rtol=rtol)


def test_several_nets_continue_with_columns_scaled_like_dense_ones(columns):
    X, y, rtol = columns
    params = {"n_nets": 3, "warm_start": True, "schedule": "constant", "max_iter": 4}
    model = blind_model(TwoLayerNetClassifier, "sgd", init="auto", dtype=X.dtype.name, **params)
    dense = clone(model)
    for part in (slice(None), slice(1, None)):
        dense.fit(X[part], y[part])
        model.fit(sparse.csr_array(X[part]), y[part])
    assert_same_fit(model, dense, rtol)
    dense.partial_fit(X[:50], y[:50])
    model.partial_fit(sparse.csr_array(X[:50]), y[:50])
    assert_same_fit(model, dense, rtol)


# ---- input


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_indices_may_be_unsorted_and_zeros_stored(solver):
    backwards = sparse.csr_array(X[:, ::-1])
    indices = (X.shape[1] - 1 - backwards.indices).astype(np.int32)
    unsorted = sparse.csr_array((backwards.data, indices, backwards.indptr), X.shape)
    assert not unsorted.has_sorted_indices
    padded = sparse.csr_array(X)
    padded.data[:50] = 0
    for rows in (unsorted, padded):
        model = blind_model(TwoLayerNetClassifier, solver).fit(rows, y)
        dense = blind_model(TwoLayerNetClassifier, solver).fit(rows.toarray(), y)
        assert_same_fit(model, dense, 1e-6)


def test_one_row_and_empty_rows_are_predicted():
    rows = sparse.csr_array(X)
    model = blind_model(TwoLayerNetClassifier, "adam").fit(rows, y)
    empty = sparse.csr_array((3, X.shape[1]))
    assert_allclose(model.predict_proba(empty), model.predict_proba(np.zeros((3, X.shape[1]))))
    assert model.predict(rows[[0]]).shape == (1,)


@pytest.mark.parametrize("is_by_column", [False, True])
@every_path
def test_duplicate_entries_add_up(model_class, solver, is_by_column):
    rng = np.random.RandomState(0)
    y = np.arange(90) % 3
    words = rng.randint(6, size=(90, 12)) + 3 * y[:, None]
    rows = sparse.csr_matrix((np.ones(words.size, int), words.ravel(), np.arange(91) * 12))
    if is_by_column:
        columns = rows.tocsc()  # does not sum duplicates
        rows = sparse.csc_array(
            (9.0 * columns.data, columns.indices, columns.indptr), columns.shape
        )
    assert not rows.has_canonical_format
    before = [array.copy() for array in (rows.data, rows.indices, rows.indptr)]
    model = blind_model(model_class, solver, init="auto", dtype=X.dtype.name, max_iter=6)
    if is_linear(model_class, solver):
        model.set_params(tol=1e-10, max_iter=500, reg=0.1)
    dense = clone(model).fit(rows.toarray(), y)
    model.fit(rows, y)
    assert_allclose(model.loss_, dense.loss_, rtol=1e-7)
    assert_allclose(model.predict_proba(rows), dense.predict_proba(rows.toarray()), atol=1e-5)
    for array, was in zip((rows.data, rows.indices, rows.indptr), before, strict=True):
        assert_array_equal(array, was)


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_array])
def test_duplicates_with_an_infinite_sum_raise_an_error(container):
    rows = container(([1e308, 1e308, 1.0], [0, 0, 1], [0, 2, 3]), shape=(2, 2))
    with pytest.raises(ValueError, match="infinity"):
        SoftmaxClassifier().fit(rows, [0, 1])


# ---- memory


@pytest.mark.parametrize(("model_class", "solver"), [*PATHS, (SoftmaxClassifier, "newton")])
def test_x_is_never_converted_to_dense_as_a_whole(model_class, solver, monkeypatch):
    # the linear solvers take longer chunks
    limit = 3 * 2**20 if is_linear(model_class, solver) else 2**19
    n_features = 60 if solver == "newton" else 600
    n_samples = 4 * limit // 3 // n_features
    rows = sparse.csr_array(
        sparse.random(n_samples, n_features, density=0.004, format="csr", random_state=0)
    )
    target = np.arange(n_samples) % 3

    def forbidding(method):
        def wrapped(self, *args, **kwargs):
            assert np.prod(self.shape) <= limit, f"{self.shape} made dense"
            return method(self, *args, **kwargs)

        return wrapped

    for sparse_class in FORMATS.values():
        for name in ("toarray", "todense"):
            monkeypatch.setattr(sparse_class, name, forbidding(getattr(sparse_class, name)))
    model = blind_model(model_class, solver, max_iter=1)
    model.fit(rows, target, X_val=rows, y_val=target)
    assert model.predict_proba(rows).shape == (n_samples, 3)
    model.fit(sparse.coo_array(rows), target, np.arange(n_samples) % 5)
