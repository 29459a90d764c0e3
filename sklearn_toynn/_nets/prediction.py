"""Scores and probabilities of fitted nets."""

import math

import numpy as np

from .._blas import single_threaded_blas
from .kernels.numpy_kernels import layer_values
from .kernels.selection import choose_kernels
from .network import Network
from .samples import LAYER_ENTRIES, chunk_length


def keep_scores(scores):
    """Leave scores (n_classes, n_samples) as they are."""


def log_softmax(scores):
    """Turn scores into log-probabilities in place: s_k - max - log sum_j exp(s_j - max)."""
    scores -= np.maximum.reduce(scores, axis=0)
    scores -= np.log(np.add.reduce(np.exp(scores), axis=0))


def softmax(scores):
    """Turn scores into probabilities in place: exp(s_k - max) / sum_j exp(s_j - max)."""
    scores -= np.maximum.reduce(scores, axis=0)
    np.exp(scores, out=scores)
    scores /= np.add.reduce(scores, axis=0)


class ScoreSpace:
    """Arrays for the scores of a chunk, reused as fresh memory takes longer than the products.

    Parameters
    ----------
    network : Network
        The nets.
    n_rows : int
        The number of rows of a chunk.
    """

    def __init__(self, network, n_rows):
        self._network = network
        shape = network.widths[-1], n_rows
        # as many nets together as leave their scores in the L2 cache
        n_together = min(max(LAYER_ENTRIES // math.prod(shape), 1), network.n_nets)
        self._scores = np.empty((n_together, *shape), network.parameters.dtype)
        self._total = np.empty(shape, network.parameters.dtype)
        nets = range(0, network.n_nets, n_together)
        self._groups = [network.parameters[first : first + n_together] for first in nets]

    def scores(self, rows):
        """Return the scores of rows, (n_classes, n_samples); the next call may overwrite them.

        The scores of several nets are the logarithms of their mean probabilities.
        """
        network = self._network
        if network.n_nets == 1:
            return choose_kernels(network, rows).scores(network, rows, self._scores)[0]
        if self._add_probabilities(rows):
            return np.log(self._total, out=self._total)
        return log_mean_probabilities(choose_kernels(network, rows).scores(network, rows))

    def _add_probabilities(self, rows):
        """Write the mean probabilities; return whether all exponentials were normal numbers."""
        network, total = self._network, self._total
        tiny = np.finfo(total.dtype).tiny
        total[...] = 0
        for parameters in self._groups:
            group = Network(network.widths, network.activation, parameters)
            out = self._scores[: group.n_nets]
            for scores in choose_kernels(group, rows).scores(group, rows, out):
                with np.errstate(over="ignore", under="ignore"):
                    np.exp(scores, out=scores)
                    sums = np.add.reduce(scores, axis=0)
                if not (scores.min() >= tiny and sums.max() < np.inf):
                    return False
                np.multiply(scores, np.reciprocal(sums), out=scores)
                np.add(total, scores, out=total)
        total /= network.n_nets
        return total.min() >= tiny


def log_mean_probabilities(scores):
    """Return log (sum_g p_g / n_nets) for scores (n_nets, n_classes, n_samples) of nets g.

    As log sum_g exp(l_g - max_g l_g) + max_g l_g - log n_nets, for the log-probabilities l_g.
    """
    for net_scores in scores:
        log_softmax(net_scores)
    largest = np.maximum.reduce(scores, axis=0)
    scores -= largest
    np.exp(scores, out=scores)
    return np.log(scores.mean(axis=0)) + largest


def row_chunks(X, network):
    """Yield slices of the rows of X, and these in the dtype of the parameters."""
    length = chunk_length(network.widths)
    for start in range(0, X.shape[0], length):
        part = slice(start, start + length)
        yield part, X[part].astype(network.parameters.dtype, copy=False)


def predict_hidden_values(X, network):
    """Return the values of each hidden layer for X, (n_nets, n_samples, units), chunk by chunk."""
    shapes = [(network.n_nets, X.shape[0], units) for units in network.widths[1:-1]]
    layers = [np.empty(shape, network.parameters.dtype) for shape in shapes]
    with single_threaded_blas:
        for part, rows in row_chunks(X, network):
            # stops before the scores
            for layer, values in zip(layers, layer_values(network, rows), strict=False):
                layer[:, part] = values.swapaxes(1, 2)
    return layers


def chunk_scores(X, network):
    """Yield slices of the rows of X, and their scores as of `ScoreSpace`."""
    spaces = {}
    for part, rows in row_chunks(X, network):
        n_rows = rows.shape[0]
        if n_rows not in spaces:
            spaces[n_rows] = ScoreSpace(network, n_rows)
        yield part, spaces[n_rows].scores(rows)


@single_threaded_blas
def predict_scores(X, network, transform):
    """Return `transform` of the scores of X, (n_samples, n_classes), chunk by chunk.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        The data; its chunks are cast to the dtype of the parameters.
    network : Network
        The nets.
    transform : callable
        One of the functions above.
    """
    result = np.empty((X.shape[0], network.widths[-1]), network.parameters.dtype)
    for part, scores in chunk_scores(X, network):
        transform(scores)
        result[part] = scores.T
    return result


@single_threaded_blas
def predict_codes(X, network):
    """Return the index of the class of the highest score for each row of X, chunk by chunk."""
    codes = np.empty(X.shape[0], np.intp)
    for part, scores in chunk_scores(X, network):
        scores.argmax(axis=0, out=codes[part])
    return codes
