"""Logged models and autologging of mlflow."""

import numpy as np
import pytest
from helpers import wine
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV

mlflow = pytest.importorskip("mlflow", reason="requires the extra `ecosystem`")
mlflow_sklearn = pytest.importorskip("mlflow.sklearn", reason="requires the extra `ecosystem`")
pytestmark = pytest.mark.filterwarnings("ignore:::mlflow")


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    yield tmp_path
    mlflow.set_tracking_uri(None)


@pytest.mark.parametrize("model", [SoftmaxClassifier(), TwoLayerNetClassifier(4, random_state=0)])
def test_a_logged_model_loads_and_predicts_the_same(model, store):
    X, y = wine()
    model = make_pipeline(StandardScaler(), model).fit(X, y)
    with mlflow.start_run():
        # mlflow uses skops, which requires trusted types
        trusted = [f"sklearn_toynn.{type(model[-1]).__name__}"]
        logged = mlflow_sklearn.log_model(model, name="model", skops_trusted_types=trusted)
    loaded = mlflow_sklearn.load_model(logged.model_uri)
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    generic = mlflow.pyfunc.load_model(logged.model_uri)
    assert_array_equal(generic.predict(X), model.predict(X))


@pytest.mark.parametrize("make_search", [GridSearchCV, FusedGridSearchCV])
def test_autologging_saves_the_model_without_data(make_search, store):
    X, y = wine()
    X[7, 3] = np.pi * 1e5  # easy to find in a file
    net = TwoLayerNetClassifier(4, early_stopping=True, random_state=0)
    model = make_search(
        make_pipeline(StandardScaler(), net), {"twolayernetclassifier__reg": [1e-4, 1e-2]}, cv=2
    )
    mlflow_sklearn.autolog(log_input_examples=False)
    try:
        # mlflow patches only scikit-learn's own estimators, such as pipelines
        make_pipeline(StandardScaler(), net).fit(X, y)
        model.fit(X, y)
    finally:
        mlflow_sklearn.autolog(disable=True)
    runs = mlflow.search_runs(search_all_experiments=True)
    assert len(runs) >= 2
    assert (runs["params.twolayernetclassifier__hidden_size"] == "4").any()
    assert (runs["metrics.training_score"] > 0.9).any()
    kept = [path.read_bytes() for path in store.rglob("*") if path.is_file()]
    assert any(b"TwoLayerNetClassifier" in content for content in kept)
    scaled = StandardScaler().fit_transform(X)
    for value in (X[7, 3], scaled[7, 3]):
        for trace in (value.tobytes(), repr(float(value))[:10].encode()):
            assert not any(trace in content for content in kept)
