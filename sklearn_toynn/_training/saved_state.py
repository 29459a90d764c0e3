"""The state of a training as arrays and plain values, stored in a fitted estimator.

A saved model therefore does not depend on classes of the training. Version 0.2 saved objects.
Their classes no longer exist, so placeholders with the same names load the files.
"""

import sys
from dataclasses import replace
from types import ModuleType

import numpy as np

from .._nets.column_scaling import NetColumnScaling
from .._nets.network import Network
from .._nets.update_rules import Adam
from .random_streams import make_bit_generator
from .solvers import OptimizerState
from .starts import NetStart

#: The values of `solver` for classes of version 0.2 with other names.
NAMES_IN_0_2 = {"GradientDescent": "gd", "PreconditionedLBFGS": "lbfgs"}

#: The beta2 of "adam" in version 0.2.
BETA2_IN_0_2 = 0.999

#: The classes that a file of version 0.2 may name, by their modules.
CLASSES_OF_0_2 = {
    "_nets.columns": ["Columns"],
    "_training.state": ["NetState"],
    "_training.first_order": ["GradientDescent", "SGD", "Adam"],
    "_training.lbfgs": ["LBFGS"],
    "_linear.solvers": ["Newton", "PreconditionedLBFGS", "Auto"],
}


def register_classes_of_0_2():
    """Let `pickle` and skops find the classes of `CLASSES_OF_0_2`, as plain containers."""
    package = __name__.split(".")[0]
    for path, names in CLASSES_OF_0_2.items():
        module = ModuleType(f"{package}.{path}", "Placeholders for classes of version 0.2.")
        for name in names:
            setattr(module, name, type(name, (), {"__module__": module.__name__}))
        sys.modules[module.__name__] = module


register_classes_of_0_2()


def save_states(checkpoints):
    """Return a dict from which training can continue, for a `NetStart` of each net.

    - "parameters", ndarray of shape (n_nets, n_parameters): the weights of all layers, each
      (fan_out, fan_in) in C order, then the biases, for columns scaled as below;
    - "column_mean", "column_scale", ndarray of shape (n_features,) or None: the scaling of the
      columns of X in training;
    - "optimizer_state", ndarray of shape (n_moments, n_nets, n_parameters): the velocity of "sgd";
      m / (1 - beta1) and v / (1 - beta2) of "adam";
    - "n_steps", list of int: the number of updates of each net;
    - "batch_order", list of tuple: for each net, the state of the `RandomState` of its row order.
    """
    columns = checkpoints[0].columns
    return {
        "parameters": np.stack([net.network.parameters for net in checkpoints]),
        "column_mean": None if columns is None else columns.mean,
        "column_scale": None if columns is None else columns.scale,
        "optimizer_state": np.stack([net.state.moments for net in checkpoints], axis=1),
        "n_steps": [net.state.n_steps for net in checkpoints],
        "batch_order": [save_bit_generator(net.bit_generator) for net in checkpoints],
    }


def load_states(saved, widths, activation):
    """Return a `NetStart` for each net of a saved state, without bit generators."""
    mean, scale = saved["column_mean"], saved["column_scale"]
    return [
        NetStart(
            Network(widths, activation, parameters),
            OptimizerState(saved["optimizer_state"][:, net], n_steps),
            None,
            is_fitted=True,
            columns=None if mean is None else NetColumnScaling(mean, scale),
        )
        for net, (parameters, n_steps) in enumerate(
            zip(saved["parameters"], saved["n_steps"], strict=True)
        )
    ]


def continue_starts(networks, saved, solver, dtype, batches):
    """Return a `NetStart` for each fitted net, for a training in a dtype.

    `saved` is None or the dict of `save_states` with "solver" and "fitted_parameters". The
    optimizer continues from it unless the solver or the fitted parameters have changed. `batches`
    has a bit generator or None for each net, which shuffles the rows if none is saved.
    """
    network, fitted = networks[0], np.stack([network.parameters for network in networks])
    with np.errstate(over="ignore"):
        is_finite = np.isfinite(fitted.astype(dtype)).all()
    if not is_finite:
        raise ValueError(
            "warm_start=True and partial_fit continue from the fitted weights and intercepts, but "
            f"these contain NaN or infinity in {dtype}. Set finite weights, or fit a clone."
        )
    if (
        saved is not None
        and saved["solver"] == solver
        and np.array_equal(fitted, saved["fitted_parameters"])
    ):
        starts = load_states(saved, network.widths, network.activation)
    else:
        starts = [NetStart(network, None, None, is_fitted=True) for network in networks]
    orders = [None] * len(networks) if saved is None else saved["batch_order"]
    return [
        replace(start, bit_generator=load_bit_generator(order) or drawn)
        for start, order, drawn in zip(starts, orders, batches, strict=True)
    ]


def save_bit_generator(bit_generator):
    """Return the state of the `RandomState` of a bit generator; None for None."""
    return bit_generator and np.random.RandomState(bit_generator).get_state()


def load_bit_generator(order):
    """Return a bit generator in the state of a `RandomState`; None for None."""
    if order is None:
        return None
    bit_generator = make_bit_generator(0)
    np.random.RandomState(bit_generator).set_state(order)
    return bit_generator


def upgrade_states(memory):
    """Convert the objects that version 0.2 saved to a dict, with the name of the solver."""
    nets = [vars(net) for net in memory]
    solvers = [vars(net["solver"]) for net in nets]
    columns, solver = nets[0]["columns"], type(nets[0]["solver"]).__name__
    moments = np.concatenate([solver["slots"] for solver in solvers], axis=1)
    if solver == "Adam":
        moments[1] *= (1 - BETA2_IN_0_2) / (1 - Adam.beta2)
    return {
        "solver": NAMES_IN_0_2.get(solver, solver.lower()),
        "parameters": np.concatenate([vars(net["network"])["parameters"] for net in nets]),
        "column_mean": None if columns is None else vars(columns)["mean"],
        "column_scale": None if columns is None else vars(columns)["scale"],
        "optimizer_state": moments,
        "n_steps": [solver["n_steps"] for solver in solvers],
        "batch_order": [upgrade_streams(vars(net["streams"])) for net in nets],
    }


def upgrade_streams(attributes):
    """Return the state of the `RandomState` that orders the rows, from streams saved by 0.2."""
    if "batches" in attributes:
        return attributes["batches"].get_state()
    if "_seeds" not in attributes:
        return None
    return np.random.RandomState(make_bit_generator(attributes["_seeds"][1])).get_state()
