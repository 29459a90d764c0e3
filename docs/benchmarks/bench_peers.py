"""Fit times compared with JAX and PyTorch, with one thread each. PyTorch is too large for CI.

    pip install "jax>=0.10" torch
    python docs/benchmarks/bench_peers.py [--rounds 3] [--dtypes float32 float64]

All libraries train the nets of `bench_fit.py` with Adam and the penalty, on batches of 200 rows
that each epoch draws anew. They train one net and 16 nets. This package trains the 16 nets in
turn, each on its own batches. The peers train them together on the same batches.

- JAX: one compiled call per epoch, with `lax.scan` over the batches and `vmap` over the 16 nets.
- PyTorch: eager, with the fused step of Adam and `torch.func.vmap` over the gradients of 16 nets.

The table has the median milliseconds per net and the ratios to our compiled kernels. "+compile" is
the extra time of JAX's first fit, and the ratio "with" includes it. Peers that are not installed
are left out. All code runs on one core if the operating system supports it.
"""

import os

CORE = min(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else None
if CORE is not None:
    os.sched_setaffinity(0, {CORE})  # before any library counts the cores
os.environ["JAX_ENABLE_X64"] = "1"  # keeps float64
os.environ["JAX_CPU_ENABLE_ASYNC_DISPATCH"] = "0"  # runs in this thread

import argparse
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from math import isfinite, nan, sqrt
from statistics import geometric_mean

import numpy as np
from bench_fit import BATCH_SIZE, cases, make_net, standardized
from in_turn import KERNELS, KernelProcess, medians_in_turn, seconds, versions

N_NETS, REG, STEP, BETAS, EPSILON = 16, 1e-3, 1e-3, (0.9, 0.999), 1e-8


def draw_parameters(X, y, hidden_size, n_nets):
    """Return the weights and biases of both layers; several nets add a first axis."""
    rng = np.random.RandomState(0)
    nets = () if n_nets == 1 else (n_nets,)
    parameters = []
    for fan_in, fan_out in pairwise((X.shape[1], hidden_size, y.max() + 1)):
        weights = sqrt(2 / fan_in) * rng.standard_normal((*nets, fan_in, fan_out))
        parameters += [weights.astype(X.dtype), np.zeros((*nets, fan_out), X.dtype)]
    return parameters


def make_jax_fit(X, y, hidden_size, n_epochs, n_nets):
    import jax  # noqa: PLC0415
    from jax import numpy as jnp  # noqa: PLC0415

    def loss(parameters, X, y):
        W1, b1, W2, b2 = parameters
        log_p = jax.nn.log_softmax(jax.nn.relu(X @ W1 + b1) @ W2 + b2)
        penalty = REG / 2 * ((W1**2).sum() + (W2**2).sum())
        return penalty - jnp.take_along_axis(log_p, y[:, None], axis=1).mean()

    def update(X, y, state, rows):
        parameters, first, second, t = state
        value, gradient = jax.value_and_grad(loss)(parameters, X[rows], y[rows])
        t, (beta, beta2) = t + 1, BETAS
        first = [beta * m + (1 - beta) * g for m, g in zip(first, gradient, strict=True)]
        second = [beta2 * v + (1 - beta2) * g**2 for v, g in zip(second, gradient, strict=True)]
        step = STEP * jnp.sqrt(1 - beta2**t) / (1 - beta**t)
        parameters = [
            p - step * m / (jnp.sqrt(v) + EPSILON)
            for p, m, v in zip(parameters, first, second, strict=True)
        ]
        return (parameters, first, second, t), value

    def epoch(state, X, y, order):
        whole = len(y) // BATCH_SIZE * BATCH_SIZE
        batches = order[:whole].reshape(-1, BATCH_SIZE)
        state, losses = jax.lax.scan(partial(update, X, y), state, batches)
        if whole < len(y):
            state, last = update(X, y, state, order[whole:])
            losses = jnp.append(losses, last)
        return state, losses.mean()

    if n_nets > 1:
        nets = 0, 0, 0, None
        epoch = jax.vmap(epoch, (nets, None, None, None), (nets, 0))
    epoch = jax.jit(epoch, donate_argnums=0)
    X, y, parameters = jax.device_put((X, y, draw_parameters(X, y, hidden_size, n_nets)))

    def fit():
        rng = np.random.RandomState(0)
        zeros = [jnp.zeros_like(p) for p in parameters for _ in range(2)]
        state = list(map(jnp.copy, parameters)), zeros[::2], zeros[1::2], jnp.zeros((), X.dtype)
        losses = []
        for _ in range(n_epochs):
            state, mean = epoch(state, X, y, rng.permutation(len(y)))
            losses.append(mean)
        return jax.block_until_ready((state, losses))

    return fit


def make_torch_fit(X, y, hidden_size, n_epochs, n_nets):
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    start = list(map(torch.from_numpy, draw_parameters(X, y, hidden_size, n_nets)))
    X, y = torch.from_numpy(X), torch.from_numpy(y)

    def loss(parameters, X, y):
        W1, b1, W2, b2 = parameters
        return torch.nn.functional.cross_entropy(torch.relu(X @ W1 + b1) @ W2 + b2, y)

    def one_gradient(parameters, X, y):
        value = loss(parameters, X, y)
        return torch.autograd.grad(value, parameters), value.detach()

    vmap_gradient = torch.func.vmap(torch.func.grad_and_value(loss), (0, None, None))

    def fit():
        parameters = [p.clone().requires_grad_(n_nets == 1) for p in start]
        weights, biases = parameters[::2], parameters[1::2]
        groups = [{"params": weights, "weight_decay": REG}, {"params": biases}]
        adam = torch.optim.Adam(groups, STEP, BETAS, EPSILON, fused=True)
        rng = np.random.RandomState(0)
        losses = []
        for _ in range(n_epochs):
            values = []
            order = torch.from_numpy(rng.permutation(len(y)))
            for rows in order.split(BATCH_SIZE):
                find = one_gradient if n_nets == 1 else vmap_gradient
                gradient, value = find(parameters, X[rows], y[rows])
                for p, g in zip(parameters, gradient, strict=True):
                    p.grad = g
                adam.step()
                values.append(value)
            losses.append(torch.stack(values).mean(0))
        return parameters, losses

    return fit


PEERS = {"jax": make_jax_fit, "torch": make_torch_fit}


def bench(processes, peers, dtype, n_nets, n_rounds):
    of = "one net" if n_nets == 1 else f"{n_nets} nets"
    print(
        f"\n{'':28}ms a net{'':35}over compiled\n"
        f"{dtype + ', ' + of:28}   h epochs compiled   numpy     jax +compile   torch"
        "   numpy   jax  with   torch"
    )
    ratios = []
    for name, (X_raw, y), hidden_size, n_epochs in cases():
        X = standardized(X_raw, dtype)
        net = make_net(hidden_size, n_epochs, n_nets)
        calls = {
            kernels: partial(process, seconds, net.fit, X, y)
            for kernels, process in zip(KERNELS, processes, strict=True)
        }
        for peer in peers:
            calls[peer] = partial(seconds, PEERS[peer](X, y, hidden_size, n_epochs, n_nets))
        first = calls["jax"]() if "jax" in peers else nan
        medians = medians_in_turn(*calls.values(), n_rounds=n_rounds)
        times = {"jax": nan, "torch": nan} | dict(zip(calls, medians, strict=True))
        compilation = first - times["jax"]
        ratios.append([times[other] / times["compiled"] for other in ("numpy", "jax", "torch")])
        ratios[-1].insert(2, first / times["compiled"])
        ms = [1e3 * times[which] / n_nets for which in ("compiled", "numpy", "jax", "torch")]
        ms.insert(3, 1e3 * compilation / n_nets)
        print(
            f"{name:28} {hidden_size:3} {n_epochs:6}"
            + "{:9.2f}{:8.2f}{:8.2f}{:9.1f}{:8.2f}".format(*ms)
            + "{:8.2f}{:6.2f}{:6.1f}{:8.2f}".format(*ratios[-1]),
            flush=True,
        )
    names = "numpy", "jax", "jax with its compilation", "torch"
    means = (
        f"{name} {geometric_mean(column):.2f} (least {min(column):.2f})"
        for name, column in zip(names, zip(*ratios, strict=True), strict=True)
        if isfinite(column[0])
    )
    print(f"geometric means: {', '.join(means)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtypes", nargs="+", default=["float32"])
    args = parser.parse_args()
    print(f"{versions()}; medians of {args.rounds}; on core {CORE}")
    peers = []
    for peer in PEERS:
        try:
            print(f"{peer} {version(peer)}")
        except PackageNotFoundError:
            print(f"{peer} is not installed and is left out: pip install {peer}")
        else:
            peers.append(peer)
    processes = list(map(KernelProcess, KERNELS))
    for dtype in args.dtypes:
        for n_nets in (1, N_NETS):
            bench(processes, peers, dtype, n_nets, args.rounds)
