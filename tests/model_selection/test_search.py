"""Fused searches give the results of scikit-learn's searches bit for bit, except for times."""

import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
from fused_searches import (
    REGS,
    WEIGHTS,
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
from joblib import parallel_backend
from numpy.testing import assert_array_equal
from scipy.sparse import csc_matrix
from scipy.stats import loguniform, randint
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.metrics import accuracy_score, f1_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    PredefinedSplit,
    RandomizedSearchCV,
    ShuffleSplit,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV, FusedRandomizedSearchCV

# for tests in which reaching `max_iter` does not matter
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def on_net(grid):
    return {f"net__{name}": values for name, values in grid.items()}


def widest(results):
    """Choose a candidate, but not by the best score."""
    return int(np.argmax(results["mean_fit_time"] > 0) + len(results["params"]) - 1)


# --- equality ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        {"scoring": "neg_log_loss", "refit": widest},
        {"scoring": make_scorer(f1_score, average="macro"), "refit": False},
        {"scoring": one_score},
        {"scoring": scores_by_name, "refit": "loss"},
        {"scoring": ("accuracy", "roc_auc_ovr"), "refit": False},
        {"scoring": make_scorer(accuracy_score, normalize=False), "return_train_score": True},
        {"scoring": make_scorer(accuracy_score, greater_is_better=False)},
        {"scoring": ["accuracy", "neg_log_loss"], "refit": "accuracy", "return_train_score": True},
        {"return_train_score": True, "pre_dispatch": 1},
    ],
    ids=describe,
)
def test_scoring_and_refit_as_in_grid_search(args):
    compare(pipeline(), on_net({"reg": REGS, "hidden_size": [3, 6]}), **args)


@pytest.mark.parametrize(
    "cv",
    [
        4,
        None,
        ShuffleSplit(3, random_state=1),
        PredefinedSplit(np.arange(len(y)) % 3 - 1),
        lambda: iter(KFold(3).split(X)),
        [([*range(60)], [*range(60, 90)]), ([*range(30, 90)], [*range(30)])],
    ],
    ids=describe,
)
def test_splits_as_in_grid_search(cv):
    compare(net(), {"reg": REGS, "hidden_size": [3, 6]}, cv=cv, return_train_score=True)


GRIDS = [
    {"hidden_size": np.arange(1, 3), "reg": np.logspace(-3, 0, 2)},
    {"init": ["auto", 0.1, lambda rng, m, n: rng.uniform(size=(m, n))]},
    {"solver": net_solvers(), "class_weight": [None, "balanced", {0: 1, 1: 2, 2: 0.5}]},
    {"batch_size": [7, "auto"], "max_iter": [1, 5]},
    {"random_state": [0, 1, np.random.RandomState(3)]},
    {"schedule": ["constant", "plateau", lambda p: 1 - p / 2]},
    {"early_stopping": [True, False], "n_iter_no_change": [1], "shuffle": [True, False]},
    {"reg": [0.1, 0.1], "hidden_size": [3, 3]},
    {},
]


def test_parameters_of_a_net():
    compare(net(), GRIDS, X.astype(np.float32), cv=2)
    compare(pipeline(), [on_net(grid) for grid in GRIDS], cv=2)


def test_every_solver_of_the_linear_model():
    solvers = sorted(SoftmaxClassifier._parameter_constraints["solver"][0].options)
    softmax = SoftmaxClassifier(max_iter=20, batch_size=16, random_state=0)
    compare(softmax, {"solver": solvers, "reg": REGS, "class_weight": [None, "balanced"]})


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
def test_grids_over_the_steps_of_a_pipeline(grid):
    compare(pipeline(), grid)


@pytest.mark.parametrize(
    "steps",
    [
        [("net", net())],
        [("scaler", "passthrough"), ("net", net())],
        [("select", SelectKBest(k=2)), ("inner", make_pipeline(PCA(2))), ("net", net())],
        [("scaler", StandardScaler()), ("net", pipeline())],
    ],
    ids=describe,
)
def test_shapes_of_pipelines(steps):
    name = "net__net__reg" if isinstance(steps[-1][1], Pipeline) else "net__reg"
    compare(Pipeline(steps), {name: REGS})


class ConstantNet(TwoLayerNetClassifier):
    def predict(self, X):
        return np.zeros(len(X), int)


class ConstantPipeline(Pipeline):
    def predict(self, X):
        return np.zeros(len(X), int)


def test_subclasses_run_their_own_methods():
    compare(ConstantNet(4, max_iter=4, random_state=0), {"reg": REGS})
    compare(ConstantPipeline(pipeline().steps), {"net__reg": REGS}, scoring="accuracy")


def test_an_estimator_without_labels():
    searches = [
        search_class(KernelDensity(), {"bandwidth": [0.5, 1]}, cv=3).fit(X)
        for search_class in (FusedGridSearchCV, GridSearchCV)
    ]
    assert_same(*searches)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["a", "b", "c"], dtype=object)[y],
        y.astype(float),
        y == 0,
        y.tolist(),
        pd.Series(np.array(["a", "b", "c"])[y], dtype="category"),
    ],
    ids=lambda labels: f"{type(labels).__name__} {getattr(labels, 'dtype', '')}",
)
def test_labels(labels):
    compare(pipeline(), {"net__reg": REGS}, y=labels)


