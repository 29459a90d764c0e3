"""The linear model's kernels, for linear/compiled_kernels.py."""

from libc.stdlib cimport malloc

from scipy.linalg import cython_lapack

cdef extern from "kernels.h" nogil:
    ctypedef void dsyrk_t(char *, char *, int *, int *, double *, double *, int *, double *,
                          double *, int *)
    ctypedef void dtrsv_t(char *, char *, char *, int *, double *, int *, double *, int *)
    ctypedef void dpotrf_t(char *, int *, double *, int *, int *)
    double linear_cross_entropy(double *, const Py_ssize_t *, const double *, double *,
                                Py_ssize_t, Py_ssize_t)
    void linear_softmax(double *, Py_ssize_t, Py_ssize_t)
    void linear_derivative_change(double *, const double *, const double *, Py_ssize_t, Py_ssize_t)
    void linear_add_penalty(double *, const double *, Py_ssize_t, Py_ssize_t)
    Py_ssize_t linear_hessian_rows(Py_ssize_t)
    void linear_add_hessian(double *, const double *, const double *, const double *, Py_ssize_t,
                            Py_ssize_t, Py_ssize_t, double *, dsyrk_t *, Gemm *)
    void linear_solve_hessian(const double *, const double *, double *, Py_ssize_t, Py_ssize_t,
                              dtrsv_t *)
    Py_ssize_t linear_newton_steps(const double *, const Py_ssize_t *, const double *,
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


def cross_entropy(double[:, ::1] scores, const Py_ssize_t[::1] codes, const double[::1] weights,
                  double[:, ::1] probabilities):
    cdef double *out = NULL if probabilities is None else &probabilities[0, 0]
    cdef double value
    with nogil:
        value = linear_cross_entropy(&scores[0, 0], &codes[0], &weights[0], out, scores.shape[0],
                                     scores.shape[1])
    return value


def softmax(double[:, ::1] scores):
    with nogil:
        linear_softmax(&scores[0, 0], scores.shape[0], scores.shape[1])


def derivative_change(double[:, ::1] changes, const double[:, ::1] probabilities,
                      const double[::1] weights):
    with nogil:
        linear_derivative_change(&changes[0, 0], &probabilities[0, 0], &weights[0],
                                 changes.shape[0], changes.shape[1])


def add_penalty(double[::1, :] H, const double[::1] ridge, Py_ssize_t n_classes):
    with nogil:
        linear_add_penalty(&H[0, 0], &ridge[0], n_classes, ridge.shape[0])


cdef double *new_work(Py_ssize_t n_classes, Py_ssize_t size, Py_ssize_t more) except NULL:
    """Return room for `linear_add_hessian`, and for more entries."""
    cdef Py_ssize_t order = (n_classes - 1) * size
    cdef Py_ssize_t n_entries = (order + size) * linear_hessian_rows(order) + order * size
    cdef double *work = <double *> malloc((n_entries + more) * sizeof(double))
    if work == NULL:
        raise MemoryError
    return work


def add_hessian(H, const double[:, ::1] Z, const double[:, ::1] probabilities,
                const double[::1] weights):
    cdef double[::1, :] entries = H
    cdef double *work = new_work(probabilities.shape[0], Z.shape[1], 0)
    with nogil:
        linear_add_hessian(&entries[0, 0], &Z[0, 0], &probabilities[0, 0], &weights[0],
                           probabilities.shape[0], Z.shape[0], Z.shape[1], work, dsyrk, DGEMM)
        free(work)
    return H


def solve_hessian(const double[::1, :] factor, const double[:, ::1] gradient,
                  double[:, ::1] steps):
    with nogil:
        linear_solve_hessian(&factor[0, 0], &gradient[0, 0], &steps[0, 0], gradient.shape[0],
                             gradient.shape[1], dtrsv)


def newton_steps(const double[:, ::1] Z, const Py_ssize_t[::1] codes, const double[::1] weights,
                 const double[::1] ridge, double[:, ::1] theta, double[:, ::1] gradient,
                 double loss, double[::1, :] factor, double[:, ::1] probabilities,
                 double[::1] losses, double relative, double absolute):
    cdef Py_ssize_t n_classes = theta.shape[0], n_rows = Z.shape[0], size = Z.shape[1], n_steps
    cdef double *work = new_work(n_classes, size, n_classes * (n_rows + 3 * size))
    cdef int is_current, has_factor
    with nogil:
        n_steps = linear_newton_steps(&Z[0, 0], &codes[0], &weights[0], &ridge[0], &theta[0, 0],
                                      &gradient[0, 0], &loss, &factor[0, 0],
                                      &probabilities[0, 0], &losses[0], n_classes, n_rows, size,
                                      losses.shape[0], relative, absolute, work,
                                      &is_current, &has_factor, dsyrk, DGEMM, dtrsv, dpotrf)
        free(work)
    return n_steps, loss, is_current != 0, has_factor != 0
