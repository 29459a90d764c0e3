"""The work that the candidates of a fused search share, and its side effects."""

import re
import signal
import time
import warnings
from inspect import getsourcelines
from threading import Barrier, Timer, get_ident
from threading import enumerate as enumerate_threads
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from fused_searches import (
    REGS,
    WEIGHTS,
    X,
    assert_same_results,
    compare,
    describe,
    net,
    one_score,
    pipeline,
    scores_by_name,
    y,
)
from joblib import parallel_backend
from sklearn import config_context, get_config
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from threadpoolctl import threadpool_info

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier, _validation
from sklearn_toynn._base import NetClassifier
from sklearn_toynn._blas import single_threaded_blas
from sklearn_toynn._nets.kernels import dispatch
from sklearn_toynn.model_selection import FusedGridSearchCV, _search

# for tests in which reaching `max_iter` does not matter
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# --- side effects of steps, scorers and draws ---------------------------------------


class WritingScaler(StandardScaler):
    """Writes to its input, also in `fit`, and counts its calls of `transform`."""

    def __init__(self):
        super().__init__(copy=False)

    def fit(self, X, y=None):
        self.n_calls_ = 0
        super().fit(X)
        X += 0.01
        return self

    def transform(self, X):
        self.n_calls_ += 1
        return super().transform(X) + 0.1 * self.n_calls_


def shifting_score(estimator, X, y):
    """Return a score, and change the steps, X and y."""
    score = estimator.predict_proba(X)[np.arange(len(y)), y].mean()
    last = estimator
    if isinstance(estimator, Pipeline):
        estimator[0].mean_ += 0.5
        last = estimator[-1]
    last.classes_[:] = last.classes_[::-1]
    X += 1
    y[:] = 0
    return score


@pytest.mark.parametrize("scaler", [StandardScaler(copy=False), WritingScaler()], ids=describe)
@pytest.mark.parametrize(
    "scoring",
    [None, "neg_log_loss", ["accuracy", "neg_log_loss"], scores_by_name, shifting_score],
    ids=describe,
)
def test_steps_and_scorers_that_write_to_their_rows(scaler, scoring):
    model = Pipeline([("scaler", scaler), ("net", net())])
    grid = [
        {"net__reg": REGS, "net__hidden_size": [3, 4]},
        {"net": [GaussianNB(), SoftmaxClassifier()]},
    ]
    # a refit may write to all rows
    compare(model, grid, scoring=scoring, return_train_score=True, refit=False)


def noisy(X):
    return X + np.random.normal(size=X.shape)


GLOBAL_DRAWS = {
    "net, some seeded": (net(), {"random_state": [0, None, 1], "reg": REGS}),
    "softmax": (
        SoftmaxClassifier(random_state=None, max_iter=4, early_stopping=True),
        {"solver": ["newton", "sgd", "gd"], "reg": REGS},
    ),
    "step": (
        Pipeline([("svd", TruncatedSVD(2, n_iter=1)), ("net", net())]),
        {"net__reg": REGS, "svd__n_components": [1, 2]},
    ),
    "some steps": (
        Pipeline([("step", StandardScaler()), ("net", net())]),
        {"step": [StandardScaler(), TruncatedSVD(2, n_iter=1)], "net__random_state": [None, 0]},
    ),
    "transform": (
        Pipeline([("noise", FunctionTransformer(noisy)), ("net", net())]),
        {"net__reg": REGS},
    ),
}


@pytest.mark.parametrize(("model", "grid"), GLOBAL_DRAWS.values(), ids=GLOBAL_DRAWS)
def test_draws_from_the_global_stream_equal_the_draws_of_grid_search(model, grid):
    searches, draws = [], []
    for search_class in (FusedGridSearchCV, GridSearchCV):
        cv = ShuffleSplit(2, random_state=None)
        np.random.seed(0)
        searches.append(search_class(model, grid, cv=cv).fit(X, y))
        # the steps of some candidates also draw
        draws.append([*searches[-1].predict_proba(X).ravel(), np.random.uniform()])
    assert_same_results(*(search.cv_results_ for search in searches))
    assert draws[0] == draws[1]


# --- shared work ------------------------------------------------------------------------


