"""to_sklearn: fitted scikit-learn models with the same predictions."""

import pickle
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import ends_early
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_toynn import (
    MultiLayerNetClassifier,
    MultiLayerNetClassifierCV,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn._nets.activations import ACTIVATIONS
from sklearn_toynn._to_sklearn import MLP_ACTIVATIONS

pytestmark = ends_early
QUICK = {"max_iter": 10, "random_state": 0}
MODELS = {
    "softmax": SoftmaxClassifier(),
    "softmax reg=0": SoftmaxClassifier(reg=0, solver="adam", **QUICK),
    **{
        f"net {activation}": TwoLayerNetClassifier(8, activation=activation, **QUICK)
        for activation in MLP_ACTIVATIONS
    },
    "nets": TwoLayerNetClassifier(8, n_nets=3, **QUICK),
    "layers": MultiLayerNetClassifier((9, 8, 7), **QUICK),
    "layers, nets": MultiLayerNetClassifier((9, 8), n_nets=2, **QUICK),
    "softmax cv": SoftmaxClassifierCV(2, cv=2, solver="adam", **QUICK),
    "nets cv": TwoLayerNetClassifierCV([8], 2, cv=2, n_nets=2, **QUICK),
    "blend": MultiLayerNetClassifierCV([5, (6, 4)], 2, cv=2, **QUICK),
}


def load(n_classes, dtype=np.float64):
    if n_classes == 2:
        X, y = load_breast_cancer(return_X_y=True)
        X = (X - X.mean(axis=0)) / X.std(axis=0)
    else:
        X, y = load_digits(n_class=n_classes, return_X_y=True)
        X = X / 16
    return X[:400].astype(dtype), y[:400]


def members_of(model):
    """Return the last steps of all models in a vote, also of nested votes."""
    if hasattr(model, "steps"):
        return members_of(model[-1])
    if not hasattr(model, "estimators_"):
        return [model]
    return [member for one in model.estimators_ for member in members_of(one)]


@pytest.mark.parametrize(("n_classes", "dtype"), [(2, np.float64), (2, np.float32), (5, "f8")])
@pytest.mark.parametrize("name", MODELS)
def test_it_predicts_the_same(name, n_classes, dtype):
    X, y = load(n_classes, dtype)
    frame = pd.DataFrame(X, columns=[f"pixel {j}" for j in range(X.shape[1])])
    labels = np.array([f"class {k}" for k in range(n_classes)])[y]
    ours = clone(MODELS[name]).fit(frame, labels)
    theirs = ours.to_sklearn()
    assert b"toynn" not in pickle.dumps(theirs)
    probabilities = ours.predict_proba(frame)
    atol = 1e-5 if dtype == np.float32 else 1e-12
    assert_allclose(theirs.predict_proba(frame), probabilities, atol=atol)
    is_clear = np.ptp(np.sort(probabilities)[:, -2:], axis=1) > 1e-4
    assert_array_equal(theirs.predict(frame)[is_clear], ours.predict(frame)[is_clear])
    assert_array_equal(theirs.classes_, ours.classes_)
    assert_array_equal(theirs.feature_names_in_, frame.columns)
    assert theirs.n_features_in_ == X.shape[1]
    # changes to the copy do not reach the original
    for model in members_of(theirs):
        for array in getattr(model, "coefs_", None) or [model.coef_]:
            array[:] = 0
    assert_array_equal(ours.predict_proba(frame), probabilities)


def columns_with_and_without_pieces(dtype):
    X, y = load_breast_cancer(return_X_y=True)
    shift = [0, 1e3, 1e5 if dtype == np.float64 else 0, -10]  # needs more digits than float32 has
    X = np.column_stack([X[:, :4] + shift, X[:, 4] > 0.1, np.round(X[:, 0]), X[:, 5:8]])
    return X.astype(dtype), y


@pytest.mark.parametrize(("n_classes", "dtype"), [(2, np.float64), (2, np.float32), (3, "f8")])
@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame])
@pytest.mark.parametrize("name", ["softmax", "net tanh", "nets", "layers"])
def test_encoded_columns_become_a_pipeline_with_the_same_predictions(
    name, container, n_classes, dtype
):
    X, y = columns_with_and_without_pieces(dtype)
    X = np.column_stack([X, np.full(len(X), 7, X.dtype)])  # a constant column
    y = y + (y == 1) * (X[:, 0] > 12) * (n_classes == 3)
    data = container(X)
    if container is pd.DataFrame:
        data.columns = [f"column {j}" for j in range(X.shape[1])]
    ours = clone(MODELS[name]).set_params(encoding="piecewise").fit(data, np.array([*"abc"])[y])
    assert len(ours.classes_) == n_classes
    n_edges = {len(edges) for edges in ours.bin_edges_}
    assert 0 in n_edges
    assert len(n_edges) > 2
    theirs = ours.to_sklearn()
    assert isinstance(theirs, Pipeline)
    assert b"toynn" not in pickle.dumps(theirs)
    check_is_fitted(theirs)
    atol = 1e-5 if dtype == np.float32 else 1e-10
    for rows in (data, 2 * data - 50):  # in and beyond the range of the edges
        probabilities = ours.predict_proba(rows)
        assert_allclose(theirs.predict_proba(rows), probabilities, atol=atol)
        assert theirs.predict_proba(rows).dtype == dtype
        is_clear = np.ptp(np.sort(probabilities)[:, -2:], axis=1) > 1e-4
        assert_array_equal(theirs.predict(rows)[is_clear], ours.predict(rows)[is_clear])
    assert theirs.n_features_in_ == X.shape[1]
    names = theirs[:-1].get_feature_names_out()
    assert len(names) == theirs[-1].n_features_in_
    if container is pd.DataFrame:
        assert_array_equal(theirs.feature_names_in_, data.columns)
        assert names[0] == "columns__column 0"
        reordered = theirs.predict_proba(data[data.columns[::-1]])
        assert_array_equal(reordered, theirs.predict_proba(data))


