"""From a stack of one linear net to its convex objective, and back."""

import numpy as np
import scipy.sparse as sp

from .hessian_models import MAX_MODEL_ENTRIES
from .objective import LinearObjective
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
    """A stack of one linear net as a `LinearObjective`, and the way back to its parameters.

    Parameters
    ----------
    objective : Objective
        Of the stack.
    """

    def __init__(self, objective):
        self.X, codes, weights = rows_in_use(objective.samples)
        reg, n_classes = float(objective.reg[0, 0]), objective.network.widths[-1]
        self.objective = LinearObjective(self.X, codes, weights, reg, n_classes)

    def load(self, network):
        """Return the theta of a network's parameters."""
        W, b = network.weights[0][0], network.biases[0][0, :, 0]
        return self.objective.columns.from_coefs(W.astype(float), b.astype(float))

    def store(self, theta, network):
        """Set a network's parameters; the mean of the intercepts, which is free, to zero."""
        columns, W = self.objective.columns, network.weights[0][0]
        np.multiply(theta[:, :-1], columns.inv_scale, out=W, casting="same_kind")
        # of the weights as they were rounded, so that columns far from zero shift no score
        b = theta[:, -1] - W.astype(float, copy=False) @ columns.mean
        network.biases[0][0, :, 0] = b - np.add.reduce(b) / len(b)

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