@pytest.mark.parametrize(
    "container",
    [partial(pd.DataFrame, columns=list("abcd")), np.ndarray.tolist, csc_matrix],
)
def test_containers(container):
    compare(net(), {"reg": REGS}, container(X))


@pytest.mark.parametrize(("backend", "n_jobs"), [("loky", 2), ("threading", 3)])
def test_jobs_of_a_backend(backend, n_jobs):
    grid = {
        "net__reg": REGS,
        "net__hidden_size": [2, 3],
        "scaler": [MinMaxScaler(), "passthrough"],
    }
    with parallel_backend(backend, n_jobs=n_jobs):
        compare(pipeline(), grid, cv=2)
        compare(net(), {"reg": REGS, "solver": ["adam", "lbfgs"]}, cv=2, scoring=one_score)


def test_randomized_search():
    space = {"net__reg": loguniform(1e-5, 1), "net__hidden_size": randint(2, 4)}
    searches = [
        search_class(pipeline(), space, n_iter=5, cv=2, random_state=0).fit(X, y)
        for search_class in (FusedRandomizedSearchCV, RandomizedSearchCV)
    ]
    assert_same(*searches)
    assert FusedGridSearchCV.__init__ is GridSearchCV.__init__
    assert FusedRandomizedSearchCV.__init__ is RandomizedSearchCV.__init__


def test_nested_search_with_refit():
    search = FusedGridSearchCV(pipeline(), {"net__reg": REGS}, cv=3)
    theirs = GridSearchCV(pipeline(), {"net__reg": REGS}, cv=3)
    assert_array_equal(cross_val_score(search, X, y, cv=2), cross_val_score(theirs, X, y, cv=2))
    search.fit(X, y)
    assert_same(search.fit(X, y), theirs.fit(X, y))


# --- faults ------------------------------------------------------------------------------


class Miscounting(KFold):
    """Yields one split less than `get_n_splits` returns."""

    def get_n_splits(self, X=None, y=None, groups=None):
        return super().get_n_splits() + 1


@pytest.mark.parametrize(
    ("grid", "args", "fit_params"),
    [
        ({"nonsense": [1]}, {}, {}),
        ({"net__reg": REGS}, {"scoring": ["accuracy", "f1"]}, {}),
        ({"net__reg": REGS}, {"error_score": "nonsense"}, {}),
        ({"net__reg": REGS}, {"cv": []}, {}),
        ({"net__reg": REGS}, {"cv": Miscounting(3)}, {}),
        ({"net__reg": REGS}, {"cv": 100}, {}),
        ({"net__reg": [-1, -2]}, {}, {}),
        ({"net__reg": [0.1, -1]}, {"error_score": "raise"}, {}),
        # no preprocessing can be shared
        ({"scaler__with_mean": ["no"], "net__reg": REGS}, {}, {}),
        ({"memory": [3], "net__reg": REGS}, {}, {}),
        ({"transform_input": [["X_val"]], "net__reg": REGS}, {}, {}),
        ({"net__reg": REGS}, {}, {"sample_weight": WEIGHTS}),
        ({"net__reg": REGS}, {}, {"scaler__nonsense": 1}),
    ],
    ids=describe,
)
def test_errors_equal_the_errors_of_grid_search(grid, args, fit_params):
    messages = []
    for search_class in (FusedGridSearchCV, GridSearchCV):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            search_class(pipeline(), grid, **({"cv": 3} | args)).fit(X, y, **fit_params)
        message = str(caught.value).replace(search_class.__name__, "search")
        # `fit` is called in two places of scikit-learn, one of them with callbacks
        message = re.sub(r"line \d+", "", message)
        messages.append(message.replace("get_n_splits returned", "get_n_splits return"))
    assert messages[0] == messages[1]


def test_arguments_are_not_changed():
    model, grid = pipeline(), {"scaler": [StandardScaler(), MinMaxScaler()], "net__reg": REGS}
    check_is_fitted(FusedGridSearchCV(model, grid, cv=3).fit(X, y).best_estimator_[-1])
    for estimator in (model[0], model[-1], *grid["scaler"]):
        assert not hasattr(estimator, "n_features_in_")


# --- printed progress -------------------------------------------------------------------


def printed_lines(capsys, search_class, model, grid, **args):
    """Return the lines without their times, which have a fixed width."""
    search_class(model, grid, cv=2, **args).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    return sorted((re.sub(r"( total time=).*", r"\1", line), len(line)) for line in lines)


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"return_train_score": True},
        {"scoring": ["accuracy", "neg_log_loss"], "return_train_score": True},
    ],
    ids=describe,
)
def test_printed_progress(capsys, args):
    grid = [{"net__reg": [0.1, 1], "net__hidden_size": [2]}, {}]
    for verbose in (0, 1, 2, 3, 10):
        ours, theirs = (
            printed_lines(
                capsys, search_class, pipeline(), grid, verbose=verbose, refit=False, **args
            )
            for search_class in (FusedGridSearchCV, GridSearchCV)
        )
        assert ours == theirs
        assert bool(ours) == bool(verbose)
