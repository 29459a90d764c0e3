/* What the kernels are told: a stack of nets, the rows it computes on, how it is updated. */
#ifndef STACK_H
#define STACK_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum Activation { RELU, LEAKY_RELU, LOGISTIC, TANH, GELU, SILU, IDENTITY };
enum Rule { SGD, ADAM };

/* BLAS's GEMM: C <- alpha op(A) op(B) + beta C, column after column. */
typedef void Gemm(char *transa, char *transb, int *m, int *n, int *k, void *alpha, void *a,
                  int *lda, void *b, int *ldb, void *beta, void *c, int *ldc);

/* A layer; its arrays are (fan_out, stride), a row for each unit, and serve every net in turn. */
typedef struct {
    int fan_in, fan_out, is_thin;
    ptrdiff_t weights, biases; /* where they begin in a net's parameters */
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
typedef struct Stack Stack;
typedef struct Half Half;

struct Stack {
    const Passes *passes;
    ptrdiff_t n_nets, n_layers, n_parameters, n_weights;
    enum Activation activation;
    Gemm *gemm;
    char *memory; /* which holds the layers, and the arrays at the end of this list */
    Layer *layers;
    char *parameters;    /* (n_nets, n_parameters) */
    ptrdiff_t stride;    /* of the layers' arrays: the largest number of rows in a pass, padded */
    const char *decay;   /* of weights: (n_nets,), or (n_nets, n_weights) where columns are scaled */
    const char *unit;    /* parameters over the solver's variables, or NULL where they are alike */
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
    Half *half;          /* what the second half of a large batch is computed in, or NULL */
};

/* The second half of a large batch: its passes, and how another thread is told of them. The bits
   are the same without that thread. */
struct Half {
    Stack stack;
    void *gradient; /* (n_parameters,) */
    double loss;
    ptrdiff_t net;
    int turn;          /* the last that was called, -1 at the end of the help */
    int claimed, done; /* the last that a thread has begun, and ended */
};

/* A batch of so many products of an entry and a weight is computed in halves. */
enum { HALVED_PRODUCTS = 1500000 };

/* How mini-batches change the parameters. */
typedef struct {
    enum Rule rule;
    double beta1, beta2, epsilon; /* of Adam */
    const double *momentum;       /* of SGD, (n_nets,) */
    const double *step_sizes;     /* (n_batches, n_nets) */
    char *slots[2];               /* the solver's memory, (n_nets, n_parameters) each */
    char *gradient;               /* (n_parameters,), of a net at a time */
} Update;

/* What is compiled for float and for double; see passes.h. */
struct Passes {
    size_t entry_size;
    void (*on_all)(Stack *stack, ptrdiff_t length, char *gradient, double *losses);
    void (*on_rows)(Stack *stack, const ptrdiff_t *rows, ptrdiff_t n, char *gradient,
                    double *losses);
    ptrdiff_t (*run_epochs)(Stack *stack, const ptrdiff_t *orders, ptrdiff_t n_epochs,
                            ptrdiff_t batch_size, const Update *update, double *losses,
                            char *previous, char *best, double *best_losses);
    void (*scores)(Stack *stack, ptrdiff_t start, ptrdiff_t n, char *out);
    void (*help)(Stack *stack);
};

/* Give an array a place at the end of the memory, on a cache line; none while that is measured. */
static void *take_place(const Stack *stack, size_t *used, ptrdiff_t n_entries, size_t entry_size)
{
    void *place = stack->memory ? stack->memory + *used : NULL;
    *used += ((size_t)n_entries * entry_size + 63) / 64 * 64;
    return place;
}

/* Below this, the narrower side of a layer makes its products thin; see products.h. Rows of more
   features would take longer to transpose than that gains. */
enum { THIN_LAYER = 64, THIN_ROWS = 64 };

/* Place the layers of a stack and the arrays of its passes; return how many bytes they take. */
static size_t lay_out(Stack *stack, const int *widths, int is_sparse)
{
    const size_t size = stack->passes->entry_size;
    const ptrdiff_t stride = stack->stride, n_features = widths[0], first = widths[1];
    ptrdiff_t widest = 0, end = 0;
    size_t used = 64 - (uintptr_t)stack->memory % 64;
    stack->layers = take_place(stack, &used, stack->n_layers, sizeof(Layer));
    for (ptrdiff_t l = 0; l < stack->n_layers; l++) {
        const int is_last = l == stack->n_layers - 1, fan_in = widths[l], fan_out = widths[l + 1];
        const int narrower = fan_in < fan_out ? fan_in : fan_out;
        const int is_thin = l == 0 ? !is_sparse && fan_in <= THIN_ROWS : narrower <= THIN_LAYER;
        const int has_slopes = stack->activation == GELU || stack->activation == SILU;
        const ptrdiff_t n_entries = fan_out * stride;
        void *values = take_place(stack, &used, n_entries, size);
        void *delta = is_last ? values : take_place(stack, &used, n_entries, size);
        void *slopes = has_slopes ? take_place(stack, &used, n_entries, size) : values;
        if (stack->memory)
            stack->layers[l] = (Layer){fan_in, fan_out, is_thin, end, 0, values, slopes, delta};
        end += (ptrdiff_t)fan_in * fan_out;
        widest = fan_out > widest ? fan_out : widest;
    }
    stack->n_weights = end;
    for (ptrdiff_t l = 0; stack->memory && l < stack->n_layers; l++) {
        stack->layers[l].biases = end;
        end += stack->layers[l].fan_out;
    }
    stack->totals = take_place(stack, &used, stride, size);
    stack->own_scores = take_place(stack, &used, stride, size);
    stack->sums = take_place(stack, &used, widest, size);
    stack->batch.loss_weights = take_place(stack, &used, stride, size);
    stack->batch.codes = take_place(stack, &used, stride, sizeof(ptrdiff_t));
    if (is_sparse) {
        stack->batch.rows = take_place(stack, &used, stride, sizeof(ptrdiff_t));
        stack->first_weights = take_place(stack, &used, n_features * first, size);
        stack->first_gradient = take_place(stack, &used, n_features * first, size);
        stack->by_row = take_place(stack, &used, stride * first, size);
    } else {
        const ptrdiff_t lanes = 64 / size, padded = (n_features + lanes - 1) / lanes * lanes;
        stack->rows = take_place(stack, &used, stride * padded, size);
        stack->features = take_place(stack, &used, stride * n_features, size);
    }
    return used;
}

/* Give a stack that is laid out a second half, where batches of so many rows are to be halved;
   return whether there was room. */
static int add_half(Stack *stack, const int *widths, int is_sparse, ptrdiff_t n_rows)
{
    if (is_sparse || n_rows * stack->n_weights < HALVED_PRODUCTS) /* CSR rows have few products */
        return 1;
    Half *half = calloc(1, sizeof(Half));
    if (!half)
        return 0;
    stack->half = half;
    half->stack = *stack;
    half->stack.half = NULL;
    half->stack.memory = NULL;
    half->stack.memory = calloc(lay_out(&half->stack, widths, is_sparse), 1);
    half->gradient = calloc(stack->n_parameters, stack->passes->entry_size);
    if (!half->stack.memory || !half->gradient)
        return 0;
    lay_out(&half->stack, widths, is_sparse);
    return 1;
}

static void free_stack(Stack *stack)
{
    if (stack->half) {
        free(stack->half->stack.memory);
        free(stack->half->gradient);
        free(stack->half);
    }
    free(stack->memory);
}

/* From now on, another thread waits for turns. */
static void begin_help(Stack *stack)
{
    stack->half->turn = stack->half->claimed = stack->half->done = 0;
}

static void end_help(Stack *stack)
{
    STORE(&stack->half->turn, -1);
}

#endif
