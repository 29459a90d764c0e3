/*
 * Elementary functions that compilers vectorise: no branches, tables or calls, selects that keep
 * NaN. To be included once for each type, with
 *
 *     #define REAL float          #define REAL double
 *     #define REAL_IS_FLOAT 1     #define REAL_IS_FLOAT 0
 *     #define NAME(f) f##_f32     #define NAME(f) f##_f64
 *
 * and without -ffast-math, -fassociative-math, -ffinite-math-only. Whether products and sums are
 * contracted (FMA) is free. "ulp": units in the last place of the exact result.
 *
 * exp and log reduce their arguments as in Cody and Waite, "Software Manual for the Elementary
 * Functions" (1980). All coefficients are least-squares fits, made at 400 bits in six times as
 * many Chebyshev nodes as there are coefficients, which is close to minimax; they are weighted
 * for the relative error of the result and rounded one by one from the lowest, the rest fitted
 * anew after each.
 */

#include <math.h>
#include <stdint.h>

#if REAL_IS_FLOAT

#define UINT uint32_t
#define DIGITS 23 /* stored ones */
#define BIAS 127 /* of the exponent */
#define EXP_MIN -104 /* exp is 0 here ... */
#define EXP_MAX 89 /* ... and infinite here */
#define LN2_HIGH 0.693145751953125f /* its first 15 bits */
#define LN2_LOW 1.4286068e-06f

/* (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2 */
static ALWAYS_INLINE float exp_series_f32(float r)
{
    return 4.9999997e-01f + r * (1.6666542e-01f + r * (4.1667525e-02f + r * (8.366679e-03f
        + r * 1.3862429e-03f)));
}

/* (2 atanh(s) - 2 s) / s^3 for z = s^2, |s| <= 3 - sqrt(8) */
static ALWAYS_INLINE float log_series_f32(float z)
{
    return 6.6666776e-01f + z * (3.9977586e-01f + z * 2.9870695e-01f);
}

#else

#define UINT uint64_t
#define DIGITS 52
#define BIAS 1023
#define EXP_MIN -746
#define EXP_MAX 710
#define LN2_HIGH 0.6931471805601177 /* its first 39 bits */
#define LN2_LOW -1.7239444525614835e-13

static ALWAYS_INLINE double exp_series_f64(double r)
{
    return 0.5000000000000006 + r * (0.166666666666666 + r * (0.04166666666657383
        + r * (0.008333333333383501 + r * (0.0013888888932295275 + r * (0.00019841269731638088
        + r * (2.4801504548233385e-05 + r * (2.7557396606047278e-06
        + r * (2.7626287661130227e-07 + r * 2.5057148034637627e-08))))))));
}

static ALWAYS_INLINE double log_series_f64(double z)
{
    return 0.6666666666666736 + z * (0.39999999999405383 + z * (0.2857142874409988
        + z * (0.2222219842096405 + z * (0.181835713839169 + z * (0.15313886090294743
        + z * 0.14797471593402337)))));
}

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

/*
 * Splits x - y, y small, into n ln(2) + *r, n an integer; the bits returned end in n + 2 BIAS.
 * Adding 1.5 * 2^DIGITS leaves no bits for a fraction: the sum is rounded to the nearest integer
 * and has it in its last bits, whatever x is, so that NaN is never converted to an integer.
 */
static ALWAYS_INLINE UINT NAME(reduce)(REAL x, REAL y, REAL *r)
{
    const REAL magic = (REAL)(3 * ((UINT)1 << (DIGITS - 1)) + 2 * BIAS);
    const REAL sum = (x - y) * (REAL)1.4426950408889634 + magic;
    const REAL n = sum - magic;
    *r = ((x - n * LN2_HIGH) - n * LN2_LOW) - y;
    return NAME(to_bits)(sum);
}

/* exp(x - y), y small, for EXP_MIN <= x <= EXP_MAX: y is what x lost to rounding. */
static ALWAYS_INLINE REAL NAME(exp_of_difference)(REAL x, REAL y)
{
    REAL r;
    const UINT n = NAME(reduce)(x, y, &r);
    /* 2^n in two factors: 2^n alone need not be a normal number. */
    const UINT half = n >> 1;
    const REAL power = 1 + (r + r * r * NAME(exp_series)(r));
    return power * NAME(from_bits)(half << DIGITS) * NAME(from_bits)((n - half) << DIGITS);
}

/* Within 1.1 ulp, denormal results included. */
static ALWAYS_INLINE REAL NAME(exp)(REAL x)
{
    x = x < EXP_MIN ? EXP_MIN : x;
    x = x > EXP_MAX ? EXP_MAX : x;
    return NAME(exp_of_difference)(x, 0);
}

/* Within 1.1 ulp for normal positive x and infinity; NaN for NaN, undefined for the rest. */
static ALWAYS_INLINE REAL NAME(log)(REAL x)
{
    /* x = 2^n (1 + f), sqrt(1/2) <= 1 + f < sqrt(2) */
    const UINT one = (UINT)BIAS << DIGITS;
    const UINT sqrt_half = NAME(to_bits)((REAL)0.7071067811865476);
    const UINT bits = NAME(to_bits)(x) + (one - sqrt_half);
    const REAL f = NAME(from_bits)((bits & (((UINT)1 << DIGITS) - 1)) + sqrt_half) - 1;
    /* n by way of the number 2^DIGITS + BIAS + n: its last bits are BIAS + n */
    const UINT shifted = (UINT)(BIAS + DIGITS) << DIGITS;
    const REAL n = NAME(from_bits)(bits >> DIGITS | shifted)
        - (REAL)(((UINT)1 << DIGITS) + BIAS);
    /* ln(1 + f) = 2 atanh(s) = f - h + s (h + series), h = f^2 / 2: f has no rounding error */
    const REAL s = f / (2 + f);
    const REAL z = s * s;
    const REAL h = f * f / 2;
    const REAL tail = s * (h + z * NAME(log_series)(z)) + n * LN2_LOW;
    const REAL result = n * LN2_HIGH + (f - (h - tail));
    return x < (REAL)INFINITY ? result : x;
}

#undef UINT
#undef DIGITS
#undef BIAS
#undef EXP_MIN
#undef EXP_MAX
#undef LN2_HIGH
#undef LN2_LOW
