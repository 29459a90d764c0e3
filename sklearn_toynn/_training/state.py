"""Where the training of a net begins, anew or from an earlier fit."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .._nets.columns import Columns
from .._nets.initializers import zeros
from .._nets.network import Network, flatten
from .random_streams import RandomStreams
from .solver import Solver


@dataclass(frozen=True)
class NetState:
    """Where training begins: a stack of one, and the streams that it will draw from."""

    network: Network
    solver: Solver
    streams: RandomStreams
    #: Whether the weights are those of an earlier fit.
    is_fitted: bool
    #: What the columns that the weights are on were scaled by; None for those of X as they are.
    columns: Columns | None = None

    @property
    def position(self):
        """What the nets of a stack have in common: the steps taken, and the batches to come."""
        return self.solver.n_steps, *self.streams.batches_state


def draw_parameters(widths, initializer, streams, dtype):
    """Return initial parameters (1, n_parameters): weights by `initializer`, biases of 0."""
    rng = None if initializer is zeros else streams.init
    weights = [initializer(rng, fan_in, fan_out).T[None] for fan_in, fan_out in pairwise(widths)]
    return flatten(weights, [np.zeros((1, fan_out)) for fan_out in widths[1:]]).astype(dtype)
