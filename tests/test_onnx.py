"""Converted to ONNX, models give the same labels and probabilities."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from helpers import ends_early
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_toynn import (
    MultiLayerNetClassifier,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn._nets.activations import ACTIVATIONS
from sklearn_toynn.model_selection import FusedGridSearchCV, FusedRandomizedSearchCV

ort = pytest.importorskip("onnxruntime", reason="ONNX is an extra of its own")
skl2onnx = pytest.importorskip("skl2onnx", reason="ONNX is an extra of its own")
toynn_onnx = pytest.importorskip("sklearn_toynn.onnx", reason="ONNX is an extra of its own")
pytestmark = ends_early

QUICK = {"max_iter": 5, "random_state": 0}
MODELS = {
    "linear": SoftmaxClassifier(),
    **{a: TwoLayerNetClassifier(6, activation=a, **QUICK) for a in ACTIVATIONS},
    "nets": TwoLayerNetClassifier(6, n_nets=3, **QUICK),
    "layers": MultiLayerNetClassifier((6, 5, 4), **QUICK),
    "linear, chosen": SoftmaxClassifierCV(2, cv=2, solver="adam", **QUICK),
    "nets, chosen": TwoLayerNetClassifierCV([6], 2, cv=2, n_nets=2, **QUICK),
    "in a pipeline": make_pipeline(StandardScaler(), TwoLayerNetClassifier(6, **QUICK)),
}
SEARCHES = {
    "GridSearchCV": GridSearchCV,  # the reference
    "grid": FusedGridSearchCV,
    "randomized": partial(FusedRandomizedSearchCV, n_iter=2, random_state=0),
}
#: Estimators and their grids.
SEARCHED = {
    "net": (TwoLayerNetClassifier(6, n_nets=2, **QUICK), {"reg": [1e-4, 1e-3]}),
    "pipeline": (MODELS["in a pipeline"], {"twolayernetclassifier__reg": [1e-4, 1e-3]}),
    "in a pipeline": (TwoLayerNetClassifier(6, **QUICK), {"reg": [1e-4, 1e-3]}),
    "another estimator": (LogisticRegression(tol=0.1), {"C": [0.1, 1]}),
}
LABELS = {
    "from 0": lambda y: y,
    "from 3": lambda y: y + 3,
    "negative": lambda y: 2 * y - 5,
    "text": lambda y: np.array([f"class {k}" for k in range(10)])[y],
}


def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, y


def run(model, X, *, dtype=np.float32, **options):
    last = model[-1] if isinstance(model, Pipeline) else model
    onnx = skl2onnx.to_onnx(model, X[:1].astype(dtype), options={id(last): options})
    session = ort.InferenceSession(onnx.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: X.astype(dtype)})


def test_every_activation_has_a_converter():
    assert toynn_onnx.ACTIVATIONS.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MODELS)
def test_it_gives_the_same(name, dtype):
    X, y = digits()
    X = X.astype(np.float32)  # that both get the same numbers
    model = clone(MODELS[name]).fit(X.astype(dtype), y)
    labels, probabilities = run(model, X, dtype=dtype, zipmap=False)
    assert probabilities.dtype == dtype
    assert_allclose(probabilities, model.predict_proba(X.astype(dtype)), atol=1e-5)
    assert_array_equal(labels, model.predict(X.astype(dtype)))


@pytest.mark.parametrize("kind", SEARCHES)
@pytest.mark.parametrize("name", SEARCHED)
def test_searches(name, kind):
    X, y = digits()
    X = X.astype(np.float32)
    estimator, grid = SEARCHED[name]
    search = SEARCHES[kind](clone(estimator), grid, cv=2)
    model = make_pipeline(StandardScaler(), search) if name == "in a pipeline" else search
    y = LABELS["text"](y)
    model.fit(X, y)
    labels, probabilities = run(model, X, zipmap=False)
    assert_allclose(probabilities, model.predict_proba(X), atol=1e-5)
    assert_array_equal(labels, model.predict(X))
    if name == "in a pipeline":
        return  # skl2onnx passes no other option on
    _, scores = run(model, X, zipmap=False, raw_scores=True)
    assert_allclose(scores, model.decision_function(X), atol=1e-3)
    _, *columns = run(model, X, zipmap="columns")
    assert_allclose(np.column_stack(columns), model.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["linear", "relu", "nets"])
def test_two_classes(name, dtype):
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X).astype(np.float32)
    model = clone(MODELS[name]).fit(X.astype(dtype), y)
    labels, probabilities = run(model, X, dtype=dtype, zipmap=False)
    assert_allclose(probabilities, model.predict_proba(X.astype(dtype)), atol=1e-5)
    assert_array_equal(labels, model.predict(X.astype(dtype)))


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("name", ["linear", "nets"])
def test_kinds_of_labels(name, kind):
    X, y = digits()
    X, y = X.astype(np.float32), LABELS[kind](y)
    model = clone(MODELS[name]).fit(X, y)
    labels, _ = run(model, X, zipmap=False)
    assert_array_equal(labels, model.predict(X))
    numbers, _ = run(model, X, zipmap=False, nocl=True)
    assert_array_equal(model.classes_[numbers.astype(int)], model.predict(X))


def test_zipmap():
    X, y = digits()
    X = X.astype(np.float32)
    model = clone(MODELS["relu"]).fit(X, y)
    _, maps = run(model, X)
    expected = model.predict_proba(X)
    assert_allclose([[row[k] for k in range(10)] for row in maps], expected, atol=1e-5)
    _, *columns = run(model, X, zipmap="columns")
    assert_allclose(np.column_stack(columns), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["linear", "relu", "nets"])
def test_raw_scores(name):
    X, y = digits()
    X = X.astype(np.float32)
    model = clone(MODELS[name]).fit(X, y)
    _, scores = run(model, X, zipmap=False, raw_scores=True)
    assert_allclose(scores, model.decision_function(X), atol=1e-3)


def test_mixed_columns():
    X, y = digits()
    frame = pd.DataFrame(
        {
            "ink": X.sum(axis=1),
            "top": X[:, :8].sum(axis=1),
            "side": np.where(X[:, 20] > 0, "a", "b"),
        }
    )
    columns = make_column_transformer(
        (StandardScaler(), ["ink", "top"]), (OneHotEncoder(sparse_output=False), ["side"])
    )
    net = TwoLayerNetClassifier(6, **QUICK)
    model = make_pipeline(columns, net).fit(frame, y)
    types = skl2onnx.common.data_types
    onnx = skl2onnx.to_onnx(
        model,
        initial_types=[
            ("ink", types.DoubleTensorType([None, 1])),
            ("top", types.DoubleTensorType([None, 1])),
            ("side", types.StringTensorType([None, 1])),
        ],
        options={id(net): {"zipmap": False}},
    )
    session = ort.InferenceSession(onnx.SerializeToString(), providers=["CPUExecutionProvider"])
    labels, probabilities = session.run(None, {name: frame[[name]].to_numpy() for name in frame})
    assert_allclose(probabilities, model.predict_proba(frame), atol=1e-5)
    assert np.mean(labels == model.predict(frame)) > 0.99
