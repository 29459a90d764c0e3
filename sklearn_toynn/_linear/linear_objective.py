"""The objective of softmax regression in standardized columns, for the linear solvers."""

import numpy as np
import scipy.sparse as sp

from .._cached_property import cached_property
from .line_search import ROUNDING
from .linear_kernels import kernels
from .rows import make_rows
from .standard_columns import StandardColumns

#: The probabilities of all rows are cached, for products with the Hessian, where they are no more
#: than so many entries for each of X; where X is cast to float64, its chunks take that room.
MAX_CACHED_PROBABILITIES = 0.25


class LinearObjective:
    """L(theta) = sum_i w_i CE(y_i, softmax(theta z_i)) + sum_kj ridge_j theta_kj^2 / 2.

    That is the objective of `_nets.loss.Objective` in the variables of `StandardColumns`.
    But for the penalty it does not change when all classes' theta are moved alike, so at the
    minimum theta sums to zero over the classes; gradients, models of the Hessian and steps keep
    it so.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_rows, n_features)
        Only read, by chunks.
    codes : ndarray of shape (n_rows,)
        The classes y.
    weights : ndarray of shape (n_rows,)
        The w, which sum to 1.
    reg : float
        The penalty on the squared weights of X's own columns.
    n_classes : int
        K.
    columns : StandardColumns, default=None
        The change of variables; that which suits theta = 0 if None.

    Attributes
    ----------
    square : ndarray of shape (n_features,)
        sum_i w_i z_ij^2 over all rows.
    n_evaluations : int
        How often `value_and_gradient` has been called, or a product with the Hessian taken.
    work : float
        The time of a call, in multiply-adds of a large matrix product (some 15 a ns): a score's
        exponential and reductions take 150 of them, a product with few rows runs at half the
        speed, a sparse one at a twentieth.
    """

    def __init__(self, X, codes, weights, reg, n_classes, columns=None, square=None):
        self.codes = codes
        self.weights = weights
        self.reg = reg
        self.n_rows, self.n_features = X.shape
        self.n_classes = n_classes
        self.shape = n_classes, self.n_features + 1
        self.is_sparse = sp.issparse(X)
        if columns is None:
            columns = StandardColumns.from_rows(X, weights, reg * n_classes**2 / (n_classes - 1))
            square = (columns.std * columns.inv_scale) ** 2
        self.columns, self.square = columns, square
        self.ridge = self.columns.ridge(reg)
        self.rows = make_rows(X, self.columns, n_classes)
        self.chunks = self.rows.chunks
        self._scores = np.empty(n_classes * self.rows.length)
        self.n_evaluations = 0
        size = X.nnz if self.is_sparse else X.size
        # theta and probabilities of the last evaluation
        self._cached_theta = self._cached_probabilities = None
        is_small = X.dtype == float and self.n_rows * n_classes <= MAX_CACHED_PROBABILITIES * size
        if is_small or len(self.chunks) == 1:
            self._cached_probabilities = [
                np.empty((n_classes, chunk.stop - chunk.start)) for chunk in self.chunks
            ]
        per_feature = 40.0 * X.nnz / (self.n_rows * self.n_features) if self.is_sparse else 4.0
        passes = self.n_rows * n_classes * (per_feature * self.n_features + 150.0)
        self.work = passes + 3e5 * len(self.chunks) + 6e5

    def _buffer(self, chunk):
        length = chunk.stop - chunk.start
        return self._scores[: self.n_classes * length].reshape(self.n_classes, length)

    def value_and_gradient(self, theta):
        """Return L and its gradient, (n_classes, n_features + 1); one pass over X."""
        self.n_evaluations += 1
        rows, encoded = self.rows, self.rows.encode(theta)
        value, gradient = 0.0, np.zeros(self.shape)
        self._cached_theta = theta
        for i, chunk in enumerate(self.chunks):
            scores = self._buffer(chunk)
            rows.scores(chunk, encoded, scores)
            P = self._cached_probabilities[i] if self.caches_probabilities else None
            codes = np.ascontiguousarray(self.codes[chunk])  # every few rows' are not
            value += kernels.cross_entropy(scores, codes, self.weights[chunk], P)
            rows.pull_back(chunk, scores, gradient)
        gradient = rows.decode(gradient)
        pull = self.ridge * theta
        return value + 0.5 * float(np.vdot(pull, theta)), pull + gradient

    def newton_steps(self, theta, gradient, loss, factor, max_steps, relative, absolute):
        """Take steps from theta as `LinearKernels.newton_steps` does.

        Returns
        -------
        losses : list of float
            Those before each step.
        point : tuple of theta, loss and gradient
            The last.
        has_factor : bool
            Whether `factor` has become that of the last point.
        """
        theta, gradient, losses = theta.copy(), gradient.copy(), np.empty(max_steps)
        n_steps, loss, is_current, has_factor = kernels.newton_steps(
            self.rows.Z,
            np.ascontiguousarray(self.codes),
            self.weights,
            self.ridge,
            theta,
            gradient,
            loss,
            factor,
            self._cached_probabilities[0],
            losses,
            relative,
            absolute,
        )
        self.n_evaluations += n_steps
        self._cached_theta = theta if is_current else None
        return losses[:n_steps].tolist(), (theta, loss, gradient), has_factor

    @property
    def caches_probabilities(self):
        """Whether those of the last evaluation are at hand, until the next."""
        return self._cached_probabilities is not None

    def probabilities(self, theta):
        """Yield each chunk with its probabilities, (n_classes, length), not to be changed."""
        if self.caches_probabilities and self._cached_theta is theta:
            yield from zip(self.chunks, self._cached_probabilities, strict=True)
            return
        encoded, self._cached_theta = self.rows.encode(theta), theta
        for i, chunk in enumerate(self.chunks):
            has_cache = self.caches_probabilities
            P = self._cached_probabilities[i] if has_cache else self._buffer(chunk)
            self.rows.scores(chunk, encoded, P)
            kernels.softmax(P)
            yield chunk, P

    def probabilities_and_changes(self, theta, direction):
        """Yield each chunk with probabilities at theta and changes of scores along a direction.

        A product with twice as many rows takes little longer than with few.
        """
        n_classes, both = self.n_classes, np.empty(2 * self._scores.size)
        encoded = self.rows.encode(np.concatenate([theta, direction]))
        for chunk in self.chunks:
            scores = both[: 2 * n_classes * (chunk.stop - chunk.start)]
            scores = scores.reshape(2 * n_classes, -1)
            self.rows.scores(chunk, encoded, scores)
            kernels.softmax(scores[:n_classes])
            yield chunk, scores[:n_classes], scores[n_classes:]

    def largest_change(self, direction):
        """Return by how much the difference of two scores of a row changes along a direction."""
        encoded, largest = self.rows.encode(direction), 0.0
        for chunk in self.chunks:
            changes = self._buffer(chunk)
            self.rows.scores(chunk, encoded, changes)
            spread = np.maximum.reduce(changes, axis=0) - np.minimum.reduce(changes, axis=0)
            largest = max(largest, float(spread.max()))
        return largest

    def curvatures(self, theta):
        """Yield each chunk with w_i p_ik (1 - p_ik), (n_classes, length)."""
        for chunk, P in self.probabilities(theta):
            spread = 1 - P
            spread *= P
            spread *= self.weights[chunk]
            yield chunk, spread

    @cached_property
    def shares(self):
        """The weight of each class, (n_classes,)."""
        return np.bincount(self.codes, self.weights, minlength=self.n_classes)

    @cached_property
    def _inverse_ridge(self):
        return 1 / self.ridge[:-1]

    def duality_gap(self, theta, gradient):
        """Return an upper bound of L(theta) - min L, by the gradient there; infinite if reg = 0.

        Any probabilities q_i with sum_i w_i (q_i - onehot(y_i)) = 0 give a lower bound of the
        objective, the dual one: sum_i w_i H(q_i) - |G|^2 / 2 for the entropy H, with
        G = sum_i w_i (q_i - onehot(y_i)) z_i and |G|^2 = sum_kj G_kj^2 / ridge_j. For the
        probabilities p at theta, G is the gradient g by the weights W less the penalty's, and
        L lies above that bound by |g|^2 / 2, if the gradient r by the intercepts b is zero.
        (That is the gap of Blondel, Martins and Niculae 2020, "Learning with Fenchel-Young
        losses", JMLR 21(35), proposition 5.)

        It is not quite zero, and q = (1 - s) p + s c takes the place of p, with one row c for
        all, c = shares - r (1 - s) / s, and s = max_k |r_k| / shares_k. As H is concave,
        sum w H(q) >= (1 - s) sum w H(p), so that the gap is at most

            s log K + b r + |g + s D|^2 / 2 - s <W, D>,  D = ridge W - g - S,

        where S_kj = sum_i w_i onehot(y_i)_k z_ij <= (shares_k v_j)^(1/2), v_j = sum_i w_i z_ij^2.
        """
        if not self.reg > 0:
            return np.inf
        r, b = gradient[:, -1], theta[:, -1]
        is_empty = self.shares == 0  # its best probability, 0, takes r_k from the objective
        s = float(np.max(np.abs(r) / np.where(is_empty, np.inf, self.shares)))
        if not s < 1:
            return np.inf
        W, g, inverse = theta[:, :-1], gradient[:, :-1], self._inverse_ridge
        length = np.sqrt(np.vdot(g, g * inverse))
        penalty = np.vdot(W, W * self.ridge[:-1])
        farthest = length + np.sqrt(penalty) + np.sqrt(self.square @ inverse)
        product = abs(np.vdot(W, g)) + np.sqrt(self.shares) @ np.abs(W) @ np.sqrt(self.square)
        # r by its size, as within rounding its signs say nothing
        gap = s * (np.log(self.n_classes) + product) + abs(b @ r)
        gap += 0.5 * (length + s * farthest) ** 2
        return float(gap + r[is_empty].sum())

    def rounding(self, theta, loss):
        """Return what rounding may have taken from an objective."""
        # a change of scores by c changes the objective by 2c times the mean of 1 - p_y, at most
        return 4 * ROUNDING * loss + 2 * min(loss, 1.0) * self.columns.rounding(theta)

    def with_columns_at(self, theta):
        """Return the same problem in the variables that suit the curvature at theta."""
        curvatures = np.empty(self.n_rows)
        for chunk, spread in self.curvatures(theta):
            np.mean(spread, axis=0, out=curvatures[chunk])
        total = curvatures.sum()
        if self.reg == 0 or not total > np.finfo(float).tiny:
            return self  # some columns may have no curvature left
        old, floor = self.columns, self.reg / total
        new = StandardColumns.from_rows(self.rows.X, curvatures, floor, old.is_constant)
        # an upper bound, whichever mean the old ones are about
        square = self.square * (old.scale * new.inv_scale) ** 2
        square = (np.sqrt(square) + np.abs(old.mean - new.mean) * new.inv_scale) ** 2
        return LinearObjective(
            self.rows.X, self.codes, self.weights, self.reg, self.n_classes, new, square
        )

    def with_rows(self, X):
        """Return the problem of other rows X, with the same classes and weights."""
        return LinearObjective(X, self.codes, self.weights, self.reg, self.n_classes)

    def on_every(self, step):
        """Return the same problem on every step-th row, or None where those have no weight."""
        weights = self.weights[::step]
        total = weights.sum()
        if not total > 0:
            return None
        X, codes = self.rows.X[::step], self.codes[::step]
        return LinearObjective(
            X, codes, weights / total, self.reg, self.n_classes, self.columns, self.square
        )
