/* The memory of a net, its objective, its scores, and epochs of updates. Included once for each
   REAL. */

/* Return an array of zeros in the memory of a net, or NULL while its size is computed. With
   AddressSanitizer, 64 bytes before the array must not be accessed. */
static void *NAME(allocate)(const Net *net, size_t *used, size_t n_entries, size_t entry_size)
{
#ifdef __SANITIZE_ADDRESS__
    if (net->memory)
        __asan_poison_memory_region(net->memory + *used, 64);
    *used += 64;
#endif
    void *array = net->memory ? net->memory + *used : NULL;
    *used += (n_entries * entry_size + 63) / 64 * 64;
    return array;
}

/* Allocate the arrays of a net; return their total size in bytes. Called twice: first without
   memory, then with zeroed memory of this size. */
static size_t NAME(lay_out)(Net *net, const int *widths)
{
    const ptrdiff_t stride = net->stride, n_classes = widths[net->n_layers];
    const size_t size = sizeof(REAL);
    size_t used = 64 - (uintptr_t)net->memory % 64;
    net->n_packed = 0;
    net->layers = NAME(allocate)(net, &used, net->n_layers, sizeof(Layer));
    for (ptrdiff_t l = 0; l < net->n_layers; l++) {
        const ptrdiff_t fan_in = widths[l], fan_out = widths[l + 1];
        const int is_hidden = l < net->n_layers - 1;
        const ptrdiff_t n_values = NAME(whole)(fan_out + is_hidden, LANES) * stride;
        Layer layer = {.fan_in = fan_in, .fan_out = fan_out, .weights = net->n_packed};
        layer.is_transposed = l > 0 && !is_hidden;
        layer.panels = NAME(whole)(layer.is_transposed ? fan_in : fan_out, LANES) / LANES;
        layer.rows = layer.is_transposed ? NAME(whole)(fan_out, 4)
                                         : NAME(whole)(fan_in + 1, LANES < 8 ? LANES : 8);
        layer.values = NAME(allocate)(net, &used, n_values, size);
        layer.slopes = NAME(allocate)(net, &used, n_values, size);
        layer.delta = NAME(allocate)(net, &used, n_values, size);
        if (l > 0)
            layer.other_way = NAME(allocate)(
                net, &used, NAME(whole)(fan_in, LANES) * NAME(whole)(fan_out, LANES), size);
        net->n_packed += layer.panels * layer.rows * LANES;
        layer.biases = net->n_packed;
        if (net->memory)
            net->layers[l] = layer;
    }
    net->n_packed = NAME(whole)(net->n_packed + n_classes, 16);
    void **packed[] = {&net->weights, &net->gradient, &net->packed_decay, &net->packed_scale,
                       &net->moments[0], &net->moments[1], &net->previous, &net->best};
    for (int i = 0; i < net->n_arrays; i++)
        *packed[i] = NAME(allocate)(net, &used, net->n_packed, size);
    net->scores = NAME(allocate)(net, &used, NAME(whole)(n_classes, 4) * stride, size);
    net->totals = NAME(allocate)(net, &used, stride, size);
    net->largest = NAME(allocate)(net, &used, stride, size);
    net->loss_weights = NAME(allocate)(net, &used, stride, size);
    net->codes = NAME(allocate)(net, &used, stride, sizeof(ptrdiff_t));
    net->rows = NAME(allocate)(net, &used, stride, sizeof(ptrdiff_t));
    if (net->is_by_entry)
        return used;
    REAL *inputs = NAME(allocate)(net, &used, NAME(whole)(widths[0] + 1, LANES) * stride, size);
    for (ptrdiff_t i = 0; net->memory && i < stride; i++)
        inputs[(widths[0] / LANES * stride + i) * LANES + widths[0] % LANES] = 1;
    net->inputs = inputs;
    return used;
}

/* The index of the weight of a unit for an input, or of its bias if input = fan_in. */
static ALWAYS_INLINE ptrdiff_t NAME(parameter_index)(const Layer *layer, ptrdiff_t unit,
                                                     ptrdiff_t input)
{
    if (layer->is_transposed && input == layer->fan_in)
        return layer->biases + unit;
    const ptrdiff_t row = layer->is_transposed ? unit : input;
    const ptrdiff_t column = layer->is_transposed ? input : unit;
    return layer->weights + (column / LANES * layer->rows + row) * LANES + column % LANES;
}

