"""The fused searches beside scikit-learn's own: every value but the times is equal to the bit."""

import pickle
import re
import warnings
from io import BytesIO
from threading import Lock
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from numpy.testing import assert_array_equal
from scipy.stats import loguniform, randint
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import (
    ConvergenceWarning,
    FitFailedWarning,
    UnsetMetadataPassedError,
)
from sklearn.feature_selection import SelectKBest, mutual_info_classif
from sklearn.metrics import accuracy_score, f1_score, log_loss, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
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
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._base import NetClassifier
from sklearn_toynn._training import stacks
from sklearn_toynn._training.solvers import SOLVERS
from sklearn_toynn.model_selection import (
    FusedGridSearchCV,
    FusedRandomizedSearchCV,
    _pipeline_prefix,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"  # short fits, as this is about equality
)

X, y = load_iris(return_X_y=True)
ROWS = np.random.RandomState(0).permutation(len(y))[:90]
X, y = X[ROWS], y[ROWS]
WEIGHTS = np.random.RandomState(1).uniform(0.5, 2, len(y))
GROUPS = np.arange(len(y)) % 7
REGS = [1e-4, 1e-2, 1.0]

ATTRIBUTES = (
    "best_index_",
    "best_params_",
    "best_score_",
    "n_splits_",
    "multimetric_",
    "feature_names_in_",
    "n_features_in_",
    "classes_",
)


def describe(value):
    """Return a name for a parametrised test, without addresses."""
    return re.sub(r" at 0x\w+|\s+", "", str(value))[:50]


def net_solvers():
    return sorted(TwoLayerNetClassifier._parameter_constraints["solver"][0].options)


def net(**params):
    defaults = {"hidden_size": 4, "max_iter": 4, "batch_size": 16, "random_state": 0}
    return TwoLayerNetClassifier(**(defaults | params))


def pipeline(last=None, **params):
    steps = [("scaler", StandardScaler()), ("net", net() if last is None else last)]
    return Pipeline(steps, **params)


def on_net(grid):
    return {f"net__{name}": values for name, values in grid.items()}


def assert_same_results(fused, plain):
    assert list(fused) == list(plain)
    for name, values in plain.items():
        ours = fused[name]
        if name == "params":
            assert list(map(str, ours)) == list(map(str, values))
            continue
        assert type(ours) is type(values), name
        assert ours.dtype == values.dtype, name
        assert ours.shape == values.shape, name
        if name.endswith("_time"):
            assert (ours >= 0).all()
        elif isinstance(values, np.ma.MaskedArray):
            assert_array_equal(ours.mask, values.mask)
            assert list(map(str, ours)) == list(map(str, values))
        else:
            assert_array_equal(ours, values, name)


def assert_same(fused, plain, X=X):
    assert_same_results(fused.cv_results_, plain.cv_results_)
    for name in ATTRIBUTES:
        assert hasattr(fused, name) == hasattr(plain, name), name
        if hasattr(plain, name):
            assert str(getattr(fused, name)) == str(getattr(plain, name)), name
    assert str(fused.scorer_) == str(plain.scorer_)
    assert hasattr(fused, "refit_time_") == bool(plain.refit)
    if plain.refit:
        assert str(fused.best_estimator_) == str(plain.best_estimator_)
        if hasattr(plain, "predict_proba"):
            assert_array_equal(fused.predict_proba(X), plain.predict_proba(X))


def compare(estimator, grid, X=X, y=y, *, fit_params=None, **args):
    """Run both searches, assert that they agree, and return ours."""
    args = {"cv": 3} | args
    searches = []
    for search_class in (FusedGridSearchCV, GridSearchCV):
        cv = args["cv"]() if isinstance(args["cv"], type(compare)) else args["cv"]
        search = search_class(clone(estimator), grid, **(args | {"cv": cv}))
        searches.append(search.fit(X, y, **(fit_params or {})))
    assert_same(*searches, X=X)
    return searches[0]


