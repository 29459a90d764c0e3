"""Models of the Hessian of softmax regression, and the rule that chooses among them.

A model is built at a theta. Its `solve` returns the step d with H d = g. A quasi-Newton method
corrects the model: the better it is, the fewer evaluations of the objective are needed.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from scipy.linalg import lapack
from scipy.linalg.blas import dgemm

from .rows import slices
from .standard_columns import subtract_class_mean
from .symmetric import add_gram, cholesky, diagonal_of, inverse, symmetric_product

#: The most entries of a model: 64 MB, or as many as X has.
MAX_MODEL_ENTRIES = 8_000_000
#: The cost, in evaluations, of the L-BFGS pairs that a renewal forgets.
COST_OF_LOST_PAIRS = 10.0
#: The Hessian is one of the models if its cost is at most so many evaluations.
MAX_HESSIAN_COST = 8.0
#: It is renewed at every step if its cost is at most so many evaluations.
MAX_COST_AT_EVERY_STEP = 2.0
#: The most entries of the Hessian of solver="newton": 3.2 GB.
MAX_HESSIAN_ENTRIES = 400_000_000
#: The number of entries of a temporary array of `FullHessian`.
TEMPORARY_ENTRIES = 2**16


class HessianModel(ABC):
    """A model of the Hessian of a `LinearObjective` at theta, which sums to zero over classes."""

    #: Whether its scale is a guess, which L-BFGS corrects by s'y / y'H^-1 y.
    is_guess: ClassVar[bool] = False

    @abstractmethod
    def __init__(self, objective, theta):
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

    def __init__(self, objective, theta):
        d = np.zeros(objective.shape)
        for chunk, curvatures in objective.curvatures(theta):
            objective.rows.add_squares(curvatures, chunk, d)
        d += objective.ridge
        self._inverse = np.divide(1.0, d, where=d > 0, out=np.zeros_like(d))

    def solve(self, g):
        """Divide."""
        return subtract_class_mean(g * self._inverse)

    @classmethod
    def cost(cls, objective):  # noqa: ARG003
        """Count the lost pairs alone: it takes no more than an evaluation."""
        return COST_OF_LOST_PAIRS


class UniformFactor(HessianModel):
    """The Hessian at theta = 0, one matrix for all classes: Z^T diag(w) Z / K + ridge."""

    is_guess = True

    def __init__(self, objective, theta):  # noqa: ARG002
        n_classes, size = objective.shape
        A = np.zeros((size, size), order="F")
        for chunk in objective.rows.chunks:
            root = np.sqrt(objective.weights[chunk] / n_classes)
            A = add_gram(A, objective.rows.standardized(chunk) * root[:, None])
        diagonal_of(A)[:] += objective.ridge
        self._inverse = inverse(A)

    def solve(self, g):
        """Multiply by the inverse."""
        return subtract_class_mean(symmetric_product(self._inverse, g))

    @classmethod
    def cost(cls, objective):
        """Count one Gram matrix and its inverse, and the lost pairs."""
        size = objective.shape[1]
        gram = objective.n_rows * size * (size / 2 + 20)
        return COST_OF_LOST_PAIRS + (gram + size**3 / 4) / objective.work


class ClassFactors(HessianModel):
    """The diagonal blocks, class by class: Z^T diag(w p_k (1 - p_k)) Z + ridge.

    Rows whose p_k (1 - p_k) is below 1/100 of its mean over the chunk are left out. Together they
    have less than 1/100 of the sum. Near separation, most rows are such.
    """

    def __init__(self, objective, theta):
        n_classes, size = objective.shape
        grams = [np.zeros((size, size), order="F") for _ in range(n_classes)]
        for chunk, curvatures in objective.curvatures(theta):
            Z, weights = objective.rows.standardized(chunk), objective.weights[chunk]
            floor = 0.01 * np.add.reduce(curvatures, axis=1) / max(weights.sum(), 1e-300)
            for k in range(n_classes):
                keep = np.flatnonzero(curvatures[k] > floor[k] * weights)
                R = Z[keep]
                R *= np.sqrt(curvatures[k, keep])[:, None]
                grams[k] = add_gram(grams[k], R)
        self._inverses = []
        while grams:  # so that no two of a class are held at once
            A = grams.pop(0)
            diagonal_of(A)[:] += objective.ridge
            self._inverses.append(inverse(A))

    def solve(self, g):
        """Multiply the part of each class by its inverse."""
        pairs = zip(self._inverses, g, strict=True)
        step = np.array([symmetric_product(A, part[None])[0] for A, part in pairs])
        return subtract_class_mean(step)

    @classmethod
    def cost(cls, objective):
        """Count as many Gram matrices as classes, over most of the rows."""
        n_classes, size = objective.shape
        per_class = 0.7 * objective.n_rows * size * (size / 2 + 20) + size**3 / 4 + 1e5
        return n_classes * per_class / objective.work


class FullHessian(HessianModel):
    """The Hessian, for the differences theta_k - theta_K of the first K - 1 classes.

    The data's part is sum_i w_i (diag(p_i) - p_i p_i^T) (x) z_i z_i^T. With the rows
    r_i = w_i^(1/2) [p_i1 z_i, ..., p_iK-1 z_i], the symmetric product R^T R has every block
    p_j p_k, and the general product of w_i^(1/2) z_i with R has the diagonal blocks p_k. The
    penalty's part, as theta sums to zero, is (I - 11^T / K) (x) diag(ridge).
    """

    def __init__(self, objective, theta):
        n_classes, size = objective.shape
        n_free = n_classes - 1
        order = n_free * size
        H, blocks = np.zeros((order, order), order="F"), np.zeros((size, order), order="F")
        for chunk, P in objective.probabilities(theta):
            Z, root = objective.rows.standardized(chunk), np.sqrt(objective.weights[chunk])
            if n_classes == 2:  # the block's weight is w p_1 (1 - p_1) = w p_1 p_2
                root *= np.sqrt(P[0] * P[1])
                H = add_gram(H, Z * root[:, None])
                continue
            for part in slices(len(root), max(TEMPORARY_ENTRIES // order, 256)):
                z = np.multiply(Z[part].T, root[part], order="C")
                R = (P[:-1, None, part] * z).reshape(order, -1)
                blocks = dgemm(1.0, z.T, R.T, beta=1.0, c=blocks, trans_a=1, overwrite_c=1)
                H = add_gram(H, R.T, -1.0)
        by_class = H.T.reshape(n_free, size, n_free, size)
        np.einsum("kakb->kab", by_class)[...] += blocks.T.reshape(n_free, size, size)
        # I - 11^T / K without its last column turns the differences into theta, which sums to zero
        coupling = np.eye(n_classes, n_free) - 1 / n_classes
        # last, because the parts of the data cancel
        np.einsum("jaka->jka", by_class)[...] += coupling[:-1, :, None] * objective.ridge
        self._factor, self._class_coupling = cholesky(H), coupling

    def solve(self, g):
        """Solve for the differences, whose gradient is g of the first K - 1 classes."""
        delta, _ = lapack.dpotrs(self._factor, g[:-1].reshape(-1), lower=1)
        return self._class_coupling @ delta.reshape(len(g) - 1, -1)

    @classmethod
    def cost(cls, objective):
        """Count one Gram matrix of n_rows x (K - 1)(D + 1), and its factor."""
        n_classes, size = objective.shape
        order = (n_classes - 1) * size
        grams = objective.n_rows * order * (order / 2 + size + 25)
        return (grams + order**3 / 4 + 8e5) / objective.work


def _model_entries(objective):
    """Return the most entries of a model of the objective's Hessian."""
    n_entries = 0 if objective.is_sparse else objective.n_rows * objective.shape[1]
    return max(MAX_MODEL_ENTRIES, n_entries)


