"""The compiled kernels: agreement with NumPy's, bits, supported arrays, checks and the GIL."""

import sys
import threading
import time
from functools import partial

import numpy as np
import pytest
from kernel_cases import (
    RULES,
    CompiledKernels,
    assert_checks,
    assert_close,
    assert_same_bits,
    both_dtypes,
    make_kernels,
    make_network,
    make_samples,
    make_step_sizes,
    needs_compiled,
    run_epochs,
    strided,
    unaligned,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearn_toynn._nets.activations import ACTIVATIONS
from sklearn_toynn._nets.best_weights import BestWeights
from sklearn_toynn._nets.kernels.numpy_kernels import NumpyKernels
from sklearn_toynn._nets.samples import Samples
from sklearn_toynn._training.solvers import OptimizerState

if CompiledKernels:
    from sklearn_toynn._nets.kernels._compiled import Net

    from sklearn_toynn._nets.kernels import compiled_kernels

pytestmark = needs_compiled
on_each_set = pytest.mark.usefixtures("each_instruction_set")


# ---- agreement with NumPy's kernels


@on_each_set
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_sets_agree_at_kinks(activation):
    widths = (3, 5, 4, 2)
    network, samples = make_network(widths, activation), make_samples(widths, 20)
    network.parameters[network.n_weights :] = 0
    samples.X[::2] = 0
    by_numpy, compiled = (
        make_kernels(kernels, network, samples) for kernels in (NumpyKernels, CompiledKernels)
    )
    assert_allclose(compiled.value_and_gradient(), by_numpy.value_and_gradient(), rtol=1e-12)
    assert_close(compiled.gradient, by_numpy.gradient, 1e-12)


@on_each_set
@both_dtypes
@pytest.mark.parametrize("rule_name", ["sgd", "adam"])
def test_denormal_moments_are_flushed_to_zero_within_the_kernels_only(rule_name, dtype):
    """The moments of dead units decay to denormal numbers, which are slow."""
    rule, network = RULES[rule_name], make_network((64, 64, 2), "relu", dtype=dtype)
    network.biases[0][...] = -1000
    samples = make_samples((64, 64, 2), 1, dtype=dtype)
    kernels = make_kernels(CompiledKernels, network, samples, reg=0.0)
    moments = np.full((rule.n_moments, len(network.parameters)), np.finfo(dtype).tiny, dtype)
    best = BestWeights(network.parameters)
    kernels.run_epochs(rule, OptimizerState(moments), np.full((1, 1), 0.1), 1, None, best, -1.0)
    assert not moments[:, : 64 * 64].any()
    assert np.finfo(dtype).smallest_subnormal * dtype(1) > 0


# ---- bits


def compute_all(network, samples, place=np.copy):
    """Return everything that is computed; `place` copies the arrays that change."""
    kernels = make_kernels(CompiledKernels, network, samples, place=place)
    kernels.gradient = place(kernels.gradient)
    results = {"loss": kernels.value_and_gradient(), "gradient": kernels.gradient.copy()}
    results |= {"batch": kernels.batch_value_and_gradient(np.array([2, 1]))}
    results |= {"of batch": kernels.gradient.copy(), "value": kernels.value()}
    results |= {"scores": kernels.scores(kernels.network, samples.X)}
    for name, rule in RULES.items():
        sizes = make_step_sizes(rule, samples, n_epochs=2)
        changed = run_epochs(kernels, rule, sizes, place=place)
        results |= {f"{name}: {key}": values.copy() for key, values in changed.items()}
    return results


def at_offset(array, offset):
    """Return a copy that begins `offset` entries after a multiple of 64 bytes."""
    buffer = np.empty(array.nbytes + 128, np.uint8)
    start = -buffer.ctypes.data % 64 + offset * array.itemsize
    copy = buffer[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def move(samples, place):
    """Return the samples with their arrays copied by `place`."""
    X = samples.X
    if sparse.issparse(X):
        X = X.copy()
        X.data, X.indices, X.indptr = place(X.data), place(X.indices), place(X.indptr)
    else:
        X = place(X)
    codes, weights = place(samples.codes), place(samples.weights)
    return Samples(X, codes, weights, samples.rows, samples.columns)


@on_each_set
@pytest.mark.parametrize(
    ("widths", "kind"), [((5, 4), "scaled csr"), ((65, 1, 2), "csr"), ((70, 66, 67, 3), "scaled")]
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


def layouts(X, path):
    """Yield the rows in other memory layouts."""
    wide = np.full((3 * len(X), 2 * X.shape[1] + 5), np.nan, X.dtype)
    record = np.zeros(X.shape, [("id", np.int32), ("x", X.dtype)])  # gaps are no whole entries
    mapped = np.memmap(path, X.dtype, "w+", shape=X.shape)
    for other in (wide[1::3, 2:-3:2], wide[:, : X.shape[1]][: len(X)], record["x"], mapped):
        other[...] = X
        if other.flags.aligned:
            yield other
    yield np.asfortranarray(X)
    yield np.asfortranarray(wide)[: len(X), : X.shape[1]]
    yield X[::-1, ::-1].copy()[::-1, ::-1]
    yield np.memmap(path, X.dtype, "r", shape=X.shape)


@on_each_set
@pytest.mark.parametrize(("widths", "kind"), [((5, 7, 3), "scaled"), ((70, 66, 3), "dense")])
@both_dtypes
def test_bits_do_not_depend_on_the_layout(dtype, widths, kind, tmp_path):
    network = make_network(widths, dtype=dtype)
    samples = make_samples(widths, 48, kind, dtype=dtype)
    expected = compute_all(network, samples)
    for other in layouts(samples.X, tmp_path / "X"):
        assert_array_equal(other, samples.X)
        assert CompiledKernels.supports(network, other)
        moved = Samples(other, samples.codes, samples.weights, None, samples.columns)
        assert_same_bits(compute_all(network, moved), expected)


@on_each_set
@pytest.mark.parametrize("kind", ["dense", "csr"])
@pytest.mark.parametrize("dtypes", [(np.float32, np.float64), (np.float64, np.float32)])
def test_rows_of_the_other_dtype_are_converted(dtypes, kind):
    dtype, widths = dtypes[0], (37, 20, 3)
    network = make_network(widths, dtype=dtype)
    samples = make_samples(widths, 48, kind, dtype=np.float32)
    weights = samples.weights.astype(dtype)
    expected, of_other = (
        compute_all(network, Samples(samples.X.astype(each), samples.codes, weights))
        for each in dtypes
    )
    assert_same_bits(of_other, expected)


@pytest.mark.parametrize("order", ["C", "F"])
def test_strides_may_exceed_32_bits(tmp_path, order):
    widths = (3, 5, 2)
    network, samples = make_network(widths), make_samples(widths, 4)
    shape = (4, 2**28 + 2**10) if order == "C" else (2**28 + 2**10, 3)
    # the file is sparse: it takes no space
    X = np.memmap(tmp_path / "X", float, "w+", shape=shape, order=order)[:4, :3]
    X[...] = samples.X
    assert max(X.strides) > 2**31
    moved = Samples(X, samples.codes, samples.weights)
    assert_same_bits(compute_all(network, moved), compute_all(network, samples))


@on_each_set
def test_bits_do_not_depend_on_longer_passes_before():
    widths = (70, 66, 5, 3)
    network, samples = make_network(widths), make_samples(widths, 300)
    sizes = make_step_sizes(RULES["sgd"], samples)
    expected, after = (make_kernels(CompiledKernels, network, samples) for _ in range(2))
    after.value()
    assert_same_bits(
        run_epochs(after, RULES["sgd"], sizes), run_epochs(expected, RULES["sgd"], sizes)
    )


# ---- supported arrays and nets


def with_part(rows, part, array):
    changed = rows.copy()
    setattr(changed, part, array)
    return changed


def test_supported_rows_are_dense_or_csr_with_c_indices():
    widths = (3, 5, 2)
    network = make_network(widths)
    dense, csr = (make_samples(widths, 20, kind).X for kind in ("dense", "csr"))
    assert CompiledKernels.supports(network, dense)
    assert CompiledKernels.supports(network, csr)
    assert not CompiledKernels.supports(network, unaligned(dense))
    for part in ("data", "indices", "indptr"):
        array = getattr(csr, part)
        for other in (strided(array), unaligned(array), array.astype(np.int64)):
            if part != "data" or other.dtype == float:
                assert not CompiledKernels.supports(network, with_part(csr, part, other))


def test_few_units_on_many_columns_are_not_supported():
    # weights padded to whole vectors would take several times the memory
    rows = sparse.csr_array((3, 100_000), dtype=np.float32)
    for units, is_supported in ((1, False), (16, True)):
        network = make_network((100_000, units, 2), dtype=np.float32)
        assert CompiledKernels.supports(network, rows) == is_supported


@on_each_set
@pytest.mark.parametrize("kind", ["dense", "csr"])
def test_values_after_divergence_are_those_of_a_new_net(kind, monkeypatch):
    monkeypatch.setattr(compiled_kernels, "MAX_DENSE_COLUMNS", 5)
    widths = (6, 5, 7, 3)
    network, samples = make_network(widths), make_samples(widths, 90, kind)
    kernels = make_kernels(CompiledKernels, network, samples)
    batch, parameters = np.arange(10), kernels.network.parameters.copy()
    expected = kernels.batch_value_and_gradient(batch), kernels.value()
    run_epochs(kernels, RULES["sgd"], np.full((3, 6), 1e200))
    assert not np.isfinite(kernels.network.parameters).all()
    kernels.network.parameters[...] = parameters
    assert (kernels.batch_value_and_gradient(batch), kernels.value()) == expected


# ---- checks of arrays


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("dense", np.float64),
        ("scaled", np.float32),
        ("csr", np.float32),
        ("scaled csr", np.float64),
    ],
)
def test_the_arrays_of_each_call_are_checked(dtype, kind, monkeypatch):
    """Record the calls of a training, and repeat each with invalid arrays."""
    widths, calls = (3, 5, 2), []

    class Spy:
        def __init__(self, *args):
            self._net = Net(*args)
            calls.append((Net, args))

        def __getattr__(self, name):
            method = getattr(self._net, name)
            return lambda *args: calls.append((method, args)) or method(*args)

    monkeypatch.setattr(compiled_kernels, "Net", Spy)
    network = make_network(widths, dtype=dtype)
    compute_all(network, make_samples(widths, 20, kind, dtype=dtype))
    methods = {"set_rows", "set_samples", "objective", "run_epochs", "scores"}
    last_calls = {call.__name__: (call, args) for call, args in calls}
    assert last_calls.keys() >= {"Net", *methods}
    for name, (call, args) in last_calls.items():
        takes_rows = name in ("set_rows", "set_samples")
        assert_checks(
            call, *args, any_layout=[0] * takes_rows, any_length=[0] * (name == "objective")
        )
        if takes_rows and sparse.issparse(args[0]):
            for part in ("data", "indices", "indptr"):

                def call_with(array, call=call, args=args, part=part):
                    call(with_part(args[0], part, array), *args[1:])

                assert_checks(call_with, getattr(args[0], part))


def test_numbers_of_rows_are_checked():
    widths = (3, 5, 2)
    network, samples = make_network(widths), make_samples(widths, 20)
    for call, message in [
        (lambda kernels: kernels._get_net(5).objective(None, 6, None), "length .* 6"),
        (lambda kernels: kernels._get_net(5).objective(np.arange(6), 6, None), "length .* 6"),
        (lambda kernels: kernels._get_net(5).scores(np.zeros((2, 6))), "out.* 6"),
    ]:
        with pytest.raises(ValueError, match=message):
            call(make_kernels(CompiledKernels, network, samples))


# ---- the interpreter lock


@pytest.fixture
def no_preemption():
    """Have a thread keep the interpreter lock until it releases it itself."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(100)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("no_preemption")
@pytest.mark.parametrize(
    "name", ["run_epochs", "batch_value_and_gradient", "value_and_gradient", "value", "scores"]
)
def test_other_threads_run_meanwhile(name):
    widths = (20, 60, 60, 5)
    network, samples = make_network(widths), make_samples(widths, 5000)
    kernels = make_kernels(CompiledKernels, network, samples)
    rule, best = RULES["gd"], BestWeights(kernels.network.parameters)
    state = OptimizerState(np.zeros((0, len(network.parameters))))
    arguments = {
        "run_epochs": [rule, state, np.full((5, 1), 0.01), 500, None, best, -1.0],
        "batch_value_and_gradient": [np.arange(5000)],
        "scores": [network, samples.X],
    }
    ticks, done = [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(None)
            time.sleep(1e-4)

    thread = threading.Thread(target=tick)
    thread.start()
    for _ in range(50):  # a busy machine may leave no core for the other thread
        before = len(ticks)
        getattr(kernels, name)(*arguments.get(name, []))
        n_during = len(ticks) - before
        if n_during:
            break
    done.set()
    thread.join()
    assert n_during
