"""Nets, samples and reference implementations for the tests of the kernels."""

from itertools import pairwise

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import value_and_grad
from helpers import BATCH_UPDATES, apply_formula, glorot_uniform
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearn_toynn._nets.activations import ACTIVATIONS
from sklearn_toynn._nets.best_weights import BestWeights
from sklearn_toynn._nets.column_scaling import NetColumnScaling
from sklearn_toynn._nets.loss import Penalty
from sklearn_toynn._nets.network import Network, flatten
from sklearn_toynn._nets.samples import Samples
from sklearn_toynn._nets.update_rules import Adam, GradientDescent, NesterovMomentum
from sklearn_toynn._training.random_streams import make_bit_generator
from sklearn_toynn._training.solvers import OptimizerState

try:
    from sklearn_toynn._nets.kernels import _compiled, compiled_kernels
    from sklearn_toynn._nets.kernels.compiled_kernels import CompiledKernels
except ImportError:
    CompiledKernels = None

#: The instruction sets of this processor for which the kernels are compiled.
INSTRUCTION_SETS = _compiled.instruction_sets() if CompiledKernels else []

needs_compiled = pytest.mark.skipif(
    CompiledKernels is None, reason="the compiled kernels are not built"
)
#: NumPy's kernels, and the compiled kernels for each instruction set; see conftest.py.
both_sets = pytest.mark.parametrize("kernels_class", ["numpy", *INSTRUCTION_SETS], indirect=True)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

#: The rows, and whether their columns are scaled.
KINDS = ["dense", "scaled", "csr", "scaled csr"]
every_kind = pytest.mark.parametrize("kind", KINDS)

RULES = {"gd": GradientDescent(), "sgd": NesterovMomentum(0.7), "adam": Adam()}
every_rule = pytest.mark.parametrize("rule_name", RULES)

UPDATES = BATCH_UPDATES | {"gd": lambda memory, gradient, rate, t: -rate * gradient}

REG = 0.1

#: The tolerance of a loss or a gradient.
RTOL = {np.float32: 2e-5, np.float64: 1e-12}


def make_network(widths, activation="tanh", *, dtype=float):
    """Return a net with scores of order 1."""
    rng = np.random.RandomState(0)
    weights = [
        rng.standard_normal((fan_out, fan_in)) / np.sqrt(fan_in)
        for fan_in, fan_out in pairwise(widths)
    ]
    biases = [rng.standard_normal(fan_out) / 4 for fan_out in widths[1:]]
    activation = ACTIVATIONS.get(activation, activation) if len(widths) > 2 else None
    return Network(widths, activation, flatten(weights, biases).astype(dtype))


def make_samples(widths, n_samples, kind="dense", *, dtype=float, uses_rows=False, weighted=True):
    rng = np.random.RandomState(1)
    n_rows = n_samples + 9 * uses_rows
    X = rng.standard_normal((n_rows, widths[0]))
    if "scaled" in kind:
        X += rng.uniform(3, 5, widths[0])  # far enough from 0 for sparse columns to be centered
        X *= 10 ** rng.uniform(-1, 1, widths[0])
    if "csr" in kind:
        X[:, 1:][rng.uniform(size=(n_rows, widths[0] - 1)) < 0.4] = 0  # the first column is full
        X = sparse.csr_array(X.astype(dtype))
        X.indices, X.indptr = X.indices.astype(np.intc), X.indptr.astype(np.intc)
    samples = Samples(
        X.astype(dtype),
        rng.randint(widths[-1], size=n_rows),
        (rng.uniform(0.5, 2, n_rows) if weighted else np.ones(n_rows)).astype(dtype),
        rng.permutation(n_rows)[:n_samples] if uses_rows else None,
    )
    if "scaled" not in kind:
        return samples
    dtype = samples.weights.dtype
    return samples.prepare(NetColumnScaling.from_samples(samples, dtype), dtype)


