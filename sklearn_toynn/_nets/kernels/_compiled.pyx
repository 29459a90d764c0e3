# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The kernels in C, as Python sees them: a net bound to its parameters and its rows."""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer
from libc.stdlib cimport calloc, free

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
    ctypedef struct CNet "Net":
        const Passes *passes
        ptrdiff_t n_layers, n_parameters, n_weights, stride
        Activation activation
        Gemm *gemm
        char *memory
        void *parameters
        const void *decay
        const void *param_scale
        Samples samples
    ctypedef struct BitGenerator:
        pass
    ctypedef struct Update:
        Rule rule
        double beta1, beta2, epsilon, momentum, tol
        const double *step_sizes
        void **moments
        void *gradient
        ptrdiff_t *order
        BitGenerator *bit_generator
        void *previous
        void *best
        double *best_loss
    ctypedef struct Passes:
        double (*on_all)(CNet *, ptrdiff_t, void *) noexcept nogil
        double (*on_rows)(CNet *, const ptrdiff_t *, ptrdiff_t, void *) noexcept nogil
        ptrdiff_t (*run_epochs)(
            CNet *, const Update *, ptrdiff_t, ptrdiff_t, ptrdiff_t, double *
        ) noexcept nogil
        void (*scores)(CNet *, ptrdiff_t, ptrdiff_t, void *) noexcept nogil
    const Passes passes_f32
    const Passes passes_f64
    size_t lay_out(CNet *, const int *, int)
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
    is_sparse : bool
        Whether the rows are CSR.
    """

    cdef CNet net
    cdef list kept
    cdef bint is_sparse

    def __cinit__(self, const int[::1] widths, int activation, parameters, ptrdiff_t n_rows, bint is_sparse):
        cdef CNet *net = &self.net
        self.kept = [parameters]
        self.is_sparse = is_sparse
        if parameters.itemsize == 4:
            net.passes, net.gemm = &passes_f32, SGEMM
        else:
            net.passes, net.gemm = &passes_f64, DGEMM
        net.n_parameters = len(parameters)
        net.n_layers = widths.shape[0] - 1
        net.activation = <Activation>activation
        net.parameters = address(parameters)
        net.stride = (n_rows + 15) // 16 * 16
        net.samples.n_features = widths[0]
        net.memory = <char *>calloc(lay_out(net, &widths[0], is_sparse), 1)
        if net.memory == NULL:
            raise MemoryError(f"no room for passes over {n_rows} rows")
        lay_out(net, &widths[0], is_sparse)

    def __dealloc__(self):
        free(self.net.memory)

    def set_rows(self, X):
        """Compute on rows of X, dense or CSR."""
        cdef Samples *samples = &self.net.samples
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
        cdef Samples *samples = &self.net.samples
        self.set_rows(X)
        self.kept += codes, weights, rows
        if rows is not None:
            samples.n_samples = len(rows)
            samples.rows = <const ptrdiff_t *>address(rows)
        samples.codes = <const ptrdiff_t *>address(codes)
        samples.weights = address(weights)
        samples.weight_scale = weight_scale

    def set_columns(self, mean, scale, center):
        """Scale the columns; `center` is of CSR rows or None."""
        cdef Samples *samples = &self.net.samples
        self.kept += mean, scale, center
        samples.mean, samples.scale, samples.center = address(mean), address(scale), address(center)

    def set_penalty(self, decay, param_scale):
        """Add a penalty; see `Penalty`."""
        self.kept += decay, param_scale
        self.net.decay, self.net.param_scale = address(decay), address(param_scale)

    def on_all(self, ptrdiff_t length, gradient):
        """Return the objective, and compute its gradient unless that is None, by `length` rows."""
        cdef void *gradient_address = address(gradient)
        cdef double loss
        with nogil:
            loss = self.net.passes.on_all(&self.net, length, gradient_address)
        return loss

    def on_rows(self, const ptrdiff_t[::1] rows, gradient):
        """Return the objective on rows, and compute its gradient."""
        cdef void *gradient_address = address(gradient)
        cdef double loss
        with nogil:
            loss = self.net.passes.on_rows(&self.net, &rows[0], rows.shape[0], gradient_address)
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
            n_epochs = self.net.passes.run_epochs(
                &self.net, &update, step_sizes.shape[0], batch_size, length, &losses[0]
            )
        return n_epochs

    def scores(self, ptrdiff_t start, out):
        """Compute the scores of rows from `start` on, as many as `out` (n_classes, n) holds."""
        cdef void *out_address = address(out)
        cdef ptrdiff_t n_rows = out.shape[1]
        with nogil:
            self.net.passes.scores(&self.net, start, n_rows, out_address)


def apply_elementary(str name, const real[::1] values, real[::1] out):
    """Write an elementary function of each of `values` into `out`: for the tests."""
    function = ("exp", "log", "tanh", "logistic", "gaussian", "ndtr").index(name)
    if values.shape[0]:
        if real is float:
            apply_elementary_f32(function, values.shape[0], &values[0], &out[0])
        else:
            apply_elementary_f64(function, values.shape[0], &values[0], &out[0])


include "linear.pxi"
