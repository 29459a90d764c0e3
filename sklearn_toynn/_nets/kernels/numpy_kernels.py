"""The reference: the objective of a net and its gradient in NumPy.

It runs if the compiled kernels are not built, or do not support the net or the rows.
"""

import numpy as np

from ..products import multiply, multiply_transposed
from ..samples import chunk_length
from .interface import Kernels


def layer_values(network, X):
    """Yield each layer's values for rows of X, (units, n_samples); the last are the scores."""
    activation = network.activation
    values = np.empty((network.widths[1], X.shape[0]), network.parameters.dtype)
    multiply(network.weights[0], X, out=values)
    values += network.biases[0][:, None]
    for weights, biases in zip(network.weights[1:], network.biases[1:], strict=True):
        activation.forward(values, activation.make_cache(values))
        yield values
        values = weights @ values
        values += biases[:, None]
    yield values


class NumpyKernels(Kernels):
    """Kernels that make a few NumPy calls for each layer.

    Activations have the shape (units, n_samples), so that a sum over a few classes takes a few
    vector operations over many samples.
    """

    def __init__(self, network, samples, penalty):
        super().__init__(network, samples, penalty)
        self._gradient_weights, self._gradient_biases = network.split(self.gradient)
        self._scratch = np.empty_like(network.parameters)
        self._workspaces = {}

    @staticmethod
    def supports(network, X):  # noqa: ARG004
        """Return True, because these kernels support all nets and rows."""
        return True

    @staticmethod
    def scores(network, X, out=None):
        """Return the scores of rows of X, (n_classes, n_samples), in `out` if it is given."""
        *_, scores = layer_values(network, X)
        if out is None:
            return scores
        out[...] = scores
        return out

    def value(self):
        """Return the objective."""
        loss = sum(self.cross_entropy(workspace) for workspace in self._loaded_chunks())
        return loss + self._penalty()

    def value_and_gradient(self):
        """Return the objective and set `gradient`, chunk by chunk."""
        loss, total = 0.0, np.zeros_like(self.gradient)
        for workspace in self._loaded_chunks():
            loss += self.loss_and_gradient(workspace)
            total += self.gradient
        self.gradient[...] = total
        return loss + self._add_penalty()

    def batch_value_and_gradient(self, rows):
        """Return the objective on some rows, an unbiased estimate, and set `gradient`."""
        workspace = self._get_workspace(len(rows))
        self.samples.load(rows, workspace, 1 / len(rows))
        return self.loss_and_gradient(workspace) + self._add_penalty()

    def run_epochs(self, rule, state, step_sizes, batch_size, bit_generator, best, tol):
        """See `Kernels.run_epochs`."""
        losses, parameters = np.zeros(len(step_sizes)), self.network.parameters
        stream = bit_generator and np.random.RandomState(bit_generator)
        for epoch, sizes in enumerate(step_sizes):
            if rule.takes_batches:
                losses[epoch] = self._run_epoch(rule, state, sizes, batch_size, stream)
                is_small = False
            else:
                losses[epoch] = self.value_and_gradient()
                is_small = np.abs(self.gradient).max() <= tol
                self._step(rule, state, sizes[0])
            if is_small or not np.isfinite(losses[epoch]):
                return losses[: epoch + 1]
            if epoch < len(step_sizes) - 1:
                best.update(losses[epoch], parameters)
        return losses

    def _run_epoch(self, rule, state, sizes, batch_size, stream):
        """Make an update after each batch; return the mean of the losses before the updates."""
        order, loss = self.samples.row_numbers(), 0.0
        if stream is not None:
            stream.shuffle(order)
        for batch, size in enumerate(sizes):
            rows = order[batch * batch_size : (batch + 1) * batch_size]
            loss += self.batch_value_and_gradient(rows) * (len(rows) / len(order))
            self._step(rule, state, size)
        return loss

    def _step(self, rule, state, step_size):
        rule.update(self.gradient, state.moments, step_size, self._scratch)
        if self.penalty.param_scale is not None:
            self._scratch *= self.penalty.param_scale
        self.network.parameters -= self._scratch

    def forward(self, workspace):
        """Compute the scores of `workspace.inputs`, (n_classes, n_samples)."""
        network = self.network
        multiply(network.weights[0], workspace.inputs, out=workspace.values[0])
        workspace.values[0] += network.biases[0][:, None]
        for layer, cache in enumerate(workspace.caches):
            below, above = workspace.values[layer : layer + 2]
            network.activation.forward(below, cache)
            np.matmul(network.weights[layer + 1], below, out=above)
            above += network.biases[layer + 1][:, None]
        return workspace.scores

    def cross_entropy(self, workspace):
        """Return sum_i c_i CE(y_i, softmax(scores_i)).

        y are `workspace.codes` and c `workspace.loss_weights`. The call leaves
        e_ki = exp(s_ki - max_k s_ki) in `workspace.scores`, sum_k e_ki in `workspace.totals` and
        c onehot(y) in `workspace.targets`.
        """
        scores, totals = self.forward(workspace), workspace.totals
        np.maximum.reduce(scores, axis=0, out=totals)
        scores -= totals
        workspace.identity.take(workspace.codes, axis=1, out=workspace.targets, mode="clip")
        workspace.targets *= workspace.loss_weights
        # CE = log(sum_k e_k) - (s_y - max_k s_k)
        own_scores = np.vdot(scores, workspace.targets)
        np.exp(scores, out=scores)
        np.add.reduce(scores, axis=0, out=totals)
        np.log(totals, out=workspace.log_totals)
        return float(np.vdot(workspace.log_totals, workspace.loss_weights) - own_scores)

    def loss_and_gradient(self, workspace):
        """Return `cross_entropy` and set `gradient` to its gradient.

        With d_L = c (softmax(s) - onehot(y)), the gradient is d_l a_{l-1}^T for W_l and the
        sum of d_l over the samples for b_l, and d_{l-1} = W_l^T d_l f'(z_{l-1}).
        """
        loss = self.cross_entropy(workspace)
        delta = workspace.scores
        np.divide(workspace.loss_weights, workspace.totals, out=workspace.totals)
        delta *= workspace.totals
        delta -= workspace.targets
        for layer in range(len(self._gradient_weights) - 1, 0, -1):
            below = workspace.deltas[layer - 1]
            np.matmul(delta, workspace.values[layer - 1].T, out=self._gradient_weights[layer])
            np.matmul(delta, workspace.ones, out=self._gradient_biases[layer])
            np.matmul(self.network.weights[layer].T, delta, out=below)
            delta = below
            self.network.activation.backward(
                delta, workspace.values[layer - 1], workspace.caches[layer - 1]
            )
        multiply_transposed(delta, workspace.inputs, out=self._gradient_weights[0])
        np.matmul(delta, workspace.ones, out=self._gradient_biases[0])
        return loss

    def _loaded_chunks(self):
        scale = 1 / self.samples.n_samples
        for rows in self.samples.chunks(chunk_length(self.network.widths)):
            n_rows = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
            workspace = self._get_workspace(n_rows)
            self.samples.load(rows, workspace, scale)
            yield workspace

    def _get_workspace(self, n_samples):
        if n_samples not in self._workspaces:
            self._workspaces[n_samples] = Workspace(self.network, n_samples, self.samples.X.dtype)
        return self._workspaces[n_samples]

    def _add_penalty(self):
        """Return the penalty, add its gradient, and convert the sum to the solvers' variables."""
        penalty = self._penalty()
        self.gradient += self._scratch
        if self.penalty.param_scale is not None:
            self.gradient *= self.penalty.param_scale
        return penalty

    def _penalty(self):
        """Return reg/2 ||weights||^2, and leave its gradient in `_scratch`."""
        np.multiply(self.network.parameters, self.penalty.decay, out=self._scratch)
        return 0.5 * float(np.vdot(self.network.parameters, self._scratch))


