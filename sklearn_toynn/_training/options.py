"""The options of a training: parameters of an estimator, with "auto" resolved."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

#: The batch size of `batch_size="auto"`, if there are as many rows.
BATCH_SIZE = 200


def is_auto(value):
    """Return whether a parameter is "auto"."""
    return isinstance(value, str) and value == "auto"


def resolve_auto(value, default):
    """Return the default if a parameter is "auto", otherwise its value."""
    return default if is_auto(value) else value


@dataclass(frozen=True)
class TrainingOptions:
    """The options of a training."""

    #: A name in `SOLVERS` or `LINEAR_SOLVERS`.
    solver: str
    reg: float
    learning_rate: float
    momentum: float
    #: A name in `SCHEDULES`, or a callable.
    schedule: str | Callable
    batch_size: int
    shuffle: bool
    max_iter: int
    tol: float
    n_iter_no_change: int
    #: The dtype of the parameters in training.
    dtype: np.dtype
    #: Whether to scale the columns of X.
    scales_columns: bool
    #: Whether to make one pass with a constant learning rate, as in `partial_fit`.
    is_one_pass: bool
    verbose: int
