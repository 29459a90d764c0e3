/* The passes over a batch: its rows, forward, loss and backward; included once for each REAL.

   With a_0 = x, z_l = W_l a_{l-1} + b_l, a_l = f(z_l) and scores s = z_L:

       loss     = sum_i c_i (log sum_k exp(s_ik) - s_i,y_i)
       delta_L  = c (softmax(s) - onehot(y))
       dW_l     = delta_l a_{l-1}^T,  db_l = sum_i delta_l
       delta_l  = W_{l+1}^T delta_{l+1} f'(z_l)

   Every sum runs over a fixed number of lanes, which are folded in a fixed order: the bits depend
   on neither the threads nor the addresses. */

enum { NAME(SUM_LANES) = 64 / sizeof(REAL) };

static ALWAYS_INLINE REAL NAME(fold)(REAL *lanes)
{
    for (ptrdiff_t half = NAME(SUM_LANES) / 2; half > 0; half /= 2)
        for (ptrdiff_t l = 0; l < half; l++)
            lanes[l] += lanes[l + half];
    return lanes[0];
}

/* Add up TERM, an expression of i, over i < n, a multiple of SUM_LANES. */
#define SUM(sum, n, TERM)                                                 \
    do {                                                                  \
        REAL lanes[NAME(SUM_LANES)] = {0};                                \
        for (ptrdiff_t start = 0; start < (n); start += NAME(SUM_LANES))  \
            for (ptrdiff_t l = 0; l < NAME(SUM_LANES); l++) {             \
                const ptrdiff_t i = start + l;                            \
                lanes[l] += TERM;                                         \
            }                                                             \
        sum = NAME(fold)(lanes);                                          \
    } while (0)