def scores_by_name(estimator, X, y):
    proba = estimator.predict_proba(X)
    return {"loss": -log_loss(y, proba, labels=estimator.classes_), "top": proba.max()}


def one_score(estimator, X, y):
    return estimator.predict_proba(X)[:, 0].mean()


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


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_jobs(n_jobs):
    grid = {
        "net__reg": REGS,
        "net__hidden_size": [2, 3],
        "scaler": [MinMaxScaler(), "passthrough"],
    }
    compare(pipeline(), grid, n_jobs=n_jobs)
    compare(net(), {"reg": REGS, "solver": ["adam", "lbfgs"]}, n_jobs=n_jobs, cv=2)


@pytest.mark.parametrize("n_jobs", [1, 3, 16])
def test_more_jobs_than_folds(n_jobs):
    grid = {"net__reg": np.logspace(-4, 0, 9), "net__hidden_size": [2, 3]}
    with parallel_config("threading", n_jobs=n_jobs):
        compare(pipeline(), grid, cv=2)


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


class WritingNB(GaussianNB):
    """Writes to all that it gets."""

    def fit(self, X, y):
        super().fit(X, y)
        X *= 2
        y[:] = y[::-1]
        return self

    def predict(self, X):
        labels = super().predict(X)
        X += 1
        return labels


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
        {"net": [WritingNB(), GaussianNB(), SoftmaxClassifier()]},
    ]
    compare(model, grid, return_train_score=return_train_score, **without_refit, **args)


@every_scoring
def test_scorers_and_last_steps_that_write(args):
    args = args | without_refit | {"return_train_score": True}
    compare(net(), {"reg": REGS, "hidden_size": [3, 4]}, **args)
    compare(pipeline(), {"net__reg": REGS, "scaler__with_mean": [True]}, **args)
    model = pipeline(WritingNB(), memory=None)
    compare(model, {"net__var_smoothing": [1e-9, 1], "scaler": [StandardScaler()]}, **args)
    if args.get("scoring") is not shifting_score:
        model = Pipeline([("scaler", "passthrough"), ("net", net())])
        compare(model, {"net": [WritingNB(), net(), GaussianNB()]}, **args)


