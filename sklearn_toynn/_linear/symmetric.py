"""Symmetric matrices given by their lower triangle, as BLAS and LAPACK make and take them."""

import numpy as np
from scipy.linalg import lapack
from scipy.linalg.blas import dsymm, dsyrk

#: The columns of a matrix that are transposed at once.
BLOCK = 256


def diagonal_of(A):
    """Return a writable view of the diagonal of A."""
    return np.einsum("ii->i", A)


def zero_sum(step):
    """Take the mean over the classes from a step, in place."""
    step -= np.add.reduce(step, axis=0) / len(step)
    return step


def add_gram(A, Z, sign=1.0):
    """Add sign Z^T Z to the lower triangle of A, in Fortran order, and return A."""
    return dsyrk(sign, Z.T, beta=1.0, c=A, trans=0, lower=1, overwrite_c=1)


def mirror(A):
    """Copy the lower triangle of A to the upper, in place."""
    size = len(A)
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        A[:start, start:stop] = A[start:stop, :start].T
        block = A[start:stop, start:stop]
        block[...] = np.tril(block) + np.tril(block, -1).T


def cholesky(A):
    """Return the Cholesky factor of A, float64 in Fortran order; in its place if A is large.

    Collinear columns make A singular up to rounding: a multiple of its diagonal is added, a
    rounding error's size, which grows until A is positive definite. A row of zeros is taken for
    one of the identity.
    """
    in_place = len(A) > BLOCK
    if in_place:
        mirror(A)  # the upper triangle keeps A for another attempt
    diagonal = diagonal_of(A)
    plain = np.where(diagonal > 0, diagonal, 1.0)
    jitter = 4 * np.finfo(float).eps
    while jitter < 1e200:
        diagonal[:] = plain * (1 + jitter)
        factor, info = lapack.dpotrf(A, lower=1, clean=0, overwrite_a=in_place)
        if info == 0:
            return factor
        if in_place:
            mirror(A.T)
        jitter *= 100
    A[...] = np.eye(len(A))  # A is not finite: the steepest descent, if that is
    return A


def inverse(A):
    """Return the lower triangle of the inverse of A, given by its own; in its place if A is large.

    For few right-hand sides, a product with it takes a fifth of two triangular solves' time.
    """
    inverted, _ = lapack.dpotri(cholesky(A), lower=1, overwrite_c=1)
    return inverted


def symmetric_product(A, vectors):
    """Return each of vectors (n_vectors, size) times A, given by its lower triangle."""
    return dsymm(1.0, A, vectors.T, lower=1).T
