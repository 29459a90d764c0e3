"""What the candidates of a fused search share, and what they do not."""

import pickle
import re
import signal
import time
import warnings
from inspect import getsourcelines
from io import BytesIO
from threading import Barrier, Lock, Timer, get_ident
from threading import enumerate as enumerate_threads
from typing import ClassVar

import numpy as np
import pytest
from fused_searches import (
    REGS,
    WEIGHTS,
    X,
    assert_same,
    assert_same_results,
    compare,
    describe,
    fit_both,
    net,
    net_solvers,
    one_score,
    pipeline,
    scores_by_name,
    y,
)
from joblib import parallel_backend
from scipy.stats import loguniform, randint
from sklearn import config_context, get_config
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.feature_selection import SelectKBest, mutual_info_classif
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, ShuffleSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._base import NetClassifier
from sklearn_toynn._blas import single_threaded_blas
from sklearn_toynn.model_selection import (
    FusedGridSearchCV,
    FusedRandomizedSearchCV,
    _search,
)

# for fits whose end at `max_iter` is beside the point
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# --- what only shows where something is shared -------------------------------------------


class WritingScaler(StandardScaler):
    """Writes to all that it gets, in `fit` too, and counts how often it transforms."""

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


every_scoring = pytest.mark.parametrize(
    "args",
    [
        {},
        {"scoring": "neg_log_loss"},
        {"scoring": ["accuracy", "neg_log_loss"]},
        {"scoring": make_scorer(f1_score, average="macro")},
        {"scoring": scores_by_name},
        {"scoring": shifting_score},
    ],
    ids=describe,
)
# what is refitted may write to all rows
without_refit = {"refit": False}


@every_scoring
@pytest.mark.parametrize("return_train_score", [False, True])
@pytest.mark.parametrize("scaler", [StandardScaler(copy=False), WritingScaler()], ids=describe)
def test_steps_that_write_to_their_rows(scaler, return_train_score, args):
    model = Pipeline([("scaler", scaler), ("net", net(max_iter=20))])
    grid = [
        {"net__reg": REGS, "net__hidden_size": [3, 4]},
        {"net": [GaussianNB(), SoftmaxClassifier()]},
    ]
    compare(model, grid, return_train_score=return_train_score, **without_refit, **args)


@every_scoring
def test_scorers_that_write(args):
    args = args | without_refit | {"return_train_score": True}
    compare(net(), {"reg": REGS, "hidden_size": [3, 4]}, **args)
    compare(pipeline(), {"net__reg": REGS, "scaler__with_mean": [True]}, **args)


def test_steps_that_cannot_be_copied():
    class LockedScaler(StandardScaler):
        def fit(self, X, y=None):
            self.lock_ = Lock()
            return super().fit(X, y)

    model = Pipeline([("scaler", LockedScaler()), ("net", net())])
    for scoring in (None, one_score):
        compare(model, {"net__reg": REGS}, scoring=scoring)


@pytest.mark.parametrize("solver", [["adam"], {"adam": 1}, np.array(["adam"])], ids=describe)
def test_solver_that_has_no_hash(solver):
    searches, (ours, theirs) = fit_both(net(), {"solver": [solver, "adam"], "reg": REGS})
    assert_same(*searches)
    failures = [
        [re.sub(r"line \d+", "", text) for kind, text in caught if kind is FitFailedWarning]
        for caught in (ours, theirs)
    ]
    assert failures[0] == failures[1]
    assert "The 'solver' parameter of TwoLayerNetClassifier must be" in failures[0][0]


def test_parameters_that_are_set_in_a_way_of_its_own():
    class LogNet(TwoLayerNetClassifier):
        def set_params(self, **params):
            if "reg" in params:
                params["reg"] = 10.0 ** params["reg"]
            return super().set_params(**params)

    class RoundNet(TwoLayerNetClassifier):
        def __setstate__(self, state):
            super().__setstate__(state | {"reg": 1.0})

        def get_params(self, deep=True):
            return super().get_params(deep) | {"max_iter": 3}

    for net_class in (LogNet, RoundNet):
        model = net_class(4, max_iter=4, random_state=0)
        compare(model, {"reg": [-4, -2, 1]} if net_class is LogNet else {"reg": REGS})


def test_a_constructor_with_fewer_parameters():
    class SmallNet(TwoLayerNetClassifier):
        def __init__(self, reg=1e-3, *, random_state=0):
            super().__init__(3, reg, max_iter=4, random_state=random_state)

    compare(SmallNet(), {"reg": REGS})


def noisy(X):
    return X + np.random.normal(size=X.shape)