def make_kernels(kernels_class, network, samples, *, reg=REG, place=np.copy):
    """Return kernels on a copy of the net; `place` copies its parameters.

    Skip the test of compiled kernels if the activation has no C code.
    """
    activation = type(network.activation)
    if kernels_class is CompiledKernels and activation not in compiled_kernels.ACTIVATIONS:
        pytest.skip(f"{activation.__name__} has no C code.")
    network = network.with_parameters(place(network.parameters))
    return kernels_class(network, samples, Penalty(network, samples.columns, reg))


def strided(array):
    return np.repeat(array, 2)[::2]


# ---- references


class Reference:
    """The objective in float64, with its gradient by autograd."""

    def __init__(self, network, samples, reg=REG):
        self.widths = network.widths
        names = {type(activation): name for name, activation in ACTIVATIONS.items()}
        self.activation = names.get(type(network.activation))
        X = samples.X.toarray() if sparse.issparse(samples.X) else samples.X
        self.X, self.codes = X.astype(float), samples.codes
        self.decay = np.full(network.n_weights, reg)
        self.param_scale = np.ones(len(network.parameters))
        if samples.columns is not None:
            mean, scale = samples.columns.mean.astype(float), samples.columns.scale.astype(float)
            self.X = (self.X - mean) / scale
            first = slice(0, network.weights[0].size)
            self.decay[first] /= np.tile(scale**2, network.widths[1])
            self.param_scale[first] = 1 / np.sqrt(1 + self.decay[first])
        self.rows = np.arange(len(X)) if samples.rows is None else samples.rows
        self.weights = samples.weights / samples.weights[self.rows].mean(dtype=float)
        self._value_and_gradient = value_and_grad(self.value)

    def scores(self, theta, rows):
        values, start = self.X[rows], len(self.decay)
        place = 0
        for layer, (fan_in, fan_out) in enumerate(pairwise(self.widths)):
            W = theta[place : place + fan_in * fan_out].reshape(fan_out, fan_in)
            values = anp.dot(values, W.T) + theta[start : start + fan_out]
            place, start = place + fan_in * fan_out, start + fan_out
            if layer < len(self.widths) - 2:
                values = apply_formula(self.activation, values)
        return values

    def value(self, theta, rows=None):
        rows = self.rows if rows is None else rows
        scores = self.scores(theta, rows)
        peak = anp.max(scores, axis=1)
        log_sums = anp.log(anp.sum(anp.exp(scores - peak[:, None]), axis=1)) + peak
        losses = log_sums - scores[np.arange(len(rows)), self.codes[rows]]
        penalty = anp.sum(self.decay * theta[: len(self.decay)] ** 2) / 2
        return anp.sum(self.weights[rows] * losses) / len(rows) + penalty

    def value_and_gradient(self, theta, rows=None):
        """Return the objective, and its gradient with respect to the solvers' variables."""
        value, gradient = self._value_and_gradient(theta, rows)
        return value, gradient * self.param_scale

    def run_epochs(self, theta, rule_name, step_sizes, batch_size, stream):
        """Return the main results of `run_epochs` below, by plain loops."""
        losses, memory, n_steps, update = [], {}, 0, UPDATES[rule_name]
        best_loss, best = np.inf, theta
        for sizes in step_sizes:
            order = self.rows.copy()
            if stream is not None and rule_name != "gd":
                stream.shuffle(order)
            before, loss = theta, 0
            for batch, size in enumerate(sizes):
                rows = order if rule_name == "gd" else order[batch * batch_size :][:batch_size]
                value, gradient = self.value_and_gradient(theta, rows)
                n_steps += 1
                loss += value * len(rows) / len(order)
                theta = theta + self.param_scale * update(memory, gradient, size, n_steps)
            losses.append(loss)
            if loss < best_loss:
                best_loss, best = loss, before
        return {"losses": losses, "parameters": theta, "best": best, "best loss": [best_loss]}


def make_step_sizes(rule, samples, *, n_epochs=4, batch_size=16, rate=0.02, growth=1.0):
    """Return step sizes (n_epochs, n_updates), each `growth` times the previous one."""
    n_updates = len(range(0, samples.n_samples, batch_size)) if rule.takes_batches else 1
    return rate * growth ** np.arange(n_epochs * n_updates, dtype=float).reshape(n_epochs, -1)


