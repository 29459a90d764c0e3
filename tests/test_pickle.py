"""Pickles contain plain data, public names and the version that saved them."""

import pickle
from copy import deepcopy
from io import BytesIO

import numpy as np
import pytest
from helpers import ends_early, wine
from numpy.testing import assert_array_equal
from sklearn.base import clone

import sklearn_toynn
from sklearn_toynn import (
    MultiLayerNetClassifier,
    MultiLayerNetClassifierCV,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
    __version__,
    datasets,
    inspection,
    model_selection,
)

pytestmark = ends_early
modules = set()
QUICK = {"max_iter": 5, "random_state": 0}
MODELS = [
    SoftmaxClassifier(),
    SoftmaxClassifier(solver="lbfgs"),
    TwoLayerNetClassifier(4, n_nets=2, early_stopping=True, **QUICK),
    MultiLayerNetClassifier((4, 3), **QUICK),
]
CV_MODELS = [
    SoftmaxClassifierCV(2, cv=2, solver="adam", **QUICK),
    TwoLayerNetClassifierCV(regs=2, cv=2, **QUICK),
    MultiLayerNetClassifierCV(regs=2, cv=2, **QUICK),
]


class Loader(pickle.Unpickler):
    """Records the modules that loading a pickle imports."""

    def find_class(self, module, name):
        modules.add(module)
        return super().find_class(module, name)


@pytest.mark.parametrize("model", [*MODELS, *CV_MODELS], ids=lambda model: type(model).__name__)
def test_a_loaded_model_is_equal_and_needs_only_the_public_module(model):
    X, y = wine()
    modules.clear()
    copy = Loader(BytesIO(pickle.dumps(model.fit(X, y)))).load()
    assert {name for name in modules if "toynn" in name} == {"sklearn_toynn"}
    assert vars(copy).keys() == vars(model).keys()
    assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    assert_array_equal(copy.fit(X, y).predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("module", [sklearn_toynn, datasets, inspection, model_selection])
def test_public_names_have_public_modules(module):
    for value in (getattr(module, name) for name in module.__all__):
        assert value.__module__ == module.__name__ or value is sklearn_toynn.show_versions


def assert_is_plain(value):
    """Check that nested containers contain only numeric arrays and plain values."""
    plain = (np.ndarray, str, int, float, bool, list, tuple, dict, type(None))
    assert isinstance(value, plain), type(value)
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        for element in value:
            assert_is_plain(element)
    elif isinstance(value, np.ndarray):
        assert not value.dtype.hasobject


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_without_warm_start_a_model_has_no_training_state(model):
    state = model.fit(*wine()).__getstate__()
    assert "_training_state" not in state
    assert_is_plain(state)


@pytest.mark.parametrize("copied", [deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize(("n_nets", "solver"), [(1, "adam"), (2, "sgd"), (1, "gd"), (1, "lbfgs")])
def test_the_training_state_is_plain_and_continues(n_nets, solver, copied):
    X, y = wine()
    X = 100 * X  # fit scales the columns
    params = {"solver": solver, "n_nets": n_nets, "batch_size": 50, "warm_start": True}
    model = TwoLayerNetClassifier(4, **params, **QUICK)
    for name in ("fit", "partial_fit") if solver in ("adam", "sgd") else ("fit",):
        train = getattr(model, name)
        train(X, y)
        assert_is_plain(model.__getstate__())
        continued = getattr(copied(model), name)(X, y).predict_proba(X)
        assert_array_equal(continued, train(X, y).predict_proba(X))
    assert not hasattr(clone(model), "_training_state")


def test_a_model_of_another_version_loads_with_a_warning(monkeypatch):
    X, y = wine()
    pickled = pickle.dumps(SoftmaxClassifier().fit(X, y))
    with monkeypatch.context() as patch:
        patch.setattr("sklearn_toynn._base.__version__", "0.0.9")
        with pytest.warns(
            UserWarning, match=f"SoftmaxClassifier was saved by sklearn-toynn {__version__}"
        ):
            loaded = pickle.loads(pickled)
    assert loaded.score(X, y) > 0.9
    assert "_version" not in vars(loaded)
