/*
 * The linear model in float64: the softmax passes over the scores of a chunk of rows, and the
 * Hessian's rows. Scores lie class after class, (n_classes, n_rows).
 */
#ifndef SKLEARN_TOYNN_LINEAR_H
#define SKLEARN_TOYNN_LINEAR_H

#include <float.h>

#include "linear_table.h"

/* Rows at once: what is known of them stays in the first cache. */
#define ROWS 256
/* Sums have so many terms side by side, whatever the registers. */
#define TERMS 8
/* Entries of R below at once. */
#define HESSIAN_ENTRIES 65536

/* log(1 + x), x >= 0: the rounding of 1 + x cancels (Goldberg 1991, theorem 4). */
static ALWAYS_INLINE double log1p_f64(double x)
{
    const double y = 1 + x, z = y - 1;
    return z == 0 ? x : log_f64(y) * (x / z);
}

/* Write the largest score of each of n rows. */
static ALWAYS_INLINE void find_largest(const double *scores, ptrdiff_t n_classes, ptrdiff_t stride,
                                       ptrdiff_t n, double *RESTRICT largest)
{
    memcpy(largest, scores, n * sizeof(double));
    for (ptrdiff_t k = 1; k < n_classes; k++) {
        const double *RESTRICT s = scores + k * stride;
        for (ptrdiff_t i = 0; i < n; i++)
            largest[i] = s[i] > largest[i] ? s[i] : largest[i];
    }
}

/*
 * Returns sum_i w_i CE(y_i, softmax(s_i)). Scores become its derivative, w_i (p_ki - [k = y_i]),
 * and probabilities, unless NULL, p_ki.
 */
