"""The linear model's kernels, for linear/compiled_kernels.py."""

from libc.stdlib cimport free, malloc

cdef extern from "kernels.h" nogil:
    ctypedef void dsyrk_t(char *, char *, int *, int *, double *, double *, int *, double *,
                          double *, int *)
    ctypedef void dtrsv_t(char *, char *, char *, int *, double *, int *, double *, int *)
    double linear_cross_entropy(double *, const Py_ssize_t *, const double *, double *,
                                Py_ssize_t, Py_ssize_t)
    void linear_softmax(double *, Py_ssize_t, Py_ssize_t)
    void linear_derivative_change(double *, const double *, const double *, Py_ssize_t, Py_ssize_t)
    void linear_start_hessian(double *, const double *, Py_ssize_t, Py_ssize_t)
    Py_ssize_t linear_hessian_rows(Py_ssize_t)
    void linear_add_hessian(double *, const double *, const double *, const double *, Py_ssize_t,
                            Py_ssize_t, Py_ssize_t, double *, dsyrk_t *, Gemm *)
    void linear_solve_hessian(const double *, const double *, double *, Py_ssize_t, Py_ssize_t,
                              dtrsv_t *)


cdef dsyrk_t *dsyrk = <dsyrk_t *>find_blas(
    "dsyrk", "char *, char *, int *, int *, d *, d *, int *, d *, d *, int *"
)
cdef dtrsv_t *dtrsv = <dtrsv_t *>find_blas(
    "dtrsv", "char *, char *, char *, int *, d *, int *, d *, int *"
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


def start_hessian(double[::1, :] H, const double[::1] ridge, Py_ssize_t n_classes):
    with nogil:
        linear_start_hessian(&H[0, 0], &ridge[0], n_classes, ridge.shape[0])


def add_hessian(double[::1, :] H, const double[:, ::1] Z, const double[:, ::1] probabilities,
                const double[::1] weights):
    cdef Py_ssize_t n_classes = probabilities.shape[0], size = Z.shape[1], order = H.shape[0]
    cdef Py_ssize_t n_entries = (order + size) * linear_hessian_rows(order) + order * size
    cdef double *work = <double *> malloc(n_entries * sizeof(double))
    if work == NULL:
        raise MemoryError
    with nogil:
        linear_add_hessian(&H[0, 0], &Z[0, 0], &probabilities[0, 0], &weights[0], n_classes,
                           Z.shape[0], size, work, dsyrk, DGEMM)
        free(work)


def solve_hessian(const double[::1, :] factor, const double[:, ::1] gradient,
                  double[:, ::1] steps):
    with nogil:
        linear_solve_hessian(&factor[0, 0], &gradient[0, 0], &steps[0, 0], gradient.shape[0],
                             gradient.shape[1], dtrsv)
