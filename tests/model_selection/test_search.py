"""The fused searches beside scikit-learn's own: every value but the times is equal to the bit."""

import re

import numpy as np
import pandas as pd
import pytest
from fused_searches import (
    REGS,
    X,
    assert_same,
    compare,
    describe,
    net,
    net_solvers,
    one_score,
    pipeline,
    scores_by_name,
    y,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from joblib import parallel_backend
from numpy.testing import assert_array_equal
from scipy.stats import loguniform, randint
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    PredefinedSplit,
    RandomizedSearchCV,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV, FusedRandomizedSearchCV

# for fits whose end at `max_iter` is beside the point
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def on_net(grid):
    return {f"net__{name}": values for name, values in grid.items()}


def widest(results):
    """Choose by something else than the best score."""
    return int(np.argmax(results["mean_fit_time"] > 0) + len(results["params"]) - 1)


# --- equality ----------------------------------------------------------------------------


@pytest.mark.parametrize("in_pipeline", [False, True])
@pytest.mark.parametrize(
    "args",
    [
        {},
        {"scoring": "accuracy"},
        {"scoring": "neg_log_loss"},
        {"scoring": make_scorer(f1_score, average="macro")},
        {"scoring": one_score},
        {"scoring": scores_by_name, "refit": "loss"},
        {"scoring": scores_by_name, "refit": False},
        {"scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss"},
        {"scoring": ("accuracy", "roc_auc_ovr"), "refit": False},
        {"scoring": {"a": "accuracy", "f": make_scorer(f1_score, average="macro")}, "refit": "f"},
        {"scoring": {"a": "accuracy", "l": "neg_log_loss"}, "refit": widest},
        {"refit": False},
        {"refit": widest},
        {"return_train_score": True},
        {"scoring": ["accuracy", "neg_log_loss"], "refit": "accuracy", "return_train_score": True},
        {"cv": 4},
        {"cv": None},
        {"cv": ShuffleSplit(3, random_state=1)},
        {"cv": StratifiedKFold(3, shuffle=True, random_state=2)},
        {"cv": PredefinedSplit(np.arange(len(y)) % 3 - 1)},
        {"cv": lambda: iter(KFold(3).split(X))},
        {"cv": [([*range(60)], [*range(60, 90)]), ([*range(30, 90)], [*range(30)])]},
        {"pre_dispatch": 1},
    ],
    ids=describe,
)
def test_search_arguments(in_pipeline, args):
    grid = {"reg": REGS, "hidden_size": [3, 6]}
    if in_pipeline:
        compare(pipeline(), on_net(grid), **args)
    else:
        compare(net(), grid, **args)


GRIDS = {
    "hidden_size": {"hidden_size": [1, 3, 8], "reg": REGS},
    "numpy hidden_size": {"hidden_size": np.arange(1, 4), "reg": np.logspace(-3, 0, 3)},
    "learning_rate": {"learning_rate": [1e-3, 1e-2, "auto"], "reg": REGS},
    "momentum": {"momentum": [0, 0.5, 0.9], "solver": ["sgd"], "reg": REGS},
    "activation": {"activation": ["relu", "tanh", "logistic"], "reg": REGS},
    "init": {"init": ["auto", "he", 0.1, lambda rng, m, n: rng.uniform(size=(m, n))]},
    "solver": {"solver": net_solvers(), "reg": REGS},
    "class_weight": {"class_weight": [None, "balanced", {0: 1, 1: 2, 2: 0.5}], "reg": REGS},
    "batch_size": {"batch_size": [7, 20, "auto"], "reg": REGS},
    "max_iter": {"max_iter": [1, 5], "reg": REGS},
    "random_state": {"random_state": [0, 1, np.random.RandomState(3)], "reg": REGS},
    "schedule": {"schedule": ["constant", "plateau", lambda p: 1 - p / 2], "reg": REGS},
    "early_stopping": {"early_stopping": [True, False], "n_iter_no_change": [1], "reg": REGS},
    "shuffle": {"shuffle": [True, False], "reg": REGS},
    "list of grids": [{"reg": REGS}, {"hidden_size": [2], "learning_rate": [0.1]}, {}],
    "one": {"reg": [0.1]},
    "none": {},
    "ties": {"reg": [0.1, 0.1, 0.1], "hidden_size": [3, 3]},
}


@pytest.mark.parametrize("in_pipeline", [False, True])
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_grids_over_the_net(in_pipeline, grid):
    grids = grid if isinstance(grid, list) else [grid]
    grids = [{k: v for k, v in g.items() if k in net().get_params()} for g in grids]
    if in_pipeline:
        compare(pipeline(), [on_net(g) for g in grids])
    else:
        compare(net(), grids if isinstance(grid, list) else grids[0])


@pytest.mark.parametrize(
    "solver", sorted(SoftmaxClassifier._parameter_constraints["solver"][0].options)
)
def test_softmax(solver):
    softmax = SoftmaxClassifier(solver=solver, max_iter=20, batch_size=16, random_state=0)
    compare(softmax, {"reg": REGS, "class_weight": [None, "balanced"]})


@pytest.mark.parametrize("solver", net_solvers())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_solvers_and_dtypes(solver, dtype):
    model = pipeline(net(solver=solver, max_iter=10))
    compare(model, {"net__reg": REGS, "net__hidden_size": [2, 5]}, X.astype(dtype))


@pytest.mark.parametrize(
    "grid",
    [
        {"scaler__with_mean": [True, False], "net__reg": REGS},
        {"scaler": [StandardScaler(), MinMaxScaler(), "passthrough"], "net__reg": REGS},
        [
            {"scaler": [MinMaxScaler()], "scaler__feature_range": [(0, 1), (-1, 1)]},
            {"net__reg": REGS},
        ],
        {"net": [net(), SoftmaxClassifier(), GaussianNB()]},
        [
            {"net": [net(hidden_size=3), SoftmaxClassifier(solver="adam")], "net__reg": REGS},
            {"net": [GaussianNB()], "net__var_smoothing": [1e-9, 1]},
        ],
        {"memory": [None], "net__reg": REGS},
        {"steps": [[("a", MinMaxScaler()), ("b", net())], [("b", net(reg=0.1))]]},
    ],
    ids=describe,
)
def test_grids_over_the_pipeline(grid):
    compare(pipeline(), grid)


@pytest.mark.parametrize(
    "model",
    [
        Pipeline([("net", net())]),
        Pipeline([("scaler", "passthrough"), ("net", net())]),
        Pipeline([("select", SelectKBest(k=2)), ("pca", PCA(2, random_state=0)), ("net", net())]),
        Pipeline([("inner", pipeline()), ("net", net())][1:]),
        Pipeline([("scaler", StandardScaler()), ("net", pipeline())]),
    ],
    ids=describe,
)
def test_shapes_of_pipelines(model):
    name = "net__net__reg" if isinstance(model[-1], Pipeline) else "net__reg"
    compare(model, {name: REGS})


def test_subclasses_are_fitted_as_they_wish():
    class ConstantPipeline(Pipeline):
        def predict(self, X):
            return np.zeros(len(X), int)

    class ConstantNet(TwoLayerNetClassifier):
        def predict(self, X):
            return np.zeros(len(X), int)

    class LoudNet(TwoLayerNetClassifier):
        def fit(self, X, y):
            return super().fit(X, y, sample_weight=1 + (y == 0))

    compare(ConstantPipeline(pipeline().steps), {"net__reg": REGS})
    for model in (ConstantNet(max_iter=3, random_state=0), LoudNet(max_iter=3, random_state=0)):
        compare(model, {"reg": REGS})


def test_other_estimators():
    compare(GaussianNB(), {"var_smoothing": [1e-9, 1]})
    compare(pipeline(GaussianNB()), {"net__var_smoothing": [1e-9, 1]})
    searches = [
        search_class(KernelDensity(), {"bandwidth": [0.5, 1]}, cv=3).fit(X)
        for search_class in (FusedGridSearchCV, GridSearchCV)
    ]
    assert_same(*searches)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["a", "b", "c"])[y],
        np.array(["a", "b", "c"], dtype=object)[y],
        y.astype(float),
        y == 0,
        y.tolist(),
        pd.Series(y),
        pd.Series(np.array(["a", "b", "c"])[y], dtype="category"),
    ],
    ids=lambda labels: f"{type(labels).__name__} {getattr(labels, 'dtype', '')}",
)
def test_labels(labels):
    compare(pipeline(), {"net__reg": REGS}, y=labels)