static double linear_cross_entropy(double *scores, const ptrdiff_t *codes,
                                        const double *weights, double *probabilities,
                                        ptrdiff_t n_classes, ptrdiff_t n_rows)
{
    double lanes[TERMS] = {0};
    for (ptrdiff_t start = 0; start < n_rows; start += ROWS) {
        const ptrdiff_t n = n_rows - start < ROWS ? n_rows - start : ROWS;
        const ptrdiff_t *y = codes + start;
        const double *w = weights + start;
        double *s = scores + start;
        double largest[ROWS], own[ROWS], own_exp[ROWS], rest[ROWS] = {0}, term[ROWS] = {0};
        find_largest(s, n_classes, n_rows, n, largest);
        for (ptrdiff_t i = 0; i < n; i++)
            own[i] = s[y[i] * n_rows + i] - largest[i];
        for (ptrdiff_t k = 0; k < n_classes; k++) {
            double *RESTRICT e = s + k * n_rows;
            for (ptrdiff_t i = 0; i < n; i++)
                e[i] = exp_f64(e[i] - largest[i]);
        }
        /* the own class's apart, so that no digit is lost where its probability is nearly 1 */
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
        double *RESTRICT total = own, *RESTRICT scale = largest; /* no longer needed */
        for (ptrdiff_t i = 0; i < n; i++) {
            total[i] = rest[i] + own_exp[i];
            scale[i] = w[i] / total[i];
        }
        if (probabilities != NULL) {
            double *p = probabilities + start;
            for (ptrdiff_t k = 0; k < n_classes; k++)
                for (ptrdiff_t i = 0; i < n; i++)
                    p[k * n_rows + i] = s[k * n_rows + i] / total[i];
            for (ptrdiff_t i = 0; i < n; i++)
                p[y[i] * n_rows + i] = own_exp[i] / total[i];
        }
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

/* Scores become probabilities. */
static void linear_softmax(double *scores, ptrdiff_t n_classes, ptrdiff_t n_rows)
{
    for (ptrdiff_t start = 0; start < n_rows; start += ROWS) {
        const ptrdiff_t n = n_rows - start < ROWS ? n_rows - start : ROWS;
        double largest[ROWS], total[ROWS] = {0};
        double *s = scores + start;
        find_largest(s, n_classes, n_rows, n, largest);
        for (ptrdiff_t k = 0; k < n_classes; k++, s += n_rows) {
            double *RESTRICT e = s;
            for (ptrdiff_t i = 0; i < n; i++) {
                e[i] = exp_f64(e[i] - largest[i]);
                total[i] += e[i];
            }
        }
        for (ptrdiff_t i = 0; i < n; i++)
            total[i] = 1 / total[i];
        s = scores + start;
        for (ptrdiff_t k = 0; k < n_classes; k++, s += n_rows) {
            double *RESTRICT e = s;
            for (ptrdiff_t i = 0; i < n; i++)
                e[i] *= total[i];
        }
    }
}

/* Changes c of the scores become those of the derivative, w_i p_ki (c_ki - sum_m p_mi c_mi). */
static void linear_derivative_change(double *changes, const double *probabilities,
                                   const double *weights, ptrdiff_t n_classes, ptrdiff_t n_rows)
{
    for (ptrdiff_t start = 0; start < n_rows; start += ROWS) {
        const ptrdiff_t n = n_rows - start < ROWS ? n_rows - start : ROWS;
        const double *RESTRICT w = weights + start;
        double mean[ROWS] = {0};
        for (ptrdiff_t k = 0; k < n_classes; k++) {
            const double *RESTRICT c = changes + start + k * n_rows;
            const double *RESTRICT p = probabilities + start + k * n_rows;
            for (ptrdiff_t i = 0; i < n; i++)
                mean[i] += p[i] * c[i];
        }
        for (ptrdiff_t k = 0; k < n_classes; k++) {
            double *RESTRICT c = changes + start + k * n_rows;
            const double *RESTRICT p = probabilities + start + k * n_rows;
            for (ptrdiff_t i = 0; i < n; i++)
                c[i] = (c[i] - mean[i]) * p[i] * w[i];
        }
    }
}

/* z = r Z for n rows. */
static void scale_rows(const double *Z, const double *r, double *RESTRICT z, ptrdiff_t n,
                            ptrdiff_t size)
{
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < size; j++)
            z[i * size + j] = r[i] * Z[i * size + j];
}

/* The rows R_i = [p_1i z_i, p_2i z_i, ...] of all classes but the last, as in `FullHessian`. */
static void spread_rows(const double *RESTRICT z, const double *RESTRICT p, ptrdiff_t stride,
                             double *RESTRICT R, ptrdiff_t n, ptrdiff_t n_free, ptrdiff_t size)
{
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t k = 0; k < n_free; k++) {
            const double factor = p[k * stride + i];
            for (ptrdiff_t j = 0; j < size; j++)
                R[(i * n_free + k) * size + j] = factor * z[i * size + j];
        }
}

/* The most rows of which `linear_add_hessian` makes an R at once. */
static ptrdiff_t linear_hessian_rows(ptrdiff_t order)
{
    const ptrdiff_t n = HESSIAN_ENTRIES / order;
    return n > ROWS ? ROWS : n < 16 ? 16 : n;
}

/*
 * Adds the data part of some rows to the lower triangle of the Hessian H in Fortran order, as in
 * `FullHessian`. The work array holds (order + size) linear_hessian_rows(order) + order size entries.
 */
