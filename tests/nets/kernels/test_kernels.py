"""Both sets of kernels, compared with autograd and plain loops."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import (
    KINDS,
    RTOL,
    RULES,
    Reference,
    assert_close,
    assert_same_bits,
    both_dtypes,
    both_sets,
    every_rule,
    make_kernels,
    make_network,
    make_samples,
    make_step_sizes,
    run_epochs,
)
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_toynn._nets.activations import ACTIVATIONS
from sklearn_toynn._nets.samples import chunk_length

# ---- values and gradients

# one to four layers, with and without a remainder for vectors and tiles
NETS = [
    ((1, 2), "identity"),
    ((3, 4), "identity"),
    ((67, 5), "identity"),
    ((2, 7, 3), "relu"),
    ((5, 67, 2), "leaky_relu"),
    ((64, 65, 3), "logistic"),
    ((65, 1, 2), "tanh"),
    ((70, 66, 67), "gelu"),
    ((6, 65, 66, 3), "silu"),
    ((3, 5, 1, 4, 2), "identity"),
    ((70, 66, 5, 67, 66), "gelu"),
]
CHUNKED = (3, 512, 3)
CASES = [
    # with and without a remainder for vectors
    *((*net, "dense", n_samples) for net in NETS for n_samples in (37, 48)),
    *((widths, "tanh", kind, 45) for widths in [(3, 4), (300, 5), (300, 20, 3)] for kind in KINDS),
    # the second chunk is short
    *((CHUNKED, "tanh", kind, 2 * chunk_length(CHUNKED) - 7) for kind in KINDS),
]


def assert_like_reference(kernels_class, network, samples, batch, factor=1):
    """Compare with the reference; the tolerance is `factor` times the usual one."""
    dtype = network.parameters.dtype.type
    kernels, reference = make_kernels(kernels_class, network, samples), Reference(network, samples)
    theta, rtol = network.parameters.astype(float), factor * RTOL[dtype]
    for rows, compute in [
        (None, kernels.value_and_gradient),
        (batch, lambda: kernels.batch_value_and_gradient(batch)),
    ]:
        value, gradient = reference.value_and_gradient(theta, rows)
        assert_allclose(compute(), value, rtol=rtol)
        assert kernels.gradient.dtype == dtype
        assert_close(kernels.gradient, gradient, rtol)
    assert_allclose(kernels.value(), reference.value(theta), rtol=rtol)
    assert_array_equal(kernels.network.parameters, network.parameters)
    if samples.columns is None:
        scores = kernels_class.scores(network, samples.X)
        assert scores.dtype == dtype
        assert_close(scores, reference.scores(theta, slice(None)).T, rtol)


@pytest.mark.parametrize(("widths", "activation", "kind", "n_samples"), CASES)
@both_dtypes
@both_sets
def test_nets_and_rows_of_any_kind(kernels_class, dtype, widths, activation, kind, n_samples):
    samples = make_samples(widths, n_samples, kind, dtype=dtype, uses_rows=n_samples == 45)
    if kind == "scaled csr":
        assert samples.scaled_columns.center is not None
        assert samples.scaled_columns.mean.any()
    network = make_network(widths, activation, dtype=dtype)
    batch = samples.row_numbers()[::-1].copy()
    batch[1] = batch[0]
    assert_like_reference(kernels_class, network, samples, batch)


@settings(max_examples=60, deadline=None)
@given(
    widths=st.lists(st.one_of(st.integers(1, 18), st.integers(62, 68)), min_size=2, max_size=5),
    n_samples=st.integers(2, 70),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    kind=st.sampled_from(KINDS),
    dtype=st.sampled_from([np.float32, np.float64]),
    uses_rows=st.booleans(),
    is_dense_in_batches=st.booleans(),
)
@both_sets
def test_any_shape(
    kernels_class, widths, n_samples, activation, kind, dtype, uses_rows, is_dense_in_batches
):
    widths[-1] += 1  # two classes
    if dtype == np.float32 and "relu" in activation:
        activation = "tanh"  # at a kink, rounding changes the derivative
    samples = make_samples(widths, n_samples, kind, dtype=dtype, uses_rows=uses_rows)
    network = make_network(widths, activation, dtype=dtype)
    batch = np.random.RandomState(0).permutation(samples.row_numbers())[:20]
    with pytest.MonkeyPatch.context() as patch:
        if not is_dense_in_batches and kernels_class.__name__ == "CompiledKernels":
            patch.setattr(f"{kernels_class.__module__}.MAX_DENSE_COLUMNS", 0)
        assert_like_reference(kernels_class, network, samples, batch, factor=5)


@pytest.mark.parametrize("widths", [(3, 4), (3, 5, 4)], ids=str)
@both_dtypes
@both_sets
def test_scores_of_any_size_give_a_finite_loss(kernels_class, dtype, widths):
    network = make_network(widths, "relu", dtype=dtype)
    samples = make_samples(widths, 20, dtype=dtype)
    network.weights[-1][...] *= 1e6
    kernels = make_kernels(kernels_class, network, samples)
    assert np.abs(kernels.scores(network, samples.X)).max() > 1e5
    assert np.isfinite(kernels.value())
    assert np.isfinite(kernels.value_and_gradient())
    assert np.isfinite(kernels.gradient).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # disabled during training
@pytest.mark.parametrize(
    ("widths", "activation"),
    [
        ((3, 4), "tanh"),
        ((66, 70, 66), "relu"),
        ((3, 5, 4, 2), "relu"),
        ((3, 5, 4, 2), "leaky_relu"),
        *(((3, 5, 4), name) for name in ACTIVATIONS),
    ],
)
@both_dtypes
@both_sets
def test_overflow_and_weights_that_are_not_finite_give_a_loss_that_is_not_finite(
    kernels_class, dtype, widths, activation
):
    samples = make_samples(widths, 20, dtype=dtype)
    cases = []
    for place, value in [(0, np.nan), (0, np.inf), (make_network(widths).n_weights - 1, -np.inf)]:
        cases.append((make_network(widths, activation, dtype=dtype), 0.1))
        cases[-1][0].parameters[place] = value
    if len(widths) > 3:  # infinite values of both signs in a sum
        cases.append((make_network(widths, activation, dtype=dtype), 0))
        cases[-1][0].weights[0][...] = np.finfo(dtype).max
        samples.X[...] = 2
    for network, reg in cases:
        kernels = make_kernels(kernels_class, network, samples, reg=reg)
        assert not np.isfinite(kernels.value())
        assert not np.isfinite(kernels.value_and_gradient())
        assert not np.isfinite(kernels.batch_value_and_gradient(np.arange(11)))


@both_sets
def test_an_overflow_of_the_gradient_does_not_affect_the_next_call(kernels_class):
    """The loss is finite, and the next call is on other weights."""
    widths, dtype = (5, 6, 7, 3), np.float32
    samples = make_samples(widths, 20, dtype=dtype)
    network = make_network(widths, "identity", dtype=dtype)
    kernels = make_kernels(kernels_class, network, samples, reg=0)
    network, expected = kernels.network, kernels.value()
    usual = network.parameters.copy()
    network.parameters[...] = 0
    for weights in network.weights[1:]:
        weights[...] = 1e30
    sizes = np.full((1, 1), 1e-3)
    with np.errstate(over="ignore", invalid="ignore"):
        results = run_epochs(kernels, RULES["gd"], sizes, batch_size=20, shuffles=False)
    assert_close(results["losses"], [np.log(3)], 1e-6)
    network.parameters[...] = usual
    assert_close(kernels.value(), expected, 1e-6)


# ---- epochs

SMALL, WIDE = (5, 7, 3), (70, 66, 67)


@pytest.mark.parametrize(
    ("widths", "kind", "dtype", "batch_size", "shuffles"),
    [
        *((SMALL, kind, np.float64, 8, True) for kind in KINDS),
        (SMALL, "dense", np.float64, 1, False),
        (SMALL, "dense", np.float64, 150, True),
        (WIDE, "scaled", np.float64, 16, True),
        (WIDE, "dense", np.float32, 16, True),
        ((67, 5), "scaled csr", np.float32, 16, False),
    ],
)
@every_rule
@both_sets
def test_epochs_follow_a_plain_loop(
    kernels_class, rule_name, widths, kind, dtype, batch_size, shuffles
):
    rule, network = RULES[rule_name], make_network(widths, dtype=dtype)
    n_samples = 300 if batch_size == 150 else 25  # more than 256 rows need more random bits
    samples = make_samples(widths, n_samples, kind, dtype=dtype, uses_rows=True)
    sizes = make_step_sizes(rule, samples, n_epochs=2, batch_size=batch_size, rate=0.003)
    kernels = make_kernels(kernels_class, network, samples)
    results = run_epochs(kernels, rule, sizes, batch_size=batch_size, shuffles=shuffles)
    stream = np.random.RandomState(2) if shuffles else None
    expected = Reference(network, samples).run_epochs(
        network.parameters.astype(float), rule_name, sizes, batch_size, stream
    )
    # Adam amplifies rounding errors of small gradients
    rtol = 50 * RTOL[dtype] * (20 if rule_name == "adam" else 1)
    for name, values in expected.items():
        assert_close(results[name], values, rtol)
    if shuffles:  # both draw the same number of random numbers
        _, key, position, *_ = stream.get_state()
        assert_array_equal(results["stream"], np.append(key, position))


#: Learning rates and their growth per step with which the loss falls and then rises.
RISING = {"gd": (0.1, 4.0), "sgd": (0.05, 1.4), "adam": (0.01, 1.3)}


@every_rule
@both_sets
def test_best_weights_precede_the_epoch_of_lowest_loss(kernels_class, rule_name):
    widths, rule = (5, 20, 3), RULES[rule_name]
    network, samples = make_network(widths), make_samples(widths, 55)
    assert rule_name in RISING, f"Add {rule_name!r} to RISING in this file."
    rate, growth = RISING[rule_name]
    sizes = make_step_sizes(rule, samples, n_epochs=6, rate=rate, growth=growth)

    def run(n_epochs):
        return run_epochs(make_kernels(kernels_class, network, samples), rule, sizes[:n_epochs])

    results = run(6)
    best = results["losses"].argmin()
    assert 0 < best < 5
    assert results["best loss"] == results["losses"][best]
    assert_array_equal(results["best"], run(best)["parameters"])
    assert_array_equal(results["previous"], results["parameters"])


@every_rule
@both_sets
def test_bits_do_not_depend_on_the_number_of_epochs_in_a_call(kernels_class, rule_name):
    widths, rule = (9, 7, 3), RULES[rule_name]
    network, samples = make_network(widths), make_samples(widths, 55, "scaled", uses_rows=True)
    sizes = make_step_sizes(rule, samples, growth=1.2)
    expected, *others = (
        run_epochs(make_kernels(kernels_class, network, samples), rule, sizes, at_once=n)
        for n in (4, 1, 3)
    )
    for other in others:
        assert_same_bits(other, expected)


@every_rule
@both_sets
def test_epochs_end_at_a_loss_that_is_not_finite(kernels_class, rule_name):
    widths, rule = (5, 7, 3), RULES[rule_name]
    network, samples = make_network(widths, "relu"), make_samples(widths, 55)
    growth = 1e30 if rule_name == "gd" else 1e8
    sizes = make_step_sizes(rule, samples, n_epochs=8, growth=growth)
    with np.errstate(over="ignore", invalid="ignore"):
        together, one_by_one = (
            run_epochs(make_kernels(kernels_class, network, samples), rule, sizes, at_once=n)
            for n in (8, 1)
        )
    losses = together["losses"]
    assert 1 < len(losses) < 8
    assert np.isfinite(losses[:-1]).all()
    assert not np.isfinite(losses[-1])
    assert np.isfinite(together["best"]).all()
    assert_same_bits(together, one_by_one)


@pytest.mark.parametrize(("kind", "sign"), [("dense", 1), ("dense", -1), ("scaled", 1)])
@both_sets
def test_gradient_descent_ends_at_a_small_gradient(kernels_class, kind, sign):
    widths, rule = (5, 4), RULES["gd"]
    network, samples = make_network(widths), make_samples(widths, 55, kind)
    network.weights[0][...] *= sign  # gradients of either sign
    samples.X[...] *= sign
    sizes = make_step_sizes(rule, samples, n_epochs=50, rate=0.5)
    reference, theta, largest = Reference(network, samples), network.parameters, []
    for (size,) in sizes:
        _, gradient = reference.value_and_gradient(theta)
        largest.append(np.abs(gradient).max())
        theta = theta - size * reference.param_scale * gradient
    tol = (largest[20] + largest[21]) / 2
    assert largest[20] > tol
    results = run_epochs(make_kernels(kernels_class, network, samples), rule, sizes, tol=tol)
    assert len(results["losses"]) == 22


@pytest.mark.parametrize("kind", ["dense", "scaled csr"])
@both_sets
def test_threads_do_not_change_the_bits(kernels_class, kind):
    widths = (20, 66, 66, 3)
    network, samples = make_network(widths), make_samples(widths, 200, kind)
    begin, results = threading.Barrier(3), []

    def compute(begin=None):
        kernels = make_kernels(kernels_class, network, samples)
        if begin is not None:
            begin.wait()
        computed = {"loss": kernels.value_and_gradient(), "gradient": kernels.gradient.copy()}
        computed["scores"] = kernels.scores(network, samples.X)
        sizes = make_step_sizes(RULES["adam"], samples, n_epochs=3)
        results.append(computed | run_epochs(kernels, RULES["adam"], sizes))

    compute()
    threads = [threading.Thread(target=compute, args=[begin]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected, *others = results
    assert len(others) == 3
    for other in others:
        assert_same_bits(other, expected)