def test_rows_and_weights_that_are_written_to():
    class WeighingNB(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            super().fit(X, y, sample_weight)
            sample_weight[::2] = 0
            return self

    compare(
        pipeline(WeighingNB()),
        {"net__var_smoothing": [1e-9, 1e-3], "net": [WeighingNB(), WeighingNB()]},
        fit_params={"net__sample_weight": WEIGHTS},
        **without_refit,
    )


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


# --- what goes along with X and y --------------------------------------------------------


def test_groups():
    compare(net(), {"reg": REGS}, fit_params={"groups": GROUPS}, cv=GroupKFold(3))
    with config_context(enable_metadata_routing=True):
        compare(net(), {"reg": REGS}, fit_params={"groups": GROUPS}, cv=GroupKFold(3))


@pytest.mark.parametrize("scoring", [None, "accuracy", ["accuracy", "neg_log_loss"], one_score])
def test_sample_weight_without_routing(scoring):
    refit = "accuracy" if isinstance(scoring, list) else True
    args = {"scoring": scoring, "refit": refit, "return_train_score": True}
    with warnings.catch_warnings():
        # of scorers without weights, from scikit-learn 1.7 on
        warnings.filterwarnings("ignore", ".*does not support sample_weight", UserWarning)
        compare(net(), {"reg": REGS}, fit_params={"sample_weight": WEIGHTS}, **args)
    compare(pipeline(), {"net__reg": REGS}, fit_params={"net__sample_weight": WEIGHTS}, **args)


@pytest.mark.filterwarnings("ignore:Scoring failed", "ignore:One or more of the test scores")
@pytest.mark.parametrize("fit_request", [True, False])
@pytest.mark.parametrize("score_request", [True, False])
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_sample_weight_with_routing(fit_request, score_request, in_pipeline):
    with config_context(enable_metadata_routing=True):
        last = net().set_fit_request(sample_weight=fit_request)
        last.set_score_request(sample_weight=score_request)
        scaler = StandardScaler().set_fit_request(sample_weight=fit_request)
        model = Pipeline([("scaler", scaler), ("net", last)]) if in_pipeline else last
        prefix = "net__" if in_pipeline else ""
        by_itself = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        for scoring in (None, by_itself):
            args = {"fit_params": {"sample_weight": WEIGHTS}, "scoring": scoring}
            theirs = GridSearchCV(model, {f"{prefix}reg": REGS}, cv=3, scoring=scoring)
            try:
                theirs.fit(X, y, sample_weight=WEIGHTS)
            except (TypeError, UnsetMetadataPassedError) as error:
                # what nobody asks for, or for what a request is missing
                with pytest.raises(type(error)):
                    compare(model, {f"{prefix}reg": REGS}, **args)
            else:
                compare(model, {f"{prefix}reg": REGS}, **args)


def test_replaced_last_steps_get_what_they_ask_for():
    with config_context(enable_metadata_routing=True):
        asks = net().set_fit_request(sample_weight=True)
        declines = net().set_fit_request(sample_weight=False)
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        model = Pipeline([("scaler", scaler), ("net", asks)])
        compare(
            model,
            {"net": [asks, declines], "net__reg": REGS},
            fit_params={"sample_weight": WEIGHTS},
            scoring=make_scorer(accuracy_score).set_score_request(sample_weight=False),
        )


@pytest.mark.parametrize("n_validation", [20, len(y)])
def test_validation_set(n_validation):
    """Of the length of X, X_val is sliced with it, as `GridSearchCV` does."""
    fit_params = {"X_val": X[:n_validation] + 0.01, "y_val": y[:n_validation]}
    compare(net(), {"reg": REGS, "hidden_size": [3, 4]}, fit_params=fit_params)
    in_pipeline = {f"net__{name}": value for name, value in fit_params.items()}
    compare(pipeline(), {"net__reg": REGS}, fit_params=in_pipeline)
    with config_context(enable_metadata_routing=True):
        last = net().set_fit_request(X_val=True, y_val=True)
        compare(last, {"reg": REGS}, fit_params=fit_params)
        model = pipeline(last, transform_input=["X_val"])
        compare(model, {"net__reg": REGS, "net__solver": ["adam", "gd"]}, fit_params=fit_params)


# --- faults ------------------------------------------------------------------------------


def fit_both(estimator, grid, X=X, y=y, **args):
    """Fit both searches; return them, and their warnings without addresses and tracebacks."""
    searches, messages = [], []
    for search_class in (FusedGridSearchCV, GridSearchCV):
        search = search_class(clone(estimator), grid, **({"cv": 3} | args))
        with pytest.warns() as caught:
            search.fit(X, y)
        searches.append(search)
        messages.append([(w.category, str(w.message)) for w in caught])
    return searches, messages


class Fragile(TransformerMixin, BaseEstimator):
    """Fails in `fit` or in `transform` of what it was not fitted to, if told to."""

    def __init__(self, fails_in=None):
        self.fails_in = fails_in

    def fit(self, X, y=None):
        if self.fails_in == "fit":
            raise ValueError("fragile fit")
        self.n_rows_ = len(X)
        return self

    def transform(self, X):
        if self.fails_in == "transform" and len(X) != self.n_rows_:
            raise ValueError("fragile transform")
        return X


@pytest.mark.parametrize("error_score", [np.nan, -1e6])
@pytest.mark.parametrize(
    "scoring",
    [None, "neg_log_loss", ["accuracy", "neg_log_loss"], one_score, scores_by_name],
    ids=describe,
)
def test_wrong_parameter_fails_alone(error_score, scoring):
    refit = {True: "loss", False: True}[scoring is scores_by_name]
    refit = "accuracy" if isinstance(scoring, list) else refit
    args = {"error_score": error_score, "scoring": scoring, "refit": refit}
    grid = {"net__reg": [0.1, 0.01, -1.0], "net__hidden_size": [3, 0]}
    searches, (ours, theirs) = fit_both(pipeline(), grid, return_train_score=True, **args)
    assert_same(*searches)
    failed = [[text for kind, text in ws if kind is FitFailedWarning] for ws in (ours, theirs)]
    counts = []
    for (text,) in failed:
        assert "\n12 fits failed out of a total of 18" in text
        assert "must be a float in the range [0.0, inf)" in text
        counts.append(sorted(re.findall(r"^\d+ fits failed with", text, re.MULTILINE)))
    assert counts[0] == counts[1]


def test_all_fits_failed():
    for search_class in (FusedGridSearchCV, GridSearchCV):
        with pytest.raises(ValueError, match="All the 6 fits failed"):
            search_class(net(), {"reg": [-1, -2]}, cv=3).fit(X, y)


@pytest.mark.parametrize("grid", [{"reg": [0.1, -1]}, {"hidden_size": [0, 3]}, {"solver": ["x"]}])
def test_error_score_raise(grid):
    for search_class in (FusedGridSearchCV, GridSearchCV):
        with pytest.raises(ValueError, match="must be"):
            search_class(net(), grid, cv=3, error_score="raise").fit(X, y)


@pytest.mark.parametrize(
    "grid", [{"net__nonsense": [1, 2]}, {"nonsense": [1]}, {"scaler__nonsense": [1]}]
)
def test_unknown_name_is_raised_whatever_error_score(grid):
    for search_class in (FusedGridSearchCV, GridSearchCV):
        with pytest.raises(ValueError, match="Invalid parameter"):
            search_class(pipeline(), grid, cv=3).fit(X, y)


@pytest.mark.parametrize("fails_in", ["fit", "transform"])
@pytest.mark.parametrize("scoring", [None, ["accuracy", "neg_log_loss"], one_score], ids=describe)
def test_failing_preprocessing(fails_in, scoring):
    model = Pipeline([("scaler", Fragile()), ("net", net())])
    grid = {"scaler__fails_in": [None, fails_in], "net__reg": REGS}
    refit = "accuracy" if isinstance(scoring, list) else True
    searches, (ours, theirs) = fit_both(model, grid, scoring=scoring, refit=refit)
    assert_same(*searches)
    assert {kind for kind, _ in ours} == {kind for kind, _ in theirs}
    first_lines = [sorted(text.splitlines()[0] for _, text in ws) for ws in (ours, theirs)]
    assert first_lines[0] == first_lines[1]


def test_failing_scorer():
    def fails_for_large_reg(estimator, X, y):
        if estimator.reg > 0.1:
            raise ValueError("no score")
        return estimator.score(X, y)

    searches, (ours, theirs) = fit_both(net(), {"reg": REGS}, scoring=fails_for_large_reg)
    assert_same(*searches)
    assert [kind for kind, _ in ours] == [kind for kind, _ in theirs]


@pytest.mark.filterwarnings("default")
def test_diverging_candidate_warns_alone():
    grid = {"net__learning_rate": [1e-2, 1e12], "net__reg": [1e-3, 1e-2]}
    searches, (ours, theirs) = fit_both(pipeline(net(schedule="cosine")), grid, refit=False)
    assert_same(*searches)
    assert [k for k, _ in ours] == [k for k, _ in theirs] == [ConvergenceWarning] * 6
    assert sorted(text for _, text in ours) == sorted(text for _, text in theirs)


def test_diverging_candidate_fails_alone_where_warnings_are_errors():
    grid = {"learning_rate": [1e-2, 1e12], "random_state": [0, np.random.RandomState(0)]}
    searches = []
    for search_class in (FusedGridSearchCV, GridSearchCV):
        search = search_class(net(schedule="cosine", warm_start=True), grid, cv=3, refit=False)
        with pytest.warns() as caught:  # noqa: PT031
            # within, as pytest.warns resets the filters
            warnings.simplefilter("error", ConvergenceWarning)
            search.fit(X, y)
        assert FitFailedWarning in {w.category for w in caught}
        searches.append(search)
    assert np.isnan(searches[0].cv_results_["mean_test_score"]).sum() == 2
    assert_same(*searches)


def test_interrupt_ends_the_search(monkeypatch):
    def interrupt(self, *args):
        raise KeyboardInterrupt

    search = FusedGridSearchCV(pipeline(), {"net__reg": REGS, "net__hidden_size": [2, 3]}, cv=3)
    monkeypatch.setattr(SOLVERS["adam"], "update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    assert not hasattr(search, "cv_results_")


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


@pytest.mark.parametrize(
    ("grid", "fit_params"),
    [
        ({"scaler__with_mean": ["no"], "net__reg": REGS}, {}),
        ({"memory": [3], "net__reg": REGS}, {}),
        ({"transform_input": [["X_val"]], "net__reg": REGS}, {}),
        ({"net__reg": REGS}, {"sample_weight": WEIGHTS}),
        ({"net__reg": REGS}, {"scaler__nonsense": 1}),
    ],
    ids=describe,
)
def test_messages_where_every_preparation_fails(grid, fit_params):
    messages = []
    for search_class in (FusedGridSearchCV, GridSearchCV):
        with pytest.raises(ValueError, match="fits failed") as caught:
            search_class(pipeline(), grid, cv=3).fit(X, y, **fit_params)
        # `fit` is called in two places of scikit-learn, one of them with callbacks
        messages.append(re.sub(r"line \d+", "", str(caught.value)))
    assert messages[0] == messages[1]


def test_no_trace_in_what_was_passed():
    model, grid = pipeline(), {"scaler": [StandardScaler(), MinMaxScaler()], "net__reg": REGS}
    FusedGridSearchCV(model, grid, cv=3).fit(X, y)
    for estimator in (model[0], model[-1], *grid["scaler"]):
        assert not hasattr(estimator, "n_features_in_")
    check_is_fitted(FusedGridSearchCV(model, grid, cv=3).fit(X, y).best_estimator_[-1])


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
        ({"net": [net(), SoftmaxClassifier(), GaussianNB()]}, 1),
    ],
)
def test_preprocessing_is_fitted_once_per_fold_and_setting(calls, grid, n_settings, n_jobs):
    model = Pipeline([("scaler", CountingScaler()), ("net", net())])
    with parallel_config("threading", n_jobs=n_jobs):
        FusedGridSearchCV(model, grid, cv=3, refit=False).fit(X, y)
    assert sorted(calls) == sorted(
        3 * n_settings * [("fit", 60), ("transform", 60)] + 3 * n_settings * [("transform", 30)]
    )


