/* A stack's passes over rows, and the updates after them; included once for each REAL.

   Activations lie by units, (fan_out, stride), a row of samples for each. Every sum runs over a
   fixed number of lanes, which are folded in a fixed order: a net's bits depend neither on the
   other nets nor on where its arrays lie. */

static ALWAYS_INLINE REAL NAME(fold)(REAL *lanes)
{
    for (ptrdiff_t half = LANES / 2; half > 0; half /= 2)
        for (ptrdiff_t l = 0; l < half; l++)
            lanes[l] += lanes[l + half];
    return lanes[0];
}

/* Add up TERM, an expression of i, over i < n. */
#define SUM(sum, n, TERM)                                          \
    do {                                                           \
        REAL lanes[LANES] = {0};                                   \
        ptrdiff_t whole = (n) - (n) % LANES;                       \
        for (ptrdiff_t start = 0; start < whole; start += LANES)   \
            for (ptrdiff_t l = 0; l < LANES; l++) {                \
                const ptrdiff_t i = start + l;                     \
                lanes[l] += TERM;                                  \
            }                                                      \
        for (ptrdiff_t i = whole; i < (n); i++)                    \
            lanes[i - whole] += TERM;                              \
        sum = NAME(fold)(lanes);                                   \
    } while (0)

/* C <- op(A) op(B) + beta C, column after column. */
static void NAME(multiply)(const Stack *stack, char transa, char transb, ptrdiff_t m, ptrdiff_t n,
                           ptrdiff_t k, const REAL *a, ptrdiff_t lda, const REAL *b,
                           ptrdiff_t ldb, REAL beta, REAL *c, ptrdiff_t ldc)
{
    int m_ = (int)m, n_ = (int)n, k_ = (int)k, lda_ = (int)lda, ldb_ = (int)ldb, ldc_ = (int)ldc;
    REAL alpha = 1;
    stack->gemm(&transa, &transb, &m_, &n_, &k_, &alpha, (void *)a, &lda_, (void *)b, &ldb_, &beta,
                c, &ldc_);
}

/* ------------------------------------------------------------------ rows of dense and CSR data */

/* Copy rows of dense data, `out_stride` apart. */
static WIDE void NAME(gather)(const Samples *samples, const ptrdiff_t *order, ptrdiff_t start,
                              ptrdiff_t n, REAL *RESTRICT out, ptrdiff_t out_stride)
{
    const ptrdiff_t n_features = samples->n_features, stride = samples->column_stride;
    const REAL *RESTRICT mean = samples->mean, *RESTRICT scale = samples->scale;
    for (ptrdiff_t i = 0; i < n; i++, out += out_stride) {
        const char *x = samples->x + (order ? order[i] : start + i) * samples->row_stride;
        if (stride == sizeof(REAL))
            memcpy(out, x, n_features * sizeof(REAL));
        else
            for (ptrdiff_t j = 0; j < n_features; j++)
                out[j] = *(const REAL *)(x + j * stride);
        if (scale)
            for (ptrdiff_t j = 0; j < n_features; j++)
                out[j] = (out[j] - mean[j]) / scale[j];
    }
}

/* The gathered rows by features; eight at a time, as a cache line of `out` is written at once. */
static WIDE void NAME(transpose_rows)(ptrdiff_t n, ptrdiff_t n_features, const REAL *RESTRICT rows,
                                      ptrdiff_t row_stride, REAL *RESTRICT out, ptrdiff_t stride)
{
    enum { BLOCK = 8 };
    for (ptrdiff_t i = 0; i < n; i += BLOCK)
        for (ptrdiff_t j = 0; j < n_features; j++)
            for (ptrdiff_t k = 0; k < BLOCK; k++)
                out[j * stride + i + k] = rows[(i + k) * row_stride + j];
}

/* Make ready the rows `order[0], ..., order[n - 1]`, or start, start + 1, ... where it is NULL.
   The factor of a row's term in the loss is `factor` times its weight. */
