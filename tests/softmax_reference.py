"""The minimum of softmax regression, slowly, with a proof; it shares no code with the package.

All that decides is in long double (on x86, 64 bits of mantissa); float64 only finds the steps.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from hard_columns import Problem
from scipy.linalg import cho_solve, lapack

__all__ = ["Minimum", "draw_labels", "excess", "find_minimum", "relative_excess"]

LONG = np.longdouble
#: The relative gap that is sought; what is proven may be less.
TARGET = 1e-14
MAX_ITER = 300


@dataclass(frozen=True)
class Minimum:
    """The objective at the best parameters, and what proves it."""

    value: float
    #: value - (minimum of the objective) is at most this times value.
    gap: float
    #: The parameters (n_classes, n_features) and (n_classes,), the latter for X - centre.
    coef: np.ndarray
    intercept: np.ndarray
    centre: np.ndarray
    n_iter: int


class Data:
    """Rows of positive weight with columns centred exactly enough: the objective is the same."""

    def __init__(self, problem):
        X, y, weights = problem.dense.astype(LONG), problem.y, problem.sample_weight
        weights = np.ones(len(y)) if weights is None else weights
        used = weights > 0
        X, self.y = X[used], y[used]
        w = weights[used].astype(LONG)
        self.w = w / w.sum()
        self.reg = LONG(problem.reg)
        self.n_classes = problem.n_classes
        first = X[0]  # less this, constant columns are 0 without rounding
        self.centre = self.w @ (X - first)
        self.X = X - first - self.centre
        self.centre += first
        self.own = np.arange(len(self.y)), self.y

    def scores(self, coef, intercept):
        return self.X @ coef.T + intercept

    def cross_entropy(self, scores):
        """Return sum_i w_i log(1 + sum_{k != y} exp(s_k - s_y)), small values to full digits."""
        scores = scores - scores[self.own][:, None]
        top = np.maximum(scores.max(axis=1), 0)
        scores -= top[:, None]
        scores[self.own] = -np.inf
        rest = np.exp(scores).sum(axis=1)
        return self.w @ np.where(
            top > 0, top + np.log(np.exp(-top) + rest), np.log1p(np.minimum(rest, 1e4))
        )

    def probabilities(self, scores):
        P = np.exp(scores - scores.max(axis=1, keepdims=True))
        return P / P.sum(axis=1, keepdims=True)

    def residuals(self, P):
        """Return w (p - y), where p_y - 1 is less the sum of the others."""
        R = P.copy()
        R[self.own] = 0
        R[self.own] = -R.sum(axis=1)
        return self.w[:, None] * R

    def objective(self, coef, intercept):
        return self.cross_entropy(self.scores(coef, intercept)) + self.reg / 2 * np.sum(coef**2)


def orthogonalise(A):
    """Return Q, R and the order of the columns: A[:, order] = Q R, by pivoted Gram-Schmidt.

    It is that equation which holds to rounding, in every row; Q is but nearly orthonormal.
    """
    Q, n = A.copy(), A.shape[1]
    R, order = np.zeros((n, n), A.dtype), np.arange(n)
    for j in range(n):
        squares = np.sum(Q[:, j:] ** 2, axis=0)
        pivot = j + np.argmax(squares)
        for matrix in (Q, R):
            matrix[:, [j, pivot]] = matrix[:, [pivot, j]]
        order[[j, pivot]] = order[[pivot, j]]
        R[j, j] = np.sqrt(squares[pivot - j])
        Q[:, j] /= R[j, j]
        R[j, j + 1 :] = Q[:, j] @ Q[:, j + 1 :]
        Q[:, j + 1 :] -= np.outer(Q[:, j], R[j, j + 1 :])
    return Q, R, order


def solve_triangular(R, B):
    """Return R^-1 B in the precision of R, upper triangular."""
    B = B.copy()
    for j in range(len(R) - 1, -1, -1):
        B[j] /= R[j, j]
        B[:j] -= np.outer(R[:j, j], B[j])
    return B


class Whitened:
    """The objective in u = R W^T, with [sqrt(w v) X; sqrt(reg) I] = Q R.

    In these variables the Hessian of a loss of the curvature v is the identity, however the
    columns lie to each other, and what the penalty is among them stands in Q's lower part B:
    scores F u + b with F = X R^-1, penalty |B u|^2 / 2.

    Parameters
    ----------
    data : Data
    curvature : ndarray of shape (n_rows,)
        The v.
    """

    def __init__(self, data, curvature):
        self.data = data
        root = np.sqrt(data.w * curvature)
        size = data.X.shape[1]
        A = np.vstack([root[:, None] * data.X, np.sqrt(data.reg) * np.eye(size, dtype=LONG)])
        Q, self.R, self.order = orthogonalise(A)
        B = Q[len(root) :]
        self.F = np.column_stack([Q[: len(root)] / root[:, None], np.ones_like(root)])
        self.penalty = np.zeros((size + 1, size + 1), LONG)
        self.penalty[:-1, :-1] = B.T @ B
        self.F64, self.penalty64 = self.F.astype(float), self.penalty.astype(float)

    def from_coefs(self, coef, intercept):
        """Return theta = [u, b], (size + 1, n_classes)."""
        return np.vstack([self.R @ coef.T[self.order], intercept])

    def to_coefs(self, theta):
        coef = np.empty((theta.shape[1], len(self.R)), LONG)
        coef[:, self.order] = solve_triangular(self.R, theta[:-1]).T
        return coef, theta[-1]

    def value(self, theta):
        penalty = np.sum(theta * (self.penalty @ theta)) / 2
        return self.data.cross_entropy(self.F @ theta) + penalty

    def gradient(self, theta, P):
        return self.F.T @ self.data.residuals(P) + self.penalty @ theta

    def newton_step(self, gradient, P):
        """Return -H^-1 gradient, of sum zero over the classes, as the gradient is."""
        return -self._solve(gradient.astype(float), P.astype(float))

    def _block(self, P, k):
        """Return C_k1, C_k2, ..., (size, K, size), with C_km = sum_i w_i p_k p_m f f^T."""
        size = self.F64.shape[1]
        weighted = self.F64 * (self.data.w.astype(float) * P[:, k])[:, None]
        products = P[:, :, None] * self.F64[:, None]
        return (weighted.T @ products.reshape(len(P), -1)).reshape(size, -1, size)

    def _solve(self, g, P):
        """By Cholesky's factor of the Hessian in the first K - 1 classes; the last takes the rest.

        The blocks of the Hessian are -C_km off the diagonal, and on it the penalty and
        sum_{m != k} C_km, where p_k (1 - p_k) would cancel.
        """
        size, n_classes = g.shape
        H = np.empty((n_classes, size, n_classes, size))
        for k in range(n_classes):
            H[k] = -self._block(P, k)
            H[k, :, k] = 0
            H[k, :, k] = self.penalty64 - H[k].sum(axis=1)
        last = n_classes - 1
        H = H[:last, :, :last] - H[:last, :, last:] - H[last:, :, :last] + H[last:, :, last:]
        H = H.reshape(last * size, last * size)
        rhs = (g[:, :-1] - g[:, -1:]).T.reshape(-1)
        scale = 1 / np.sqrt(H.diagonal())
        H *= scale * scale[:, None]
        jitter = 0.0
        while True:
            factor, info = lapack.dpotrf(H + jitter * np.eye(len(H)), lower=1)
            if info == 0:
                break
            jitter = max(10 * jitter, 1e-16)
        x = scale * cho_solve((factor, True), scale * rhs)
        x = x.reshape(last, size).T
        return np.column_stack([x, -x.sum(axis=1)])


def divergence(w, P, change):
    """Return sum_i w_i KL(a_i || p_i) for a = softmax(scores + change), p = softmax(scores).

    As sum_k p_k f(a_k / p_k - 1) with f(t) = (1 + t) log(1 + t) - t, whose terms are not
    negative, so that nothing cancels.
    """
    change = change - np.sum(P * change, axis=1, keepdims=True)
    log_ratio = change - np.log1p(np.sum(P * np.expm1(change), axis=1, keepdims=True))
    t = np.expm1(log_ratio)
    s = np.clip(t, -1, 1)
    series = s * s * (1 / LONG(2) - s / 6 + s * s / 12)
    f = np.where(np.abs(t) < 1e-6, series, (1 + t) * log_ratio - t)
    return w @ np.sum(P * f, axis=1)


def prove(whitened, theta, step):
    """Return (coef, intercept, objective, gap): objective - gap is below the minimum.

    For any distributions a_i over the classes with sum_i w_i (a_i - y_i) = 0,

        min L >= sum_i w_i H(a_i) - |G|^2 / (2 reg),    G = sum_i w_i (a_i - y_i) x_i^T,

    (Fenchel's dual, H the entropy), and L(W, b) less that is

        sum_i w_i KL(a_i || p_i) + |G + reg W|^2 / (2 reg).

    The a are the probabilities after the step, at their best intercepts.
    """
    data = whitened.data
    coef, intercept = whitened.to_coefs(theta)
    scores = data.scores(coef, intercept)
    moved = scores + whitened.F @ step
    shift = np.zeros(data.n_classes, LONG)
    for _ in range(4):
        A = data.probabilities(moved + shift)
        r = data.residuals(A).sum(axis=0)
        H = np.diag(data.w @ A) - (data.w[:, None] * A).T @ A
        H = (H + np.diag(np.full(len(H), 1e-300))).astype(float)
        shift -= np.linalg.lstsq(H, r.astype(float), rcond=1e-14)[0]
    A = data.probabilities(moved + shift)
    G = data.residuals(A).T @ data.X
    change = moved + shift - scores
    gap = divergence(data.w, data.probabilities(scores), change)
    gap += np.sum((G + data.reg * coef) ** 2) / (2 * data.reg)
    value = data.cross_entropy(scores) + data.reg / 2 * np.sum(coef**2)
    return coef, intercept, value, gap


def find_minimum(problem):
    """Return the `Minimum` of a `Problem` with reg > 0.

    Newton's method with halved steps, in the variables of `Whitened`, until the gap is proven to
    be `TARGET` or gets no better. Where the loss's curvature has become very uneven over the
    rows, the variables are made anew.
    """
    data = Data(problem)
    shares = np.bincount(data.y, data.w.astype(float), data.n_classes)
    if not shares.all():
        raise ValueError("a class has no weight: the objective has an infimum, but no minimum")
    spread = np.any(data.X != 0, axis=0)
    data.X = data.X[:, spread]
    coef = np.zeros((data.n_classes, spread.sum()), LONG)
    intercept = np.log(shares).astype(LONG)
    curvature = np.full(len(data.y), 1 / LONG(data.n_classes))
    whitened = Whitened(data, curvature)
    theta = whitened.from_coefs(coef, intercept)
    value = whitened.value(theta)
    best = Minimum(float(value), np.inf, coef, intercept, data.centre, 0)
    n_failures = 0
    for n_iter in range(1, MAX_ITER + 1):
        P = data.probabilities(whitened.F @ theta)
        gradient = whitened.gradient(theta, P)
        step = whitened.newton_step(gradient, P).astype(LONG)
        slope = np.sum(gradient * step)
        if -slope <= 1e-6 * value:
            with np.errstate(over="ignore", invalid="ignore"):  # of a step without a bound
                coef, intercept, new_value, gap = prove(whitened, theta, step)
            if gap < best.gap * best.value:
                gap = float(gap / new_value)
                best = Minimum(float(new_value), gap, coef, intercept, data.centre, n_iter)
                n_failures = 0
            elif -slope <= 1e-14 * value:
                n_failures += 1
            if best.gap <= TARGET or n_failures == 4:
                break
        t = LONG(1)
        while t > 1e-9:
            new = theta + t * step
            new_value = whitened.value(new)
            if new_value <= value + 1e-4 * t * slope + 1e-17 * value:
                break
            t /= 2
        else:
            break
        theta, value = new, new_value
    full = np.zeros((data.n_classes, len(spread)), LONG)
    full[:, spread] = best.coef
    return replace(best, coef=full)


def excess(problem, minimum, coef, intercept):
    """Return L - minimum.value at (n_classes, n_features) and (n_classes,), for X as it is."""
    data = Data(problem)
    coef = np.asarray(coef, LONG)
    intercept = np.asarray(intercept, LONG) + coef @ data.centre
    return float(data.objective(coef, intercept) - LONG(minimum.value))


def relative_excess(model, X, y):
    """Return how far the objective of a fitted model is above its minimum, relative to that."""
    problem, minimum = solve(X.tobytes(), X.dtype.char, y.tobytes(), X.shape, model.reg_)
    return excess(problem, minimum, model.coef_, model.intercept_) / minimum.value


@cache
def solve(rows, dtype, labels, shape, reg):
    X, y = np.frombuffer(rows, dtype).reshape(shape), np.frombuffer(labels, int)
    problem = Problem(0, "", X, y, None, reg, y.max() + 1)
    minimum = find_minimum(problem)
    assert minimum.gap <= 1e-12
    return problem, minimum


def draw_labels(X, n_classes, rng, strength=2.0):
    """Draw labels of a softmax model of X, so that the classes overlap."""
    W = strength / np.sqrt(X.shape[1]) * rng.standard_normal((X.shape[1], n_classes))
    return np.argmax(X @ W + rng.gumbel(size=(X.shape[0], n_classes)), axis=1)
