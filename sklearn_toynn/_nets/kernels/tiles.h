/* Products of matrices in panels; included once for each REAL.

   A tile is ROWS rows by COLUMNS vectors of the result, held in registers while it runs over the
   terms of its sums: sum += a * b, with an entry a of the left matrix for all lanes and a vector b
   of the right one. `acc` has a fixed size and every loop over it constant bounds, so that the
   compiler keeps it in registers.

   The tiles by the number of vectors that are left:

       vectors   3 or more   2, or 4   1
       tile      TILE_ROWS x 3   TILE_ROWS x 2   8 x 1

   TILE_ROWS is 4 with 16 registers and 8 with 32. */

typedef REAL NAME(vec) __attribute__((vector_size(VECTOR_BYTES), may_alias));
#define VEC NAME(vec)
#define LANES ((ptrdiff_t)(VECTOR_BYTES / sizeof(REAL)))

/* Where the entries of the left matrix are: row r and term k = block * length + j, j < length, at
   start + r * row + block * jump + j * step. */
typedef struct {
    const REAL *start;
    ptrdiff_t row, step, length, jump;
} NAME(Left);

/* out[c][r] <- sum_k left(r, k) right[c][k], or added to it. Vectors of `right` follow each other
   by k, and rows of `out` by r; panels of either are `right_panel` and `out_panel` entries apart. */
static ALWAYS_INLINE void NAME(tile)(const int n_rows, const int n_columns, ptrdiff_t n_terms,
                                     NAME(Left) left, const REAL *right, ptrdiff_t right_panel,
                                     int is_added, REAL *out, ptrdiff_t out_panel)
{
    VEC acc[8][3];
    for (int r = 0; r < n_rows; r++)
        for (int c = 0; c < n_columns; c++)
            acc[r][c] = (VEC){0};
    for (ptrdiff_t begin = 0; begin < n_terms; begin += left.length, left.start += left.jump) {
        const ptrdiff_t n = n_terms - begin < left.length ? n_terms - begin : left.length;
        const REAL *a = left.start;
        for (ptrdiff_t k = 0; k < n; k++, a += left.step, right += LANES) {
            VEC b[3];
            for (int c = 0; c < n_columns; c++)
                b[c] = *(const VEC *)(right + c * right_panel);
            for (int r = 0; r < n_rows; r++)
                for (int c = 0; c < n_columns; c++)
                    acc[r][c] += a[r * left.row] * b[c];
        }
    }
    for (int r = 0; r < n_rows; r++)
        for (int c = 0; c < n_columns; c++) {
            VEC *entry = (VEC *)(out + c * out_panel + r * LANES);
            if (is_added)
                acc[r][c] += *entry;
            *entry = acc[r][c];
        }
}

/* All rows of some panels; n_rows is a multiple of the tile's. With `is_blocked`, the rows of the
   left matrix are its columns in panels: LANES of them, then the next panel `next` entries on. */
static ALWAYS_INLINE void NAME(strip)(const int tile_rows, const int n_columns, ptrdiff_t n_rows,
                                      ptrdiff_t n_terms, NAME(Left) left, ptrdiff_t next,
                                      const REAL *right, ptrdiff_t right_panel, int is_added,
                                      REAL *out, ptrdiff_t out_panel)
{
    const REAL *start = left.start;
    for (ptrdiff_t r = 0; r < n_rows; r += tile_rows) {
        left.start = next ? start + r / LANES * next + r % LANES : start + r * left.row;
        NAME(tile)(tile_rows, n_columns, n_terms, left, right, right_panel, is_added,
                   out + r * LANES, out_panel);
    }
}

/* out (n_rows, n_panels) <- left (n_rows, n_terms) right (n_terms, n_panels), or added to it.
   `multiple`, 8, 4 or 2, divides n_rows. */
static void NAME(multiply)(int multiple, ptrdiff_t n_rows, ptrdiff_t n_panels, ptrdiff_t n_terms,
                           NAME(Left) left, ptrdiff_t next, const REAL *right,
                           ptrdiff_t right_panel, int is_added, REAL *out, ptrdiff_t out_panel)
{
    for (ptrdiff_t width; n_panels > 0; n_panels -= width) {
        width = n_panels == 1 ? 1 : n_panels == 2 || n_panels == 4 ? 2 : 3;
        switch (10 * multiple + width) {
#define CASE(multiple, width, tile_rows)                                                      \
    case 10 * multiple + width:                                                               \
        NAME(strip)(tile_rows, width, n_rows, n_terms, left, next, right, right_panel,        \
                    is_added, out, out_panel);                                                \
        break;
            CASE(8, 1, 8) CASE(8, 2, TILE_ROWS) CASE(8, 3, TILE_ROWS)
            CASE(4, 1, 4) CASE(4, 2, 4) CASE(4, 3, 4)
            CASE(2, 1, 2) CASE(2, 2, 2) CASE(2, 3, 2)
#undef CASE
        }
        right += width * right_panel;
        out += width * out_panel;
    }
}
