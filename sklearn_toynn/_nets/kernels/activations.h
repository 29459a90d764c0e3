/* The activations. Included once for each REAL. To add one, add its name and two formulas here,
   and its class to ACTIVATIONS in compiled_kernels.py, in the order of the enum. */
#ifndef ACTIVATIONS_H
#define ACTIVATIONS_H
enum { RELU, LEAKY_RELU, LOGISTIC, TANH, GELU, SILU, IDENTITY };
#endif

/* IN and OUT: values (n,), z is replaced by f(z). OUT: slopes (n,), f'(z) if it does not follow
   from f(z). NaN must stay NaN. */
static void NAME(activate)(int activation, ptrdiff_t n, REAL *RESTRICT values,
                           REAL *RESTRICT slopes)
{
    switch (activation) {
    case RELU: /* max(z, 0) */
        for (ptrdiff_t i = 0; i < n; i++)
            values[i] = values[i] < 0 ? 0 : values[i];
        break;
    case LEAKY_RELU: /* max(z, z / 100) */
        for (ptrdiff_t i = 0; i < n; i++)
            values[i] = values[i] < 0 ? values[i] * (REAL)0.01 : values[i];
        break;
    case LOGISTIC: /* s(z) = 1 / (1 + exp(-z)) */
        for (ptrdiff_t i = 0; i < n; i++)
            values[i] = NAME(logistic)(values[i]);
        break;
    case TANH:
        for (ptrdiff_t i = 0; i < n; i++)
            values[i] = NAME(tanh)(values[i]);
        break;
    case GELU: /* z Phi(z), arXiv 1606.08415; slope Phi(z) + z exp(-z^2 / 2) / sqrt(2 pi) */
        for (ptrdiff_t i = 0; i < n; i++) {
            const REAL z = values[i], p = NAME(ndtr)(z);
            slopes[i] = p + z * NAME(gaussian)(z) * (REAL)0.3989422804014327;
            values[i] = z * p;
        }
        break;
    case SILU: /* z s(z), arXiv 1702.03118; slope 1 + (f(z) - 1) (1 - s(z)) */
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

/* IN and OUT: delta (n,), multiplied by f'(z). IN: values and slopes (n,), the results of
   `activate`. */
static void NAME(differentiate)(int activation, ptrdiff_t n, const REAL *RESTRICT values,
                                const REAL *RESTRICT slopes, REAL *RESTRICT delta)
{
    switch (activation) {
    case RELU:
        for (ptrdiff_t i = 0; i < n; i++)
            delta[i] = values[i] > 0 ? delta[i] : 0;
        break;
    case LEAKY_RELU: /* at z = 0, which occurs for zero rows and initial biases, the mean */
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
