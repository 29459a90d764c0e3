"""Models of the Hessian of softmax regression, and the one rule that chooses among them.

A model is built at a theta and gives the step that solves H d = g. A quasi-Newton method
mends what it lacks; the better it is, the fewer evaluations that takes.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from .linear_kernels import kernels
from .symmetric import add_gram, cholesky, diagonal_of, inverse, symmetric_product, zero_sum

#: The most entries of a model: 64 MB, or as many as X has.
MAX_MODEL_ENTRIES = 8_000_000
#: What it costs, in evaluations, that a renewal forgets the L-BFGS pairs.
COST_OF_LOST_PAIRS = 10.0
#: The Hessian is one of the models where it costs no more than so many evaluations.
MAX_HESSIAN_COST = 8.0


class HessianModel(ABC):
    """A model of the Hessian at theta.

    Parameters
    ----------
    objective : LinearObjective
        Whose Hessian.
    theta : ndarray of shape (n_classes, n_features + 1)
        Where; it sums to zero over the classes.
    """

    #: Whether its scale is a guess, which L-BFGS betters by s'y / y'H^-1 y.
    is_guess: ClassVar[bool] = False
    #: Whether it is the Hessian.
    is_exact: ClassVar[bool] = False

    def __init__(self, objective, theta):
        self._build(objective, theta)

    @abstractmethod
    def _build(self, objective, theta):
        """Compute the model."""

    @abstractmethod
    def solve(self, g):
        """Return the step d that solves H d = g, of zero sum over the classes."""

    @classmethod
    @abstractmethod
    def cost(cls, objective):
        """Return the time to build it, in evaluations of the objective."""


class Diagonal(HessianModel):
    """The diagonal: sum_i w_i p_ik (1 - p_ik) z_ij^2 + ridge_j."""

    is_guess = True

    def _build(self, objective, theta):
        d = np.zeros(objective.shape)
        for chunk, P in objective.curvatures(theta):
            objective.rows.add_squares(chunk, P, d)
        d += objective.ridge
        self._inverse = np.divide(1.0, d, where=d > 0, out=np.zeros_like(d))

    def solve(self, g):
        """Divide."""
        return zero_sum(g * self._inverse)

    @classmethod
    def cost(cls, objective):  # noqa: ARG003
        """Count the lost pairs alone: it takes no more than an evaluation."""
        return COST_OF_LOST_PAIRS


class UniformFactor(HessianModel):
    """The Hessian where all classes are equally likely: I/K (x) Z^T Z + ridge.

    It is exact at theta = 0. K/2 times its first term is the upper bound of Boehning 1992,
    "Multinomial logistic regression algorithm", Ann. Inst. Statist. Math. 44, 197.
    """

    is_guess = True

    def _build(self, objective, theta):  # noqa: ARG002
        size = objective.shape[1]
        A = np.zeros((size, size), order="F")
        for chunk in objective.chunks:
            root = np.sqrt(objective.weights[chunk] / objective.n_classes)
            A = add_gram(A, objective.rows.standardized(chunk) * root[:, None])
        diagonal_of(A)[:] += objective.ridge
        self._inverse = inverse(A)

    def solve(self, g):
        """Multiply by the inverse, the same for every class."""
        return zero_sum(symmetric_product(self._inverse, g))

    @classmethod
    def cost(cls, objective):
        """One Gram matrix and its inverse."""
        size = objective.shape[1]
        return (objective.n_rows * size * (size / 2 + 20) + size**3 / 4) / objective.work


class SharedFactor(HessianModel):
    """One matrix for all classes, scaled to each class's own diagonal.

    The matrix is the correlation form of Z^T diag(w mean_k p_k (1 - p_k)) Z + ridge.
    """

    is_guess = True

    def _build(self, objective, theta):
        size = objective.shape[1]
        A, d = np.zeros((size, size), order="F"), np.zeros(objective.shape)
        for chunk, P in objective.curvatures(theta):
            objective.rows.add_squares(chunk, P, d)
            root = np.sqrt(np.add.reduce(P, axis=0) / objective.n_classes)
            A = add_gram(A, objective.rows.standardized(chunk) * root[:, None])
        diagonal = diagonal_of(A)
        diagonal += objective.ridge
        d += objective.ridge
        self._scale = np.sqrt(np.divide(diagonal, d, where=d > 0, out=np.zeros_like(d)))
        self._inverse = inverse(A)

    def solve(self, g):
        """Scale, multiply by the inverse, scale."""
        return zero_sum(symmetric_product(self._inverse, g * self._scale) * self._scale)

    @classmethod
    def cost(cls, objective):
        """As dear as `UniformFactor`, when the time is ripe."""
        return COST_OF_LOST_PAIRS + UniformFactor.cost(objective)


class ClassFactors(HessianModel):
    """The diagonal blocks, class by class: Z^T diag(w p_k (1 - p_k)) Z + ridge.

    Rows whose p_k (1 - p_k) is under 1/100 of its mean over the chunk are passed over;
    together they hold under 1/100 of it. Near separation, those are most rows.
    """

    def _build(self, objective, theta):
        n_classes, size = objective.shape
        grams = [np.zeros((size, size), order="F") for _ in range(n_classes)]
        for chunk, P in objective.probabilities(theta):
            Z, weights = objective.rows.standardized(chunk), objective.weights[chunk]
            spread = P * (1 - P)
            floor = 0.01 * (spread @ weights) / max(weights.sum(), 1e-300)
            for k in range(n_classes):
                keep = np.flatnonzero(spread[k] > floor[k])
                R = Z[keep]
                R *= np.sqrt(spread[k, keep] * weights[keep])[:, None]
                grams[k] = add_gram(grams[k], R)
        self._inverses = []
        while grams:  # so that no two of a class are held at once
            A = grams.pop(0)
            diagonal_of(A)[:] += objective.ridge
            self._inverses.append(inverse(A))

    def solve(self, g):
        """Multiply each class's part by its inverse."""
        return zero_sum(
            np.array(
                [
                    symmetric_product(A, row[None])[0]
                    for A, row in zip(self._inverses, g, strict=True)
                ]
            )
        )

    @classmethod
    def cost(cls, objective):
        """As many Gram matrices as classes, over most of the rows."""
        n_classes, size = objective.shape
        per_class = 0.7 * objective.n_rows * size * (size / 2 + 20) + size**3 / 4 + 1e5
        return n_classes * per_class / objective.work


