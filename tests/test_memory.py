"""What `fit` holds beyond X: the activations of a chunk, the parameters, 64 bytes a row."""

import gc
import tracemalloc
import weakref
from functools import cache

import numpy as np
import pytest
from helpers import solvers_of
from numpy.testing import assert_array_equal

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._nets.samples import chunk_length

# one or two iterations are enough to see what is held
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

BYTES_PER_ROW = 64
MODEL_CLASSES = {"softmax": SoftmaxClassifier, "net": TwoLayerNetClassifier}


CASES = [
    (name, solver)
    for name, model_class in MODEL_CLASSES.items()
    for solver in solvers_of(model_class)
    if solver != "auto"  # one of the others
]
FEW_CASES = [("softmax", "gd"), ("softmax", "lbfgs"), ("net", "adam")]
NET_SOLVERS = solvers_of(TwoLayerNetClassifier)


def make_model(name, solver, hidden_size=10, **kwargs):
    # one penalty for few rows and for many, so that both fits do the same
    kwargs = {"reg": 1e-3, "solver": solver, "max_iter": 2, "random_state": 0, **kwargs}
    if name == "softmax":
        return SoftmaxClassifier(**kwargs)
    return TwoLayerNetClassifier(hidden_size, **kwargs)


@cache
def make_data(n_samples, n_features, dtype=np.float64):
    """Rows in a few clusters, made without a second array of the size of X."""
    rng = np.random.RandomState(0)
    y = rng.randint(3, size=n_samples)
    X = np.empty((n_samples, n_features), dtype)
    for start in range(0, n_samples, 10_000):
        labels = y[start : start + 10_000]
        noise = rng.standard_normal((len(labels), n_features))
        X[start : start + len(labels)] = noise + labels[:, None]
    return X, y


def peak_of_fit(model, X, y, **kwargs):
    """The most bytes that were held at once in fit, beyond what was there before."""
    model.fit(X[:500], y[:500])  # what the first fit imports or keeps does not count
    tracemalloc.start()
    try:
        model.fit(X, y, **kwargs)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def budget(X, hidden_size=10):
    """The bytes that a fit may hold: by the row, by the chunk, and by the parameter."""
    n_samples, n_features = X.shape
    n_parameters = (n_features + 1) * hidden_size + (hidden_size + 1) * 3
    chunk = chunk_length((n_features, hidden_size, 3))
    # a few workspaces for full and last chunks; L-BFGS has some tens of gradients
    per_chunk = 6 * chunk * (n_features + 4 * hidden_size + 20)
    return BYTES_PER_ROW * n_samples + X.itemsize * per_chunk + 8 * 60 * n_parameters


def bytes_per_row(name, solver, n_samples, n_features, hidden_size=16, dtype=np.float64):
    """The growth of the peak from half of the rows to all of them."""
    X, y = make_data(n_samples, n_features, dtype)
    model = make_model(name, solver, hidden_size, max_iter=1, batch_size=256)
    half = n_samples // 2
    small, large = peak_of_fit(model, X[:half], y[:half]), peak_of_fit(model, X, y)
    return (large - small) / half


# whole numbers of batches and chunks, so that no short one at the end changes the peak
N_ROWS, N_MANY_ROWS = 2 * 6 * 4096, 2 * 128 * 4096


@pytest.mark.parametrize(("n_features", "hidden_size"), [(10, 16), (100, 128)])
@pytest.mark.parametrize(("name", "solver"), CASES)
def test_growth_per_row(name, solver, n_features, hidden_size):
    assert bytes_per_row(name, solver, N_ROWS, n_features, hidden_size) <= BYTES_PER_ROW


@pytest.mark.slow
@pytest.mark.parametrize(("name", "solver"), CASES)
def test_growth_per_row_is_the_same_for_more_columns(name, solver):
    few, many = (bytes_per_row(name, solver, N_MANY_ROWS, D, dtype=np.float32) for D in (10, 100))
    assert max(few, many) <= BYTES_PER_ROW
    assert many == pytest.approx(few, abs=3)


@pytest.mark.slow
@pytest.mark.parametrize("solver", NET_SOLVERS)
def test_growth_per_row_is_the_same_for_more_units(solver):
    few, many = (bytes_per_row("net", solver, N_MANY_ROWS, 10, h) for h in (16, 128))
    assert max(few, many) <= BYTES_PER_ROW
    assert many == pytest.approx(few, abs=3)


@pytest.mark.parametrize("solver", NET_SOLVERS)
def test_peak_is_far_below_the_size_of_the_activations(solver):
    X, y = make_data(60_000, 100)
    peak = peak_of_fit(make_model("net", solver, 100, max_iter=1), X, y)
    assert peak <= budget(X, 100) < 60_000 * 100 * 8


