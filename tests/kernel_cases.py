"""What the tests of the nets' kernels share: both sets, stacks, samples and comparisons."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearn_toynn._nets.activations import ACTIVATIONS
from sklearn_toynn._nets.columns import Columns
from sklearn_toynn._nets.kernels.numpy_kernels import NumpyKernels
from sklearn_toynn._nets.network import Network, flatten
from sklearn_toynn._nets.penalty import Penalty
from sklearn_toynn._nets.samples import Samples
from sklearn_toynn._training.best_weights import BestWeights
from sklearn_toynn._training.first_order import SGD, Adam

try:
    from sklearn_toynn._nets.kernels.compiled_kernels import CompiledKernels
except ImportError:
    CompiledKernels = None

needs_compiled = pytest.mark.skipif(
    CompiledKernels is None, reason="the compiled kernels are not built"
)
both_sets = pytest.mark.parametrize(
    "kernels_class",
    [NumpyKernels, pytest.param(CompiledKernels, marks=needs_compiled)],
    ids=["numpy", "compiled"],
)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

# from one layer to four, of each kind of product: thin and, beyond 64, of BLAS
WIDTHS = [
    (1, 2),
    (3, 4),
    (67, 5),
    (2, 7, 3),
    (5, 67, 2),
    (64, 65, 3),
    (65, 1, 2),
    (70, 66, 67),
    (6, 65, 66, 3),
    (3, 5, 1, 4, 2),
    (70, 66, 5, 67, 66),
]
every_width = pytest.mark.parametrize("widths", WIDTHS, ids=str)

#: The rows, and whether their columns are brought to a common scale.
KINDS = ["dense", "scaled", "csr", "scaled csr"]
every_kind = pytest.mark.parametrize("kind", KINDS)

#: Of up to five nets in a stack.
REGS = np.array([0, 0.1, 0.3, 0.01, 0.2])
RATES = np.array([0.02, 0.015, 0.01, 0.03, 0.005])
MOMENTA = np.array([0.5, 0.8, 0.95, 0, 0.9])

RULES = {"sgd": SGD, "adam": Adam}
every_rule = pytest.mark.parametrize("rule_class", RULES.values(), ids=RULES)


def make_network(widths, activation="tanh", *, n_nets=2, dtype=float):
    """Return nets whose scores have the size of 1."""
    rng = np.random.RandomState(0)
    weights = [
        rng.standard_normal((n_nets, fan_out, fan_in)) / np.sqrt(fan_in)
        for fan_in, fan_out in pairwise(widths)
    ]
    biases = [rng.standard_normal((n_nets, fan_out)) / 4 for fan_out in widths[1:]]
    if isinstance(activation, str):
        activation = ACTIVATIONS[activation]
    return Network(widths, activation, flatten(weights, biases).astype(dtype))


def make_samples(widths, n_samples, kind="dense", *, dtype=float, uses_rows=False, weighted=True):
    rng = np.random.RandomState(1)
    n_rows = n_samples + 9 * uses_rows
    X = rng.standard_normal((n_rows, widths[0]))
    if "scaled" in kind:
        X += rng.uniform(3, 5, widths[0])  # far enough from 0 for sparse columns to be centred
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
    return samples.with_columns(Columns.from_samples(samples)) if "scaled" in kind else samples


def make_kernels(kernels_class, network, samples, *, nets=None, place=np.copy):
    """Return kernels of copies, which `place` makes, of some of the nets."""
    nets = range(network.n_nets) if nets is None else nets
    network = Network(network.widths, network.activation, place(network.parameters[nets]))
    reg = REGS[nets, None].astype(network.parameters.dtype)
    return kernels_class(network, samples, Penalty(network, samples.columns, reg))


def strided(array):
    return np.repeat(array, 2)[::2]


def run_epochs(
    kernels,
    rule_class,
    *,
    nets=None,
    n_epochs=4,
    batch_size=16,
    at_once=None,
    rates=RATES,
    growth=1.0,
    momenta=MOMENTA,
    place=np.copy,
    n_threads=1,
):
    """Go through epochs, some in each call; return all that changes.

    The nets' step sizes are `growth` times as large in each update, and those of `nets` among
    `rates`, as are their momenta. `place` makes copies of what the updates change.
    """
    network, samples = kernels.network, kernels.samples
    rng = np.random.RandomState(2)
    orders = samples.draw_orders(n_epochs, rng)
    n_batches = len(range(0, samples.n_samples, batch_size))
    growths = growth ** np.arange(n_epochs * n_batches)[:, None]
    nets = range(network.n_nets) if nets is None else nets
    step_sizes = np.array((rates * growths)[:, nets], order="C")
    momentum = momenta[nets, None]
    rule, best = rule_class.start(network.parameters), BestWeights(network.parameters)
    rule.slots, best.parameters, best.previous = map(
        place, (rule.slots, best.parameters, best.previous)
    )
    losses = []
    at_once = at_once or n_epochs
    for start in range(0, n_epochs, at_once):
        updates = slice(start * n_batches, (start + at_once) * n_batches)
        of_call = kernels.run_epochs(
            orders[start : start + at_once],
            batch_size,
            rule,
            step_sizes[updates],
            momentum,
            best,
            n_threads,
        )
        losses.append(of_call)
        best.update(of_call[-1], network.parameters)  # as `TrainingRun.record`
        if not np.isfinite(of_call[-1]).all():
            break
    return {
        "losses": np.concatenate(losses),
        "parameters": network.parameters,
        "memory": rule.slots.swapaxes(0, 1),
        "best losses": best.losses,
        "best": best.parameters,
        "previous": best.previous,
    }


def assert_same_bits(one, other):
    for name, values in other.items():
        assert_array_equal(one[name], values, err_msg=name)


def assert_close(values, desired, rtol):
    """Compare arrays (n_nets, ...) up to a share of each net's largest entry."""
    for of_net, desired_of_net in zip(values, desired, strict=True):
        assert_allclose(of_net, desired_of_net, rtol=0, atol=rtol * np.abs(desired_of_net).max())


def unaligned(array):
    copy = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def assert_checks(call, *args, any_length=(), any_layout=()):
    """Check that a call refuses arrays of another dtype, length or layout in the place of its own.

    It must refuse read-only ones, too, where it writes. `any_length` and `any_layout` are the
    places of arrays whose length or layout is free.
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
                others.append(strided(array))
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
