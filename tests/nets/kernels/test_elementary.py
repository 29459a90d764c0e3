"""The elementary functions of the compiled kernels, compared with references in wider types."""

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_array_equal

_compiled = pytest.importorskip(
    "sklearn_toynn._nets.kernels._compiled", reason="the compiled kernels are not built"
)
pytestmark = pytest.mark.usefixtures("each_instruction_set")

# in units in the last place
BOUNDS = {"exp": 1.1, "log": 1.1, "tanh": 3, "logistic": 3, "gaussian": 1.2, "ndtr": 7}
WIDER = {np.float32: np.float64, np.float64: np.longdouble}
BITS = {np.float32: (np.uint32, 0x9E3779B1), np.float64: (np.uint64, 0x9E3779B97F4A7C15)}


def apply(name, values):
    out = np.empty_like(values)
    _compiled.apply_elementary(name, values, out)
    return out


def logistic(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def gaussian(x):
    return np.exp(-x * x / 2)


def ndtr(x):
    """Phi, by a series of powers below 2.5 and Laplace's continued fraction above."""
    a = np.abs(x)
    small, large = np.minimum(a, 2.5), np.maximum(a, 2.5)
    total = term = small
    for k in range(3, 63, 2):
        term = term * small**2 / k
        total = total + term
    fraction = 0
    for k in range(80, 0, -1):
        fraction = k / (large + fraction)
    density = gaussian(a) / np.sqrt(8 * np.arctan(np.ones_like(a)))
    tail = np.where(a < 2.5, 0.5 - density * total, density / (large + fraction))
    return np.where(x > 0, 1 - tail, tail)


REFERENCES = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "logistic": logistic,
    "gaussian": gaussian,
    "ndtr": ndtr,
}


def every_exponent(dtype):
    """Return numbers, infinities and NaN with evenly spread bits (by the golden ratio)."""
    unsigned, step = BITS[dtype]
    return (np.arange(2**14, dtype=unsigned) * unsigned(step)).view(dtype)


def neighborhoods(values):
    """Return positive `values`, the three neighbours on either side of each, and the negatives."""
    unsigned, _ = BITS[values.dtype.type]
    offsets = np.arange(-3, 4).astype(unsigned)
    values = (values.view(unsigned)[:, None] + offsets).ravel().view(values.dtype)
    return np.concatenate([values, -values])


def arguments(dtype):
    info = np.finfo(dtype)
    end = -np.log(info.smallest_subnormal) + 2
    places = [
        np.ldexp(1.0, np.arange(-30, 10)),  # powers of two
        np.ldexp(np.sqrt(0.5), np.arange(-9, 10)),  # where log changes the exponent
        np.arange(0.25, end / np.log(2), 0.25) * np.log(2),  # where exp and tanh change it
        [0, info.tiny, info.smallest_subnormal, info.max],
        [10, 20, 89, 106, 710, 761, 14.5, 39],  # where the results become constant
        [np.sqrt(2 * end), -np.log(float(info.tiny)), np.log(float(info.max))],
    ]
    return np.concatenate(
        [
            every_exponent(dtype),
            neighborhoods(np.concatenate(places).astype(dtype)),
            np.linspace(-end, end, 5001, dtype=dtype),
            np.linspace(-np.sqrt(2 * end), 9, 5001, dtype=dtype),
            np.linspace(-2, 2, 5001, dtype=dtype),
            np.array([np.nan, np.inf, -np.inf], dtype),
        ]
    )


@cache  # for all instruction sets
def references(name, dtype):
    """Return arguments of a function and its values in a wider type."""
    x = arguments(dtype)
    if name == "log":  # defined for normal positive numbers, infinity and NaN
        x = x[~(x < np.finfo(dtype).tiny)]
    with np.errstate(all="ignore"):
        return x, REFERENCES[name](x.astype(WIDER[dtype]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", BOUNDS)
def test_errors_in_units_in_the_last_place(name, dtype):
    if np.finfo(WIDER[dtype]).nmant < np.finfo(dtype).nmant + 11:
        pytest.skip("long double is no wider than float64 here")
    x, expected = references(name, dtype)
    actual = apply(name, x)
    with np.errstate(all="ignore"):
        rounded = expected.astype(dtype)
        errors = np.abs(actual - expected) / np.spacing(np.abs(rounded))
    finite = np.isfinite(rounded)
    assert_array_equal(actual[~finite], rounded[~finite])
    assert np.max(errors[finite]) < BOUNDS[name]
    assert_array_equal(np.signbit(actual[finite]), np.signbit(rounded[finite]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", BOUNDS)
def test_bits_do_not_depend_on_the_position_in_an_array(name, dtype):
    x = np.geomspace(0.01, 9, 67, dtype=dtype)
    whole = apply(name, x)
    for start in range(17):
        for stop in (50, 59, 66):
            assert_array_equal(apply(name, x[start:stop]), whole[start:stop])
