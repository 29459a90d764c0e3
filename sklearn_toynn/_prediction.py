"""Scores and probabilities of a fitted net, chunk by chunk."""

import numpy as np

from ._blas import single_threaded_blas
from ._network import Workspace
from ._objective import chunk_length

__all__ = ["keep_scores", "log_softmax", "predict_scores", "softmax"]


def keep_scores(scores):
    """Leave scores (n_nets, n_classes, n_samples) as they are."""


def log_softmax(scores):
    """Turn scores into log-probabilities in place: s_k - max - log sum_j exp(s_j - max)."""
    scores -= scores.max(axis=1, keepdims=True)
    scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))


def softmax(scores):
    """Turn scores into probabilities in place: exp(s_k - max) / sum_j exp(s_j - max)."""
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)


@single_threaded_blas
def predict_scores(network, X, transform):
    """Return `transform` of the scores of a stack of one, (n_samples, n_classes)."""
    dtype = network.parameters.dtype
    result = np.empty((len(X), network.widths[-1]), dtype)
    length = chunk_length(network.widths)
    space = None
    for start in range(0, len(X), length):
        rows = X[start : start + length]
        if space is None or space.n_samples != len(rows):
            space = Workspace(network, len(rows))
        space.inputs = rows.astype(dtype, copy=False)
        scores = network.forward(space)
        transform(scores)
        result[start : start + length] = scores[0].T
    return result
