"""Models that released versions have saved are loaded, and predict what they did."""

import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import ends_early
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

import sklearn_toynn
from sklearn_toynn import SoftmaxClassifier

VERSIONS = sorted(p for p in (Path(__file__).parent / "saved_models").iterdir() if p.is_dir())
FILES = [path for version in VERSIONS for path in version.iterdir() if path.suffix != ".npz"]

pytestmark = pytest.mark.filterwarnings("ignore:.* was saved by sklearn-toynn")


def load(path):
    if path.suffix == ".pkl":
        return pickle.loads(path.read_bytes())
    sio = pytest.importorskip("skops.io", reason="skops is an extra of its own")
    return sio.load(path, trusted=sio.get_untrusted_types(file=path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_saved_predicts_what_it_did(path):
    model = load(path)
    if path.stem == "partial_fit":
        X, y = load_wine(return_X_y=True)
        model.partial_fit(StandardScaler().fit_transform(X), load_wine().target_names[y].tolist())
    expected = np.load(path.parent / "expected.npz")
    assert_allclose(model.predict_proba(expected["rows"]), expected[path.stem], rtol=1e-9)
    assert list(model.classes_) == ["class_0", "class_1", "class_2"]


@ends_early
@pytest.mark.parametrize(
    ("solver", "class_name"),
    [("adam", "Adam"), ("gd", "GradientDescent"), ("lbfgs", "PreconditionedLBFGS")],
)
def test_training_that_0_2_saved_as_objects_continues(solver, class_name):
    X, y = load_wine(return_X_y=True)
    model = SoftmaxClassifier(solver=solver, max_iter=5, batch_size=50, random_state=0)
    model.set_params(warm_start=True).fit(X, y)
    state = model.__getstate__()
    saved = state.pop("_training_state")
    stream, columns = np.random.RandomState(), None
    if saved["batch_order"][0] is not None:
        stream.set_state(saved["batch_order"][0])
    if saved["column_mean"] is not None:
        columns = SimpleNamespace(mean=saved["column_mean"], scale=saved["column_scale"])
    solver_class = type(class_name, (SimpleNamespace,), {})
    state["_remembered"] = saved["fitted_parameters"]
    state["_memory"] = [
        SimpleNamespace(
            network=SimpleNamespace(parameters=saved["parameters"]),
            solver=solver_class(slots=saved["optimizer_state"], n_steps=saved["n_steps"][0]),
            columns=columns,
            streams=SimpleNamespace(batches=stream),
        )
    ]
    old = clone(model)
    old.__setstate__(state)
    assert old._training_state["solver"] == solver
    assert_array_equal(old.fit(X, y).predict_proba(X), model.fit(X, y).predict_proba(X))


def test_there_are_files_of_every_released_version():
    names = {version.name for version in VERSIONS}
    assert "0.2.0" in names
    assert all(len(list(version.iterdir())) == 14 for version in VERSIONS)
    newest = max(map(parse_version, names))
    assert parse_version(sklearn_toynn.__version__) >= newest
