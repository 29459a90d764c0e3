"""What is in a pickle, and what is said where another version loads it."""

import pickle
import pickletools

import numpy as np
import pytest
from helpers import ends_early, wine
from numpy.testing import assert_array_equal

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


def test_searches_live_where_they_are_imported_from():
    for name in ("FusedGridSearchCV", "FusedRandomizedSearchCV"):
        assert getattr(model_selection, name).__module__ == "sklearn_toynn.model_selection"


@pytest.mark.parametrize("model", FITTED, ids=str)
def test_it_holds_no_training_state(model):
    X, y = wine()
    state = model.fit(X, y).__getstate__()
    assert not {"_memory", "_remembered"} & state.keys()
    plain = (np.ndarray, str, int, float, bool, list, tuple, type(None))
    for name, value in state.items():
        assert isinstance(value, plain), f"{name} is {type(value)}"


def test_one_that_goes_on_does():
    X, y = wine()
    whole = TwoLayerNetClassifier(4, random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    loaded = pickle.loads(pickle.dumps(whole))
    assert_array_equal(
        loaded.partial_fit(X, y).predict_proba(X), whole.partial_fit(X, y).predict_proba(X)
    )


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
