"""The compiled kernels: NumPy's up to rounding, and bits that depend on a net alone."""

import sys
import threading
import time
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import (
    KINDS,
    RATES,
    RULES,
    CompiledKernels,
    assert_checks,
    assert_close,
    assert_same_bits,
    both_dtypes,
    every_kind,
    every_rule,
    every_width,
    make_kernels,
    make_network,
    make_samples,
    needs_compiled,
    run_epochs,
    strided,
    unaligned,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn._nets.activations import ACTIVATIONS
from sklearn_toynn._nets.kernels import selection
from sklearn_toynn._nets.kernels.numpy_kernels import NumpyKernels
from sklearn_toynn._nets.samples import Samples, chunk_length
from sklearn_toynn.datasets import make_spiral

if CompiledKernels:
    from sklearn_toynn._nets.kernels._compiled import Stack

    from sklearn_toynn._nets.kernels import compiled_kernels

pytestmark = needs_compiled

#: Of one loss or gradient.
RTOL = {np.float32: 1e-5, np.float64: 1e-12}
SETS = [NumpyKernels, CompiledKernels]
# but for kinks in float32, to the other side of which rounding takes a unit now and then
TYPES_AND_ACTIVATIONS = [
    (dtype, activation)
    for dtype in (np.float32, np.float64)
    for activation in sorted(ACTIVATIONS)
    if dtype is np.float64 or activation not in {"relu", "leaky_relu"}
]


def assert_sets_agree(network, samples, rows):
    """Compare all that is computed for given parameters."""
    dtype = network.parameters.dtype.type
    by_numpy, compiled = (make_kernels(kernels, network, samples) for kernels in SETS)
    for call in (lambda kernels: kernels.on_batch(rows), lambda kernels: kernels.on_all()):
        assert_allclose(call(compiled), call(by_numpy), rtol=RTOL[dtype])
        assert compiled.gradient.dtype == dtype
        assert_close(compiled.gradient, by_numpy.gradient, RTOL[dtype])
    assert_allclose(compiled.value(), by_numpy.value(), rtol=RTOL[dtype])
    scores = [kernels.scores(network, samples.X) for kernels in SETS]
    assert scores[1].shape == scores[0].shape
    assert scores[1].dtype == dtype
    assert_close(scores[1], scores[0], RTOL[dtype])


# ---- up to rounding, what NumPy's kernels compute


@pytest.mark.parametrize("activation", ACTIVATIONS)
@every_width
@both_dtypes
def test_sets_agree(dtype, widths, activation):
    network = make_network(widths, activation, dtype=dtype)
    for n_samples in (37, 48):  # with rows to fill up the lanes, and without
        samples = make_samples(widths, n_samples, dtype=dtype)
        assert_sets_agree(network, samples, np.arange(3, 30))


@pytest.mark.parametrize("uses_rows", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("widths", [(3, 4), (9, 20, 3), (70, 66, 5, 3)], ids=str)
@every_kind
@both_dtypes
def test_sets_agree_on_rows_of_any_kind(dtype, kind, widths, weighted, uses_rows):
    samples = make_samples(widths, 45, kind, dtype=dtype, uses_rows=uses_rows, weighted=weighted)
    if kind == "scaled csr":
        assert samples.scaled_columns.center is not None
        assert samples.scaled_columns.mean.any()
    assert_sets_agree(make_network(widths, dtype=dtype), samples, np.array([40, 3, 7, 3, 12]))


@pytest.mark.parametrize("widths", [(3, 512, 3), (70, 600, 66)], ids=str)
@every_kind
@both_dtypes
def test_sets_agree_chunk_by_chunk(dtype, kind, widths):
    n_samples = 3 * chunk_length(widths) - 7
    samples = make_samples(widths, n_samples, kind, dtype=dtype)
    assert_sets_agree(make_network(widths, dtype=dtype), samples, np.arange(n_samples))


# no X and biases that begin at 0: units at the kink of their activation
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_sets_agree_at_zero(activation):
    widths = (3, 5, 4, 2)
    network = make_network(widths, activation)
    network.parameters[:, network.n_weights :] = 0
    samples = make_samples(widths, 20)
    samples.X[::2] = 0
    assert_sets_agree(network, samples, np.arange(7))


@settings(max_examples=60, deadline=None)
@given(
    widths=st.lists(st.one_of(st.integers(1, 18), st.integers(62, 68)), min_size=2, max_size=5),
    n_nets=st.integers(1, 3),
    n_samples=st.integers(2, 70),
    type_and_activation=st.sampled_from(TYPES_AND_ACTIVATIONS),
    kind=st.sampled_from(KINDS),
)
def test_sets_agree_whatever_the_shape(widths, n_nets, n_samples, type_and_activation, kind):
    dtype, activation = type_and_activation
    widths[-1] += 1  # two classes
    network = make_network(widths, activation, n_nets=n_nets, dtype=dtype)
    samples = make_samples(widths, n_samples, kind, dtype=dtype)
    assert_sets_agree(network, samples, np.random.RandomState(0).permutation(n_samples)[:20])


@pytest.mark.parametrize(("dtype", "activation"), TYPES_AND_ACTIVATIONS)
@every_rule
def test_sets_agree_over_epochs(dtype, rule_class, activation):
    widths = (5, 20, 67, 3)
    network = make_network(widths, activation, n_nets=3, dtype=dtype)
    assert_epochs_agree(network, make_samples(widths, 55, dtype=dtype), rule_class)


@pytest.mark.parametrize("widths", [(9, 4), (70, 6, 3)], ids=str)
@every_kind
@every_rule
def test_sets_agree_over_epochs_on_rows_of_any_kind(rule_class, kind, widths):
    samples = make_samples(widths, 55, kind, uses_rows=True)
    assert_epochs_agree(make_network(widths, n_nets=3), samples, rule_class)


def assert_epochs_agree(network, samples, rule_class):
    # the loss falls, then rises
    growing = {"n_epochs": 6, "growth": 1.25}
    if rule_class is RULES["adam"]:
        growing["rates"] = RATES / 4
    expected, results = (
        run_epochs(make_kernels(kernels, network, samples), rule_class, **growing)
        for kernels in SETS
    )
    best = expected["losses"].argmin(axis=0)
    assert (best < 5).any()
    assert (best > 0).any()
    # one gradient's bound for each update; Adam's are as large where a gradient is hardly any
    rtol = RTOL[network.parameters.dtype.type] * 24 * (10 if rule_class is RULES["adam"] else 1)
    assert_close(results["losses"].T, expected["losses"].T, rtol)
    for name in ("parameters", "memory", "best", "previous"):
        assert_close(results[name], expected[name], rtol)
    assert_allclose(results["best losses"], expected["best losses"], rtol=rtol)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["gd", "adam"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_sets_agree_on_200_iterations_of_the_spiral(monkeypatch, activation, solver):
    X, y = make_spiral(random_state=0)
    by_numpy, compiled = (
        fit_with(
            [kernels],
            monkeypatch,
            TwoLayerNetClassifier(
                activation=activation, solver=solver, max_iter=200, tol=0.0, random_state=0
            ),
            X,
            y,
        )
        for kernels in SETS
    )
    assert by_numpy.n_iter_ == compiled.n_iter_ == 200
    assert_allclose(compiled.loss_curve_, by_numpy.loss_curve_, rtol=1e-9)
    assert_allclose(compiled.loss_, by_numpy.loss_, rtol=1e-9)
    assert_allclose(compiled.predict_proba(X), by_numpy.predict_proba(X), atol=1e-7)


def fit_with(sets, monkeypatch, model, X, y):
    monkeypatch.setattr(selection, "KERNELS", sets)
    return model.fit(X, y)


# ---- the same bits, wherever arrays lie


def at_offset(array, offset):
    """Return a copy that begins so many entries after a cache line's start."""
    buffer = np.empty(array.nbytes + 128, np.uint8)
    start = -buffer.ctypes.data % 64 + offset * array.itemsize
    copy = buffer[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def move(samples, place):
    """Return the same samples in arrays that `place` makes."""
    X = samples.X
    if sparse.issparse(X):
        X = X.copy()
        X.data, X.indices, X.indptr = place(X.data), place(X.indices), place(X.indptr)
    else:
        X = place(X)
    codes, weights = place(samples.codes), place(samples.weights)
    return Samples(X, codes, weights, samples.rows, samples.columns)


@every_kind
@pytest.mark.parametrize(
    "widths", [(5, 4), (65, 1, 2), (70, 1), (7, 20, 3), (70, 66, 67, 3)], ids=str
)
@both_dtypes
def test_bits_do_not_depend_on_the_alignment(dtype, widths, kind):
    network = make_network(widths, dtype=dtype)
    samples = make_samples(widths, 48, kind, dtype=dtype)
    aligned, *others = (
        compute_all(network, move(samples, place), place)
        for place in (partial(at_offset, offset=offset) for offset in (0, 1, 3, 6))
    )
    for other in others:
        assert_same_bits(other, aligned)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("widths", [(5, 7, 3), (70, 66, 3)], ids=str)
@both_dtypes
def test_bits_do_not_depend_on_the_layout(dtype, widths, scaled, tmp_path):
    network = make_network(widths, dtype=dtype)
    samples = make_samples(widths, 48, "scaled" if scaled else "dense", dtype=dtype)
    X = samples.X
    expected = compute_all(network, samples)
    for name, other in layouts(X, tmp_path / "X").items():
        assert_array_equal(other, X)
        assert CompiledKernels.supports(network, other), name
        moved = Samples(other, samples.codes, samples.weights, None, samples.columns)
        assert_same_bits(compute_all(network, moved), expected)


def layouts(X, path):
    """Return the same rows as they may lie in memory."""
    wide = np.full((3 * len(X), 2 * X.shape[1] + 5), np.nan, X.dtype)
    both_ways = wide[1::3, 2:-3:2]
    both_ways[...] = X
    columns = np.full((len(X), X.shape[1] + 3), np.nan, X.dtype)[:, 1:-2]
    columns[...] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    mapped = np.memmap(path, X.dtype, "w+", shape=X.shape)
    mapped[...] = X
    record = np.zeros(X.shape, [("id", np.int32), ("x", X.dtype)])  # gaps that are no whole entry
    record["x"] = X
    return {
        "Fortran order": np.asfortranarray(X),
        "strided": both_ways,
        "strided, Fortran order": np.asfortranarray(wide)[1::3, 2:-3:2],
        "some columns": columns,
        "some columns, Fortran order": np.asfortranarray(columns.base)[:, 1:-2],
        "rows backwards": X[::-1].copy()[::-1],
        "backwards": X[::-1, ::-1].copy()[::-1, ::-1],
        "read-only": read_only,
        "memory-mapped": np.memmap(path, X.dtype, "r", shape=X.shape),
        **({"field of records": record["x"]} if X.itemsize == 4 else {}),
    }


def compute_all(network, samples, place=np.copy):
    """Return all that is computed, in arrays that `place` makes where it changes."""
    kernels, *others = (
        make_kernels(CompiledKernels, network, samples, place=place) for _ in range(1 + len(RULES))
    )
    for each in (kernels, *others):
        each.gradient = place(each.gradient)
    results = {"loss": kernels.on_all(), "gradient": kernels.gradient.copy()}
    results |= {"batch": kernels.on_batch(np.arange(5, 30)), "of batch": kernels.gradient}
    results |= {"value": kernels.value(), "scores": kernels.scores(kernels.network, samples.X)}
    for (name, rule_class), fresh in zip(RULES.items(), others, strict=True):
        changed = run_epochs(fresh, rule_class, n_epochs=2, place=place)
        results |= {f"{name}: {key}": values for key, values in changed.items()}
    return results


def test_bits_do_not_depend_on_longer_passes_before():
    widths = (70, 66, 5, 3)
    network, samples = make_network(widths), make_samples(widths, 300)
    expected, after = (make_kernels(CompiledKernels, network, samples) for _ in range(2))
    after.value()
    assert_same_bits(run_epochs(after, RULES["sgd"]), run_epochs(expected, RULES["sgd"]))


# so many rows and weights that batches are computed in halves, the last of an epoch as a whole
HALVED = {"widths": (60, 300, 5), "n_samples": 250, "batch_size": 96}


@every_kind
@both_dtypes
def test_sets_agree_on_batches_in_halves(dtype, kind):
    samples = make_samples(HALVED["widths"], HALVED["n_samples"], kind, dtype=dtype)
    network = make_network(HALVED["widths"], dtype=dtype)
    assert_sets_agree(network, samples, np.arange(101))


@every_kind
@every_rule
@both_dtypes
def test_bits_do_not_depend_on_who_computes_halves(dtype, rule_class, kind):
    samples = make_samples(HALVED["widths"], HALVED["n_samples"], kind, dtype=dtype)
    network = make_network(HALVED["widths"], dtype=dtype)
    epochs = {"batch_size": HALVED["batch_size"], "n_epochs": 20}
    stack = run_epochs(make_kernels(CompiledKernels, network, samples), rule_class, **epochs)
    stack["losses"] = stack["losses"].T
    for n_threads in (1, 2):
        kernels = make_kernels(CompiledKernels, network, samples, nets=[1])
        alone = run_epochs(kernels, rule_class, nets=[1], n_threads=n_threads, **epochs)
        alone["losses"] = alone["losses"].T
        assert kernels._stack.can_be_helped == isinstance(samples.X, np.ndarray)
        assert_same_bits(alone, {name: values[[1]] for name, values in stack.items()})


# ---- what goes to NumPy's


def test_supported_are_dense_rows_and_csr_with_the_indices_of_c():
    widths = (3, 5, 2)
    network = make_network(widths)
    dense, csr = (make_samples(widths, 20, kind).X for kind in ("dense", "csr"))
    assert CompiledKernels.supports(network, dense)
    assert CompiledKernels.supports(network, csr)
    assert not CompiledKernels.supports(network, unaligned(dense))
    changes = {"data": [], "indices": [as_long], "indptr": [as_long]}
    for name, others in changes.items():
        for change in (strided, unaligned, *others):
            other = csr.copy()
            setattr(other, name, change(getattr(csr, name)))
            assert not CompiledKernels.supports(network, other)


def as_long(array):
    return array.astype(np.int64)


# ---- arrays that do not fit


@every_kind
@both_dtypes
def test_the_arrays_of_each_call_are_checked(dtype, kind, monkeypatch):
    """The calls are those of a run, and come again with other arrays."""
    widths, calls = (3, 5, 2), []

    class Spy:
        def __init__(self, *args):
            self._stack = Stack(*args)
            calls.append((Stack, args))

        def __getattr__(self, name):
            method = getattr(self._stack, name)
            if not callable(method):
                return method
            return lambda *args: calls.append((method, args)) or method(*args)

    monkeypatch.setattr(compiled_kernels, "Stack", Spy)
    network, samples = (
        make_network(widths, dtype=dtype),
        make_samples(widths, 20, kind, dtype=dtype),
    )
    kernels = make_kernels(CompiledKernels, network, samples)
    kernels.on_all()
    kernels.on_batch(np.arange(7))
    run_epochs(kernels, RULES["adam"])
    CompiledKernels.scores(network, samples.X)
    names = {call.__name__ for call, _ in calls}
    assert names >= {
        "Stack",
        "set_rows",
        "set_samples",
        "on_all",
        "on_rows",
        "run_epochs",
        "scores",
    }
    for call, args in calls:
        free = {"any_layout": [0]} if call.__name__ in ("set_rows", "set_samples") else {}
        if call.__name__ == "on_rows":
            free = {"any_length": [0]}
        assert_checks(call, *args, **free)
        for part in ("data", "indices", "indptr"):
            if free.get("any_layout") and sparse.issparse(args[0]):
                assert_checks(
                    lambda array, call=call, args=args, part=part: call(
                        with_part(args[0], part, array), *args[1:]
                    ),
                    getattr(args[0], part),
                )


def with_part(rows, part, array):
    changed = rows.copy()
    setattr(changed, part, array)
    return changed


def test_numbers_of_rows_are_checked():
    widths = (3, 5, 2)
    network, samples = make_network(widths), make_samples(widths, 20)
    for call, message in [
        (lambda kernels: kernels._get_stack(5).on_all(6, None, np.zeros(2)), "length .* 6"),
        (
            lambda kernels: kernels._get_stack(5).on_rows(
                np.arange(6), kernels.gradient, np.zeros(2)
            ),
            "rows.* 6",
        ),
        (lambda kernels: kernels._get_stack(5).scores(16, np.zeros((2, 2, 5))), "start .* 16"),
        (lambda kernels: kernels._get_stack(5).scores(0, np.zeros((2, 2, 6))), "out.* 6"),
    ]:
        with pytest.raises(ValueError, match=message):
            call(make_kernels(CompiledKernels, network, samples))


# ---- without the interpreter lock


@pytest.fixture
def no_preemption():
    """Let no thread have the interpreter unless another gives it away."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(100)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("no_preemption")
@pytest.mark.parametrize("name", ["run_epochs", "on_batch", "on_all", "value", "scores"])
def test_other_threads_go_on(name):
    widths = (20, 60, 60, 5)
    network, samples = make_network(widths), make_samples(widths, 5000)
    kernels = make_kernels(CompiledKernels, network, samples)
    ticks, during, done, method = [], [], threading.Event(), getattr(kernels, name)

    def tick():
        while not done.is_set():
            ticks.append(None)
            time.sleep(1e-4)

    def counting(*args):
        before = len(ticks)
        result = method(*args)
        during.append(len(ticks) - before)
        return result

    setattr(kernels, name, counting)
    calls = {
        "run_epochs": lambda: run_epochs(kernels, RULES["adam"], n_epochs=2, batch_size=500),
        "on_batch": lambda: kernels.on_batch(np.arange(5000)),
        "on_all": kernels.on_all,
        "value": kernels.value,
        "scores": lambda: kernels.scores(network, samples.X),
    }
    thread = threading.Thread(target=tick)
    thread.start()
    for _ in range(50):  # a busy machine may leave no core for the other thread
        calls[name]()
        if any(during):
            break
    done.set()
    thread.join()
    assert any(during)
