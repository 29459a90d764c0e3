"""Searches over hyperparameters that share preprocessing and train in threads.

`GridSearchCV.fit` runs with `FitRunner` instead of joblib's `Parallel`. `FitRunner` receives the
fits of all candidates on all splits. It groups the fits of this package's nets that share a split
and the settings of the steps before the net (`group_calls`). It prepares the rows of each group
once (`SharedSplit`), and then fits and scores the nets in a pool of threads (`call_in_threads`).
All other fits, and all that fail, run in `Parallel`, as in `GridSearchCV`.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
import time
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

from .._blas import single_threaded_blas
from .._errors import call_in_worker, repeat_warnings, user_location, warnings_at
from .._net_classifiers import MultiLayerNetClassifier, TwoLayerNetClassifier
from .._sklearn_compat import (
    check_method_params,
    fit_before_last,
    fit_context,
    fit_search,
    get_scorers,
    has_callbacks,
    is_accuracy,
    safe_split,
    score_with,
    stock_pipeline,
)
from .._softmax import SoftmaxClassifier
from .._training.solvers import SOLVERS
from .._training.training import count_threads
from .._typing import MatrixLike
from .._validation import check_sparse, validate_rows

#: The classes whose fits share work. Subclasses do not, because they may override methods.
NETS = (SoftmaxClassifier, TwoLayerNetClassifier, MultiLayerNetClassifier)

#: The solvers that draw batches.
BATCH_SOLVERS = {name for name, solver in SOLVERS.items() if solver.takes_batches}

#: The number of fits per thread that are prepared before any begins, so that few threads are idle
#: at the end. Preprocessing and fits do not overlap, because fits limit the threads of BLAS.
FITS_PER_THREAD = 4

#: Fits run in the calling thread until one takes longer. Two threads are slower than one on short
#: fits, because a thread waits up to 5 ms for the GIL.
SHORT_SECONDS = 0.005


class FusedSearchMixin:
    """`fit` of a search that shares preprocessing and trains in threads."""

    n_jobs: Any
    pre_dispatch: Any

    def _make_runner(self, **kwargs):
        """Return the replacement of joblib's `Parallel`."""
        return FitRunner(self, **kwargs)

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
        return fit_search(self, self._make_runner, X, y, params)


class FusedGridSearchCV(FusedSearchMixin, GridSearchCV):
    """`GridSearchCV` that shares preprocessing and trains nets in threads.

    Except for the times, its results equal the results of
    :class:`~sklearn.model_selection.GridSearchCV` bit for bit, if the nets have an int as
    `random_state`. It saves time in three ways:

    - Candidates share the preprocessing, that is, the steps of a pipeline that come before the
      net. On each fold, the search fits these steps once for each setting of their parameters.
    - It splits the rows once for each fold, and checks dense rows for invalid values once.
    - It trains candidates in threads, which share the rows. Nothing is pickled.

    Parameters and attributes are those of :class:`~sklearn.model_selection.GridSearchCV`.

    See Also
    --------
    FusedRandomizedSearchCV : The same for settings drawn at random.

    Notes
    -----
    **n_jobs.** With ``n_jobs=None`` or 1, nets train in as many threads as BLAS may use, by
    default one for each core. :func:`threadpoolctl.threadpool_limits` lowers the number.
    ``n_jobs=k`` with k > 1 uses k threads instead, which is rarely faster. ``n_jobs=-1`` uses one
    thread for each core. Fits of less than 5 ms run one after another, because two threads that
    wait for the GIL are slower than one.

    If the package was installed without compiled code, threads do not help. All fits then run one
    after another, or in k processes with ``n_jobs=k``.

    The preprocessing runs in the calling thread. If it takes most of the time, use processes. To
    do so, set a backend of joblib: ``with joblib.parallel_config("loky", n_jobs=4): search.fit(X,
    y)``. The backends "dask" and "ray" work in the same way. The fits with the same fold and the
    same preprocessing are a group. One process runs a whole group and does the preprocessing once.
    If there are more processes than groups, the groups are divided.

    **Shared work.** Candidates share rows and preprocessing if they are nets of this package, or
    pipelines of scikit-learn or imbalanced-learn that end in such a net. `SoftmaxClassifier`
    counts as a net. The following run as in `GridSearchCV`, in processes if ``n_jobs`` is above 1:

    - instances of a subclass of a net, and pipelines whose class overrides a method of `Pipeline`;
    - candidates that set the parameter `steps` of a pipeline as a whole;
    - candidates of which a fit or the preprocessing failed. They run again, so that scikit-learn
      reports the error;
    - all candidates, if a scorer is a callable that :func:`~sklearn.metrics.make_scorer` did not
      make;
    - all candidates, if the search, a pipeline, a step or a net has callbacks (set by the method
      `set_callbacks` of scikit-learn's estimators, from version 1.9 on);
    - all candidates, if a pipeline has ``verbose=True`` or `transform_input`, or if its steps
      request metadata.

    **random_state.** Set the `random_state` of the nets and of the transformers to an int. A net
    with ``random_state=None`` draws from NumPy's global random state, and so do some transformers.
    With ``n_jobs=None`` or 1, the search fits such candidates one by one in the order of
    `GridSearchCV`, without saving time. After ``np.random.seed``, the results then equal the
    results of `GridSearchCV`. It also fits nets with a callable `init` or `schedule` one by one,
    because the callable may draw random numbers.

    The times in `cv_results_` exclude shared work.

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

    See `FusedGridSearchCV` for the shared work and for `n_jobs`. Parameters and attributes are
    those of :class:`~sklearn.model_selection.RandomizedSearchCV`.

    See Also
    --------
    FusedGridSearchCV : The same for a grid of settings.
    """


