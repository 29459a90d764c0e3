"""The starts of trainings: drawn weights and seeded batches."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from .._nets.column_scaling import NetColumnScaling
from .._nets.initializers import draw_network
from .._nets.network import Network
from .solvers import OptimizerState


@dataclass(frozen=True)
class NetStart:
    """The start of a training, new or from an earlier training."""

    network: Network
    #: The state of the solver; None for a new one.
    state: OptimizerState | None
    #: Shuffles the rows; None to keep their order.
    bit_generator: np.random.BitGenerator | None
    #: Whether the weights come from an earlier fit.
    is_fitted: bool = False
    #: The scaling of the columns for these weights; None for the original columns.
    columns: NetColumnScaling | None = None


def draw_starts(widths, activation, init, initializer, dtype, streams, batches):
    """Return a `NetStart` with drawn weights for each bit generator in `batches`.

    `initializer` is the function for the parameter `init`. Error messages show `init`.
    """
    make_rngs = [partial(streams.start, net) for net in range(len(batches))]
    return [
        NetStart(draw_network(widths, activation, init, initializer, make_rng, dtype), None, order)
        for make_rng, order in zip(make_rngs, batches, strict=True)
    ]
