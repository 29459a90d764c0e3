"""The objective of a net, its gradient, and epochs of updates, in C."""

import numpy as np
from scipy.sparse import issparse

from ..activations import GELU, Identity, LeakyReLU, Logistic, ReLU, SiLU, Tanh
from ..encoded_rows import EncodedRows
from ..samples import chunk_length
from ..update_rules import Adam, GradientDescent, NesterovMomentum
from ._compiled import Net
from .interface import Kernels

#: The activations, in the order of the enum in activations.h, and None for nets without hidden
#: layers.
ACTIVATIONS = (ReLU, LeakyReLU, Logistic, Tanh, GELU, SiLU, Identity, type(None))

#: The update rules, in the order of `enum Rule` in net.h.
RULES = (GradientDescent, NesterovMomentum, Adam)

#: Sparse rows with at most this many columns are made dense, batch by batch.
MAX_DENSE_COLUMNS = 256

#: The maximum size of a padded first layer that has fewer units than a vector has lanes.
MAX_PADDED_ENTRIES = 2**20

#: The scores of fewer rows than this are computed from unpacked parameters.
MIN_PACKED_ROWS = 6


class CompiledKernels(Kernels):
    """Calls of the functions in C, which release the GIL."""

    def __init__(self, network, samples, penalty):
        super().__init__(network, samples, penalty)
        self._net, self._n_rows = None, 0

    @staticmethod
    def supports(network, X):
        """Return whether the C code supports the activation, the layout of X and the weights."""
        if isinstance(X, EncodedRows):
            X = X.X
        if not issparse(X):
            fits = X.flags.aligned
        else:
            flags = [array.flags for array in (X.data, X.indices, X.indptr)]
            fits = X.indices.dtype == X.indptr.dtype == np.intc and all(
                each.c_contiguous and each.aligned for each in flags
            )
        n_features, width = network.widths[:2]
        lanes = 64 // network.parameters.itemsize
        # otherwise the padded weights would be several times as large
        fits &= n_features * lanes <= max(MAX_PADDED_ENTRIES, 4 * n_features * width)
        return fits and type(network.activation) in ACTIVATIONS

    @staticmethod
    def scores(network, X, out=None):
        """Return the scores of rows of X, (n_classes, n_samples); in `out` if it is given."""
        return CompiledKernels.make_scorer(network, X)(X, out)

    @classmethod
    def make_scorer(cls, network, X):
        """Return a function like `scores` that uses one `Net` for all chunks."""
        is_packed = X.shape[0] >= MIN_PACKED_ROWS or is_taken_by_entry(X)
        net = make_net(network, X, X.shape[0], int(is_packed))

        def score(rows, out=None):
            if out is None:
                out = np.empty((network.widths[-1], rows.shape[0]), network.parameters.dtype)
            net.set_rows(rows)
            net.scores(out)
            return out

        return score

    def value(self):
        """Return the objective."""
        length = self._chunk_length()
        return self._get_net(length).objective(None, length, None)

    def value_and_gradient(self):
        """Return the objective and set `gradient`, chunk by chunk."""
        length = self._chunk_length()
        return self._get_net(length).objective(None, length, self.gradient)

    def batch_value_and_gradient(self, rows):
        """Return the objective on some rows, an unbiased estimate, and set `gradient`."""
        return self._get_net(len(rows)).objective(rows, len(rows), self.gradient)

    def run_epochs(self, rule, state, step_sizes, batch_size, bit_generator, best, tol):
        """See `Kernels.run_epochs`."""
        losses, is_one = np.empty(len(step_sizes)), len(step_sizes) == 1
        n_samples = self.samples.n_samples
        order, gradient, length = np.empty(n_samples, np.intp), None, batch_size
        if not rule.takes_batches:
            order, gradient, length = None, self.gradient, self._chunk_length()
        n_epochs = self._get_net(length).run_epochs(
            RULES.index(type(rule)),
            [getattr(rule, name, 0.0) for name in ("momentum", "beta1", "beta2", "epsilon")],
            step_sizes,
            batch_size if rule.takes_batches else n_samples,
            length,
            tol,
            state.moments,
            gradient,
            order,
            bit_generator,
            None if is_one else best.previous,
            None if is_one else best.parameters,
            best.loss,
            losses,
        )
        return losses[:n_epochs]

    def _chunk_length(self):
        return min(chunk_length(self.network.widths), self.samples.n_samples)

    def _get_net(self, n_rows):
        """Return a net with room for passes over `n_rows` rows."""
        n_rows = min(n_rows, self.samples.n_samples)
        if n_rows > self._n_rows:
            samples, columns = self.samples, self.samples.scaled_columns
            net = make_net(self.network, samples.X, n_rows)
            X, functions = samples.X, None
            if isinstance(X, EncodedRows):
                X, functions = X.X, X.encoding.functions
            others = samples.codes, samples.weights, samples.weight_scale, samples.rows
            net.set_samples(X, *others, functions)
            if columns is not None:
                net.set_columns(columns.mean, 1 / columns.scale, columns.center)
            net.set_penalty(self.penalty.decay, self.penalty.param_scale)
            self._net, self._n_rows = net, n_rows
        return self._net


def make_net(network, X, n_rows, n_arrays=8):
    """Return a `Net` with room for passes over `n_rows` rows in the format of X."""
    activation = ACTIVATIONS.index(type(network.activation))
    widths = np.array(network.widths, np.intc)
    return Net(widths, activation, network.parameters, n_rows, is_taken_by_entry(X), n_arrays)


def is_taken_by_entry(X):
    """Return whether rows are multiplied entry by entry. Other CSR rows are made dense."""
    return issparse(X) and X.shape[1] > MAX_DENSE_COLUMNS