static void NAME(load)(Stack *stack, const ptrdiff_t *order, ptrdiff_t start, ptrdiff_t n,
                       double factor)
{
    const Samples *samples = &stack->samples;
    Batch *batch = &stack->batch;
    const REAL *weights = samples->weights;
    REAL *loss_weights = batch->loss_weights, *rows = stack->rows;
    const ptrdiff_t n_features = samples->n_features;
    const ptrdiff_t n_padded = WHOLE_LANES(n), n_more = n_padded - n;
    const REAL scale = (REAL)(factor * samples->weight_scale);
    batch->n = n;
    batch->n_padded = n_padded;
    if (samples->codes) {
        for (ptrdiff_t i = 0; i < n; i++) {
            const ptrdiff_t row = order ? order[i] : start + i;
            batch->codes[i] = samples->codes[row];
            loss_weights[i] = weights[row] * scale;
        }
        memset(batch->codes + n, 0, n_more * sizeof(ptrdiff_t));
        memset(loss_weights + n, 0, n_more * sizeof(REAL));
    }
    if (!samples->x) {
        for (ptrdiff_t i = 0; i < n; i++)
            batch->rows[i] = order ? order[i] : start + i;
    } else if (stack->layers[0].is_thin) {
        const ptrdiff_t stride = WHOLE_LANES(n_features);
        NAME(gather)(samples, order, start, n, rows, stride);
        memset(rows + n * stride, 0, n_more * stride * sizeof(REAL));
        NAME(transpose_rows)(n_padded, n_features, rows, stride, stack->features, stack->stride);
        batch->x = rows;
        batch->x_stride = stride;
    } else if (!order && !samples->scale && n_more == 0 &&
               samples->column_stride == sizeof(REAL) &&
               samples->row_stride % sizeof(REAL) == 0 &&
               samples->row_stride >= n_features * (ptrdiff_t)sizeof(REAL)) {
        batch->x = samples->x + start * samples->row_stride;
        batch->x_stride = samples->row_stride / sizeof(REAL);
    } else {
        NAME(gather)(samples, order, start, n, rows, n_features);
        memset(rows + n * n_features, 0, n_more * n_features * sizeof(REAL));
        batch->x = rows;
        batch->x_stride = n_features;
    }
}

/* out (n, m) <- in (m, n), whose rows are `in_stride` and `out_stride` apart. */
static void NAME(transpose)(ptrdiff_t m, ptrdiff_t n, const REAL *RESTRICT in, ptrdiff_t in_stride,
                            REAL *RESTRICT out, ptrdiff_t out_stride)
{
    enum { BLOCK = 16 };
    for (ptrdiff_t i = 0; i < m; i += BLOCK)
        for (ptrdiff_t j = 0; j < n; j += BLOCK)
            for (ptrdiff_t a = i; a < m && a < i + BLOCK; a++)
                for (ptrdiff_t b = j; b < n && b < j + BLOCK; b++)
                    out[b * out_stride + a] = in[a * in_stride + b];
}

static ALWAYS_INLINE REAL NAME(stored_value)(const Samples *samples, ptrdiff_t place)
{
    const REAL value = ((const REAL *)samples->data)[place];
    const int j = samples->indices[place];
    if (!samples->scale)
        return value;
    return (value - ((const REAL *)samples->mean)[j]) / ((const REAL *)samples->scale)[j];
}

/* z (fan_out, n) <- W X^T for CSR rows. */
static WIDE void NAME(multiply_sparse)(const Stack *stack, const REAL *weights, REAL *z)
{
    const Samples *samples = &stack->samples;
    const Batch *batch = &stack->batch;
    const ptrdiff_t units = stack->layers[0].fan_out, n_features = samples->n_features;
    const REAL *center = samples->center;
    REAL *first = stack->first_weights, *by_row = stack->by_row;
    NAME(transpose)(units, n_features, weights, n_features, first, units);
    for (ptrdiff_t i = 0; i < batch->n; i++) {
        REAL *RESTRICT out = by_row + i * units;
        const ptrdiff_t row = batch->rows[i];
        memset(out, 0, units * sizeof(REAL));
        for (int place = samples->indptr[row]; place < samples->indptr[row + 1]; place++) {
            const REAL value = NAME(stored_value)(samples, place);
            const REAL *RESTRICT of_feature = first + samples->indices[place] * units;
            for (ptrdiff_t u = 0; u < units; u++)
                out[u] += value * of_feature[u];
        }
    }
    memset(by_row + batch->n * units, 0, (batch->n_padded - batch->n) * units * sizeof(REAL));
    NAME(transpose)(batch->n_padded, units, by_row, units, z, stack->stride);
    if (center)
        for (ptrdiff_t u = 0; u < units; u++) {
            REAL offset, *z_u = z + u * stack->stride;
            const REAL *w = weights + u * n_features;
            SUM(offset, n_features, w[i] * center[i]);
            for (ptrdiff_t i = 0; i < batch->n; i++)
                z_u[i] += offset;
        }
}

