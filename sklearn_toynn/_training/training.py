"""The training loop, and several nets as tasks of a thread pool."""

import math
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial
from threading import Event
from weakref import WeakMethod

import numpy as np

from .._blas import single_threaded_blas
from .._nets.column_scaling import NetColumnScaling, are_scaled_alike, change_scaling
from .._nets.encoded_rows import EncodedRows
from .._nets.kernels import dispatch
from .._nets.loss import Objective
from .monitor import Monitor
from .results import NetResult
from .solvers import SOLVERS, OptimizerState
from .starts import NetStart
from .stopping import describe_large_loss


class NetTraining:
    """The training of one net: objective, solver, monitor and the loop over them.

    `start` is only read. The samples come from `Samples.prepare`. `observer` is None or a function
    that returns a `CallbackObserver` for a weak reference to the method `result`.
    """

    def __init__(self, start, options, samples, validation, observer=None, stop=None):
        columns = samples.columns
        network, state = start.network, start.state
        if start.is_fitted and not are_scaled_alike(start.columns, columns):
            network, state = change_scaling(network, start.columns, columns), None
        network = network.copy(options.dtype)
        if columns is not None and not start.is_fitted:
            columns.shrink_first_layer(network, options.reg)
        self._start, self._options, self._stop = start, options, stop
        self.objective = Objective(network, samples, options.reg)
        self._solver = SOLVERS[options.solver](
            options, start.bit_generator if options.shuffle else None
        )
        self._state = self._solver.init(network.parameters)
        if state is not None:
            self._state = OptimizerState(state.moments.astype(options.dtype), state.n_steps)
        policy = self._solver.make_policy(validates=validation is not None)
        self.monitor = Monitor(
            network,
            policy,
            validation=validation and Objective(network, validation, 0.0),
            verbose=options.verbose,
            observer=observer and observer(WeakMethod(self.result)),
            stop=stop,
        )

    def run(self):
        """Train to the end."""
        self.monitor.begin()
        while self.monitor.reason is None:
            self._state = self._solver.step(self.objective, self._state, self.monitor)
            self.monitor.end(self._solver.is_done(self._state))

    def end(self, reason):
        """End the training for a reason, unless it has ended."""
        self.monitor.end(reason)

    def result(self):
        """Return the result; while training runs, as if a callback ended it now."""
        monitor, objective = self.monitor, self.objective
        if monitor.reason is None:
            network = objective.network.copy()
            objective = Objective(network, objective.samples, objective.reg)
        network, moments = objective.network, self._state.moments
        monitor.load_best_weights(network)
        loss, has_diverged = monitor.recover(network, objective.value(), objective.value_at)
        reason, warning = monitor.reason or "callback", None
        if has_diverged:
            cause = "the scale of init"
            if self._solver.follows_schedule:
                cause = f"learning_rate (now {self._options.learning_rate:.3g})"
            advice = f"Lower {cause}{self._scaling_advice()}"
            reason, warning = "diverged", monitor.describe_divergence(loss, advice)
        elif monitor.reason is not None:
            warning = self._solver.describe_termination(
                objective, self._state, monitor, self._scaling_advice
            )
        warnings = [warning, self._describe_large_loss(loss, has_diverged)]
        samples = objective.samples
        state = OptimizerState(moments, self._state.n_steps)
        return NetResult(
            network=samples.to_original(network),
            checkpoint=NetStart(network, state, self._start.bit_generator, True, samples.columns),
            **monitor.summarize(loss, reason, warnings),
        )

    def _scaling_advice(self):
        """Return advice to scale the columns, as the end of a sentence; "" if they are scaled."""
        samples = self.objective.samples
        if samples.columns is not None or isinstance(samples.X, EncodedRows):
            return ""
        if NetColumnScaling.from_samples(samples, self._options.dtype) is None:
            return ""
        return ", or scale the columns of X, as StandardScaler does"

    def _describe_large_loss(self, loss, has_diverged):
        if self._options.is_one_pass or self.monitor.reason in (None, "interrupted"):
            return None
        return describe_large_loss(
            loss,
            self.objective.network.widths[-1],
            self._options.reg,
            has_learning_rate=self._solver.follows_schedule,
            watched=min(self.monitor.validation_curve, default=math.inf),
            has_diverged=has_diverged,
            get_scaling_advice=self._scaling_advice,
        )


