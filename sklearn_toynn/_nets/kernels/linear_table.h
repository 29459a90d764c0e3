/* The functions of the linear model of one instruction set; see linear.h. */
#ifndef LINEAR_TABLE_H
#define LINEAR_TABLE_H

#include <stddef.h>

/* BLAS's and LAPACK's, column after column. */
typedef void Gemm(char *, char *, int *, int *, int *, void *, void *, int *, void *, int *, void *,
                  void *, int *);
typedef void dsyrk_t(char *, char *, int *, int *, double *, double *, int *, double *, double *,
                     int *);
typedef void dtrsv_t(char *, char *, char *, int *, double *, int *, double *, int *);
typedef void dpotrf_t(char *, int *, double *, int *, int *);

typedef struct {
    double (*cross_entropy)(double *, const ptrdiff_t *, const double *, double *, ptrdiff_t,
                            ptrdiff_t);
    void (*softmax)(double *, ptrdiff_t, ptrdiff_t);
    void (*derivative_change)(double *, const double *, const double *, ptrdiff_t, ptrdiff_t);
    void (*add_penalty)(double *, const double *, ptrdiff_t, ptrdiff_t);
    ptrdiff_t (*hessian_rows)(ptrdiff_t);
    void (*add_hessian)(double *, const double *, const double *, const double *, ptrdiff_t,
                        ptrdiff_t, ptrdiff_t, double *, dsyrk_t *, Gemm *);
    void (*solve_hessian)(const double *, const double *, double *, ptrdiff_t, ptrdiff_t,
                          dtrsv_t *);
    ptrdiff_t (*newton_steps)(const double *, const ptrdiff_t *, const double *, const double *,
                              double *, double *, double *, double *, double *, double *,
                              ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t, double, double, double *,
                              int *, int *, dsyrk_t *, Gemm *, dtrsv_t *, dpotrf_t *);
} LinearKernels;

#endif
