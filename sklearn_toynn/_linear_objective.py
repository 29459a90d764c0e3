"""The objective of softmax regression in standardised columns, for the linear solvers."""

import numpy as np
import scipy.sparse as sp

from ._linear_rows import StandardColumns, make_rows

__all__ = ["LinearObjective"]


class LinearObjective:
    """L(theta) = sum_i w_i CE(y_i, softmax(theta z_i)) + sum_kj ridge_j theta_kj^2 / 2.

    That is the objective of `_objective.Objective` in the variables of `StandardColumns`. But for
    the penalty it does not change when all classes' theta are moved alike, so at the minimum
    theta sums to zero over the classes; gradients, models of the Hessian and steps keep it so.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_rows, n_features)
        Only read, by chunks.
    codes : ndarray of shape (n_rows,)
        The classes y.
    weights : ndarray of shape (n_rows,)
        The w, which sum to 1, in the dtype of X.
    reg : float
        The penalty on the squared weights of X's own columns.
    n_classes : int
        K.
    columns : StandardColumns, default=None
        The change of variables; measured on these rows if None.

    Attributes
    ----------
    n_evaluations : int
        How often `value_and_gradient` has been called.
    work : float
        The time of a call, in multiply-adds of a large matrix product (some 15 a ns): a score's
        exponential and reductions take 150 of them, a product with few rows runs at half the
        speed, a sparse one at a twentieth.
    """

    def __init__(self, X, codes, weights, reg, n_classes, columns=None):
        self.codes = codes
        self.weights = weights
        self.reg = reg
        self.n_rows, self.n_features = X.shape
        self.n_classes = n_classes
        self.shape = n_classes, self.n_features + 1
        self.dtype = X.dtype
        self.is_sparse = sp.issparse(X)
        self.columns = StandardColumns.of(X, weights) if columns is None else columns
        self.ridge = self.columns.ridge(reg)
        self.rows = make_rows(X, self.columns, n_classes)
        self.chunks = self.rows.chunks
        self._scores = np.empty(n_classes * self.rows.length, X.dtype)
        self._labels = np.empty(self.rows.length, np.intp)
        self._places = np.arange(self.rows.length)
        self._last = None, None  # what was evaluated last, and the probabilities there
        self.n_evaluations = 0
        size = self.n_rows * self.n_features
        per_feature = 40.0 * X.nnz / size if self.is_sparse else 4.0
        passes = self.n_rows * n_classes * (per_feature * self.n_features + 150.0)
        self.work = passes + 3e5 * len(self.chunks) + 6e5

    def _buffer(self, chunk):
        length = chunk.stop - chunk.start
        return self._scores[: self.n_classes * length].reshape(self.n_classes, length)

    def _locate_labels(self, chunk):
        """Return where the score of each row's own class stands in the chunk's flat scores."""
        length = chunk.stop - chunk.start
        labels = np.multiply(self.codes[chunk], length, out=self._labels[:length])
        labels += self._places[:length]
        return labels

    def value_and_gradient(self, theta):
        """Return L and its gradient, (n_classes, n_features + 1); one pass over X."""
        self.n_evaluations += 1
        rows, encoded = self.rows, self.rows.encode(theta)
        value, gradient = 0.0, np.zeros(self.shape, float if len(self.chunks) > 1 else self.dtype)
        for chunk in self.chunks:
            scores, labels, weights = self._buffer(chunk), self._locate_labels(chunk), self.weights
            weights = weights[chunk]
            rows.scores(chunk, encoded, scores)
            scores -= np.maximum.reduce(scores, axis=0)
            flat = scores.reshape(-1)
            own = flat[labels]
            np.exp(scores, out=scores)
            totals = np.add.reduce(scores, axis=0)
            # CE = log(sum_k exp(s_k - max)) - (s_y - max), its derivative p - onehot(y)
            value += float(weights @ (np.log(totals) - own))
            scores /= totals
            if len(self.chunks) == 1:
                self._last = theta, scores.copy()
            scores *= weights
            flat[labels] -= weights
            rows.pull_back(chunk, scores, gradient)
        gradient = rows.decode(gradient)
        pull = self.ridge * theta
        return value + 0.5 * float(np.vdot(pull, theta)), pull + gradient

    def probabilities(self, theta):
        """Yield each chunk with its probabilities, (n_classes, length), which may be changed."""
        last_theta, P = self._last
        if last_theta is theta:
            self._last = None, None
            yield self.chunks[0], P
            return
        encoded = self.rows.encode(theta)
        for chunk in self.chunks:
            P = self._buffer(chunk)
            self.rows.scores(chunk, encoded, P)
            P -= np.maximum.reduce(P, axis=0)
            np.exp(P, out=P)
            P /= np.add.reduce(P, axis=0)
            yield chunk, P

    def curvatures(self, theta):
        """Yield each chunk with w_i p_ik (1 - p_ik), (n_classes, length)."""
        for chunk, P in self.probabilities(theta):
            spread = 1 - P
            spread *= P
            spread *= self.weights[chunk]
            yield chunk, spread

    def on_every(self, step):
        """Return the same problem on every step-th row, or None where those have no weight."""
        weights = self.weights[::step]
        total = weights.sum()
        if not total > 0:
            return None
        X, codes = self.rows.X[::step], self.codes[::step]
        return LinearObjective(X, codes, weights / total, self.reg, self.n_classes, self.columns)