/* packed <- flat, the layout of NumPy, or flat <- packed. Padding is not changed. */
static ALWAYS_INLINE void NAME(copy)(const Net *net, REAL *RESTRICT packed, REAL *RESTRICT flat,
                                     const int packs)
{
    const Layer *end = net->layers + net->n_layers;
    for (const Layer *layer = net->layers; layer < end; layer++) {
        const ptrdiff_t fan_in = layer->fan_in, fan_out = layer->fan_out;
        for (ptrdiff_t first = 0; first < fan_out; first += LANES)
            for (ptrdiff_t j = 0; j < fan_in; j++)
                for (ptrdiff_t u = first; u < fan_out && u < first + LANES; u++) {
                    REAL *p = packed + NAME(parameter_index)(layer, u, j);
                    REAL *f = flat + u * fan_in + j;
                    *(packs ? p : f) = *(packs ? f : p);
                }
        flat += fan_in * fan_out;
    }
    for (const Layer *layer = net->layers; layer < end; layer++)
        for (ptrdiff_t u = 0; u < layer->fan_out; u++, flat++) {
            REAL *p = packed + NAME(parameter_index)(layer, u, layer->fan_in);
            *(packs ? p : flat) = *(packs ? flat : p);
        }
}

/* `pack` and `unpack` do nothing if flat is NULL. Packing sets the padding to zero, because an
   overflow may have left NaN there. */
static void NAME(pack)(const Net *net, const void *flat, void *packed)
{
    if (flat) {
        memset(packed, 0, net->n_packed * sizeof(REAL));
        NAME(copy)(net, packed, (REAL *)flat, 1);
    }
}

static void NAME(unpack)(const Net *net, const void *packed, void *flat)
{
    if (flat)
        NAME(copy)(net, (REAL *)packed, flat, 0);
}

static void NAME(pack_parameters)(Net *net)
{
    NAME(pack)(net, net->parameters, net->weights);
}

/* IN: decay, the gradient of the penalty divided by the weights, and param_scale, the parameters
   divided by the solvers' variables (NULL for ones). */
static void NAME(pack_penalty)(Net *net, const void *decay, const void *param_scale)
{
    for (ptrdiff_t i = 0; i < net->n_packed; i++)
        ((REAL *)net->packed_scale)[i] = 1;
    NAME(pack)(net, param_scale, net->packed_scale);
    NAME(pack)(net, decay, net->packed_decay);
}

/* Return the mean loss on n rows, with at most `length` rows per pass, and set its gradient. IN:
   rows (n,), NULL for the first n rows. */
static double NAME(mean_loss)(Net *net, const ptrdiff_t *rows, ptrdiff_t n, ptrdiff_t length,
                              int has_gradient)
{
    double loss = 0;
    for (ptrdiff_t start = 0; start < n; start += length) {
        NAME(load)(net, rows, start, n - start < length ? n - start : length, 1.0 / n);
        NAME(forward)(net);
        loss += NAME(softmax_loss)(net);
        if (has_gradient)
            NAME(backward)(net, start > 0);
    }
    return loss;
}

/* Return the penalty sum_j decay_j w_j^2 / 2. Add its gradient to the gradient of the loss,
   convert the sum to the solvers' variables, and take a step; update_rules.py has the formulas. */
static double NAME(update)(const Net *net, const Update *update, double step_size)
{
    enum { LENGTH = 128 }; /* entries per block, which stays in the L1 cache */
    const REAL size = (REAL)step_size, momentum = (REAL)update->momentum;
    const REAL beta1 = (REAL)update->beta1, beta2 = (REAL)update->beta2;
    const REAL epsilon = (REAL)update->epsilon;
    VEC penalty = {0}, block[LENGTH / LANES];
    REAL *RESTRICT g = (REAL *)block;
    for (ptrdiff_t start = 0; start < net->n_packed; start += LENGTH) {
        const ptrdiff_t left = net->n_packed - start, n = left < LENGTH ? left : LENGTH;
        REAL *RESTRICT w = (REAL *)net->weights + start;
        REAL *RESTRICT gradient = (REAL *)net->gradient + start;
        REAL *RESTRICT first = (REAL *)net->moments[0] + start;
        REAL *RESTRICT second = (REAL *)net->moments[1] + start;
        const REAL *RESTRICT decay = (const REAL *)net->packed_decay + start;
        const REAL *RESTRICT scale = (const REAL *)net->packed_scale + start;
        for (ptrdiff_t i = 0; i < n; i += LANES) {
            const VEC weights = *(VEC *)(w + i), decayed = *(const VEC *)(decay + i) * weights;
            penalty += decayed * weights;
            block[i / LANES] = (*(VEC *)(gradient + i) + decayed) * *(const VEC *)(scale + i);
        }
        switch (update->rule) {
        case NO_STEP:
            memcpy(gradient, g, n * sizeof(REAL));
            break;
        case GRADIENT_DESCENT:
            memcpy(gradient, g, n * sizeof(REAL));
            for (ptrdiff_t i = 0; i < n; i++)
                w[i] -= scale[i] * (size * g[i]);
            break;
        case NESTEROV_MOMENTUM:
            for (ptrdiff_t i = 0; i < n; i++) {
                first[i] = momentum * first[i] - size * g[i];
                w[i] -= scale[i] * (size * g[i] - momentum * first[i]);
            }
            break;
        case ADAM:
            for (ptrdiff_t i = 0; i < n; i++) {
                first[i] = beta1 * first[i] + g[i];
                second[i] = beta2 * second[i] + g[i] * g[i];
                w[i] -= scale[i] * (size * first[i] / (SQRT(second[i]) + epsilon));
            }
            break;
        }
    }
    return 0.5 * NAME(sum_lanes)(penalty);
}

