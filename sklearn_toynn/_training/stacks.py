"""The nets of a fit, cut into stacks and trained, in threads where that pays."""

import math
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from threading import Event

from .._blas import single_threaded_blas
from .._nets.columns import Columns
from .._nets.kernels.selection import choose_kernels
from .._nets.samples import chunk_length
from .first_order import MiniBatchSolver
from .options import TrainingOptions
from .run import TrainingRun, train
from .state import NetState

#: What the nets of a stack have for themselves takes no more than this, unless two nets do.
#: Measured on nets of 13 to 1200 KiB, 2 to 4 MiB were the fastest or close to it.
CACHE_BYTES = 2**22

#: A thread of its own pays for a stack that goes through so much without the interpreter lock.
#: With half as much, threads wait too long for each other.
THREAD_BYTES = 2**19

#: Fewer iterations than this are over before a thread has begun.
MANY_ITERATIONS = 16


@dataclass(frozen=True)
class PlacedNet:
    """A net to be trained, and its place among all nets of the fit."""

    place: int
    options: TrainingOptions
    state: NetState


def train_in_stacks(nets, samples, validation, callbacks=None):
    """Train nets on samples that they share.

    Parameters
    ----------
    nets : list of (TrainingOptions, NetState)
        The options may differ in `PER_NET` alone.
    samples : Samples
        What they are trained on.
    validation : Samples or None
        What chooses their weights, if given.
    callbacks : FitCallbacks or None
        Called in the course of the training, if given. Then there are no threads, and the nets of
        one estimator that may share a stack do, so that they come to each epoch together.

    Returns
    -------
    results : list of NetResult or None
        In the order of the nets. Nets that had not begun on Ctrl-C, or when a callback asked to
        stop, are left as an earlier fit had them, or else None.
    interrupt : KeyboardInterrupt or None
        What ended the training before its time, the caller's to raise.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C before any net had begun.
    """
    max_threads = 1 if callbacks else single_threaded_blas.n_threads()
    is_together = callbacks is not None and callbacks.is_alone
    nets = [PlacedNet(place, *net) for place, net in enumerate(nets)]
    stacks, n_threads = make_stacks(
        nets, samples, max_threads, validates=validation is not None, is_together=is_together
    )
    results, interrupt, stop = [None] * len(nets), None, Event()
    if nets[0].options.scales_columns:
        samples, validation = with_scaled_columns(samples, validation)

    def set_up(stack):
        options, states = [net.options for net in stack], [net.state for net in stack]
        run = TrainingRun.from_nets(options, states, samples, validation)
        run.stop = stop
        run.n_threads = max_threads if len(stacks) == 1 else 1
        return run

    def finish(run, stack):
        of_stack, interrupt = train(run)
        for net, result in zip(stack, of_stack, strict=True):
            results[net.place] = result
        if interrupt is not None:
            raise interrupt

    def train_stack(stack):
        run = set_up(stack)
        if stop.is_set():
            return
        if callbacks:
            callbacks.observe(run, len(stacks), results, [net.place for net in stack])
        finish(run, stack)

    try:
        if n_threads > 1:
            call_in_threads(train_stack, stacks, n_threads, stop)
        else:
            for stack in stacks:
                train_stack(stack)
                if is_together and callbacks.have_stopped:
                    break
    except KeyboardInterrupt as error:
        interrupt = error
        if all(result is None for result in results):
            raise
    stop.set()
    for stack in stacks:
        if results[stack[0].place] is None and stack[0].state.is_fitted:
            run = set_up(stack)
            run.reason_to_stop = "callback" if interrupt is None else "interrupted"
            finish(run, stack)  # ends where it begins
    return results, interrupt


def with_scaled_columns(samples, validation):
    """Return both, the latter perhaps None, on the columns at the common scale of the former."""
    columns = Columns.from_samples(samples)
    if validation is not None:
        validation = validation.with_columns(columns)
    return samples.with_columns(columns), validation


def call_in_threads(function, stacks, n_threads, stop):
    """Call a function on stacks; on Ctrl-C, or where it fails, `stop` is set for the others."""
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            futures = [pool.submit(function, stack) for stack in stacks]
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
    for future in futures:
        if not future.cancelled():
            future.result()


def make_stacks(nets, samples, max_threads, *, validates, is_together):
    """Return stacks of about the same size, and how many threads are to train them.

    A stack is a list of nets that stand at the same step of the same batches. Unless they are to
    be together, it is so large that what its nets have for themselves stays in the cache. An
    update goes through a net's activations and their derivatives on a batch, and its parameters,
    gradient and solver's memory. In NumPy each net has all of these for itself, and a quarter
    counts, as the lock is asked for all the way; compiled, nets come by turns, and epochs go by.
    """
    options, widths = nets[0].options, nets[0].state.network.widths
    if len(nets) == 1 or not options.solver_class.fuses:
        return [[net] for net in nets], 1
    n_rows, is_watched = chunk_length(widths), True
    if issubclass(options.solver_class, MiniBatchSolver):
        n_rows, is_watched = options.batch_size, validates
    n_rows = min(n_rows, samples.n_samples)
    n_parameters = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))
    n_entries = 3 * n_rows * sum(widths[1:]) + 7 * n_parameters
    n_own, n_unlocked = n_entries, n_entries / 4
    if choose_kernels(nets[0].state.network, samples.X).takes_epochs:
        n_own, n_unlocked = 3 * n_parameters, n_entries * math.ceil(samples.n_samples / n_rows)
        # Python has twice as much to do where it looks at each
        n_unlocked *= min(options.max_iter / MANY_ITERATIONS, 1) / (1 + is_watched)
    itemsize = samples.X.dtype.itemsize
    n_threads = min(max(int(len(nets) * n_unlocked * itemsize) // THREAD_BYTES, 1), max_threads)
    width = len(nets) if is_together else max(CACHE_BYTES // (n_own * itemsize), 2)
    n_stacks = math.ceil(len(nets) / width)
    n_stacks = min(math.ceil(n_stacks / n_threads) * n_threads, len(nets))
    ends = [len(nets) * place // n_stacks for place in range(n_stacks + 1)]

    def get_position(net):
        return net.state.position

    nets.sort(key=get_position)
    stacks = [
        list(stack)
        for begin, end in pairwise(ends)
        for _, stack in groupby(nets[begin:end], get_position)
    ]
    return [stacks[0], *map(with_own_streams, stacks[1:])], n_threads


def with_own_streams(stack):
    """Return a stack that draws its batches by itself, those that it would draw alone."""
    streams = deepcopy(stack[0].state.streams)
    return [replace(net, state=replace(net.state, streams=streams)) for net in stack]