def test_containers():
    frame = pd.DataFrame(X, columns=list("abcd"))
    search = compare(pipeline(), {"net__reg": REGS}, frame)
    assert search.feature_names_in_.tolist() == list("abcd")
    compare(net(), {"reg": REGS}, frame)
    compare(net(), {"reg": REGS}, X.tolist())
    compare(net(), {"reg": REGS}, np.asfortranarray(X))


@pytest.mark.parametrize("stopping", [{"early_stopping": True}, {"schedule": "constant"}])
def test_candidates_that_stop_at_different_epochs(stopping):
    model = net(max_iter=60, n_iter_no_change=2, tol=1e-3, **stopping)
    compare(pipeline(model), {"net__reg": [1e-4, 1e-2, 1, 10], "net__learning_rate": [0.1, 1e-3]})


def test_gradient_reaches_tol_in_some_candidates_before_others():
    model = net(solver="gd", max_iter=300, tol=1e-2)
    compare(pipeline(model), {"net__reg": [1e-3, 1, 10]})


@pytest.mark.parametrize(
    ("backend", "n_jobs"), [("loky", 2), ("threading", 1), ("threading", 3), ("threading", 16)]
)
def test_jobs(backend, n_jobs):
    grid = {
        "net__reg": REGS,
        "net__hidden_size": [2, 3],
        "scaler": [MinMaxScaler(), "passthrough"],
    }
    with parallel_backend(backend, n_jobs=n_jobs):
        compare(pipeline(), grid, cv=2)
        compare(net(), {"reg": REGS, "solver": ["adam", "lbfgs"]}, cv=2, scoring=one_score)


