"""Locations of warnings, and values in messages."""

import inspect
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fused_searches import one_score
from helpers import wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_toynn
from sklearn_toynn import (
    MultiLayerNetClassifier,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn._nets.kernels import dispatch
from sklearn_toynn.inspection import HiddenUnitsDisplay
from sklearn_toynn.model_selection import FusedGridSearchCV, _search

in_two_jobs = partial(FusedGridSearchCV, param_grid={"reg": [1]}, n_jobs=2, refit=False)
WAYS_TO_FIT = {
    "fit": lambda model, X, y: model.fit(X, y),
    "partial_fit": lambda model, X, y: model.partial_fit(X, y, classes=[0, 1, 2]),
    "pipeline": lambda model, X, y: make_pipeline(StandardScaler(), model).fit(X, y),
    "search": lambda model, X, y: GridSearchCV(model, {"reg": [0.1]}, cv=2).fit(X, y),
    "threads": lambda model, X, y: in_two_jobs(model).fit(X, y),
    "processes": lambda model, X, y: in_two_jobs(model, scoring=one_score).fit(X, y),
    "fused search": lambda model, X, y: FusedGridSearchCV(model, {"reg": [0, 1]}, cv=2).fit(X, y),
}


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(way, marks=pytest.mark.slow) if way == "processes" else way
        for way in WAYS_TO_FIT
    ],
)
def test_a_warning_points_to_the_line_of_the_user(way, monkeypatch):
    monkeypatch.setattr(_search, "SHORT_SECONDS", 0)
    monkeypatch.setattr(dispatch, "selected", "compiled")  # NumPy's kernels use one thread
    X, y = wine()
    fit = WAYS_TO_FIT[way]
    model = TwoLayerNetClassifier(
        solver="sgd", learning_rate=1e9, schedule="constant", random_state=0
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, X, y)
    _, first_line = inspect.getsourcelines(fit)
    for warning in caught:
        assert warning.category is ConvergenceWarning
        assert warning.filename == __file__
        assert warning.lineno == first_line
    assert caught


def test_a_warning_of_a_worker_points_to_the_package():
    # the stack of a worker does not contain the user's code
    X, y = wine()
    model = SoftmaxClassifier(solver="sgd", learning_rate=1e9, schedule="constant")
    with warnings.catch_warnings(record=True) as caught, ThreadPoolExecutor(1) as pool:
        warnings.simplefilter("always")
        pool.submit(model.fit, X, y).result()
    assert [warning.category for warning in caught] == [ConvergenceWarning]
    assert Path(caught[0].filename).parent == Path(sklearn_toynn.__file__).parent


def continue_net(X, y, **changes):
    net = TwoLayerNetClassifier(np.int64(3), solver="sgd", max_iter=1, random_state=0)
    net.fit(X, y).set_params(warm_start=True, **changes).fit(X, y)


def continue_with_other_classes(X, y):
    names = np.array([np.str_("a"), np.str_("b"), np.str_("c")], object)
    net = SoftmaxClassifier(solver="sgd").partial_fit(X, names[y], classes=names)
    net.partial_fit(X, names[y], classes=names[:2])


def draw_unknown_shape(X, y):
    net = TwoLayerNetClassifier(3, random_state=0).fit(X, y)
    HiddenUnitsDisplay.from_estimator(net, image_shape=tuple(np.array([3, 4])))


CALLS = {
    "regs": lambda X, y: SoftmaxClassifierCV(regs=list(np.array([-1.0]))).fit(X, y),
    "hidden_sizes": lambda X, y: TwoLayerNetClassifierCV(list(np.array([0]))).fit(X, y),
    "hidden_layer_sizes": lambda X, y: MultiLayerNetClassifier(tuple(np.array([0]))).fit(X, y),
    "class_weight": lambda X, y: SoftmaxClassifier(class_weight={np.int64(0): -y[99]}).fit(X, y),
    "init": lambda X, y: TwoLayerNetClassifier(init=np.float64(1e200)).fit(X, y),
    "schedule": lambda X, y: TwoLayerNetClassifier(schedule=lambda _: np.float64(-1)).fit(X, y),
    "warm_start": lambda X, y: continue_net(X, y, hidden_size=np.int64(4)),
    "classes": continue_with_other_classes,
    "one class": lambda X, y: SoftmaxClassifier().fit(X, np.full(len(y), np.str_("a"), object)),
    "y": lambda X, y: SoftmaxClassifier(solver="sgd").partial_fit(X, y, [np.int64(0), 1]),
    "early_stopping": lambda X, y: SoftmaxClassifier(early_stopping=True).fit(X[::70], y[::70]),
    "image_shape": draw_unknown_shape,
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_messages_contain_no_numpy_scalars(call):
    with pytest.raises(ValueError, match=".") as raised:
        call(*wine())
    assert "np." not in str(raised.value), raised.value
