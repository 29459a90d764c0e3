"""The activations of the hidden layer: value and derivative, in place.

To add one, write a final subclass of `Activation` and enter it in `ACTIVATIONS`.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from scipy.special import expit, ndtr


class Activation(ABC):
    """An elementwise function, applied to and differentiated on arrays in place.

    `kept` is what `make_kept` gives for such `values`. It holds zeros before the first call and
    is left alone between a `forward` and the `backward` that follows it.
    """

    #: The entry of `INITIALIZERS` that keeps the variance of the activations level.
    initializer: ClassVar[str]

    def make_kept(self, values):
        """Return what `kept` is to be for such values."""
        return np.zeros_like(values)

    @abstractmethod
    def forward(self, values, kept):
        """Replace each z in `values` by f(z), and note in `kept` what `backward` needs."""

    @abstractmethod
    def backward(self, delta, values, kept):
        """Multiply `delta` by f'(z); `values` = f(z) and `kept` may be overwritten."""


class ReLU(Activation):
    """f(z) = max(z, 0)."""

    initializer = "he"

    def make_kept(self, values):
        """Return a row of zeros to compare with: NumPy has no fast loop for a scalar."""
        return np.zeros_like(values[:1, :1])

    def forward(self, values, kept):
        """Apply f."""
        np.maximum(values, kept, out=values)

    def backward(self, delta, values, kept):
        """Multiply by 1 where f(z) > 0, else by 0."""
        np.greater(values, kept, out=values)
        delta *= values


class LeakyReLU(Activation):
    """f(z) = max(z, z/100)."""

    initializer = "he"
    slope = 0.01

    def forward(self, values, kept):
        """Apply f."""
        np.multiply(values, self.slope, out=kept)
        np.maximum(values, kept, out=values)

    def backward(self, delta, values, kept):
        """Multiply by (1 + s)/2 + sign(f(z)) (1 - s)/2, s the slope."""
        np.sign(values, out=kept)
        kept *= (1 - self.slope) / 2
        kept += (1 + self.slope) / 2
        delta *= kept


class Logistic(Activation):
    """f(z) = 1 / (1 + exp(-z))."""

    initializer = "glorot"

    def forward(self, values, kept):  # noqa: ARG002
        """Apply f."""
        expit(values, out=values)

    def backward(self, delta, values, kept):
        """Multiply by f(z) (1 - f(z))."""
        np.subtract(1, values, out=kept)
        delta *= values
        delta *= kept


class Tanh(Activation):
    """f(z) = tanh(z)."""

    initializer = "glorot"

    def forward(self, values, kept):  # noqa: ARG002
        """Apply f."""
        np.tanh(values, out=values)

    def backward(self, delta, values, kept):
        """Multiply by 1 - f(z)^2."""
        np.multiply(values, values, out=kept)
        np.subtract(1, kept, out=kept)
        delta *= kept


class GELU(Activation):
    """f(z) = z Phi(z), Phi the normal distribution function (arXiv 1606.08415)."""

    initializer = "he"

    def forward(self, values, kept):
        """Apply f, keeping z."""
        np.copyto(kept, values)
        ndtr(values, out=values)
        values *= kept

    def backward(self, delta, values, kept):
        """Multiply by Phi(z) + z exp(-z^2 / 2) / sqrt(2 pi)."""
        np.multiply(kept, kept, out=values)
        values *= -0.5
        np.exp(values, out=values)
        values *= kept
        values *= 1 / math.sqrt(2 * math.pi)
        ndtr(kept, out=kept)
        values += kept
        delta *= values


class SiLU(Activation):
    """f(z) = z s(z), s(z) = 1 / (1 + exp(-z)) (arXiv 1702.03118)."""

    initializer = "he"

    def forward(self, values, kept):
        """Apply f, keeping s(z)."""
        expit(values, out=kept)
        values *= kept

    def backward(self, delta, values, kept):
        """Multiply by s(z) + f(z) (1 - s(z)), which is 1 + (f(z) - 1) (1 - s(z))."""
        np.subtract(1, kept, out=kept)
        values -= 1
        values *= kept
        values += 1
        delta *= values


ACTIVATIONS = {
    "relu": ReLU(),
    "leaky_relu": LeakyReLU(),
    "logistic": Logistic(),
    "tanh": Tanh(),
    "gelu": GELU(),
    "silu": SiLU(),
}
