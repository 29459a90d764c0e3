"""Scores and probabilities of fitted nets."""

import numpy as np

from .._blas import single_threaded_blas
from .kernels.dispatch import choose_kernels
from .kernels.numpy_kernels import layer_values
from .samples import chunk_length


def keep_scores(scores):
    """Leave scores (n_classes, n_samples) unchanged."""


def log_softmax(scores):
    """Convert scores to log-probabilities in place: s_k - max - log sum_j exp(s_j - max)."""
    scores -= np.maximum.reduce(scores, axis=0)
    scores -= np.log(np.add.reduce(np.exp(scores), axis=0))


def softmax(scores):
    """Convert scores to probabilities in place: exp(s_k - max) / sum_j exp(s_j - max)."""
    scores -= np.maximum.reduce(scores, axis=0)
    np.exp(scores, out=scores)
    scores /= np.add.reduce(scores, axis=0)


def row_chunks(X, network):
    """Yield slices of the rows of X, and these rows in the dtype of the parameters."""
    length = chunk_length(network.widths)
    for start in range(0, X.shape[0], length):
        part = slice(start, start + length)
        yield part, X[part].astype(network.parameters.dtype, copy=False)


@single_threaded_blas
def predict_hidden_values(X, network):
    """Return the values of each hidden layer for X, (n_samples, units)."""
    layers = [
        np.empty((X.shape[0], units), network.parameters.dtype) for units in network.widths[1:-1]
    ]
    for part, rows in row_chunks(X, network):
        # stops before the scores
        for layer, values in zip(layers, layer_values(network, rows), strict=False):
            layer[part] = values.T
    return layers


def chunk_scores(X, networks):
    """Yield slices of the rows of X, and their scores, (n_classes, n_samples).

    The scores of several nets are the logarithms of their mean probabilities. The next chunk
    overwrites the array, because an allocation for each chunk would take longer than the products.
    """
    scores = total = np.empty((0, 0))
    for part, rows in row_chunks(X, networks[0]):
        if rows.shape[0] != scores.shape[1]:
            shape, dtype = (networks[0].widths[-1], rows.shape[0]), networks[0].parameters.dtype
            scores, total = np.empty(shape, dtype), np.empty(shape, dtype)
            kernels = choose_kernels(networks[0], rows)
            scorers = [kernels.make_scorer(network, rows) for network in networks]
        if len(networks) == 1:
            yield part, scorers[0](rows, scores)
            continue
        total.fill(0)
        for scorer in scorers:
            probabilities = scorer(rows, scores)
            softmax(probabilities)
            total += probabilities
        if total.min() >= np.finfo(total.dtype).tiny:
            np.log(total, out=total)
        else:  # a probability has underflowed
            total.fill(-np.inf)
            for scorer in scorers:
                log_probabilities = scorer(rows, scores)
                log_softmax(log_probabilities)
                np.logaddexp(total, log_probabilities, out=total)
        total -= np.log(len(networks), dtype=total.dtype)
        yield part, total


@single_threaded_blas
def predict_scores(X, networks, transform):
    """Return the scores of X, (n_samples, n_classes), transformed by a function above."""
    result = np.empty((X.shape[0], networks[0].widths[-1]), networks[0].parameters.dtype)
    for part, scores in chunk_scores(X, networks):
        transform(scores)
        result[part] = scores.T
    return result


@single_threaded_blas
def predict_codes(X, networks):
    """Return the index of the class with the highest score for each row of X."""
    codes = np.empty(X.shape[0], np.intp)
    for part, scores in chunk_scores(X, networks):
        scores.argmax(axis=0, out=codes[part])
    return codes