def choose_preconditioners(objective):
    """Return the models that fit as preconditioners, the cheapest first."""
    n_classes, size = objective.shape
    n_entries = {
        Diagonal: 0,
        ClassFactors: n_classes * size**2,
        FullHessian: ((n_classes - 1) * size) ** 2,
    }
    return tuple(kind for kind, n in n_entries.items() if n <= _model_entries(objective))


def choose_hessian_models(objective, solver):
    """Choose the models by the size of X, its sparsity and the number of classes.

    The solver "newton" takes the Hessian, "lbfgs" any other model, and "auto" both if the Hessian
    is cheap. Return the model at theta = 0, a tuple of those to renew it by, the cheapest first,
    and whether to renew it at every step.

    docs/benchmarks/README.md has the figures behind the rule. `ClassFactors` needs 3 to 10 times
    fewer evaluations than one matrix for all classes. `Diagonal` takes its place if it has too
    many entries. Sparse rows begin with `Diagonal`: often the end comes before another model would
    have paid off.
    """
    n_classes, size = objective.shape
    order = (n_classes - 1) * size
    if solver == "newton":
        if order**2 > MAX_HESSIAN_ENTRIES:
            raise ValueError(
                f"solver='newton' needs the {order} x {order} Hessian of {n_classes} classes and "
                f"rows that span {size - 1} dimensions, {8e-9 * order**2:.1f} GB. Set "
                "solver='lbfgs' or 'auto'."
            )
        return UniformFactor, (FullHessian,), True
    room = _model_entries(objective)
    best = ClassFactors if n_classes * size**2 <= room else Diagonal
    if solver == "auto" and order**2 <= room:
        cost = FullHessian.cost(objective)
        if cost <= MAX_COST_AT_EVERY_STEP:
            return UniformFactor, (FullHessian,), True
        best = FullHessian if cost <= MAX_HESSIAN_COST else best
    if objective.is_sparse or size**2 > room:
        return Diagonal, (Diagonal,) if best is Diagonal else (Diagonal, best), False
    return UniformFactor, (best,), False