def test_columns_without_pieces_become_a_pipeline():
    X, y = columns_with_and_without_pieces(float)
    ours = SoftmaxClassifier(encoding="piecewise").fit(X[:, 4:5], y)
    assert_allclose(ours.to_sklearn().predict_proba(X[:, 4:5]), ours.predict_proba(X[:, 4:5]))


def test_the_last_step_of_a_pipeline_has_the_same_penalty_and_can_be_refitted():
    X, y = columns_with_and_without_pieces(float)
    ours = SoftmaxClassifier(encoding="piecewise").fit(X, y)
    theirs = ours.to_sklearn()
    assert_allclose(theirs[-1].C, 1)
    coef = theirs[-1].coef_.copy()
    refitted = clone(theirs).set_params(classifier__max_iter=1000).fit(X, y)
    assert refitted[-1].coef_.shape == coef.shape
    assert_allclose(refitted[:-1].transform(X), theirs[:-1].transform(X), rtol=0.3, atol=1e-8)
    assert refitted.score(X, y) > 0.9


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("reg", ["auto", 1e-3])
def test_a_logistic_regression_has_the_same_penalty_and_starts_at_its_minimum(reg, n_classes):
    X, y = load(n_classes)
    theirs = SoftmaxClassifier(reg).fit(X, y).to_sklearn().set_params(warm_start=True)
    expected = 1 if reg == "auto" else (4 - n_classes) / (reg * len(y))
    assert_allclose(theirs.C, expected)
    before = theirs.coef_.copy()
    theirs.fit(X, y)
    assert theirs.n_iter_.max() <= 1
    assert_allclose(theirs.coef_, before, atol=1e-3)
    assert clone(theirs).fit(X, y).n_iter_.max() > 5


def test_an_mlp_has_the_same_widths_and_penalty():
    X, y = load(3)
    net = MultiLayerNetClassifier((5, 4), reg=0.01, **QUICK).fit(X, y).to_sklearn()
    assert net.hidden_layer_sizes == (5, 4)
    assert net.alpha == pytest.approx(0.01 * len(y))


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("partial_fit", {"solver": "adam"}),
        ("partial_fit", {"solver": "sgd", "learning_rate": "invscaling"}),
        ("fit", {"solver": "adam", "early_stopping": True}),
        ("fit", {"solver": "sgd", "learning_rate": "adaptive"}),
        ("fit", {"solver": "lbfgs"}),
    ],
)
def test_an_mlp_continues_to_train(method, params):
    X, y = load(2, np.float32)
    ours = clone(MODELS["layers, nets"]).fit(X, y)
    lengths = list(map(len, ours.loss_curves_))
    for net, curve in zip(ours.to_sklearn().estimators_, ours.loss_curves_, strict=True):
        before = log_loss(y, net.predict_proba(X))
        assert net.loss_curve_ == curve
        net.set_params(warm_start=True, max_iter=10, random_state=0).set_params(**params)
        for _ in range(10 if method == "partial_fit" else 1):
            getattr(net, method)(X, y)
        assert log_loss(y, net.predict_proba(X)) < before
    assert list(map(len, ours.loss_curves_)) == lengths


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_an_mlp_has_all_attributes_of_a_fitted_one(solver):
    X, y = load(3)
    fitted = MLPClassifier(8, solver=solver, max_iter=2)
    with pytest.warns(ConvergenceWarning):
        fitted.fit(X, y)
    of_each_fit = {"_optimizer", "_random_state", "_coef_indptr", "_intercept_indptr"}
    ours = clone(MODELS["net relu"]).fit(X, y).to_sklearn()
    assert vars(fitted).keys() - vars(ours).keys() <= of_each_fit
    assert (ours.best_loss_, ours.best_validation_score_) == (np.inf, -np.inf)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS.keys() - set(MLP_ACTIVATIONS)))
def test_other_activations_raise_an_error(activation):
    net = TwoLayerNetClassifier(4, activation=activation, **QUICK).fit(*load(3))
    with pytest.raises(ValueError, match=f"does not support activation='{activation}'"):
        net.to_sklearn()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_the_example_of_a_net_as_a_c_program_runs(tmp_path):
    example = Path(__file__).parents[1] / "docs" / "examples" / "net_to_c.py"
    command = [sys.executable, str(example), str(tmp_path)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "agrees on 450 of 450 rows" in out
    assert (tmp_path / "digits_net.c").exists()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_the_example_writes_an_encoded_net_as_a_c_program(tmp_path):
    example = runpy.run_path(str(Path(__file__).parents[1] / "docs" / "examples" / "net_to_c.py"))
    X, y = columns_with_and_without_pieces(np.float32)
    net = clone(MODELS["net relu"]).set_params(encoding="piecewise").fit(X, y)
    rows = np.concatenate([X, 2 * X - 50])
    source = tmp_path / "net.c"
    source.write_text(example["to_c"](net))
    labels = net.classes_[example["predict_in_c"](source, rows, "cc")]
    is_clear = np.abs(np.diff(net.predict_proba(rows))[:, 0]) > 1e-4
    assert_array_equal(labels[is_clear], net.predict(rows)[is_clear])
    assert is_clear.mean() > 0.95
