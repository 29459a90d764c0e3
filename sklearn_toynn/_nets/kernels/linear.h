/* The linear model in float64: the cross-entropy and its derivative for a chunk of rows. */

/* The number of rows per block, whose arrays stay in the L1 cache. */
#define ROWS 256
/* The number of partial sums, the same for all instruction sets. */
#define TERMS 8

/* log(1 + x) for x >= 0. The rounding error of 1 + x cancels (Goldberg 1991, theorem 4). */
static ALWAYS_INLINE double log1p_f64(double x)
{
    const double y = 1 + x, z = y - 1;
    return z == 0 ? x : log_f64(y) * (x / z);
}

/*
 * Return sum_i w_i CE(y_i, softmax(s_i)), and replace the scores, (n_classes, n_rows), by its
 * derivative. `numpy_cross_entropy` in _linear/linear_kernels.py has the formulas.
 */
static double linear_cross_entropy(double *scores, const ptrdiff_t *codes, const double *weights,
                                   ptrdiff_t n_classes, ptrdiff_t n_rows)
{
    double lanes[TERMS] = {0};
    for (ptrdiff_t start = 0; start < n_rows; start += ROWS) {
        const ptrdiff_t n = n_rows - start < ROWS ? n_rows - start : ROWS;
        const ptrdiff_t *y = codes + start;
        const double *w = weights + start;
        double *s = scores + start;
        double largest[ROWS], own[ROWS], own_exp[ROWS], rest[ROWS] = {0}, term[ROWS] = {0};
        memcpy(largest, s, n * sizeof(double));
        for (ptrdiff_t k = 1; k < n_classes; k++) {
            const double *RESTRICT e = s + k * n_rows;
            for (ptrdiff_t i = 0; i < n; i++)
                largest[i] = e[i] > largest[i] ? e[i] : largest[i];
        }
        for (ptrdiff_t i = 0; i < n; i++)
            own[i] = s[y[i] * n_rows + i] - largest[i];
        for (ptrdiff_t k = 0; k < n_classes; k++) {
            double *RESTRICT e = s + k * n_rows;
            for (ptrdiff_t i = 0; i < n; i++)
                e[i] = exp_f64(e[i] - largest[i]);
        }
        for (ptrdiff_t i = 0; i < n; i++) {
            own_exp[i] = s[y[i] * n_rows + i];
            s[y[i] * n_rows + i] = 0;
        }
        for (ptrdiff_t k = 0; k < n_classes; k++) {
            const double *RESTRICT e = s + k * n_rows;
            for (ptrdiff_t i = 0; i < n; i++)
                rest[i] += e[i];
        }
        for (ptrdiff_t i = 0; i < n; i++)
            term[i] = w[i] * (log1p_f64(rest[i] + (own_exp[i] - 1)) - own[i]);
        for (ptrdiff_t i = 0; i < n; i += TERMS)
            for (int lane = 0; lane < TERMS; lane++)
                lanes[lane] += term[i + lane];
        double *RESTRICT scale = own; /* no longer needed */
        for (ptrdiff_t i = 0; i < n; i++)
            scale[i] = w[i] / (rest[i] + own_exp[i]);
        for (ptrdiff_t k = 0; k < n_classes; k++) {
            double *RESTRICT e = s + k * n_rows;
            for (ptrdiff_t i = 0; i < n; i++)
                e[i] *= scale[i];
        }
        for (ptrdiff_t i = 0; i < n; i++)
            s[y[i] * n_rows + i] = -rest[i] * scale[i];
    }
    double sum = 0;
    for (int lane = 0; lane < TERMS; lane++)
        sum += lanes[lane];
    return sum;
}
