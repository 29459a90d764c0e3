# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The kernels in C, as Python sees them: a stack bound to its parameters and its rows."""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer
from libc.stdlib cimport calloc

from scipy.linalg import cython_blas

cdef extern from "kernels.h" nogil:
    ctypedef void Gemm(
        char *, char *, int *, int *, int *, void *,
        void *, int *, void *, int *, void *, void *, int *
    )
    ctypedef enum Activation "enum Activation":
        pass
    ctypedef enum Rule "enum Rule":
        pass
    ctypedef struct Samples:
        ptrdiff_t n_samples, n_features, row_stride, column_stride
        const char *x
        const void *data
        const int *indices
        const int *indptr
        const ptrdiff_t *rows
        const ptrdiff_t *codes
        const void *weights
        double weight_scale
        const void *mean
        const void *scale
        const void *center
    ctypedef struct Passes
    ctypedef struct Half
    ctypedef struct CStack "Stack":
        const Passes *passes
        ptrdiff_t n_nets, n_layers, n_parameters, n_weights, stride
        Activation activation
        Gemm *gemm
        char *memory
        char *parameters
        const char *decay
        const char *unit
        Samples samples
        Half *half
    int HAS_THREADS
    ctypedef struct Update:
        Rule rule
        double beta1, beta2, epsilon
        const double *momentum
        const double *step_sizes
        char **slots
        char *gradient
    ctypedef struct Passes:
        void (*on_all)(CStack *, ptrdiff_t, char *, double *) noexcept nogil
        void (*on_rows)(CStack *, const ptrdiff_t *, ptrdiff_t, char *, double *) noexcept nogil
        ptrdiff_t (*run_epochs)(
            CStack *, const ptrdiff_t *, ptrdiff_t, ptrdiff_t, const Update *,
            double *, char *, char *, double *
        ) noexcept nogil
        void (*scores)(CStack *, ptrdiff_t, ptrdiff_t, char *) noexcept nogil
        void (*help)(CStack *) noexcept nogil
    const Passes passes_f32
    const Passes passes_f64
    size_t lay_out(CStack *, const int *, int)
    bint add_half(CStack *, const int *, int, ptrdiff_t)
    void free_stack(CStack *)
    void begin_help(CStack *)
    void end_help(CStack *)
    void apply_elementary_f32(int, ptrdiff_t, const float *, float *)
    void apply_elementary_f64(int, ptrdiff_t, const double *, double *)

ctypedef fused real:
    float
    double


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


cdef Gemm *find_gemm(real):
    """Return sgemm or dgemm."""
    arguments = "char *, char *, int *, int *, int *, R, R, int *, R, int *, R, R, int *"
    return <Gemm *>find_blas(f"{real}gemm", arguments.replace("R", f"{real} *"))


cdef Gemm *SGEMM = find_gemm("s")
cdef Gemm *DGEMM = find_gemm("d")


cdef char *address(array, int layout=PyBUF_C_CONTIGUOUS) except? NULL:
    """Return where an array lies, NULL for None; it must outlive the use."""
    cdef Py_buffer view
    if array is None:
        return NULL
    PyObject_GetBuffer(array, &view, layout)
    PyBuffer_Release(&view)
    return <char *>view.buf


