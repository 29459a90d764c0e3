# cython: language_level=3, freethreading_compatible=True
"""The Python interface of the C code: a net with its parameters and its rows."""

from cpython.buffer cimport (
    PyBUF_CONTIG,
    PyBUF_CONTIG_RO,
    PyBUF_FORMAT,
    PyBUF_STRIDES,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdlib cimport calloc, free

cdef extern from "dispatch.h" nogil:
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
        const ptrdiff_t *sources
        const void *lowest
        const void *highest
    ctypedef struct BitGenerator:
        pass
    ctypedef struct CNet "Net":
        const Kernels *kernels
        int n_layers, activation, is_by_entry, n_arrays
        ptrdiff_t stride
        Samples samples
        void *parameters
        char *memory
    ctypedef struct Update:
        Rule rule
        double beta1, beta2, epsilon, momentum, tol
        ptrdiff_t n_epochs, batch_size, length
        const double *step_sizes
        void **moments
        void *previous
        void *best
        double *best_loss
        void *gradient
        ptrdiff_t *order
        BitGenerator *bit_generator
        double *losses
    ctypedef struct Kernels:
        size_t entry_size
        size_t (*lay_out)(CNet *, const int *) noexcept nogil
        void (*pack_penalty)(CNet *, const void *, const void *) noexcept nogil
        void (*pack_parameters)(CNet *) noexcept nogil
        double (*objective)(
            CNet *, const ptrdiff_t *, ptrdiff_t, ptrdiff_t, void *
        ) noexcept nogil
        ptrdiff_t (*run_epochs)(CNet *, const Update *) noexcept nogil
        void (*scores)(CNet *, ptrdiff_t, void *) noexcept nogil
        void (*scores_unpacked)(CNet *, ptrdiff_t, void *) noexcept nogil
        void (*encode_rows)(const Samples *, void *) noexcept nogil
        void (*elementary)(int, ptrdiff_t, const void *, void *) noexcept nogil
    ctypedef struct InstructionSet:
        const Kernels **nets
        double (*cross_entropy)(
            double *, const ptrdiff_t *, const double *, ptrdiff_t, ptrdiff_t
        ) noexcept nogil
    ctypedef struct Choice:
        const char *name
        const InstructionSet *kernels
        int is_here
    int list_choices(Choice *)


cdef Choice choices[3]
cdef int n_choices = list_choices(choices)
cdef const InstructionSet *chosen = NULL


def instruction_sets():
    """Return the names of the instruction sets that this processor has, the best first."""
    return [choices[i].name.decode() for i in range(n_choices) if choices[i].is_here]


def choose(str name):
    """Use one of `instruction_sets()` for all nets that are created afterwards."""
    global chosen
    for i in range(n_choices):
        if choices[i].is_here and choices[i].name.decode() == name:
            chosen = choices[i].kernels
            return
    raise ValueError(f"name must be one of {instruction_sets()}, got {name!r}")


choose(instruction_sets()[0])


cdef char *address(
    array, Py_ssize_t length, kind, Py_ssize_t item_size, int layout=PyBUF_CONTIG_RO
) except? NULL:
    """Return the address of an array, NULL for None; the array must outlive the use.

    All arrays are checked here. An array must have `length` entries, all dimensions together, of
    `item_size` bytes and of a `kind`: "fd" for real numbers, "ilq" for signed integers, in native
    byte order. `layout` says whether it must be contiguous, and whether it is written to.
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


cdef ptrdiff_t *integers(array, Py_ssize_t length, int layout=PyBUF_CONTIG_RO) except? NULL:
    """Return the address of an array of intp."""
    return <ptrdiff_t *>address(array, length, "ilq", sizeof(ptrdiff_t), layout)


cdef int check_limit(name, Py_ssize_t value, Py_ssize_t limit) except -1:
    """Raise an error unless 0 <= value <= limit."""
    if not 0 <= value <= limit:
        raise ValueError(f"{name} must be from 0 to {limit}, got {value}")
    return 0


cdef int set_functions(
    Samples *samples, functions, Py_ssize_t n_columns, Py_ssize_t size
) except -1:
    """Set the functions of encoded columns: sources, shift, slope, lowest and highest."""
    sources, shift, slope, lowest, highest = functions
    samples.sources = integers(sources, samples.n_features)
    for j in range(samples.n_features):
        check_limit("sources", samples.sources[j], n_columns - 1)
    samples.mean = address(shift, samples.n_features, "fd", size)
    samples.inv_scale = address(slope, samples.n_features, "fd", size)
    samples.lowest = address(lowest, samples.n_features, "fd", size)
    samples.highest = address(highest, samples.n_features, "fd", size)
    return 0


cdef class Net:
    """A net and the memory for passes over its rows. Arrays are shared, not copied.

    Parameters
    ----------
    widths : ndarray of int32
        The widths of the layers, from the features to the classes.
    activation : int
        The index of the activation in `ACTIVATIONS`.
    parameters : ndarray of shape (n_parameters,)
        The parameters.
    n_rows : int
        The maximum number of rows of a pass.
    is_by_entry : bool
        Whether CSR rows are multiplied entry by entry instead of made dense.
    n_arrays : int
        The number of packed arrays: 8 for training, 1 or 0 for scores only. With 1, the
        parameters are packed in this call, and later changes have no effect. With 0, nothing is
        packed, and each row takes longer.
    """

    cdef CNet net
    cdef list kept  # the arrays in use
    cdef object kept_rows
    cdef ptrdiff_t room, n_parameters, n_classes
    cdef bint has_penalty

    def __cinit__(
        self, widths, int activation, parameters, ptrdiff_t n_rows, bint is_by_entry,
        int n_arrays,
    ):
        cdef CNet *net = &self.net
        cdef int *sizes = <int *>address(widths, len(widths), "ilq", sizeof(int))
        self.kept = [parameters]
        net.kernels = chosen.nets[parameters.itemsize == 8]
        net.n_layers, net.activation, net.is_by_entry = len(widths) - 1, activation, is_by_entry
        net.n_arrays = n_arrays
        if n_arrays not in (8, 1, 0) or (is_by_entry and not n_arrays):
            raise ValueError(f"n_arrays must be 8, 1 or, for dense rows, 0, got {n_arrays}")
        self.room, self.n_classes = n_rows, sizes[net.n_layers]
        for layer in range(net.n_layers):
            self.n_parameters += (<ptrdiff_t>sizes[layer] + 1) * sizes[layer + 1]
        net.parameters = self.reals(parameters, self.n_parameters, PyBUF_CONTIG)
        net.stride = (n_rows + 15) // 16 * 16
        net.samples.n_features = sizes[0]
        net.memory = <char *>calloc(net.kernels.lay_out(net, sizes), 1)
        if net.memory == NULL:
            raise MemoryError(f"not enough memory for passes over {n_rows} rows")
        net.kernels.lay_out(net, sizes)
        if n_arrays == 1:
            net.kernels.pack_parameters(net)

    def __dealloc__(self):
        free(self.net.memory)

    cdef char *reals(self, array, Py_ssize_t length, int layout=PyBUF_CONTIG_RO) except? NULL:
        """Return the address of an array in the dtype of the parameters."""
        return address(array, length, "fd", self.net.kernels.entry_size, layout)

    cdef int check_is_complete(self) except -1:
        """Raise an error unless samples and a penalty are set."""
        if not self.has_penalty or self.net.samples.codes == NULL:
            raise ValueError("set_samples and set_penalty must be called first")
        return 0

    cdef char *as_rows(self, array, Py_ssize_t length, int layout=PyBUF_CONTIG_RO) except? NULL:
        """Return the address of an array in the dtype of X."""
        cdef Py_ssize_t size = sizeof(double) if self.net.samples.is_double else sizeof(float)
        return address(array, length, "fd", size, layout)

    def set_rows(self, X, functions=None):
        """Set the rows, dense or CSR.

        `functions` are sources, shift, slope, lowest and highest of a `PiecewiseEncoding`.
        """
        cdef Samples samples = self.net.samples  # a copy, so that an error changes nothing
        cdef Py_ssize_t size = X.dtype.itemsize, n_columns
        n_samples, n_columns = X.shape
        if functions is None and n_columns != samples.n_features:
            raise ValueError(f"X must have {samples.n_features} columns, got {n_columns}")
        samples.is_double = size == sizeof(double)
        if hasattr(X, "indptr"):
            samples.indptr = <const int *>address(X.indptr, n_samples + 1, "ilq", sizeof(int))
            samples.indices = <const int *>address(X.indices, len(X.indices), "ilq", sizeof(int))
            samples.data = address(X.data, len(X.data), "fd", size)
            check_limit("X.indptr", samples.indptr[n_samples], min(len(X.indices), len(X.data)))
        else:
            samples.x = address(X, n_samples * n_columns, "fd", size, PyBUF_STRIDES)
            samples.row_stride, samples.column_stride = X.strides
        if functions is not None:
            set_functions(&samples, functions, n_columns, size)
        samples.n_samples = n_samples
        self.net.samples, self.kept_rows = samples, (X, functions)

    def set_samples(self, X, codes, weights, double weight_scale, rows, functions=None):
        """Set the samples. `rows` are the indices of the rows in use; None stands for all."""
        cdef Samples *samples = &self.net.samples
        self.set_rows(X, functions)
        self.kept += codes, weights, rows
        samples.codes = integers(codes, samples.n_samples)
        samples.weights = self.reals(weights, samples.n_samples)
        samples.weight_scale = weight_scale
        if rows is not None:
            samples.n_samples = len(rows)
            samples.rows = integers(rows, len(rows))

    def set_columns(self, mean, inv_scale, center):
        """Set the column scaling; `center` is for CSR rows. Arrays have the dtype of X."""
        cdef Samples *samples = &self.net.samples
        self.kept += mean, inv_scale, center
        samples.mean = self.as_rows(mean, samples.n_features)
        samples.inv_scale = self.as_rows(inv_scale, samples.n_features)
        samples.center = self.as_rows(center, samples.n_features)

    def set_penalty(self, decay, param_scale):
        """Set the penalty, which updates and the objective need."""
        if self.net.n_arrays != 8:
            raise ValueError(f"n_arrays must be 8, got {self.net.n_arrays}")
        cdef char *of_decay = self.reals(decay, self.n_parameters)
        cdef char *of_scale = self.reals(param_scale, self.n_parameters)
        self.net.kernels.pack_penalty(&self.net, of_decay, of_scale)
        self.has_penalty = True

    def objective(self, rows, ptrdiff_t length, gradient):
        """Return the objective on `rows`, in chunks of `length`; None stands for the rows in use.

        Write its gradient to `gradient` unless that is None.
        """
        cdef ptrdiff_t n_rows = self.net.samples.n_samples if rows is None else len(rows)
        cdef ptrdiff_t *of_rows = integers(rows, n_rows)
        cdef char *to_gradient = self.reals(gradient, self.n_parameters, PyBUF_CONTIG)
        cdef double loss
        self.check_is_complete()
        check_limit("length", min(length, n_rows), self.room)
        with nogil:
            loss = self.net.kernels.objective(&self.net, of_rows, n_rows, length, to_gradient)
        return loss

    def run_epochs(
        self, int rule, constants, step_sizes, ptrdiff_t batch_size, ptrdiff_t length, double tol,
        moments, gradient, order, bit_generator, previous, best, best_loss, losses,
    ):
        """Run at most ``len(losses)`` epochs and return how many ran; see `Kernels`."""
        cdef Update update
        cdef ptrdiff_t n_samples = self.net.samples.n_samples, size = self.n_parameters, n_epochs
        update.rule, update.tol = <Rule>rule, tol
        update.momentum, update.beta1, update.beta2, update.epsilon = constants
        update.n_epochs, update.batch_size, update.length = len(losses), batch_size, length
        self.check_is_complete()
        check_limit("length", min(length, batch_size, n_samples), self.room)
        update.losses = doubles(losses, len(losses), PyBUF_CONTIG)
        n_updates = len(range(0, n_samples, batch_size))
        update.step_sizes = doubles(step_sizes, len(losses) * n_updates)
        update.order = integers(order, n_samples, PyBUF_CONTIG)
        update.moments[0] = update.moments[1] = NULL
        for index, moment in enumerate(moments):
            update.moments[index] = self.reals(moment, size, PyBUF_CONTIG)
        update.gradient = self.reals(gradient, size, PyBUF_CONTIG)
        update.bit_generator = NULL
        if bit_generator is not None:
            update.bit_generator = <BitGenerator *>PyCapsule_GetPointer(
                bit_generator.capsule, "BitGenerator"
            )
        update.previous = self.reals(previous, size, PyBUF_CONTIG)
        update.best = self.reals(best, size, PyBUF_CONTIG)
        update.best_loss = doubles(best_loss, 1, PyBUF_CONTIG)
        with nogil:
            n_epochs = self.net.kernels.run_epochs(&self.net, &update)
        return n_epochs

    def scores(self, out):
        """Write the scores of the first n rows to `out` (n_classes, n)."""
        cdef ptrdiff_t n_rows
        _, n_rows = out.shape
        cdef char *to_out = self.reals(out, self.n_classes * n_rows, PyBUF_CONTIG)
        check_limit("out.shape[1]", n_rows, min(self.room, self.net.samples.n_samples))
        with nogil:
            if self.net.n_arrays:
                self.net.kernels.scores(&self.net, n_rows, to_out)
            else:
                self.net.kernels.scores_unpacked(&self.net, n_rows, to_out)


def apply_elementary(str name, values, out):
    """Write an elementary function of `values` to `out`, for the tests."""
    function = ("exp", "log", "tanh", "logistic", "gaussian", "ndtr").index(name)
    cdef int size = values.itemsize
    cdef ptrdiff_t n = len(values)
    cdef char *of_values = address(values, n, "fd", size)
    cdef char *to_out = address(out, n, "fd", size, PyBUF_CONTIG)
    chosen.nets[size == sizeof(double)].elementary(function, n, of_values, to_out)


def encode_rows(X, functions, out):
    """Write encoded rows of X into `out`; see `piecewise_encoding.numpy_encode_rows`."""
    cdef Samples samples
    cdef Py_ssize_t size = X.dtype.itemsize
    samples.n_samples, n_columns = X.shape
    samples.n_features = len(functions[0])
    samples.x = address(X, samples.n_samples * n_columns, "fd", size, PyBUF_STRIDES)
    samples.row_stride, samples.column_stride = X.strides
    set_functions(&samples, functions, n_columns, size)
    cdef char *z = address(out, samples.n_samples * samples.n_features, "fd", size, PyBUF_CONTIG)
    with nogil:
        chosen.nets[size == sizeof(double)].encode_rows(&samples, z)


def cross_entropy(scores, codes, weights):
    """Return a weighted cross-entropy; see `_linear.linear_kernels.numpy_cross_entropy`."""
    cdef ptrdiff_t n_classes, n_rows
    n_classes, n_rows = scores.shape
    cdef double *to_scores = doubles(scores, n_classes * n_rows, PyBUF_CONTIG)
    cdef ptrdiff_t *of_codes = integers(codes, n_rows)
    cdef double *of_weights = doubles(weights, n_rows)
    cdef double value
    with nogil:
        value = chosen.cross_entropy(to_scores, of_codes, of_weights, n_classes, n_rows)
    return value
