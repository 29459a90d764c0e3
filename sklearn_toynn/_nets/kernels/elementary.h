/* Elementary functions that compilers can vectorize: no branches, tables or calls, and selects
   that preserve NaN. Included once for each REAL. Compile without -ffast-math,
   -fassociative-math and -ffinite-math-only; FMA contraction of products and sums is allowed.
   Error bounds are in ulp, units in the last place of the exact result.

   Argument reduction follows Cody and Waite, "Software Manual for the Elementary Functions"
   (1980). Coefficients are least-squares fits, weighted for the relative error, at six times as
   many Chebyshev nodes, which is close to minimax. They were rounded one by one, from the lowest
   order, and the others were fitted again after each. Even and odd terms are summed separately,
   because two short dependency chains are faster than a long one. */
#undef UINT
#undef SQRT
#undef FABS
#undef COPYSIGN
#undef FMA
#undef DIGITS
#undef BIAS
#undef EXP_MIN
#undef EXP_MAX
#undef TANH_MAX
#undef GAUSSIAN_MAX
#undef LN2_HIGH
#undef LN2_LOW
#undef EXP_EVEN
#undef EXP_ODD
#undef LOG_SERIES
#undef MILLS_EVEN
#undef MILLS_ODD

#if REAL_IS_FLOAT
#define UINT uint32_t
#define SQRT sqrtf
#define FABS fabsf
#define COPYSIGN copysignf
#define FMA fmaf
#define DIGITS 23 /* stored bits of the significand */
#define BIAS 127 /* of the exponent */
#define EXP_MIN -106 /* exp is 0 here ... */
#define EXP_MAX 89 /* ... and infinite here */
#define TANH_MAX 10 /* tanh is 1 here */
#define GAUSSIAN_MAX 14.5f /* exp(-x^2 / 2) is 0 here */
#define LN2_HIGH 0.693145751953125f /* its first 15 bits */
#define LN2_LOW 1.4286068e-06f
/* (exp(r) - 1 - r) / r^2 for z = r^2, |r| <= ln(2) / 2 */
#define EXP_EVEN(z) (0.49999997f + z * (0.041667525f + z * 0.0013862429f))
#define EXP_ODD(z) (0.16666542f + z * 0.008366679f)
/* (2 atanh(s) - 2 s) / s^3 for z = s^2, |s| <= 3 - sqrt(8) */
#define LOG_SERIES(z) (0.66666776f + z * (0.39977586f + z * 0.29870695f))
/* (x + 4) Phi(-x) exp(x^2 / 2), 0 <= x <= GAUSSIAN_MAX, for z = t^2, t = x / (x + 4) - 1/2 */
#define MILLS_EVEN(z) (0.75528514f + z * (1.5485468f + z * (0.9664806f + z * (-0.22493947f     \
    + z * 0.04598875f))))
#define MILLS_ODD(z) (-1.2157931f + z * (-1.4921904f + z * (-0.24074817f + z * (0.20049152f    \
    + z * -0.06695392f))))
#else
#define UINT uint64_t
#define SQRT sqrt
#define FABS fabs
#define COPYSIGN copysign
#define FMA fma
#define DIGITS 52
#define BIAS 1023
#define EXP_MIN -761
#define EXP_MAX 710
#define TANH_MAX 20
#define GAUSSIAN_MAX 39
#define LN2_HIGH 0.6931471805601177 /* its first 39 bits */
#define LN2_LOW -1.7239444525614835e-13
#define EXP_EVEN(z) (0.5000000000000006 + z * (0.04166666666657383 + z * (0.0013888888932295275  \
    + z * (2.4801504548233385e-05 + z * 2.7626287661130227e-07))))
#define EXP_ODD(z) (0.166666666666666 + z * (0.008333333333383501 + z * (0.00019841269731638088  \
    + z * (2.7557396606047278e-06 + z * 2.5057148034637627e-08))))
#define LOG_SERIES(z) (0.6666666666666736 + z * (0.39999999999405383 + z * (0.2857142874409988   \
    + z * (0.2222219842096405 + z * (0.181835713839169 + z * (0.15313886090294743                \
    + z * 0.14797471593402337))))))
#define MILLS_EVEN(z) (0.7552851304157515 + z * (1.5485496029688635 + z * (0.9663451982523147    \
    + z * (-0.22270031123020342 + z * (0.03413613018534074 + z * (-0.001953678129324002          \
    + z * (0.0029290655857473094 + z * (-0.010247655491227175 + z * (0.017330269802845123        \
    + z * (-0.02029408424726137 + z * (0.0154120629984611 + z * -0.0050666292571087896)))))))))))
#define MILLS_ODD(z) (-1.2157932839437842 + z * (-1.4921748636772996 + z * (-0.2412860469283062  \
    + z * (0.20874476212535392 + z * (-0.11832059317837229 + z * (0.07197611181611252            \
    + z * (-0.048496986910175816 + z * (0.03348524486103398 + z * (-0.020526128585423874         \
    + z * (0.008420690239581485 + z * -0.000699228313535115))))))))))
#endif

static ALWAYS_INLINE UINT NAME(to_bits)(REAL x)
{
    const union { REAL real; UINT bits; } pun = {x};
    return pun.bits;
}

static ALWAYS_INLINE REAL NAME(from_bits)(UINT bits)
{
    union { REAL real; UINT bits; } pun;
    pun.bits = bits;
    return pun.real;
}

static ALWAYS_INLINE REAL NAME(exp_series)(REAL r)
{
    const REAL z = r * r;
    return EXP_EVEN(z) + r * EXP_ODD(z);
}

