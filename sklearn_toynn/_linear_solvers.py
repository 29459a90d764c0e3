"""The solvers of the linear model, whose objective is convex: they find its minimum."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack

from ._curvature import MAX_ENTRIES, FullHessian, UniformFactor, choose_curvatures
from ._linear_objective import LinearObjective
from ._linear_rows import CHUNK_ELEMENTS, slices
from ._quasi_newton import Descent, Goal
from ._solvers import Solver
from ._symmetric import add_gram

__all__ = ["LINEAR_SOLVERS", "LinearSolver"]

#: Every so many rows make the smaller problem that a larger one starts from.
STRIDE = 4
#: The Hessian is renewed at every step where it costs no more than so many evaluations.
CHEAPEST = 2
#: The most entries of a Hessian that is asked for by name: 3.2 GB.
MAX_HESSIAN_ENTRIES = 400_000_000


class RowSpace:
    """X = Z Q with orthonormal rows of Q, for X with more columns than rows.

    At the minimum the weights lie in the span of the rows of X, W = V Q, and then the problem in
    Z, penalty and all, is the problem in X. By the pivoted Cholesky factor of X X^T = Z Z^T: with
    L the rows of Z at the pivots, X_pivots = L Q.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Only read, by blocks of columns.

    Attributes
    ----------
    Z : ndarray of shape (n_rows, rank)
        The rows in the basis Q.
    """

    def __init__(self, X):
        n_rows, n_features = X.shape
        gram = np.zeros((n_rows, n_rows), order="F")
        for columns in slices(n_features, max(n_rows, 256)):
            gram = add_gram(gram, X[:, columns].astype(float).T)
        tol = n_rows * np.finfo(X.dtype).eps * gram.diagonal().max()
        factor, pivots, rank, _ = lapack.dpstrf(gram, lower=1, tol=tol)
        rank = max(rank, 1)
        factor = np.tril(factor)[:, :rank]
        self._X = X
        self._pivots = pivots[:rank] - 1
        self._L = factor[:rank]
        self.Z = np.empty((n_rows, rank), X.dtype)
        self.Z[pivots - 1] = factor

    def to_weights(self, V):
        """Return W = V L^-1 X_pivots."""
        solved, _ = lapack.dtrtrs(self._L, np.asarray(V, float).T, lower=1, trans=1)
        # zero beyond the pivots: to index X would copy it
        combination = np.zeros((len(V), len(self._X)), self._X.dtype)
        combination[:, self._pivots] = solved.T
        return combination @ self._X

    def from_weights(self, W):
        """Return V = W Q^T, by the solution of L V^T = X_pivots W^T."""
        scores = (self._X @ W.T)[self._pivots].astype(float)
        return lapack.dtrtrs(self._L, scores, lower=1)[0].T


def rows_in_use(samples):
    """Return X, codes and weights, which sum to 1, of the rows in use.

    Few rows are copied. Where they are many, all stay, with a weight of 0 for the others.
    """
    X, codes, weights, rows = samples.X, samples.codes, samples.weights, samples.rows
    scale = weights.dtype.type(samples.weight_scale / samples.n_samples)
    if rows is None:
        return X, codes, weights * scale
    if len(rows) * X.shape[1] <= CHUNK_ELEMENTS:
        return X[rows], codes[rows], weights[rows] * scale
    used = np.zeros_like(weights)
    used[rows] = weights[rows] * scale
    return X, codes, used


class LinearProblem:
    """A stack of one linear net as a `LinearObjective`, and the way back to its parameters.

    Parameters
    ----------
    objective : Objective
        Of the stack; its network's parameters are the start, and set by `store`.
    """

    def __init__(self, objective):
        network, samples = objective.network, objective.samples
        self._W, self._b = network.weights[0][0], network.biases[0][0, :, 0]
        X, codes, weights = rows_in_use(samples)
        n_rows, n_features = X.shape
        wide = not sp.issparse(X) and n_rows < n_features and n_rows**2 <= MAX_ENTRIES
        self._row_space = RowSpace(X) if wide else None
        self.objective = LinearObjective(
            self._row_space.Z if wide else X,
            codes,
            weights,
            float(objective.reg[0, 0]),
            network.widths[-1],
        )

    def load(self):
        """Return the theta of the network's parameters, or None where they are zero."""
        if not (self._W.any() or self._b.any()):
            return None
        W = self._W.astype(float)
        if self._row_space is not None:
            W = self._row_space.from_weights(W)
        return self.objective.columns.from_coefs(W, self._b.astype(float))

    def store(self, theta):
        """Set the network's parameters; the mean of the intercepts, which is free, to zero."""
        W, b = self.objective.columns.to_coefs(theta)
        self._W[...] = W if self._row_space is None else self._row_space.to_weights(W)
        self._b[...] = b - b.mean()


