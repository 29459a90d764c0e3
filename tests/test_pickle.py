"""What is in a pickle, and what is said where another version loads it."""

import pickle
import pickletools
from copy import deepcopy

import numpy as np
import pytest
from helpers import ends_early, wine
from numpy.testing import assert_array_equal
from sklearn.base import clone

import sklearn_toynn
from sklearn_toynn import (
    MultiLayerNetClassifier,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
    model_selection,
)

pytestmark = ends_early
FITTED = [
    SoftmaxClassifier(),
    SoftmaxClassifier(solver="lbfgs"),
    TwoLayerNetClassifier(4, max_iter=5, random_state=0),
    TwoLayerNetClassifier(4, n_nets=2, max_iter=5, early_stopping=True, random_state=0),
    MultiLayerNetClassifier((4, 3), max_iter=5, random_state=0),
]


def modules_named(pickled):
    """The modules of what a pickle asks to import."""
    strings, modules = [], set()
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "GLOBAL":
            modules.add(argument.split(" ")[0])
        elif opcode.name == "STACK_GLOBAL":
            modules.add(strings[-2])
        elif isinstance(argument, str):
            strings.append(argument)
    return modules


@pytest.mark.parametrize("model", FITTED, ids=str)
def test_a_fitted_model_names_no_private_module(model):
    X, y = wine()
    pickled = pickle.dumps(model.fit(X, y), protocol=2)
    ours = {name for name in modules_named(pickled) if name.startswith("sklearn_toynn")}
    assert ours == {"sklearn_toynn"}


@pytest.mark.parametrize("name", sklearn_toynn.__all__)
def test_public_classes_live_where_they_are_imported_from(name):
    if name != "show_versions":
        assert getattr(sklearn_toynn, name).__module__ == "sklearn_toynn"


@pytest.mark.parametrize("name", model_selection.__all__)
def test_searches_live_where_they_are_imported_from(name):
    assert getattr(model_selection, name).__module__ == "sklearn_toynn.model_selection"


@pytest.mark.parametrize("model", FITTED, ids=str)
def test_it_holds_no_training_state(model):
    X, y = wine()
    state = model.fit(X, y).__getstate__()
    assert "_training_state" not in state
    for value in state.values():
        assert_is_plain(value)


def assert_is_plain(value):
    """Check that nested containers hold arrays of numbers and plain values alone."""
    plain = (np.ndarray, str, int, float, bool, list, tuple, dict, type(None))
    assert isinstance(value, plain), type(value)
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        for element in value:
            assert_is_plain(element)
    elif isinstance(value, np.ndarray):
        assert not value.dtype.hasobject


@pytest.mark.parametrize("copied", [deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize(("n_nets", "solver"), [(1, "adam"), (2, "sgd"), (1, "gd"), (1, "lbfgs")])
def test_the_state_to_continue_from_is_plain(n_nets, solver, copied):
    X, y = wine()
    model = TwoLayerNetClassifier(4, solver=solver, n_nets=n_nets, max_iter=5, batch_size=50)
    model.set_params(warm_start=True, random_state=0)
    calls = [model.fit, model.partial_fit] if solver in ("adam", "sgd") else [model.fit]
    for call in calls:
        call(100 * X, y)  # so that columns are scaled in `fit`
        for value in model.__getstate__().values():
            assert_is_plain(value)
        copy = copied(model)
        continued = getattr(copy, call.__name__)(100 * X, y).predict_proba(X)
        assert_array_equal(continued, call(100 * X, y).predict_proba(X))
    assert not hasattr(clone(model), "_training_state")


def test_another_version_is_told_of(monkeypatch):
    X, y = wine()
    pickled = pickle.dumps(SoftmaxClassifier().fit(X, y))
    with monkeypatch.context() as patch:
        patch.setattr("sklearn_toynn._base.__version__", "0.0.9")
        with pytest.warns(UserWarning, match="SoftmaxClassifier was saved by sklearn-toynn 0.2"):
            loaded = pickle.loads(pickled)
    assert loaded.score(X, y) > 0.9
    assert "_version" not in vars(loaded)


@pytest.mark.parametrize("cv_class", [SoftmaxClassifierCV, TwoLayerNetClassifierCV])
def test_those_that_choose_hold_arrays_and_a_plain_one(cv_class):
    X, y = wine()
    model = cv_class(regs=2, cv=2, solver="adam", max_iter=5, random_state=0).fit(X, y)
    ours = {name for name in modules_named(pickle.dumps(model, 2)) if "toynn" in name}
    assert ours == {"sklearn_toynn"}
