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
    """The start of a training, anew or from an earlier one."""

    network: Network
    #: None for a solver that starts anew.
    state: OptimizerState | None
    #: Shuffles the rows; None to keep their order.
    bit_generator: np.random.BitGenerator | None
    #: Whether the weights are those of an earlier fit.
    is_fitted: bool = False
    #: The scaling of the columns that the weights belong to; None for the original columns.
    columns: NetColumnScaling | None = None


def draw_starts(widths, activation, init, initializer, dtype, streams, batches):
    """Return a `NetStart` with drawn weights for each bit generator in `batches`.

    `initializer` is the function that `init`, which errors name, stands for.
    """
    make_rngs = [partial(streams.start, net) for net in range(len(batches))]
    return [
        NetStart(draw_network(widths, activation, init, initializer, make_rng, dtype), None, order)
        for make_rng, order in zip(make_rngs, batches, strict=True)
    ]
