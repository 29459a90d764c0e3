"""The linear problem in the span of the rows, for X with more columns than rows."""

import numpy as np
from scipy.linalg import lapack

from .rows import slices
from .symmetric import add_gram


class RowSpace:
    """X - mean = Z Q with orthonormal rows of Q, and the problem in Z.

    At the minimum the weights lie in the span of the centered rows, W = V Q. So the problem in Z
    has the same minimum and the same penalty as the problem in X. Z is the pivoted Cholesky factor
    of the Gram matrix (X - mean) (X - mean)^T. If L are the rows of Z at the pivots, Q is L^-1
    times the centered rows at the pivots. The Gram matrix loses singular values of X - mean that
    are below about 1e-7 of the largest. So the minimum in Z is only the start of a descent
    in X.

    Parameters
    ----------
    objective : LinearObjective
        The problem in dense X.

    Attributes
    ----------
    objective : LinearObjective
        The problem in Z, (n_rows, rank).
    """

    def __init__(self, objective):
        self._X, self._columns = objective.rows.X, objective.columns
        n_rows, mean = len(self._X), self._columns.mean
        gram = np.zeros((n_rows, n_rows), order="F")
        for columns, block in self._blocks():
            gram = add_gram(gram, (block - mean[columns]).T)
        tol = n_rows * np.finfo(float).eps * gram.diagonal().max()
        factor, pivots, rank, _ = lapack.dpstrf(gram, lower=1, tol=tol, overwrite_a=1)
        rank = max(rank, 1)
        factor = np.tril(factor)[:, :rank]
        self._pivots, self._L = pivots[:rank] - 1, factor[:rank]
        Z = np.empty((n_rows, rank))
        Z[pivots - 1] = factor
        self.objective = objective.with_rows(Z)

    def _blocks(self):
        """Yield blocks of columns of X, in float64."""
        n_rows, n_features = self._X.shape
        for columns in slices(n_features, max(n_rows, 256)):
            yield columns, self._X[:, columns].astype(float, copy=False)

    def from_full(self, theta):
        """Return theta projected on the span of the rows, V = W Q^T.

        V solves L V^T = (X - mean)_pivots W^T.
        """
        W, b = self._columns.to_coefs(theta)
        shift = W @ self._columns.mean
        scores = sum(block @ W[:, columns].T for columns, block in self._blocks()) - shift
        V = lapack.dtrtrs(self._L, scores[self._pivots], lower=1)[0].T
        return self.objective.columns.from_coefs(V, b + shift)

    def to_full(self, theta):
        """Return theta in the columns of X, with W = V L^-1 (X - mean)_pivots."""
        V, b = self.objective.columns.to_coefs(theta)
        solved, _ = lapack.dtrtrs(self._L, V.T, lower=1, trans=1)
        # zero except at the pivots, because indexing X would copy it
        combination = np.zeros((len(V), len(self._X)))
        combination[:, self._pivots] = solved.T
        mean = self._columns.mean
        W = np.concatenate([combination @ block for _, block in self._blocks()], axis=1)
        W -= np.outer(combination.sum(axis=1), mean)
        return self._columns.from_coefs(W, b - W @ mean)
