"""Both sets of kernels against autograd and plain loops."""

import threading
from itertools import product

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
    every_kind,
    every_net,
    every_rule,
    make_kernels,
    make_network,
    make_samples,
    make_step_sizes,
    run_epochs,
)
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_toynn._nets.activations import ACTIVATIONS
from sklearn_toynn._nets.samples import Samples, chunk_length

# ---- values and gradients


def assert_like_reference(kernels_class, network, samples, batch):
    dtype = network.parameters.dtype.type
    kernels, reference = make_kernels(kernels_class, network, samples), Reference(network, samples)
    theta, rtol = network.parameters.astype(float), RTOL[dtype]
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


@every_net
@both_dtypes
@both_sets
def test_every_net(kernels_class, dtype, widths, activation):
    for n_samples in (37, 48):  # no multiple of the vectors' length, and one
        samples = make_samples(widths, n_samples, dtype=dtype)
        network = make_network(widths, activation, dtype=dtype)
        assert_like_reference(kernels_class, network, samples, np.arange(3, 30))


@pytest.mark.parametrize("uses_rows", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("widths", [(3, 4), (9, 20, 3), (70, 66, 5, 3)], ids=str)
@every_kind
@both_dtypes
@both_sets
def test_rows_of_any_kind(kernels_class, dtype, kind, widths, weighted, uses_rows):
    samples = make_samples(widths, 45, kind, dtype=dtype, uses_rows=uses_rows, weighted=weighted)
    if kind == "scaled csr":
        assert samples.scaled_columns.center is not None
        assert samples.scaled_columns.mean.any()
    network = make_network(widths, dtype=dtype)
    assert_like_reference(kernels_class, network, samples, np.array([40, 3, 7, 3, 12]))


@pytest.mark.parametrize("widths", [(3, 512, 3), (70, 600, 66)], ids=str)
@every_kind
@both_dtypes
@both_sets
def test_chunk_by_chunk(kernels_class, dtype, kind, widths):
    n_samples = 3 * chunk_length(widths) - 7  # the last one is short
    samples = make_samples(widths, n_samples, kind, dtype=dtype)
    network = make_network(widths, dtype=dtype)
    assert_like_reference(kernels_class, network, samples, np.arange(n_samples)[::-1].copy())


@settings(max_examples=60, deadline=None)
@given(
    widths=st.lists(st.one_of(st.integers(1, 18), st.integers(62, 68)), min_size=2, max_size=5),
    n_samples=st.integers(2, 70),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    kind=st.sampled_from(KINDS),
)
@both_sets
def test_any_shape(kernels_class, widths, n_samples, activation, kind):
    widths[-1] += 1  # two classes
    samples, network = make_samples(widths, n_samples, kind), make_network(widths, activation)
    batch = np.random.RandomState(0).permutation(n_samples)[:20]
    assert_like_reference(kernels_class, network, samples, batch)


@every_kind
@both_sets
def test_weights_count_rows(kernels_class, kind):
    widths = (9, 5, 3)
    samples = make_samples(widths, 40, kind, uses_rows=True, weighted=False)
    X, codes, ones = samples.X, samples.codes, samples.weights
    counts = np.arange(len(ones)) % 3
    rows = np.repeat(samples.rows, counts[samples.rows])
    losses, gradients = [], []
    for data in (
        Samples(X, codes, counts.astype(float), samples.rows, samples.columns),
        Samples(X, codes, ones, rows, samples.columns),
    ):
        kernels = make_kernels(kernels_class, make_network(widths), data)
        losses.append(kernels.value_and_gradient())
        gradients.append(kernels.gradient)
    assert_allclose(*losses, rtol=1e-12)
    assert_allclose(*gradients, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("widths", [(3, 4), (3, 5, 4), (70, 66, 4)], ids=str)
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


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # off in a training
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("widths", [(3, 4), (3, 5, 4), (66, 70, 66)], ids=str)
@both_dtypes
@both_sets
def test_weights_that_are_not_finite_give_such_a_loss(kernels_class, dtype, widths, activation):
    samples = make_samples(widths, 20, dtype=dtype)
    places = 0, make_network(widths).n_weights - 1
    for place, value in product(places, [np.nan, np.inf, -np.inf]):
        network = make_network(widths, activation, dtype=dtype)
        network.parameters[place] = value
        kernels = make_kernels(kernels_class, network, samples)
        assert not np.isfinite(kernels.value())
        assert not np.isfinite(kernels.value_and_gradient())
        assert not np.isfinite(kernels.batch_value_and_gradient(np.arange(11)))


# ---- epochs


@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("shuffles", [False, True])
@every_kind
@every_rule
@both_sets
def test_epochs_by_a_plain_loop(kernels_class, rule_name, kind, shuffles, batch_size):
    widths, rule = (5, 7, 3), RULES[rule_name]
    network, samples = make_network(widths), make_samples(widths, 25, kind, uses_rows=True)
    sizes = make_step_sizes(rule, samples, n_epochs=2, batch_size=batch_size, rate=0.005)
    kernels = make_kernels(kernels_class, network, samples)
    results = run_epochs(kernels, rule, sizes, batch_size=batch_size, shuffles=shuffles)
    stream = np.random.RandomState(2) if shuffles else None
    expected = Reference(network, samples).run_epochs(
        network.parameters, rule_name, sizes, batch_size, stream
    )
    for name, values in expected.items():
        assert_close(results[name], values, 1e-9)
    if shuffles:  # as many numbers are drawn
        _, key, position, *_ = stream.get_state()
        assert_array_equal(results["stream"], np.append(key, position))


@pytest.mark.parametrize("widths", [(67, 5), (70, 66, 67)], ids=str)
@pytest.mark.parametrize("kind", ["dense", "scaled csr"])
@both_dtypes
@every_rule
@both_sets
def test_epochs_of_wide_nets_by_a_plain_loop(kernels_class, rule_name, dtype, kind, widths):
    network = make_network(widths, dtype=dtype)
    samples = make_samples(widths, 55, kind, dtype=dtype)
    sizes = make_step_sizes(RULES[rule_name], samples, n_epochs=2, rate=0.003)
    results = run_epochs(make_kernels(kernels_class, network, samples), RULES[rule_name], sizes)
    expected = Reference(network, samples).run_epochs(
        network.parameters.astype(float), rule_name, sizes, 16, np.random.RandomState(2)
    )
    # Adam's steps are as large where a gradient is hardly more than rounding
    rtol = 50 * RTOL[dtype] * (20 if rule_name == "adam" else 1)
    for name, values in expected.items():
        assert_close(results[name], values, rtol)


@every_rule
@both_sets
def test_best_weights_are_those_before_the_epoch_of_lowest_loss(kernels_class, rule_name):
    widths, rule = (5, 20, 3), RULES[rule_name]
    network, samples = make_network(widths), make_samples(widths, 55)
    # the loss falls, then rises
    rate, growth = {"gd": (0.1, 4.0), "sgd": (0.05, 1.4), "adam": (0.01, 1.3)}[rule_name]
    sizes = make_step_sizes(rule, samples, n_epochs=6, rate=rate, growth=growth)

    def run(n_epochs):
        return run_epochs(make_kernels(kernels_class, network, samples), rule, sizes[:n_epochs])

    results = run(6)
    best = results["losses"].argmin()
    assert 0 < best < 5
    assert results["best loss"] == results["losses"][best]
    assert_array_equal(results["best"], run(best)["parameters"])
    assert_array_equal(results["previous"], results["parameters"])


@every_kind
@every_rule
@both_dtypes
@both_sets
def test_several_epochs_a_call_are_one_epoch_a_call(kernels_class, dtype, rule_name, kind):
    widths, rule = (9, 7, 3), RULES[rule_name]
    network = make_network(widths, dtype=dtype)
    samples = make_samples(widths, 55, kind, dtype=dtype, uses_rows=True)
    sizes = make_step_sizes(rule, samples, growth=1.2)
    expected, *others = (
        run_epochs(make_kernels(kernels_class, network, samples), rule, sizes, at_once=n)
        for n in (4, 1, 3)
    )
    for other in others:
        assert_same_bits(other, expected)


@every_rule
@both_sets
def test_no_epoch_follows_one_with_a_loss_that_is_not_finite(kernels_class, rule_name):
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


@pytest.mark.parametrize("kind", ["dense", "scaled"])
@both_sets
def test_gradient_descent_ends_at_a_small_gradient(kernels_class, kind):
    widths, rule = (5, 4), RULES["gd"]
    network, samples = make_network(widths), make_samples(widths, 55, kind)
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


# ---- bits


def compute_all(kernels):
    """Return all that is computed, in turn."""
    results = {"value": kernels.value(), "loss": kernels.value_and_gradient()}
    results["gradient"] = kernels.gradient.copy()
    results["scores"] = kernels.scores(kernels.network, kernels.samples.X)
    for name, rule in RULES.items():
        sizes = make_step_sizes(rule, kernels.samples, n_epochs=3, growth=1.2)
        results |= {f"{name} {key}": v for key, v in run_epochs(kernels, rule, sizes).items()}
    return results


@every_kind
@both_sets
def test_bits_in_threads(kernels_class, kind):
    widths = (20, 66, 66, 3)
    network, samples = make_network(widths), make_samples(widths, 400, kind)
    expected = compute_all(make_kernels(kernels_class, network, samples))
    begin, results = threading.Barrier(3), []

    def compute():
        kernels = make_kernels(kernels_class, network, samples)
        begin.wait()
        results.append(compute_all(kernels))

    threads = [threading.Thread(target=compute) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    for result in results:
        assert_same_bits(result, expected)
