"""Scores and probabilities of fitted nets."""

import numpy as np
from scipy import sparse

from ._blas import single_threaded_blas
from ._objective import chunk_length

__all__ = ["keep_scores", "log_softmax", "predict_scores", "softmax"]


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


def predict_scores(X, coefs, intercepts, activation, transform):
    """Return `transform` of the scores of X, (n_samples, n_classes), chunk by chunk.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        The data; its chunks are cast to the dtype of the parameters.
    coefs, intercepts : lists of ndarray of shape (fan_in, fan_out) and (fan_out,)
        The weights and biases of each layer.
    activation : Activation
        Of the hidden layers.
    transform : callable
        One of the functions above.
    """
    n_samples, dtype = X.shape[0], intercepts[-1].dtype
    length = chunk_length([len(coefs[0]), *map(len, intercepts)])
    columns = [intercept[:, None] for intercept in intercepts]
    result = np.empty((n_samples, len(columns[-1])), dtype)
    with single_threaded_blas:
        for start in range(0, n_samples, length):
            rows = X[start : start + length].astype(dtype, copy=False)
            values = (rows @ coefs[0]).T if sparse.issparse(X) else coefs[0].T @ rows.T
            values += columns[0]
            for coef, intercept in zip(coefs[1:], columns[1:], strict=True):
                activation.forward(values, np.zeros_like(values))
                values = coef.T @ values
                values += intercept
            transform(values)
            result[start : start + length] = values.T
    return result