class FullHessian(HessianModel):
    """The Hessian, for the differences delta_k = theta_k - theta_K of the first K - 1 classes.

    Its data part is sum_i w_i (diag(p_i) - p_i p_i^T) (x) z_i z_i^T. With the rows
    r_i = [p_i1 z_i, ..., p_iK-1 z_i], one symmetric product R^T W R holds every p_j p_k block,
    one general product R^T W Z the diagonal ones. The penalty's, as theta sums to zero, is
    (I - 11^T / K) (x) diag(ridge).
    """

    is_exact = True

    def _build(self, objective, theta):
        n_classes, size = objective.shape
        order = (n_classes - 1) * size
        H = np.zeros((order, order), order="F")
        for chunk, P in objective.probabilities(theta):
            Z, weights = objective.rows.standardized(chunk), objective.weights[chunk]
            H = kernels.add_hessian(H, Z, P, weights)
        kernels.add_penalty(H, objective.ridge, n_classes)
        self.factor = cholesky(H)

    def solve(self, g):
        """Solve for the differences; g sums to zero, so theirs is its part of K - 1 classes."""
        step = np.empty(g.shape)
        kernels.solve_hessian(self.factor, g, step)
        return step

    @classmethod
    def cost(cls, objective):
        """One Gram matrix of n_rows x (K - 1)(D + 1), and its factor."""
        n_classes, size = objective.shape
        order = (n_classes - 1) * size
        grams = objective.n_rows * order * (order / 2 + size + 25)
        return (grams + order**3 / 4 + 8e5) / objective.work


def choose_hessian_models(objective, *, may_be_exact):
    """Say which models to take, from n, D, K and whether X is sparse alone.

    Parameters
    ----------
    objective : LinearObjective
        What they are for.
    may_be_exact : bool
        Whether the Hessian itself may be among them, where it is cheap.

    Returns
    -------
    first : type
        The model at theta = 0.
    renewals : tuple of type
        The models to renew it by, the cheapest first.

    Notes
    -----
    The figures behind the rule are in docs/benchmarks/README.md. The class factors need 3 to 10
    times fewer evaluations than one factor for all classes; where they take too much room, that
    one takes their place, and then the diagonal. Sparse rows come without a first factor: the
    evaluations with a diagonal have often brought the end before one would have paid off.
    """
    n_classes, size = objective.shape
    room = max(MAX_MODEL_ENTRIES, 0 if objective.is_sparse else objective.n_rows * size)
    if size**2 > room:
        return Diagonal, (Diagonal,)
    order = (n_classes - 1) * size
    if may_be_exact and order**2 <= room and FullHessian.cost(objective) <= MAX_HESSIAN_COST:
        factor = FullHessian
    else:
        factor = ClassFactors if n_classes * size**2 <= room else SharedFactor
    if objective.is_sparse:
        return Diagonal, (Diagonal, factor)
    return UniformFactor, (factor,)
