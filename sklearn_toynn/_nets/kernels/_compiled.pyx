# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The kernels in C, as Python sees them: a net bound to its parameters and its rows."""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer
from libc.stdint cimport int32_t
from libc.stdlib cimport calloc, free, malloc

from scipy.linalg import cython_blas, cython_lapack

cdef extern from "dispatch.h" nogil:
    ctypedef enum Activation "enum Activation":
        pass
    ctypedef enum Rule "enum Rule":
        pass
    ctypedef struct Samples:
        ptrdiff_t n_samples, n_features, row_stride, column_stride
        const char *x
        int is_double
        const void *data
        const int *indices
        const int *indptr
        const ptrdiff_t *rows
        const ptrdiff_t *codes
        const void *weights
        double weight_scale
        const void *mean
        const void *inv_scale
        const void *center
    ctypedef struct BitGenerator:
        pass
    ctypedef struct CNet "Net":
        const Kernels *kernels
        int n_layers, is_by_entry
        Activation activation
        ptrdiff_t n_parameters, stride
        Samples samples
        const void *parameters
        const void *decay
        const void *param_scale
        char *memory
    ctypedef struct Update:
        Rule rule
        double beta1, beta2, epsilon, momentum, tol
        const double *step_sizes
        void **moments
        void *previous
        void *best
        double *best_loss
        void *gradient
        ptrdiff_t *order
        BitGenerator *bit_generator
    ctypedef struct Kernels:
        size_t entry_size
        size_t (*lay_out)(CNet *, const int *, int32_t *) noexcept nogil
        double (*on_all)(CNet *, ptrdiff_t, void *) noexcept nogil
        double (*on_rows)(CNet *, const ptrdiff_t *, ptrdiff_t, void *) noexcept nogil
        ptrdiff_t (*run_epochs)(
            CNet *, const Update *, ptrdiff_t, ptrdiff_t, ptrdiff_t, double *
        ) noexcept nogil
        void (*scores)(CNet *, ptrdiff_t, void *) noexcept nogil
        void (*elementary)(int, ptrdiff_t, const void *, void *) noexcept nogil
    ctypedef void Gemm(
        char *, char *, int *, int *, int *, void *, void *, int *, void *, int *, void *,
        void *, int *
    )
    ctypedef void dsyrk_t(char *, char *, int *, int *, double *, double *, int *, double *,
                          double *, int *)
    ctypedef void dtrsv_t(char *, char *, char *, int *, double *, int *, double *, int *)
    ctypedef void dpotrf_t(char *, int *, double *, int *, int *)
    ctypedef struct LinearKernels:
        double (*cross_entropy)(double *, const ptrdiff_t *, const double *, double *, ptrdiff_t,
                                ptrdiff_t) noexcept nogil
        void (*softmax)(double *, ptrdiff_t, ptrdiff_t) noexcept nogil
        void (*derivative_change)(double *, const double *, const double *, ptrdiff_t, ptrdiff_t) noexcept nogil
        void (*add_penalty)(double *, const double *, ptrdiff_t, ptrdiff_t) noexcept nogil
        ptrdiff_t (*hessian_rows)(ptrdiff_t) noexcept nogil
        void (*add_hessian)(double *, const double *, const double *, const double *, ptrdiff_t,
                            ptrdiff_t, ptrdiff_t, double *, dsyrk_t *, Gemm *) noexcept nogil
        void (*solve_hessian)(const double *, const double *, double *, ptrdiff_t, ptrdiff_t,
                              dtrsv_t *) noexcept nogil
        ptrdiff_t (*newton_steps)(const double *, const ptrdiff_t *, const double *, const double *,
                                  double *, double *, double *, double *, double *, double *,
                                  ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t, double, double,
                                  double *, int *, int *, dsyrk_t *, Gemm *, dtrsv_t *, dpotrf_t *) noexcept nogil
    ctypedef struct InstructionSet:
        const Kernels **nets
        const LinearKernels *linear
    ctypedef struct Choice:
        const char *name
        const InstructionSet *kernels
        int is_here
    int list_choices(Choice *)

