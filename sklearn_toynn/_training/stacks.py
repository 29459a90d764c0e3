"""The nets of a fit, cut into stacks and trained, in threads where that pays."""

import math
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from copy import deepcopy
from dataclasses import replace
from itertools import groupby, pairwise
from threading import Event

from .._blas import single_threaded_blas
from .._nets.samples import chunk_length
from .first_order import MiniBatchSolver
from .options import get_batch_size, make_training
from .run import train

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
        one estimator that may share a stack do, so that they come to each epoch together.
    one_pass : bool
        As in `make_training`.

    Returns
    -------
    outcomes : list of Outcome or None
        In the order of the nets. Nets that had not begun on Ctrl-C, or when a callback asked to
        stop, are left as an earlier fit had them, or else None.
    interrupt : KeyboardInterrupt or None
        What ended the training before its time, the caller's to raise.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C before any net had begun.
    """
    n_threads = 1 if callbacks else single_threaded_blas.n_threads()
    is_together = callbacks is not None and callbacks.is_alone
    stacks, n_threads = cut(nets, problem, n_threads, is_together=is_together)
    outcomes, interrupt, stop = [None] * len(nets), None, Event()

    def set_up(estimators, starts):
        training = make_training(estimators, problem, starts, one_pass=one_pass)
        training.stop = stop
        return training

    def finish(training, places):
        results, interrupt = train(training)
        for place, outcome in zip(places, results, strict=True):
            outcomes[place] = outcome
        if interrupt is not None:
            raise interrupt

    def run(stack):
        places, *members = stack
        training = set_up(*members)
        if stop.is_set():
            return
        if callbacks:
            callbacks.observe(training, len(stacks), outcomes, places)
        finish(training, places)

    try:
        if n_threads > 1:
            run_in_threads(run, stacks, n_threads, stop)
        else:
            for stack in stacks:
                run(stack)
                if is_together and callbacks.have_stopped:
                    break
    except KeyboardInterrupt as error:
        interrupt = error
        if all(outcome is None for outcome in outcomes):
            raise
    stop.set()
    for places, estimators, starts in stacks:
        if outcomes[places[0]] is None and starts[0].is_fitted:
            finish(set_up(estimators, starts), places)  # ends where it begins
    return outcomes, interrupt


def run_in_threads(run, stacks, n_threads, stop):
    """Call `run` on stacks; on Ctrl-C, or where one fails, `stop` is set for those that go on."""
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            futures = [pool.submit(run, stack) for stack in stacks]
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
    for future in futures:
        if not future.cancelled():
            future.result()


def cut(nets, problem, max_threads, *, is_together):
    """Return stacks of about the same size, and how many threads are to train them.

    A stack is three sequences: the places in `nets`, the estimators and the starts. All its nets
    stand at the same step of the same batches. Unless they are to be together, it is so large
    that what an update goes through stays in the cache: each net's activations and their
    derivatives on a batch, and its parameters, gradient and solver's memory.
    """
    estimator, start = nets[0]
    nets = [(place, *net) for place, net in enumerate(nets)]
    solver_class = type(start.solver)
    if len(nets) == 1 or not solver_class.fuses:
        return [list(zip(net)) for net in nets], 1
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

    def get_position(net):
        return net[2].position

    nets.sort(key=get_position)
    stacks = [
        tuple(zip(*stack, strict=True))
        for begin, end in pairwise(ends)
        for _, stack in groupby(nets[begin:end], get_position)
    ]
    return [stacks[0], *map(with_own_streams, stacks[1:])], n_threads


def with_own_streams(stack):
    """Return a stack that draws its batches by itself, those that it would draw alone."""
    places, estimators, starts = stack
    streams = deepcopy(starts[0].streams)
    return places, estimators, [replace(start, streams=streams) for start in starts]
