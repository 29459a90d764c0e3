"""The objective of softmax regression in standardized columns, and its derivatives."""

import numpy as np
import scipy.sparse as sp

from .._nets.prediction import softmax
from .line_search import ROUNDING
from .linear_kernels import cross_entropy
from .rows import make_rows
from .standard_columns import StandardColumns


class LinearObjective:
    """L(theta) = sum_i w_i CE(y_i, softmax(theta z_i)) + sum_kj ridge_j theta_kj^2 / 2.

    This is the objective of `_nets.loss.Objective` in the variables of `StandardColumns`. If p_i
    are the probabilities at theta, its derivatives are

        gradient_k      = sum_i w_i (p_ik - [k = y_i]) z_i + ridge theta_k
        (H d)_k         = sum_i w_i p_ik (z_i d_k - sum_m p_im z_i d_m) z_i + ridge d_k

    Adding one vector to the theta of all classes changes only the penalty. So theta sums to 0 over
    the classes at the minimum. Gradients and steps also sum to 0.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_rows, n_features)
        Only read, chunk by chunk.
    codes, weights : ndarray of shape (n_rows,)
        The classes y, and the w, which sum to 1.
    reg : float
        The penalty on the squared weights of the columns of X.
    n_classes : int
    columns : StandardColumns, default=None
        The change of variables. None means the one for the curvature at theta = 0.
    square : ndarray of shape (n_features,), default=None
        An upper bound of sum_i w_i z_ij^2. Required with `columns`.

    Attributes
    ----------
    shape : tuple
        The shape of theta, (n_classes, n_features + 1).
    ridge : ndarray of shape (n_features + 1,)
        The penalty of each column; 0 for the intercept.
    shares : ndarray of shape (n_classes,)
        The weight of each class.
    work : float
        The estimated time of `value_and_gradient`, in multiply-adds of a large matrix product. A
        core does about 15 of them per nanosecond. The exponential and the reductions of a score
        take as long as 150. Products with few rows run at half the speed, sparse products at a
        twentieth.
    """

    def __init__(self, X, codes, weights, reg, n_classes, columns=None, square=None):
        self.codes, self.weights = np.ascontiguousarray(codes), weights
        self.reg, self.n_classes = reg, n_classes
        self.n_rows, n_features = X.shape
        self.shape = n_classes, n_features + 1
        self.is_sparse = sp.issparse(X)
        if columns is None:
            columns = StandardColumns.from_rows(X, weights, reg * n_classes**2 / (n_classes - 1))
            square = (columns.std * columns.inv_scale) ** 2
        self.columns, self.square = columns, square
        self.ridge = columns.ridge(reg)
        self.rows = make_rows(X, columns, n_classes)
        self.shares = np.bincount(codes, weights, minlength=n_classes)
        per_row = 40.0 * X.nnz / self.n_rows if self.is_sparse else 4.0 * n_features
        passes = self.n_rows * n_classes * (per_row + 150.0)
        self.work = passes + 3e5 * len(self.rows.chunks) + 6e5

    def value_and_gradient(self, theta):
        """Return L and its gradient, of the shape of theta."""
        rows, folded = self.rows, self.rows.fold_scaling(theta)
        value, total = 0.0, np.zeros(self.shape)
        for chunk in rows.chunks:
            x = rows.load(chunk)
            scores = rows.scores(folded, x)
            value += cross_entropy(scores, self.codes[chunk], self.weights[chunk])
            rows.add_rmatmul(scores, x, total)
        penalty_gradient = self.ridge * theta
        value += 0.5 * float(np.vdot(penalty_gradient, theta))
        return value, rows.unfold_scaling(total) + penalty_gradient

    def probabilities(self, theta):
        """Yield each chunk with its probabilities, (n_classes, n_rows)."""
        folded = self.rows.fold_scaling(theta)
        for chunk in self.rows.chunks:
            P = self.rows.scores(folded, self.rows.load(chunk))
            softmax(P)
            yield chunk, P

    def curvatures(self, theta):
        """Yield each chunk with w_i p_ik (1 - p_ik), (n_classes, n_rows)."""
        for chunk, P in self.probabilities(theta):
            yield chunk, P * (1 - P) * self.weights[chunk]

    def largest_change(self, direction):
        """Return the largest change of the difference of two scores of a row by a direction."""
        folded, largest = self.rows.fold_scaling(direction), 0.0
        for chunk in self.rows.chunks:
            changes = self.rows.scores(folded, self.rows.load(chunk))
            spread = np.maximum.reduce(changes, axis=0) - np.minimum.reduce(changes, axis=0)
            largest = max(largest, float(np.maximum.reduce(spread)))
        return largest

    def rounding(self, theta, loss):
        """Return a bound of the rounding error of the objective at theta."""
        # changes of scores by c change the objective by at most 2c times the mean of 1 - p_y
        return 4 * ROUNDING * loss + 2 * min(loss, 1.0) * self.columns.rounding(theta)

    def with_columns_at(self, theta):
        """Return the same problem in the variables for the curvature at theta."""
        parts = [np.mean(part, axis=0) for _, part in self.curvatures(theta)]
        curvatures = np.concatenate(parts)
        total = curvatures.sum()
        if self.reg == 0 or not total > np.finfo(float).tiny:
            return self  # some columns may have no curvature left
        X, old = self.rows.X, self.columns
        new = StandardColumns.from_rows(X, curvatures, self.reg / total, old.is_constant)
        # an upper bound for any old mean
        root = np.sqrt(self.square) * old.scale + np.abs(old.mean - new.mean)
        square = (root * new.inv_scale) ** 2
        return LinearObjective(X, self.codes, self.weights, self.reg, self.n_classes, new, square)

    def with_rows(self, X):
        """Return the problem with other rows X and the same classes and weights."""
        return LinearObjective(X, self.codes, self.weights, self.reg, self.n_classes)

    def on_every(self, step):
        """Return the problem on every step-th row, or None if these rows have weight 0."""
        part = slice(None, None, step)
        total = self.weights[part].sum()
        if not total > 0:
            return None
        rows = self.rows.X[part], self.codes[part], self.weights[part] / total
        return LinearObjective(*rows, self.reg, self.n_classes, self.columns, self.square)
