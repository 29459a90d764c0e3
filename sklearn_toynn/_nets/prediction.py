"""Scores and probabilities of fitted nets."""

import numpy as np

from .._blas import single_threaded_blas
from .kernels.numpy_kernels import layer_values
from .kernels.selection import choose_kernels
from .samples import chunk_length


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


def predict_scores(X, network, transform):
    """Return `transform` of the scores of X, (n_samples, n_classes), chunk by chunk.

    The scores of several nets are the logarithms of their mean probabilities.

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
    with single_threaded_blas:
        for part, rows in row_chunks(X, network):
            values = choose_kernels(network, rows).scores(network, rows)
            scores = values[0] if network.n_nets == 1 else log_mean_probabilities(values)
            transform(scores)
            result[part] = scores.T
    return result