/* gradient (fan_out, n_features) <- delta X + beta gradient for CSR rows; `sums` are delta's. */
static WIDE void NAME(multiply_sparse_transposed)(const Stack *stack, const REAL *delta,
                                                  const REAL *sums, REAL beta, REAL *gradient)
{
    const Samples *samples = &stack->samples;
    const Batch *batch = &stack->batch;
    const ptrdiff_t units = stack->layers[0].fan_out, n_features = samples->n_features;
    const REAL *center = samples->center;
    REAL *first = stack->first_gradient, *by_row = stack->by_row;
    NAME(transpose)(units, batch->n, delta, stack->stride, by_row, units);
    if (beta == 0)
        memset(first, 0, n_features * units * sizeof(REAL));
    else
        NAME(transpose)(units, n_features, gradient, n_features, first, units);
    for (ptrdiff_t i = 0; i < batch->n; i++) {
        const REAL *RESTRICT of_row = by_row + i * units;
        const ptrdiff_t row = batch->rows[i];
        for (int place = samples->indptr[row]; place < samples->indptr[row + 1]; place++) {
            const REAL value = NAME(stored_value)(samples, place);
            REAL *RESTRICT out = first + samples->indices[place] * units;
            for (ptrdiff_t u = 0; u < units; u++)
                out[u] += value * of_row[u];
        }
    }
    NAME(transpose)(n_features, units, first, units, gradient, n_features);
    if (center)
        for (ptrdiff_t u = 0; u < units; u++)
            for (ptrdiff_t j = 0; j < n_features; j++)
                gradient[u * n_features + j] += sums[u] * center[j];
}

/* -------------------------------------------------------------------------------- activations */

/* Apply EXPRESSION, of z, to all entries of rows of n. */
#define EACH_UNIT(EXPRESSION)                            \
    for (ptrdiff_t u = 0; u < units; u++) {              \
        REAL *RESTRICT values = z + u * stride;          \
        REAL *RESTRICT slope = slopes + u * stride;      \
        const REAL bias = biases[u];                     \
        for (ptrdiff_t i = 0; i < n; i++) {              \
            const REAL x = values[i] + bias;             \
            EXPRESSION;                                  \
        }                                                \
        (void)slope;                                     \
    }                                                    \
    break

/* z <- f(z + b), and f' where it does not follow from f. */
static WIDE void NAME(activate)(enum Activation activation, ptrdiff_t units, ptrdiff_t n,
                                ptrdiff_t stride, const REAL *biases, REAL *z, REAL *slopes)
{
    switch (activation) {
    case RELU:
        EACH_UNIT(values[i] = x < 0 ? 0 : x);
    case LEAKY_RELU:
        EACH_UNIT(values[i] = x < 0 ? x * (REAL)0.01 : x);
    case LOGISTIC:
        EACH_UNIT(values[i] = NAME(logistic)(x));
    case TANH:
        EACH_UNIT(values[i] = NAME(tanh)(x));
    case GELU: /* Phi(z) + z exp(-z^2 / 2) / sqrt(2 pi) */
        EACH_UNIT(const REAL p = NAME(ndtr)(x);
                  slope[i] = p + x * NAME(gaussian)(x) * (REAL)0.3989422804014327;
                  values[i] = x * p);
    case SILU: /* 1 + (f(z) - 1) (1 - s(z)) */
        EACH_UNIT(const REAL s = NAME(logistic)(x); values[i] = x * s;
                  slope[i] = 1 + (x * s - 1) * (1 - s));
    case IDENTITY:
        EACH_UNIT(values[i] = x);
    }
}
#undef EACH_UNIT

