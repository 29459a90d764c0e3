"""The random streams of a fit."""

from numbers import Integral

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from sklearn.utils import check_random_state

from .._cached_property import cached_property


class NoEntropy(ISeedSequence):
    """What a generator begins with that is seeded right away."""

    def generate_state(self, n_words, dtype=np.uint32):
        """Return zeros."""
        return np.zeros(n_words, dtype)


def make_stream(seed):
    """Return `RandomState(seed)`, without the entropy that it would first collect and expand."""
    stream = np.random.RandomState(np.random.MT19937(NoEntropy()))
    stream.seed(seed)
    return stream


class RandomStreams:
    """A stream each for initial weights, batches and the validation split.

    What one draws does not change what the others do: the width of a net, say, not its batches.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        The seed of all three.
    saved_batches : tuple, default=None
        If given, `batches` continues from what `save_batches` returned.
    """

    def __init__(self, random_state, saved_batches=None):
        self._random_state = random_state
        if saved_batches is not None:
            self.batches = make_stream(0)
            self.batches.set_state(saved_batches)

    def __getstate__(self):
        """Return what a copy draws batches from: the others serve the start of a fit alone."""
        return {name: of for name, of in vars(self).items() if name not in ("init", "split")}

    # all as late as can be: a stream takes longer to set up than a small linear model to fit
    @cached_property
    def _seeds(self):
        seed = self._random_state
        rng = make_stream(seed) if isinstance(seed, Integral) else check_random_state(seed)
        self._random_state = None  # a copy needs no generator beside the seeds
        return rng.randint(np.iinfo(np.int32).max, size=3)

    @cached_property
    def init(self):
        """Of the initial weights."""
        return make_stream(self._seeds[0])

    @cached_property
    def batches(self):
        """Of the order of the rows."""
        return make_stream(self._seeds[1])

    @property
    def batches_state(self):
        """What `batches` draws next, to compare and sort by; the same for all yet to draw."""
        if "batches" not in vars(self):
            return 0, b""
        _, words, place, *_ = self.batches.get_state()
        return place, words.tobytes()

    def save_batches(self):
        """Return the state of `batches` for a later `RandomStreams`; None before any draw."""
        is_seeded = {"_seeds", "batches"} & vars(self).keys()
        return self.batches.get_state() if is_seeded else None

    @cached_property
    def split(self):
        """Of the rows for validation."""
        return make_stream(self._seeds[2])
