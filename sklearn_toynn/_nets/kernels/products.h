/* Products of thin matrices, included once for each REAL. BLAS packs its matrices first, which
   takes as long as a product does where one of its dimensions is a dozen or two.

   Matrices lie by rows; n, the number of samples, is a multiple of LANES. The compiler makes one
   vector operation of each line; tiles are as large as 16 registers allow. */

/* out (rows, n) <- P (rows, columns) B (columns, n), added to `out` unless `is_first`. Entries of
   P are `p_row` and `p_column` apart, rows of B and `out` `stride`. */
static ALWAYS_INLINE void NAME(axpy_tile)(const int rows, const int columns, const int is_first,
                                          ptrdiff_t n, const REAL *p, ptrdiff_t p_row,
                                          ptrdiff_t p_column, const REAL *RESTRICT b,
                                          REAL *RESTRICT out, ptrdiff_t stride)
{
    REAL c[4][4];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            c[i][j] = i < rows && j < columns ? p[i * p_row + j * p_column] : 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL b0 = b[i];
        const REAL b1 = columns > 1 ? b[stride + i] : 0;
        const REAL b2 = columns > 2 ? b[2 * stride + i] : 0;
        const REAL b3 = columns > 3 ? b[3 * stride + i] : 0;
#define ROW(k)                                                                  \
    if (rows > k) {                                                             \
        REAL sum = c[k][0] * b0 + (is_first ? 0 : out[k * stride + i]);         \
        sum = columns > 1 ? sum + c[k][1] * b1 : sum;                           \
        sum = columns > 2 ? sum + c[k][2] * b2 : sum;                           \
        out[k * stride + i] = columns > 3 ? sum + c[k][3] * b3 : sum;           \
    }
        ROW(0) ROW(1) ROW(2) ROW(3)
#undef ROW
    }
}

/* out (rows, columns) <- A (rows, n) B (columns, n)^T + beta out. */
static ALWAYS_INLINE void NAME(dot_tile)(const int rows, const int columns, ptrdiff_t n,
                                         const REAL *RESTRICT a, const REAL *RESTRICT b,
                                         ptrdiff_t stride, REAL beta, REAL *out,
                                         ptrdiff_t out_row, ptrdiff_t out_column)
{
    REAL s00 = 0, s01 = 0, s02 = 0, s10 = 0, s11 = 0, s12 = 0;
    REAL s20 = 0, s21 = 0, s22 = 0, s30 = 0, s31 = 0, s32 = 0;
#pragma omp simd reduction(+ : s00, s01, s02, s10, s11, s12, s20, s21, s22, s30, s31, s32)
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL b0 = b[i];
        const REAL b1 = columns > 1 ? b[stride + i] : 0;
        const REAL b2 = columns > 2 ? b[2 * stride + i] : 0;
#define ROW(k)                                  \
    if (rows > k) {                             \
        const REAL a_i = a[k * stride + i];     \
        s##k##0 += a_i * b0;                    \
        if (columns > 1)                        \
            s##k##1 += a_i * b1;                \
        if (columns > 2)                        \
            s##k##2 += a_i * b2;                \
    }
        ROW(0) ROW(1) ROW(2) ROW(3)
#undef ROW
    }
    const REAL sums[4][3] = {{s00, s01, s02}, {s10, s11, s12}, {s20, s21, s22}, {s30, s31, s32}};
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            REAL *entry = out + i * out_row + j * out_column;
            *entry = beta == 0 ? sums[i][j] : *entry + sums[i][j];
        }
}

#define PICK(count, most) ((count) < (most) ? (int)(count) : (most))

/* out (m, n) <- P (m, k) B (k, n). */
static WIDE void NAME(multiply_thin)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const REAL *p,
                                     ptrdiff_t p_row, ptrdiff_t p_column, const REAL *b,
                                     REAL *out, ptrdiff_t stride)
{
    for (ptrdiff_t i = 0; i < m; i += 4)
        for (ptrdiff_t j = 0; j < k; j += 4) {
#define TILE(rows, columns)                                                                   \
    case 4 * rows + columns:                                                                  \
        if (j == 0)                                                                           \
            NAME(axpy_tile)(rows, columns, 1, n, p + i * p_row, p_row, p_column, b,           \
                            out + i * stride, stride);                                        \
        else                                                                                  \
            NAME(axpy_tile)(rows, columns, 0, n, p + i * p_row + j * p_column, p_row,         \
                            p_column, b + j * stride, out + i * stride, stride);              \
        break;
            switch (4 * PICK(m - i, 4) + PICK(k - j, 4)) {
                TILE(1, 1) TILE(1, 2) TILE(1, 3) TILE(1, 4)
                TILE(2, 1) TILE(2, 2) TILE(2, 3) TILE(2, 4)
                TILE(3, 1) TILE(3, 2) TILE(3, 3) TILE(3, 4)
                TILE(4, 1) TILE(4, 2) TILE(4, 3) TILE(4, 4)
            }
#undef TILE
        }
}

/* out (m, k) <- A (m, n) B (k, n)^T + beta out, with beta 0 or 1; entries of `out` are `out_row`
   and `out_column` apart. */
static WIDE void NAME(multiply_thin_transposed)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
                                                const REAL *a, const REAL *b, ptrdiff_t stride,
                                                REAL beta, REAL *out, ptrdiff_t out_row,
                                                ptrdiff_t out_column)
{
    for (ptrdiff_t i = 0; i < m; i += 4)
        for (ptrdiff_t j = 0; j < k; j += 3) {
#define TILE(rows, columns)                                                                   \
    case 4 * rows + columns:                                                                  \
        NAME(dot_tile)(rows, columns, n, a + i * stride, b + j * stride, stride, beta,        \
                       out + i * out_row + j * out_column, out_row, out_column);              \
        break;
            switch (4 * PICK(m - i, 4) + PICK(k - j, 3)) {
                TILE(1, 1) TILE(1, 2) TILE(1, 3)
                TILE(2, 1) TILE(2, 2) TILE(2, 3)
                TILE(3, 1) TILE(3, 2) TILE(3, 3)
                TILE(4, 1) TILE(4, 2) TILE(4, 3)
            }
#undef TILE
        }
}
#undef PICK
