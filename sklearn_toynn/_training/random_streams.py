"""The random streams of a fit."""

from numbers import Integral

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from sklearn.utils import check_random_state


class NoEntropy(ISeedSequence):
    """A placeholder seed; `RandomState.seed` seeds the generator."""

    def generate_state(self, n_words, dtype=np.uint32):  # noqa: ARG002
        """Return zeros, as a list because MT19937 reads them one by one."""
        return [0] * n_words


def make_bit_generator(seed):
    """Return the bit generator of `RandomState(seed)`, without the cost of system entropy."""
    bit_generator = np.random.MT19937(NoEntropy())
    np.random.RandomState(bit_generator).seed(seed)
    return bit_generator


class RandomStreams:
    """Seeds for the validation split, and for the initial weights and the batches of each net.

    Each has its own stream, so the width of a net does not change its batches. The first of
    several nets has the streams of a single net. Seeds are drawn on demand.
    """

    def __init__(self, random_state):
        is_seed = isinstance(random_state, Integral)
        self._random_state = None if is_seed else random_state
        self._seed = random_state if is_seed else None
        self._rng, self._seeds = None, []

    def _draw(self, n_seeds):
        """Return at least `n_seeds` seeds."""
        if self._rng is None:
            self._rng = (
                check_random_state(self._random_state)
                if self._seed is None
                else np.random.RandomState(make_bit_generator(self._seed))
            )
        while len(self._seeds) < n_seeds:
            size = 2 if self._seeds else 3
            self._seeds += self._rng.randint(np.iinfo(np.int32).max, size=size).tolist()
        return self._seeds

    def start(self, net):
        """Return the `RandomState` of a net's initial weights."""
        place = 0 if net == 0 else 2 * net + 1
        return np.random.RandomState(make_bit_generator(self._draw(place + 1)[place]))

    def batches(self, net):
        """Return the bit generator of a net's batches."""
        place = 1 if net == 0 else 2 * net + 2
        return make_bit_generator(self._draw(place + 1)[place])

    def split(self):
        """Return the `RandomState` of the validation split."""
        return np.random.RandomState(make_bit_generator(self._draw(3)[2]))
