"""From estimators with a problem in common to a training of their stack."""

import numpy as np

from .._nets.columns import Columns, are_scaled_alike, change_columns
from .._nets.network import Network
from .._nets.objective import Objective
from .run import Training
from .schedules import make_schedule
from .solver import Plan
from .stopping import StoppingRule

#: The least that `batch_size="auto"` gives, where there are as many rows.
BATCH_SIZE = 200


def make_training(estimators, problem, starts, *, one_pass=False):
    """Return the `Training` of a stack.

    Parameters
    ----------
    estimators : list of estimators
        Each net's own; equal in all parameters but `reg`, `learning_rate` and `momentum`.
    problem : Problem
        What they are trained on.
    starts : list of Start
        Where each net begins, all in one `position`.
    one_pass : bool
        Whether this is one pass at a constant learning rate, as in `partial_fit`.
    """
    first, first_start = estimators[0], starts[0]
    solver_class = first._solver_class
    network = Network(
        first_start.network.widths,
        first_start.network.activation,
        np.concatenate([start.network.parameters for start in starts]),
    )
    solver = solver_class(
        np.concatenate([start.solver.slots for start in starts], axis=1),
        first_start.solver.n_steps,
    )
    default_rate = solver_class.learning_rate
    plan = Plan(
        learning_rate=column(either(e.learning_rate, default_rate) for e in estimators),
        momentum=column(e.momentum for e in estimators),
        schedule=make_schedule(
            "constant" if one_pass else either(first.schedule, solver_class.schedule)
        ),
        batch_size=get_batch_size(first),
        shuffle=first.shuffle,
        max_iter=1 if one_pass else get_max_iter(first, problem),
        streams=first_start.streams,
    )
    watches = problem.validation is not None
    follows_loss = solver_class.stops_on_loss and not (one_pass or plan.schedule.ends)
    rule = StoppingRule(
        tol=float(first.tol),
        n_iter_no_change=int(first.n_iter_no_change),
        stops_on_stall=watches or follows_loss,
        is_one_pass=one_pass,
    )
    samples, validation, columns = problem.samples, problem.validation, None
    if solver_class.scales_columns and is_auto(first.init) and not one_pass:
        columns = Columns.of(samples)
        samples = samples.with_columns(columns)
        validation = None if validation is None else validation.with_columns(columns)
    reg = column(e.reg for e in estimators).astype(problem.dtype)
    if first_start.is_fitted:
        if not are_scaled_alike(first_start.columns, columns):
            network = change_columns(network, first_start.columns, columns)
            solver = solver_class.start(network.parameters)  # its memory is of other variables
    elif columns is not None:
        columns.begin(network, reg)
    objective = Objective(network, samples, reg)
    return Training(objective, solver, plan, rule, validation, int(first.verbose))


def get_batch_size(estimator):
    """Return the rows per update, where there are as many."""
    return int(either(estimator.batch_size, BATCH_SIZE))


def get_max_iter(estimator, problem):
    """Return the most iterations, or epochs."""
    default = estimator._solver_class.get_max_iter(problem.samples.n_samples)
    return int(either(estimator.max_iter, default))


def is_auto(value):
    """Say whether a parameter is "auto"."""
    return isinstance(value, str) and value == "auto"


def either(value, default):
    """Return the default for "auto"."""
    return default if is_auto(value) else value


def column(values):
    """Return values as an array (n, 1)."""
    return np.array(list(values), dtype=float)[:, None]
