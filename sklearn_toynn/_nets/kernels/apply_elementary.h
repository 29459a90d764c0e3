/* An elementary function of each number of an array, for the tests; after elementary.h. */

#define CASE(i, f) case i: for (ptrdiff_t j = 0; j < n; j++) out[j] = NAME(f)(x[j]); break

WIDE static void NAME(apply_elementary)(
    int function, ptrdiff_t n, const REAL *RESTRICT x, REAL *RESTRICT out)
{
    switch (function) {
        CASE(0, exp);
        CASE(1, log);
        CASE(2, tanh);
        CASE(3, logistic);
        CASE(4, gaussian);
        CASE(5, ndtr);
    }
}

#undef CASE
