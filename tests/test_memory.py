"""In addition to X, fit needs memory for a chunk, the parameters and 64 bytes per row."""

import gc
import tracemalloc
import weakref
from functools import cache

import numpy as np
import pytest
from helpers import solvers_of
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._nets.samples import chunk_length

# a few iterations reach the peak
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

BYTES_PER_ROW = 64
NET_SOLVERS = solvers_of(TwoLayerNetClassifier)
CASES = [
    *(("softmax", solver) for solver in solvers_of(SoftmaxClassifier) if solver != "auto"),
    *(("net", solver) for solver in NET_SOLVERS),
]
FEW_CASES = [("softmax", "gd"), ("softmax", "lbfgs"), ("net", "adam")]
every_case = pytest.mark.parametrize(("name", "solver"), CASES)


def make_model(name, solver, hidden_size=10, **kwargs):
    # the same penalty and iterations for any number of rows
    kwargs = {"reg": 1e-3, "solver": solver, "max_iter": 1, "random_state": 0, **kwargs}
    if name == "softmax":
        return SoftmaxClassifier(**kwargs)
    return TwoLayerNetClassifier(hidden_size, **kwargs)


@cache
def make_data(n_samples, n_features, dtype=np.float64):
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=n_samples)
    X = rng.standard_normal((n_samples, n_features), dtype=dtype)
    X += y[:, None]
    return X, y


