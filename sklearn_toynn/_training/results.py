"""What training makes of a net: its curves on the way, and what is left of it at its end."""

import math
from dataclasses import dataclass, field, replace

from .._nets.columns import Columns
from .._nets.network import Network
from .random_streams import RandomStreams
from .solver import Solver


@dataclass
class History:
    """What became of one net, iteration by iteration."""

    #: Where the net stood in the stack at the start.
    place: int
    loss_curve: list = field(default_factory=list)
    #: Equal to `loss_curve` where there is no validation set.
    watched_curve: list = field(default_factory=list)
    best_loss: float = math.inf
    best_iter: int = 0
    #: The iterations since `best_loss` last fell by `tol`.
    n_stalled: int = 0

    def add(self, loss, watched_loss, tol):
        """Add an iteration."""
        self.loss_curve.append(loss)
        self.watched_curve.append(watched_loss)
        self.n_stalled = 0 if watched_loss < self.best_loss - tol else self.n_stalled + 1
        if watched_loss < self.best_loss:
            self.best_loss, self.best_iter = watched_loss, len(self.watched_curve) - 1

    def copy(self):
        """Return one that is left as it is when this one goes on."""
        curves = {"loss_curve": self.loss_curve[:], "watched_curve": self.watched_curve[:]}
        return replace(self, **curves)


@dataclass(frozen=True)
class NetResult:
    """What training made of one net; the networks and `solver` are stacks of one."""

    network: Network
    #: The same in the variables of the training, on columns scaled by `columns`.
    trained: Network
    columns: Columns | None
    solver: Solver
    streams: RandomStreams
    loss: float
    #: See `Solver.gap`.
    gap: float | None
    n_iter: int
    history: History
    #: One of `STOP_REASONS`.
    stop_reason: str
    #: What is to be warned of, or None.
    warning: str | None
