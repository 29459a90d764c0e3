"""The nets of a fit, cut into stacks and trained, in threads where that pays."""

import math
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise

from ._blas import single_threaded_blas
from ._objective import chunk_length
from ._setup import get_batch_size, make_training
from ._solvers import MiniBatchSolver
from ._training import train

__all__ = ["train_in_stacks"]

#: What a stack goes through in an update takes no more than this, unless two nets do. Measured
#: on nets of 13 to 1200 KiB, 2 to 4 MiB were the fastest or close to it.
CACHE_BYTES = 2**22

#: A thread of its own pays for a stack that goes through so much. With half as much, threads wait
#: too long for each other.
THREAD_BYTES = 2**21


def train_in_stacks(nets, problem, callbacks=None, *, one_pass=False):
    """Train nets on a problem that they share.

    Parameters
    ----------
    nets : list of (estimator, Start)
        The estimators may differ in `FUSED_PARAMETERS` alone.
    problem : Problem
        What they are trained on.
    callbacks : FitCallbacks or None
        Called in the course of the training, if given. Then there are no threads, and the nets of
        one estimator are one stack, so that they come to each epoch together.
    one_pass : bool
        As in `make_training`.

    Returns
    -------
    outcomes : list of Outcome
        In the order of the nets. Those of stacks that had not begun on Ctrl-C, or when a callback
        asked to stop, are missing.
    """
    n_threads = 1 if callbacks else single_threaded_blas.n_threads()
    is_together = callbacks is not None and callbacks.is_alone
    stacks, n_threads = cut(nets, problem, n_threads, is_together=is_together)
    trainings = []

    def run(stack):
        estimators, starts = zip(*stack, strict=True)
        training = make_training(estimators, problem, starts, one_pass=one_pass)
        trainings.append(training)
        if callbacks:
            callbacks.observe(training, len(stacks))
        outcomes = train(training)
        trainings.remove(training)  # and with it its buffers
        return outcomes

    if n_threads > 1:
        return run_in_threads(run, stacks, trainings, n_threads)
    outcomes = []
    for stack in stacks:
        outcomes += run(stack)
        if outcomes[-1].interrupt is not None or (is_together and callbacks.have_stopped):
            break
    return outcomes


def run_in_threads(run, stacks, trainings, n_threads):
    """Return the outcomes of stacks that `run` trains; on Ctrl-C, of those that had begun.

    `trainings` are those that go on at the time.
    """
    with ThreadPoolExecutor(n_threads) as pool:
        futures = [pool.submit(run, stack) for stack in stacks]
        interrupt = KeyboardInterrupt()
        try:
            _, unfinished = wait(futures, return_when=FIRST_EXCEPTION)
        except KeyboardInterrupt as error:
            interrupt, unfinished = error, futures
        if unfinished:
            for future in futures:
                future.cancel()
            for training in list(trainings):
                training.interrupt = interrupt
    begun = [future for future in futures if not future.cancelled()]
    return [outcome for future in begun for outcome in future.result()]


def cut(nets, problem, max_threads, *, is_together):
    """Return nets as stacks of about the same size, and how many threads are to train them.

    Unless they are to be together, a stack is so large that what an update goes through stays in
    the cache: each net's activations and their derivatives on a batch, and its parameters,
    gradient and solver's memory.
    """
    estimator, start = nets[0]
    solver_class = type(start.solver)
    if not solver_class.fuses:
        return [[net] for net in nets], 1
    widths = start.network.widths
    n_rows = chunk_length(widths)
    if issubclass(solver_class, MiniBatchSolver):
        n_rows = get_batch_size(estimator)
    n_rows = min(n_rows, problem.samples.n_samples)
    n_parameters = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))
    n_entries = 3 * n_rows * sum(widths[1:]) + 7 * n_parameters
    n_bytes = n_entries * problem.dtype.itemsize
    n_threads = min(max(len(nets) * n_bytes // THREAD_BYTES, 1), max_threads)
    width = len(nets) if is_together else max(CACHE_BYTES // n_bytes, 2)
    n_stacks = math.ceil(len(nets) / width)
    n_stacks = min(math.ceil(n_stacks / n_threads) * n_threads, len(nets))
    ends = [len(nets) * place // n_stacks for place in range(n_stacks + 1)]
    stacks = [nets[begin:end] for begin, end in pairwise(ends)]
    return [stacks[0], *map(with_own_streams, stacks[1:])], n_threads


def with_own_streams(stack):
    """Return a stack that draws its batches by itself, the same as the stack before."""
    streams = deepcopy(stack[0][1].streams)
    return [(estimator, replace(start, streams=streams)) for estimator, start in stack]