/* Split x - y, with small y, into n ln(2) + *r with an integer n. The last bits of the result are
   n + 2 BIAS. Adding 1.5 * 2^DIGITS leaves no bits for a fraction, so the sum is rounded to the
   nearest integer, which is in its last bits. NaN is never converted to an integer. */
static ALWAYS_INLINE UINT NAME(reduce)(REAL x, REAL y, REAL *r)
{
    const REAL magic = (REAL)(3 * ((UINT)1 << (DIGITS - 1)) + 2 * BIAS);
    const REAL sum = (x - y) * (REAL)1.4426950408889634 + magic;
    const REAL n = sum - magic;
    *r = ((x - n * LN2_HIGH) - n * LN2_LOW) - y;
    return NAME(to_bits)(sum);
}

/* exp(x - y) for EXP_MIN <= x <= EXP_MAX, where y is the small rounding error of x. */
static ALWAYS_INLINE REAL NAME(exp_of_difference)(REAL x, REAL y)
{
    REAL r;
    const UINT n = NAME(reduce)(x, y, &r);
    /* 2^n as two factors, because 2^n may not be a normal number */
    const UINT half = n >> 1;
    const REAL power = 1 + (r + r * r * NAME(exp_series)(r));
    return power * NAME(from_bits)(half << DIGITS) * NAME(from_bits)((n - half) << DIGITS);
}

/* exp(x) for x <= EXP_MAX, within 1.1 ulp, including denormal results. */
static ALWAYS_INLINE REAL NAME(exp_nonpositive)(REAL x)
{
    const REAL result = NAME(exp_of_difference)(x, 0);
    return x < EXP_MIN ? 0 : result;
}

/* The same for all x. */
static ALWAYS_INLINE REAL NAME(exp)(REAL x)
{
    const REAL result = NAME(exp_nonpositive)(x);
    return x > EXP_MAX ? (REAL)INFINITY : result;
}

/* log(x) within 1.1 ulp for normal positive x and infinity; NaN for NaN, otherwise undefined. */
static ALWAYS_INLINE REAL NAME(log)(REAL x)
{
    /* x = 2^n (1 + f), sqrt(1/2) <= 1 + f < sqrt(2) */
    const UINT one = (UINT)BIAS << DIGITS;
    const UINT sqrt_half = NAME(to_bits)((REAL)0.7071067811865476);
    const UINT bits = NAME(to_bits)(x) + (one - sqrt_half);
    const REAL f = NAME(from_bits)((bits & (((UINT)1 << DIGITS) - 1)) + sqrt_half) - 1;
    /* compute n from the number 2^DIGITS + BIAS + n, whose last bits are BIAS + n */
    const UINT shifted = (UINT)(BIAS + DIGITS) << DIGITS;
    const REAL n = NAME(from_bits)(bits >> DIGITS | shifted)
        - (REAL)(((UINT)1 << DIGITS) + BIAS);
    /* ln(1 + f) = 2 atanh(s) = f - h + s (h + series), h = f^2 / 2; f is exact */
    const REAL s = f / (2 + f);
    const REAL z = s * s;
    const REAL h = f * f / 2;
    const REAL tail = s * (h + z * LOG_SERIES(z)) + n * LN2_LOW;
    const REAL result = n * LN2_HIGH + (f - (h - tail));
    return x < (REAL)INFINITY ? result : x;
}

/* tanh(x) within 3 ulp; preserves the sign of 0. */
static ALWAYS_INLINE REAL NAME(tanh)(REAL x)
{
    const REAL a = FABS(x);
    REAL r;
    const REAL power = NAME(from_bits)((NAME(reduce)(2 * a, 0, &r) - BIAS) << DIGITS);
    /* exp(2 a) - 1, without cancellation near 0 */
    const REAL e = power * (r + r * r * NAME(exp_series)(r)) + (power - 1);
    return COPYSIGN(a > TANH_MAX ? 1 : e / (e + 2), x);
}

/* 1 / (1 + exp(-x)), within 3 ulp. */
static ALWAYS_INLINE REAL NAME(logistic)(REAL x)
{
    const REAL e = NAME(exp_nonpositive)(-FABS(x));
    return (x < 0 ? e : 1) / (1 + e);
}

/* exp(-x^2 / 2), within 1.2 ulp. */
static ALWAYS_INLINE REAL NAME(gaussian)(REAL x)
{
    REAL a = FABS(x);
    a = a > GAUSSIAN_MAX ? GAUSSIAN_MAX : a;
    /* x^2 = high^2 + (x - high) (x + high); high has half of the digits, so high^2 is exact */
    const REAL high = NAME(from_bits)(NAME(to_bits)(a) >> (DIGITS / 2 + 1) << (DIGITS / 2 + 1));
    return NAME(exp_of_difference)(-high * high / 2, (a - high) * (a + high) / 2);
}

/* The normal distribution function Phi for normal results, within 5 ulp (7 ulp for doubles below
   -25): a polynomial as in Shepherd and Laframboise, "Chebyshev approximation of
   (1 + 2x) exp(x^2) erfc x in 0 <= x < infinity", Math. Comp. 36 (1981). Compilers reuse
   `gaussian` if a caller also computes it. */
static ALWAYS_INLINE REAL NAME(ndtr)(REAL x)
{
    REAL a = FABS(x);
    a = a > GAUSSIAN_MAX ? GAUSSIAN_MAX : a;
    const REAL u = 1 / (a + 4), t = a * u - (REAL)0.5, z = t * t;
    const REAL tail = NAME(gaussian)(x) * (u * (MILLS_EVEN(z) + t * MILLS_ODD(z)));
    return x > 0 ? 1 - tail : tail;
}