class FitRunner:
    """Runs the fits of a search, instead of joblib's `Parallel`.

    A call is (function, (estimator, X, y), kwargs), where the function is `_fit_and_score`.
    """

    def __init__(self, search, n_jobs, pre_dispatch):
        self._is_watched = has_callbacks(search)
        self._parallel_kwargs = {"n_jobs": n_jobs, "pre_dispatch": pre_dispatch}
        self._n_jobs = joblib.effective_n_jobs(n_jobs)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass

    def __call__(self, calls):
        """Return the results of the calls."""
        calls = list(calls)
        in_order = self._n_jobs == 1
        groups = [] if self._is_watched else group_calls(calls, in_order=in_order)
        results = self._run_groups(groups) if groups else {}
        rest = [index for index in range(len(calls)) if results.get(index) is None]
        unshared = self._run_in_parallel(
            partial(function, *args, **kwargs)
            for function, args, kwargs in map(calls.__getitem__, rest)
        )
        results.update(zip(rest, unshared, strict=True))
        return [results[index] for index in range(len(calls))]

    def _run_in_parallel(self, calls, **kwargs):
        """Return the results of calls without arguments, run by joblib."""
        outputs = parallel.Parallel(**self._parallel_kwargs, **kwargs)(
            parallel.delayed(call_in_worker)(os.getpid(), call) for call in calls
        )
        return repeat_warnings(outputs)

    def _run_groups(self, groups):
        """Return the results of groups of calls by index, None for failed fits."""
        run = partial(run_groups, location=user_location())
        if self._n_jobs == 1:
            return run(groups, in_order=True)
        # processes for NumPy's kernels, which hold the GIL
        prefer = "threads" if count_threads(self._n_jobs) > 1 else "processes"
        backend, _ = joblib.parallel.get_active_backend(prefer=prefer)
        if isinstance(backend, joblib.parallel.ThreadingBackend):
            return run(groups, n_threads=self._n_jobs)
        n_parts = math.ceil(self._n_jobs / len(groups))
        parts = [
            dict(part)
            for group in groups
            for first in range(n_parts)
            if (part := list(group.items())[first::n_parts])
        ]
        # a backend may run workers as threads, which then use one BLAS thread each
        with single_threaded_blas:
            outputs = self._run_in_parallel(
                (partial(run, [part]) for part in parts), prefer=prefer
            )
        return {index: result for output in outputs for index, result in output.items()}


def group_calls(calls, *, in_order):
    """Return dicts of calls by index; each has one split and the same preprocessing.

    Calls that cannot share work are omitted.
    """
    if not calls:
        return []
    _, (estimator, *_), kwargs = calls[0]  # the other estimators are clones
    if get_scorers(kwargs["scorer"]) is None or has_callbacks_within(estimator):
        return []
    groups, keys = {}, {}
    for index, call in enumerate(calls):
        candidate, split = call[2]["candidate_progress"], call[2]["split_progress"]
        if candidate not in keys:
            keys[candidate] = make_key(estimator, call[2]["parameters"], in_order=in_order)
        if keys[candidate] is not None:
            groups.setdefault((split, keys[candidate]), {})[index] = call
    return list(groups.values())


