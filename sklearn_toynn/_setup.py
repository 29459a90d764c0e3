"""From estimators with a problem in common to a training of their stack."""

import numpy as np
from sklearn.utils import check_random_state

from ._network import Network
from ._objective import Objective
from ._schedules import SCHEDULES, make_schedule
from ._solvers import Plan
from ._training import StoppingRule, Training

__all__ = ["RandomStreams", "make_training"]

#: The least that `batch_size="auto"` gives, where there are as many rows.
BATCH_SIZE = 200


class RandomStreams:
    """A stream each for initial weights, batches and the validation split.

    What one draws does not change what the others do: the width of a net, say, not its batches.
    """

    def __init__(self, random_state):
        rng = check_random_state(random_state)
        init_seed, batch_seed, self.split_seed = rng.randint(np.iinfo(np.int32).max, size=3)
        self.init = np.random.RandomState(init_seed)
        self.batches = np.random.RandomState(batch_seed)


def draw_parameters(widths, initializer, rng, dtype):
    """Return initial parameters, (1, n_parameters): weights of `initializer`, biases of 0."""
    pairs = zip(widths[:-1], widths[1:], strict=True)
    weights = [initializer(rng, fan_in, fan_out).T.ravel() for fan_in, fan_out in pairs]
    return np.concatenate([*weights, np.zeros(sum(widths[1:]))])[None].astype(dtype)


def make_training(estimators, problem, starts, batch_rng):
    """Return the `Training` of a stack with one net per estimator.

    Parameters
    ----------
    estimators : list of estimators
        Equal in all parameters but `reg`, `learning_rate`, `momentum`, `init` and, as far as
        the batches go, `random_state`.
    problem : Problem
        What they are trained on.
    starts : list of (Network, Solver)
        Where each begins, as stacks of one.
    batch_rng : RandomState
        Orders the rows.
    """
    first = estimators[0]
    solver_class = first._solver_class
    networks, solvers = zip(*starts, strict=True)
    network = Network(
        networks[0].widths,
        networks[0].activation,
        np.concatenate([network.parameters for network in networks]),
    )
    solver = solver_class(
        np.concatenate([solver.slots for solver in solvers], axis=1), solvers[0].n_steps
    )
    schedule = either(first.schedule, solver_class.schedule)
    schedule = make_schedule(schedule)
    plan = Plan(
        learning_rate=column(
            either(e.learning_rate, solver_class.learning_rate) for e in estimators
        ),
        momentum=column(e.momentum for e in estimators),
        schedule=schedule,
        batch_size=either(first.batch_size, BATCH_SIZE),
        shuffle=first.shuffle,
        max_iter=either(first.max_iter, solver_class.max_iter),
        batch_rng=batch_rng,
    )
    watches = problem.validation is not None
    rule = StoppingRule(
        tol=first.tol,
        n_iter_no_change=first.n_iter_no_change,
        stops_on_stall=watches or not (solver_class.stops_on_gradient or schedule.ends),
    )
    samples = problem.samples
    if solver_class.merges_equal_rows:
        samples = samples.merge_equal_rows()
    objective = Objective(network, samples, column(e.reg for e in estimators))
    return Training(objective, solver, plan, rule, problem.validation, first.verbose)


def either(value, default):
    """Return the default for "auto"."""
    return default if isinstance(value, str) and value == "auto" else value


def column(values):
    """Return values as an array (n, 1)."""
    return np.array(list(values), dtype=float)[:, None]