static void linear_add_hessian(double *H, const double *Z, const double *probabilities,
                        const double *weights, ptrdiff_t n_classes, ptrdiff_t n_rows,
                        ptrdiff_t size, double *work, dsyrk_t *dsyrk, Gemm *dgemm)
{
    const ptrdiff_t n_free = n_classes - 1, order = n_free * size, most = linear_hessian_rows(order);
    double *z = work, *R = z + most * size, *blocks = R + most * order;
    double one = 1, minus = -1;
    int int_size = (int)size, int_order = (int)order;
    memset(blocks, 0, order * size * sizeof(double));
    for (ptrdiff_t start = 0; start < n_rows; start += most) {
        const ptrdiff_t n = n_rows - start < most ? n_rows - start : most;
        const double *p = probabilities + start, *w = weights + start;
        double root[ROWS];
        int int_n = (int)n;
        for (ptrdiff_t i = 0; i < n; i++) /* of two classes the one block's weight is w p_1 p_2 */
            root[i] = sqrt(n_free == 1 ? w[i] * p[i] * p[n_rows + i] : w[i]);
        scale_rows(Z + start * size, root, z, n, size);
        if (n_free == 1) {
            dsyrk("L", "N", &int_order, &int_n, &one, z, &int_order, &one, H, &int_order);
            continue;
        }
        spread_rows(z, p, n_rows, R, n, n_free, size);
        dsyrk("L", "N", &int_order, &int_n, &minus, R, &int_order, &one, H, &int_order);
        dgemm("N", "T", &int_size, &int_order, &int_n, &one, z, &int_size, R, &int_order, &one,
              blocks, &int_size);
    }
    for (ptrdiff_t k = 0; k < n_free; k++) /* the blocks' own are of zeros for two classes */
        for (ptrdiff_t j = 0; j < size; j++)
            for (ptrdiff_t i = j; i < size; i++)
                H[(k * size + j) * order + k * size + i] += blocks[(k * size + j) * size + i];
}

/* Adds the penalty's part, (I - 11^T / n_classes) (x) diag(ridge), to H: last, as the rows' parts
   cancel. */
static void linear_add_penalty(double *H, const double *ridge, ptrdiff_t n_classes, ptrdiff_t size)
{
    const ptrdiff_t n_free = n_classes - 1, order = n_free * size;
    for (ptrdiff_t k = 0; k < n_free; k++)
        for (ptrdiff_t l = k; l < n_free; l++)
            for (ptrdiff_t j = 0; j < size; j++)
                H[(k * size + j) * order + l * size + j] += ((k == l) - 1.0 / n_classes) * ridge[j];
}

/*
 * Solves for steps, (n_classes, size), by the Cholesky factor of the Hessian: for the differences
 * from the last class's step, and then all less their mean.
 */
static void linear_solve_hessian(const double *factor, const double *gradient, double *steps,
                                 ptrdiff_t n_classes, ptrdiff_t size, dtrsv_t *dtrsv)
{
    const ptrdiff_t order = (n_classes - 1) * size;
    int int_order = (int)order, stride = 1;
    memcpy(steps, gradient, order * sizeof(double));
    memset(steps + order, 0, size * sizeof(double));
    dtrsv("L", "N", "N", &int_order, (double *)factor, &int_order, steps, &stride);
    dtrsv("L", "T", "N", &int_order, (double *)factor, &int_order, steps, &stride);
    for (ptrdiff_t j = 0; j < size; j++) {
        double sum = 0;
        for (ptrdiff_t k = 0; k < n_classes; k++)
            sum += steps[k * size + j];
        for (ptrdiff_t k = 0; k < n_classes; k++)
            steps[k * size + j] -= sum / n_classes;
    }
}

/* The objective at theta, whose gradient and probabilities are written. */
static double linear_objective(const double *Z, const ptrdiff_t *codes, const double *weights,
                               const double *ridge, const double *theta, double *gradient,
                               double *probabilities, double *scores, ptrdiff_t n_classes,
                               ptrdiff_t n_rows, ptrdiff_t size, Gemm *dgemm)
{
    int int_classes = (int)n_classes, int_rows = (int)n_rows, int_size = (int)size;
    double one = 1, zero = 0;
    dgemm("T", "N", &int_rows, &int_classes, &int_size, &one, (double *)Z, &int_size,
          (double *)theta, &int_size, &zero, scores, &int_rows);
    double value = linear_cross_entropy(scores, codes, weights, probabilities, n_classes, n_rows);
    dgemm("N", "N", &int_size, &int_classes, &int_rows, &one, (double *)Z, &int_size, scores,
          &int_rows, &zero, gradient, &int_size);
    for (ptrdiff_t k = 0; k < n_classes; k++)
        for (ptrdiff_t j = 0; j < size; j++) {
            const double pull = ridge[j] * theta[k * size + j];
            value += 0.5 * pull * theta[k * size + j];
            gradient[k * size + j] += pull;
        }
    return value;
}