def make_key(estimator, setting, *, in_order):
    """Return a key that is equal for candidates with the same preprocessing.

    It is None if the candidate cannot share work. With `in_order`, this includes nets that may
    draw from NumPy's global stream.
    """
    net, own, before = split_setting(estimator, setting)
    if (
        type(net) not in NETS
        or (in_order and needs_order(net, own))
        or any(map(has_callbacks_within, setting.values()))
        or "steps" in setting
    ):
        return None
    return freeze(before)


def split_setting(estimator, setting):
    """Return the last step of an estimator, and its and other parameters from a setting."""
    if not stock_pipeline(estimator):
        return estimator, setting, {}
    name, last = estimator.steps[-1]
    begin = f"{name}__"
    own = {k.removeprefix(begin): v for k, v in setting.items() if k.startswith(begin)}
    before = {k: v for k, v in setting.items() if k != name and not k.startswith(begin)}
    return setting.get(name, last), own, before


def needs_order(net, params):
    """Return whether a fit of a net with these parameters may draw from NumPy's global stream."""
    params = net.get_params() | params
    if callable(params["init"]) or callable(params["schedule"]):
        return True
    starts_at_zero = isinstance(net, SoftmaxClassifier) and str(params["init"]) == "auto"
    has_batches = str(params["solver"]) in BATCH_SOLVERS
    draws = has_batches or not starts_at_zero or params["early_stopping"] is not False
    return draws and params["random_state"] is None


def has_callbacks_within(value):
    """Return whether a value is an estimator that has callbacks, or contains one that has."""
    parts = value.get_params().values() if isinstance(value, BaseEstimator) else ()
    return any(map(has_callbacks, [value, *parts]))


def freeze(parameters):
    """Return a key that is equal only for parameters with the same effect on an estimator."""
    return tuple(
        (name, type(value), repr(value) if isinstance(value, Number | str) else id(value))
        for name, value in sorted(parameters.items())
    )


def run_groups(groups, *, location, in_order=False, n_threads=None):
    """Return the results of groups of calls by index, None for failed fits.

    Warnings point to `location`. `in_order` says whether draws from NumPy's global stream must
    keep `GridSearchCV`'s order. `n_threads=None` means as many threads as BLAS may use.
    """
    n_threads = count_threads(n_threads)
    results, ready, seconds = {}, {}, 0.0
    with warnings_at(location):
        for number, group in enumerate(groups, 1):
            shared = prepare(next(iter(group.values())), in_order=in_order)
            if shared is not None:
                ready |= {
                    index: partial(shared.fit_and_score, **kwargs)
                    for index, (_, _, kwargs) in group.items()
                }
            if number == len(groups) or len(ready) >= FITS_PER_THREAD * n_threads:
                calls, outputs = list(ready.values()), []
                while seconds < SHORT_SECONDS and len(outputs) < len(calls):
                    start = time.perf_counter()
                    outputs.append(calls[len(outputs)]())
                    seconds = time.perf_counter() - start
                outputs += call_in_threads(calls[len(outputs) :], n_threads)
                results.update(zip(ready, outputs, strict=True))
                ready = {}
    return results


def prepare(call, *, in_order):
    """Return the `SharedSplit` of a group that contains this call, or None.

    None means that the candidates run separately, because the preprocessing failed or, with
    `in_order`, drew from NumPy's global stream. The state of the stream is then restored.
    """
    stream = np.random.get_state() if in_order else ()
    try:
        shared = SharedSplit(*call[1], **call[2])
    except Exception:
        shared = None
    if in_order and not all(map(np.array_equal, stream, np.random.get_state())):
        np.random.set_state(stream)
        shared = None
    return shared


