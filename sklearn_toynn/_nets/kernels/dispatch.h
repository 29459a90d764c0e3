/* The compiled instruction sets, and which of them the processor supports. */
#ifndef DISPATCH_H
#define DISPATCH_H

#include "net.h"

typedef struct {
    const Kernels *nets[2]; /* float, double */
    /* see linear.h */
    double (*cross_entropy)(double *, const ptrdiff_t *, const double *, ptrdiff_t, ptrdiff_t);
} InstructionSet;

typedef struct {
    const char *name;
    const InstructionSet *kernels;
    int is_here;
} Choice;

#ifdef HAS_AVX /* defined by setup.py, which compiles these */
#include <cpuid.h>

extern const InstructionSet kernels_baseline, kernels_avx2, kernels_avx512;

/* Find the instruction sets by CPUID, and by XCR0, which says which registers the operating system
   saves. Volume 2A of Intel's manual lists the bits of CPUID. __builtin_cpu_supports would need a
   library of Clang on Windows. */
static inline void find_avx(int *has_avx2, int *has_avx512)
{
    const unsigned fma = 1u << 12, osxsave = 1u << 27, avx2 = 1u << 5;
    /* F, DQ, CD, BW and VL */
    const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;
    unsigned a, b, c, d, saved, high;
    *has_avx2 = *has_avx512 = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || ~c & (fma | osxsave))
        return;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return;
    __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    *has_avx2 = b & avx2 && (saved & 0x6) == 0x6;
    *has_avx512 = *has_avx2 && (b & avx512) == avx512 && (saved & 0xe6) == 0xe6;
}

/* List the instruction sets, the best first; return their number. */
static inline int list_choices(Choice choices[3])
{
    int has_avx2, has_avx512;
    find_avx(&has_avx2, &has_avx512);
    choices[0] = (Choice){"avx512", &kernels_avx512, has_avx512};
    choices[1] = (Choice){"avx2", &kernels_avx2, has_avx2};
    choices[2] = (Choice){"sse2", &kernels_baseline, 1};
    return 3;
}
#else
extern const InstructionSet kernels_baseline;

static inline int list_choices(Choice choices[3])
{
#ifdef __aarch64__
    const char *name = "neon";
#else
    const char *name = "baseline";
#endif
    choices[0] = (Choice){name, &kernels_baseline, 1};
    return 1;
}
#endif

#endif
