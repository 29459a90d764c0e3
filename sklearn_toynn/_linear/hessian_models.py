"""Models of the Hessian H of softmax regression, and the rule that chooses among them.

A model is built at a theta. Its `solve` returns the step d with H d = g. L-BFGS corrects the
model. A better model needs fewer evaluations of the objective.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from scipy.linalg import lapack
from scipy.linalg.blas import dgemm

from .rows import slices
from .standard_columns import subtract_class_mean
from .symmetric import add_gram, cholesky, diagonal_of, inverse, symmetric_product

#: The maximum number of entries of a model (64 MB), unless X has more.
MAX_MODEL_ENTRIES = 8_000_000
#: The cost, in evaluations of the objective, of the L-BFGS pairs that a renewal discards.
COST_OF_LOST_PAIRS = 10.0
#: The maximum cost of the exact Hessian, in evaluations, to use it with solver="auto".
MAX_HESSIAN_COST = 8.0
#: The maximum cost of the exact Hessian, in evaluations, to renew it at every step.
MAX_COST_AT_EVERY_STEP = 2.0
#: The maximum number of entries of the Hessian with solver="newton" (3.2 GB).
MAX_HESSIAN_ENTRIES = 400_000_000
#: The number of entries of a temporary array of `FullHessian`.
TEMPORARY_ENTRIES = 2**16


class HessianModel(ABC):
    """A model of the Hessian of a `LinearObjective` at a theta that sums to 0 over the classes."""

    #: Whether L-BFGS must correct the scale of the model, by s'y / y'H^-1 y.
    needs_scale: ClassVar[bool] = False

    @abstractmethod
    def __init__(self, objective, theta):
        """Compute the model."""

    @abstractmethod
    def solve(self, g):
        """Return the step d that solves H d = g and sums to 0 over the classes."""

    @classmethod
    @abstractmethod
    def cost(cls, objective):
        """Return the time to build the model, in evaluations of the objective."""


class Diagonal(HessianModel):
    """The diagonal: sum_i w_i p_ik (1 - p_ik) z_ij^2 + ridge_j."""

    needs_scale = True

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
        """Count the lost pairs only, because the diagonal takes less than one evaluation."""
        return COST_OF_LOST_PAIRS


class UniformFactor(HessianModel):
    """The Hessian at theta = 0, one matrix for all classes: Z^T diag(w) Z / K + ridge."""

    needs_scale = True

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

    Rows whose p_k (1 - p_k) is below 1/100 of the mean over the chunk are omitted. Together they
    make up less than 1/100 of the sum. If the classes are nearly separable, most rows are omitted.
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
        while grams:  # frees the memory of each matrix after its inversion
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
    """The exact Hessian, for the differences theta_k - theta_K of the first K - 1 classes.

    The Hessian of the loss is sum_i w_i (diag(p_i) - p_i p_i^T) (x) z_i z_i^T. Let R have the rows
    r_i = w_i^(1/2) [p_i1 z_i, ..., p_iK-1 z_i]. The symmetric product R^T R gives all blocks with
    p_j p_k. The product of w_i^(1/2) z_i with R gives the diagonal blocks with p_k. The Hessian of
    the penalty is (I - 11^T / K) (x) diag(ridge), because theta sums to 0 over the classes.
    """

    def __init__(self, objective, theta):
        n_classes, size = objective.shape
        n_free = n_classes - 1
        order = n_free * size
        H, blocks = np.zeros((order, order), order="F"), np.zeros((size, order), order="F")
        for chunk, P in objective.probabilities(theta):
            Z, root = objective.rows.standardized(chunk), np.sqrt(objective.weights[chunk])
            if n_classes == 2:  # the only block has the weights w p_1 (1 - p_1) = w p_1 p_2
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
        # I - 11^T / K without its last column maps differences to theta, which sums to 0
        coupling = np.eye(n_classes, n_free) - 1 / n_classes
        # added last, because the terms of the loss cancel
        np.einsum("jaka->jka", by_class)[...] += coupling[:-1, :, None] * objective.ridge
        self._factor, self._class_coupling = cholesky(H), coupling

    def solve(self, g):
        """Solve for the differences; their gradient is g of the first K - 1 classes."""
        delta, _ = lapack.dpotrs(self._factor, g[:-1].reshape(-1), lower=1)
        return self._class_coupling @ delta.reshape(len(g) - 1, -1)

    @classmethod
    def cost(cls, objective):
        """Count one Gram matrix of n_rows x (K - 1)(D + 1), and its factorization."""
        n_classes, size = objective.shape
        order = (n_classes - 1) * size
        grams = objective.n_rows * order * (order / 2 + size + 25)
        return (grams + order**3 / 4 + 8e5) / objective.work


def _model_entries(objective):
    """Return the maximum number of entries of a model."""
    n_entries = 0 if objective.is_sparse else objective.n_rows * objective.shape[1]
    return max(MAX_MODEL_ENTRIES, n_entries)


def choose_preconditioners(objective):
    """Return the classes of preconditioners that fit into memory, the cheapest first."""
    n_classes, size = objective.shape
    n_entries = {
        Diagonal: 0,
        ClassFactors: n_classes * size**2,
        FullHessian: ((n_classes - 1) * size) ** 2,
    }
    return tuple(model for model, n in n_entries.items() if n <= _model_entries(objective))


def choose_hessian_models(objective, solver):
    """Choose the models by the size of X, its sparsity and the number of classes.

    The solver "newton" uses the exact Hessian, "lbfgs" an approximation, and "auto" the exact
    Hessian if it is cheap. Return the class of the model at theta = 0, a tuple of the classes for
    renewals, the cheapest first, and whether to renew the model at every step.

    docs/benchmarks/README.md has the measurements behind the rule. `ClassFactors` needs up
    to 5 times fewer iterations than one matrix for all classes. `Diagonal` replaces it if it has
    too many entries. Sparse rows begin with `Diagonal`, because training often ends before another
    model saves time.
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
    max_entries = _model_entries(objective)
    best = ClassFactors if n_classes * size**2 <= max_entries else Diagonal
    if solver == "auto" and order**2 <= max_entries:
        cost = FullHessian.cost(objective)
        if cost <= MAX_COST_AT_EVERY_STEP:
            return UniformFactor, (FullHessian,), True
        best = FullHessian if cost <= MAX_HESSIAN_COST else best
    if objective.is_sparse or size**2 > max_entries:
        return Diagonal, (Diagonal,) if best is Diagonal else (Diagonal, best), False
    return UniformFactor, (best,), False