cdef class Stack:
    """Nets of the same widths that share their inputs, and room for passes over their rows.

    Parameters
    ----------
    widths : ndarray of int32
        Of the layers, from the features to the classes.
    activation : int
        Its place in `enum Activation`.
    parameters : ndarray of shape (n_nets, n_parameters)
        Shared, as all arrays are.
    n_rows : int
        How many rows a pass takes at most.
    is_sparse : bool
        Whether the rows are CSR.
    """

    cdef CStack stack
    cdef list kept
    cdef bint is_sparse

    def __cinit__(self, const int[::1] widths, int activation, parameters, ptrdiff_t n_rows, bint is_sparse):
        cdef CStack *stack = &self.stack
        self.kept = [parameters]
        self.is_sparse = is_sparse
        if parameters.itemsize == 4:
            stack.passes, stack.gemm = &passes_f32, SGEMM
        else:
            stack.passes, stack.gemm = &passes_f64, DGEMM
        stack.n_nets, stack.n_parameters = parameters.shape
        stack.n_layers = widths.shape[0] - 1
        stack.activation = <Activation>activation
        stack.parameters = address(parameters)
        stack.stride = (n_rows + 15) // 16 * 16
        stack.samples.n_features = widths[0]
        stack.memory = <char *>calloc(lay_out(stack, &widths[0], is_sparse), 1)
        if stack.memory == NULL:
            raise MemoryError(f"no room for passes over {n_rows} rows")
        lay_out(stack, &widths[0], is_sparse)
        if not add_half(stack, &widths[0], is_sparse, n_rows):
            raise MemoryError(f"no room for the halves of {n_rows} rows")

    def __dealloc__(self):
        free_stack(&self.stack)

    @property
    def can_be_helped(self):
        """Whether another thread may take the halves of a single net's batches."""
        return HAS_THREADS and self.stack.half != NULL and self.stack.n_nets == 1

    def begin_help(self):
        """Have `run_epochs` leave half of its work to a thread that calls `help`."""
        begin_help(&self.stack)

    def help(self):
        """Compute halves of batches until `end_help` is called."""
        with nogil:
            self.stack.passes.help(&self.stack)

    def end_help(self):
        """Have `help` return."""
        end_help(&self.stack)

    def set_rows(self, X):
        """Compute on rows of X, dense or CSR."""
        cdef Samples *samples = &self.stack.samples
        self.kept.append(X)
        samples.n_samples = X.shape[0]
        if self.is_sparse:
            samples.data = address(X.data)
            samples.indices = <const int *>address(X.indices)
            samples.indptr = <const int *>address(X.indptr)
        else:
            samples.x = address(X, PyBUF_STRIDES)
            samples.row_stride, samples.column_stride = X.strides

    def set_samples(self, X, codes, weights, double weight_scale, rows):
        """Compute on samples; `rows` (n_samples,) are those in use, all if None."""
        cdef Samples *samples = &self.stack.samples
        self.set_rows(X)
        self.kept += codes, weights, rows
        if rows is not None:
            samples.n_samples = len(rows)
            samples.rows = <const ptrdiff_t *>address(rows)
        samples.codes = <const ptrdiff_t *>address(codes)
        samples.weights = address(weights)
        samples.weight_scale = weight_scale

    def set_columns(self, mean, scale, center):
        """Have the columns brought to a common scale; `center` is of CSR rows or None."""
        cdef Samples *samples = &self.stack.samples
        self.kept += mean, scale, center
        samples.mean, samples.scale, samples.center = address(mean), address(scale), address(center)

    def set_penalty(self, decay, unit):
        """Add a penalty: `decay` (n_nets, 1) without `unit`, else both by parameter."""
        self.kept += decay, unit
        self.stack.decay, self.stack.unit = address(decay), address(unit)

    def on_all(self, ptrdiff_t length, gradient, double[::1] losses):
        """Compute the objective and, unless it is None, its gradient, by `length` rows."""
        cdef char *gradient_address = address(gradient)
        with nogil:
            self.stack.passes.on_all(&self.stack, length, gradient_address, &losses[0])

    def on_rows(self, const ptrdiff_t[::1] rows, gradient, double[::1] losses):
        """Compute the objective on rows and its gradient."""
        cdef char *gradient_address = address(gradient)
        with nogil:
            self.stack.passes.on_rows(
                &self.stack, &rows[0], rows.shape[0], gradient_address, &losses[0]
            )

    def run_epochs(
        self,
        const ptrdiff_t[:, ::1] orders,
        ptrdiff_t batch_size,
        int rule,
        const double[::1] constants,
        const double[::1] momentum,
        const double[:, ::1] step_sizes,
        slots,
        gradient,
        double[:, ::1] losses,
        previous,
        best,
        double[::1] best_losses,
    ):
        """Go through epochs; return how many, fewer than asked for after a loss that is not finite."""
        cdef Update update
        cdef ptrdiff_t n_epochs
        cdef char *previous_address = address(previous)
        cdef char *best_address = address(best)
        update.rule = <Rule>rule
        update.beta1, update.beta2, update.epsilon = constants[0], constants[1], constants[2]
        update.momentum, update.step_sizes = &momentum[0], &step_sizes[0, 0]
        update.slots[0], update.slots[1] = address(slots[0]), address(slots[len(slots) - 1])
        update.gradient = address(gradient)
        with nogil:
            n_epochs = self.stack.passes.run_epochs(
                &self.stack, &orders[0, 0], orders.shape[0], batch_size, &update,
                &losses[0, 0], previous_address, best_address, &best_losses[0],
            )
        return n_epochs

    def scores(self, ptrdiff_t start, out):
        """Compute the scores of rows from `start` on, as many as `out` (n_nets, n_classes, n) holds."""
        cdef char *out_address = address(out)
        cdef ptrdiff_t n_rows = out.shape[2]
        with nogil:
            self.stack.passes.scores(&self.stack, start, n_rows, out_address)


def apply_elementary(str name, const real[::1] values, real[::1] out):
    """Write an elementary function of each of `values` into `out`: for the tests."""
    function = ("exp", "log", "tanh", "logistic", "gaussian", "ndtr").index(name)
    if values.shape[0]:
        if real is float:
            apply_elementary_f32(function, values.shape[0], &values[0], &out[0])
        else:
            apply_elementary_f64(function, values.shape[0], &values[0], &out[0])


include "linear.pxi"
