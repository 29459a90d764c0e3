/* All kernels, for float and for double. setup.py compiles this file once for each instruction
   set, with its own flags and with

       KERNELS       the name of the table, such as kernels_avx2
       VECTOR_BYTES  the bytes of a vector register  */
#include <math.h>
#include <string.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "dispatch.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define RESTRICT restrict

/* The floating-point mode of the processor. Moments without a gradient decay to denormal numbers,
   which are a hundred times slower. FLUSH treats them as zero. */
#if defined(__SSE__)
#include <xmmintrin.h>
enum { FLUSH = 0x8040 };
static uint64_t get_mode(void) { return _mm_getcsr(); }
static void set_mode(uint64_t mode) { _mm_setcsr((unsigned)mode); }
#elif defined(__aarch64__)
enum { FLUSH = 1 << 24 };
static uint64_t get_mode(void)
{
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
static void set_mode(uint64_t mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
#else
enum { FLUSH = 0 };
static uint64_t get_mode(void) { return 0; }
static void set_mode(uint64_t mode) { (void)mode; }
#endif

#define REAL float
#define REAL_IS_FLOAT 1
#define NAME(name) name##_f32
#include "elementary.h"
#include "tiles.h"
#include "activations.h"
#include "passes.h"
#include "updates.h"
#undef REAL
#undef REAL_IS_FLOAT
#undef NAME

#define REAL double
#define REAL_IS_FLOAT 0
#define NAME(name) name##_f64
#include "elementary.h"
#include "tiles.h"
#include "activations.h"
#include "passes.h"
#include "updates.h"

#include "linear.h"

const InstructionSet KERNELS = {{&table_f32, &table_f64}, linear_cross_entropy};
