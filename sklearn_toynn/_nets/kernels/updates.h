/* The memory of a net, its objective, and epochs of updates; included once for each REAL. */

/* Give an array of zeros a place in the memory; none while that is measured. AddressSanitizer gets
   64 bytes before it that may not be read. */
static void *NAME(take)(const Net *net, size_t *used, ptrdiff_t n_entries, size_t entry_size)
{
#ifdef __SANITIZE_ADDRESS__
    if (net->memory)
        __asan_poison_memory_region(net->memory + *used, 64);
    *used += 64;
#endif
    void *place = net->memory ? net->memory + *used : NULL;
    *used += ((size_t)n_entries * entry_size + 63) / 64 * 64;
    return place;
}

/* Write a column of ones into rows in panels. */
static void NAME(set_ones)(const Net *net, REAL *panels, ptrdiff_t column)
{
    for (ptrdiff_t i = 0; i < net->stride; i++)
        panels[(column / LANES * net->stride + i) * LANES + column % LANES] = 1;
}

/* Place the arrays of a net; return how many bytes they take. Called twice: first without memory,
   then with memory of that size, zeroed. */
static size_t NAME(lay_out)(Net *net, const int *widths)
{
    const ptrdiff_t stride = net->stride, n_layers = net->n_layers, n_features = widths[0];
    const ptrdiff_t column_rows = LANES < 8 ? LANES : 8, size = sizeof(REAL);
    const ptrdiff_t n_classes = widths[n_layers];
    ptrdiff_t end = 0;
    size_t used = 64 - (uintptr_t)net->memory % 64;
    net->layers = NAME(take)(net, &used, n_layers, sizeof(Layer));
    for (ptrdiff_t l = 0; l < n_layers; l++) {
        const ptrdiff_t fan_in = widths[l], fan_out = widths[l + 1];
        const int is_last = l == n_layers - 1;
        Layer layer = {fan_in, fan_out, end, 0, 0, NULL, NULL, NULL, NULL};
        layer.panels = NAME(whole)(is_last ? fan_in : fan_out, LANES) / LANES;
        layer.rows = is_last ? NAME(whole)(fan_out, 4) : NAME(whole)(fan_in + 1, column_rows);
        if (!is_last) {
            const int has_slopes = net->activation == GELU || net->activation == SILU;
            const ptrdiff_t n_entries = NAME(whole)(fan_out + 1, LANES) * stride;
            layer.values = NAME(take)(net, &used, n_entries, size);
            layer.delta = NAME(take)(net, &used, n_entries, size);
            layer.slopes =
                has_slopes ? NAME(take)(net, &used, n_entries, size) : layer.values;
            if (net->memory && l < n_layers - 2)
                NAME(set_ones)(net, layer.values, fan_out);
        }
        layer.transposed = NAME(take)(
            net, &used, NAME(whole)(is_last ? fan_out : fan_in, LANES) * (is_last ? fan_in : fan_out),
            size);
        end += layer.panels * layer.rows * LANES;
        if (net->memory)
            net->layers[l] = layer;
    }
    net->n_packed_weights = end;
    net->n_packed = NAME(whole)(end + n_classes, 16);
    net->weights = NAME(take)(net, &used, net->n_packed, size);
    net->gradient = NAME(take)(net, &used, net->n_packed, size);
    net->packed_decay = NAME(take)(net, &used, net->n_packed, size);
    net->packed_scale = NAME(take)(net, &used, net->n_packed, size);
    if (!net->is_by_entry) {
        net->inputs = NAME(take)(net, &used, NAME(whole)(n_features + 1, LANES) * stride, size);
        if (net->memory && n_layers > 1)
            NAME(set_ones)(net, net->inputs, n_features);
    }
    net->scores = NAME(take)(net, &used, NAME(whole)(n_classes, 4) * stride, size);
    net->score_panels = NAME(take)(net, &used, NAME(whole)(n_classes, LANES) * stride, size);
    net->totals = NAME(take)(net, &used, stride, size);
    net->own_scores = NAME(take)(net, &used, stride, size);
    net->loss_weights = NAME(take)(net, &used, stride, size);
    net->codes = NAME(take)(net, &used, stride, sizeof(ptrdiff_t));
    net->rows = NAME(take)(net, &used, stride, sizeof(ptrdiff_t));
    return used;
}

static ALWAYS_INLINE void NAME(copy_entry)(REAL *packed, REAL *flat, const int packs)
{
    if (packs)
        *packed = *flat;
    else
        *flat = *packed;
}