class CountingScaler(StandardScaler):
    """Records each call of `fit` and of `transform`."""

    calls: ClassVar[list] = []

    def fit(self, X, y=None):
        self.calls.append(("fit", len(X)))
        return super().fit(X, y)

    def transform(self, X):
        self.calls.append(("transform", len(X)))
        return super().transform(X)


@pytest.fixture
def calls():
    CountingScaler.calls.clear()
    return CountingScaler.calls


@pytest.mark.parametrize(
    ("grid", "n_settings"),
    [
        ({"net__reg": REGS, "net__solver": ["adam", "lbfgs"]}, 1),
        ({"scaler__with_mean": [True, False], "net__reg": REGS}, 2),
        ({"net": [net(), SoftmaxClassifier()]}, 1),
    ],
)
def test_preprocessing_is_fitted_once_per_fold_and_setting(calls, grid, n_settings):
    model = Pipeline([("scaler", CountingScaler()), ("net", net())])
    for n_jobs in (1, 2):
        calls.clear()
        with parallel_backend("threading", n_jobs=n_jobs):
            FusedGridSearchCV(model, grid, cv=3, refit=False).fit(X, y)
        assert sorted(calls) == sorted(
            3 * n_settings * [("fit", 60), ("transform", 60), ("transform", 30)]
        )


@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
@pytest.mark.parametrize("container", [pd.DataFrame, np.ndarray.tolist])
def test_dense_rows_are_checked_once_per_fold(monkeypatch, container, scoring):
    n_checked, original = [], _validation.validate_data

    def validate_data(estimator, X, *args, skip_check_array=False, **kwargs):
        n_checked.extend([] if skip_check_array else [len(X)])
        return original(estimator, X, *args, skip_check_array=skip_check_array, **kwargs)

    monkeypatch.setattr(_validation, "validate_data", validate_data)
    rows = container(X)
    search = FusedGridSearchCV(net(), {"reg": REGS}, cv=3, scoring=scoring, refit=False)
    search.fit(rows, y)
    assert sorted(n_checked) == 3 * [30] + 3 * [60]
    compare(net(), {"reg": REGS}, rows, scoring=scoring)


class NamedPipeline(Pipeline):
    """A pipeline with its own constructor."""

    def __init__(self, steps, *, title="", transform_input=None, memory=None, verbose=False):
        super().__init__(steps, transform_input=transform_input, memory=memory, verbose=verbose)
        self.title = title


@pytest.mark.parametrize("default", [None, ("X_val",)])
def test_work_is_shared_with_either_default_of_transform_input(monkeypatch, calls, default):
    """scikit-learn has another default from 1.10 on."""
    monkeypatch.setitem(Pipeline.__init__.__kwdefaults__, "transform_input", default)
    monkeypatch.setitem(Pipeline._parameter_constraints, "transform_input", [list, tuple, None])
    model = Pipeline([("scaler", CountingScaler()), ("net", net())])
    assert model.transform_input == default
    search = FusedGridSearchCV(model, {"net__reg": REGS}, cv=3, refit=False)
    search.fit(X, y, net__sample_weight=WEIGHTS)
    assert calls.count(("fit", 60)) == 3


def test_subclasses_with_stock_methods_share_work(calls):
    model = NamedPipeline([("scaler", CountingScaler()), ("net", net())])
    FusedGridSearchCV(model, {"net__reg": REGS}, cv=3, refit=False).fit(X, y)
    assert calls.count(("fit", 60)) == 3
    compare(model, {"net__reg": REGS, "title": ["a", "b"]}, return_train_score=True)


@pytest.fixture
def shared_fits(monkeypatch):
    """Collect the settings of the candidates that share work, fit by fit."""
    settings, original = [], _search.SharedSplit.fit_and_score

    def fit_and_score(self, **call):
        settings.append(call["parameters"])
        return original(self, **call)

    monkeypatch.setattr(_search.SharedSplit, "fit_and_score", fit_and_score)
    return settings


class ConstantNet(TwoLayerNetClassifier):
    def predict(self, X):
        return np.zeros(len(X), int)


UNSEEDED = net(random_state=None)