class Workspace:
    """The arrays for a forward and a backward pass of `n_samples` rows.

    The kernels create one for each number of rows, so that a pass allocates nothing.

    Parameters
    ----------
    network : Network
        The net.
    n_samples : int
        The number of rows.
    rows_dtype : dtype
        The dtype of X.

    Attributes
    ----------
    inputs : ndarray or sparse matrix of shape (n_samples, n_features)
        The rows.
    buffer : ndarray of shape (n_samples, n_features)
        An array for copies of rows in the dtype of X, created at the first use.
    converted : ndarray of shape (n_samples, n_features) or None
        An array for rows in the dtype of the parameters, if X has another dtype.
    codes, loss_weights : ndarray of shape (n_samples,)
        The class codes of the rows, and the factors of their terms in the loss.
    values : list of ndarray of shape (units, n_samples)
        The values of each layer. The last array holds the scores, then their exponentials, then
        the derivative of the loss.
    deltas : list of ndarray of shape (units, n_samples)
        The derivative of the loss with respect to each hidden layer.
    caches : list of ndarray
        The cache of the activation for each hidden layer.
    """

    def __init__(self, network, n_samples, rows_dtype):
        dtype, (n_features, *widths) = network.parameters.dtype, network.widths
        n_classes, shape = widths[-1], (n_samples, n_features)
        self._buffer, self._buffer_shape, self._rows_dtype = None, shape, rows_dtype
        self.inputs, self.converted = None, None
        if rows_dtype != dtype:
            self.converted = np.empty(shape, dtype)
        self.codes = np.empty(n_samples, np.intp)
        self.loss_weights = np.empty(n_samples, dtype)
        self.values = [np.empty((units, n_samples), dtype) for units in widths]
        self.caches = [network.activation.make_cache(values) for values in self.values[:-1]]
        self.deltas = [np.empty_like(values) for values in self.values[:-1]]
        self.scores = self.values[-1]
        self.totals, self.log_totals, self.ones = np.ones((3, n_samples), dtype)
        self.identity = np.eye(n_classes, dtype=dtype)
        self.targets = np.empty((n_classes, n_samples), dtype)

    @property
    def buffer(self):
        """An array (n_samples, n_features) for rows that cannot be used in place."""
        if self._buffer is None:
            self._buffer = np.empty(self._buffer_shape, self._rows_dtype)
        return self._buffer
