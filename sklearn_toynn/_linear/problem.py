"""From samples to the convex objective of the linear model, and back."""

import numpy as np
import scipy.sparse as sp

from .hessian_models import MAX_MODEL_ENTRIES
from .linear_objective import LinearObjective
from .row_space import RowSpace
from .rows import DENSE_CHUNK_ELEMENTS


def rows_in_use(samples):
    """Return X, codes and float64 weights, which sum to 1, of the rows in use.

    Few rows are copied. Where they are many, all stay, with a weight of 0 for the others.
    """
    X, codes, weights, rows = samples.X, samples.codes, samples.weights, samples.rows
    scale = samples.weight_scale / samples.n_samples
    if rows is None:
        return X, codes, np.multiply(weights, scale, dtype=float)
    if len(rows) * X.shape[1] <= DENSE_CHUNK_ELEMENTS:
        return X[rows], codes[rows], np.multiply(weights[rows], scale, dtype=float)
    used = np.zeros(len(weights))
    used[rows] = weights[rows]
    used *= scale
    return X, codes, used


class LinearProblem:
    """Samples as a `LinearObjective`, and the way between its variables and W, b.

    Parameters
    ----------
    samples : Samples
        The data.
    reg : float
        The penalty on W.
    n_classes : int
        The number of classes.
    """

    def __init__(self, samples, reg, n_classes):
        self.X, codes, weights = rows_in_use(samples)
        self.objective = LinearObjective(self.X, codes, weights, reg, n_classes)

    def load(self, W, b):
        """Return the theta of W (n_classes, n_features) and b (n_classes,)."""
        return self.objective.columns.from_coefs(W.astype(float), b.astype(float))

    def store(self, theta, W, b):
        """Write W and b; the mean of b, which is free, becomes zero."""
        columns = self.objective.columns
        np.multiply(theta[:, :-1], columns.inv_scale, out=W, casting="same_kind")
        # of the weights as they were rounded, so that columns far from zero shift no score
        centred = theta[:, -1] - W.astype(float, copy=False) @ columns.mean
        b[...] = centred - np.add.reduce(centred) / len(b)

    def change_variables(self, theta):
        """Take variables that suit the curvature at theta, and return theta in them."""
        coefs = self.objective.columns.to_coefs(theta)
        self.objective = self.objective.with_columns_at(theta)
        return self.objective.columns.from_coefs(*coefs)

    @property
    def is_wide(self):
        """Whether the span of the rows is smaller than that of the columns, and fits."""
        n_rows, n_features = self.X.shape
        return not sp.issparse(self.X) and n_rows < n_features and n_rows**2 <= MAX_MODEL_ENTRIES

    def in_row_space(self):
        """Return the problem in the span of the rows."""
        return ProblemInRowSpace(self.objective)


class ProblemInRowSpace:
    """A `LinearObjective` as one of fewer columns, and the way back."""

    def __init__(self, objective):
        self._columns = objective.columns
        self._space = RowSpace(objective.rows.X, objective.columns.mean)
        self.objective = objective.with_rows(self._space.Z)

    def to_full(self, theta):
        """Return theta in the columns of X."""
        V, b = self.objective.columns.to_coefs(theta)
        W = self._space.to_weights(V)
        return self._columns.from_coefs(W, b - W @ self._columns.mean)

    def from_full(self, theta):
        """Return the part of theta in the span of the rows."""
        W, b = self._columns.to_coefs(theta)
        V = self._space.from_weights(W)
        return self.objective.columns.from_coefs(V, b + W @ self._columns.mean)
