"""What runs where it was built: a stack's passes in C, several epochs in a call."""

from contextlib import contextmanager, nullcontext
from threading import Thread

import numpy as np

from ..._blas import single_threaded_blas
from ..activations import GELU, Identity, LeakyReLU, Logistic, ReLU, SiLU, Tanh
from ..samples import chunk_length
from ._compiled import Stack
from .kernels import Kernels

#: The activations that have a twin, in the order of `enum Activation` in stack.h.
ACTIVATIONS = (ReLU, LeakyReLU, Logistic, Tanh, GELU, SiLU, Identity)

#: The values of `MiniBatchSolver.twin`, in the order of `enum Rule`.
RULES = ("sgd", "adam")


class CompiledKernels(Kernels):
    """A stack's passes by one call for all batches of an epoch, or for all rows.

    The products are those of SciPy's BLAS. A call holds no interpreter lock, and no call
    allocates anything.
    """

    takes_epochs = True

    def __init__(self, network, samples, penalty):
        super().__init__(network, samples, penalty)
        self._stack, self._n_rows = None, 0

    @staticmethod
    def supports(network, X):
        """Say whether there is a twin of the activation, and the rows lie as C takes them."""
        if isinstance(X, np.ndarray):
            fits = X.flags.aligned
        else:
            flags = [array.flags for array in (X.data, X.indices, X.indptr)]
            fits = X.indices.dtype == X.indptr.dtype == np.intc and all(
                each.c_contiguous and each.aligned for each in flags
            )
        return fits and type(network.activation) in ACTIVATIONS

    @staticmethod
    def scores(network, X, out=None):
        """Return the scores of rows of X, (n_nets, n_classes, n_samples), in `out` if given."""
        n_rows = X.shape[0]
        if out is None:
            shape = network.n_nets, network.widths[-1], n_rows
            out = np.empty(shape, network.parameters.dtype)
        stack = make_stack(network, X, n_rows)
        stack.set_rows(X)
        stack.scores(0, out)
        return out

    def value(self):
        """Return the objective, (n_nets,)."""
        return self._on_all(None)

    def on_all(self):
        """Return the objective (n_nets,) and set `gradient`, chunk by chunk."""
        return self._on_all(self.gradient)

    def on_batch(self, rows):
        """Return the loss (n_nets,) on rows, an unbiased estimate of `on_all`; set `gradient`."""
        loss = np.empty(self.network.n_nets)
        self._get_stack(len(rows)).on_rows(rows, self.gradient, loss)
        return loss

    def run_epochs(self, orders, batch_size, rule, step_sizes, momentum, best, n_threads=1):
        """Go through the batches of several epochs, in one call where the rule has a twin."""
        if rule.twin is None:
            return super().run_epochs(
                orders, batch_size, rule, step_sizes, momentum, best, n_threads
            )
        losses = np.empty((len(orders), self.network.n_nets))
        stack = self._get_stack(min(batch_size, orders.shape[1]))
        with helped(stack) if n_threads > 1 and stack.can_be_helped else nullcontext():
            n_epochs = stack.run_epochs(
                orders,
                batch_size,
                RULES.index(rule.twin),
                np.array(rule.constants, float),
                momentum[:, 0],
                step_sizes,
                rule.slots,
                self.gradient,
                losses,
                best.previous,
                best.parameters,
                best.losses,
            )
        return losses[:n_epochs]

    def _on_all(self, gradient):
        length = min(chunk_length(self.network.widths), self.samples.n_samples)
        losses = np.empty(self.network.n_nets)
        self._get_stack(length).on_all(length, gradient, losses)
        return losses

    def _get_stack(self, n_rows):
        """Return the stack with room for so many rows."""
        if n_rows > self._n_rows:
            samples, columns = self.samples, self.samples.scaled_columns
            stack = make_stack(self.network, samples.X, n_rows)
            stack.set_samples(
                samples.X, samples.codes, samples.weights, samples.weight_scale, samples.rows
            )
            if columns is not None:
                stack.set_columns(columns.mean, columns.scale, columns.center)
            stack.set_penalty(self.penalty.decay, self.penalty.unit)
            self._stack, self._n_rows = stack, n_rows
        return self._stack


def make_stack(network, X, n_rows):
    """Return nets with room for passes over so many rows like those of X."""
    activation = ACTIVATIONS.index(type(network.activation))
    widths = np.array(network.widths, np.intc)
    is_sparse = not isinstance(X, np.ndarray)
    return Stack(widths, activation, network.parameters, n_rows, is_sparse)


@contextmanager
def helped(stack):
    """Have another thread compute the second halves of batches."""
    helper = Thread(target=single_threaded_blas(stack.help))
    stack.begin_help()
    helper.start()
    try:
        yield
    finally:
        stack.end_help()
        helper.join()
