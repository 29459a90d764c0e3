"""The linear model's kernels, for linear/compiled_kernels.py."""

from libc.stdlib cimport malloc

from scipy.linalg import cython_lapack

cdef extern from "kernels.h" nogil:
    ctypedef void dsyrk_t(char *, char *, int *, int *, double *, double *, int *, double *,
                          double *, int *)
    ctypedef void dtrsv_t(char *, char *, char *, int *, double *, int *, double *, int *)
    ctypedef void dpotrf_t(char *, int *, double *, int *, int *)
    double linear_cross_entropy(double *, const ptrdiff_t *, const double *, double *,
                                Py_ssize_t, Py_ssize_t)
    void linear_softmax(double *, Py_ssize_t, Py_ssize_t)
    void linear_derivative_change(double *, const double *, const double *, Py_ssize_t, Py_ssize_t)
    void linear_add_penalty(double *, const double *, Py_ssize_t, Py_ssize_t)
    Py_ssize_t linear_hessian_rows(Py_ssize_t)
    void linear_add_hessian(double *, const double *, const double *, const double *, Py_ssize_t,
                            Py_ssize_t, Py_ssize_t, double *, dsyrk_t *, Gemm *)
    void linear_solve_hessian(const double *, const double *, double *, Py_ssize_t, Py_ssize_t,
                              dtrsv_t *)
    Py_ssize_t linear_newton_steps(const double *, const ptrdiff_t *, const double *,
                                   const double *, double *, double *, double *, double *,
                                   double *, double *, Py_ssize_t, Py_ssize_t, Py_ssize_t,
                                   Py_ssize_t, double, double, double *, int *, int *, dsyrk_t *,
                                   Gemm *, dtrsv_t *, dpotrf_t *)


cdef dsyrk_t *dsyrk = <dsyrk_t *>find_blas(
    "dsyrk", "char *, char *, int *, int *, d *, d *, int *, d *, d *, int *"
)
cdef dtrsv_t *dtrsv = <dtrsv_t *>find_blas(
    "dtrsv", "char *, char *, char *, int *, d *, int *, d *, int *"
)
cdef dpotrf_t *dpotrf = <dpotrf_t *>find_blas(
    "dpotrf", "char *, int *, d *, int *, int *", cython_lapack
)


def cross_entropy(scores, codes, weights, probabilities):
    cdef Py_ssize_t n_classes, n_rows
    n_classes, n_rows = scores.shape
    cdef double *to_scores = doubles(scores, n_classes * n_rows, PyBUF_CONTIG)
    cdef double *to_probabilities = doubles(probabilities, n_classes * n_rows, PyBUF_CONTIG)
    cdef double *of_weights = doubles(weights, n_rows)
    cdef ptrdiff_t *of_codes = integers(codes, n_rows)
    cdef double value
    with nogil:
        value = linear_cross_entropy(to_scores, of_codes, of_weights, to_probabilities, n_classes,
                                     n_rows)
    return value


def softmax(scores):
    cdef Py_ssize_t n_classes, n_rows
    n_classes, n_rows = scores.shape
    cdef double *to_scores = doubles(scores, n_classes * n_rows, PyBUF_CONTIG)
    with nogil:
        linear_softmax(to_scores, n_classes, n_rows)


def derivative_change(changes, probabilities, weights):
    cdef Py_ssize_t n_classes, n_rows
    n_classes, n_rows = changes.shape
    cdef double *to_changes = doubles(changes, n_classes * n_rows, PyBUF_CONTIG)
    cdef double *of_probabilities = doubles(probabilities, n_classes * n_rows)
    cdef double *of_weights = doubles(weights, n_rows)
    with nogil:
        linear_derivative_change(to_changes, of_probabilities, of_weights, n_classes, n_rows)


