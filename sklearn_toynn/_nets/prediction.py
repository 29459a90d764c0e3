"""Scores and probabilities of fitted nets."""

import numpy as np

from .._blas import single_threaded_blas
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
    n_samples, dtype = X.shape[0], network.parameters.dtype
    length = chunk_length(network.widths)
    result = np.empty((n_samples, network.widths[-1]), dtype)
    with single_threaded_blas:
        for start in range(0, n_samples, length):
            rows = X[start : start + length].astype(dtype, copy=False)
            values = choose_kernels(network, rows).scores(network, rows)
            scores = values[0] if network.n_nets == 1 else log_mean_probabilities(values)
            transform(scores)
            result[start : start + length] = scores.T
    return result