GLOBAL_DRAWS = {
    "net": (net(random_state=None), {"reg": REGS, "hidden_size": [3, 4]}),
    "net, all solvers": (net(random_state=None), {"solver": net_solvers()}),
    "net, some seeded": (net(), {"random_state": [0, None, 1], "reg": REGS}),
    "softmax": (
        SoftmaxClassifier(random_state=None, max_iter=4, early_stopping=True),
        {"solver": ["newton", "sgd", "gd"], "reg": REGS},
    ),
    "in a pipeline": (pipeline(net(random_state=None)), {"net__reg": REGS}),
    "step": (
        Pipeline([("svd", TruncatedSVD(2, n_iter=1)), ("net", net())]),
        {"net__reg": REGS, "svd__n_components": [1, 2]},
    ),
    "some steps": (
        Pipeline([("step", StandardScaler()), ("net", net())]),
        {"step": [StandardScaler(), TruncatedSVD(2, n_iter=1)], "net__random_state": [None, 0]},
    ),
    "without a parameter": (
        Pipeline([("select", SelectKBest(mutual_info_classif, k=2)), ("net", net())]),
        {"net__reg": REGS},
    ),
    "transform": (
        Pipeline([("noise", FunctionTransformer(noisy)), ("net", net())]),
        {"net__reg": REGS},
    ),
    "last step": (
        pipeline(RandomForestClassifier(3)),
        {"net__max_depth": [1, 2], "scaler": [StandardScaler(), "passthrough"]},
    ),
}


@pytest.mark.parametrize("scoring", [None, one_score])
@pytest.mark.parametrize(("model", "grid"), GLOBAL_DRAWS.values(), ids=GLOBAL_DRAWS)
def test_draws_from_the_global_stream(model, grid, scoring):
    searches, draws = [], []
    for search_class in (FusedGridSearchCV, GridSearchCV):
        cv = ShuffleSplit(2, random_state=None)
        np.random.seed(0)
        searches.append(search_class(model, grid, cv=cv, scoring=scoring).fit(X, y))
        # which the steps of some may draw for, too
        draws.append([*searches[-1].predict_proba(X).ravel(), np.random.uniform()])
    assert_same_results(*(search.cv_results_ for search in searches))
    assert draws[0] == draws[1]


def test_settings_drawn_from_the_global_stream():
    space = {"net__reg": loguniform(1e-5, 1), "net__hidden_size": randint(2, 4)}
    searches = []
    for search_class in (FusedRandomizedSearchCV, RandomizedSearchCV):
        np.random.seed(0)
        model = pipeline(net(random_state=None))
        searches.append(search_class(model, space, n_iter=4, cv=2).fit(X, y))
    assert_same(*searches)


# --- what is shared, and what is not -----------------------------------------------------


class CountingScaler(StandardScaler):
    """Notes each call of `fit` and of `transform`."""

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


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    ("grid", "n_settings"),
    [
        ({"net__reg": REGS, "net__hidden_size": [2, 3]}, 1),
        ({"net__reg": REGS, "net__solver": ["adam", "lbfgs"]}, 1),
        ({"scaler__with_mean": [True, False], "net__reg": REGS}, 2),
        ({"net": [net(), SoftmaxClassifier()]}, 1),
    ],
)
def test_preprocessing_is_fitted_once_per_fold_and_setting(calls, grid, n_settings, n_jobs):
    model = Pipeline([("scaler", CountingScaler()), ("net", net())])
    with parallel_backend("threading", n_jobs=n_jobs):
        FusedGridSearchCV(model, grid, cv=3, refit=False).fit(X, y)
    assert sorted(calls) == sorted(
        3 * n_settings * [("fit", 60), ("transform", 60)] + 3 * n_settings * [("transform", 30)]
    )


class NamedPipeline(Pipeline):
    """A pipeline with its own constructor, and a method that scikit-learn's does not have."""

    def __init__(self, steps, *, title="", transform_input=None, memory=None, verbose=False):
        super().__init__(steps, transform_input=transform_input, memory=memory, verbose=verbose)
        self.title = title

    def describe(self):
        return f"{self.title}: {self[-1]}"


def fit_unless_transform_input(pipeline, X, y=None, *, fit=Pipeline.fit, **params):
    """Fit as scikit-learn 1.10 does, which refuses no default without metadata routing."""
    original = pipeline.transform_input
    if original == ("X_val",) and not get_config()["enable_metadata_routing"]:
        pipeline.transform_input = None
    try:
        return fit(pipeline, X, y, **params)
    finally:
        pipeline.transform_input = original


@pytest.fixture(params=[None, ("X_val",)], ids=["None", "X_val"])
def transform_input(request, monkeypatch):
    """Set the default of scikit-learn before 1.10, and from then on."""
    monkeypatch.setitem(Pipeline.__init__.__kwdefaults__, "transform_input", request.param)
    monkeypatch.setitem(Pipeline._parameter_constraints, "transform_input", [list, tuple, None])
    monkeypatch.setattr(Pipeline, "fit", fit_unless_transform_input)
    return request.param


