"""The problem in the span of the rows, for X with more columns than rows."""

import numpy as np
from scipy.linalg import lapack

from .rows import slices
from .symmetric import add_gram


class RowSpace:
    """X - mean = Z Q, with orthonormal rows of Q, and the problem in Z.

    At the minimum the weights lie in the span of the centred rows, W = V Q. So the problem in Z
    is the problem in X, with the same penalty. With the pivoted Cholesky factor of
    (X - mean) (X - mean)^T = Z Z^T, and L the rows of Z at the pivots, Q is L^-1 times the centred
    rows at the pivots. The square hides what is below the root of the rounding of the largest
    row. So the minimum in Z is only a start in X.

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
        """Return the part of theta in the span of the rows, V = W Q^T.

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
        # zero beyond the pivots, as indexing X would copy it
        combination = np.zeros((len(V), len(self._X)))
        combination[:, self._pivots] = solved.T
        mean = self._columns.mean
        W = np.concatenate([combination @ block for _, block in self._blocks()], axis=1)
        W -= np.outer(combination.sum(axis=1), mean)
        return self._columns.from_coefs(W, b - W @ mean)