cdef void *find_blas(name, arguments, module=cython_blas) except NULL:
    """Return a function of SciPy's BLAS or LAPACK, whose numbers are int and its own s or d."""
    capsule = getattr(module, "__pyx_capi__", {}).get(name)
    if capsule is None:
        raise ImportError(f"SciPy has no {name} to be called from C")
    signature = PyCapsule_GetName(capsule)
    _, _, library = module.__name__.rpartition(".")
    found = signature.decode().replace(f"__pyx_t_5scipy_6linalg_{len(library)}{library}_", "")
    if found != f"void ({arguments})":
        raise ImportError(f"SciPy's {name} takes other arguments: {found}")
    return PyCapsule_GetPointer(capsule, signature)


cdef Choice choices[3]
cdef int n_choices = list_choices(choices)
cdef const InstructionSet *chosen = NULL


def instruction_sets():
    """Return the names of the instruction sets that this processor has, the best first."""
    return [choices[i].name.decode() for i in range(n_choices) if choices[i].is_here]


def choose(str name):
    """Have an instruction set used from now on."""
    global chosen
    for i in range(n_choices):
        if choices[i].name.decode() == name:
            chosen = choices[i].kernels


choose(instruction_sets()[0])


cdef char *address(array, int layout=PyBUF_C_CONTIGUOUS) except? NULL:
    """Return where an array lies, NULL for None; it must outlive the use."""
    cdef Py_buffer view
    if array is None:
        return NULL
    PyObject_GetBuffer(array, &view, layout)
    PyBuffer_Release(&view)
    return <char *>view.buf


