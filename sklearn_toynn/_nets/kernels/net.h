/* The data of the kernels: a net, its rows and an update rule; and the table of functions.

   A matrix lies in panels of one vector: `M[panel][row][lane]` holds the entry of a row and of the
   column `panel * LANES + lane`, with LANES = VECTOR_BYTES / sizeof(REAL). This is at once the
   operand that the products want, and the layout of activations, parameters and gradients. */
#ifndef NET_H
#define NET_H

#include <stddef.h>
#include <stdint.h>

enum Activation { RELU, LEAKY_RELU, LOGISTIC, TANH, GELU, SILU, IDENTITY };
enum Rule { GRADIENT_DESCENT, NESTEROV_MOMENTUM, ADAM };

/* A layer. The weights of a hidden layer are a matrix (fan_in + 1, fan_out), with the biases as its
   last row, as the values below it have a column of ones. Those of the last layer are (fan_out,
   fan_in), so that padding costs nothing where there are few classes; its biases lie apart. */
typedef struct {
    ptrdiff_t fan_in, fan_out;
    ptrdiff_t weights, panels, rows; /* where they begin; panels, and rows of each with padding */
    void *values;                    /* hidden: f(z), (stride, fan_out and ones) */
    void *slopes;                    /* hidden: f'(z) where it does not follow from f(z) */
    void *delta;                     /* hidden: the derivative of the loss with respect to z */
    void *transposed;                /* of the weights, for products the other way */
} Layer;

/* Rows of data, dense where `x` is given, else CSR. Strides are in bytes. Scaled columns are
   (x - mean) / scale; entries that CSR rows do not store are `center`. */
typedef struct {
    ptrdiff_t n_samples, n_features;
    const char *x;
    ptrdiff_t row_stride, column_stride;
    int is_double;
    const void *data;
    const int *indices, *indptr;
    const ptrdiff_t *rows;  /* those in use, NULL for all */
    const ptrdiff_t *codes; /* of the classes */
    const void *weights;    /* of the rows, float or double as the parameters */
    double weight_scale;    /* brings the weights in use to a mean of 1 */
    const void *mean, *inv_scale; /* as X; NULL where columns stay as they are */
    const void *center;           /* as X; CSR only, or NULL */
} Samples;

typedef struct Kernels Kernels;

typedef struct {
    const Kernels *kernels;
    int n_layers;
    int is_by_entry; /* CSR rows are taken entry by entry, not made dense */
    enum Activation activation;
    ptrdiff_t n_parameters, n_packed, n_packed_weights;
    Layer *layers;
    Samples samples;
    ptrdiff_t stride;         /* the most rows of a pass, padded */
    ptrdiff_t n, n_padded;    /* the rows of the present pass */
    ptrdiff_t *codes, *rows;  /* their classes and their places in X, (stride,) */
    int is_ready_to_score;    /* whether the weights are packed, which do not change then */
    int has_new_penalty;      /* whether decay and param_scale are not packed yet */
    const void *parameters;   /* IN and OUT, (n_parameters,), as NumPy has them */
    const void *decay;        /* IN, (n_parameters,): the penalty's gradient over the weights */
    const void *param_scale;  /* IN, (n_parameters,) or NULL: parameters over solver's variables */
    /* packed, (n_packed,) each */
    void *weights, *gradient, *packed_decay, *packed_scale;
    void *inputs;                       /* (stride, n_features and ones), in panels */
    void *scores, *score_panels;        /* (n_classes, stride) class after class; (stride, ...) */
    void *totals, *own_scores, *loss_weights; /* (stride,) */
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

/* How epochs change the parameters. Arrays are (n_parameters,) as NumPy has them. */
typedef struct {
    enum Rule rule;
    double beta1, beta2, epsilon; /* of Adam */
    double momentum;              /* of Nesterov's momentum */
    double tol;                   /* of gradient descent: ends where no gradient entry is larger */
    const double *step_sizes;     /* IN, (n_epochs, n_updates) */
    void *moments[2];             /* IN and OUT */
    void *previous, *best;        /* IN and OUT: BestWeights.previous and .parameters */
    double *best_loss;            /* IN and OUT */
    void *gradient;               /* OUT: the last, of gradient descent */
    ptrdiff_t *order;             /* (n_samples,): room for the order of the rows */
    BitGenerator *bit_generator;  /* shuffles them; NULL leaves them in their order */
} Update;

/* The functions of one instruction set, for float and for double; see passes.h. */
struct Kernels {
    size_t entry_size;
    size_t (*lay_out)(Net *net, const int *widths);
    double (*on_all)(Net *net, ptrdiff_t length, void *gradient);
    double (*on_rows)(Net *net, const ptrdiff_t *rows, ptrdiff_t n, void *gradient);
    ptrdiff_t (*run_epochs)(Net *net, const Update *update, ptrdiff_t n_epochs,
                            ptrdiff_t batch_size, ptrdiff_t length, double *losses);
    void (*scores)(Net *net, ptrdiff_t n, void *out);
    void (*elementary)(int function, ptrdiff_t n, const void *x, void *out);
};

#endif