static double linear_dot(const double *x, const double *y, ptrdiff_t n)
{
    double sum = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* Relative differences of the objective that may be rounding. */
#define ROUNDING (64 * DBL_EPSILON)

/*
 * Takes Newton's steps at full length from theta, whose loss, gradient and factor H of the Hessian
 * are given, as long as each lowers the objective by enough (Armijo) and the decrement is above
 * the larger of `relative` of the loss and `absolute`. Returns their number. theta, loss, gradient
 * and H become those of the last point, `losses` those before each step. `is_current` says whether
 * the probabilities are those there, `has_factor` whether there was an H. The work array holds
 * n_classes (n_rows + 3 size) entries and those for `linear_add_hessian`.
 */
static ptrdiff_t linear_newton_steps(const double *Z, const ptrdiff_t *codes,
                                     const double *weights, const double *ridge, double *theta,
                                     double *gradient, double *loss, double *H,
                                     double *probabilities, double *losses, ptrdiff_t n_classes,
                                     ptrdiff_t n_rows, ptrdiff_t size, ptrdiff_t max_steps,
                                     double relative, double absolute, double *work,
                                     int *is_current, int *has_factor, dsyrk_t *dsyrk, Gemm *dgemm,
                                     dtrsv_t *dtrsv, dpotrf_t *dpotrf)
{
    const ptrdiff_t n = n_classes * size, order = n - size;
    double *step = work, *new_theta = step + n, *new_gradient = new_theta + n;
    double *scores = new_gradient + n, *rest = scores + n_classes * n_rows;
    int int_order = (int)order, info = 0;
    ptrdiff_t done = 0;
    *is_current = 1;
    while (done < max_steps) {
        linear_solve_hessian(H, gradient, step, n_classes, size, dtrsv);
        const double slope = -linear_dot(gradient, step, n);
        if (done > 0 && (-0.5 * slope <= relative * *loss || -0.5 * slope <= absolute))
            break;
        for (ptrdiff_t i = 0; i < n; i++)
            new_theta[i] = theta[i] - step[i];
        const double new_loss = linear_objective(Z, codes, weights, ridge, new_theta, new_gradient,
                                                 probabilities, scores, n_classes, n_rows, size,
                                                 dgemm);
        *is_current = slope < 0 && new_loss <= *loss + 1e-4 * slope
            && new_loss < *loss * (1 - ROUNDING);
        if (!*is_current)
            break;
        losses[done++] = *loss;
        *loss = new_loss;
        memcpy(theta, new_theta, n * sizeof(double));
        memcpy(gradient, new_gradient, n * sizeof(double));
        memset(H, 0, order * order * sizeof(double));
        linear_add_hessian(H, Z, probabilities, weights, n_classes, n_rows, size, rest, dsyrk,
                           dgemm);
        linear_add_penalty(H, ridge, n_classes, size);
        for (ptrdiff_t i = 0; i < order; i++) { /* as `symmetric.cholesky` begins */
            double *diagonal = H + i * (order + 1);
            *diagonal = (*diagonal > 0 ? *diagonal : 1.0) * (1 + 4 * DBL_EPSILON);
        }
        dpotrf("L", &int_order, H, &int_order, &info);
        if (info != 0)
            break;
    }
    *has_factor = info == 0;
    return done;
}

static const LinearKernels linear_table = {
    linear_cross_entropy, linear_softmax,       linear_derivative_change, linear_add_penalty,
    linear_hessian_rows,  linear_add_hessian,   linear_solve_hessian,     linear_newton_steps,
};

#endif
