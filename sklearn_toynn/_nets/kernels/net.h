/* The data of the kernels (a net, its rows and an update rule), and the table of functions.

   Matrices are stored in panels of one vector: `M[panel][row][lane]` is the entry in a row and in
   column `panel * LANES + lane`, with LANES = VECTOR_BYTES / sizeof(REAL). Products read this
   layout directly, and activations, parameters and gradients have it, so nothing is repacked.
   Padding is 0. */
#ifndef NET_H
#define NET_H

#include <stddef.h>
#include <stdint.h>

enum Rule { NO_STEP = -1, GRADIENT_DESCENT, NESTEROV_MOMENTUM, ADAM };

/* A layer. The weights are a matrix (fan_in + 1, fan_out). Its last row holds the biases, because
   the inputs have a column of ones. The last of several layers has the transposed weights
   (fan_out, fan_in) and separate biases, so that few classes need no padding. */
typedef struct {
    ptrdiff_t fan_in, fan_out;
    int is_transposed;
    ptrdiff_t weights, biases; /* their first index */
    ptrdiff_t panels, rows;    /* rows of each panel, with padding */
    void *values;              /* f(z) or the scores, (stride, fan_out and ones) */
    void *slopes, *delta;      /* hidden: f'(z) if needed; the derivative of the loss by z */
    void *other_way;           /* the transposed weights */
} Layer;

/* Rows of data, dense if `x` is given, otherwise CSR. All arrays are IN. Strides are in bytes.
   Scaled columns are (x - mean) * inv_scale, plus `center` for CSR. With `sources`, column j of
   the net is column sources[j] of X, scaled and then clipped to [lowest, highest]. */
typedef struct {
    ptrdiff_t n_samples, n_features;
    int is_double; /* whether X is double, not float */
    const char *x;
    ptrdiff_t row_stride, column_stride;
    const void *data;
    const int *indices, *indptr;
    const void *mean, *inv_scale, *center; /* (n_features,) in the type of X, or NULL */
    const ptrdiff_t *sources;              /* (n_features,) or NULL */
    const void *lowest, *highest;          /* (n_features,) in the type of X, with sources */
    const ptrdiff_t *rows;                 /* (n_samples,) the rows in use; NULL for all */
    const ptrdiff_t *codes;                /* the classes of the rows */
    const void *weights;                   /* of the rows, in the type of the parameters */
    double weight_scale;                   /* scales the weights in use to a mean of 1 */
} Samples;

typedef struct Kernels Kernels;

typedef struct {
    const Kernels *kernels;
    int n_layers, activation;
    int is_by_entry; /* CSR rows are multiplied entry by entry, not converted to dense */
    Layer *layers;
    Samples samples;
    void *parameters;        /* IN and OUT, (n_parameters,) in the layout of NumPy */
    ptrdiff_t stride;        /* the maximum number of rows of a pass, padded */
    ptrdiff_t n_rows;        /* the number of rows of the current pass, padded */
    ptrdiff_t *rows, *codes; /* (stride,) their indices in X and their classes */
    void *loss_weights;      /* (stride,) their factors in the loss */
    void *inputs;            /* (stride, n_features and ones) in panels */
    void *scores;            /* (n_classes, stride) class after class */
    void *totals, *largest;  /* (stride,) */
    int n_arrays;            /* the number of allocated arrays below: 8, or 1 or 0 for scores */
    ptrdiff_t n_packed;      /* the number of entries of each of these arrays, in panels: */
    void *weights, *gradient, *packed_decay, *packed_scale, *moments[2], *previous, *best;
    char *memory;
} Net;

/* NumPy's interface of bit generators, numpy/random/bitgen.h, stable since NumPy 1.17. */
typedef struct {
    void *state;
    uint64_t (*next_uint64)(void *state);
    uint32_t (*next_uint32)(void *state);
    double (*next_double)(void *state);
    uint64_t (*next_raw)(void *state);
} BitGenerator;

/* The options and arrays of epochs. Arrays are (n_parameters,) in the layout of NumPy, unless a
   shape is given. */
typedef struct {
    enum Rule rule;
    double beta1, beta2, epsilon; /* for Adam */
    double momentum;              /* for Nesterov's momentum */
    double tol;                   /* epochs end if no gradient entry is larger */
    ptrdiff_t n_epochs, batch_size;
    ptrdiff_t length;             /* the number of rows of a pass */
    const double *step_sizes;     /* IN, (n_epochs, n_updates) */
    void *moments[2];             /* IN and OUT, or NULL */
    void *previous, *best;        /* IN and OUT: BestWeights.previous and .parameters */
    double *best_loss;            /* IN and OUT */
    void *gradient;               /* OUT: the last gradient */
    ptrdiff_t *order;             /* (n_samples,): memory for the order of the rows */
    BitGenerator *bit_generator;  /* shuffles the rows; NULL keeps their order */
    double *losses;               /* OUT, (n_epochs,) */
} Update;

/* The functions for one instruction set and one type; see passes.h and updates.h. */
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
