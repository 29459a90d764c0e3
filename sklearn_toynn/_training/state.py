"""Where the training of a net begins, anew or from an earlier fit.

What an estimator keeps of a fit to continue it is plain: arrays, numbers, strings, None, and
lists, tuples and dicts of these. So a saved model names no class of the training. `save_states`
makes that dict and `load_states` reads it.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .._nets.columns import Columns
from .._nets.initializers import zeros
from .._nets.network import Network, flatten
from .random_streams import RandomStreams, make_stream
from .solver import Solver

#: The values of `solver` by their classes in version 0.2, where these have other names.
NAMES_IN_0_2 = {"GradientDescent": "gd", "PreconditionedLBFGS": "lbfgs"}


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


def save_states(results):
    """Return what it takes to continue training.

    Parameters
    ----------
    results : list of NetResult
        Of the nets of one fit.

    Returns
    -------
    saved : dict
        - "parameters", ndarray of shape (n_nets, n_parameters): the weights of all layers, each
          (fan_out, fan_in) in C order, then the biases, for columns scaled as below;
        - "column_mean", "column_scale", ndarray of shape (n_features,) or None: the scaling of
          the columns of X in training;
        - "optimizer_state", ndarray of shape (n_slots, n_nets, n_parameters): the velocity of
          "sgd"; m / (1 - beta1) and v / (1 - beta2) of "adam";
        - "n_steps", list of int: the number of updates of each net;
        - "batch_order", list of tuple or None: for each net, the state of the `RandomState` that
          orders the rows; None where no random number was drawn.
    """
    columns = results[0].columns
    return {
        "parameters": np.concatenate([result.trained.parameters for result in results]),
        "column_mean": None if columns is None else columns.mean,
        "column_scale": None if columns is None else columns.scale,
        "optimizer_state": np.concatenate([result.solver.slots for result in results], axis=1),
        "n_steps": [result.solver.n_steps for result in results],
        "batch_order": [result.streams.save_batches() for result in results],
    }


def load_states(saved, solver_class, widths, activation):
    """Return a `NetState` for each net of what `save_states` returned, without its streams."""
    mean, scale = saved["column_mean"], saved["column_scale"]
    return [
        NetState(
            Network(widths, activation, saved["parameters"][[net]]),
            solver_class(saved["optimizer_state"][:, [net]], n_steps),
            streams=None,
            is_fitted=True,
            columns=None if mean is None else Columns(mean, scale),
        )
        for net, n_steps in enumerate(saved["n_steps"])
    ]


def upgrade_states(memory):
    """Convert what version 0.2 saved, a list of `NetState`, and add the "solver" by name.

    It reads the attributes of the objects of that version, whatever their classes are now.
    """
    nets = [vars(net) for net in memory]
    solvers = [vars(net["solver"]) for net in nets]
    columns, solver = nets[0]["columns"], type(nets[0]["solver"]).__name__
    return {
        "solver": NAMES_IN_0_2.get(solver, solver.lower()),
        "parameters": np.concatenate([vars(net["network"])["parameters"] for net in nets]),
        "column_mean": None if columns is None else vars(columns)["mean"],
        "column_scale": None if columns is None else vars(columns)["scale"],
        "optimizer_state": np.concatenate([solver["slots"] for solver in solvers], axis=1),
        "n_steps": [solver["n_steps"] for solver in solvers],
        "batch_order": [upgrade_streams(vars(net["streams"])) for net in nets],
    }


def upgrade_streams(attributes):
    """Return the state of the `RandomState` that orders the rows, from streams saved by 0.2."""
    if "batches" in attributes:
        return attributes["batches"].get_state()
    return make_stream(attributes["_seeds"][1]).get_state() if "_seeds" in attributes else None