/* packed <- flat, as NumPy has it, or the other way. Padding stays as it is. */
static ALWAYS_INLINE void NAME(copy_packed)(const Net *net, REAL *packed, REAL *flat,
                                            const int packs)
{
    const Layer *last = net->layers + net->n_layers - 1;
    for (const Layer *layer = net->layers; layer <= last; flat += layer->fan_in * layer->fan_out, layer++) {
        const int is_last = layer == last;
        const ptrdiff_t fan_in = layer->fan_in, n_columns = is_last ? fan_in : layer->fan_out;
        const ptrdiff_t n_rows = is_last ? layer->fan_out : fan_in;
        const ptrdiff_t row_step = is_last ? fan_in : 1, column_step = is_last ? 1 : fan_in;
        for (ptrdiff_t p = 0; p < layer->panels; p++) {
            const ptrdiff_t first = p * LANES, left = n_columns - first;
            const ptrdiff_t n = left < LANES ? left : LANES;
            for (ptrdiff_t r = 0; r < n_rows; r++)
                for (ptrdiff_t l = 0; l < n; l++)
                    NAME(copy_entry)(packed + layer->weights + (p * layer->rows + r) * LANES + l,
                                     flat + r * row_step + (first + l) * column_step, packs);
        }
    }
    for (const Layer *layer = net->layers; layer <= last; flat += layer->fan_out, layer++)
        for (ptrdiff_t u = 0; u < layer->fan_out; u++) {
            const ptrdiff_t row = u / LANES * layer->rows + layer->fan_in;
            NAME(copy_entry)(packed + (layer == last ? net->n_packed_weights + u
                                                     : layer->weights + row * LANES + u % LANES),
                             flat + u, packs);
        }
}

static void NAME(pack)(const Net *net, const void *flat, void *packed)
{
    NAME(copy_packed)(net, packed, (REAL *)flat, 1);
}

static void NAME(unpack)(const Net *net, const void *packed, void *flat)
{
    NAME(copy_packed)(net, (REAL *)packed, flat, 0);
}

/* Take in the parameters, and the penalty when it is new. */
static void NAME(begin)(Net *net)
{
    NAME(pack)(net, net->parameters, net->weights);
    if (net->has_new_penalty) {
        NAME(pack)(net, net->decay, net->packed_decay);
        if (net->param_scale)
            NAME(pack)(net, net->param_scale, net->packed_scale);
        net->has_new_penalty = 0;
    }
}

/* sum_j decay_j w_j^2 / 2; its gradient is added to the packed gradient, if that is wanted, which
   is brought to the solver's variables. */
static double NAME(penalty)(const Net *net, int has_gradient)
{
    const ptrdiff_t n = net->n_packed;
    const REAL *RESTRICT w = net->weights, *RESTRICT decay = net->packed_decay;
    const REAL *RESTRICT scale = net->packed_scale;
    REAL *RESTRICT gradient = net->gradient;
    REAL sum;
    SUM(sum, n, decay[i] * w[i] * w[i]);
    for (ptrdiff_t i = 0; has_gradient && i < n; i++)
        gradient[i] += decay[i] * w[i];
    for (ptrdiff_t i = 0; has_gradient && net->param_scale && i < n; i++)
        gradient[i] *= scale[i];
    return 0.5 * sum;
}

/* The objective on all rows in use, and its gradient, if that is not NULL, packed. */
static double NAME(evaluate)(Net *net, ptrdiff_t length, int has_gradient)
{
    const Samples *samples = &net->samples;
    const ptrdiff_t n_samples = samples->n_samples;
    double loss = 0;
    for (ptrdiff_t start = 0; start < n_samples; start += length) {
        const ptrdiff_t n = start + length < n_samples ? length : n_samples - start;
        NAME(load)(net, samples->rows ? samples->rows + start : NULL, start, n, 1.0 / n_samples);
        loss += has_gradient ? NAME(loss_and_gradient)(net, start > 0) : NAME(loss)(net);
    }
    return loss + NAME(penalty)(net, has_gradient);
}

/* Complete the gradient g of a batch by that of the penalty, take a step by the rule, as in
   update_rules.py, and return the penalty at the weights before it. */
static ALWAYS_INLINE double NAME(update)(const Net *net, const Update *update,
                                         const enum Rule rule, const int has_scale,
                                         double step_size, REAL *RESTRICT first,
                                         REAL *RESTRICT second)
{
    REAL *RESTRICT w = net->weights;
    const REAL *RESTRICT gradient = net->gradient, *RESTRICT scale = net->packed_scale;
    const REAL *RESTRICT decay = net->packed_decay;
    const REAL size = (REAL)step_size, momentum = (REAL)update->momentum;
    const REAL beta1 = (REAL)update->beta1, beta2 = (REAL)update->beta2;
    const REAL epsilon = (REAL)update->epsilon;
    REAL lanes[NAME(SUM_LANES)] = {0};
    for (ptrdiff_t start = 0; start < net->n_packed; start += NAME(SUM_LANES))
        for (ptrdiff_t l = 0; l < NAME(SUM_LANES); l++) {
            const ptrdiff_t i = start + l;
            const REAL param_scale = has_scale ? scale[i] : 1, decayed = decay[i] * w[i];
            const REAL g = (gradient[i] + decayed) * param_scale;
            lanes[l] += decayed * w[i];
            if (rule == ADAM) {
                first[i] = beta1 * first[i] + g;
                second[i] = beta2 * second[i] + g * g;
                w[i] -= param_scale * (size * first[i] / (SQRT(second[i]) + epsilon));
            } else {
                first[i] = momentum * first[i] - size * g;
                w[i] -= param_scale * (size * g - momentum * first[i]);
            }
        }
    return 0.5 * NAME(fold)(lanes);
}