@pytest.mark.parametrize("extra", ["weights", "class_weight", "early_stopping", "validation"])
@pytest.mark.parametrize(("name", "solver"), FEW_CASES)
def test_growth_per_row_with_weights_and_validation(name, solver, extra):
    X, y = make_data(N_ROWS, 2)  # beside few columns the rows are what counts
    weights = np.random.RandomState(0).randint(0, 3, size=N_ROWS).astype(float)
    model = make_model(name, solver, max_iter=1, batch_size=256)
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


@pytest.mark.parametrize(("dtype", "order"), [(np.float32, "C"), (np.float64, "F")])
@pytest.mark.parametrize(("name", "solver"), CASES)
def test_no_copy_for_a_dtype_or_an_order(name, solver, dtype, order):
    X, y = make_data(80_000, 100, dtype)
    X = np.asarray(X, order=order)
    peak = peak_of_fit(make_model(name, solver, max_iter=1), X, y)
    assert peak <= budget(X) < X.nbytes


@pytest.mark.parametrize("step", [(2, 1), (1, 2)], ids=["rows", "columns"])
@pytest.mark.parametrize(("name", "solver"), FEW_CASES)
def test_no_copy_of_a_strided_view(name, solver, step):
    X, y = make_data(80_000 * step[0], 100 * step[1], np.float32)
    X, y = X[:: step[0], :: step[1]], y[:: step[0]]
    peak = peak_of_fit(make_model(name, solver, max_iter=1), X, y)
    assert peak <= budget(X) < X.nbytes


@pytest.mark.parametrize(("name", "solver"), CASES)
def test_no_copy_of_few_rows_with_many_columns(name, solver):
    # fewer rows than a chunk has: what is held must not be X once more
    X, y = make_data(3000, 1600)
    peak = peak_of_fit(make_model(name, solver, 2, max_iter=1), X, y)
    # the linear model's own solvers hold D x D factors, whatever the number of rows
    n_factors = {"newton": 10, "lbfgs": 2}.get(solver, 0) if name == "softmax" else 0
    assert peak <= X.nbytes / 2 + n_factors * 1601**2 * 8


@pytest.mark.parametrize(("name", "solver"), CASES)
def test_a_memory_mapped_file_is_neither_copied_nor_changed(name, solver, tmp_path):
    X, y = make_data(60_000, 100)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    peak = peak_of_fit(make_model(name, solver, max_iter=1), mapped, y)
    assert peak <= budget(X) < X.nbytes
    assert_array_equal(np.load(tmp_path / "X.npy", mmap_mode="r"), X)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fit_holds_a_chunk_at_most(solver):
    X, y = make_data(60_000, 100)
    model = make_model("net", solver)
    model.partial_fit(X[:100], y[:100], classes=[0, 1, 2])
    tracemalloc.start()
    for _ in range(3):
        model.partial_fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= budget(X) < X.nbytes


@pytest.mark.parametrize("name", MODEL_CLASSES)
def test_predict_holds_a_chunk_at_most(name):
    X, y = make_data(60_000, 100)
    model = make_model(name, "adam", max_iter=1).fit(X[:1000], y[:1000])
    tracemalloc.start()
    model.predict_proba(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= budget(X) < X.nbytes


@cache
def many_classes_model(name, n_nets=1):
    rng = np.random.RandomState(0)
    y = np.arange(600) % 300
    X = rng.standard_normal((600, 2)) + y[:, None]
    model = make_model(name, "adam", 4, max_iter=1)
    if n_nets > 1:
        model.set_params(n_nets=n_nets)
    return model.fit(X, y)


def peak_of_predict(model, n_samples):
    X = np.random.RandomState(0).standard_normal((n_samples, 2))
    model.predict(X[:10])
    tracemalloc.start()
    try:
        model.predict(X)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("name", "n_nets"), [("softmax", 1), ("net", 1), ("net", 3)])
def test_predict_holds_no_scores_of_all_rows(name, n_nets):
    model = many_classes_model(name, n_nets)
    small, large = (peak_of_predict(model, n) for n in (8 * 128, 40 * 128))
    assert (large - small) / (32 * 128) <= 2 * 8  # an index and a label, not 300 scores


def test_predict_holds_the_scores_of_a_few_nets_at_a_time():
    one, eight = (peak_of_predict(many_classes_model("net", n), 4 * 128) for n in (1, 8))
    assert eight - one <= 3 * 128 * 300 * 8


@pytest.mark.parametrize(("name", "solver"), CASES)
def test_rows_go_with_their_last_name(name, solver):
    """No circle of references keeps them, which would have to wait for a collection."""
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((60, 4)), rng.randint(3, size=60)
    is_alive = weakref.ref(X)
    gc.disable()
    try:
        make_model(name, solver, warm_start=True).fit(X, y)
        del X
        assert is_alive() is None
    finally:
        gc.enable()
