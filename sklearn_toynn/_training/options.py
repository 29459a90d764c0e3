"""What the training of a stack is told: parameters of estimators, with "auto" resolved."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .solver import Solver

#: The least that `batch_size="auto"` gives, where there are as many rows.
BATCH_SIZE = 200

#: In what the nets of a stack may differ: options of shape (n_nets, 1).
PER_NET = ("reg", "learning_rate", "momentum")


def is_auto(value):
    """Say whether a parameter is "auto"."""
    return isinstance(value, str) and value == "auto"


def resolve_auto(value, default):
    """Return the default for "auto"."""
    return default if is_auto(value) else value


def as_column(value):
    """Return a number as an array (1, 1)."""
    return np.array([[value]], dtype=float)


@dataclass(frozen=True)
class TrainingOptions:
    """The options of a stack of nets; those of `PER_NET` are arrays (n_nets, 1)."""

    solver_class: type[Solver]
    reg: np.ndarray
    learning_rate: np.ndarray
    momentum: np.ndarray
    #: A name in `SCHEDULES`, or a callable.
    schedule: str | Callable
    batch_size: int
    shuffle: bool
    max_iter: int
    tol: float
    n_iter_no_change: int
    #: Whether columns of X are to be brought to a common scale.
    scales_columns: bool
    #: Whether this is one pass at a constant learning rate, as in `partial_fit`.
    is_one_pass: bool
    verbose: int

    @classmethod
    def from_nets(cls, options):
        """Return those of a stack, by the options of each of its nets."""
        joined = {name: np.concatenate([getattr(o, name) for o in options]) for name in PER_NET}
        return replace(options[0], **joined)

    def select(self, nets):
        """Return the options of the nets that a mask names."""
        return replace(self, **{name: getattr(self, name)[nets] for name in PER_NET})