@pytest.fixture
def stack_widths(monkeypatch):
    """Collect how many estimators are fitted together, call by call."""
    widths, original = [], _pipeline_prefix.fit_stack
    monkeypatch.setattr(
        _pipeline_prefix,
        "fit_stack",
        lambda steps, *args, **kwargs: (
            widths.append(len(steps)) or original(steps, *args, **kwargs)
        ),
    )
    return widths


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        ({"reg": REGS, "learning_rate": [0.1, 0.2]}, [6]),
        ({"reg": REGS, "hidden_size": [2, 3]}, [3, 3]),
        ({"reg": REGS, "hidden_size": np.array([2, 3])}, [3, 3]),
        ({"reg": REGS, "solver": ["adam", "lbfgs"]}, [3]),
        ({"reg": REGS, "random_state": [0, 1]}, [3, 3]),
        ({"hidden_size": [2, 3]}, []),
        ([{"reg": REGS}, {"reg": [0.5]}, {"momentum": [0.5], "hidden_size": [4]}], [4]),
    ],
)
def test_stacks(stack_widths, grid, expected):
    FusedGridSearchCV(net(), grid, cv=2, refit=False).fit(X, y)
    assert sorted(stack_widths) == sorted(2 * expected)


def test_steps_that_might_draw_but_do_not_are_shared(stack_widths):
    model = Pipeline([("pca", PCA(2)), ("net", net())])
    FusedGridSearchCV(model, {"net__reg": REGS}, cv=2, refit=False).fit(X, y)
    FusedGridSearchCV(
        SoftmaxClassifier(solver="gd", max_iter=4), {"reg": REGS}, cv=2, refit=False
    ).fit(X, y)
    assert stack_widths == [3, 3, 3, 3]


