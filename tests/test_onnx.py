"""Conversion to ONNX keeps labels, probabilities and scores."""

import numpy as np
import pytest
from helpers import ends_early
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import (
    MultiLayerNetClassifier,
    MultiLayerNetClassifierCV,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn.model_selection import FusedGridSearchCV, FusedRandomizedSearchCV

ort = pytest.importorskip("onnxruntime", reason="requires the extra `onnx`")
skl2onnx = pytest.importorskip("skl2onnx", reason="requires the extra `onnx`")
converters = pytest.importorskip("sklearn_toynn.onnx", reason="requires the extra `onnx`")
pytestmark = ends_early

QUICK = {"max_iter": 5, "random_state": 0}
MODELS = {
    "linear": SoftmaxClassifier(),
    "linear, pieces": SoftmaxClassifier(encoding="piecewise"),
    **{a: TwoLayerNetClassifier(6, activation=a, **QUICK) for a in converters.ACTIVATIONS},
    "nets": TwoLayerNetClassifier(6, n_nets=3, **QUICK),
    "nets, pieces": TwoLayerNetClassifier(6, n_nets=3, encoding="piecewise", **QUICK),
    "layers": MultiLayerNetClassifier((6, 5, 4), **QUICK),
    "linear, CV": SoftmaxClassifierCV(2, cv=2, solver="adam", **QUICK),
    "nets, CV": TwoLayerNetClassifierCV([6], 2, cv=2, n_nets=2, **QUICK),
    "blend": MultiLayerNetClassifierCV([5, (6, 4)], 2, cv=2, **QUICK),
    "in a pipeline": make_pipeline(StandardScaler(), TwoLayerNetClassifier(6, **QUICK)),
}
SEARCHES = {
    "nets": FusedGridSearchCV(MODELS["nets"], {"reg": [1e-4, 1e-3]}, cv=2),
    "pipeline": FusedRandomizedSearchCV(
        MODELS["in a pipeline"],
        {"twolayernetclassifier__reg": [1e-4, 1e-3]},
        n_iter=2,
        cv=2,
        random_state=0,
    ),
    "another estimator": FusedGridSearchCV(LogisticRegression(tol=0.1), {"C": [0.1, 1]}, cv=2),
}


def load(n_classes=10):
    X, y = load_digits(n_class=n_classes, return_X_y=True)
    return X[:500].astype(np.float32) / 16, y[:500]


def run(model, X, **options):
    """Return the outputs of the converted model: labels, then probabilities or scores."""
    last = model[-1] if isinstance(model, Pipeline) else model
    onnx = skl2onnx.to_onnx(model, X[:1], options={id(last): {"zipmap": False, **options}})
    session = ort.InferenceSession(onnx.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: X})


@pytest.mark.parametrize(("n_classes", "dtype"), [(2, "f4"), (2, "f8"), (10, "f4"), (10, "f8")])
@pytest.mark.parametrize("name", MODELS)
def test_labels_probabilities_and_scores_are_equal(name, n_classes, dtype):
    X, y = load(n_classes)
    X = X.astype(dtype)
    model = clone(MODELS[name]).fit(X, y)
    labels, probabilities = run(model, X)
    assert probabilities.dtype == X.dtype
    assert_allclose(probabilities, model.predict_proba(X), atol=1e-5)
    assert_array_equal(labels, model.predict(X))
    _, scores = run(model, X, raw_scores=True)
    expected = model.decision_function(X)
    scores = np.diff(scores)[:, 0] if n_classes == 2 else scores
    assert_allclose(scores, expected, atol=1e-3)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_is_converted_like_its_best_estimator(name):
    X, y = load()
    model = SEARCHES[name].fit(X, np.array(list("abcdefghij"))[y])
    labels, scores = run(model, X, raw_scores=True)
    assert_array_equal(labels, model.predict(X))
    assert_allclose(scores, model.decision_function(X), atol=1e-3)
    in_pipeline = make_pipeline(StandardScaler(), model).fit(X, y)
    assert_allclose(run(in_pipeline, X)[1], in_pipeline.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize(
    "classes", [range(10), range(3, 13), range(-5, 15, 2), list("abcdefghij")], ids=str
)
@pytest.mark.parametrize("name", ["linear", "nets"])
def test_labels_of_any_kind_are_equal(name, classes):
    X, y = load()
    model = clone(MODELS[name]).fit(X, np.array(classes)[y])
    assert_array_equal(run(model, X)[0], model.predict(X))
    indices = run(model, X, nocl=True)[0]
    assert_array_equal(model.classes_[indices.astype(int)], model.predict(X))


def test_zipmap_selects_the_format_of_the_probabilities():
    X, y = load()
    model = clone(MODELS["relu"]).fit(X, y)
    expected = model.predict_proba(X)
    _, maps = run(model, X, zipmap=True)
    assert_allclose([[row[k] for k in range(10)] for row in maps], expected, atol=1e-5)
    _, *columns = run(model, X, zipmap="columns")
    assert_allclose(np.column_stack(columns), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["relu", "nets, pieces"])
def test_integers_are_converted_to_float32(name):
    X, y = load()
    X = (16 * X).astype(np.int64)
    model = clone(MODELS[name]).fit(X, y)
    assert_allclose(run(model, X)[1], model.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", ["linear, pieces", "nets, pieces"])
def test_pieces_are_constant_beyond_the_edges(name, dtype):
    X, y = load()
    X = (1 + X).astype(dtype)
    model = clone(MODELS[name]).fit(X, y)
    assert max(map(len, model.bin_edges_)) > 0
    far = 3 * X - 4
    assert_allclose(run(model, far)[1], model.predict_proba(far), atol=1e-5)