class SharedSplit:
    """The rows of one split, checked, and transformed by the steps before the last.

    The parameters are the arguments of `_fit_and_score` for one of the candidates. The
    constructor raises an exception if the candidates cannot share work.
    """

    def __init__(self, estimator, X, y, *, train, test, fit_params, score_params, **kwargs):
        self._estimator, self._scorer = estimator, kwargs["scorer"]
        net = model = clone(estimator).set_params(**clone(kwargs["parameters"], safe=False))
        train, test = np.asarray(train), np.asarray(test)
        split = {"test": safe_split(model, X, y, test, train)}
        self._fit_rows = safe_split(model, X, y, train)
        if kwargs["return_train_score"]:
            split["train"] = self._fit_rows
        self._fit_params = check_method_params(X, params=fit_params, indices=train)
        self._n_test_samples = len(test)
        if stock_pipeline(model):
            *self._fit_rows, self._fit_params = fit_before_last(
                model, *self._fit_rows, self._fit_params
            )
            name, net = model.steps[-1]
            model.steps[-1] = name, "passthrough"
            split = {part: (self._transform(model, X), y) for part, (X, y) in split.items()}
        X_fit, y_fit = self._fit_rows
        self._fit_rows = validate_rows(net, X_fit, reset=True), y_fit
        indices = {"test": test, "train": train}
        self._score_args = {
            part: (
                validate_rows(net, X_part),
                y_part,
                check_method_params(X, params=score_params, indices=indices[part]),
            )
            for part, (X_part, y_part) in split.items()
        }

    def _transform(self, steps, X):
        """Return transformed rows; raise an error if each scorer would get different rows."""
        X = deepcopy(X)  # a step may write to it
        transformed = steps.transform(X)
        if len(get_scorers(self._scorer)) > 1:
            first = joblib.hash(transformed)
            if joblib.hash(steps.transform(X)) != first:
                raise ValueError("A step transforms the same rows differently each time.")
        return transformed

    def fit_and_score(self, **call):
        """Return the result of a call of `_fit_and_score`, or None if the fit fails."""
        begin = print_start(call)
        net, own, _ = split_setting(self._estimator, call["parameters"])
        try:
            net = clone(net).set_params(**clone(own, safe=False))
            start = time.perf_counter()
            net.fit(*self._fit_rows, **self._fit_params)
            fit_time = time.perf_counter() - start
            scores = {"test_scores": self._score(net, "test", call["error_score"])}
            score_time = time.perf_counter() - start - fit_time
            if "train" in self._score_args:
                scores["train_scores"] = self._score(net, "train", call["error_score"])
        except Exception:  # `_fit_and_score` repeats the fit and reports the error
            return None
        print_end(*begin, call["verbose"], fit_time + score_time, **scores)
        times = {"fit_time": fit_time, "score_time": score_time}
        return scores | times | {"fit_error": None, "n_test_samples": self._n_test_samples}

    def _score(self, net, part, error_score):
        """Return the score of a fitted net, or a dict of scores."""
        X, y, params = self._score_args[part]
        if is_accuracy(self._scorer) and not params and has_plain_labels(y):
            # the checks in `accuracy_score` take longer than a small fit
            return float(np.average(y == net.predict(X)))
        return score_with(net, X, y, self._scorer, params, error_score)


def has_plain_labels(y):
    """Return whether `accuracy_score` uses labels without converting them."""
    return type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "biuU" and len(y) > 0


def print_start(call):
    """Print what `_fit_and_score` prints before a fit; return arguments of `print_end`."""
    verbose, parameters = call["verbose"], call["parameters"]
    split, n_splits = call["split_progress"]
    candidate, n_candidates = call["candidate_progress"]
    progress = f" {split + 1}/{n_splits}" if verbose > 2 else ""
    progress += f"; {candidate + 1}/{n_candidates}" if verbose > 9 else ""
    setting = ", ".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    if verbose > 9:
        print_line(f"[CV{progress}] START {setting}".ljust(80, "."))
    return f"[CV{progress}] END ", f"{setting};" if setting else ""


def print_end(start, setting, verbose, seconds, test_scores, train_scores=None):
    """Print what `_fit_and_score` prints after a fit."""
    text = setting
    if verbose > 2 and isinstance(test_scores, dict):
        for name in sorted(test_scores):
            train = "" if train_scores is None else f"train={train_scores[name]:.3f}, "
            text += f" {name}: ({train}test={test_scores[name]:.3f})"
    elif verbose > 2:
        test = f"{test_scores:.3f}"
        train = train_scores is not None and f"(train={train_scores:.3f}, test={test})"
        text += f", score={train or test}"
    if verbose > 1:
        text += f" total time={joblib.logger.short_format_time(seconds)}"
        print_line(start + text.rjust(80 - len(start), "."))


def print_line(text):
    """Print a line in one call, because other threads may print at the same time."""
    sys.stdout.write(f"{text}\n")


def call_in_threads(calls, n_threads):
    """Return the results of calls without arguments.

    The threads use the context and the configuration of this thread. On Ctrl-C, or if a call
    fails, running calls are interrupted, and other calls do not begin.
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
            while wait(futures, timeout=0.1).not_done:
                pass  # Windows does not interrupt a wait without a timeout
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for thread in tuple(running):
                interrupt = ctypes.py_object(KeyboardInterrupt)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), interrupt)
            raise