def test_with_more_jobs_the_global_stream_has_no_order_and_nets_share_a_stack(stack_widths):
    with parallel_config("threading", n_jobs=2):
        FusedGridSearchCV(net(random_state=None), {"reg": np.logspace(-4, 0, 8)}, cv=2).fit(X, y)
    assert stack_widths == [4, 4, 4, 4]


def test_drawn_settings_share_a_stack(stack_widths):
    space = {"reg": loguniform(1e-5, 1), "hidden_size": randint(3, 4)}
    FusedRandomizedSearchCV(net(), space, n_iter=6, cv=2, random_state=0).fit(X, y)
    assert stack_widths == [6, 6]


@pytest.fixture
def trained_widths(monkeypatch):
    """Collect how many nets are trained together, stack by stack."""
    widths, train = [], stacks.train
    monkeypatch.setattr(stacks, "train", lambda t: widths.append(t.n_nets) or train(t))
    return widths


@pytest.mark.parametrize("n_threads", [1, 3])
def test_stacks_are_cut_to_the_cache_and_to_the_threads(trained_widths, monkeypatch, n_threads):
    model, grid = net(hidden_size=64), {"reg": np.logspace(-5, 0, 40)}
    expected = GridSearchCV(model, grid, cv=2).fit(X, y)
    trained_widths.clear()
    n_entries = 3 * model.batch_size * (64 + 3) + 7 * (5 * 64 + 65 * 3)
    monkeypatch.setattr(stacks, "CACHE_BYTES", 8 * 8 * n_entries - 1)
    monkeypatch.setattr(stacks, "THREAD_BYTES", 1)
    monkeypatch.setattr(stacks.single_threaded_blas, "n_threads", lambda: n_threads)
    assert_same(FusedGridSearchCV(model, grid, cv=2).fit(X, y), expected)
    # 7 fit the cache: 6 stacks, a multiple of the number of threads
    assert max(trained_widths) <= 7
    assert sum(trained_widths) == 2 * 40 + 1
    assert len(trained_widths) == 2 * 6 + 1


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
def test_verbose_pipeline_prints_its_steps(capsys, in_grid):
    grid = {"net__reg": REGS} | ({"verbose": [True]} if in_grid else {})
    FusedGridSearchCV(pipeline(verbose=not in_grid), grid, cv=2, refit=False).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [re.sub(r"\.+|, total.*", "", line) for line in lines] == 2 * [
        f"[Pipeline]  (step {k} of 2) Processing {name}"
        for k, name in enumerate(("scaler", "net"), start=1)
    ]


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
        parallel_config("dask"),
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


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_bar_shows_a_stack_by_its_first_candidate(capsys, monkeypatch, n_jobs):
    callback = pytest.importorskip("sklearn.callback", reason="needs scikit-learn >= 1.9")
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "200")
    grid = {"net__reg": REGS, "net__hidden_size": [2, 3]}
    search = FusedGridSearchCV(pipeline(), grid, cv=3, n_jobs=n_jobs)
    search.set_callbacks(callback.ProgressBar()).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    for task in (
        "search",
        "refit-with-best-params",
        # a bar for the first of each stack, as it alone has tasks within: candidates 0 and 3
        *(
            rf"candidate-split-evaluation \| TwoLayerNetClassifier - fit #{k}"
            for k in (0, 1, 2, 9, 10, 11)
        ),
    ):
        (line,) = [line for line in lines if re.search(rf"FusedGridSearchCV - {task}\b", line)]
        assert "100%" in line
    assert_same(search, GridSearchCV(pipeline(), grid, cv=3).fit(X, y))