/* Return the objective on rows, or on all rows in use if `rows` is NULL. OUT: gradient
   (n_parameters,) or NULL. */
static double NAME(objective)(Net *net, const ptrdiff_t *rows, ptrdiff_t n, ptrdiff_t length,
                              void *gradient)
{
    const Update none = {.rule = NO_STEP};
    const uint64_t mode = get_mode();
    set_mode(mode | FLUSH);
    NAME(pack_parameters)(net);
    rows = rows ? rows : net->samples.rows;
    double loss = NAME(mean_loss)(net, rows, n, length, gradient != NULL);
    loss += NAME(update)(net, &none, 0);
    NAME(unpack)(net, net->gradient, gradient);
    set_mode(mode);
    return loss;
}

/* Write the rows in use to update->order, shuffled like RandomState.shuffle() if there is a bit
   generator: swap each entry i with entry j <= i, drawn by masked rejection. */
static void NAME(draw_order)(const Samples *samples, const Update *update)
{
    const ptrdiff_t n = samples->n_samples;
    ptrdiff_t *order = update->order;
    const BitGenerator *generator = update->bit_generator;
    uint64_t mask = UINT64_MAX, j; /* the bits of i */
    for (ptrdiff_t i = 0; i < n; i++)
        order[i] = samples->rows ? samples->rows[i] : i;
    for (ptrdiff_t i = n - 1; generator && i > 0; i--) {
        while (mask >> 1 >= (uint64_t)i)
            mask >>= 1;
        do
            j = mask & (mask <= UINT32_MAX ? generator->next_uint32(generator->state)
                                           : generator->next_uint64(generator->state));
        while (j > (uint64_t)i);
        const ptrdiff_t row = order[j];
        order[j] = order[i];
        order[i] = row;
    }
}

/* Make an update after each batch of an epoch; return the mean of the losses before the updates.
   Without update->order, rows are not shuffled. */
static double NAME(run_epoch)(Net *net, const Update *update, const double *step_sizes)
{
    const ptrdiff_t n_samples = net->samples.n_samples, batch_size = update->batch_size;
    const ptrdiff_t *order = update->order ? update->order : net->samples.rows;
    double loss = 0;
    if (update->order)
        NAME(draw_order)(&net->samples, update);
    for (ptrdiff_t start = 0; start < n_samples; start += batch_size, step_sizes++) {
        const ptrdiff_t n = start + batch_size < n_samples ? batch_size : n_samples - start;
        const ptrdiff_t *rows = order ? order + start : NULL;
        double batch_loss = NAME(mean_loss)(net, rows, n, update->length, 1);
        batch_loss += NAME(update)(net, update, *step_sizes);
        loss += batch_loss * ((double)n / n_samples);
    }
    return loss;
}

/* Return whether all absolute entries of the last gradient are at most `tol`; NaN is larger. */
static int NAME(is_small)(const Net *net, double tol)
{
    const REAL *gradient = net->gradient;
    int is_small = 1;
    for (ptrdiff_t i = 0; i < net->n_packed; i++)
        is_small &= gradient[i] <= tol && gradient[i] >= -tol;
    return is_small;
}

/* Make epochs as in interface.py, and return their number. They end early after a loss that is not
   finite or a small gradient. Between epochs, the best weights are recorded as in
   BestWeights.update(). */
