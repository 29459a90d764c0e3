/* All kernels, for float and for double. It is compiled once for each instruction set, with its own
   flags and with

       KERNELS       the name of the table, such as kernels_avx2
       VECTOR_BYTES  the bytes of a vector register  */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "dispatch.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define RESTRICT restrict
/* The rows of a tile: accumulators, factors and entries fill the registers. */
#define TILE_ROWS (VECTOR_BYTES == 64 ? 8 : 4)

/* Denormals, which moments without a gradient decay to, take a hundred times as long. */
#if defined(__SSE__)
#include <xmmintrin.h>
static unsigned flush_denormals(void)
{
    const unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040); /* flush to zero, and take as zero */
    return mode;
}
static void restore_denormals(unsigned mode)
{
    _mm_setcsr(mode);
}
#elif defined(__aarch64__)
static unsigned flush_denormals(void)
{
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    __asm__ volatile("msr fpcr, %0" : : "r"(mode | 1 << 24));
    return (unsigned)mode;
}
static void restore_denormals(unsigned mode)
{
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)mode));
}
#else
static unsigned flush_denormals(void)
{
    return 0;
}
static void restore_denormals(unsigned mode)
{
    (void)mode;
}
#endif

#define REAL float
#define REAL_IS_FLOAT 1
#define NAME(name) name##_f32
#define SQRT sqrtf
#include "elementary.h"
#include "tiles.h"
#include "passes.h"
#include "updates.h"
#undef REAL
#undef REAL_IS_FLOAT
#undef NAME
#undef SQRT

#define REAL double
#define REAL_IS_FLOAT 0
#define NAME(name) name##_f64
#define SQRT sqrt
#include "elementary.h"
#include "tiles.h"
#include "passes.h"
#include "updates.h"

#include "linear.h"

const InstructionSet KERNELS = {{&table_f32, &table_f64}, linear_cross_entropy};