/* The same for the rule and the variables at hand. */
static double NAME(step)(const Net *net, const Update *update, double step_size,
                         REAL *const *moments)
{
    if (update->rule == ADAM && net->param_scale)
        return NAME(update)(net, update, ADAM, 1, step_size, moments[0], moments[1]);
    if (update->rule == ADAM)
        return NAME(update)(net, update, ADAM, 0, step_size, moments[0], moments[1]);
    if (net->param_scale)
        return NAME(update)(net, update, NESTEROV_MOMENTUM, 1, step_size, moments[0], moments[1]);
    return NAME(update)(net, update, NESTEROV_MOMENTUM, 0, step_size, moments[0], moments[1]);
}

/* theta <- theta - eta g, with the complete gradient over all rows. */
static void NAME(descend)(const Net *net, double step_size)
{
    REAL *RESTRICT w = net->weights;
    const REAL *RESTRICT gradient = net->gradient, *RESTRICT scale = net->packed_scale;
    const REAL size = (REAL)step_size;
    for (ptrdiff_t i = 0; i < net->n_packed; i++)
        w[i] -= (net->param_scale ? scale[i] : 1) * (size * gradient[i]);
}

/* The rows in use, shuffled as RandomState.shuffle() does unless there is no generator: each place
   is swapped with one drawn from those up to it, by masked rejection. */
static void NAME(draw_order)(const Samples *samples, const Update *update)
{
    const ptrdiff_t n = samples->n_samples;
    ptrdiff_t *order = update->order;
    const BitGenerator *generator = update->bit_generator;
    for (ptrdiff_t i = 0; i < n; i++)
        order[i] = samples->rows ? samples->rows[i] : i;
    uint64_t mask = UINT64_MAX; /* the bits of i */
    for (ptrdiff_t i = n - 1; generator && i > 0; i--) {
        uint64_t j;
        while (mask >> 1 >= (uint64_t)i)
            mask >>= 1;
        do
            j = mask & (mask <= 0xffffffff ? generator->next_uint32(generator->state)
                                           : generator->next_uint64(generator->state));
        while (j > (uint64_t)i);
        const ptrdiff_t kept = order[j];
        order[j] = order[i];
        order[i] = kept;
    }
}

/* Say whether no entry is larger than `tol` in absolute value; NaN is. */
static int NAME(is_small)(ptrdiff_t n, const REAL *x, double tol)
{
    int is_small = 1;
    for (ptrdiff_t i = 0; i < n; i++)
        is_small &= x[i] <= tol && x[i] >= -tol;
    return is_small;
}

/* Go through the batches of an epoch; return the mean loss over them as they go by. */
static double NAME(run_epoch)(Net *net, const Update *update, ptrdiff_t batch_size,
                              const double *step_sizes, REAL *const *moments)
{
    const ptrdiff_t n_samples = net->samples.n_samples;
    double loss = 0;
    NAME(draw_order)(&net->samples, update);
    for (ptrdiff_t start = 0; start < n_samples; start += batch_size, step_sizes++) {
        const ptrdiff_t n = start + batch_size < n_samples ? batch_size : n_samples - start;
        NAME(load)(net, update->order + start, 0, n, 1.0 / n);
        double on_batch = NAME(loss_and_gradient)(net, 0);
        on_batch += NAME(step)(net, update, *step_sizes, moments);
        loss += on_batch * ((double)n / n_samples);
    }
    return loss;
}

/* The objective on all rows, by `length` at once, and its gradient unless that is NULL. */
static double NAME(on_all)(Net *net, ptrdiff_t length, void *gradient)
{
    const unsigned mode = flush_denormals();
    NAME(begin)(net);
    const double loss = NAME(evaluate)(net, length, gradient != NULL);
    if (gradient)
        NAME(unpack)(net, net->gradient, gradient);
    restore_denormals(mode);
    return loss;
}

/* The objective on the rows named, and its gradient. */
static double NAME(on_rows)(Net *net, const ptrdiff_t *rows, ptrdiff_t n, void *gradient)
{
    const unsigned mode = flush_denormals();
    NAME(begin)(net);
    NAME(load)(net, rows, 0, n, 1.0 / n);
    const double loss = NAME(loss_and_gradient)(net, 0) + NAME(penalty)(net, 1);
    NAME(unpack)(net, net->gradient, gradient);
    restore_denormals(mode);
    return loss;
}