@pytest.mark.parametrize(
    ("model", "grid", "n_shared", "n_shared_in_two_jobs"),
    [
        (net(), {"reg": REGS, "solver": ["adam", "lbfgs"]}, 6, 6),
        (UNSEEDED, {"reg": REGS}, 0, 3),
        (UNSEEDED, {"random_state": [0, None]}, 1, 2),
        (net(), {"init": [lambda rng, m, n: rng.uniform(size=(m, n)), "he"]}, 1, 2),
        (net(), {"schedule": [lambda progress: 1 - progress / 2, "cosine"]}, 1, 2),
        (SoftmaxClassifier(), {"solver": ["newton", "gd", "adam"]}, 2, 3),
        (SoftmaxClassifier(early_stopping=True), {"reg": REGS}, 0, 3),
        (pipeline(), {"net": [GaussianNB(), net(), pipeline(), "passthrough"]}, 1, 1),
        (pipeline(verbose=True), {"net__reg": REGS}, 0, 0),
        (ConstantNet(), {"reg": REGS}, 0, 0),
        (pipeline(), {"steps": [[("net", net())]]}, 0, 0),
    ],
    ids=describe,
)
def test_which_candidates_share_work(shared_fits, model, grid, n_shared, n_shared_in_two_jobs):
    args = {"cv": 2, "refit": False, "scoring": "accuracy", "error_score": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        FusedGridSearchCV(model, grid, **args).fit(X, y)
        assert len(shared_fits) == 2 * n_shared
        with parallel_backend("threading", n_jobs=2):
            FusedGridSearchCV(model, grid, **args).fit(X, y)
    assert len(shared_fits) == 2 * (n_shared + n_shared_in_two_jobs)


# --- threads -----------------------------------------------------------------------------


@pytest.fixture
def without_short_fits(monkeypatch):
    monkeypatch.setattr(_search, "SHORT_SECONDS", 0)
    monkeypatch.setattr(dispatch, "selected", "compiled")  # NumPy's kernels use one thread


@pytest.fixture
def fits(monkeypatch):
    """Collect the thread, configuration and error handling of each fit of a net.

    `fits.together`, if set, is a number of fits that must run at the same time.
    """

    class Fits(list):
        together = None

    fits, original = Fits(), NetClassifier.fit

    def fit(self, *args, **kwargs):
        if fits.together is not None:
            fits.together.wait()
        fits.append((get_ident(), get_config()["assume_finite"], np.geterr()["under"]))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(NetClassifier, "fit", fit)
    return fits


@pytest.mark.parametrize(
    ("n_jobs", "n_blas_threads", "n_threads"), [(None, 3, 3), (1, 1, 1), (3, 1, 3), (3, 2, 3)]
)
@pytest.mark.usefixtures("without_short_fits")
def test_number_of_threads(monkeypatch, fits, n_jobs, n_blas_threads, n_threads):
    monkeypatch.setattr(single_threaded_blas, "n_threads", lambda: n_blas_threads)
    args = {"cv": 2, "n_jobs": n_jobs, "refit": False}
    fits.together = Barrier(n_threads, timeout=60)
    with config_context(assume_finite=True), np.errstate(under="raise"):
        FusedGridSearchCV(pipeline(), {"net__reg": REGS}, **args).fit(X, y)
    threads, *settings = zip(*fits, strict=True)
    assert len(set(threads)) == n_threads
    assert set(settings[0]) == {True}
    # NumPy 1 keeps its error handling for each thread
    is_thread_local = np.__version__ < "2" and n_threads > 1
    assert set(settings[1]) == ({"ignore"} if is_thread_local else {"raise"})


def test_short_fits_run_in_the_calling_thread_up_to_the_first_long_one(monkeypatch, fits):
    monkeypatch.setattr(single_threaded_blas, "n_threads", lambda: 2)
    monkeypatch.setattr(dispatch, "selected", "compiled")
    monkeypatch.setattr(_search, "SHORT_SECONDS", 60)
    FusedGridSearchCV(net(), {"reg": REGS}, cv=2, refit=False).fit(X, y)
    assert {thread for thread, *_ in fits} == {get_ident()}
    fits.clear()
    monkeypatch.setattr(_search, "SHORT_SECONDS", 1e-9)
    FusedGridSearchCV(net(), {"reg": REGS}, cv=2, refit=False).fit(X, y)
    assert [thread == get_ident() for thread, *_ in fits] == [True] + [False] * (len(fits) - 1)


def test_fits_with_numpy_kernels_run_in_the_calling_thread(monkeypatch, fits):
    monkeypatch.setattr(dispatch, "selected", "numpy")
    monkeypatch.setattr(_search, "SHORT_SECONDS", 0)
    search = FusedGridSearchCV(net(), {"reg": REGS}, cv=2, refit=False).fit(X, y)
    assert {thread for thread, *_ in fits} == {get_ident()}
    fits.clear()
    scores = search.cv_results_["mean_test_score"].tolist()
    search.set_params(n_jobs=2).fit(X, y)  # in processes
    assert not fits
    assert search.cv_results_["mean_test_score"].tolist() == scores


@pytest.mark.usefixtures("without_short_fits")
@pytest.mark.parametrize(("n_blas_threads", "scoring"), [(1, None), (2, one_score)])
def test_own_scorers_and_limited_searches_run_in_the_calling_thread(
    monkeypatch, fits, n_blas_threads, scoring
):
    monkeypatch.setattr(single_threaded_blas, "n_threads", lambda: n_blas_threads)
    FusedGridSearchCV(net(), {"reg": REGS}, cv=2, scoring=scoring, refit=False).fit(X, y)
    assert {thread for thread, *_ in fits} == {get_ident()}


@pytest.mark.usefixtures("without_short_fits")
def test_warnings_of_threads_point_at_the_line_that_called(monkeypatch):
    monkeypatch.setattr(single_threaded_blas, "n_threads", lambda: 2)
    search = FusedGridSearchCV(net(tol=0, max_iter=2), {"learning_rate": [1e12, 1e11]}, cv=2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.set_params(n_jobs=2, refit=False).fit(X, y)
    assert len(caught) == 4
    here = getsourcelines(test_warnings_of_threads_point_at_the_line_that_called)[1] + 6
    assert {(w.filename, w.lineno, w.category) for w in caught} == {
        (__file__, here, ConvergenceWarning)
    }


@pytest.mark.usefixtures("without_short_fits")
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs POSIX signals")
def test_interrupt_ends_fits_in_threads(monkeypatch):
    monkeypatch.setattr(single_threaded_blas, "n_threads", lambda: 2)
    threads = set(enumerate_threads())
    limits = [library["num_threads"] for library in threadpool_info()]
    search = FusedGridSearchCV(net(max_iter=10**8, tol=0), {"reg": np.logspace(-4, 0, 9)}, cv=3)
    # other packages that a test has loaded may have changed the handler
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = Timer(0.5, signal.pthread_kill, [get_ident(), signal.SIGINT])
    start = time.perf_counter()
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            search.fit(X, y)
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGINT, handler)
    assert time.perf_counter() - start < 20
    assert threads.issuperset(enumerate_threads())
    assert [library["num_threads"] for library in threadpool_info()] == limits


def test_memory_of_a_pipeline_is_used(calls, tmp_path):
    model = Pipeline([("scaler", CountingScaler()), ("net", net())], memory=str(tmp_path))
    grid = {"net__reg": REGS, "scaler__with_mean": [True, False]}
    for n_fits in (6, 0):
        calls.clear()
        search = FusedGridSearchCV(model, grid, cv=3, refit=False).fit(X, y)
        assert sum(name == "fit" for name, _ in calls) == n_fits
    plain = GridSearchCV(Pipeline(model.steps), grid, cv=3, refit=False).fit(X, y)
    assert_same_results(search.cv_results_, plain.cv_results_)


def test_verbose_pipelines_print_each_step(capsys):
    grid, printed = {"net__reg": REGS, "verbose": [True]}, []
    for search_class in (FusedGridSearchCV, GridSearchCV):
        search_class(pipeline(), grid, cv=2, refit=False).fit(X, y)
        printed.append(re.sub(r"\.+|, total.*", "", capsys.readouterr().out))
    assert printed[0] == printed[1] != ""
