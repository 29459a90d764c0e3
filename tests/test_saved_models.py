"""Models saved by released versions load, predict as before and continue to train."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from helpers import ends_early
from numpy.testing import assert_allclose
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

import sklearn_toynn
from sklearn_toynn._nets.update_rules import Adam
from sklearn_toynn._training.saved_state import BETA2_IN_0_2

VERSIONS = sorted(p for p in (Path(__file__).parent / "saved_models").iterdir() if p.is_dir())
FILES = [path for version in VERSIONS for path in version.iterdir() if path.suffix != ".npz"]

pytestmark = pytest.mark.filterwarnings("ignore:.* was saved by sklearn-toynn")


def load(path):
    if path.suffix == ".pkl":
        return pickle.loads(path.read_bytes())
    sio = pytest.importorskip("skops.io", reason="requires the extra `skops`")
    return sio.load(path, trusted=sio.get_untrusted_types(file=path))


@ends_early
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_saved_models_predict_as_before(path, monkeypatch):
    monkeypatch.setattr(Adam, "beta2", BETA2_IN_0_2)
    monkeypatch.setattr(Adam, "epsilon", 1e-8 / np.sqrt(1 - BETA2_IN_0_2))
    loaded, expected = load(path), np.load(path.parent / "expected.npz")
    models = loaded if path.stem == "warm_start" else [loaded]
    X, y = load_wine(return_X_y=True)
    X, names = StandardScaler().fit_transform(X), load_wine().target_names[y].tolist()
    for model, probabilities in zip(models, expected[path.stem].reshape(-1, 18, 3), strict=True):
        if path.stem == "partial_fit":
            model.partial_fit(X, names)
        if path.stem == "warm_start":
            model.set_params(dtype="float64").fit(3 * X + 1, names)
            assert len(model.loss_curve_) == 5 + model.n_iter_
        assert_allclose(model.predict_proba(expected["rows"]), probabilities, rtol=1e-9)
        assert list(model.classes_) == ["class_0", "class_1", "class_2"]


def test_every_released_version_has_files():
    names = {version.name for version in VERSIONS}
    assert "0.2.0" in names
    assert all(len(list(version.iterdir())) == 15 for version in VERSIONS)
    newest = max(map(parse_version, names))
    assert parse_version(sklearn_toynn.__version__) >= newest
