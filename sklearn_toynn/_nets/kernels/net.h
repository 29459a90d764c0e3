/* The data of the kernels: a net, its rows and an update rule; and the table of functions.

   A matrix lies in panels of one vector: `M[panel][row][lane]` is the entry of a row and of the
   column `panel * LANES + lane`, with LANES = VECTOR_BYTES / sizeof(REAL). This is at once the
   operand that the products want, and the layout of activations, parameters and gradients.
   Padding is 0. */
#ifndef NET_H
#define NET_H

#include <stddef.h>
#include <stdint.h>

enum Rule { NO_STEP = -1, GRADIENT_DESCENT, NESTEROV_MOMENTUM, ADAM };

/* A layer. The weights are a matrix (fan_in + 1, fan_out), with the biases as the last row, as
   the values below have a column of ones. The last layer, unless it is the only one, has the
   transpose (fan_out, fan_in), as padding then costs nothing where there are few classes, and
   biases apart. */
typedef struct {
    ptrdiff_t fan_in, fan_out;
    int is_transposed;
    ptrdiff_t weights, biases; /* where they begin */
    ptrdiff_t panels, rows;    /* rows of each panel, with padding */
    void *values;              /* f(z) or the scores, (stride, fan_out and ones) */
    void *slopes, *delta;      /* hidden: f'(z) unless it follows; the loss's derivative by z */
    void *other_way;           /* a transpose of the weights, for the product that wants it */
} Layer;

/* Rows of data, dense where `x` is given, else CSR; all arrays are IN. Strides are in bytes.
   Scaled columns are (x - mean) * inv_scale; CSR rows also have `center` added. With `sources`,
   column j of the net is a function of column sources[j] of X, between `lowest` and `highest`. */
typedef struct {
    ptrdiff_t n_samples, n_features;
    int is_double; /* of X; else float */
    const char *x;
    ptrdiff_t row_stride, column_stride;
    const void *data;
    const int *indices, *indptr;
    const void *mean, *inv_scale, *center; /* (n_features,) as X, or NULL */
    const ptrdiff_t *sources;              /* (n_features,) or NULL */
    const void *lowest, *highest;          /* (n_features,) as X, with sources */
    const ptrdiff_t *rows;                 /* (n_samples,) those in use; NULL for all */
    const ptrdiff_t *codes;                /* of the classes */
    const void *weights;                   /* of the rows, as the parameters */
    double weight_scale;                   /* brings the weights in use to a mean of 1 */
} Samples;

typedef struct Kernels Kernels;

typedef struct {
    const Kernels *kernels;
    int n_layers, activation;
    int is_by_entry; /* CSR rows are taken entry by entry, not made dense */
    Layer *layers;
    Samples samples;
    void *parameters;        /* IN and OUT, (n_parameters,) as NumPy has them */
    ptrdiff_t stride;        /* the most rows of a pass, padded */
    ptrdiff_t n_rows;        /* those of the present pass, padded */
    ptrdiff_t *rows, *codes; /* (stride,) their places in X and classes */
    void *loss_weights;      /* (stride,) their factors in the loss */
    void *inputs;            /* (stride, n_features and ones) in panels */
    void *scores;            /* (n_classes, stride) class after class */
    void *totals, *largest;  /* (stride,) */
    int n_arrays;            /* how many of the following there are: 1 for scores alone, or 0 */
    ptrdiff_t n_packed;      /* in panels, (n_packed,) each: */
    void *weights, *gradient, *packed_decay, *packed_scale, *moments[2], *previous, *best;
    char *memory;
} Net;

/* NumPy's interface to its bit generators, numpy/random/bitgen.h: stable since NumPy 1.17. */
typedef struct {
    void *state;
    uint64_t (*next_uint64)(void *state);
    uint32_t (*next_uint32)(void *state);
    double (*next_double)(void *state);
    uint64_t (*next_raw)(void *state);
} BitGenerator;

/* How epochs change the parameters. Arrays are (n_parameters,) as NumPy has them, unless
   stated. */
typedef struct {
    enum Rule rule;
    double beta1, beta2, epsilon; /* of Adam */
    double momentum;              /* of Nesterov's momentum */
    double tol;                   /* epochs end where no gradient entry is larger */
    ptrdiff_t n_epochs, batch_size;
    ptrdiff_t length;             /* the rows of a pass */
    const double *step_sizes;     /* IN, (n_epochs, n_updates) */
    void *moments[2];             /* IN and OUT, or NULL */
    void *previous, *best;        /* IN and OUT: BestWeights.previous and .parameters */
    double *best_loss;            /* IN and OUT */
    void *gradient;               /* OUT: the last */
    ptrdiff_t *order;             /* (n_samples,): room for the order of the rows */
    BitGenerator *bit_generator;  /* shuffles them; NULL leaves them in their order */
    double *losses;               /* OUT, (n_epochs,) */
} Update;

/* The functions of one instruction set, for float and for double; see passes.h and updates.h. */
struct Kernels {
    size_t entry_size;
    size_t (*lay_out)(Net *net, const int *widths);
    void (*pack_penalty)(Net *net, const void *decay, const void *param_scale);
    void (*pack_parameters)(Net *net);
    double (*objective)(Net *net, const ptrdiff_t *rows, ptrdiff_t n, ptrdiff_t length,
                        void *gradient);
    ptrdiff_t (*run_epochs)(Net *net, const Update *update);
    void (*scores)(Net *net, ptrdiff_t n, void *out);
    void (*scores_unpacked)(Net *net, ptrdiff_t n, void *out);
    void (*encode_rows)(const Samples *samples, void *out);
    void (*elementary)(int function, ptrdiff_t n, const void *x, void *out);
};

#endif
