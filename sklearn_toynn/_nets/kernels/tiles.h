/* Products of matrices in panels. Included once for each REAL.

   A tile is a few rows by 1 to 3 vectors of the result. Registers hold it during the loop over the
   terms of its sums: sum += a * b, where a is an entry of the left matrix and b a vector of the
   right matrix (Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication").
   `acc` has a fixed size and the loops over it have constant bounds, so that the compiler keeps it
   in registers. */

typedef REAL NAME(vec) __attribute__((vector_size(VECTOR_BYTES), may_alias));
#undef VEC
#define VEC NAME(vec)
#undef LANES
#define LANES ((ptrdiff_t)(VECTOR_BYTES / sizeof(REAL)))

/* a * b + c as compiled in `sum += a * b`: fused, except in .ci/sanitize. */
#undef MULTIPLY_ADD
#if (defined(__FMA__) || defined(__aarch64__)) && !defined(__SANITIZE_ADDRESS__)
#define MULTIPLY_ADD(a, b, c) FMA(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((c) + (a) * (b))
#endif

/* out (n_rows, n_panels) <- left (n_rows, n_terms) right (n_terms, n_panels), or added to out.
   The left matrix may be in panels, transposed or not, or by columns. Its entry (r, k) is at

       left + r / LANES * row_block + r % LANES * row + k / block * term_block + k % block * term  */
typedef struct {
    ptrdiff_t n_rows, n_panels, n_terms;
    const REAL *left; /* IN */
    ptrdiff_t row_block, row, block, term_block, term;
    const REAL *right; /* IN */
    ptrdiff_t right_panel;
    REAL *out; /* OUT, or IN and OUT */
    ptrdiff_t out_panel;
    int is_added;
} NAME(Product);

/* Compute the tile of rows r, r + 1, ... and the first panels. */
static ALWAYS_INLINE void NAME(tile)(const int n_rows, const int n_vectors,
                                     const NAME(Product) * p, ptrdiff_t r)
{
    const REAL *left = p->left + r / LANES * p->row_block + r % LANES * p->row, *right = p->right;
    REAL *out = p->out + r * LANES;
    VEC acc[8][3];
    for (int i = 0; i < n_rows; i++)
        for (int v = 0; v < n_vectors; v++)
            acc[i][v] = (VEC){0};
    for (ptrdiff_t k = 0; k < p->n_terms; k += p->block, left += p->term_block) {
        const ptrdiff_t n = p->n_terms - k < p->block ? p->n_terms - k : p->block;
        const REAL *a = left;
        for (ptrdiff_t term = 0; term < n; term++, a += p->term, right += LANES) {
            VEC b[3];
            for (int v = 0; v < n_vectors; v++)
                b[v] = *(const VEC *)(right + v * p->right_panel);
            for (int i = 0; i < n_rows; i++)
                for (int v = 0; v < n_vectors; v++)
                    acc[i][v] += a[i * p->row] * b[v];
        }
    }
    for (int i = 0; i < n_rows; i++)
        for (int v = 0; v < n_vectors; v++) {
            VEC *entry = (VEC *)(out + v * p->out_panel + i * LANES);
            if (p->is_added)
                acc[i][v] += *entry;
            *entry = acc[i][v];
        }
}

static ALWAYS_INLINE void NAME(tiles)(const int n_rows, const int n_vectors,
                                      const NAME(Product) p)
{
    for (ptrdiff_t r = 0; r < p.n_rows; r += n_rows)
        NAME(tile)(n_rows, n_vectors, &p, r);
}

/* Compute a product by these tiles. `multiple` divides the number of rows.

       multiple   3 panels or more   2 panels, or 4   1 panel
       8          TILE_ROWS x 3      TILE_ROWS x 2    8 x 1
       4          4 x 3              4 x 2            4 x 1
       2          2 x 3              2 x 2            2 x 1

   Their accumulators and operands fit into the 16 registers, or the 32 of AVX-512. */
#define TILE_ROWS (VECTOR_BYTES == 64 ? 8 : 4)
static void NAME(multiply)(int multiple, NAME(Product) p)
{
    for (ptrdiff_t left = p.n_panels, width; left > 0; left -= width) {
        width = left == 1 ? 1 : left == 2 || left == 4 ? 2 : 3;
        switch (10 * multiple + width) {
        case 83: NAME(tiles)(TILE_ROWS, 3, p); break;
        case 82: NAME(tiles)(TILE_ROWS, 2, p); break;
        case 81: NAME(tiles)(8, 1, p); break;
        case 43: NAME(tiles)(4, 3, p); break;
        case 42: NAME(tiles)(4, 2, p); break;
        case 41: NAME(tiles)(4, 1, p); break;
        case 23: NAME(tiles)(2, 3, p); break;
        case 22: NAME(tiles)(2, 2, p); break;
        case 21: NAME(tiles)(2, 1, p); break;
        }
        p.right += width * p.right_panel;
        p.out += width * p.out_panel;
    }
}
