"""A slow, proven minimum of softmax regression; it shares no code with the package.

Objectives and gaps are in long double (on x86, 64 bits of mantissa); float64 only finds the steps.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from hard_columns import Problem
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr, solve_triangular

__all__ = ["Minimum", "draw_labels", "excess", "find_minimum", "relative_excess"]

LONG = np.longdouble
#: The target of the relative gap. The proven gap may be larger.
TARGET = 1e-14
MAX_ITER = 300


@dataclass(frozen=True)
class Minimum:
    """The objective at the best parameters, and a bound of its distance to the minimum."""

    value: float
    #: value - (minimum of the objective) is at most this times value.
    gap: float
    #: The parameters (n_classes, n_features) and (n_classes,), the latter for X - center.
    coef: np.ndarray
    intercept: np.ndarray
    center: np.ndarray


def log_sum_exp(scores):
    """Return log sum_k exp(s_k); small values are precise."""
    return np.logaddexp.reduce(scores, axis=1, keepdims=True)


def log_probabilities(scores):
    scores = scores - scores.max(axis=1, keepdims=True)
    return scores - log_sum_exp(scores)


class Data:
    """Rows of positive weight with centered columns; the objective is the same."""

    def __init__(self, problem):
        X, y, weights = problem.dense.astype(LONG), problem.y, problem.sample_weight
        weights = np.ones(len(y)) if weights is None else weights
        used = weights > 0
        X, self.y = X[used], y[used]
        w = weights[used].astype(LONG)
        self.w = w / w.sum()
        self.reg = LONG(problem.reg)
        self.n_classes = problem.n_classes
        first = X[0]  # without the first row, constant columns are 0 without rounding
        self.center = self.w @ (X - first)
        self.X = X - first - self.center
        self.center += first
        self.own = np.arange(len(self.y)), self.y

    def cross_entropy(self, scores):
        return self.w @ log_sum_exp(scores - scores[self.own][:, None])[:, 0]

    def residuals(self, P):
        """Return w (p - y), where p_y - 1 is computed as minus the sum of the others."""
        R = P.copy()
        R[self.own] = 0
        R[self.own] = -R.sum(axis=1)
        return self.w[:, None] * R

    def objective(self, coef, intercept):
        scores = self.X @ coef.T + intercept
        return self.cross_entropy(scores) + self.reg / 2 * np.sum(coef**2)


class Whitened:
    """The objective in theta = [u, b] with W^T = T u, where the columns are not correlated.

    In these variables the Hessian of a loss of constant curvature is the identity. `T` is
    rounded, but the change of variables is exact for any T.
    """

    def __init__(self, data):
        size = data.X.shape[1]
        root = np.sqrt(data.w / data.n_classes)[:, None]
        A = np.vstack([root * data.X, np.sqrt(data.reg) * np.eye(size)]).astype(float)
        R, order = qr(A, mode="r", pivoting=True)
        self.T = np.zeros((size, size), LONG)
        if size:  # SciPy 1.11 does not accept empty matrices
            self.T[order] = solve_triangular(R[:size], np.eye(size))
        self.data = data
        self.F = np.column_stack([data.X @ self.T, np.ones_like(root)])
        self.penalty = np.zeros((size + 1, size + 1), LONG)
        self.penalty[:-1, :-1] = data.reg * self.T.T @ self.T

    def to_coefs(self, theta):
        return (self.T @ theta[:-1]).T, theta[-1]

    def value(self, theta):
        penalty = np.sum(theta * (self.penalty @ theta)) / 2
        return self.data.cross_entropy(self.F @ theta) + penalty

    def gradient(self, theta, P):
        return self.F.T @ self.data.residuals(P) + self.penalty @ theta

    def newton_step(self, gradient, P):
        """Return -H^-1 gradient, by a Cholesky factor of H for the first K - 1 classes.

        With C_km = sum_i w_i p_k p_m f f^T, the off-diagonal blocks of H are -C_km. The diagonal
        blocks are the penalty plus sum_{m != k} C_km, because p_k (1 - p_k) would cancel digits.
        """
        F, penalty, w = (a.astype(float) for a in (self.F, self.penalty, self.data.w))
        g, P = gradient.astype(float), P.astype(float)
        size, n_classes = g.shape
        products = (P[:, :, None] * F[:, None]).reshape(len(P), -1)
        H = np.empty((n_classes, size, n_classes, size))
        for k in range(n_classes):
            H[k] = -((F * (w * P[:, k])[:, None]).T @ products).reshape(size, -1, size)
            H[k, :, k] = 0
            H[k, :, k] = penalty - H[k].sum(axis=1)
        H = H[:-1, :, :-1] - H[:-1, :, -1:] - H[-1:, :, :-1] + H[-1:, :, -1:]
        H = H.reshape((n_classes - 1) * size, -1)
        rhs = (g[:, :-1] - g[:, -1:]).T.ravel()
        scale = 1 / np.sqrt(H.diagonal())
        H *= scale * scale[:, None]
        jitter = 0.0
        while True:
            try:
                factor = cho_factor(H + jitter * np.eye(len(H)), lower=True)
                break
            except LinAlgError:
                jitter = max(10 * jitter, 1e-16)
        x = (scale * cho_solve(factor, scale * rhs)).reshape(-1, size).T
        return -np.column_stack([x, -x.sum(axis=1)])


def prove(whitened, theta, step):
    """Return (coef, intercept, objective, gap): objective - gap is below the minimum.

    For any distributions a_i over the classes with sum_i w_i (a_i - y_i) = 0,

        min L >= sum_i w_i H(a_i) - |G|^2 / (2 reg),    G = sum_i w_i (a_i - y_i) x_i^T,

    (Fenchel's dual, H the entropy). The a are the probabilities after the step, at their best
    intercepts.
    """
    data = whitened.data
    coef, intercept = whitened.to_coefs(theta)
    moved = data.X @ coef.T + intercept + whitened.F @ step
    for _ in range(5):
        log_a = log_probabilities(moved)
        A = np.exp(log_a)
        R = data.residuals(A)
        H = np.diag(data.w @ A) - (data.w[:, None] * A).T @ A
        H = (H + np.diag(np.full(len(H), 1e-300))).astype(float)
        moved = moved - np.linalg.lstsq(H, R.sum(axis=0).astype(float), rcond=1e-14)[0]
    bound = -data.w @ np.sum(A * log_a, axis=1) - np.sum((R.T @ data.X) ** 2) / (2 * data.reg)
    value = data.objective(coef, intercept)
    return coef, intercept, value, max(value - bound, 0)


def find_minimum(problem):
    """Return the `Minimum` of a `Problem` with reg > 0.

    Newton's method with halved steps, until the gap is proven to be `TARGET` or does not shrink.
    """
    data = Data(problem)
    shares = np.bincount(data.y, data.w.astype(float), data.n_classes)
    if not shares.all():
        raise ValueError("a class has no weight: the objective has an infimum, but no minimum")
    spread = np.any(data.X != 0, axis=0)
    data.X = data.X[:, spread]
    whitened = Whitened(data)
    theta = np.zeros((spread.sum() + 1, data.n_classes), LONG)
    theta[-1] = np.log(shares)
    value = whitened.value(theta)
    best, gap, n_failures = (*whitened.to_coefs(theta), value), np.inf, 0
    for _ in range(MAX_ITER):
        P = np.exp(log_probabilities(whitened.F @ theta))
        gradient = whitened.gradient(theta, P)
        step = whitened.newton_step(gradient, P).astype(LONG)
        slope = np.sum(gradient * step)
        if -slope <= 1e-6 * value:
            with np.errstate(over="ignore", invalid="ignore"):  # in a step without a bound
                *found, new_gap = prove(whitened, theta, step)
            if new_gap < gap:
                best, gap, n_failures = found, new_gap, 0
            elif -slope <= 1e-14 * value:
                n_failures += 1
            if gap <= TARGET * value or n_failures == 4:
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
    coef, intercept, value = best
    full = np.zeros((data.n_classes, len(spread)), LONG)
    full[:, spread] = coef
    return Minimum(float(value), float(gap / value), full, intercept, data.center)


def excess(problem, minimum, coef, intercept):
    """Return L - minimum.value at (n_classes, n_features) and (n_classes,), for X as it is."""
    data = Data(problem)
    coef = np.asarray(coef, LONG)
    intercept = np.asarray(intercept, LONG) + coef @ data.center
    return float(data.objective(coef, intercept) - LONG(minimum.value))


def relative_excess(model, X, y):
    """Return (objective of a fitted model - minimum) / minimum."""
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
