/* The data structures of the kernels: a net, the rows it computes on, an update rule. */
#ifndef NET_H
#define NET_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum Activation { RELU, LEAKY_RELU, LOGISTIC, TANH, GELU, SILU, IDENTITY };
enum Rule { GRADIENT_DESCENT, NESTEROV_MOMENTUM, ADAM };

/* BLAS's GEMM: C <- alpha op(A) op(B) + beta C, column after column. */
typedef void Gemm(char *transa, char *transb, int *m, int *n, int *k, void *alpha, void *a,
                  int *lda, void *b, int *ldb, void *beta, void *c, int *ldc);

/* A layer; its arrays are (fan_out, stride), a row for each unit. */
typedef struct {
    int fan_in, fan_out, is_thin;
    ptrdiff_t weights, biases; /* where they begin in the parameters */
    void *values;              /* f(z); of the last layer the scores, then their exponentials */
    void *slopes;              /* f'(z), where it does not follow from f(z) */
    void *delta;               /* the loss's derivative by z; of the last layer it is `values` */
} Layer;

/* Rows of data, dense where `x` is given, else CSR. Strides are in bytes. */
typedef struct {
    ptrdiff_t n_samples, n_features;
    const char *x;
    ptrdiff_t row_stride, column_stride;
    const void *data;
    const int *indices, *indptr;
    const ptrdiff_t *rows;           /* those in use, all where NULL */
    const ptrdiff_t *codes;          /* of the classes */
    const void *weights;             /* of the samples */
    double weight_scale;             /* brings the weights in use to a mean of 1 */
    const void *mean, *scale;        /* of the columns, NULL where they stay as they are */
    const void *center;              /* CSR: what scaled columns that are not stored hold */
} Samples;

/* The rows that a pass is on: padded to a whole number of LANES by rows of zeros, of weight 0. */
typedef struct {
    ptrdiff_t n, n_padded;
    const void *x;      /* dense: row after row */
    ptrdiff_t x_stride; /* from row to row, in entries */
    ptrdiff_t *rows;    /* CSR: which they are */
    ptrdiff_t *codes;
    void *loss_weights; /* the factors of their terms in the loss */
} Batch;

typedef struct Passes Passes;

typedef struct {
    const Passes *passes;
    ptrdiff_t n_layers, n_parameters, n_weights;
    enum Activation activation;
    Gemm *gemm;
    char *memory; /* which holds the layers, and the arrays at the end of this list */
    Layer *layers;
    void *parameters;        /* (n_parameters,) */
    ptrdiff_t stride;        /* of the layers' arrays: the largest number of rows, padded */
    const void *decay;       /* of weights: one, or (n_weights,) where columns are scaled */
    const void *param_scale; /* parameters over the solver's variables, NULL where they are equal */
    Samples samples;
    Batch batch;
    void *rows;          /* (stride, n_features); where the first layer is thin, padded, and also */
    void *features;      /* (n_features, stride) */
    void *totals;        /* (stride,) */
    void *own_scores;    /* (stride,) */
    void *sums;          /* of a layer's deltas, by units */
    void *first_weights; /* CSR: (n_features, fan_out) of the first layer, and its gradient */
    void *first_gradient;
    void *by_row;        /* CSR: (stride, fan_out) */
} Net;

/* NumPy's interface to its bit generators, numpy/random/bitgen.h: stable since NumPy 1.17. */
typedef struct {
    void *state;
    uint64_t (*next_uint64)(void *state);
    uint32_t (*next_uint32)(void *state);
    double (*next_double)(void *state);
    uint64_t (*next_raw)(void *state);
} BitGenerator;

/* How epochs change the parameters. */
typedef struct {
    enum Rule rule;
    double beta1, beta2, epsilon; /* of Adam */
    double momentum;              /* of Nesterov's momentum */
    double tol;                   /* of gradient descent: ends where no gradient entry is larger */
    const double *step_sizes;     /* (n_epochs, n_updates) */
    void *moments[2];             /* the solver's memory, (n_parameters,) each */
    void *gradient;               /* (n_parameters,) */
    ptrdiff_t *order;             /* (n_samples,): room for the order of the rows */
    BitGenerator *bit_generator;  /* shuffles them; NULL leaves them in their order */
    void *previous, *best;        /* BestWeights.previous and .parameters */
    double *best_loss;
} Update;