/* delta <- delta f'(z), by units, and the sums of its rows. */
#define EACH_UNIT(SLOPE)                                      \
    for (ptrdiff_t u = 0; u < units; u++) {                   \
        const REAL *RESTRICT f = values + u * stride;         \
        const REAL *RESTRICT slope = slopes + u * stride;     \
        REAL *RESTRICT d = delta + u * stride;                \
        for (ptrdiff_t i = 0; i < n; i++)                     \
            d[i] = SLOPE;                                     \
        SUM(sums[u], n, d[i]);                                \
        (void)f, (void)slope;                                 \
    }                                                         \
    break

static WIDE void NAME(deactivate)(enum Activation activation, ptrdiff_t units, ptrdiff_t n,
                                  ptrdiff_t stride, const REAL *values, const REAL *slopes,
                                  REAL *delta, REAL *sums)
{
    switch (activation) {
    case RELU:
        EACH_UNIT(f[i] > 0 ? d[i] : 0);
    case LEAKY_RELU: /* at 0, as where biases begin and x is 0, the mean of both */
        EACH_UNIT(d[i] * (f[i] > 0 ? 1 : f[i] < 0 ? (REAL)0.01 : (REAL)0.505));
    case LOGISTIC:
        EACH_UNIT(d[i] * f[i] * (1 - f[i]));
    case TANH:
        EACH_UNIT(d[i] * (1 - f[i] * f[i]));
    case GELU:
    case SILU:
        EACH_UNIT(d[i] * slope[i]);
    case IDENTITY:
        EACH_UNIT(d[i]);
    }
}
#undef EACH_UNIT

/* ------------------------------------------------------------------------------------- passes */

static ALWAYS_INLINE REAL *NAME(net)(const char *arrays, ptrdiff_t net, ptrdiff_t length)
{
    return (REAL *)arrays + net * length;
}

static WIDE void NAME(add_biases)(ptrdiff_t units, ptrdiff_t n, ptrdiff_t stride,
                                  const REAL *biases, REAL *z)
{
    for (ptrdiff_t u = 0; u < units; u++)
        for (ptrdiff_t i = 0; i < n; i++)
            z[u * stride + i] += biases[u];
}

/* The last layer's W a of a net, without its biases. */
static void NAME(forward)(const Stack *stack, ptrdiff_t net)
{
    const REAL *parameters = NAME(net)(stack->parameters, net, stack->n_parameters);
    const Batch *batch = &stack->batch;
    const ptrdiff_t n = batch->n_padded, stride = stack->stride;
    for (ptrdiff_t l = 0; l < stack->n_layers; l++) {
        const Layer *layer = stack->layers + l, *below = layer - 1;
        const REAL *weights = parameters + layer->weights;
        const REAL *inputs =
            l > 0 ? below->values : layer->is_thin ? stack->features : batch->x;
        const int fan_in = layer->fan_in, fan_out = layer->fan_out;
        if (l > 0)
            NAME(activate)(stack->activation, fan_in, n, stride, parameters + below->biases,
                           below->values, below->slopes);
        if (layer->is_thin)
            NAME(multiply_thin)(fan_out, n, fan_in, weights, fan_in, 1, inputs, stride, 0,
                                layer->values, stride);
        else if (l > 0)
            NAME(multiply)(stack, 'N', 'N', n, fan_out, fan_in, inputs, stride, weights, fan_in, 0,
                           layer->values, stride);
        else if (inputs)
            NAME(multiply)(stack, 'T', 'N', n, fan_out, fan_in, inputs, batch->x_stride, weights,
                           fan_in, 0, layer->values, stride);
        else
            NAME(multiply_sparse)(stack, weights, layer->values);
    }
}

/* sum_i c_i (log sum_k exp(s_ik - m_i) - (s_iy - m_i)), m_i = max_k s_ik, for scores without
   biases. They become e_ik = exp(s_ik - m_i), and `totals` their sums. */
