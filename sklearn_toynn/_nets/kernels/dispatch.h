/* The instruction sets that are compiled, and which of them this processor has. */
#ifndef DISPATCH_H
#define DISPATCH_H

#include "linear_table.h"
#include "net.h"

typedef struct {
    const Kernels *nets[2]; /* float, double */
    const LinearKernels *linear;
} InstructionSet;

typedef struct {
    const char *name;
    const InstructionSet *kernels;
    int is_here;
} Choice;

#if defined(__x86_64__)
extern const InstructionSet kernels_baseline, kernels_avx2, kernels_avx512;

/* The best first; returns their number. */
static inline int list_choices(Choice choices[3])
{
    __builtin_cpu_init();
    choices[0] = (Choice){"avx512", &kernels_avx512,
                          __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                              __builtin_cpu_supports("avx512bw") &&
                              __builtin_cpu_supports("avx512vl") &&
                              __builtin_cpu_supports("avx512cd")};
    choices[1] = (Choice){"avx2", &kernels_avx2,
                          __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")};
    choices[2] = (Choice){"sse2", &kernels_baseline, 1};
    return 3;
}
#else
extern const InstructionSet kernels_baseline;

static inline int list_choices(Choice choices[3])
{
    choices[0] = (Choice){"baseline", &kernels_baseline, 1};
    return 1;
}
#endif

#endif
