# cython: language_level=3
"""The kernels in C, as Python sees them: a stack bound to its parameters and its rows."""

from cpython.buffer cimport (
    PyBUF_CONTIG,
    PyBUF_CONTIG_RO,
    PyBUF_F_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBUF_STRIDES,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
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
        size_t entry_size
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


cdef char *address(
    array, Py_ssize_t length, kind, Py_ssize_t item_size, int layout=PyBUF_CONTIG_RO
) except? NULL:
    """Return the address of an array, NULL for None; the array must outlive the use.

    All arrays are checked here. An array must have `length` entries, all dimensions together, of
    `item_size` bytes and of a `kind`: "fd" for real numbers, "ilq" for signed integers, in native
    byte order. `layout` says that it is contiguous, and whether it is written to.
    """
    cdef Py_buffer view
    if array is None:
        return NULL
    PyObject_GetBuffer(array, &view, layout | PyBUF_FORMAT)
    found = view.format.decode()
    is_valid = found in kind and view.itemsize == item_size and view.len == length * item_size
    PyBuffer_Release(&view)
    if not is_valid:
        raise ValueError(
            f"expected {length} entries of {item_size} bytes of a type in {kind!r}, got "
            f"{view.len // view.itemsize} of {view.itemsize} bytes of type {found!r}"
        )
    return <char *>view.buf


cdef double *doubles(array, Py_ssize_t length, int layout=PyBUF_CONTIG_RO) except? NULL:
    return <double *>address(array, length, "fd", sizeof(double), layout)


cdef ptrdiff_t *integers(array, Py_ssize_t length) except? NULL:
    """Return the address of an array of intp."""
    return <ptrdiff_t *>address(array, length, "ilq", sizeof(ptrdiff_t))


cdef int check_limit(name, Py_ssize_t value, Py_ssize_t limit) except -1:
    """Raise an error unless a number is from 0 to a limit."""
    if not 0 <= value <= limit:
        raise ValueError(f"{name} must be from 0 to {limit}, got {value}")
    return 0


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
    cdef ptrdiff_t room, n_classes

    def __cinit__(self, widths, int activation, parameters, ptrdiff_t n_rows, bint is_sparse):
        cdef CStack *stack = &self.stack
        cdef int *sizes = <int *>address(widths, len(widths), "ilq", sizeof(int))
        self.kept = [parameters]
        self.is_sparse = is_sparse
        if parameters.itemsize == 4:
            stack.passes, stack.gemm = &passes_f32, SGEMM
        else:
            stack.passes, stack.gemm = &passes_f64, DGEMM
        stack.n_nets = len(parameters)
        stack.n_layers = len(widths) - 1
        for layer in range(stack.n_layers):
            stack.n_parameters += (<ptrdiff_t>sizes[layer] + 1) * sizes[layer + 1]
        stack.activation = <Activation>activation
        stack.parameters = self.per_net(parameters, stack.n_parameters, PyBUF_CONTIG)
        self.room, self.n_classes = n_rows, sizes[stack.n_layers]
        stack.stride = (n_rows + 15) // 16 * 16
        stack.samples.n_features = sizes[0]
        stack.memory = <char *>calloc(lay_out(stack, sizes, is_sparse), 1)
        if stack.memory == NULL:
            raise MemoryError(f"no room for passes over {n_rows} rows")
        lay_out(stack, sizes, is_sparse)
        if not add_half(stack, sizes, is_sparse, n_rows):
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

    cdef char *reals(
        self, array, Py_ssize_t length, int layout=PyBUF_CONTIG_RO
    ) except? NULL:
        """Return the address of an array in the dtype of the parameters."""
        return address(array, length, "fd", self.stack.passes.entry_size, layout)

    cdef char *per_net(self, array, Py_ssize_t length, int layout=PyBUF_CONTIG_RO) except? NULL:
        """Return the address of such an array with `length` entries for each net."""
        return self.reals(array, self.stack.n_nets * length, layout)

    def set_rows(self, X):
        """Compute on rows of X, dense or CSR."""
        cdef Samples *samples = &self.stack.samples
        self.kept.append(X)
        n_samples, n_features = X.shape
        if n_features != samples.n_features:
            raise ValueError(f"X must have {samples.n_features} columns, got {n_features}")
        if self.is_sparse:
            samples.indptr = <const int *>address(X.indptr, n_samples + 1, "ilq", sizeof(int))
            samples.indices = <const int *>address(X.indices, len(X.indices), "ilq", sizeof(int))
            samples.data = self.reals(X.data, len(X.data))
            check_limit("X.indptr", samples.indptr[n_samples], min(len(X.indices), len(X.data)))
        else:
            samples.x = self.reals(X, n_samples * samples.n_features, PyBUF_STRIDES)
            samples.row_stride, samples.column_stride = X.strides
        samples.n_samples = n_samples

    def set_samples(self, X, codes, weights, double weight_scale, rows):
        """Compute on samples; `rows` (n_samples,) are those in use, all if None."""
        cdef Samples *samples = &self.stack.samples
        self.set_rows(X)
        self.kept += codes, weights, rows
        samples.codes = integers(codes, samples.n_samples)
        samples.weights = self.reals(weights, samples.n_samples)
        samples.weight_scale = weight_scale
        if rows is not None:
            samples.n_samples = len(rows)
            samples.rows = integers(rows, len(rows))

    def set_columns(self, mean, scale, center):
        """Have the columns brought to a common scale; `center` is of CSR rows or None."""
        cdef Samples *samples = &self.stack.samples
        self.kept += mean, scale, center
        samples.mean = self.reals(mean, samples.n_features)
        samples.scale = self.reals(scale, samples.n_features)
        samples.center = self.reals(center, samples.n_features)

    def set_penalty(self, decay, unit):
        """Add a penalty: `decay` (n_nets, 1) without `unit`, else both by parameter."""
        self.kept += decay, unit
        self.stack.decay = self.per_net(decay, 1 if unit is None else self.stack.n_weights)
        self.stack.unit = self.per_net(unit, self.stack.n_parameters)

    def on_all(self, ptrdiff_t length, gradient, losses):
        """Compute the objective and, unless it is None, its gradient, by `length` rows."""
        cdef char *to_gradient = self.per_net(gradient, self.stack.n_parameters, PyBUF_CONTIG)
        cdef double *to_losses = doubles(losses, self.stack.n_nets, PyBUF_CONTIG)
        check_limit("length", length, self.room)
        with nogil:
            self.stack.passes.on_all(&self.stack, length, to_gradient, to_losses)

    def on_rows(self, rows, gradient, losses):
        """Compute the objective on rows and its gradient."""
        cdef ptrdiff_t n_rows = len(rows)
        cdef ptrdiff_t *of_rows = integers(rows, n_rows)
        cdef char *to_gradient = self.per_net(gradient, self.stack.n_parameters, PyBUF_CONTIG)
        cdef double *to_losses = doubles(losses, self.stack.n_nets, PyBUF_CONTIG)
        check_limit("len(rows)", n_rows, self.room)
        with nogil:
            self.stack.passes.on_rows(&self.stack, of_rows, n_rows, to_gradient, to_losses)

    def run_epochs(
        self, orders, ptrdiff_t batch_size, int rule, constants, momentum, step_sizes, slots,
        gradient, losses, previous, best, best_losses,
    ):
        """Go through epochs; return how many, fewer than asked for after a loss that is not finite."""
        cdef Update update
        cdef CStack *stack = &self.stack
        cdef ptrdiff_t n_epochs = len(orders), size = stack.n_parameters
        cdef ptrdiff_t n_batches = len(range(0, stack.samples.n_samples, batch_size))
        cdef ptrdiff_t *of_orders = integers(orders, n_epochs * stack.samples.n_samples)
        cdef double *of_constants = doubles(constants, 3)
        cdef double *to_losses = doubles(losses, n_epochs * stack.n_nets, PyBUF_CONTIG)
        cdef double *to_best_losses = doubles(best_losses, stack.n_nets, PyBUF_CONTIG)
        cdef char *to_previous = self.per_net(previous, size, PyBUF_CONTIG)
        cdef char *to_best = self.per_net(best, size, PyBUF_CONTIG)
        check_limit("batch_size", min(batch_size, stack.samples.n_samples), self.room)
        update.rule = <Rule>rule
        update.beta1, update.beta2, update.epsilon = of_constants[0], of_constants[1], of_constants[2]
        update.momentum = doubles(momentum, stack.n_nets)
        update.step_sizes = doubles(step_sizes, n_epochs * n_batches * stack.n_nets)
        update.slots[0] = self.per_net(slots[0], size, PyBUF_CONTIG)
        update.slots[1] = self.per_net(slots[len(slots) - 1], size, PyBUF_CONTIG)
        update.gradient = self.per_net(gradient, size, PyBUF_CONTIG)
        with nogil:
            n_epochs = stack.passes.run_epochs(
                stack, of_orders, n_epochs, batch_size, &update, to_losses, to_previous, to_best,
                to_best_losses,
            )
        return n_epochs

    def scores(self, ptrdiff_t start, out):
        """Compute the scores of rows from `start` on, as many as `out` (n_nets, n_classes, n) holds."""
        cdef ptrdiff_t n_rows
        _, _, n_rows = out.shape
        cdef char *to_out = self.per_net(out, self.n_classes * n_rows, PyBUF_CONTIG)
        check_limit("out.shape[2]", n_rows, self.room)
        check_limit("start", start, self.stack.samples.n_samples - n_rows)
        with nogil:
            self.stack.passes.scores(&self.stack, start, n_rows, to_out)


def apply_elementary(str name, values, out):
    """Write an elementary function of each of `values` into `out`: for the tests."""
    function = ("exp", "log", "tanh", "logistic", "gaussian", "ndtr").index(name)
    cdef int size = values.itemsize
    cdef ptrdiff_t n = len(values)
    cdef char *of_values = address(values, n, "fd", size)
    cdef char *to_out = address(out, n, "fd", size, PyBUF_CONTIG)
    if size == sizeof(float):
        apply_elementary_f32(function, n, <float *>of_values, <float *>to_out)
    else:
        apply_elementary_f64(function, n, <double *>of_values, <double *>to_out)


include "linear.pxi"
