"""Searches over hyperparameters that share preprocessing and train in threads.

`GridSearchCV.fit` is in charge. It hands the fits of all candidates on all splits to `FitRunner`,
which takes the place of joblib's `Parallel`. The runner groups the fits of this package's nets
that have a split and the steps before the net in common (`sharing_key`), prepares each group
once (`SharedSplit`), and runs each fit by scikit-learn's own `_fit_and_score`, in a pool of
threads (`call_in_threads`). All other fits go to `Parallel`, as in `GridSearchCV`.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from copy import deepcopy
from functools import partial
from numbers import Number
from threading import get_ident
from typing import Any, Self

import joblib
import numpy as np
from numpy.typing import ArrayLike
from sklearn import get_config, set_config
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.utils import parallel

from .._base import NetClassifier
from .._blas import single_threaded_blas
from .._errors import call_in_worker, repeat_warnings, user_location, warnings_at
from .._sklearn_compat import (
    check_method_params,
    count_predictions,
    fit_before_last,
    fit_context,
    has_callbacks,
    rebind,
    safe_split,
    score_with,
    search_fit,
    stock_pipeline,
)
from .._softmax import SoftmaxClassifier
from .._typing import MatrixLike
from .._validation import check_sparse

#: The methods that take a net from its clone to its score.
METHODS = (
    "__getstate__ __setstate__ __sklearn_clone__ get_params set_params fit score predict "
    "predict_proba predict_log_proba decision_function"
)

#: The solvers that draw batches.
BATCH_SOLVERS = ("adam", "sgd")

#: Fits for each thread that are prepared before any begins, so that few threads are idle at the
#: end. Preprocessing does not run beside them, as they limit the threads of the BLAS.
FITS_PER_THREAD = 4


class FusedSearchMixin:
    """`fit` of a search that shares preprocessing and trains in threads."""

    n_jobs: Any
    pre_dispatch: Any

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: MatrixLike, y: ArrayLike | None = None, **params: Any) -> Self:
        """Evaluate all candidates, and refit the best.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,), default=None
            The labels.
        **params : dict of str -> object
            Parameters for the estimator, the scorer and the splitter, as in `GridSearchCV`.

        Returns
        -------
        self : estimator
            The fitted search.
        """
        for name, value in {"X": X, **params}.items():
            check_sparse(value, name)  # before scikit-learn converts it
        names = {"Parallel": partial(FitRunner, self), "delayed": joblib.delayed}
        return rebind(search_fit, **names)(self, X, y, **params)


class FusedGridSearchCV(FusedSearchMixin, GridSearchCV):
    """`GridSearchCV` that shares preprocessing and trains nets in threads.

    Every value but the times equals that of :class:`~sklearn.model_selection.GridSearchCV`, bit
    for bit. Each candidate is its own fit. The search saves time in three ways:

    - The steps of a pipeline before the net are fitted once for each fold and each distinct
      setting of these steps. If the scorers come by name or from
      :func:`~sklearn.metrics.make_scorer`, the test rows are transformed once, too.
    - The rows are split once for each fold.
    - Candidates train in threads, which share the rows. Nothing is pickled.

    Parameters and attributes are those of :class:`~sklearn.model_selection.GridSearchCV`.

    See Also
    --------
    FusedRandomizedSearchCV : The same for settings drawn at random.

    Notes
    -----
    **n_jobs.** With ``n_jobs=None`` or 1, nets train in as many threads as the BLAS may use, by
    default one for each core. :func:`threadpoolctl.threadpool_limits` lowers the number.
    ``n_jobs=k`` uses k threads instead. It is rarely faster, as one job already uses all cores.
    The preprocessing runs in the calling thread. If it takes most of the time, use processes:
    ``with joblib.parallel_config("loky", n_jobs=4): search.fit(X, y)``. A backend that
    :func:`joblib.parallel_config` sets, such as "dask" or "ray", gets one task for each fold and
    distinct preprocessing, or more if there are more jobs. Each task prepares its own rows.

    **What is shared.** Candidates share the steps of any pipeline of scikit-learn or
    imbalanced-learn whose last step is a net of this package, and of its subclasses that override
    no method. All other candidates run by `GridSearchCV`'s own code, without sharing, and in
    processes if ``n_jobs`` is above 1. Those are candidates with callbacks or of a search with
    callbacks, candidates that set `steps` or `memory` of a pipeline, and candidates behind a step
    whose fit fails.

    **random_state.** Set it. A net with ``random_state=None`` draws from NumPy's global stream.
    With one job, such nets, nets with a callable as `init` or `schedule`, and nets behind a step
    that draws from this stream are fitted one by one in `GridSearchCV`'s order. After
    ``np.random.seed`` they have its results, and take as long.

    **Callables as scorers.** With one job, a callable as `scoring` runs in the calling thread, and
    so do the candidates. With more jobs, they run in processes. Each candidate gets copies of the
    rows and of the fitted steps. The same holds for pipelines with metadata routing.

    Times in `cv_results_` leave out what candidates share.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_toynn import TwoLayerNetClassifier
    >>> from sklearn_toynn.model_selection import FusedGridSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> net = TwoLayerNetClassifier(max_iter=200, random_state=0)
    >>> search = FusedGridSearchCV(net, {"reg": [1e-4, 1e-3], "hidden_size": [4, 8]})
    >>> bool(search.fit(X, y).best_score_ > 0.9)
    True
    """


class FusedRandomizedSearchCV(FusedSearchMixin, RandomizedSearchCV):
    """`RandomizedSearchCV` that shares preprocessing and trains nets in threads.

    See `FusedGridSearchCV` for what it shares and what to expect of `n_jobs`. Parameters and
    attributes are those of :class:`~sklearn.model_selection.RandomizedSearchCV`.

    See Also
    --------
    FusedGridSearchCV : The same for a grid of settings.
    """


class FitRunner:
    """Runs the fits of a search, in the place of joblib's `Parallel`."""

    def __init__(self, search, n_jobs, pre_dispatch):
        self._is_watched = has_callbacks(search)
        self._parallel_kwargs = {"n_jobs": n_jobs, "pre_dispatch": pre_dispatch}
        self._n_jobs = joblib.effective_n_jobs(n_jobs)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass

    def __call__(self, calls):
        """Return the results of calls (function, args, kwargs) of `_fit_and_score`."""
        calls = list(calls)
        results = self._run_groups(self._make_groups(calls))
        rest = [place for place in range(len(calls)) if place not in results]
        unshared = self._run_in_parallel(
            partial(function, *args, **kwargs)
            for function, args, kwargs in map(calls.__getitem__, rest)
        )
        results.update(zip(rest, unshared, strict=True))
        return [results[place] for place in range(len(calls))]

    def _run_in_parallel(self, calls, **kwargs):
        """Return what calls without arguments return under joblib."""
        outputs = parallel.Parallel(**self._parallel_kwargs, **kwargs)(
            parallel.delayed(call_in_worker)(os.getpid(), call) for call in calls
        )
        return repeat_warnings(outputs)

    def _make_groups(self, calls):
        """Return dicts of calls by their places, each of one split and the same preprocessing."""
        groups = {}
        for place, (_, (estimator, *_), kwargs) in enumerate([] if self._is_watched else calls):
            if place == 0:
                first = estimator  # all others are clones
            key = sharing_key(
                first,
                kwargs["parameters"],
                has_fit_params=bool(kwargs["fit_params"]),
                in_order=self._n_jobs == 1,
            )
            if key is not None:
                groups.setdefault((kwargs["split_progress"], key), {})[place] = calls[place]
        return list(groups.values())

    def _run_groups(self, groups):
        """Return the results of the fits that could share something, by their places."""
        if not groups:
            return {}
        _, (estimator, *_), kwargs = next(iter(groups[0].values()))
        n_predictions = count_predictions(kwargs["scorer"])
        is_routed = kwargs["score_params"] or get_config()["enable_metadata_routing"]
        if stock_pipeline(estimator) and is_routed:
            n_predictions = None  # the steps may get metadata
        run = partial(run_groups, n_predictions=n_predictions, location=user_location())
        if self._n_jobs == 1:
            return run(groups, in_order=True)
        # a scorer that does more than to ask for predictions may write to what threads share
        prefer = "processes" if n_predictions is None else "threads"
        backend, _ = joblib.parallel.get_active_backend(prefer=prefer)
        if isinstance(backend, joblib.parallel.ThreadingBackend) and n_predictions is not None:
            return run(groups, n_threads=self._n_jobs)
        n_parts = math.ceil(self._n_jobs / len(groups))
        parts = [
            dict(part)
            for group in groups
            for first in range(n_parts)
            if (part := list(group.items())[first::n_parts])
        ]
        # workers that are threads of this process get one thread each
        with single_threaded_blas:
            outputs = self._run_in_parallel(
                (partial(run, [part]) for part in parts), prefer=prefer
            )
        return {place: result for output in outputs for place, result in output.items()}


