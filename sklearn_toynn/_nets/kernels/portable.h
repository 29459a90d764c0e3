/* What C99 leaves to the compiler; where it has nothing of the kind, plain loops remain. */
#ifndef SKLEARN_TOYNN_PORTABLE_H
#define SKLEARN_TOYNN_PORTABLE_H

#include <stdint.h> /* defines __GLIBC__ */

/* For functions that are to get the registers of the `WIDE` function that calls them. */
#if defined(__GNUC__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define ALWAYS_INLINE __forceinline
#else
#define ALWAYS_INLINE inline
#endif

#if defined(_MSC_VER)
#define RESTRICT __restrict
#else
#define RESTRICT restrict
#endif

/* Compiles a function for AVX-512, for AVX2 and for the baseline; the loader chooses. It does so
   before AddressSanitizer has started, which allows the baseline only. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12 && defined(__x86_64__) \
    && defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDE
#endif

#endif
