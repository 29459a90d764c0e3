"""Nets in a stack: scores, cross-entropy and gradient."""

from itertools import pairwise

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from autograd.scipy.special import expit
from autograd.scipy.stats import norm
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_toynn._nets.activations import ACTIVATIONS
from sklearn_toynn._nets.kernels.numpy_kernels import NumpyKernels, Workspace
from sklearn_toynn._nets.network import Network
from sklearn_toynn._nets.objective import Objective
from sklearn_toynn._nets.samples import Samples, chunk_length

FORMULAS = {
    "relu": lambda z: anp.maximum(z, 0),
    "leaky_relu": lambda z: anp.where(z > 0, z, z / 100),
    "logistic": expit,
    "tanh": anp.tanh,
    "gelu": lambda z: z * norm.cdf(z),
    "silu": lambda z: z * expit(z),
    "identity": lambda z: z,
}
WIDTHS = [(3, 4), (3, 5, 4), (3, 5, 2), (2, 4, 3, 3)]


def make_objective(widths, activation, reg, weighted, *, n_samples=11, dtype=float, n_nets=1):
    rng = np.random.RandomState(0)
    n_parameters = sum((a + 1) * b for a, b in pairwise(widths))
    network = Network(
        widths, ACTIVATIONS[activation], rng.standard_normal((n_nets, n_parameters)).astype(dtype)
    )
    samples = Samples(
        rng.standard_normal((n_samples, widths[0])).astype(dtype),
        rng.randint(widths[-1], size=n_samples),
        (rng.uniform(0.5, 2, n_samples) if weighted else np.ones(n_samples)).astype(dtype),
    )
    return Objective(network, samples, np.full((n_nets, 1), reg))


def plain_objective(theta, objective, activation, weights):
    """The contract's objective, row-major, for autograd."""
    network, samples = objective.network, objective.samples
    outputs, position = samples.X, 0
    layers = []
    for fan_in, fan_out in pairwise(network.widths):
        layers.append(theta[position : position + fan_in * fan_out].reshape(fan_out, fan_in))
        position += fan_in * fan_out
    penalty = float(objective.reg[0, 0]) / 2 * anp.sum(theta[:position] ** 2)
    for layer, W in enumerate(layers):
        outputs = outputs @ W.T + theta[position : position + len(W)]
        position += len(W)
        if layer < len(layers) - 1:
            outputs = FORMULAS[activation](outputs)
    peak = anp.max(outputs, axis=1, keepdims=True)
    log_sums = anp.log(anp.sum(anp.exp(outputs - peak), axis=1)) + peak[:, 0]
    losses = log_sums - outputs[anp.arange(len(outputs)), samples.codes]
    return anp.sum(weights * losses) / anp.sum(weights) + penalty


def test_every_activation_has_a_formula():
    assert set(FORMULAS) == set(ACTIVATIONS)


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("reg", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient(activation, weighted, reg, widths):
    objective = make_objective(widths, activation, reg, weighted)
    weights = objective.samples.weights
    theta = objective.network.parameters[0]
    loss, gradient = objective.kernels.on_all().item(), objective.kernels.gradient[0].copy()
    at = theta.copy()

    assert_allclose(loss, plain_objective(at, objective, activation, weights), rtol=1e-13)
    by_autograd = grad(plain_objective)(at, objective, activation, weights)
    assert_allclose(gradient, by_autograd, rtol=1e-10, atol=1e-13)

    step = 1e-3 if activation not in ("relu", "leaky_relu") else 1e-6  # stay off the kinks
    stencil = np.empty_like(theta)
    for i in range(len(theta)):
        values = []
        for k in (-2, -1, 1, 2):
            theta[i] = at[i] + k * step
            values.append(objective.value().item())
        theta[i] = at[i]
        stencil[i] = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
    assert_allclose(gradient, stencil, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_all_rows_as_a_batch_are_the_whole(activation):
    objective = make_objective((3, 5, 4), activation, 0.1, weighted=True)
    whole, gradient = objective.kernels.on_all(), objective.kernels.gradient.copy()
    batch = objective.kernels.on_batch(np.random.RandomState(1).permutation(11))
    assert_allclose(batch, whole, rtol=1e-13)
    assert_allclose(objective.kernels.gradient, gradient, rtol=1e-11, atol=1e-14)


def test_batches_estimate_the_objective_without_bias():
    objective = make_objective((3, 5, 4), "tanh", 0.1, weighted=True, n_samples=12)
    whole, gradient = objective.kernels.on_all(), objective.kernels.gradient.copy()
    order = np.random.RandomState(1).permutation(12).reshape(4, 3)
    losses, gradients = [], []
    for rows in order:
        losses.append(objective.kernels.on_batch(rows))
        gradients.append(objective.kernels.gradient.copy())
    assert_allclose(np.mean(losses, axis=0), whole, rtol=1e-13)
    assert_allclose(np.mean(gradients, axis=0), gradient, rtol=1e-11, atol=1e-14)


def test_chunks_add_up():
    widths = (2, 512, 3)  # several chunks, the last one short
    n_samples = 3 * chunk_length(widths) - 7
    objective = make_objective(widths, "relu", 0.1, weighted=True, n_samples=n_samples)
    objective.network.parameters *= 0.1
    loss, gradient = objective.kernels.on_all(), objective.kernels.gradient.copy()
    assert_allclose(objective.value(), loss, rtol=1e-13)
    assert_allclose(objective.kernels.on_batch(np.arange(n_samples)), loss, rtol=1e-12)
    assert_allclose(objective.kernels.gradient, gradient, rtol=1e-9, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(
    n_nets=st.integers(2, 6),
    n_features=st.integers(1, 9),
    hidden_size=st.integers(1, 33),
    n_classes=st.integers(2, 11),
    n_samples=st.integers(1, 70),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_a_net_in_a_stack_has_the_bits_it_has_alone(
    n_nets, n_features, hidden_size, n_classes, n_samples, activation, dtype
):
    widths = (n_features, hidden_size, n_classes)
    stack = make_objective(
        widths, activation, 0.1, True, n_samples=n_samples, dtype=dtype, n_nets=n_nets
    )
    rows = np.random.RandomState(2).permutation(n_samples)
    losses, gradient = stack.kernels.on_batch(rows), stack.kernels.gradient.copy()
    values = stack.value()
    for net in range(n_nets):
        alone = stack.select([net])
        assert_array_equal(alone.kernels.on_batch(rows), losses[[net]])
        assert_array_equal(alone.kernels.gradient, gradient[[net]])
        assert_array_equal(alone.value(), values[[net]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_pass_keeps_its_dtype(activation, dtype):
    objective = make_objective((3, 5, 4), activation, 0.1, True, dtype=dtype)
    objective.kernels.on_batch(np.arange(5))
    space = Workspace(objective.network, 5)
    arrays = [v for v in vars(space).values() if isinstance(v, np.ndarray)]
    for array in [
        *arrays,
        *space.values,
        *space.caches,
        *space.deltas,
        objective.kernels.gradient,
    ]:
        assert array.dtype in (dtype, np.intp)


def test_scores_of_any_size_give_a_finite_loss():
    objective = make_objective((3, 4), "relu", 0.0, weighted=False)
    objective.network.parameters *= 1e4
    assert np.isfinite(objective.kernels.on_all()).all()
    assert np.isfinite(objective.kernels.gradient).all()
    scores = NumpyKernels.scores(objective.network, objective.samples.X)
    assert np.abs(scores).max() > 1e4
