/* Products of thin matrices, included once for each REAL. BLAS packs its matrices first, which
   takes as long as a product does where one of its dimensions is a dozen or two.

   The compiler makes vector operations of each line; tiles are as large as 16 registers allow. */

/* sums (rows, LANES) <- A (rows, k) B (k, LANES), the sums held in registers. Entries of A are
   `a_row` and `a_column` apart, rows of B `b_row`. */
static ALWAYS_INLINE void NAME(row_tile)(const int rows, ptrdiff_t k, const REAL *a,
                                         ptrdiff_t a_row, ptrdiff_t a_column, const REAL *b,
                                         ptrdiff_t b_row, REAL sums[][64 / sizeof(REAL)])
{
    REAL s0[LANES] = {0}, s1[LANES] = {0}, s2[LANES] = {0};
    REAL s3[LANES] = {0}, s4[LANES] = {0}, s5[LANES] = {0};
/* without the pragma, the loop is unrolled before it could become a vector operation */
#define ADD(r)                                 \
    if (rows > r) {                            \
        const REAL factor = a[r * a_row];      \
        _Pragma("omp simd")                    \
        for (ptrdiff_t l = 0; l < LANES; l++)  \
            s##r[l] += factor * b[l];          \
    }
    for (ptrdiff_t j = 0; j < k; j++, a += a_column, b += b_row) {
        ADD(0) ADD(1) ADD(2) ADD(3) ADD(4) ADD(5)
    }
#undef ADD
#define KEEP(r)      \
    if (rows > r)    \
        memcpy(sums[r], s##r, sizeof(s##r));
    KEEP(0) KEEP(1) KEEP(2) KEEP(3) KEEP(4) KEEP(5)
#undef KEEP
}

/* out (rows, n) <- A (rows, columns) B (columns, n), added to `out` unless `is_first`. Rows of B
   and `out` are `b_row` and `out_row` apart, whole numbers of LANES. */
static ALWAYS_INLINE void NAME(axpy_tile)(const int rows, const int columns, const int is_first,
                                          ptrdiff_t n, const REAL *a, ptrdiff_t a_row,
                                          ptrdiff_t a_column, const REAL *RESTRICT b,
                                          ptrdiff_t b_row, REAL *RESTRICT out, ptrdiff_t out_row)
{
    REAL c[4][4];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            c[i][j] = i < rows && j < columns ? a[i * a_row + j * a_column] : 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL b0 = b[i];
        const REAL b1 = columns > 1 ? b[b_row + i] : 0;
        const REAL b2 = columns > 2 ? b[2 * b_row + i] : 0;
        const REAL b3 = columns > 3 ? b[3 * b_row + i] : 0;
#define ROW(k)                                                                  \
    if (rows > k) {                                                             \
        REAL sum = c[k][0] * b0 + (is_first ? 0 : out[k * out_row + i]);        \
        sum = columns > 1 ? sum + c[k][1] * b1 : sum;                           \
        sum = columns > 2 ? sum + c[k][2] * b2 : sum;                           \
        out[k * out_row + i] = columns > 3 ? sum + c[k][3] * b3 : sum;          \
    }
        ROW(0) ROW(1) ROW(2) ROW(3)
#undef ROW
    }
}

/* out (rows, columns) <- A (rows, n) B (columns, n)^T + beta out. */
static ALWAYS_INLINE void NAME(dot_tile)(const int rows, const int columns, ptrdiff_t n,
                                         const REAL *RESTRICT a, const REAL *RESTRICT b,
                                         ptrdiff_t stride, REAL beta, REAL *out,
                                         ptrdiff_t out_row)
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
            REAL *entry = out + i * out_row + j;
            *entry = beta == 0 ? sums[i][j] : *entry + sums[i][j];
        }
}

#define PICK(count, most) ((count) < (most) ? (int)(count) : (most))

/* Of so few terms, sums are added to where they lie. */
enum { NAME(FEW_TERMS) = 16 };

/* out (m, n) <- A (m, k) B (k, n), for small k. */
static WIDE void NAME(add_few)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const REAL *a,
                               ptrdiff_t a_row, ptrdiff_t a_column, const REAL *b,
                               ptrdiff_t b_row, REAL *out, ptrdiff_t out_row)
{
    for (ptrdiff_t i = 0; i < m; i += 4)
        for (ptrdiff_t j = 0; j < k; j += 4) {
#define TILE(rows, columns)                                                                   \
    case 4 * rows + columns:                                                                  \
        if (j == 0)                                                                           \
            NAME(axpy_tile)(rows, columns, 1, n, a + i * a_row, a_row, a_column, b, b_row,    \
                            out + i * out_row, out_row);                                      \
        else                                                                                  \
            NAME(axpy_tile)(rows, columns, 0, n, a + i * a_row + j * a_column, a_row,         \
                            a_column, b + j * b_row, b_row, out + i * out_row, out_row);      \
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

/* out (m, n) <- A (m, k) B (k, n) + beta out, with beta 0 or 1. Rows of B and `out` are `b_row`
   and `out_row` apart; those of B go on to a whole number of LANES. */
static WIDE void NAME(multiply_thin)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const REAL *a,
                                     ptrdiff_t a_row, ptrdiff_t a_column, const REAL *b,
                                     ptrdiff_t b_row, REAL beta, REAL *out, ptrdiff_t out_row)
{
    if (k <= NAME(FEW_TERMS) && beta == 0) {
        NAME(add_few)(m, n, k, a, a_row, a_column, b, b_row, out, out_row);
        return;
    }
    for (ptrdiff_t j = 0; j < n; j += LANES)
        for (ptrdiff_t i = 0, rows; i < m; i += rows) {
            REAL sums[6][64 / sizeof(REAL)];
            const ptrdiff_t columns = n - j < LANES ? n - j : LANES;
            rows = PICK(m - i, 6);
            switch (rows) {
#define TILE(count)                                                                        \
    case count:                                                                            \
        NAME(row_tile)(count, k, a + i * a_row, a_row, a_column, b + j, b_row, sums);      \
        break;
                TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#undef TILE
            }
            for (ptrdiff_t r = 0; r < rows; r++) {
                REAL *entries = out + (i + r) * out_row + j;
                for (ptrdiff_t l = 0; l < columns; l++)
                    entries[l] = beta == 0 ? sums[r][l] : entries[l] + sums[r][l];
            }
        }
}

/* out (m, k) <- A (m, n) B (k, n)^T + beta out, with beta 0 or 1. */
static WIDE void NAME(multiply_thin_transposed)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
                                                const REAL *a, const REAL *b, ptrdiff_t stride,
                                                REAL beta, REAL *out)
{
    for (ptrdiff_t i = 0; i < m; i += 4)
        for (ptrdiff_t j = 0; j < k; j += 3) {
#define TILE(rows, columns)                                                                   \
    case 4 * rows + columns:                                                                  \
        NAME(dot_tile)(rows, columns, n, a + i * stride, b + j * stride, stride, beta,        \
                       out + i * k + j, k);                                                   \
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
