"""The random streams of a fit."""

from functools import cached_property

import numpy as np
from sklearn.utils import check_random_state


class RandomStreams:
    """A stream each for initial weights, batches and the validation split.

    What one draws does not change what the others do: the width of a net, say, not its batches.
    """

    def __init__(self, random_state):
        self._random_state = random_state

    # all as late as can be: a stream takes longer to set up than a small linear model to fit
    @cached_property
    def _seeds(self):
        rng = check_random_state(self._random_state)
        return rng.randint(np.iinfo(np.int32).max, size=3)

    @cached_property
    def init(self):
        """Of the initial weights."""
        return np.random.RandomState(self._seeds[0])

    @cached_property
    def batches(self):
        """Of the order of the rows."""
        return np.random.RandomState(self._seeds[1])

    @property
    def batches_state(self):
        """What `batches` draws next, to compare and sort by; the same for all yet to draw."""
        if "batches" not in vars(self):
            return 0, b""
        _, words, place, *_ = self.batches.get_state()
        return place, words.tobytes()

    @cached_property
    def split(self):
        """Of the rows for validation."""
        return np.random.RandomState(self._seeds[2])
