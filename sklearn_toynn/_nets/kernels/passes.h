/* The passes over a batch: loading, forward, loss and backward. Included once for each REAL.

   With a_0 = x, z_l = W_l a_{l-1} + b_l, a_l = f(z_l) and scores s = z_L (Goodfellow, Bengio and
   Courville 2016, "Deep Learning", section 6.5):

       loss     = sum_i c_i (log sum_k exp(s_ik) - s_i,y_i)
       delta_L  = c (softmax(s) - onehot(y))
       dW_l     = delta_l a_{l-1}^T,  db_l = sum_i delta_l
       delta_l  = W_{l+1}^T delta_{l+1} f'(z_l)

   Every sum has a fixed order, so the bits depend on neither threads nor addresses. */

/* n, rounded up to a multiple of `multiple`. */
static ptrdiff_t NAME(whole)(ptrdiff_t n, ptrdiff_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

static ALWAYS_INLINE REAL NAME(sum_lanes)(VEC lanes)
{
    REAL sum = 0;
    for (ptrdiff_t l = 0; l < LANES; l++)
        sum += lanes[l];
    return sum;
}

/* ------------------------------------------------------------------ the rows of a batch */

/* The entry of X at `x`, scaled in the type of X. */
static ALWAYS_INLINE REAL NAME(scaled)(const Samples *samples, const int is_double,
                                       const int is_scaled, const char *x, ptrdiff_t column)
{
    if (is_double) {
        const double *mean = samples->mean, *inverse = samples->inv_scale, value = *(double *)x;
        return (REAL)(is_scaled ? (value - mean[column]) * inverse[column] : value);
    }
    const float *mean = samples->mean, *inverse = samples->inv_scale, value = *(float *)x;
    return (REAL)(is_scaled ? (value - mean[column]) * inverse[column] : value);
}

/* An entry of column j of encoded rows, for the row of X at `x`. */
static ALWAYS_INLINE REAL NAME(encoded)(const Samples *samples, const int is_double,
                                        const char *x, ptrdiff_t j)
{
    x += samples->sources[j] * samples->column_stride;
    if (is_double) {
        const double *shift = samples->mean, *slope = samples->inv_scale;
        const double lowest = ((const double *)samples->lowest)[j];
        const double highest = ((const double *)samples->highest)[j];
        const double z = (*(const double *)x - shift[j]) * slope[j];
        return (REAL)(z < lowest ? lowest : z > highest ? highest : z);
    }
    const float *shift = samples->mean, *slope = samples->inv_scale;
    const float lowest = ((const float *)samples->lowest)[j];
    const float highest = ((const float *)samples->highest)[j];
    const float z = (*(const float *)x - shift[j]) * slope[j];
    return (REAL)(z < lowest ? lowest : z > highest ? highest : z);
}

/* out[panel][i] <- the encoded rows of dense X. */
static ALWAYS_INLINE void NAME(encode)(const Net *net, const int is_double, REAL *RESTRICT out)
{
    const Samples samples = net->samples;
    for (ptrdiff_t j = 0; j < samples.n_features; j += LANES, out += net->stride * LANES) {
        const ptrdiff_t left = samples.n_features - j, n = left < LANES ? left : LANES;
        for (ptrdiff_t i = 0; i < net->n_rows; i++) {
            const char *x = samples.x + net->rows[i] * samples.row_stride;
            for (ptrdiff_t l = 0; l < n; l++)
                out[i * LANES + l] = NAME(encoded)(&samples, is_double, x, j + l);
        }
    }
}

/* out (n_samples, n_features) <- encoded rows of dense X, which has the type of `out`. */
static void NAME(encode_rows)(const Samples *samples, void *out)
{
    const Samples fixed = *samples; /* `out` may not point into it */
    REAL *RESTRICT z = out;
    for (ptrdiff_t i = 0; i < fixed.n_samples; i++, z += fixed.n_features)
        for (ptrdiff_t j = 0; j < fixed.n_features; j++)
            z[j] = NAME(encoded)(&fixed, !REAL_IS_FLOAT, fixed.x + i * fixed.row_stride, j);
}

/* out[panel][i] <- the rows of dense X. */
static ALWAYS_INLINE void NAME(gather)(const Net *net, const int is_double, const int is_scaled,
                                       ptrdiff_t stride, REAL *RESTRICT out)
{
    const Samples samples = net->samples;
    for (ptrdiff_t i = 0; i < net->n_rows; i++) {
        const char *x = samples.x + net->rows[i] * samples.row_stride;
        REAL *RESTRICT lanes = out + i * LANES;
        ptrdiff_t j = 0;
        for (; j + LANES <= samples.n_features; j += LANES, lanes += net->stride * LANES)
            for (ptrdiff_t l = 0; l < LANES; l++)
                lanes[l] =
                    NAME(scaled)(&samples, is_double, is_scaled, x + (j + l) * stride, j + l);
        for (ptrdiff_t l = 0; j + l < samples.n_features; l++)
            lanes[l] = NAME(scaled)(&samples, is_double, is_scaled, x + (j + l) * stride, j + l);
    }
}

static ALWAYS_INLINE void NAME(gather_of_type)(const Net *net, const int is_double, REAL *out)
{
    const ptrdiff_t stride = net->samples.column_stride;
    const ptrdiff_t size = is_double ? sizeof(double) : sizeof(float);
    if (net->samples.sources)
        NAME(encode)(net, is_double, out);
    else if (stride == size && net->samples.mean)
        NAME(gather)(net, is_double, 1, size, out);
    else if (stride == size)
        NAME(gather)(net, is_double, 0, size, out);
    else
        NAME(gather)(net, is_double, net->samples.mean != NULL, stride, out);
}

/* A stored entry of CSR rows, scaled. */
static ALWAYS_INLINE REAL NAME(stored)(const Samples *samples, ptrdiff_t entry)
{
    const int is_double = samples->is_double;
    const ptrdiff_t size = is_double ? sizeof(double) : sizeof(float);
    const char *x = (const char *)samples->data + entry * size;
    return NAME(scaled)(samples, is_double, samples->mean != NULL, x, samples->indices[entry]);
}

/* The value that is added to all entries of a column of CSR rows. */
static ALWAYS_INLINE REAL NAME(center)(const Samples *samples, ptrdiff_t column)
{
    return samples->is_double ? (REAL)((const double *)samples->center)[column]
                              : (REAL)((const float *)samples->center)[column];
}

/* out[panel][i] <- CSR rows, made dense. */
static void NAME(scatter)(const Net *net, REAL *out)
{
    const Samples *samples = &net->samples;
    for (ptrdiff_t j = 0; j < samples->n_features; j++)
        for (ptrdiff_t i = 0; i < net->n_rows; i++)
            out[(j / LANES * net->stride + i) * LANES + j % LANES] =
                samples->center ? NAME(center)(samples, j) : 0;
    for (ptrdiff_t i = 0; i < net->n_rows; i++)
        for (int e = samples->indptr[net->rows[i]]; e < samples->indptr[net->rows[i] + 1]; e++) {
            const int j = samples->indices[e];
            out[(j / LANES * net->stride + i) * LANES + j % LANES] += NAME(stored)(samples, e);
        }
}

/* Load the rows order[start], ..., or start, ... if order is NULL. The factor of a row in the
   loss is `factor` times its weight. Padding rows repeat the first row, with a factor of 0. */
static void NAME(load)(Net *net, const ptrdiff_t *order, ptrdiff_t start, ptrdiff_t n,
                       double factor)
{
    const Samples *samples = &net->samples;
    const REAL *weights = samples->weights;
    REAL *loss_weights = net->loss_weights;
    const REAL scale = (REAL)(factor * samples->weight_scale);
    net->n_rows = NAME(whole)(n, 16);
    for (ptrdiff_t i = 0; i < net->n_rows; i++) {
        const ptrdiff_t place = i < n ? start + i : start, row = order ? order[place] : place;
        net->rows[i] = row;
        net->codes[i] = samples->codes ? samples->codes[row] : 0;
        loss_weights[i] = weights && i < n ? weights[row] * scale : 0;
    }
    if (net->is_by_entry)
        return;
    if (!samples->x)
        NAME(scatter)(net, net->inputs);
    else if (samples->is_double)
        NAME(gather_of_type)(net, 1, net->inputs);
    else
        NAME(gather_of_type)(net, 0, net->inputs);
}

/* ------------------------------------------------------------------ forward */

/* After the values of the last unit, write zeros, and a column of ones if the next layer has a row
   of biases. Without such a row, ones would give the padding a gradient. */
static void NAME(pad_values)(const Net *net, const Layer *layer)
{
    const ptrdiff_t used = layer->fan_out % LANES;
    const int has_ones = !layer[1].is_transposed;
    if (used == 0 && !has_ones)
        return;
    REAL *last = (REAL *)layer->values + layer->fan_out / LANES * net->stride * LANES;
    for (ptrdiff_t i = 0; i < net->n_rows; i++, last += LANES)
        for (ptrdiff_t l = 0; l < LANES; l++)
            last[l] = l < used ? last[l] : has_ones && l == used;
}

/* z <- x W + b, entry by entry. */
static void NAME(multiply_entries)(const Net *net, const Layer *layer, REAL *z)
{
    const Samples *samples = &net->samples;
    for (ptrdiff_t p = 0; p < layer->panels; p++) {
        const VEC *weights = (const VEC *)net->weights + p * layer->rows;
        VEC base = weights[layer->fan_in];
        for (ptrdiff_t j = 0; samples->center && j < layer->fan_in; j++)
            base += NAME(center)(samples, j) * weights[j];
        for (ptrdiff_t i = 0; i < net->n_rows; i++) {
            VEC sum = base;
            for (int e = samples->indptr[net->rows[i]]; e < samples->indptr[net->rows[i] + 1]; e++)
                sum += NAME(stored)(samples, e) * weights[samples->indices[e]];
            ((VEC *)z)[p * net->stride + i] = sum;
        }
    }
}

/* other_way (n_columns, n_rows) <- the transpose of the first rows and columns of the weights. */
static void NAME(transpose)(const Net *net, const Layer *layer, ptrdiff_t n_rows,
                            ptrdiff_t n_columns)
{
    const REAL *weights = (const REAL *)net->weights + layer->weights;
    for (ptrdiff_t r = 0; r < n_rows; r++) {
        REAL *lanes = (REAL *)layer->other_way + r / LANES * n_columns * LANES + r % LANES;
        for (ptrdiff_t c = 0; c < n_columns; c++)
            lanes[c * LANES] = weights[(c / LANES * layer->rows + r) * LANES + c % LANES];
    }
}

/* Compute the values of the layers, and the scores class by class. */
static void NAME(forward)(Net *net)
{
    const ptrdiff_t panel = net->stride * LANES;
    const Layer *last = net->layers + net->n_layers - 1;
    const REAL *below = net->inputs;
    for (const Layer *layer = net->layers; layer <= last; below = layer->values, layer++) {
        const ptrdiff_t n_terms = layer->fan_in + !layer->is_transposed;
        const ptrdiff_t n_panels = NAME(whole)(layer->fan_out, LANES) / LANES;
        const REAL *weights = (const REAL *)net->weights + layer->weights;
        if (layer->is_transposed)
            NAME(transpose)(net, layer, layer->fan_out, n_terms);
        if (layer == net->layers && net->is_by_entry)
            NAME(multiply_entries)(net, layer, layer->values);
        else
            NAME(multiply)(8, (NAME(Product)){
                .n_rows = net->n_rows, .n_panels = n_panels, .n_terms = n_terms,
                .left = below, .row_block = LANES * LANES, .row = LANES,
                .block = LANES, .term_block = panel, .term = 1,
                .right = layer->is_transposed ? layer->other_way : weights,
                .right_panel = (layer->is_transposed ? n_terms : layer->rows) * LANES,
                .out = layer->values, .out_panel = panel});
        for (ptrdiff_t p = 0; layer < last && p < n_panels; p++)
            NAME(activate)(net->activation, net->n_rows * LANES,
                           (REAL *)layer->values + p * panel, (REAL *)layer->slopes + p * panel);
        if (layer < last)
            NAME(pad_values)(net, layer);
    }
    for (ptrdiff_t k = 0; k < last->fan_out; k++) {
        const REAL *lanes = (REAL *)last->values + k / LANES * panel + k % LANES;
        const REAL bias = last->is_transposed ? ((REAL *)net->weights)[last->biases + k] : 0;
        REAL *scores = (REAL *)net->scores + k * net->stride;
        for (ptrdiff_t i = 0; i < net->n_rows; i++)
            scores[i] = lanes[i * LANES] + bias;
    }
}

/* The loss. Replace the scores by e_ik = exp(s_ik - max_k s_ik), and set `totals` to the sums. */
static double NAME(softmax_loss)(const Net *net)
{
    const ptrdiff_t n = net->n_rows, stride = net->stride;
    const ptrdiff_t n_classes = net->layers[net->n_layers - 1].fan_out;
    const REAL *RESTRICT loss_weights = net->loss_weights;
    REAL *RESTRICT scores = net->scores, *RESTRICT totals = net->totals;
    REAL *RESTRICT largest = net->largest;
    memcpy(largest, scores, n * sizeof(REAL));
    for (ptrdiff_t k = 1; k < n_classes; k++)
        for (ptrdiff_t i = 0; i < n; i++) {
            const REAL score = scores[k * stride + i];
            largest[i] = score > largest[i] ? score : largest[i];
        }
    for (ptrdiff_t k = 0; k < n_classes; k++)
        for (ptrdiff_t i = 0; i < n; i++)
            scores[k * stride + i] -= largest[i];
    REAL *own_scores = largest; /* reuses the array */
    for (ptrdiff_t i = 0; i < n; i++) {
        own_scores[i] = scores[net->codes[i] * stride + i];
        totals[i] = 0;
    }
    for (ptrdiff_t k = 0; k < n_classes; k++)
        for (ptrdiff_t i = 0; i < n; i++)
            totals[i] += scores[k * stride + i] = NAME(exp_nonpositive)(scores[k * stride + i]);
    for (ptrdiff_t i = 0; i < n; i++)
        own_scores[i] = NAME(log)(totals[i]) - own_scores[i];
    VEC loss = {0};
    for (ptrdiff_t i = 0; i < n; i += LANES)
        loss += *(const VEC *)(loss_weights + i) * *(VEC *)(own_scores + i);
    return NAME(sum_lanes)(loss);
}

/* ------------------------------------------------------------------ backward */

/* Replace the scores by delta_L. If the weights are not transposed, also write it in panels. */
static void NAME(softmax_delta)(const Net *net, const Layer *last)
{
    const ptrdiff_t n = net->n_rows, stride = net->stride;
    const REAL *RESTRICT loss_weights = net->loss_weights;
    REAL *RESTRICT delta = net->scores, *RESTRICT factors = net->totals;
    for (ptrdiff_t i = 0; i < n; i++)
        factors[i] = loss_weights[i] / factors[i];
    for (ptrdiff_t k = 0; k < last->fan_out; k++)
        for (ptrdiff_t i = 0; i < n; i++)
            delta[k * stride + i] *= factors[i];
    for (ptrdiff_t i = 0; i < n; i++)
        delta[net->codes[i] * stride + i] -= loss_weights[i];
    for (ptrdiff_t k = 0; !last->is_transposed && k < last->fan_out; k++)
        for (ptrdiff_t i = 0; i < n; i++)
            ((REAL *)last->delta)[(k / LANES * stride + i) * LANES + k % LANES] =
                delta[k * stride + i];
}

/* The gradient of the first layer, entry by entry. `center` adds the sums of delta. */
static void NAME(add_entries)(const Net *net, const Layer *layer, int is_added)
{
    const Samples *samples = &net->samples;
    for (ptrdiff_t p = 0; p < layer->panels; p++) {
        VEC *gradient = (VEC *)net->gradient + p * layer->rows, sum = {0};
        const VEC *delta = (const VEC *)layer->delta + p * net->stride;
        if (!is_added)
            memset(gradient, 0, layer->rows * sizeof(VEC));
        for (ptrdiff_t i = 0; i < net->n_rows; i++) {
            sum += delta[i];
            for (int e = samples->indptr[net->rows[i]]; e < samples->indptr[net->rows[i] + 1]; e++)
                gradient[samples->indices[e]] += NAME(stored)(samples, e) * delta[i];
        }
        for (ptrdiff_t j = 0; samples->center && j < layer->fan_in; j++)
            gradient[j] += NAME(center)(samples, j) * sum;
        gradient[layer->fan_in] += sum;
    }
}

/* The gradient of a layer. `below` holds the values of the layer below. The rows of the product
   are the units if the weights are transposed, otherwise the columns of `below`. Its terms are
   the samples. */
static void NAME(layer_gradient)(const Net *net, const Layer *layer, const REAL *below,
                                 int is_added)
{
    const ptrdiff_t stride = net->stride, panel = stride * LANES;
    NAME(Product) product = {
        .n_rows = layer->rows, .n_panels = layer->panels, .n_terms = net->n_rows,
        .block = net->n_rows, .is_added = is_added, .right_panel = panel,
        .out = (REAL *)net->gradient + layer->weights, .out_panel = layer->rows * LANES};
    if (layer->is_transposed) {
        product.left = net->scores;
        product.row_block = LANES * stride, product.row = stride, product.term = 1;
        product.right = below;
        NAME(multiply)(4, product);
        for (ptrdiff_t k = 0; k < layer->fan_out; k++) {
            const REAL *delta = (REAL *)net->scores + k * stride;
            REAL *bias = (REAL *)net->gradient + layer->biases + k;
            VEC sum = {0};
            for (ptrdiff_t i = 0; i < net->n_rows; i += LANES)
                sum += *(const VEC *)(delta + i);
            *bias = (is_added ? *bias : 0) + NAME(sum_lanes)(sum);
        }
    } else {
        product.left = below;
        product.row_block = panel, product.row = 1, product.term = LANES;
        product.right = layer->delta;
        NAME(multiply)(LANES < 8 ? LANES : 8, product);
    }
}

/* The delta of the layer below: W^T delta f'(z). The rows of the product are the samples, its
   terms the units of this layer. */
static void NAME(delta_below)(const Net *net, const Layer *layer, const Layer *lower)
{
    const ptrdiff_t n = net->n_rows, panel = net->stride * LANES;
    const ptrdiff_t n_panels = NAME(whole)(lower->fan_out, LANES) / LANES;
    NAME(Product) product = {.n_rows = n, .n_panels = n_panels, .n_terms = layer->fan_out,
                             .out = lower->delta, .out_panel = panel};
    if (layer->is_transposed) {
        product.left = net->scores;
        product.row_block = LANES, product.row = 1;
        product.block = layer->fan_out, product.term = net->stride;
        product.right = (const REAL *)net->weights + layer->weights;
        product.right_panel = layer->rows * LANES;
    } else {
        NAME(transpose)(net, layer, layer->fan_in, layer->fan_out);
        product.left = layer->delta;
        product.row_block = LANES * LANES, product.row = LANES;
        product.block = LANES, product.term_block = panel, product.term = 1;
        product.right = layer->other_way;
        product.right_panel = layer->fan_out * LANES;
    }
    NAME(multiply)(8, product);
    for (ptrdiff_t p = 0; p < n_panels; p++)
        NAME(differentiate)(net->activation, n * LANES, (REAL *)lower->values + p * panel,
                            (REAL *)lower->slopes + p * panel, (REAL *)lower->delta + p * panel);
}

/* The gradient of the loss, after `softmax_loss`. It is added to `gradient` or replaces it. */
static void NAME(backward)(const Net *net, int is_added)
{
    const Layer *layer = net->layers + net->n_layers - 1;
    NAME(softmax_delta)(net, layer);
    for (; layer > net->layers; layer--) {
        NAME(layer_gradient)(net, layer, layer[-1].values, is_added);
        NAME(delta_below)(net, layer, layer - 1);
    }
    if (net->is_by_entry)
        NAME(add_entries)(net, layer, is_added);
    else
        NAME(layer_gradient)(net, layer, net->inputs, is_added);
}