static WIDE double NAME(softmax_loss)(const Stack *stack, const REAL *biases)
{
    const Layer *last = stack->layers + stack->n_layers - 1;
    const Batch *batch = &stack->batch;
    const ptrdiff_t n = batch->n_padded, n_classes = last->fan_out, stride = stack->stride;
    const ptrdiff_t *codes = batch->codes;
    const REAL *RESTRICT loss_weights = batch->loss_weights;
    REAL *RESTRICT scores = last->values, *RESTRICT totals = stack->totals;
    REAL *RESTRICT largest = stack->own_scores; /* until those take its place */
    REAL loss;
    for (ptrdiff_t i = 0; i < n; i++)
        largest[i] = scores[i] += biases[0];
    for (ptrdiff_t k = 1; k < n_classes; k++) {
        REAL *RESTRICT s = scores + k * stride;
        for (ptrdiff_t i = 0; i < n; i++) {
            s[i] += biases[k];
            largest[i] = s[i] > largest[i] ? s[i] : largest[i];
        }
    }
    for (ptrdiff_t k = 0; k < n_classes; k++) {
        REAL *RESTRICT s = scores + k * stride;
        for (ptrdiff_t i = 0; i < n; i++)
            s[i] -= largest[i];
    }
    REAL *RESTRICT own_scores = largest;
    for (ptrdiff_t i = 0; i < n; i++)
        own_scores[i] = scores[codes[i] * stride + i];
    for (ptrdiff_t i = 0; i < n; i++)
        totals[i] = scores[i] = NAME(exp_nonpositive)(scores[i]);
    for (ptrdiff_t k = 1; k < n_classes; k++) {
        REAL *RESTRICT s = scores + k * stride;
        for (ptrdiff_t i = 0; i < n; i++)
            totals[i] += s[i] = NAME(exp_nonpositive)(s[i]);
    }
    SUM(loss, n, loss_weights[i] * (NAME(log)(totals[i]) - own_scores[i]));
    return loss;
}

/* The loss's derivative by the scores, c (softmax(s) - onehot(y)), and its sums by class. */
static WIDE void NAME(softmax_delta)(const Stack *stack, REAL *sums)
{
    const Layer *last = stack->layers + stack->n_layers - 1;
    const Batch *batch = &stack->batch;
    const ptrdiff_t n = batch->n_padded, stride = stack->stride;
    const ptrdiff_t *codes = batch->codes;
    const REAL *RESTRICT loss_weights = batch->loss_weights;
    REAL *RESTRICT delta = last->values, *RESTRICT factors = stack->totals;
    for (ptrdiff_t i = 0; i < n; i++)
        factors[i] = loss_weights[i] / factors[i];
    for (ptrdiff_t k = 0; k < last->fan_out; k++) {
        REAL *RESTRICT d = delta + k * stride;
        for (ptrdiff_t i = 0; i < n; i++)
            d[i] *= factors[i];
    }
    for (ptrdiff_t i = 0; i < n; i++)
        delta[codes[i] * stride + i] -= loss_weights[i];
    for (ptrdiff_t k = 0; k < last->fan_out; k++)
        SUM(sums[k], n, delta[k * stride + i]);
}

/* The loss of a net on the batch. */
static double NAME(loss)(const Stack *stack, ptrdiff_t net)
{
    const REAL *parameters = NAME(net)(stack->parameters, net, stack->n_parameters);
    NAME(forward)(stack, net);
    return NAME(softmax_loss)(stack, parameters + stack->layers[stack->n_layers - 1].biases);
}