def peak_of(call):
    """Return the peak number of bytes allocated during a call."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def peak_of_fit(model, X, y, **kwargs):
    model.fit(X[:500], y[:500])  # imports and caches of the first fit do not count
    return peak_of(lambda: model.fit(X, y, **kwargs))


def budget(X, hidden_size=10):
    """Return the bytes that fit may allocate for the rows, a chunk and the parameters."""
    n_samples, n_features = X.shape
    n_parameters = (n_features + 1) * hidden_size + (hidden_size + 1) * 3
    chunk = chunk_length((n_features, hidden_size, 3))
    # a few workspaces; L-BFGS stores tens of gradients
    per_chunk = 6 * chunk * (n_features + 4 * hidden_size + 20)
    return BYTES_PER_ROW * n_samples + X.itemsize * per_chunk + 8 * 60 * n_parameters


def bytes_per_row(name, solver, n_samples, n_features, hidden_size=16, dtype=np.float64):
    """Return the growth of the peak from half of the rows to all rows."""
    X, y = make_data(n_samples, n_features, dtype)
    model = make_model(name, solver, hidden_size, batch_size=256)
    half = n_samples // 2
    return (peak_of_fit(model, X, y) - peak_of_fit(model, X[:half], y[:half])) / half


# whole numbers of batches and chunks, so that a short one does not change the peak
N_ROWS, N_MANY_ROWS = 12 * 4096, 2 * 128 * 4096


@every_case
def test_fit_allocates_at_most_64_bytes_per_row(name, solver):
    assert bytes_per_row(name, solver, N_ROWS, 20, 32) <= BYTES_PER_ROW


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "solver", "more"),
    [*((*case, {"n_features": 100}) for case in CASES)]
    + [("net", solver, {"hidden_size": 128}) for solver in NET_SOLVERS],
)
def test_the_bytes_per_row_do_not_depend_on_columns_and_units(name, solver, more):
    sizes = {"n_samples": N_MANY_ROWS, "n_features": 10, "hidden_size": 16, "dtype": np.float32}
    few, many = (bytes_per_row(name, solver, **kwargs) for kwargs in (sizes, sizes | more))
    assert max(few, many) <= BYTES_PER_ROW
    assert many == pytest.approx(few, abs=3)


@pytest.mark.parametrize("extra", ["weights", "class_weight", "early_stopping", "validation"])
@pytest.mark.parametrize(("name", "solver"), FEW_CASES)
def test_weights_and_validation_add_at_most_64_bytes_per_row(name, solver, extra):
    X, y = make_data(N_ROWS, 2)
    weights = np.random.default_rng(0).integers(0, 3, size=N_ROWS).astype(float)
    model = make_model(name, solver, batch_size=256)
    model.set_params(
        early_stopping=extra == "early_stopping",
        validation_fraction=0.5,  # whole chunks on both sides
        class_weight="balanced" if extra == "class_weight" else None,
    )
    peaks = []
    for n in (N_ROWS // 2, N_ROWS):
        kwargs = {
            "weights": {"sample_weight": weights[:n]},
            "validation": {"X_val": X[:n], "y_val": y[:n]},
        }.get(extra, {})
        peaks.append(peak_of_fit(model, X[:n], y[:n], **kwargs))
    n_new_rows = N_ROWS if extra == "validation" else N_ROWS // 2
    assert (peaks[1] - peaks[0]) / n_new_rows <= BYTES_PER_ROW


@pytest.mark.parametrize(
    ("name", "solver", "layout"),
    [(*case, layout) for case in CASES for layout in ("float32", "F", "mapped")]
    + [(*case, f"every other {part}") for case in FEW_CASES for part in ("row", "column")],
)
def test_no_dtype_or_layout_of_the_rows_causes_a_copy(name, solver, layout, tmp_path):
    n_samples = 30_000 if "every other" in layout else 15_000
    X, y = make_data(n_samples, 200, np.float64 if layout in ("F", "mapped") else np.float32)
    if layout == "mapped":
        np.save(tmp_path / "X.npy", X)
        before, X = X, np.load(tmp_path / "X.npy", mmap_mode="r")
    X, y = {
        "float32": lambda: (X, y),
        "mapped": lambda: (X, y),
        "F": lambda: (np.asfortranarray(X), y),
        "every other row": lambda: (X[::2], y[::2]),
        "every other column": lambda: (X[:, ::2], y),
    }[layout]()
    assert peak_of_fit(make_model(name, solver), X, y) <= budget(X) < X.nbytes
    if layout == "mapped":
        assert_array_equal(np.load(tmp_path / "X.npy"), before)


# "newton" stores many D x D matrices for any number of rows
@pytest.mark.parametrize(("name", "solver"), [case for case in CASES if case[1] != "newton"])
def test_fewer_rows_than_a_chunk_are_not_copied(name, solver):
    X, y = make_data(3000, 800)
    n_matrices = 2 if (name, solver) == ("softmax", "lbfgs") else 0
    peak = peak_of_fit(make_model(name, solver, 2), X, y)
    assert peak <= X.nbytes / 2 + n_matrices * 801**2 * 8


@pytest.mark.parametrize("method", ["partial_fit", "predict_proba"])
@pytest.mark.parametrize("name", ["softmax", "net"])
def test_partial_fit_and_predict_proba_allocate_a_chunk(name, method):
    X, y = make_data(30_000, 100)
    model = make_model(name, "adam").partial_fit(X[:100], y[:100], classes=[0, 1, 2])
    args = (X, y) if method == "partial_fit" else (X,)
    assert peak_of(lambda: getattr(model, method)(*args)) <= budget(X) < X.nbytes


def test_many_classes_of_sparse_columns_need_no_quadratic_memory():
    X = sparse.random(300, 5000, 0.01, format="csr", random_state=0)
    y = np.arange(300) % 40
    model = SoftmaxClassifier(1e-3, max_iter=3).fit(X, y)
    assert peak_of(lambda: model.fit(X, y)) < 30 * model.coef_.nbytes


@cache
def many_classes_model(name, n_nets=1):
    y = np.arange(600) % 300
    X = np.random.default_rng(0).standard_normal((600, 2)) + y[:, None]
    model = make_model(name, "adam", 4)
    return (model.set_params(n_nets=n_nets) if name == "net" else model).fit(X, y)


def peak_of_predict(model, n_samples):
    X, _ = make_data(n_samples, 2)
    model.predict(X[:10])
    return peak_of(lambda: model.predict(X))


@pytest.mark.parametrize(("name", "n_nets"), [("softmax", 1), ("net", 1), ("net", 8)])
def test_predict_does_not_store_the_scores_of_all_rows_and_nets(name, n_nets):
    model = many_classes_model(name, n_nets)
    small, large = (peak_of_predict(model, n) for n in (8 * 128, 40 * 128))
    assert (large - small) / (32 * 128) <= 2 * 8  # an index and a label, not 300 scores
    if n_nets > 1:  # nor the scores of all nets
        one = peak_of_predict(many_classes_model(name), 8 * 128)
        assert small - one <= 3 * 128 * 300 * 8


@every_case
def test_no_reference_cycle_keeps_the_rows(name, solver):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 4)), rng.integers(3, size=60)
    is_alive = weakref.ref(X)
    gc.disable()
    try:
        make_model(name, solver, warm_start=True).fit(X, y)
        del X
        assert is_alive() is None
    finally:
        gc.enable()