/* Go through epochs; see interface.py. Between epochs, the weights before the best epoch so far
   are kept, as BestWeights.update() keeps them. Return the number of epochs, -1 without memory;
   the last is one with a loss that is not finite, or with a small gradient. */
static ptrdiff_t NAME(run_epochs)(Net *net, const Update *update, ptrdiff_t n_epochs,
                                  ptrdiff_t batch_size, ptrdiff_t length, double *losses)
{
    const ptrdiff_t n_samples = net->samples.n_samples, n = net->n_packed;
    const int has_batches = update->rule != GRADIENT_DESCENT;
    const ptrdiff_t n_updates = has_batches ? (n_samples + batch_size - 1) / batch_size : 1;
    const size_t size = n * sizeof(REAL);
    const int keeps_best = n_epochs > 1, n_moments = (update->moments[0] != NULL) + (update->moments[1] != NULL);
    char *memory = calloc((n_moments + 2 * keeps_best) * size + 64, 1);
    if (!memory)
        return -1;
    REAL *const first = (REAL *)(memory + (64 - (uintptr_t)memory % 64));
    REAL *const moments[2] = {first, first + n};
    REAL *const previous = first + n_moments * n, *const best = previous + n;
    const unsigned mode = flush_denormals();
    ptrdiff_t epoch = 0;
    NAME(begin)(net);
    for (int m = 0; m < n_moments; m++)
        NAME(pack)(net, update->moments[m], moments[m]);
    if (keeps_best) {
        NAME(pack)(net, update->previous, previous);
        NAME(pack)(net, update->best, best);
    }
    for (int is_over = 0; !is_over; epoch++) {
        const double *step_sizes = update->step_sizes + epoch * n_updates;
        if (has_batches) {
            losses[epoch] = NAME(run_epoch)(net, update, batch_size, step_sizes, moments);
        } else {
            losses[epoch] = NAME(evaluate)(net, length, 1);
            NAME(descend)(net, *step_sizes);
            is_over = NAME(is_small)(n, net->gradient, update->tol);
        }
        if (is_over || !isfinite(losses[epoch]) || epoch == n_epochs - 1) {
            is_over = 1;
            continue;
        }
        if (losses[epoch] < *update->best_loss) {
            *update->best_loss = losses[epoch];
            memcpy(best, previous, size);
        }
        memcpy(previous, net->weights, size);
    }
    NAME(unpack)(net, net->weights, (void *)net->parameters);
    for (int m = 0; m < n_moments; m++)
        NAME(unpack)(net, moments[m], update->moments[m]);
    if (keeps_best) {
        NAME(unpack)(net, previous, update->previous);
        NAME(unpack)(net, best, update->best);
    }
    if (!has_batches)
        NAME(unpack)(net, net->gradient, update->gradient);
    if (!isfinite(losses[epoch - 1])) /* NaN may have come into the padding */
        memset(net->weights, 0, size);
    restore_denormals(mode);
    free(memory);
    return epoch;
}

/* The scores (n_classes, n) of the first n rows. A net that scores does nothing else. */
static void NAME(write_scores)(Net *net, ptrdiff_t n, void *out)
{
    const Layer *last = net->layers + net->n_layers - 1;
    if (!net->is_ready_to_score)
        NAME(begin)(net);
    net->is_ready_to_score = 1;
    NAME(load)(net, NULL, 0, n, 1);
    NAME(forward)(net);
    const REAL *biases = (REAL *)net->weights + net->n_packed_weights, *scores = net->scores;
    for (ptrdiff_t k = 0; k < last->fan_out; k++)
        for (ptrdiff_t i = 0; i < n; i++)
            ((REAL *)out)[k * n + i] = scores[k * net->stride + i] + biases[k];
}

/* An elementary function of each number of an array, for the tests. */
static void NAME(apply_elementary)(int function, ptrdiff_t n, const void *x, void *out)
{
    const REAL *RESTRICT from = x;
    REAL *RESTRICT to = out;
    switch (function) {
#define CASE(number, f)                         \
    case number:                                \
        for (ptrdiff_t i = 0; i < n; i++)       \
            to[i] = NAME(f)(from[i]);           \
        break;
        CASE(0, exp) CASE(1, log) CASE(2, tanh) CASE(3, logistic) CASE(4, gaussian) CASE(5, ndtr)
#undef CASE
    }
}

static const Kernels NAME(table) = {
    sizeof(REAL), NAME(lay_out), NAME(on_all), NAME(on_rows), NAME(run_epochs),
    NAME(write_scores), NAME(apply_elementary),
};

#undef SUM
#undef LANES
#undef VEC