@pytest.mark.parametrize("is_routed", [False, True])
def test_either_default_of_transform_input(calls, transform_input, is_routed):
    model = Pipeline([("scaler", CountingScaler()), ("net", net())])
    assert model.transform_input == transform_input
    fit_params = {"net__sample_weight": WEIGHTS}
    with config_context(enable_metadata_routing=is_routed):
        if is_routed:
            model[-1].set_fit_request(X_val=True, y_val=True)
            fit_params = {"X_val": X[:9], "y_val": y[:9]}
        search = FusedGridSearchCV(model, {"net__reg": REGS}, cv=3, refit=False)
        search.fit(X, y, **fit_params)
        assert calls.count(("fit", 60)) == 3
        compare(model, {"net__reg": REGS}, fit_params=fit_params)


@pytest.mark.parametrize("transform_input", [["X_val"], ("X_val",)])
def test_transform_input_that_fit_refuses(transform_input):
    class Eager(Pipeline):
        def __init__(self, steps, *, transform_input=transform_input, memory=None, verbose=False):
            super().__init__(
                steps, transform_input=transform_input, memory=memory, verbose=verbose
            )

    for search_class in (FusedGridSearchCV, GridSearchCV):
        with pytest.raises(ValueError, match="fits failed"):
            search_class(Eager(pipeline().steps), {"net__reg": REGS}, cv=3).fit(X, y)


def test_pipelines_with_stock_methods_are_shared(calls):
    steps = [("scaler", CountingScaler()), ("net", net())]
    FusedGridSearchCV(NamedPipeline(steps), {"net__reg": REGS}, cv=3, refit=False).fit(X, y)
    assert calls.count(("fit", 60)) == 3
    for scoring in (None, one_score):
        grid = {"net__reg": REGS, "title": ["a", "b"]}
        compare(NamedPipeline(steps), grid, scoring=scoring, return_train_score=True)


@pytest.fixture
def shared_fits(monkeypatch):
    """Collect the settings of the candidates that share something, fit by fit."""
    settings, original = [], _search.SharedSplit.fit_and_score

    def fit_and_score(self, function, args, kwargs):
        settings.append(kwargs["parameters"])
        return original(self, function, args, kwargs)

    monkeypatch.setattr(_search.SharedSplit, "fit_and_score", fit_and_score)
    return settings


UNSEEDED = net(random_state=None)


@pytest.mark.parametrize(
    ("model", "grid", "n_shared", "n_shared_in_two_jobs"),
    [
        (net(), {"reg": REGS, "hidden_size": [2, 3]}, 6, 6),
        (net(), {"reg": REGS, "solver": ["adam", "lbfgs"]}, 6, 6),
        (UNSEEDED, {"reg": REGS}, 0, 3),
        (UNSEEDED, {"random_state": [0, None]}, 1, 2),
        (net(), {"init": [lambda rng, m, n: rng.uniform(size=(m, n)), "he"]}, 1, 2),
        (net(), {"schedule": [lambda progress: 1 - progress / 2, "cosine"]}, 1, 2),
        (SoftmaxClassifier(), {"solver": ["newton", "gd", "adam"]}, 2, 3),
        (SoftmaxClassifier(early_stopping=True), {"reg": REGS}, 0, 3),
        (Pipeline([("pca", PCA(2)), ("net", net())]), {"net__reg": REGS}, 3, 3),
        (pipeline(), {"net": [GaussianNB(), net(), pipeline(), "passthrough"]}, 1, 1),
        (pipeline(), {"memory": [None], "net__reg": REGS}, 0, 0),
        (pipeline(), {"steps": [[("net", net())]]}, 0, 0),
        (GaussianNB(), {"var_smoothing": [1e-9, 1]}, 0, 0),
    ],
    ids=describe,
)
def test_which_candidates_share(shared_fits, model, grid, n_shared, n_shared_in_two_jobs):
    args = {"cv": 2, "refit": False, "scoring": "accuracy"}
    if "passthrough" in grid.get("net", []):
        args["error_score"] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        FusedGridSearchCV(model, grid, **args).fit(X, y)
        assert len(shared_fits) == 2 * n_shared
        with parallel_backend("threading", n_jobs=2):
            FusedGridSearchCV(model, grid, **args).fit(X, y)
    assert len(shared_fits) == 2 * (n_shared + n_shared_in_two_jobs)