def test_jobs_without_a_backend():
    compare(pipeline(), [{"net__reg": REGS}, {"net": [net(), GaussianNB()]}], n_jobs=2)


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_grid(data):
    draw = data.draw
    n_samples, n_features = draw(st.integers(30, 60)), draw(st.integers(1, 6))
    rng = np.random.RandomState(draw(st.integers(0, 1000)))
    n_classes = draw(st.integers(2, 4))
    X = rng.standard_normal((n_samples, n_features)).astype(draw(st.sampled_from(["f4", "f8"])))
    y = np.arange(n_samples) % n_classes
    choices = {
        "hidden_size": st.integers(1, 9),
        "reg": st.floats(0, 2),
        "learning_rate": st.floats(1e-4, 0.5),
        "momentum": st.floats(0, 0.99),
        "solver": st.sampled_from(["gd", "sgd", "adam"]),
        "activation": st.sampled_from(["relu", "tanh", "gelu"]),
        "batch_size": st.integers(1, 40),
        "max_iter": st.integers(1, 6),
        "early_stopping": st.booleans(),
        "class_weight": st.sampled_from([None, "balanced"]),
        "random_state": st.integers(0, 2),
    }
    names = draw(st.lists(st.sampled_from(sorted(choices)), min_size=1, max_size=3, unique=True))
    grid = {
        f"net__{name}": draw(st.lists(choices[name], min_size=1, max_size=3)) for name in names
    }
    args = draw(
        st.sampled_from(
            [{}, {"scoring": "neg_log_loss"}, {"return_train_score": True}, {"error_score": 0}]
        )
    )
    fit_params = draw(
        st.sampled_from([{}, {"net__sample_weight": rng.uniform(0.1, 1, n_samples)}])
    )
    model = pipeline(net(validation_fraction=0.3))
    compare(model, grid, X, y, fit_params=fit_params, cv=draw(st.integers(2, 3)), **args)


def test_randomized_search():
    spaces = [
        {"net__reg": loguniform(1e-5, 1), "net__hidden_size": randint(2, 4)},
        {"net__reg": REGS, "net__hidden_size": [2, 3]},
    ]
    for space in spaces:
        searches = [
            search_class(pipeline(), space, n_iter=5, cv=3, random_state=0).fit(X, y)
            for search_class in (FusedRandomizedSearchCV, RandomizedSearchCV)
        ]
        assert_same(*searches)


def test_constructors_are_those_of_scikit_learn():
    for ours, theirs in (
        (FusedGridSearchCV, GridSearchCV),
        (FusedRandomizedSearchCV, RandomizedSearchCV),
    ):
        assert issubclass(ours, theirs)
        assert ours._get_param_names() == theirs._get_param_names()
        assert ours.__init__ is theirs.__init__