/* The loss of a net on the batch; gradient <- its gradient + beta gradient, with beta 0 or 1. */
static double NAME(loss_and_gradient)(const Stack *stack, ptrdiff_t net, REAL beta, REAL *gradient)
{
    const REAL *parameters = NAME(net)(stack->parameters, net, stack->n_parameters);
    const Batch *batch = &stack->batch;
    const double loss = NAME(loss)(stack, net);
    const ptrdiff_t n = batch->n_padded, stride = stack->stride;
    for (ptrdiff_t l = stack->n_layers - 1; l >= 0; l--) {
        const Layer *layer = stack->layers + l, *below = layer - 1;
        const int fan_in = layer->fan_in, fan_out = layer->fan_out;
        const REAL *inputs = l > 0 ? below->values : batch->x;
        REAL *of_weights = gradient + layer->weights, *of_biases = gradient + layer->biases;
        REAL *delta = layer->delta, *sums = stack->sums;
        if (l == stack->n_layers - 1)
            NAME(softmax_delta)(stack, sums);
        else
            NAME(deactivate)(stack->activation, fan_out, n, stride, layer->values, layer->slopes,
                             delta, sums);
        for (ptrdiff_t u = 0; u < fan_out; u++)
            of_biases[u] = beta == 0 ? sums[u] : of_biases[u] + sums[u];
        if (layer->is_thin && l == 0 && 2 * fan_in > LANES)
            NAME(multiply_thin)(fan_out, fan_in, n, delta, stride, 1, inputs, batch->x_stride,
                                beta, of_weights, fan_in);
        else if (layer->is_thin)
            NAME(multiply_thin_transposed)(fan_out, n, fan_in, delta,
                                           l > 0 ? inputs : stack->features, stride, beta,
                                           of_weights);
        else if (l > 0)
            NAME(multiply)(stack, 'T', 'N', fan_in, fan_out, n, inputs, stride, delta, stride,
                           beta, of_weights, fan_in);
        else if (inputs)
            NAME(multiply)(stack, 'N', 'N', fan_in, fan_out, n, inputs, batch->x_stride, delta,
                           stride, beta, of_weights, fan_in);
        else
            NAME(multiply_sparse_transposed)(stack, delta, sums, beta, of_weights);
        if (l > 0 && layer->is_thin)
            NAME(multiply_thin)(fan_in, n, fan_out, parameters + layer->weights, 1, fan_in, delta,
                                stride, 0, below->delta, stride);
        else if (l > 0)
            NAME(multiply)(stack, 'N', 'T', n, fan_in, fan_out, delta, stride,
                           parameters + layer->weights, fan_in, 0, below->delta, stride);
    }
    return loss;
}

/* ------------------------------------------------------------------------ penalty and updates */

/* reg/2 ||w||^2 of a net; where `gradient` is given, the penalty's is added to it, and it is
   brought to the solver's variables. */
static WIDE double NAME(penalty)(const Stack *stack, ptrdiff_t net, REAL *RESTRICT gradient)
{
    const ptrdiff_t n_weights = stack->n_weights, n_parameters = stack->n_parameters;
    const REAL *RESTRICT w = NAME(net)(stack->parameters, net, n_parameters);
    REAL sum;
    if (!stack->unit) {
        const REAL reg = *NAME(net)(stack->decay, net, 1);
        if (gradient)
            for (ptrdiff_t i = 0; i < n_weights; i++)
                gradient[i] += reg * w[i];
        SUM(sum, n_weights, w[i] * w[i]);
        return 0.5 * reg * sum;
    }
    const REAL *RESTRICT decay = NAME(net)(stack->decay, net, n_weights);
    const REAL *RESTRICT unit = NAME(net)(stack->unit, net, n_parameters);
    if (gradient) {
        for (ptrdiff_t i = 0; i < n_weights; i++)
            gradient[i] += decay[i] * w[i];
        for (ptrdiff_t i = 0; i < n_parameters; i++)
            gradient[i] *= unit[i];
    }
    SUM(sum, n_weights, decay[i] * w[i] * w[i]);
    return 0.5 * sum;
}

/* Take a step of a net; see `SGD` and `Adam` in first_order.py. */
static WIDE void NAME(step)(const Stack *stack, const Update *update, ptrdiff_t net,
                            double step_size)
{
    const ptrdiff_t n = stack->n_parameters;
    REAL *RESTRICT w = NAME(net)(stack->parameters, net, n);
    REAL *RESTRICT first = NAME(net)(update->slots[0], net, n);
    REAL *RESTRICT second = NAME(net)(update->slots[1], net, n);
    REAL *RESTRICT gradient = (REAL *)update->gradient;
    const REAL size = (REAL)step_size;
    switch (update->rule) {
    case SGD: {
        const REAL momentum = (REAL)update->momentum[net];
        for (ptrdiff_t i = 0; i < n; i++) {
            const REAL g = size * gradient[i];
            first[i] = momentum * first[i] - g;
            gradient[i] = g - momentum * first[i];
        }
        break;
    }
    case ADAM: {
        const REAL beta1 = (REAL)update->beta1, beta2 = (REAL)update->beta2;
        const REAL epsilon = (REAL)update->epsilon;
        for (ptrdiff_t i = 0; i < n; i++) {
            const REAL g = gradient[i];
            first[i] = beta1 * first[i] + g;
            second[i] = beta2 * second[i] + g * g;
            gradient[i] = size * first[i] / (SQRT(second[i]) + epsilon);
        }
        break;
    }
    }
    if (stack->unit) {
        const REAL *RESTRICT unit = NAME(net)(stack->unit, net, n);
        for (ptrdiff_t i = 0; i < n; i++)
            w[i] -= unit[i] * gradient[i];
    } else
        for (ptrdiff_t i = 0; i < n; i++)
            w[i] -= gradient[i];
}

