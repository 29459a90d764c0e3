"""When a net has been trained enough."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StoppingRule:
    """When a net has been trained enough."""

    tol: float
    n_iter_no_change: int
    #: Whether `n_iter_no_change` iterations without an improvement by `tol` end the training.
    stops_on_stall: bool
    #: Whether this is a pass of `partial_fit`, which is no end to be judged.
    is_one_pass: bool = False