class LinearSolver(Solver, ABC):
    """A descent with models of the Hessian, on one linear net.

    Where there are many rows, it starts from the minimum of the problem on every fourth of them,
    found likewise; the iterations there are not counted, as they are of another objective.
    """

    stops_on_gradient = False
    scales_columns = False  # it has variables of its own
    #: Whether the model of the Hessian is renewed at every step.
    renews_always: ClassVar[bool] = False

    @abstractmethod
    def choose(self, objective):
        """Return the model at theta = 0, and those to renew it by; see `choose_curvatures`."""

    def run(self, training):
        """Minimise until the estimated gap is at most `tol` times the objective."""
        problem = LinearProblem(training.objective)
        objective, tol = problem.objective, training.rule.tol
        theta = problem.load()
        if theta is None:
            theta, model = self._warm_start(objective)
        else:
            first, renewals = self.choose(objective)
            model = (renewals[-1] if renewals else first)(objective, theta)
        goal = Goal(
            relative=tol,
            absolute=float(np.finfo(objective.dtype).eps),
            gradient=tol if objective.reg == 0 else 0.0,
        )
        descent = self._descend(objective, theta, model, goal)

        def describe_limit(_):
            end = f"max_iter={training.plan.max_iter} iterations ended the training"
            return None if descent.has_converged else describe_end(end, descent, tol)

        def describe_standstill(_):
            end = f"After {training.n_iter} iterations, no step lowered the objective any more"
            converged = descent.has_converged or descent.is_at_rounding
            return None if converged else describe_end(end, descent, tol)

        while not descent.has_converged:
            loss = descent.loss
            if not descent.advance():
                break
            problem.store(descent.theta)
            training.record(np.array([loss]), describe_limit)
            if not training.n_nets:
                return
        if training.n_iter == 0:
            problem.store(descent.theta)
            training.record(np.array([descent.loss]), describe_limit)
        training.close(describe_end=describe_standstill)

    def _descend(self, objective, theta, model, goal):
        _, renewals = self.choose(objective)
        always = self.renews_always or any(
            kind.is_exact and kind.cost(objective) <= CHEAPEST for kind in renewals
        )
        return Descent(objective, theta, model, renewals, goal, always=always)

    def _warm_start(self, objective):
        """Return a theta and a model of the Hessian from some of the rows, recursively.

        The minimum on m rows lies within about P / 2m of that on all in the objective, P the
        number of free parameters; it is not sought closer than a tenth of that.
        """
        first, renewals = self.choose(objective)
        n_classes, size = objective.shape
        n_free = (n_classes - 1) * size
        many = not objective.is_sparse and objective.n_rows >= STRIDE * max(10 * n_free, 1000)
        smaller = objective.on_every(STRIDE) if many else None
        if smaller is None:
            theta = np.zeros(objective.shape)
            return theta, first(objective, theta)
        theta, model = self._warm_start(smaller)
        goal = Goal(relative=0.0, absolute=0.05 * n_free / smaller.n_rows, trusts_coarse=True)
        descent = self._descend(smaller, theta, model, goal)
        for _ in range(30):
            if descent.has_converged or not descent.advance():
                break
        return descent.theta, (renewals[-1] if renewals else first)(smaller, descent.theta)


class Newton(LinearSolver):
    """Newton's method: the Hessian at every step, and a line search."""

    renews_always = True

    def choose(self, objective):
        """Take the Hessian, which at theta = 0 is `UniformFactor`."""
        n_classes, size = objective.shape
        order = (n_classes - 1) * size
        if order**2 > MAX_HESSIAN_ENTRIES:
            raise ValueError(
                f"solver='newton' needs the {order} x {order} Hessian of {n_classes} classes and "
                f"{size - 1} columns, {8e-9 * order**2:.1f} GB. Take solver='lbfgs' or 'auto'."
            )
        return UniformFactor, (FullHessian,)


class PreconditionedLBFGS(LinearSolver):
    """L-BFGS from a model of the Hessian, which is now and then renewed."""

    def choose(self, objective):
        """Take the best model that fits, but the Hessian."""
        return choose_curvatures(objective, may_be_exact=False)


class Auto(LinearSolver):
    """The Hessian where it is cheap, else as `PreconditionedLBFGS`."""

    def choose(self, objective):
        """Take the best model by the rule."""
        return choose_curvatures(objective, may_be_exact=True)


def describe_end(end, descent, tol):
    """Say how far from the minimum a descent has ended, and what to change."""
    relative = descent.gap / descent.loss if descent.loss > 0 else np.inf
    largest = np.abs(descent.gradient).max()
    return (
        f"{end}, where the estimated gap to the minimum was {relative:.3g} of the objective, "
        f"above tol={tol:.3g}, and the largest entry of the gradient (for columns of unit "
        f"variance) was {largest:.3g}. Raise max_iter, tol or reg, or pass X as float64."
    )


LINEAR_SOLVERS = {"auto": Auto, "newton": Newton, "lbfgs": PreconditionedLBFGS}
