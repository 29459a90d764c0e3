"""The span of the rows, where X has more columns than rows."""

import numpy as np
from scipy.linalg import lapack

from .rows import slices
from .symmetric import add_gram


class RowSpace:
    """X - mean = Z Q with orthonormal rows of Q, for X with more columns than rows.

    At the minimum the weights lie in the span of the centred rows, W = V Q, and then the problem
    in Z, penalty and all, is the problem in X. By the pivoted Cholesky factor of
    (X - mean) (X - mean)^T = Z Z^T: with L the rows of Z at the pivots, Q = L^-1 times the
    centred rows at the pivots. The square hides what is below the root of the rounding of the
    largest row, so that the minimum in Z is where the search in X begins, no more.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Only read, by blocks of columns.
    mean : ndarray of shape (n_features,)
        Of the columns.

    Attributes
    ----------
    Z : ndarray of shape (n_rows, rank)
        The rows in the basis Q.
    """

    def __init__(self, X, mean):
        n_rows = len(X)
        self._X, self._mean = X, mean
        gram = np.zeros((n_rows, n_rows), order="F")
        for columns, block in self._blocks():
            gram = add_gram(gram, (block - mean[columns]).T)
        tol = n_rows * np.finfo(float).eps * gram.diagonal().max()
        factor, pivots, rank, _ = lapack.dpstrf(gram, lower=1, tol=tol)
        rank = max(rank, 1)
        factor = np.tril(factor)[:, :rank]
        self._pivots = pivots[:rank] - 1
        self._L = factor[:rank]
        self.Z = np.empty((n_rows, rank))
        self.Z[pivots - 1] = factor

    def _blocks(self):
        """Yield blocks of columns of X, in float64."""
        n_rows, n_features = self._X.shape
        for columns in slices(n_features, max(n_rows, 256)):
            yield columns, self._X[:, columns].astype(float, copy=False)

    def from_weights(self, W):
        """Return V = W Q^T, by the solution of L V^T = (X - mean)_pivots W^T."""
        scores = sum(block @ W[:, columns].T for columns, block in self._blocks())
        scores -= self._mean @ W.T
        return lapack.dtrtrs(self._L, scores[self._pivots], lower=1)[0].T

    def to_weights(self, V):
        """Return W = V L^-1 (X - mean)_pivots."""
        solved, _ = lapack.dtrtrs(self._L, V.T, lower=1, trans=1)
        # zero beyond the pivots: to index X would copy it
        combination = np.zeros((len(V), len(self._X)))
        combination[:, self._pivots] = solved.T
        W = np.concatenate([combination @ block for _, block in self._blocks()], axis=1)
        W -= np.outer(combination.sum(axis=1), self._mean)
        return W