def test_search_within_a_search_and_refitted():
    search = FusedGridSearchCV(pipeline(), {"net__reg": REGS}, cv=3)
    theirs = GridSearchCV(pipeline(), {"net__reg": REGS}, cv=3)
    assert_array_equal(cross_val_score(search, X, y, cv=2), cross_val_score(theirs, X, y, cv=2))
    search.fit(X, y)
    assert_same(search.fit(X, y), theirs.fit(X, y))


# --- faults ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"param_grid": []}, "No fits|Nothing to fit"),
        ({"scoring": ["accuracy", "f1"]}, "refit must be set"),
        ({"refit": 3.5}, "refit"),
        ({"error_score": "nonsense"}, "error_score"),
        ({"cv": []}, "No fits|Nothing to fit|empty|at least one"),
    ],
)
def test_wrong_arguments_of_the_search(args, message):
    args = {"param_grid": {"reg": REGS}} | args
    for search_class in (FusedGridSearchCV, GridSearchCV):
        with pytest.raises(ValueError, match=message):
            search_class(net(), **args).fit(X, y)


class Miscounting(KFold):
    """Gives a split less than it says."""

    def get_n_splits(self, X=None, y=None, groups=None):
        return super().get_n_splits() + 1


@pytest.mark.parametrize(
    "args",
    [
        {"param_grid": []},
        {"cv": []},
        {"cv": lambda: iter([])},
        {"param_grid": [], "cv": []},
        {"cv": Miscounting(3)},
        {"cv": 1},
        {"cv": 100},
        {"cv": "nonsense"},
    ],
    ids=describe,
)
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_messages_on_wrong_splits_and_grids(args, in_pipeline):
    model, grid = (pipeline(), on_net({"reg": REGS})) if in_pipeline else (net(), {"reg": REGS})
    messages = []
    for search_class in (FusedGridSearchCV, GridSearchCV):
        own = {"param_grid": grid} | args
        if isinstance(own.get("cv"), type(compare)):
            own["cv"] = own["cv"]()
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            search_class(model, **own).fit(X, y)
        message = str(caught.value).replace(search_class.__name__, "search")
        messages.append(message.replace("get_n_splits returned", "get_n_splits return"))
    assert messages[0] == messages[1]


def test_no_trace_in_what_was_passed():
    model, grid = pipeline(), {"scaler": [StandardScaler(), MinMaxScaler()], "net__reg": REGS}
    FusedGridSearchCV(model, grid, cv=3).fit(X, y)
    for estimator in (model[0], model[-1], *grid["scaler"]):
        assert not hasattr(estimator, "n_features_in_")
    check_is_fitted(FusedGridSearchCV(model, grid, cv=3).fit(X, y).best_estimator_[-1])


# --- other machines ----------------------------------------------------------------------


@pytest.mark.parametrize("processes", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_dask_cluster(processes):
    distributed = pytest.importorskip("distributed")
    grid = {"net__reg": REGS, "net__hidden_size": [2, 3]}
    expected = GridSearchCV(pipeline(), grid, cv=3).fit(X, y)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=processes, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        parallel_backend("dask"),
    ):
        assert_same(FusedGridSearchCV(pipeline(), grid, cv=3).fit(X, y), expected)


# --- what is shown -----------------------------------------------------------------------


def printed_lines(capsys, search_class, model, grid, **args):
    search_class(model, grid, cv=3, **args).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    return sorted(
        re.sub(r"\.*( total time=).*", r"\1", re.sub(r"\.{2,} ?", ".. ", line)) for line in lines
    )


@pytest.mark.parametrize("verbose", [0, 1, 2, 3, 10])
@pytest.mark.parametrize(
    "args",
    [
        {},
        {"return_train_score": True},
        {"scoring": ["accuracy", "neg_log_loss"], "refit": False},
        {"scoring": ["accuracy", "neg_log_loss"], "refit": False, "return_train_score": True},
    ],
    ids=describe,
)
def test_verbose(capsys, verbose, args):
    grid = {"net__reg": REGS, "net__hidden_size": [2, 3]}
    ours, theirs = (
        printed_lines(capsys, search_class, pipeline(), grid, verbose=verbose, **args)
        for search_class in (FusedGridSearchCV, GridSearchCV)
    )
    assert ours == theirs
    assert bool(ours) == bool(verbose)