static ptrdiff_t NAME(run_epochs)(Net *net, const Update *update)
{
    const size_t size = net->n_packed * sizeof(REAL);
    const ptrdiff_t n_updates =
        (net->samples.n_samples + update->batch_size - 1) / update->batch_size;
    void *const flat[] = {update->moments[0], update->moments[1], update->previous, update->best};
    void *const packed[] = {net->moments[0], net->moments[1], net->previous, net->best};
    const uint64_t mode = get_mode();
    ptrdiff_t epoch = 0;
    int is_over = 0;
    set_mode(mode | FLUSH);
    NAME(pack_parameters)(net);
    for (int a = 0; a < 4; a++)
        NAME(pack)(net, flat[a], packed[a]);
    while (!is_over) {
        const double loss = NAME(run_epoch)(net, update, update->step_sizes + epoch * n_updates);
        update->losses[epoch++] = loss;
        is_over = epoch == update->n_epochs || !isfinite(loss) || NAME(is_small)(net, update->tol);
        if (!is_over && loss < *update->best_loss) {
            *update->best_loss = loss;
            memcpy(net->best, net->previous, size);
        }
        if (!is_over)
            memcpy(net->previous, net->weights, size);
    }
    NAME(unpack)(net, net->weights, net->parameters);
    NAME(unpack)(net, net->gradient, update->gradient);
    for (int a = 0; a < 4; a++)
        NAME(unpack)(net, packed[a], flat[a]);
    set_mode(mode);
    return epoch;
}

/* Compute the scores of the first n rows from the packed parameters. OUT: out (n_classes, n). */
static void NAME(scores)(Net *net, ptrdiff_t n, void *out)
{
    NAME(load)(net, NULL, 0, n, 1);
    NAME(forward)(net);
    for (ptrdiff_t k = 0; k < net->layers[net->n_layers - 1].fan_out; k++)
        memcpy((REAL *)out + k * n, (REAL *)net->scores + k * net->stride, n * sizeof(REAL));
}

/* values[u] <- sum_j W[u][j] below_j + b_u for W in the layout of NumPy. The bits equal those of
   `multiply`: sums have the same order, and multiply-adds are fused if they are fused there. */
static void NAME(multiply_unpacked)(const Layer *layer, const REAL *weights, const REAL *biases,
                                    const REAL *below, ptrdiff_t panel, REAL *values)
{
    enum { N_UNITS = 8 }; /* computed at once */
    const ptrdiff_t fan_in = layer->fan_in, fan_out = layer->fan_out;
    for (ptrdiff_t u = 0; u < fan_out; u += N_UNITS) {
        const REAL *rows[N_UNITS];
        REAL sums[N_UNITS] = {0};
        for (ptrdiff_t r = 0; r < N_UNITS; r++)
            rows[r] = weights + (u + r < fan_out ? u + r : u) * fan_in;
        for (ptrdiff_t j = 0; j < fan_in; j++) {
            const REAL a = below[j / LANES * panel + j % LANES];
            for (ptrdiff_t r = 0; r < N_UNITS; r++)
                sums[r] = MULTIPLY_ADD(a, rows[r][j], sums[r]);
        }
        for (ptrdiff_t r = 0; r < N_UNITS && u + r < fan_out; r++)
            values[u + r] = sums[r] + biases[u + r];
    }
}

/* Compute scores from parameters in the layout of NumPy. For a few rows, packing would take
   longer. */
static void NAME(scores_unpacked)(Net *net, ptrdiff_t n, void *out)
{
    const Layer *end = net->layers + net->n_layers;
    ptrdiff_t n_weights = 0;
    for (const Layer *layer = net->layers; layer < end; layer++)
        n_weights += layer->fan_in * layer->fan_out;
    NAME(load)(net, NULL, 0, n, 1);
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL *weights = net->parameters, *biases = weights + n_weights;
        const REAL *below = (REAL *)net->inputs + i * LANES;
        ptrdiff_t panel = net->stride * LANES; /* of the values below */
        for (const Layer *layer = net->layers; layer < end; layer++) {
            NAME(multiply_unpacked)(layer, weights, biases, below, panel, layer->values);
            if (layer + 1 < end)
                NAME(activate)(net->activation, layer->fan_out, layer->values, layer->slopes);
            weights += layer->fan_in * layer->fan_out;
            biases += layer->fan_out;
            below = layer->values;
            panel = LANES;
        }
        for (ptrdiff_t k = 0; k < end[-1].fan_out; k++)
            ((REAL *)out)[k * n + i] = below[k];
    }
}

/* Apply an elementary function to an array, for the tests. */
static void NAME(elementary)(int function, ptrdiff_t n, const void *x, void *out)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL value = ((const REAL *)x)[i];
        ((REAL *)out)[i] = function == 0   ? NAME(exp)(value)
                           : function == 1 ? NAME(log)(value)
                           : function == 2 ? NAME(tanh)(value)
                           : function == 3 ? NAME(logistic)(value)
                           : function == 4 ? NAME(gaussian)(value)
                                           : NAME(ndtr)(value);
    }
}

static const Kernels NAME(table) = {
    sizeof(REAL), NAME(lay_out), NAME(pack_penalty), NAME(pack_parameters), NAME(objective),
    NAME(run_epochs), NAME(scores), NAME(scores_unpacked), NAME(encode_rows),
    NAME(elementary),
};