def sharing_key(estimator, setting, *, has_fit_params, in_order):
    """Return what candidates that share the preprocessing have in common, or None.

    A candidate whose fit draws from NumPy's global stream shares nothing if it must run
    `in_order`. With fit parameters, the steps before the last depend on what the last asks for.
    """
    last_step, before, last = estimator, {}, setting
    if stock_pipeline(estimator):
        if not {"steps", "memory"}.isdisjoint(setting):
            return None
        name, default = estimator.steps[-1]
        last_step = setting.get(name, default)
        begin = f"{name}__"
        last = {k.removeprefix(begin): v for k, v in setting.items() if k.startswith(begin)}
        before = {k: v for k, v in setting.items() if k != name and not k.startswith(begin)}
    if (
        not uses_stock_methods(last_step)
        or (in_order and needs_order(last_step, last))
        or any(map(has_callbacks_within, [estimator, *setting.values()]))
    ):
        return None
    return id(last_step) if has_fit_params else None, freeze(before)


def uses_stock_methods(step):
    """Return whether an estimator is fitted and scored by this package's own methods."""
    return isinstance(step, NetClassifier) and all(
        getattr(type(step), name) is getattr(NetClassifier, name) for name in METHODS.split()
    )


def needs_order(net, params):
    """Return whether a fit of a net with these parameters may draw from NumPy's global stream."""

    def get(name):
        return params.get(name, getattr(net, name))  # a subclass may have fewer parameters

    if callable(get("init")) or callable(get("schedule")):
        return True
    starts_at_zero = isinstance(net, SoftmaxClassifier) and str(get("init")) == "auto"
    has_batches = str(get("solver")) in BATCH_SOLVERS
    draws = has_batches or not starts_at_zero or get("early_stopping") is not False
    return draws and get("random_state") is None