# --- threads -----------------------------------------------------------------------------


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
@pytest.mark.parametrize("scoring", [None, ["accuracy", "neg_log_loss"]])
def test_number_of_threads(monkeypatch, fits, n_jobs, n_blas_threads, n_threads, scoring):
    monkeypatch.setattr(single_threaded_blas, "n_threads", lambda: n_blas_threads)
    args = {"cv": 2, "n_jobs": n_jobs, "scoring": scoring, "refit": False}
    fits.together = Barrier(n_threads, timeout=60)
    with config_context(assume_finite=True), np.errstate(under="raise"):
        FusedGridSearchCV(pipeline(), {"net__reg": REGS}, **args).fit(X, y)
    threads, *settings = zip(*fits, strict=True)
    assert len(set(threads)) == n_threads
    assert [set(values) for values in settings] == [{True}, {"raise"}]


@pytest.mark.parametrize("limit", [1, 2])
def test_own_scorers_and_limited_searches_run_in_the_calling_thread(fits, limit):
    with threadpool_limits(limit, user_api="blas"):
        search = FusedGridSearchCV(net(), {"reg": REGS}, cv=2)
        search.set_params(scoring=one_score if limit > 1 else None).fit(X, y)
    assert {thread for thread, *_ in fits} == {get_ident()}


def test_warnings_of_threads_point_at_the_line_that_called(monkeypatch):
    monkeypatch.setattr(single_threaded_blas, "n_threads", lambda: 2)
    search = FusedGridSearchCV(net(tol=0, max_iter=2), {"learning_rate": [1e12, 1e11]}, cv=2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.set_params(n_jobs=2, refit=False).fit(X, y)
    assert len(caught) == 4
    here = getsourcelines(test_warnings_of_threads_point_at_the_line_that_called)[1] + 5
    assert {(w.filename, w.lineno, w.category) for w in caught} == {
        (__file__, here, ConvergenceWarning)
    }


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
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    assert time.perf_counter() - start < 20
    timer.join()
    signal.signal(signal.SIGINT, handler)
    assert threads.issuperset(enumerate_threads())
    assert [library["num_threads"] for library in threadpool_info()] == limits


# --- what others get to see --------------------------------------------------------------


def row_counts(estimator):
    """Return the first dimensions of the arrays in an estimator's pickle."""
    counts = set()

    class Pickler(pickle.Pickler):
        def reducer_override(self, value):
            if isinstance(value, np.ndarray) and value.ndim:
                counts.add(len(value))
            return NotImplemented

    Pickler(BytesIO()).dump(estimator)
    return counts


@pytest.mark.parametrize("args", [{}, {"scoring": one_score, "return_train_score": True}])
def test_no_public_fit_gets_something_that_keeps_rows(monkeypatch, tmp_path, args):
    """As an autologger would find, which stores each estimator once it is fitted."""
    stored = []
    for estimator_class in (Pipeline, StandardScaler, NetClassifier, GaussianNB):

        def fit(self, *args, original=estimator_class.fit, **kwargs):
            original(self, *args, **kwargs)
            stored.append((type(self), row_counts(self)))
            return self

        monkeypatch.setattr(estimator_class, "fit", fit)
    for memory in (None, str(tmp_path)):
        grid = [{"net__reg": REGS}, {"net": [SoftmaxClassifier(), GaussianNB()]}]
        FusedGridSearchCV(pipeline(memory=memory), grid, cv=3, **args).fit(X, y)
    assert {Pipeline, StandardScaler, GaussianNB} <= {kind for kind, _ in stored}
    assert not {30, 60, 90} & set().union(*(counts for _, counts in stored))


def test_cache_of_a_pipeline_is_that_of_its_own_fit(calls, tmp_path):
    model = Pipeline([("scaler", CountingScaler()), ("net", net())], memory=str(tmp_path))
    grid = {"net__reg": REGS, "scaler__with_mean": [True, False]}
    for search_class, n_fits in (
        (FusedGridSearchCV, 6),
        (FusedGridSearchCV, 0),
        (GridSearchCV, 0),
    ):
        calls.clear()
        search = search_class(model, grid, cv=3, refit=False).fit(X, y)
        assert sum(name == "fit" for name, _ in calls) == n_fits
    compare(Pipeline(model.steps), grid, refit=False)
    plain = GridSearchCV(Pipeline(model.steps), grid, cv=3, refit=False).fit(X, y)
    assert_same_results(search.cv_results_, plain.cv_results_)


@pytest.mark.parametrize("in_grid", [False, True])
def test_verbose_pipeline_prints_what_it_fits(capsys, in_grid):
    grid = {"net__reg": REGS} | ({"verbose": [True]} if in_grid else {})
    FusedGridSearchCV(pipeline(verbose=not in_grid), grid, cv=2, refit=False).fit(X, y)
    lines = [re.sub(r"\.+|, total.*", "", line) for line in capsys.readouterr().out.splitlines()]
    step = "[Pipeline]  (step {} of 2) Processing {}".format
    assert sorted(lines) == 2 * [step(1, "scaler")] + 6 * [step(2, "net")]
