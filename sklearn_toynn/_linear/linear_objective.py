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

    It is the objective of `_nets.loss.Objective` in the variables of `StandardColumns`. With p_i
    the probabilities at theta, its derivatives are

        gradient_k      = sum_i w_i (p_ik - [k = y_i]) z_i + ridge theta_k
        (H d)_k         = sum_i w_i p_ik (z_i d_k - sum_m p_im z_i d_m) z_i + ridge d_k

    Adding one vector to the theta of all classes changes only the penalty. So theta sums to zero
    over the classes at the minimum, and gradients, models of the Hessian and steps keep it so.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_rows, n_features)
        Only read, chunk by chunk.
    codes, weights : ndarray of shape (n_rows,)
        The classes y, and the w, which sum to 1.
    reg : float
        The penalty on the squared weights of X's own columns.
    n_classes : int
    columns : StandardColumns, default=None
        The change of variables; None stands for the one that suits theta = 0.
    square : ndarray of shape (n_features,), default=None
        An upper bound of sum_i w_i z_ij^2. Required with `columns`.

    Attributes
    ----------
    shape : tuple
        That of theta, (n_classes, n_features + 1).
    ridge : ndarray of shape (n_features + 1,)
        The penalty of each column; 0 for the intercept.
    shares : ndarray of shape (n_classes,)
        The weight of each class.
    work : float
        The time of a call of `value_and_gradient`, in multiply-adds of a large matrix product. A
        core does some 15 of these in a nanosecond. A score's exponential and reductions take 150
        of them. A product with few rows runs at half the speed, a sparse one at a twentieth.
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
        pull = self.ridge * theta
        value += 0.5 * float(np.vdot(pull, theta))
        return value, rows.unfold_scaling(total) + pull

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
        """Return by how much the difference of two scores of a row changes along a direction."""
        folded, largest = self.rows.fold_scaling(direction), 0.0
        for chunk in self.rows.chunks:
            changes = self.rows.scores(folded, self.rows.load(chunk))
            spread = np.maximum.reduce(changes, axis=0) - np.minimum.reduce(changes, axis=0)
            largest = max(largest, float(np.maximum.reduce(spread)))
        return largest

    def rounding(self, theta, loss):
        """Return what rounding may have taken from the objective at theta."""
        # a change of scores by c changes the objective by 2c times the mean of 1 - p_y, at most
        return 4 * ROUNDING * loss + 2 * min(loss, 1.0) * self.columns.rounding(theta)

    def with_columns_at(self, theta):
        """Return the same problem in the variables that suit the curvature at theta."""
        parts = [np.mean(part, axis=0) for _, part in self.curvatures(theta)]
        curvatures = np.concatenate(parts)
        total = curvatures.sum()
        if self.reg == 0 or not total > np.finfo(float).tiny:
            return self  # some columns may have no curvature left
        X, old = self.rows.X, self.columns
        new = StandardColumns.from_rows(X, curvatures, self.reg / total, old.is_constant)
        # an upper bound, whichever mean the old ones are about
        root = np.sqrt(self.square) * old.scale + np.abs(old.mean - new.mean)
        square = (root * new.inv_scale) ** 2
        return LinearObjective(X, self.codes, self.weights, self.reg, self.n_classes, new, square)

    def with_rows(self, X):
        """Return the problem of other rows X, with the same classes and weights."""
        return LinearObjective(X, self.codes, self.weights, self.reg, self.n_classes)

    def on_every(self, step):
        """Return the same problem on every step-th row, or None if these have no weight."""
        part = slice(None, None, step)
        total = self.weights[part].sum()
        if not total > 0:
            return None
        rows = self.rows.X[part], self.codes[part], self.weights[part] / total
        return LinearObjective(*rows, self.reg, self.n_classes, self.columns, self.square)