def has_callbacks_within(value):
    """Return whether a value is an estimator with callbacks, or one that contains such."""
    parts = value.get_params().values() if isinstance(value, BaseEstimator) else ()
    return any(map(has_callbacks, [value, *parts]))


def freeze(parameters):
    """Return a key that parameters have in common only if an estimator cannot tell them apart."""
    return tuple(
        (name, type(value), repr(value) if isinstance(value, Number | str) else id(value))
        for name, value in sorted(parameters.items())
    )


def run_groups(groups, *, n_predictions, location, in_order=False, n_threads=None):
    """Return the results of calls by their places, without those that can share nothing.

    Each group holds the calls of `_fit_and_score`, by places, that share a split and the
    preprocessing. `n_predictions` is how many predictions the scorer asks a fitted model for, or
    None if it may do something else with the model or the rows. Warnings point to `location`. With
    `in_order`, `GridSearchCV` draws from NumPy's global stream in an order that must be kept.
    `n_threads=None` stands for as many threads as the BLAS may use.
    """
    if n_threads is None:
        n_threads = single_threaded_blas.n_threads()
    n_threads = 1 if n_predictions is None else n_threads
    results, ready = {}, {}
    with warnings_at(location):
        for number, group in enumerate(groups, 1):
            shared = prepare(next(iter(group.values())), n_predictions, in_order=in_order)
            if shared is not None:
                ready |= {
                    place: partial(shared.fit_and_score, *call) for place, call in group.items()
                }
            if number == len(groups) or len(ready) >= FITS_PER_THREAD * n_threads:
                outputs = call_in_threads(list(ready.values()), n_threads)
                results.update(zip(ready, outputs, strict=True))
                ready = {}
    return results


def prepare(call, n_predictions, *, in_order):
    """Return the `SharedSplit` of a group with this call, or None.

    Candidates run by themselves if the preprocessing fails, so that each fails by itself, or if
    it draws from NumPy's global stream, which is then set back.
    """
    stream = np.random.get_state() if in_order else ()
    try:
        shared = SharedSplit(n_predictions, *call[1], **call[2])
    except Exception:
        shared = None
    if in_order and not all(map(np.array_equal, stream, np.random.get_state())):
        np.random.set_state(stream)
        shared = None
    return shared