/* What is compiled for float and for double; see passes.h. */
struct Passes {
    size_t entry_size;
    double (*on_all)(Net *net, ptrdiff_t length, void *gradient);
    double (*on_rows)(Net *net, const ptrdiff_t *rows, ptrdiff_t n, void *gradient);
    ptrdiff_t (*run_epochs)(Net *net, const Update *update, ptrdiff_t n_epochs,
                            ptrdiff_t batch_size, ptrdiff_t length, double *losses);
    void (*scores)(Net *net, ptrdiff_t start, ptrdiff_t n, void *out);
};

/* Give an array a place at the end of the memory, on a cache line; none while that is measured. */
static void *take_place(const Net *net, size_t *used, ptrdiff_t n_entries, size_t entry_size)
{
    void *place = net->memory ? net->memory + *used : NULL;
    *used += ((size_t)n_entries * entry_size + 63) / 64 * 64;
    return place;
}

/* Below this, the narrower side of a layer makes its products thin; see products.h. Rows of more
   features would take longer to transpose than that gains. */
enum { THIN_LAYER = 64, THIN_ROWS = 64 };

/* Place the layers of a net and the arrays of its passes; return how many bytes they take. */
static size_t lay_out(Net *net, const int *widths, int is_sparse)
{
    const size_t size = net->passes->entry_size;
    const ptrdiff_t stride = net->stride, n_features = widths[0], first = widths[1];
    ptrdiff_t widest = 0, end = 0;
    size_t used = 64 - (uintptr_t)net->memory % 64;
    net->layers = take_place(net, &used, net->n_layers, sizeof(Layer));
    for (ptrdiff_t l = 0; l < net->n_layers; l++) {
        const int is_last = l == net->n_layers - 1, fan_in = widths[l], fan_out = widths[l + 1];
        const int narrower = fan_in < fan_out ? fan_in : fan_out;
        const int is_thin = l == 0 ? !is_sparse && fan_in <= THIN_ROWS : narrower <= THIN_LAYER;
        const int has_slopes = net->activation == GELU || net->activation == SILU;
        const ptrdiff_t n_entries = fan_out * stride;
        void *values = take_place(net, &used, n_entries, size);
        void *delta = is_last ? values : take_place(net, &used, n_entries, size);
        void *slopes = has_slopes ? take_place(net, &used, n_entries, size) : values;
        if (net->memory)
            net->layers[l] = (Layer){fan_in, fan_out, is_thin, end, 0, values, slopes, delta};
        end += (ptrdiff_t)fan_in * fan_out;
        widest = fan_out > widest ? fan_out : widest;
    }
    net->n_weights = end;
    for (ptrdiff_t l = 0; net->memory && l < net->n_layers; l++) {
        net->layers[l].biases = end;
        end += net->layers[l].fan_out;
    }
    net->totals = take_place(net, &used, stride, size);
    net->own_scores = take_place(net, &used, stride, size);
    net->sums = take_place(net, &used, widest, size);
    net->batch.loss_weights = take_place(net, &used, stride, size);
    net->batch.codes = take_place(net, &used, stride, sizeof(ptrdiff_t));
    if (is_sparse) {
        net->batch.rows = take_place(net, &used, stride, sizeof(ptrdiff_t));
        net->first_weights = take_place(net, &used, n_features * first, size);
        net->first_gradient = take_place(net, &used, n_features * first, size);
        net->by_row = take_place(net, &used, stride * first, size);
    } else {
        const ptrdiff_t lanes = 64 / size, padded = (n_features + lanes - 1) / lanes * lanes;
        net->rows = take_place(net, &used, stride * padded, size);
        net->features = take_place(net, &used, stride * n_features, size);
    }
    return used;
}

/* random_interval(max) of NumPy's legacy generator: a number in [0, max] by masked rejection. */
static ptrdiff_t draw_below(BitGenerator *generator, uint64_t max)
{
    uint64_t mask = max, value;
    for (int shift = 1; shift < 64; shift *= 2)
        mask |= mask >> shift;
    do
        value = max <= 0xffffffff ? generator->next_uint32(generator->state)
                                  : generator->next_uint64(generator->state);
    while ((value &= mask) > max);
    return (ptrdiff_t)value;
}

/* The rows in use, shuffled as RandomState.shuffle() does unless `generator` is NULL. */
static void draw_order(const Samples *samples, BitGenerator *generator, ptrdiff_t *order)
{
    const ptrdiff_t n = samples->n_samples;
    for (ptrdiff_t i = 0; i < n; i++)
        order[i] = samples->rows ? samples->rows[i] : i;
    if (!generator)
        return;
    for (ptrdiff_t i = n - 1; i > 0; i--) {
        const ptrdiff_t j = draw_below(generator, i), kept = order[j];
        order[j] = order[i];
        order[i] = kept;
    }
}

#endif
