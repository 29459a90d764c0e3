"""What both sets of kernels must do; see test_compiled_kernels.py for one beside the other."""

import threading

import numpy as np
import pytest
from helpers import FORMULAS
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import (
    KINDS,
    MOMENTA,
    RATES,
    RULES,
    assert_same_bits,
    both_dtypes,
    both_sets,
    every_kind,
    every_rule,
    every_width,
    make_kernels,
    make_network,
    make_samples,
    run_epochs,
)
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_toynn._nets.activations import ACTIVATIONS
from sklearn_toynn._nets.samples import Samples, chunk_length
from sklearn_toynn._training.first_order import SGD, MiniBatchSolver

# ---- values


@pytest.mark.parametrize("activation", ACTIVATIONS)
@every_width
@both_sets
def test_scores(kernels_class, widths, activation):
    network, X = make_network(widths, activation), make_samples(widths, 21).X
    for net, scores in enumerate(kernels_class.scores(network, X)):
        expected = X @ network.weights[0][net].T + network.biases[0][net].T
        for weights, biases in zip(network.weights[1:], network.biases[1:], strict=True):
            expected = FORMULAS[activation](expected) @ weights[net].T + biases[net].T
        assert_allclose(scores, expected.T, rtol=1e-12, atol=1e-13)


@every_kind
@both_sets
def test_all_rows_as_a_batch_are_the_whole(kernels_class, kind):
    widths = (9, 512, 3)  # several chunks, the last one short
    n_samples = 2 * chunk_length(widths) + 5
    samples = make_samples(widths, n_samples, kind, uses_rows=True)
    kernels = make_kernels(kernels_class, make_network(widths), samples)
    whole, gradient = kernels.on_all(), kernels.gradient.copy()
    assert_allclose(kernels.value(), whole, rtol=1e-13)
    rows = np.random.RandomState(0).permutation(samples.rows)
    assert_allclose(kernels.on_batch(rows), whole, rtol=1e-12)
    assert_allclose(kernels.gradient, gradient, rtol=1e-9, atol=1e-13)


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
        losses.append(kernels.on_all())
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
    assert np.isfinite(kernels.value()).all()
    assert np.isfinite(kernels.on_all()).all()
    assert np.isfinite(kernels.gradient).all()


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # off within `train`
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("widths", [(3, 4), (3, 5, 4), (66, 70, 66)], ids=str)
@both_dtypes
@both_sets
def test_weights_that_are_not_finite_give_such_a_loss(
    kernels_class, dtype, widths, activation, value
):
    samples = make_samples(widths, 20, dtype=dtype)
    last = make_network(widths).n_weights - 1
    for place in (0, last):
        network = make_network(widths, activation, dtype=dtype)
        network.parameters[1, place] = value
        kernels = make_kernels(kernels_class, network, samples)
        for losses in (kernels.value(), kernels.on_all(), kernels.on_batch(np.arange(11))):
            assert_array_equal(np.isfinite(losses), [True, False])


# ---- epochs


@every_rule
@both_sets
def test_best_weights_are_those_before_the_epoch_of_lowest_loss(kernels_class, rule_class):
    widths = (5, 20, 3)
    network, samples = make_network(widths, n_nets=3), make_samples(widths, 55)
    growing = {"growth": 1.3, "rates": RATES * (2 if rule_class is SGD else 0.3)}
    results = run_epochs(
        make_kernels(kernels_class, network, samples), rule_class, n_epochs=6, **growing
    )
    best = results["losses"].argmin(axis=0)
    assert set(best) - {0, 5}
    before = [network.parameters] + [
        run_epochs(
            make_kernels(kernels_class, network, samples), rule_class, n_epochs=n, **growing
        )["parameters"]
        for n in range(1, 6)
    ]
    assert_array_equal(results["best losses"], results["losses"].min(axis=0))
    for net, epoch in enumerate(best):
        assert_array_equal(results["best"][net], before[epoch][net])
    assert_array_equal(results["previous"], results["parameters"])