static ptrdiff_t NAME(whole)(ptrdiff_t n, ptrdiff_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

/* ------------------------------------------------------------------ the rows of a batch */

/* out[panel][i] <- the rows of dense X, scaled; XREAL is the type of X. */
#define GATHER(gather, XREAL, XVEC)                                                            \
    typedef XREAL XVEC __attribute__((vector_size(LANES * sizeof(XREAL)),                      \
                                      aligned(sizeof(XREAL)), may_alias));                     \
    static void NAME(gather)(const Net *net, REAL *RESTRICT out)                               \
    {                                                                                          \
        const Samples *samples = &net->samples;                                                \
        const ptrdiff_t n_features = samples->n_features, stride = samples->column_stride;     \
        const XREAL *RESTRICT mean = samples->mean, *RESTRICT inverse = samples->inv_scale;    \
        for (ptrdiff_t i = 0; i < net->n; i++) {                                               \
            const char *x = samples->x + net->rows[i] * samples->row_stride;                   \
            REAL *RESTRICT lanes = out + i * LANES;                                            \
            ptrdiff_t j = 0;                                                                   \
            for (; stride == sizeof(XREAL) && j + LANES <= n_features; j += LANES) {           \
                XVEC values = *(const XVEC *)(x + j * sizeof(XREAL));                          \
                if (inverse)                                                                   \
                    values = (values - *(const XVEC *)(mean + j)) * *(const XVEC *)(inverse + j); \
                *(VEC *)lanes = __builtin_convertvector(values, VEC);                          \
                lanes += net->stride * LANES;                                                  \
            }                                                                                  \
            while (j < n_features) {                                                           \
                const ptrdiff_t n = n_features - j < LANES ? n_features - j : LANES;           \
                for (ptrdiff_t l = 0; l < n; l++) {                                            \
                    const XREAL value = *(const XREAL *)(x + (j + l) * stride);                \
                    lanes[l] = (REAL)(inverse ? (value - mean[j + l]) * inverse[j + l] : value); \
                }                                                                              \
                lanes += net->stride * LANES;                                                  \
                j += n;                                                                        \
            }                                                                                  \
        }                                                                                      \
    }
GATHER(gather_float, float, NAME(vec_of_float))
GATHER(gather_double, double, NAME(vec_of_double))
#undef GATHER

static ALWAYS_INLINE REAL NAME(at)(const void *array, int is_double, ptrdiff_t place)
{
    return is_double ? (REAL)((const double *)array)[place] : (REAL)((const float *)array)[place];
}

/* The stored value of a CSR entry, scaled, with what the column holds elsewhere. */
static ALWAYS_INLINE REAL NAME(stored)(const Samples *samples, ptrdiff_t place)
{
    const int j = samples->indices[place], is_double = samples->is_double;
    if (!samples->inv_scale)
        return NAME(at)(samples->data, is_double, place);
    if (is_double)
        return (REAL)((((const double *)samples->data)[place] - ((const double *)samples->mean)[j]) *
                      ((const double *)samples->inv_scale)[j]);
    return (REAL)((((const float *)samples->data)[place] - ((const float *)samples->mean)[j]) *
                  ((const float *)samples->inv_scale)[j]);
}

/* out[panel][i] <- CSR rows, made dense. */
static void NAME(scatter)(const Net *net, REAL *out)
{
    const Samples *samples = &net->samples;
    const ptrdiff_t n_panels = NAME(whole)(samples->n_features, LANES) / LANES;
    for (ptrdiff_t p = 0; p < n_panels; p++)
        for (ptrdiff_t i = 0; i < net->n; i++)
            for (ptrdiff_t l = 0; l < LANES && p * LANES + l < samples->n_features; l++)
                out[(p * net->stride + i) * LANES + l] =
                    samples->center ? NAME(at)(samples->center, samples->is_double, p * LANES + l)
                                    : 0;
    for (ptrdiff_t i = 0; i < net->n; i++)
        for (int e = samples->indptr[net->rows[i]]; e < samples->indptr[net->rows[i] + 1]; e++) {
            const int j = samples->indices[e];
            out[(j / LANES * net->stride + i) * LANES + j % LANES] += NAME(stored)(samples, e);
        }
}

/* Make ready the rows `order[0], ..., order[n - 1]`, or start, start + 1, ... where it is NULL.
   The factor of a row's term in the loss is `factor` times its weight. */
static void NAME(load)(Net *net, const ptrdiff_t *order, ptrdiff_t start, ptrdiff_t n,
                       double factor)
{
    const Samples *samples = &net->samples;
    const REAL *weights = samples->weights;
    REAL *loss_weights = net->loss_weights, *inputs = net->inputs;
    const REAL scale = (REAL)(factor * samples->weight_scale);
    const ptrdiff_t n_padded = NAME(whole)(n, 16);
    net->n = n;
    net->n_padded = n_padded;
    for (ptrdiff_t i = 0; i < n; i++)
        net->rows[i] = order ? order[i] : start + i;
    for (ptrdiff_t i = 0; samples->codes && i < n; i++) {
        net->codes[i] = samples->codes[net->rows[i]];
        loss_weights[i] = weights[net->rows[i]] * scale;
    }
    for (ptrdiff_t i = n; i < n_padded; i++)
        net->codes[i] = loss_weights[i] = 0;
    if (net->is_by_entry)
        return;
    for (ptrdiff_t p = 0; n < n_padded && p * LANES < samples->n_features; p++)
        for (ptrdiff_t i = n; i < n_padded; i++)
            for (ptrdiff_t l = 0; l < LANES && p * LANES + l < samples->n_features; l++)
                inputs[(p * net->stride + i) * LANES + l] = 0;
    if (!samples->x)
        NAME(scatter)(net, inputs);
    else if (samples->is_double)
        NAME(gather_double)(net, inputs);
    else
        NAME(gather_float)(net, inputs);
}

/* ------------------------------------------------------------------ activations */

/* values <- f(values) over n entries, and slopes <- f' where it does not follow from f. To add an
   activation, add its two formulas here and its name to `enum Activation`. */
static void NAME(activate)(enum Activation activation, ptrdiff_t n, REAL *RESTRICT values,
                           REAL *RESTRICT slopes)
{
    switch (activation) {
    case RELU:
        for (ptrdiff_t i = 0; i < n; i++)
            values[i] = values[i] < 0 ? 0 : values[i];
        break;
    case LEAKY_RELU:
        for (ptrdiff_t i = 0; i < n; i++)
            values[i] = values[i] < 0 ? values[i] * (REAL)0.01 : values[i];
        break;
    case LOGISTIC:
        for (ptrdiff_t i = 0; i < n; i++)
            values[i] = NAME(logistic)(values[i]);
        break;
    case TANH:
        for (ptrdiff_t i = 0; i < n; i++)
            values[i] = NAME(tanh)(values[i]);
        break;
    case GELU: /* z Phi(z), and Phi(z) + z exp(-z^2 / 2) / sqrt(2 pi) */
        for (ptrdiff_t i = 0; i < n; i++) {
            const REAL z = values[i], p = NAME(ndtr)(z);
            slopes[i] = p + z * NAME(gaussian)(z) * (REAL)0.3989422804014327;
            values[i] = z * p;
        }
        break;
    case SILU: /* z s(z), and 1 + (f(z) - 1) (1 - s(z)) */
        for (ptrdiff_t i = 0; i < n; i++) {
            const REAL z = values[i], s = NAME(logistic)(z);
            slopes[i] = 1 + (z * s - 1) * (1 - s);
            values[i] = z * s;
        }
        break;
    case IDENTITY:
        break;
    }
}

/* delta <- delta f'(z) over n entries. */
static void NAME(differentiate)(enum Activation activation, ptrdiff_t n,
                                const REAL *RESTRICT values, const REAL *RESTRICT slopes,
                                REAL *RESTRICT delta)
{
    switch (activation) {
    case RELU:
        for (ptrdiff_t i = 0; i < n; i++)
            delta[i] = values[i] > 0 ? delta[i] : 0;
        break;
    case LEAKY_RELU: /* at 0, as where biases begin and x is 0, the mean of both */
        for (ptrdiff_t i = 0; i < n; i++)
            delta[i] *= values[i] > 0 ? 1 : values[i] < 0 ? (REAL)0.01 : (REAL)0.505;
        break;
    case LOGISTIC:
        for (ptrdiff_t i = 0; i < n; i++)
            delta[i] *= values[i] * (1 - values[i]);
        break;
    case TANH:
        for (ptrdiff_t i = 0; i < n; i++)
            delta[i] *= 1 - values[i] * values[i];
        break;
    case GELU:
    case SILU:
        for (ptrdiff_t i = 0; i < n; i++)
            delta[i] *= slopes[i];
        break;
    case IDENTITY:
        break;
    }
}

/* ------------------------------------------------------------------ forward */

/* Lanes of the last panel of hidden values that belong to no unit become 0. If another hidden layer
   follows, the one after the last unit is 1, for its biases. */
static void NAME(pad_values)(const Net *net, const Layer *layer)
{
    const ptrdiff_t used = layer->fan_out % LANES;
    if (used == 0) /* the column of ones is in a panel of its own, set once */
        return;
    const REAL one = layer < net->layers + net->n_layers - 2;
    REAL *rows = (REAL *)layer->values + (layer->panels - 1) * net->stride * LANES;
    for (ptrdiff_t i = 0; i < net->n_padded; i++)
        for (ptrdiff_t l = used; l < LANES; l++)
            rows[i * LANES + l] = l == used ? one : 0;
}

/* The first layer's products entry by entry. Of a hidden layer: z[panel][i] <- x_i W + b. */
static void NAME(multiply_entries)(const Net *net, const Layer *layer, const REAL *weights,
                                   REAL *z)
{
    const Samples *samples = &net->samples;
    for (ptrdiff_t p = 0; p < layer->panels; p++) {
        const VEC *of_panel = (const VEC *)weights + p * layer->rows;
        VEC base = of_panel[layer->fan_in];
        if (samples->center)
            for (ptrdiff_t j = 0; j < layer->fan_in; j++)
                base += NAME(at)(samples->center, samples->is_double, j) * of_panel[j];
        for (ptrdiff_t i = 0; i < net->n; i++) {
            VEC sum = base;
            for (int e = samples->indptr[net->rows[i]]; e < samples->indptr[net->rows[i] + 1]; e++)
                sum += NAME(stored)(samples, e) * of_panel[samples->indices[e]];
            ((VEC *)z)[p * net->stride + i] = sum;
        }
        memset((VEC *)z + p * net->stride + net->n, 0, (net->n_padded - net->n) * sizeof(VEC));
    }
}

/* Without a hidden layer: scores[k][i] <- x_i W_k. */
static void NAME(score_entries)(const Net *net, const Layer *layer, const REAL *weights)
{
    const Samples *samples = &net->samples;
    REAL *scores = net->scores;
    for (ptrdiff_t k = 0; k < layer->fan_out; k++) {
        const REAL *of_class = weights + k * LANES;
        REAL base = 0;
        if (samples->center)
            for (ptrdiff_t j = 0; j < layer->fan_in; j++)
                base += NAME(at)(samples->center, samples->is_double, j) *
                        of_class[j / LANES * layer->rows * LANES + j % LANES];
        for (ptrdiff_t i = 0; i < net->n; i++) {
            REAL sum = base;
            for (int e = samples->indptr[net->rows[i]]; e < samples->indptr[net->rows[i] + 1]; e++) {
                const int j = samples->indices[e];
                sum += NAME(stored)(samples, e) *
                       of_class[j / LANES * layer->rows * LANES + j % LANES];
            }
            scores[k * net->stride + i] = sum;
        }
        memset(scores + k * net->stride + net->n, 0, (net->n_padded - net->n) * sizeof(REAL));
    }
}

/* out[panel of rows][column] <- in[panel of columns][row], a matrix in panels the other way. */
static void NAME(transpose)(ptrdiff_t n_rows, ptrdiff_t n_columns, const REAL *in,
                            ptrdiff_t in_panel, REAL *out, ptrdiff_t out_panel)
{
    for (ptrdiff_t r = 0; r < n_rows; r++) {
        REAL *lanes = out + r / LANES * out_panel + r % LANES;
        for (ptrdiff_t c = 0; c < n_columns; c++)
            lanes[c * LANES] = in[c / LANES * in_panel + r * LANES + c % LANES];
    }
}

/* The scores without their biases, class after class. */
static void NAME(forward)(Net *net)
{
    const ptrdiff_t stride = net->stride, n = net->n_padded;
    const Layer *last = net->layers + net->n_layers - 1;
    const REAL *weights = net->weights, *below = net->inputs;
    REAL *scores = net->scores, *panels = net->score_panels;
    for (const Layer *layer = net->layers; layer < last; layer++, below = layer[-1].values) {
        const NAME(Left) left = {below, LANES, 1, LANES, stride * LANES};
        REAL *values = layer->values;
        if (layer == net->layers && net->is_by_entry)
            NAME(multiply_entries)(net, layer, weights + layer->weights, values);
        else
            NAME(multiply)(8, n, layer->panels, layer->fan_in + 1, left, 0,
                           weights + layer->weights, layer->rows * LANES, 0, values,
                           stride * LANES);
        for (ptrdiff_t p = 0; p < layer->panels; p++)
            NAME(activate)(net->activation, n * LANES, values + p * stride * LANES,
                           (REAL *)layer->slopes + p * stride * LANES);
        NAME(pad_values)(net, layer);
    }
    if (net->n_layers == 1 && net->is_by_entry) {
        NAME(score_entries)(net, last, weights + last->weights);
        return;
    }
    const ptrdiff_t n_panels = NAME(whole)(last->fan_out, LANES) / LANES;
    const NAME(Left) left = {below, LANES, 1, LANES, stride * LANES};
    NAME(transpose)(last->fan_out, last->fan_in, weights + last->weights, last->rows * LANES,
                    last->transposed, last->fan_in * LANES);
    NAME(multiply)(8, n, n_panels, last->fan_in, left, 0, last->transposed,
                   last->fan_in * LANES, 0, panels, stride * LANES);
    for (ptrdiff_t k = 0; k < last->fan_out; k++)
        for (ptrdiff_t i = 0; i < n; i++)
            scores[k * stride + i] = panels[(k / LANES * stride + i) * LANES + k % LANES];
}

/* sum_i c_i (log sum_k exp(s_ik - m_i) - (s_iy - m_i)), m_i = max_k s_ik. The scores get their
   biases and become e_ik = exp(s_ik - m_i), and `totals` their sums. */
static double NAME(softmax_loss)(const Net *net)
{
    const ptrdiff_t n = net->n_padded, stride = net->stride;
    const ptrdiff_t n_classes = net->layers[net->n_layers - 1].fan_out;
    const REAL *RESTRICT loss_weights = net->loss_weights;
    const REAL *biases = (REAL *)net->weights + net->n_packed_weights;
    REAL *RESTRICT scores = net->scores, *RESTRICT totals = net->totals;
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
        own_scores[i] = scores[net->codes[i] * stride + i];
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

/* ------------------------------------------------------------------ backward */

/* The scores become c (softmax(s) - onehot(y)); their sums by class are the biases' gradient. */
static void NAME(softmax_delta)(const Net *net, int is_added)
{
    const ptrdiff_t n = net->n_padded, stride = net->stride;
    const Layer *last = net->layers + net->n_layers - 1;
    const REAL *RESTRICT loss_weights = net->loss_weights;
    REAL *RESTRICT delta = net->scores, *RESTRICT factors = net->totals;
    REAL *biases = (REAL *)net->gradient + net->n_packed_weights;
    for (ptrdiff_t i = 0; i < n; i++)
        factors[i] = loss_weights[i] / factors[i];
    for (ptrdiff_t k = 0; k < last->fan_out; k++) {
        REAL *RESTRICT d = delta + k * stride;
        for (ptrdiff_t i = 0; i < n; i++)
            d[i] *= factors[i];
    }
    for (ptrdiff_t i = 0; i < n; i++)
        delta[net->codes[i] * stride + i] -= loss_weights[i];
    for (ptrdiff_t k = 0; k < last->fan_out; k++) {
        REAL sum;
        SUM(sum, n, delta[k * stride + i]);
        biases[k] = is_added ? biases[k] + sum : sum;
    }
}

/* The first layer's gradient entry by entry; that of `center` is by the sums of delta. */
static void NAME(add_entries)(const Net *net, const Layer *layer, int is_added, REAL *gradient)
{
    const Samples *samples = &net->samples;
    if (!is_added)
        memset(gradient, 0, layer->panels * layer->rows * LANES * sizeof(REAL));
    for (ptrdiff_t p = 0; net->n_layers > 1 && p < layer->panels; p++) {
        VEC *of_panel = (VEC *)gradient + p * layer->rows, sum = {0};
        const VEC *delta = (const VEC *)layer->delta + p * net->stride;
        for (ptrdiff_t i = 0; i < net->n; i++) {
            sum += delta[i];
            for (int e = samples->indptr[net->rows[i]]; e < samples->indptr[net->rows[i] + 1]; e++)
                of_panel[samples->indices[e]] += NAME(stored)(samples, e) * delta[i];
        }
        for (ptrdiff_t j = 0; samples->center && j < layer->fan_in; j++)
            of_panel[j] += NAME(at)(samples->center, samples->is_double, j) * sum;
        of_panel[layer->fan_in] += sum;
    }
    for (ptrdiff_t k = 0; net->n_layers == 1 && k < layer->fan_out; k++) {
        REAL *of_class = gradient + k * LANES, sum = 0;
        const REAL *delta = (const REAL *)net->scores + k * net->stride;
        for (ptrdiff_t i = 0; i < net->n; i++) {
            sum += delta[i];
            for (int e = samples->indptr[net->rows[i]]; e < samples->indptr[net->rows[i] + 1]; e++) {
                const int j = samples->indices[e];
                of_class[j / LANES * layer->rows * LANES + j % LANES] +=
                    NAME(stored)(samples, e) * delta[i];
            }
        }
        for (ptrdiff_t j = 0; samples->center && j < layer->fan_in; j++)
            of_class[j / LANES * layer->rows * LANES + j % LANES] +=
                NAME(at)(samples->center, samples->is_double, j) * sum;
    }
}

/* The loss on the rows that are loaded. */
static double NAME(loss)(Net *net)
{
    NAME(forward)(net);
    return NAME(softmax_loss)(net);
}

/* The same; the packed gradient is set, or added to. */
static double NAME(loss_and_gradient)(Net *net, int is_added)
{
    const double loss = NAME(loss)(net);
    const ptrdiff_t stride = net->stride, n = net->n_padded;
    const Layer *last = net->layers + net->n_layers - 1;
    const REAL *weights = net->weights;
    REAL *gradient = net->gradient;
    NAME(softmax_delta)(net, is_added);
    for (const Layer *layer = last; layer >= net->layers; layer--) {
        const Layer *lower = layer - 1;
        const REAL *below = layer == net->layers ? net->inputs : lower->values;
        REAL *of_layer = gradient + layer->weights;
        const int is_first = layer == net->layers;
        /* rows of the gradient: classes, or columns of the values below; terms: the samples */
        const NAME(Left) classes = {net->scores, stride, 1, n, 0};
        const NAME(Left) columns = {below, 1, LANES, n, 0};
        if (is_first && net->is_by_entry)
            NAME(add_entries)(net, layer, is_added, of_layer);
        else if (layer == last)
            NAME(multiply)(4, layer->rows, layer->panels, n, classes, 0, below, stride * LANES,
                           is_added, of_layer, layer->rows * LANES);
        else
            NAME(multiply)(LANES < 8 ? LANES : 8, layer->rows, layer->panels, n, columns,
                           stride * LANES, layer->delta, stride * LANES, is_added, of_layer,
                           layer->rows * LANES);
        if (is_first)
            break;
        /* delta of the values below: rows are samples, terms the units of this layer */
        const NAME(Left) by_class = {net->scores, 1, stride, layer->fan_out, 0};
        const NAME(Left) by_unit = {layer->delta, LANES, 1, LANES, stride * LANES};
        if (layer == last) {
            NAME(multiply)(8, n, lower->panels, layer->fan_out, by_class, 0,
                           weights + layer->weights, layer->rows * LANES, 0, lower->delta,
                           stride * LANES);
        } else {
            NAME(transpose)(layer->fan_in, layer->fan_out, weights + layer->weights,
                            layer->rows * LANES, layer->transposed, layer->fan_out * LANES);
            NAME(multiply)(8, n, lower->panels, layer->fan_out, by_unit, 0, layer->transposed,
                           layer->fan_out * LANES, 0, lower->delta, stride * LANES);
        }
        for (ptrdiff_t p = 0; p < lower->panels; p++) {
            const ptrdiff_t place = p * stride * LANES;
            NAME(differentiate)(net->activation, n * LANES, (REAL *)lower->values + place,
                                (REAL *)lower->slopes + place, (REAL *)lower->delta + place);
        }
    }
    return loss;
}
