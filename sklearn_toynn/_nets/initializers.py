"""Initial weights: functions `(rng, fan_in, fan_out) -> array (fan_in, fan_out)`.

To add one, write such a function and add it to `INITIALIZERS`.
"""

import math
import reprlib
from functools import partial
from itertools import pairwise

import numpy as np

from .._errors import naming, plain
from .network import Network


def normal(rng, fan_in, fan_out, *, std):
    """Draw from N(0, std^2)."""
    return std * rng.standard_normal((fan_in, fan_out))


def he(rng, fan_in, fan_out):
    """Draw from N(0, 2 / fan_in): He et al. 2015, arXiv 1502.01852, eq. 10."""
    return normal(rng, fan_in, fan_out, std=math.sqrt(2 / fan_in))


def lecun(rng, fan_in, fan_out):
    """Draw from N(0, 1 / fan_in): LeCun et al. 1998, "Efficient BackProp", eq. 16."""
    return normal(rng, fan_in, fan_out, std=1 / math.sqrt(fan_in))


def glorot(rng, fan_in, fan_out):
    """Draw from N(0, 2 / (fan_in + fan_out)): Glorot and Bengio 2010, eq. 12."""
    return normal(rng, fan_in, fan_out, std=math.sqrt(2 / (fan_in + fan_out)))


def zeros(rng, fan_in, fan_out):  # noqa: ARG001
    """Return zeros, for convex problems: their minimum does not depend on the start."""
    return np.zeros((fan_in, fan_out))


INITIALIZERS = {"he": he, "lecun": lecun, "glorot": glorot}


def make_initializer(init):
    """Return the function for a name in `INITIALIZERS`, a standard deviation or a callable.

    The results of a user's callable are checked.
    """
    if isinstance(init, str):
        return INITIALIZERS[init]
    if not callable(init):
        return partial(normal, std=float(init))

    def checked(rng, fan_in, fan_out):
        returned = init(rng, fan_in, fan_out)
        with naming("init"):
            weights = np.asarray(returned)
        if weights.dtype.kind not in "biuf":
            raise ValueError(
                f"init must return real numbers, got {reprlib.repr(plain(returned))}."
            )
        if weights.shape != (fan_in, fan_out):
            raise ValueError(
                f"init must return an array of shape (fan_in, fan_out) = {(fan_in, fan_out)}, "
                f"got {weights.shape}."
            )
        if not np.isfinite(weights).all():
            raise ValueError("init must return finite weights, got NaN or infinity.")
        return weights.astype(float)

    return checked


def draw_network(widths, activation, init, initializer, make_rng, dtype):
    """Return a net with weights drawn by `initializer` from `make_rng()`, and biases of 0.

    Error messages show the parameter `init`.
    """
    rng = None if initializer is zeros else make_rng()
    with np.errstate(over="ignore"):
        weights = [initializer(rng, *pair).T.astype(dtype) for pair in pairwise(widths)]
        # without BLAS, whose idle threads would spin and slow down training
        if not np.isfinite(sum(np.square(layer).sum() for layer in weights)):
            raise ValueError(
                f"init={plain(init)!r} gives weights whose squares exceed {dtype}. Lower it."
            )
    if len(widths) > 2 and not any(layer.any() for layer in weights):
        raise ValueError(
            f"init={plain(init)!r} sets all weights to zero in {dtype}. All units of a hidden "
            "layer would stay equal. Pass a larger number, such as init=0.01, or init='auto'."
        )
    biases = [np.zeros(fan_out, dtype) for fan_out in widths[1:]]
    return Network.from_layers(weights, biases, activation)