def run_epochs(
    kernels,
    rule,
    step_sizes,
    *,
    batch_size=16,
    at_once=None,
    shuffles=True,
    tol=-1.0,
    place=np.copy,
):
    """Run epochs, `at_once` per call, and return everything that changes.

    `place` copies the arrays that the updates change.
    """
    parameters = kernels.network.parameters
    state = OptimizerState(place(np.zeros((rule.n_moments, len(parameters)), parameters.dtype)))
    best, bit_generator = BestWeights(parameters), make_bit_generator(2) if shuffles else None
    best.parameters, best.previous = place(best.parameters), place(best.previous)
    sizes = step_sizes * rule.scale(1 + np.arange(step_sizes.size)).reshape(step_sizes.shape)
    losses, at_once = [], at_once or len(sizes)
    for start in range(0, len(sizes), at_once):
        asked = sizes[start : start + at_once]
        losses += [kernels.run_epochs(rule, state, asked, batch_size, bit_generator, best, tol)]
        best.update(losses[-1][-1], parameters)  # the monitor does this
        if len(losses[-1]) < len(asked) or not np.isfinite(losses[-1][-1]):
            break
    results = {
        "losses": np.concatenate(losses),
        "parameters": parameters,
        "moments": state.moments,
        "best loss": best.loss,
        "best": best.parameters,
        "previous": best.previous,
    }
    if shuffles:
        _, key, position, *_ = np.random.RandomState(bit_generator).get_state()
        results["stream"] = np.append(key, position)
    return results


def assert_same_bits(one, other):
    assert one.keys() == other.keys()
    for name, values in other.items():
        assert_array_equal(one[name], values, err_msg=name)


def assert_close(values, desired, rtol):
    """Compare arrays with a tolerance relative to the largest entry."""
    assert_allclose(values, desired, rtol=0, atol=rtol * np.abs(desired).max())


def reference_of(model, X, y, w=None):
    """Return the fitted parameters of a model of one net, and the reference of its objective."""
    (network,) = model._get_networks()
    samples = Samples(X, y, np.ones(len(y)) if w is None else w)
    return network.parameters, Reference(network, samples, model.reg_)


def train_by_plain_loop(model, X, y, w, step_sizes, batch_size):
    """Return the losses and parameters that `model`, a fitted net, should have.

    Its parameters must include `init=glorot_uniform` and `shuffle=False`.
    """
    parameters, reference = reference_of(model, X, y, w)
    weights, biases = model._get_networks()[0].split(parameters)
    start = flatten(
        [glorot_uniform(None, *layer.T.shape).T for layer in weights],
        [0 * layer for layer in biases],
    )
    results = reference.run_epochs(start, model.solver, step_sizes, batch_size, stream=None)
    return results["losses"], results["parameters"]


def unaligned(array):
    copy = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def assert_checks(call, *args, any_length=(), any_layout=()):
    """Check that a call raises an error for each array with another dtype, length or layout.

    The call must also raise an error for read-only arrays that it writes to. `any_length` and
    `any_layout` are the positions of arrays of any length or layout.
    """

    def copies():
        return [each.copy(order="K") if isinstance(each, np.ndarray) else each for each in args]

    outcome = copies()
    call(*outcome)
    for place, array in enumerate(args):
        if not isinstance(array, np.ndarray):
            continue
        is_real = array.dtype.kind == "f"
        others = [
            array.astype(np.float16 if is_real else np.int16),
            array.astype(np.int64 if is_real else np.float64),
            array.astype(array.dtype.newbyteorder()),
            unaligned(array),
        ]
        if place not in any_length:
            others.append(array.ravel()[:-1].copy())
        if place not in any_layout:
            flags = array.flags
            if array.ndim == 1:
                others += [strided(array)] * (len(array) > 1)
            elif not (flags.c_contiguous and flags.f_contiguous):
                others.append(array.copy(order="F" if flags.c_contiguous else "C"))
        if not np.array_equal(outcome[place], array, equal_nan=True):
            others.append(array.copy(order="K"))
            others[-1].flags.writeable = False
        for other in others:
            arguments = copies()
            arguments[place] = other
            with pytest.raises((ValueError, TypeError, BufferError)):
                call(*arguments)