def run_to_result(make_training, reason=None):
    """Make and run a training. A `reason` ends it before the first step.

    Return its result, and a KeyboardInterrupt for the caller to raise or None. After Ctrl-C, the
    result has the weights reached so far.
    """
    interrupt = None
    # the monitor checks for overflow, which shows divergence
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        training = make_training()
        training.end(reason)
        try:
            training.run()
        except KeyboardInterrupt as error:
            interrupt = error
            training.end("interrupted")
        try:
            return training.result(), interrupt
        except KeyboardInterrupt as error:
            return training.result(), error


def train_net(start, options, samples, validation, observer=None, stop=None, reason=None):
    """Train a net as in `NetTraining`; see `run_to_result`."""
    make_training = partial(NetTraining, start, options, samples, validation, observer, stop)
    return run_to_result(make_training, reason)


@single_threaded_blas
def train_nets(starts, options, samples, validation, callbacks=None, max_threads=1):
    """Train nets separately on the same samples, in up to `max_threads` threads.

    The number of threads does not change the bits. With callbacks, the nets train one after
    another.

    Returns
    -------
    results : list of NetResult or None
        In the order of the nets. A net that had not begun when training stopped keeps the weights
        of an earlier fit. Without an earlier fit, its result is None.
    interrupt : KeyboardInterrupt or None
        The interrupt that ended the training, for the caller to raise. If no net had begun, this
        function raises it.
    """
    columns, dtype = None, options.dtype
    if options.scales_columns:
        coordinates, make_scaling = samples.coordinates, NetColumnScaling.from_samples
        if coordinates is not None:
            make_scaling = coordinates.make_scaling
        columns = make_scaling(samples, dtype)
    samples = samples.prepare(columns, dtype)
    validation = validation and validation.prepare(columns, dtype)
    train = partial(train_net, options=options, samples=samples, validation=validation)
    results, interrupt, stop = [None] * len(starts), None, Event()

    def train_one(net):
        if stop.is_set():
            return
        observer = callbacks and callbacks.observe(len(starts), options.max_iter, results, net)
        with single_threaded_blas:  # some libraries have a limit for each thread
            results[net], error = train(starts[net], observer=observer, stop=stop)
        if error is not None:
            raise error

    try:
        if callbacks is None and min(max_threads, len(starts)) > 1:
            train_in_threads(train_one, range(len(starts)), max_threads, stop)
        else:
            for net in range(len(starts)):
                train_one(net)
                if results[net] is not None and results[net].stop_reason == "callback":
                    break
    except KeyboardInterrupt as error:
        interrupt = error
        if all(result is None for result in results):
            raise
    reason = "callback" if interrupt is None else "interrupted"
    for net, start in enumerate(starts):
        if results[net] is None and start.is_fitted:
            results[net], late_interrupt = train(start, reason=reason)
            interrupt = interrupt or late_interrupt
    return results, interrupt


def count_threads(n_threads=None):
    """Return the number of threads for several nets, by default as many as BLAS may use.

    It is 1 with NumPy's kernels, because they hold the GIL most of the time.
    """
    if dispatch.selected == "numpy":
        return 1
    return single_threaded_blas.n_threads() if n_threads is None else n_threads


def train_in_threads(function, tasks, n_threads, stop):
    """Call a function on each task. On Ctrl-C or an exception, set `stop` for the other tasks."""
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            futures = [pool.submit(function, task) for task in tasks]
            # Windows does not interrupt a wait without a timeout
            while (done := wait(futures, 0.1, FIRST_EXCEPTION)).not_done:
                if any(future.exception() for future in done.done):
                    break
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
    for future in futures:
        if not future.cancelled():
            future.result()
