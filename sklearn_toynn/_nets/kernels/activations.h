/* The activations; included once for each REAL. To add one, add its name and its two formulas, and
   its class to ACTIVATIONS in compiled_kernels.py, which has the order of the enum. */
#ifndef ACTIVATIONS_H
#define ACTIVATIONS_H
enum { RELU, LEAKY_RELU, LOGISTIC, TANH, GELU, SILU, IDENTITY };
#endif

/* values (n,), IN and OUT: f(z) instead of z; slopes (n,), OUT: f'(z) unless it follows from
   f(z). NaN must stay NaN. */
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

/* delta (n,), IN and OUT: multiplied by f'(z); values and slopes (n,), IN: as `activate` left
   them. */
static void NAME(differentiate)(int activation, ptrdiff_t n, const REAL *RESTRICT values,
                                const REAL *RESTRICT slopes, REAL *RESTRICT delta)
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
