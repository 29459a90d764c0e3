"""The activations of hidden layers: value and derivative, in place.

To add one, write a subclass of `Activation` and add it to `ACTIVATIONS`.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from scipy.special import expit, ndtr


class Activation(ABC):
    """An elementwise function and its derivative, computed in place.

    `cache` is the result of `make_cache`. `forward` writes to it and the next `backward` reads it.
    """

    #: The name in `INITIALIZERS` of initial weights that keep the variance equal in all layers.
    initializer: ClassVar[str]

    def make_cache(self, values):
        """Return a `cache` for an array like `values`."""
        return np.zeros_like(values)

    @abstractmethod
    def forward(self, values, cache):
        """Replace each z in `values` by f(z), and write to `cache` what `backward` needs."""

    @abstractmethod
    def backward(self, delta, values, cache):
        """Multiply `delta` by f'(z); `values` = f(z) and `cache` may be overwritten."""


class ReLU(Activation):
    """f(z) = max(z, 0)."""

    initializer = "he"

    def make_cache(self, values):
        """Return an array with one zero, because NumPy has no fast loop for a scalar."""
        return np.zeros_like(values[:1, :1])

    def forward(self, values, cache):
        """Apply f."""
        np.maximum(values, cache, out=values)

    def backward(self, delta, values, cache):
        """Multiply by 1 where f(z) > 0, else by 0."""
        np.greater(values, cache, out=values)
        delta *= values


class LeakyReLU(Activation):
    """f(z) = max(z, z/100)."""

    initializer = "he"
    slope = 0.01

    def forward(self, values, cache):
        """Apply f."""
        np.multiply(values, self.slope, out=cache)
        np.maximum(values, cache, out=values)

    def backward(self, delta, values, cache):
        """Multiply by (1 + s)/2 + sign(f(z)) (1 - s)/2, where s is the slope."""
        np.sign(values, out=cache)
        cache *= (1 - self.slope) / 2
        cache += (1 + self.slope) / 2
        delta *= cache


class Logistic(Activation):
    """f(z) = 1 / (1 + exp(-z))."""

    initializer = "glorot"

    def forward(self, values, cache):  # noqa: ARG002
        """Apply f."""
        expit(values, out=values)

    def backward(self, delta, values, cache):
        """Multiply by f(z) (1 - f(z))."""
        np.subtract(1, values, out=cache)
        delta *= values
        delta *= cache


class Tanh(Activation):
    """f(z) = tanh(z)."""

    initializer = "glorot"

    def forward(self, values, cache):  # noqa: ARG002
        """Apply f."""
        np.tanh(values, out=values)

    def backward(self, delta, values, cache):
        """Multiply by 1 - f(z)^2."""
        np.multiply(values, values, out=cache)
        np.subtract(1, cache, out=cache)
        delta *= cache


class GELU(Activation):
    """f(z) = z Phi(z), with the normal distribution function Phi (arXiv 1606.08415)."""

    initializer = "he"

    def forward(self, values, cache):
        """Apply f, keeping z."""
        np.copyto(cache, values)
        ndtr(values, out=values)
        values *= cache

    def backward(self, delta, values, cache):
        """Multiply by Phi(z) + z exp(-z^2 / 2) / sqrt(2 pi)."""
        np.multiply(cache, cache, out=values)
        values *= -0.5
        np.exp(values, out=values)
        values *= cache
        values *= 1 / math.sqrt(2 * math.pi)
        ndtr(cache, out=cache)
        values += cache
        delta *= values


class SiLU(Activation):
    """f(z) = z s(z), s(z) = 1 / (1 + exp(-z)) (arXiv 1702.03118)."""

    initializer = "he"

    def forward(self, values, cache):
        """Apply f, keeping s(z)."""
        expit(values, out=cache)
        values *= cache

    def backward(self, delta, values, cache):
        """Multiply by s(z) + f(z) (1 - s(z)), which is 1 + (f(z) - 1) (1 - s(z))."""
        np.subtract(1, cache, out=cache)
        values -= 1
        values *= cache
        values += 1
        delta *= values


class Identity(Activation):
    """f(z) = z, which makes the net a linear model of low rank."""

    initializer = "glorot"

    def forward(self, values, cache):
        """Leave z as it is."""

    def backward(self, delta, values, cache):
        """Multiply by 1."""


ACTIVATIONS = {
    "relu": ReLU(),
    "leaky_relu": LeakyReLU(),
    "logistic": Logistic(),
    "tanh": Tanh(),
    "gelu": GELU(),
    "silu": SiLU(),
    "identity": Identity(),
}