class SharedSplit:
    """One split of the rows, and the steps before the last as fitted to it, for many candidates.

    If `n_predictions` is None, each candidate gets copies. The other parameters are the arguments
    of `_fit_and_score` for one of the candidates. Raises an exception if they cannot share.
    """

    def __init__(self, n_predictions, estimator, X, y, *, train, test, **kwargs):
        model = clone(estimator).set_params(**clone(kwargs["parameters"], safe=False))
        train, test = np.asarray(train), np.asarray(test)
        self._rows = {
            "test": safe_split(model, X, y, test, train),
            "train": safe_split(model, X, y, train),
        }
        self._gives_copies = n_predictions is None
        self._has_steps = bool(stock_pipeline(model)) and len(model) > 1
        self._inputs = {}
        if not self._has_steps:
            return
        fit_params = check_method_params(X, params=kwargs["fit_params"], indices=train)
        self._fit_rows = fit_before_last(model, *self._rows["train"], fit_params)
        self._steps = [step for _, step in model.steps[:-1] if step not in (None, "passthrough")]
        if self._gives_copies:
            deepcopy(self._steps)
            return
        model.steps[-1] = (model.steps[-1][0], "passthrough")
        for name in self._rows if kwargs["return_train_score"] else ["test"]:
            rows = deepcopy(self._rows[name][0])  # which a step may write to
            self._inputs[name] = model.transform(rows)
            if n_predictions > 1:
                first = joblib.hash(self._inputs[name])
                if joblib.hash(model.transform(rows)) != first:
                    raise ValueError("A step transforms the same rows differently each time.")

    def fit_and_score(self, function, args, kwargs):
        """Return the result of a call of `_fit_and_score`."""
        estimator = args[0]
        if self._has_steps:
            steps = deepcopy(self._steps) if self._gives_copies else self._steps
            estimator.memory = FittedSteps(steps, *self._fit_rows, estimator.memory)
        shared = {"_safe_split": self._split, "_score": self._score, "print": print_line}
        return rebind(function, **shared)(*args, **kwargs)

    def _split(self, estimator, X, y, indices, train_indices=None):  # noqa: ARG002
        """Return X and y of the training rows or, with `train_indices`, of the test rows."""
        rows = self._rows["train" if train_indices is None else "test"]
        return deepcopy(rows) if self._gives_copies else rows

    def _score(self, model, X, *args):
        """Return the score of a fitted model."""
        if self._has_steps:
            if isinstance(model.memory, FittedSteps):
                model.memory = model.memory.memory
            if not self._gives_copies:
                name = "test" if X is self._rows["test"][0] else "train"
                model, X = model.steps[-1][1], self._inputs[name]
        return score_with(model, X, *args)


class FittedSteps:
    """A `memory` of a pipeline for one fit, in which the steps before the last are fitted already.

    X and y are the rows for the last step. Copies and pickles of the pipeline have its own
    `memory`.
    """

    location = None  # a pipeline does not clone its steps then

    def __init__(self, steps, X, y, memory):
        self._steps, self._X, self._y = iter(steps), X, y
        self.memory = memory

    def cache(self, function, **kwargs):  # noqa: ARG002
        """Return a function that returns the next fitted step in the place of fitting it."""
        return self._get_next

    def _get_next(self, *args, **kwargs):  # noqa: ARG002
        step = next(self._steps)
        # a sampler of imbalanced-learn gives new labels, too
        return (self._X, self._y, step) if hasattr(step, "fit_resample") else (self._X, step)

    def __reduce__(self):
        return deepcopy, (self.memory,)


def print_line(text):
    """Print a line at once, as threads print at the same time."""
    sys.stdout.write(f"{text}\n")


def call_in_threads(calls, n_threads):
    """Return what each call without arguments returns.

    The threads have the context and the configuration of this one. On Ctrl-C, or if a call
    fails, calls that run are interrupted, and the others do not begin.
    """
    if min(n_threads, len(calls)) <= 1:
        return [call() for call in calls]
    running = set()

    def run(context, call):
        running.add(get_ident())
        try:
            return context.run(call)
        finally:
            running.discard(get_ident())

    set_own_config = partial(set_config, **get_config())
    with (
        single_threaded_blas,
        ThreadPoolExecutor(min(n_threads, len(calls)), initializer=set_own_config) as pool,
    ):
        try:
            futures = [pool.submit(run, copy_context(), call) for call in calls]
            for future in futures:
                while wait([future], timeout=0.1).not_done:
                    pass  # Windows does not interrupt a wait without an end
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for thread in tuple(running):
                interrupt = ctypes.py_object(KeyboardInterrupt)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), interrupt)
            raise
