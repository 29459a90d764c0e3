/* The passes of a net over rows, and the updates after them; included once for each REAL.

   Activations lie by units, (fan_out, stride), a row of samples for each. Every sum runs over a
   fixed number of lanes, which are folded in a fixed order: a net's bits depend neither on the
   number of threads nor on where its arrays lie. */

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
static void NAME(multiply)(const Net *net, char transa, char transb, ptrdiff_t m, ptrdiff_t n,
                           ptrdiff_t k, const REAL *a, ptrdiff_t lda, const REAL *b,
                           ptrdiff_t ldb, REAL beta, REAL *c, ptrdiff_t ldc)
{
    int m_ = (int)m, n_ = (int)n, k_ = (int)k, lda_ = (int)lda, ldb_ = (int)ldb, ldc_ = (int)ldc;
    REAL alpha = 1;
    net->gemm(&transa, &transb, &m_, &n_, &k_, &alpha, (void *)a, &lda_, (void *)b, &ldb_, &beta,
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
static void NAME(load)(Net *net, const ptrdiff_t *order, ptrdiff_t start, ptrdiff_t n,
                       double factor)
{
    const Samples *samples = &net->samples;
    Batch *batch = &net->batch;
    const REAL *weights = samples->weights;
    REAL *loss_weights = batch->loss_weights, *rows = net->rows;
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
    } else if (net->layers[0].is_thin) {
        const ptrdiff_t stride = WHOLE_LANES(n_features);
        NAME(gather)(samples, order, start, n, rows, stride);
        memset(rows + n * stride, 0, n_more * stride * sizeof(REAL));
        NAME(transpose_rows)(n_padded, n_features, rows, stride, net->features, net->stride);
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
static WIDE void NAME(multiply_sparse)(const Net *net, const REAL *weights, REAL *z)
{
    const Samples *samples = &net->samples;
    const Batch *batch = &net->batch;
    const ptrdiff_t units = net->layers[0].fan_out, n_features = samples->n_features;
    const REAL *center = samples->center;
    REAL *first = net->first_weights, *by_row = net->by_row;
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
    NAME(transpose)(batch->n_padded, units, by_row, units, z, net->stride);
    if (center)
        for (ptrdiff_t u = 0; u < units; u++) {
            REAL offset, *z_u = z + u * net->stride;
            const REAL *w = weights + u * n_features;
            SUM(offset, n_features, w[i] * center[i]);
            for (ptrdiff_t i = 0; i < batch->n; i++)
                z_u[i] += offset;
        }
}

/* gradient (fan_out, n_features) <- delta X + beta gradient for CSR rows; `sums` are delta's. */
static WIDE void NAME(multiply_sparse_transposed)(const Net *net, const REAL *delta,
                                                  const REAL *sums, REAL beta, REAL *gradient)
{
    const Samples *samples = &net->samples;
    const Batch *batch = &net->batch;
    const ptrdiff_t units = net->layers[0].fan_out, n_features = samples->n_features;
    const REAL *center = samples->center;
    REAL *first = net->first_gradient, *by_row = net->by_row;
    NAME(transpose)(units, batch->n, delta, net->stride, by_row, units);
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

static WIDE void NAME(add_biases)(ptrdiff_t units, ptrdiff_t n, ptrdiff_t stride,
                                  const REAL *biases, REAL *z)
{
    for (ptrdiff_t u = 0; u < units; u++)
        for (ptrdiff_t i = 0; i < n; i++)
            z[u * stride + i] += biases[u];
}

/* The last layer's W a without its biases. */
static void NAME(forward)(const Net *net)
{
    const REAL *parameters = net->parameters;
    const Batch *batch = &net->batch;
    const ptrdiff_t n = batch->n_padded, stride = net->stride;
    for (ptrdiff_t l = 0; l < net->n_layers; l++) {
        const Layer *layer = net->layers + l, *below = layer - 1;
        const REAL *weights = parameters + layer->weights;
        const REAL *inputs =
            l > 0 ? below->values : layer->is_thin ? net->features : batch->x;
        const int fan_in = layer->fan_in, fan_out = layer->fan_out;
        if (l > 0)
            NAME(activate)(net->activation, fan_in, n, stride, parameters + below->biases,
                           below->values, below->slopes);
        if (layer->is_thin)
            NAME(multiply_thin)(fan_out, n, fan_in, weights, fan_in, 1, inputs, stride, 0,
                                layer->values, stride);
        else if (l > 0)
            NAME(multiply)(net, 'N', 'N', n, fan_out, fan_in, inputs, stride, weights, fan_in, 0,
                           layer->values, stride);
        else if (inputs)
            NAME(multiply)(net, 'T', 'N', n, fan_out, fan_in, inputs, batch->x_stride, weights,
                           fan_in, 0, layer->values, stride);
        else
            NAME(multiply_sparse)(net, weights, layer->values);
    }
}

/* sum_i c_i (log sum_k exp(s_ik - m_i) - (s_iy - m_i)), m_i = max_k s_ik, for scores without
   biases. They become e_ik = exp(s_ik - m_i), and `totals` their sums. */
static WIDE double NAME(softmax_loss)(const Net *net, const REAL *biases)
{
    const Layer *last = net->layers + net->n_layers - 1;
    const Batch *batch = &net->batch;
    const ptrdiff_t n = batch->n_padded, n_classes = last->fan_out, stride = net->stride;
    const ptrdiff_t *codes = batch->codes;
    const REAL *RESTRICT loss_weights = batch->loss_weights;
    REAL *RESTRICT scores = last->values, *RESTRICT totals = net->totals;
    REAL *RESTRICT largest = net->own_scores; /* until those take its place */
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
static WIDE void NAME(softmax_delta)(const Net *net, REAL *sums)
{
    const Layer *last = net->layers + net->n_layers - 1;
    const Batch *batch = &net->batch;
    const ptrdiff_t n = batch->n_padded, stride = net->stride;
    const ptrdiff_t *codes = batch->codes;
    const REAL *RESTRICT loss_weights = batch->loss_weights;
    REAL *RESTRICT delta = last->values, *RESTRICT factors = net->totals;
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

/* The loss on the batch. */
static double NAME(loss)(const Net *net)
{
    const REAL *parameters = net->parameters;
    NAME(forward)(net);
    return NAME(softmax_loss)(net, parameters + net->layers[net->n_layers - 1].biases);
}

/* The loss on the batch; gradient <- its gradient + beta gradient, with beta 0 or 1. */
static double NAME(loss_and_gradient)(const Net *net, REAL beta, REAL *gradient)
{
    const REAL *parameters = net->parameters;
    const Batch *batch = &net->batch;
    const double loss = NAME(loss)(net);
    const ptrdiff_t n = batch->n_padded, stride = net->stride;
    for (ptrdiff_t l = net->n_layers - 1; l >= 0; l--) {
        const Layer *layer = net->layers + l, *below = layer - 1;
        const int fan_in = layer->fan_in, fan_out = layer->fan_out;
        const REAL *inputs = l > 0 ? below->values : batch->x;
        REAL *of_weights = gradient + layer->weights, *of_biases = gradient + layer->biases;
        REAL *delta = layer->delta, *sums = net->sums;
        if (l == net->n_layers - 1)
            NAME(softmax_delta)(net, sums);
        else
            NAME(deactivate)(net->activation, fan_out, n, stride, layer->values, layer->slopes,
                             delta, sums);
        for (ptrdiff_t u = 0; u < fan_out; u++)
            of_biases[u] = beta == 0 ? sums[u] : of_biases[u] + sums[u];
        if (layer->is_thin && l == 0 && 2 * fan_in > LANES)
            NAME(multiply_thin)(fan_out, fan_in, n, delta, stride, 1, inputs, batch->x_stride,
                                beta, of_weights, fan_in);
        else if (layer->is_thin)
            NAME(multiply_thin_transposed)(fan_out, n, fan_in, delta,
                                           l > 0 ? inputs : net->features, stride, beta,
                                           of_weights);
        else if (l > 0)
            NAME(multiply)(net, 'T', 'N', fan_in, fan_out, n, inputs, stride, delta, stride,
                           beta, of_weights, fan_in);
        else if (inputs)
            NAME(multiply)(net, 'N', 'N', fan_in, fan_out, n, inputs, batch->x_stride, delta,
                           stride, beta, of_weights, fan_in);
        else
            NAME(multiply_sparse_transposed)(net, delta, sums, beta, of_weights);
        if (l > 0 && layer->is_thin)
            NAME(multiply_thin)(fan_in, n, fan_out, parameters + layer->weights, 1, fan_in, delta,
                                stride, 0, below->delta, stride);
        else if (l > 0)
            NAME(multiply)(net, 'N', 'T', n, fan_in, fan_out, delta, stride,
                           parameters + layer->weights, fan_in, 0, below->delta, stride);
    }
    return loss;
}

/* ------------------------------------------------------------------------ penalty and updates */

/* reg/2 ||w||^2. Where `gradient` is given, the penalty's is added to it, and it is brought to the
   solver's variables. */
static WIDE double NAME(penalty)(const Net *net, REAL *RESTRICT gradient)
{
    const ptrdiff_t n_weights = net->n_weights, n_parameters = net->n_parameters;
    const REAL *RESTRICT w = net->parameters, *RESTRICT decay = net->decay;
    const REAL *RESTRICT scale = net->param_scale;
    REAL sum;
    if (!scale) {
        const REAL reg = *decay;
        if (gradient)
            for (ptrdiff_t i = 0; i < n_weights; i++)
                gradient[i] += reg * w[i];
        SUM(sum, n_weights, w[i] * w[i]);
        return 0.5 * reg * sum;
    }
    if (gradient) {
        for (ptrdiff_t i = 0; i < n_weights; i++)
            gradient[i] += decay[i] * w[i];
        for (ptrdiff_t i = 0; i < n_parameters; i++)
            gradient[i] *= scale[i];
    }
    SUM(sum, n_weights, decay[i] * w[i] * w[i]);
    return 0.5 * sum;
}

/* Take a step; the formulas are in update_rules.py. Only the gradient of batches is changed. */
static WIDE void NAME(step)(const Net *net, const Update *update, double step_size)
{
    const ptrdiff_t n = net->n_parameters;
    REAL *RESTRICT w = net->parameters, *RESTRICT gradient = update->gradient;
    REAL *RESTRICT first = update->moments[0], *RESTRICT second = update->moments[1];
    const REAL *RESTRICT scale = net->param_scale;
    const REAL size = (REAL)step_size;
    switch (update->rule) {
    case GRADIENT_DESCENT:
        if (scale)
            for (ptrdiff_t i = 0; i < n; i++)
                w[i] -= scale[i] * (size * gradient[i]);
        else
            for (ptrdiff_t i = 0; i < n; i++)
                w[i] -= size * gradient[i];
        return;
    case NESTEROV_MOMENTUM: {
        const REAL momentum = (REAL)update->momentum;
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
    if (scale)
        for (ptrdiff_t i = 0; i < n; i++)
            w[i] -= scale[i] * gradient[i];
    else
        for (ptrdiff_t i = 0; i < n; i++)
            w[i] -= gradient[i];
}

/* -------------------------------------------------------------------------------- entry points */

/* The objective on all rows in use, and its gradient where that is not NULL. */
static double NAME(on_all)(Net *net, ptrdiff_t length, void *gradient)
{
    const Samples *samples = &net->samples;
    const ptrdiff_t n_samples = samples->n_samples;
    double loss = 0;
    for (ptrdiff_t start = 0; start < n_samples; start += length) {
        const ptrdiff_t n = start + length < n_samples ? length : n_samples - start;
        NAME(load)(net, samples->rows ? samples->rows + start : NULL, start, n, 1.0 / n_samples);
        loss += gradient ? NAME(loss_and_gradient)(net, start > 0, gradient) : NAME(loss)(net);
    }
    return loss + NAME(penalty)(net, gradient);
}

/* The objective on the rows named, and its gradient. */
static double NAME(on_rows)(Net *net, const ptrdiff_t *rows, ptrdiff_t n, void *gradient)
{
    NAME(load)(net, rows, 0, n, 1.0 / n);
    const double loss = NAME(loss_and_gradient)(net, 0, gradient);
    return loss + NAME(penalty)(net, gradient);
}

/* Say whether no entry is larger than `tol` in absolute value; NaN is. */
static WIDE int NAME(is_small)(ptrdiff_t n, const REAL *x, double tol)
{
    int is_small = 1;
    for (ptrdiff_t i = 0; i < n; i++)
        is_small &= x[i] <= tol && x[i] >= -tol;
    return is_small;
}

/* Go through the batches of an epoch; return the mean loss over them as they go by. */
static double NAME(run_epoch)(Net *net, const Update *update, ptrdiff_t batch_size,
                              const double *step_sizes)
{
    const ptrdiff_t n_samples = net->samples.n_samples;
    double loss = 0;
    draw_order(&net->samples, update->bit_generator, update->order);
    for (ptrdiff_t start = 0; start < n_samples; start += batch_size) {
        const ptrdiff_t n = start + batch_size < n_samples ? batch_size : n_samples - start;
        const double on_batch = NAME(on_rows)(net, update->order + start, n, update->gradient);
        loss += on_batch * ((double)n / n_samples);
        NAME(step)(net, update, *step_sizes++);
    }
    return loss;
}

/* Go through epochs; see interface.py. Between epochs, the weights before the best epoch so far
   are kept, as BestWeights.update() keeps them. Return the number of epochs: the last is one with
   a loss that is not finite, or with a small gradient. */
static ptrdiff_t NAME(run_epochs)(Net *net, const Update *update, ptrdiff_t n_epochs,
                                  ptrdiff_t batch_size, ptrdiff_t length, double *losses)
{
    const ptrdiff_t n_samples = net->samples.n_samples, n_parameters = net->n_parameters;
    const int has_batches = update->rule != GRADIENT_DESCENT;
    const ptrdiff_t n_updates = has_batches ? (n_samples + batch_size - 1) / batch_size : 1;
    const size_t size = n_parameters * sizeof(REAL);
    for (ptrdiff_t epoch = 0; epoch < n_epochs; epoch++) {
        const double *step_sizes = update->step_sizes + epoch * n_updates;
        if (has_batches) {
            losses[epoch] = NAME(run_epoch)(net, update, batch_size, step_sizes);
        } else {
            losses[epoch] = NAME(on_all)(net, length, update->gradient);
            NAME(step)(net, update, *step_sizes);
            if (NAME(is_small)(n_parameters, update->gradient, update->tol))
                return epoch + 1;
        }
        if (!isfinite(losses[epoch]) || epoch == n_epochs - 1)
            return epoch + 1;
        if (losses[epoch] < *update->best_loss) {
            *update->best_loss = losses[epoch];
            memcpy(update->best, update->previous, size);
        }
        memcpy(update->previous, net->parameters, size);
    }
    return n_epochs;
}

/* The scores (n_classes, n) of rows start, ..., start + n - 1. */
static void NAME(scores)(Net *net, ptrdiff_t start, ptrdiff_t n, void *scores)
{
    REAL *out = scores;
    const REAL *parameters = net->parameters;
    const Layer *last = net->layers + net->n_layers - 1;
    NAME(load)(net, NULL, start, n, 1);
    NAME(forward)(net);
    NAME(add_biases)(last->fan_out, net->batch.n_padded, net->stride, parameters + last->biases,
                     last->values);
    for (ptrdiff_t k = 0; k < last->fan_out; k++, out += n)
        memcpy(out, (REAL *)last->values + k * net->stride, n * sizeof(REAL));
}

static const Passes NAME(passes) = {
    sizeof(REAL), NAME(on_all), NAME(on_rows), NAME(run_epochs), NAME(scores),
};

#undef SUM
