/* All kernels, for float and for double. */
#include <math.h>
#include <string.h>

#include "portable.h"
#include "net.h"

/* The entries of a cache line, and of the widest registers. */
#define LANES ((ptrdiff_t)(64 / sizeof(REAL)))
#define WHOLE_LANES(n) (((n) + LANES - 1) / LANES * LANES)

#define REAL float
#define REAL_IS_FLOAT 1
#define NAME(name) name##_f32
#define SQRT sqrtf
#include "elementary.h"
#include "apply_elementary.h"
#include "products.h"
#include "passes.h"
#undef REAL
#undef REAL_IS_FLOAT
#undef NAME
#undef SQRT

#define REAL double
#define REAL_IS_FLOAT 0
#define NAME(name) name##_f64
#define SQRT sqrt
#include "elementary.h"
#include "apply_elementary.h"
#include "products.h"
#include "passes.h"
#include "linear.h"
