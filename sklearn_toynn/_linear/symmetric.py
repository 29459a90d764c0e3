"""Symmetric matrices, given by the lower triangle in Fortran order, as in BLAS and LAPACK."""

import numpy as np
from scipy.linalg import lapack
from scipy.linalg.blas import dsymm, dsyrk

#: The number of columns that are mirrored at once. Larger matrices are factored in place.
BLOCK = 256
#: The first and the last multiple of the diagonal that `cholesky` adds to a matrix.
MIN_JITTER, MAX_JITTER = 4 * float(np.finfo(float).eps), 1e200


def diagonal_of(A):
    """Return a writable view of the diagonal of A."""
    return np.einsum("ii->i", A)


def add_gram(A, Z, sign=1.0):
    """Add sign Z^T Z, for Z in C or Fortran order, to the lower triangle of A, and return A."""
    Z, is_transposed = (Z.T, 0) if Z.flags.c_contiguous else (Z, 1)
    return dsyrk(sign, Z, beta=1.0, c=A, trans=is_transposed, lower=1, overwrite_c=1)


def mirror(A):
    """Copy the lower triangle of A to the upper, in place."""
    for start in range(0, len(A), BLOCK):
        part = slice(start, start + BLOCK)
        A[:start, part] = A[part, :start].T
        A[part, part] = np.tril(A[part, part]) + np.tril(A[part, part], -1).T


def cholesky(A):
    """Return the Cholesky factor of A, computed in place if A is large.

    Collinear columns make A singular up to rounding. So a multiple of the diagonal is added, first
    as small as rounding errors, and then larger until A is positive definite. A zero row becomes a
    row of the identity.
    """
    in_place = len(A) > BLOCK
    if in_place:
        mirror(A)  # the upper triangle keeps A for another attempt
    diagonal, jitter = diagonal_of(A), MIN_JITTER
    original = diagonal + (diagonal <= 0)
    while True:
        diagonal[:] = original * (1 + jitter)
        factor, info = lapack.dpotrf(A, lower=1, clean=0, overwrite_a=in_place)
        if info == 0 or jitter > MAX_JITTER:  # A is not finite
            return factor
        if in_place:
            mirror(A.T)
        jitter *= 100


def inverse(A):
    """Return the lower triangle of the inverse of A, computed in place if A is large.

    For few right-hand sides, a product with the inverse is 5 times faster than two triangular
    solves.
    """
    inverted, _ = lapack.dpotri(cholesky(A), lower=1, overwrite_c=1)
    return inverted


def symmetric_product(A, vectors):
    """Return vectors (n_vectors, size) times A, given by its lower triangle."""
    return dsymm(1.0, A, vectors.T, lower=1).T