@every_kind
@every_rule
@both_dtypes
@both_sets
def test_several_epochs_a_call_are_one_iteration_a_call(kernels_class, dtype, rule_class, kind):
    widths = (9, 7, 3)
    network = make_network(widths, n_nets=3, dtype=dtype)
    samples = make_samples(widths, 55, kind, dtype=dtype, uses_rows=True)
    expected, *others = (
        run_epochs(
            make_kernels(kernels_class, network, samples), rule_class, at_once=n, growth=1.2
        )
        for n in (4, 1, 3)
    )
    for other in others:
        assert_same_bits(other, expected)


@every_rule
@both_sets
def test_no_epoch_follows_one_with_a_loss_that_is_not_finite(kernels_class, rule_class):
    widths = (5, 7, 3)
    network, samples = make_network(widths, "relu", n_nets=3), make_samples(widths, 55)
    # only the first net's step grows beyond all bounds
    growing = {"n_epochs": 8, "growth": np.where(RATES[0] == RATES, 1e20, 1)}
    with np.errstate(over="ignore", invalid="ignore"):
        together, one_by_one = (
            run_epochs(
                make_kernels(kernels_class, network, samples), rule_class, at_once=n, **growing
            )
            for n in (8, 1)
        )
    losses = together["losses"]
    assert 1 < len(losses) < 8
    assert np.isfinite(losses[:-1]).all()
    assert not np.isfinite(losses[-1]).all()
    assert_same_bits(together, one_by_one)


class PlainSteps(MiniBatchSolver):
    """theta <- theta - eta g: no set knows it by name."""

    n_slots = 1

    def update(self, gradient, step_size, momentum):
        gradient *= step_size.astype(gradient.dtype)


@both_sets
def test_a_rule_without_a_twin_is_followed(kernels_class):
    widths = (5, 7, 3)
    network, samples = make_network(widths), make_samples(widths, 55)
    kernels = [make_kernels(kernels_class, network, samples) for _ in range(2)]
    results = run_epochs(kernels[0], PlainSteps)
    expected = run_epochs(kernels[1], SGD, momenta=0 * MOMENTA)
    for name in ("losses", "parameters", "best", "previous", "best losses"):
        assert_allclose(results[name], expected[name], rtol=1e-10, atol=1e-12)


# ---- bits


@settings(max_examples=40, deadline=None)
@given(
    widths=st.lists(st.one_of(st.integers(1, 18), st.integers(62, 68)), min_size=2, max_size=4),
    n_nets=st.integers(2, 5),
    n_samples=st.integers(2, 70),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    kind=st.sampled_from(KINDS),
    rule=st.sampled_from(sorted(RULES)),
    dtype=st.sampled_from([np.float32, np.float64]),
)
@both_sets
def test_a_net_in_a_stack_has_the_bits_it_has_alone(
    kernels_class, widths, n_nets, n_samples, activation, kind, rule, dtype
):
    widths[-1] += 1  # two classes
    network = make_network(widths, activation, n_nets=n_nets, dtype=dtype)
    samples = make_samples(widths, n_samples, kind, dtype=dtype)
    stack = compute_all(make_kernels(kernels_class, network, samples), RULES[rule])
    for net in range(n_nets):
        alone = make_kernels(kernels_class, network, samples, nets=[net])
        of_net = {name: values[[net]] for name, values in stack.items()}
        assert_same_bits(compute_all(alone, RULES[rule], nets=[net]), of_net)


def compute_all(kernels, rule_class, nets=None):
    """Return all that is computed, by nets."""
    results = {"value": kernels.value(), "loss": kernels.on_all()}
    results["gradient"] = kernels.gradient.copy()
    results["scores"] = kernels.scores(kernels.network, kernels.samples.X)
    of_epochs = run_epochs(kernels, rule_class, n_epochs=3, growth=1.2, nets=nets)
    of_epochs["losses"] = of_epochs["losses"].T
    return results | of_epochs


@every_kind
@both_sets
def test_bits_in_threads(kernels_class, kind):
    widths = (20, 66, 66, 3)
    network, samples = make_network(widths), make_samples(widths, 400, kind)
    expected = compute_all(make_kernels(kernels_class, network, samples), RULES["adam"])
    begin, results = threading.Barrier(3), []

    def compute():
        kernels = make_kernels(kernels_class, network, samples)
        begin.wait()
        results.append(compute_all(kernels, RULES["adam"]))

    threads = [threading.Thread(target=compute) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    for result in results:
        assert_same_bits(result, expected)