cdef class Net:
    """A net, and room for passes over its rows.

    Parameters
    ----------
    widths : ndarray of int32
        Of the layers, from the features to the classes.
    activation : int
        Its place in `enum Activation`.
    parameters : ndarray of shape (n_parameters,)
        Shared, as all arrays are.
    n_rows : int
        How many rows a pass takes at most.
    is_by_entry : bool
        Whether CSR rows are taken entry by entry, not made dense.
    """

    cdef CNet net
    cdef list kept
    cdef int32_t *place

    def __cinit__(self, const int[::1] widths, int activation, parameters, ptrdiff_t n_rows, bint is_by_entry):
        cdef CNet *net = &self.net
        self.kept = [parameters]
        net.kernels = chosen.nets[parameters.itemsize == 8]
        net.n_parameters = len(parameters)
        net.n_layers = widths.shape[0] - 1
        net.is_by_entry = is_by_entry
        net.activation = <Activation>activation
        net.parameters = address(parameters)
        net.stride = (n_rows + 15) // 16 * 16
        net.samples.n_features = widths[0]
        self.place = <int32_t *>malloc(net.n_parameters * sizeof(int32_t))
        net.memory = <char *>calloc(net.kernels.lay_out(net, &widths[0], NULL), 1)
        if net.memory == NULL or self.place == NULL:
            raise MemoryError(f"no room for passes over {n_rows} rows")
        net.kernels.lay_out(net, &widths[0], self.place)

    def __dealloc__(self):
        free(self.net.memory)
        free(self.place)

    def set_rows(self, X):
        """Compute on rows of X, dense or CSR."""
        cdef Samples *samples = &self.net.samples
        self.kept.append(X)
        samples.n_samples = X.shape[0]
        samples.is_double = X.dtype.itemsize == 8
        if hasattr(X, "indptr"):
            samples.data = address(X.data)
            samples.indices = <const int *>address(X.indices)
            samples.indptr = <const int *>address(X.indptr)
        else:
            samples.x = address(X, PyBUF_STRIDES)
            samples.row_stride, samples.column_stride = X.strides

    def set_samples(self, X, codes, weights, double weight_scale, rows):
        """Compute on samples; `rows` (n_samples,) are those in use, all if None."""
        cdef Samples *samples = &self.net.samples
        self.set_rows(X)
        self.kept += codes, weights, rows
        if rows is not None:
            samples.n_samples = len(rows)
            samples.rows = <const ptrdiff_t *>address(rows)
        samples.codes = <const ptrdiff_t *>address(codes)
        samples.weights = address(weights)
        samples.weight_scale = weight_scale

    def set_columns(self, mean, inv_scale, center):
        """Scale the columns; `center` is of CSR rows or None."""
        cdef Samples *samples = &self.net.samples
        self.kept += mean, inv_scale, center
        samples.mean, samples.inv_scale = address(mean), address(inv_scale)
        samples.center = address(center)

    def set_penalty(self, decay, param_scale):
        """Add a penalty; see `Penalty`."""
        self.kept += decay, param_scale
        self.net.decay, self.net.param_scale = address(decay), address(param_scale)

    def on_all(self, ptrdiff_t length, gradient):
        """Return the objective, and compute its gradient unless that is None, by `length` rows."""
        cdef void *gradient_address = address(gradient)
        cdef double loss
        with nogil:
            loss = self.net.kernels.on_all(&self.net, length, gradient_address)
        return loss

    def on_rows(self, const ptrdiff_t[::1] rows, gradient):
        """Return the objective on rows, and compute its gradient."""
        cdef void *gradient_address = address(gradient)
        cdef double loss
        with nogil:
            loss = self.net.kernels.on_rows(&self.net, &rows[0], rows.shape[0], gradient_address)
        return loss

    def run_epochs(
        self,
        int rule,
        tuple constants,
        const double[:, ::1] step_sizes,
        ptrdiff_t batch_size,
        ptrdiff_t length,
        double tol,
        moments,
        gradient,
        ptrdiff_t[::1] order,
        bit_generator,
        previous,
        best,
        double[::1] best_loss,
        double[::1] losses,
    ):
        """Go through epochs; return how many, fewer than asked for where they end."""
        cdef Update update
        cdef ptrdiff_t n_epochs
        update.rule = <Rule>rule
        update.momentum, update.beta1, update.beta2, update.epsilon = constants
        update.tol = tol
        update.step_sizes = &step_sizes[0, 0]
        update.moments[0] = update.moments[1] = NULL
        for index, moment in enumerate(moments):
            update.moments[index] = address(moment)
        update.gradient = address(gradient)
        update.order = &order[0]
        update.bit_generator = NULL
        if bit_generator is not None:
            update.bit_generator = <BitGenerator *>PyCapsule_GetPointer(
                bit_generator.capsule, "BitGenerator"
            )
        update.previous, update.best = address(previous), address(best)
        update.best_loss = &best_loss[0]
        with nogil:
            n_epochs = self.net.kernels.run_epochs(
                &self.net, &update, step_sizes.shape[0], batch_size, length, &losses[0]
            )
        if n_epochs < 0:
            raise MemoryError("no room for the optimizer state")
        return n_epochs

    def scores(self, out):
        """Compute the scores of the first rows, as many as `out` (n_classes, n) holds."""
        cdef void *out_address = address(out)
        cdef ptrdiff_t n_rows = out.shape[1]
        with nogil:
            self.net.kernels.scores(&self.net, n_rows, out_address)


def apply_elementary(str name, values, out):
    """Write an elementary function of each of `values` into `out`: for the tests."""
    function = ("exp", "log", "tanh", "logistic", "gaussian", "ndtr").index(name)
    chosen.nets[values.itemsize == 8].elementary(function, len(values), address(values), address(out))


# The linear model, for _linear.linear_kernels.