/* -------------------------------------------------------------------------------- entry points */

/* The objective of each net on all rows in use, and its gradient where that is not NULL. */
static void NAME(on_all)(Stack *stack, ptrdiff_t length, char *gradient, double *losses)
{
    const Samples *samples = &stack->samples;
    const ptrdiff_t n_samples = samples->n_samples, n_parameters = stack->n_parameters;
    for (ptrdiff_t net = 0; net < stack->n_nets; net++)
        losses[net] = 0;
    for (ptrdiff_t start = 0; start < n_samples; start += length) {
        const ptrdiff_t n = start + length < n_samples ? length : n_samples - start;
        NAME(load)(stack, samples->rows ? samples->rows + start : NULL, start, n, 1.0 / n_samples);
        for (ptrdiff_t net = 0; net < stack->n_nets; net++)
            losses[net] += gradient ? NAME(loss_and_gradient)(
                                          stack, net, start > 0,
                                          NAME(net)(gradient, net, n_parameters))
                                    : NAME(loss)(stack, net);
    }
    for (ptrdiff_t net = 0; net < stack->n_nets; net++)
        losses[net] += NAME(penalty)(stack, net,
                                     gradient ? NAME(net)(gradient, net, n_parameters) : NULL);
}

/* Make ready a batch, large ones in halves: at which size is by the shapes alone. */
static void NAME(load_batch)(Stack *stack, const ptrdiff_t *rows, ptrdiff_t n)
{
    const int is_halved = stack->half && n * stack->n_weights >= HALVED_PRODUCTS;
    const ptrdiff_t n_second = is_halved ? n / 2 / LANES * LANES : 0;
    NAME(load)(stack, rows, 0, n - n_second, 1.0 / n);
    if (stack->half) {
        stack->half->stack.samples = stack->samples;
        NAME(load)(&stack->half->stack, rows + n - n_second, 0, n_second, 1.0 / n);
    }
}

static WIDE void NAME(add)(ptrdiff_t n, const REAL *RESTRICT x, REAL *RESTRICT sum)
{
    for (ptrdiff_t i = 0; i < n; i++)
        sum[i] += x[i];
}

/* Compute the second half of a batch, unless the other thread has begun to. */
static void NAME(compute_half)(Half *half, int turn)
{
    if (CLAIM(&half->claimed, turn)) {
        half->loss = NAME(loss_and_gradient)(&half->stack, half->net, 0, half->gradient);
        STORE(&half->done, turn);
    }
}

/* The loss of a net on the batch that was made ready, and its gradient. */
static double NAME(on_batch)(Stack *stack, ptrdiff_t net, REAL *gradient)
{
    Half *half = stack->half;
    const int is_halved = half && half->stack.batch.n > 0, turn = is_halved ? half->claimed + 1 : 0;
    if (is_halved) {
        half->net = net;
        STORE(&half->turn, turn);
    }
    const double loss = NAME(loss_and_gradient)(stack, net, 0, gradient);
    if (!is_halved)
        return loss;
    NAME(compute_half)(half, turn);
    while (LOAD(&half->done) != turn)
        YIELD();
    NAME(add)(stack->n_parameters, half->gradient, gradient);
    return loss + half->loss;
}

/* In another thread: compute second halves until the epochs that go on are over. */
static void NAME(help)(Stack *stack)
{
    Half *half = stack->half;
    for (int turn, last = 0; (turn = LOAD(&half->turn)) >= 0; last = turn)
        if (turn == last)
            YIELD();
        else
            NAME(compute_half)(half, turn);
}