cdef double *hessian(array, Py_ssize_t n_classes, Py_ssize_t size, int access=0) except? NULL:
    """Return the address of a Hessian or its factor, in Fortran order."""
    return doubles(array, ((n_classes - 1) * size) ** 2, PyBUF_F_CONTIGUOUS | access)


def add_penalty(H, ridge, Py_ssize_t n_classes):
    cdef Py_ssize_t size = len(ridge)
    cdef double *to_H = hessian(H, n_classes, size, PyBUF_WRITABLE)
    cdef double *of_ridge = doubles(ridge, size)
    with nogil:
        linear_add_penalty(to_H, of_ridge, n_classes, size)


cdef double *new_work(Py_ssize_t n_classes, Py_ssize_t size, Py_ssize_t more) except NULL:
    """Return room for `linear_add_hessian`, and for more entries."""
    cdef Py_ssize_t order = (n_classes - 1) * size
    cdef Py_ssize_t n_entries = (order + size) * linear_hessian_rows(order) + order * size
    cdef double *work = <double *> malloc((n_entries + more) * sizeof(double))
    if work == NULL:
        raise MemoryError
    return work


def add_hessian(H, Z, probabilities, weights):
    cdef Py_ssize_t n_classes = len(probabilities), n_rows, size
    n_rows, size = Z.shape
    cdef double *to_H = hessian(H, n_classes, size, PyBUF_WRITABLE)
    cdef double *of_Z = doubles(Z, n_rows * size)
    cdef double *of_probabilities = doubles(probabilities, n_classes * n_rows)
    cdef double *of_weights = doubles(weights, n_rows)
    cdef double *work = new_work(n_classes, size, 0)
    with nogil:
        linear_add_hessian(to_H, of_Z, of_probabilities, of_weights, n_classes, n_rows, size, work,
                           dsyrk, DGEMM)
        free(work)
    return H


def solve_hessian(factor, gradient, steps):
    cdef Py_ssize_t n_classes, size
    n_classes, size = gradient.shape
    cdef double *of_factor = hessian(factor, n_classes, size)
    cdef double *of_gradient = doubles(gradient, n_classes * size)
    cdef double *to_steps = doubles(steps, n_classes * size, PyBUF_CONTIG)
    with nogil:
        linear_solve_hessian(of_factor, of_gradient, to_steps, n_classes, size, dtrsv)


def newton_steps(Z, codes, weights, ridge, theta, gradient, double loss, factor, probabilities,
                 losses, double relative, double absolute):
    cdef Py_ssize_t n_classes = len(theta), n_rows, size, n_steps, max_steps = len(losses)
    n_rows, size = Z.shape
    cdef double *of_Z = doubles(Z, n_rows * size)
    cdef ptrdiff_t *of_codes = integers(codes, n_rows)
    cdef double *of_weights = doubles(weights, n_rows)
    cdef double *of_ridge = doubles(ridge, size)
    cdef double *to_theta = doubles(theta, n_classes * size, PyBUF_CONTIG)
    cdef double *to_gradient = doubles(gradient, n_classes * size, PyBUF_CONTIG)
    cdef double *to_factor = hessian(factor, n_classes, size, PyBUF_WRITABLE)
    cdef double *to_probabilities = doubles(probabilities, n_classes * n_rows, PyBUF_CONTIG)
    cdef double *to_losses = doubles(losses, max_steps, PyBUF_CONTIG)
    cdef double *work = new_work(n_classes, size, n_classes * (n_rows + 3 * size))
    cdef int is_current, has_factor
    with nogil:
        n_steps = linear_newton_steps(of_Z, of_codes, of_weights, of_ridge, to_theta, to_gradient,
                                      &loss, to_factor, to_probabilities, to_losses, n_classes,
                                      n_rows, size, max_steps, relative, absolute, work,
                                      &is_current, &has_factor, dsyrk, DGEMM, dtrsv, dpotrf)
        free(work)
    return n_steps, loss, is_current != 0, has_factor != 0