cdef Gemm *dgemm = <Gemm *>find_blas(
    "dgemm",
    "char *, char *, int *, int *, int *, d *, d *, int *, d *, int *, d *, d *, int *",
)
cdef dsyrk_t *dsyrk = <dsyrk_t *>find_blas(
    "dsyrk", "char *, char *, int *, int *, d *, d *, int *, d *, d *, int *"
)
cdef dtrsv_t *dtrsv = <dtrsv_t *>find_blas(
    "dtrsv", "char *, char *, char *, int *, d *, int *, d *, int *"
)
cdef dpotrf_t *dpotrf = <dpotrf_t *>find_blas(
    "dpotrf", "char *, int *, d *, int *, int *", cython_lapack
)


def cross_entropy(double[:, ::1] scores, const ptrdiff_t[::1] codes, const double[::1] weights,
                  double[:, ::1] probabilities):
    cdef double *out = NULL if probabilities is None else &probabilities[0, 0]
    cdef double value
    with nogil:
        value = chosen.linear.cross_entropy(&scores[0, 0], &codes[0], &weights[0], out, scores.shape[0],
                                     scores.shape[1])
    return value


def softmax(double[:, ::1] scores):
    with nogil:
        chosen.linear.softmax(&scores[0, 0], scores.shape[0], scores.shape[1])


def derivative_change(double[:, ::1] changes, const double[:, ::1] probabilities,
                      const double[::1] weights):
    with nogil:
        chosen.linear.derivative_change(&changes[0, 0], &probabilities[0, 0], &weights[0],
                                 changes.shape[0], changes.shape[1])


def add_penalty(double[::1, :] H, const double[::1] ridge, Py_ssize_t n_classes):
    with nogil:
        chosen.linear.add_penalty(&H[0, 0], &ridge[0], n_classes, ridge.shape[0])


cdef double *new_work(Py_ssize_t n_classes, Py_ssize_t size, Py_ssize_t more) except NULL:
    """Return room for `linear_add_hessian`, and for more entries."""
    cdef Py_ssize_t order = (n_classes - 1) * size
    cdef Py_ssize_t n_entries = (order + size) * chosen.linear.hessian_rows(order) + order * size
    cdef double *work = <double *> malloc((n_entries + more) * sizeof(double))
    if work == NULL:
        raise MemoryError
    return work


def add_hessian(H, const double[:, ::1] Z, const double[:, ::1] probabilities,
                const double[::1] weights):
    cdef double[::1, :] entries = H
    cdef double *work = new_work(probabilities.shape[0], Z.shape[1], 0)
    with nogil:
        chosen.linear.add_hessian(&entries[0, 0], &Z[0, 0], &probabilities[0, 0], &weights[0],
                           probabilities.shape[0], Z.shape[0], Z.shape[1], work, dsyrk, dgemm)
        free(work)
    return H


def solve_hessian(const double[::1, :] factor, const double[:, ::1] gradient,
                  double[:, ::1] steps):
    with nogil:
        chosen.linear.solve_hessian(&factor[0, 0], &gradient[0, 0], &steps[0, 0], gradient.shape[0],
                             gradient.shape[1], dtrsv)


def newton_steps(const double[:, ::1] Z, const ptrdiff_t[::1] codes, const double[::1] weights,
                 const double[::1] ridge, double[:, ::1] theta, double[:, ::1] gradient,
                 double loss, double[::1, :] factor, double[:, ::1] probabilities,
                 double[::1] losses, double relative, double absolute):
    cdef Py_ssize_t n_classes = theta.shape[0], n_rows = Z.shape[0], size = Z.shape[1], n_steps
    cdef double *work = new_work(n_classes, size, n_classes * (n_rows + 3 * size))
    cdef int is_current, has_factor
    with nogil:
        n_steps = chosen.linear.newton_steps(&Z[0, 0], &codes[0], &weights[0], &ridge[0], &theta[0, 0],
                                      &gradient[0, 0], &loss, &factor[0, 0],
                                      &probabilities[0, 0], &losses[0], n_classes, n_rows, size,
                                      losses.shape[0], relative, absolute, work,
                                      &is_current, &has_factor, dsyrk, dgemm, dtrsv, dpotrf)
        free(work)
    return n_steps, loss, is_current != 0, has_factor != 0