/* The objective of each net on the rows named, and its gradient. */
static void NAME(on_rows)(Stack *stack, const ptrdiff_t *rows, ptrdiff_t n, char *gradients,
                          double *losses)
{
    NAME(load_batch)(stack, rows, n);
    for (ptrdiff_t net = 0; net < stack->n_nets; net++) {
        REAL *gradient = NAME(net)(gradients, net, stack->n_parameters);
        losses[net] = NAME(on_batch)(stack, net, gradient);
        losses[net] += NAME(penalty)(stack, net, gradient);
    }
}

/* Go through the batches of epochs, an order (n_samples,) of the rows for each; `losses`
   (n_epochs, n_nets) are means over the batches as they went by. Between epochs, the weights of
   each net before its best epoch so far are kept, as TrainingRun.record() does after the last.
   Return how many epochs were gone through: none after one with a loss that is not finite. */
static ptrdiff_t NAME(run_epochs)(Stack *stack, const ptrdiff_t *orders, ptrdiff_t n_epochs,
                                  ptrdiff_t batch_size, const Update *update, double *losses,
                                  char *previous, char *best, double *best_losses)
{
    const ptrdiff_t n_samples = stack->samples.n_samples, n_nets = stack->n_nets;
    const ptrdiff_t n_parameters = stack->n_parameters;
    const double *step_sizes = update->step_sizes;
    for (ptrdiff_t epoch = 0; epoch < n_epochs; epoch++, losses += n_nets, orders += n_samples) {
        int is_finite = 1;
        for (ptrdiff_t net = 0; net < n_nets; net++)
            losses[net] = 0;
        for (ptrdiff_t start = 0; start < n_samples; start += batch_size, step_sizes += n_nets) {
            const ptrdiff_t n = start + batch_size < n_samples ? batch_size : n_samples - start;
            NAME(load_batch)(stack, orders + start, n);
            for (ptrdiff_t net = 0; net < n_nets; net++) {
                REAL *gradient = (REAL *)update->gradient;
                double loss = NAME(on_batch)(stack, net, gradient);
                loss += NAME(penalty)(stack, net, gradient);
                losses[net] += loss * ((double)n / n_samples);
                NAME(step)(stack, update, net, step_sizes[net]);
            }
        }
        for (ptrdiff_t net = 0; net < n_nets; net++)
            is_finite &= isfinite(losses[net]) != 0;
        if (!is_finite || epoch == n_epochs - 1)
            return epoch + 1;
        for (ptrdiff_t net = 0; net < n_nets; net++) {
            const size_t size = n_parameters * sizeof(REAL);
            REAL *before = NAME(net)(previous, net, n_parameters);
            if (losses[net] < best_losses[net]) {
                best_losses[net] = losses[net];
                memcpy(NAME(net)(best, net, n_parameters), before, size);
            }
            memcpy(before, NAME(net)(stack->parameters, net, n_parameters), size);
        }
    }
    return n_epochs;
}

/* The scores (n_nets, n_classes, n) of rows start, ..., start + n - 1. */
static void NAME(scores)(Stack *stack, ptrdiff_t start, ptrdiff_t n, char *scores)
{
    REAL *out = (REAL *)scores;
    const Layer *last = stack->layers + stack->n_layers - 1;
    NAME(load)(stack, NULL, start, n, 1);
    for (ptrdiff_t net = 0; net < stack->n_nets; net++) {
        const REAL *parameters = NAME(net)(stack->parameters, net, stack->n_parameters);
        NAME(forward)(stack, net);
        NAME(add_biases)(last->fan_out, stack->batch.n_padded, stack->stride, parameters + last->biases, last->values);
        for (ptrdiff_t k = 0; k < last->fan_out; k++, out += n)
            memcpy(out, (REAL *)last->values + k * stack->stride, n * sizeof(REAL));
    }
}

static const Passes NAME(passes) = {
    sizeof(REAL), NAME(on_all), NAME(on_rows), NAME(run_epochs), NAME(scores), NAME(help),
};

#undef SUM
