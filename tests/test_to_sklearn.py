"""`to_sklearn`: fitted models of scikit-learn that predict the same, without this package."""

import pickle
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import ends_early
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from sklearn_toynn import (
    MultiLayerNetClassifier,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn._to_sklearn import MLP_ACTIVATIONS

pytestmark = ends_early
NETS = {"max_iter": 10, "random_state": 0}
MODELS = {
    "softmax": SoftmaxClassifier(),
    "softmax reg=0": SoftmaxClassifier(reg=0, solver="adam", **NETS),
    **{
        f"net {activation}": TwoLayerNetClassifier(8, activation=activation, **NETS)
        for activation in MLP_ACTIVATIONS
    },
    "nets": TwoLayerNetClassifier(8, n_nets=3, **NETS),
    "layers": MultiLayerNetClassifier((9, 8, 7), **NETS),
    "layers, nets": MultiLayerNetClassifier((9, 8), n_nets=2, **NETS),
    "softmax cv": SoftmaxClassifierCV(2, cv=2, solver="adam", **NETS),
    "nets cv": TwoLayerNetClassifierCV([8], 2, cv=2, n_nets=2, **NETS),
}


def load(n_classes, dtype=np.float64):
    if n_classes == 2:
        X, y = load_breast_cancer(return_X_y=True)
        X = (X - X.mean(axis=0)) / X.std(axis=0)
    else:
        X, y = load_digits(n_class=n_classes, return_X_y=True)
        X = X / 16
    labels = np.array([f"class {k}" for k in range(n_classes)])
    return X[:400].astype(dtype), labels[y][:400]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("name", MODELS)
def test_it_predicts_the_same(name, n_classes, dtype):
    X, y = load(n_classes, dtype)
    ours = clone(MODELS[name]).fit(X, y)
    theirs = ours.to_sklearn()
    assert type(theirs).__module__.startswith("sklearn.")
    atol = 1e-5 if dtype == np.float32 else 1e-12
    assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), atol=atol)
    is_clear = np.ptp(np.sort(ours.predict_proba(X))[:, -2:], axis=1) > 1e-4
    assert_array_equal(theirs.predict(X)[is_clear], ours.predict(X)[is_clear])
    assert_array_equal(theirs.classes_, ours.classes_)
    assert theirs.n_features_in_ == X.shape[1]
    assert theirs.score(X, y) == pytest.approx(ours.score(X, y), abs=0.01)


def test_its_parameters_say_what_was_fitted():
    X, y = load(10)
    linear = SoftmaxClassifier().fit(X, y).to_sklearn()
    assert_allclose(linear.C, 1)
    refitted = clone(linear).set_params(max_iter=5000, tol=1e-8).fit(X, y)
    assert_allclose(refitted.predict_proba(X), linear.predict_proba(X), atol=1e-3)
    net = MultiLayerNetClassifier((5, 4), reg=0.01, **NETS).fit(X, y).to_sklearn()
    assert net.hidden_layer_sizes == (5, 4)
    assert net.alpha == pytest.approx(0.01 * len(y))
    X, y = load(2)
    assert_allclose(SoftmaxClassifier().fit(X, y).to_sklearn().C, 1)


@pytest.mark.parametrize(("n_classes", "dtype"), [(2, np.float32), (3, np.float64)])
@pytest.mark.parametrize("name", ["net relu", "nets", "layers"])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("partial_fit", {"solver": "adam"}),
        ("partial_fit", {"solver": "sgd", "learning_rate": "invscaling"}),
        ("fit", {"solver": "adam"}),
        ("fit", {"solver": "adam", "early_stopping": True}),
        ("fit", {"solver": "sgd", "learning_rate": "adaptive"}),
        ("fit", {"solver": "lbfgs", "max_iter": 20}),
    ],
)
def test_an_mlp_continues_to_train(method, params, name, n_classes, dtype):
    X, y = load(n_classes, dtype)
    # with early_stopping, scikit-learn before 1.9 refuses labels that are text
    y = np.unique(y, return_inverse=True)[1]
    ours = clone(MODELS[name]).fit(X, y)
    curve = list(ours.loss_curve_)
    theirs = ours.to_sklearn()
    nets = getattr(theirs, "estimators_", [theirs])
    for index, net in enumerate(nets):
        expected = log_loss(y, net.predict_proba(X))
        assert net.loss_curve_ == (curve if nets == [theirs] else ours.loss_curves_[index])
        net.set_params(warm_start=True, max_iter=20, random_state=0).set_params(**params)
        for _ in range(20 if method == "partial_fit" else 1):
            getattr(net, method)(X, y)
        assert log_loss(y, net.predict_proba(X)) < expected
    assert ours.loss_curve_ == curve


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_an_mlp_has_all_attributes_of_a_fitted_one(solver):
    X, y = load(3)
    fitted = MLPClassifier(8, solver=solver, max_iter=2)
    with pytest.warns(ConvergenceWarning):
        fitted.fit(X, y)
    # those that each fit makes anew
    of_fit = {"_optimizer", "_random_state", "_coef_indptr", "_intercept_indptr"}
    ours = clone(MODELS["net relu"]).fit(X, y).to_sklearn()
    assert vars(fitted).keys() - vars(ours).keys() <= of_fit


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("reg", ["auto", 1e-3])
def test_a_logistic_regression_starts_at_its_minimum(reg, n_classes):
    X, y = load(n_classes)
    theirs = SoftmaxClassifier(reg).fit(X, y).to_sklearn().set_params(warm_start=True)
    before = theirs.coef_.copy()
    theirs.fit(X, y)
    assert theirs.n_iter_.max() <= 1
    assert_allclose(theirs.coef_, before, atol=1e-3)
    assert clone(theirs).fit(X, y).n_iter_.max() > 5


@pytest.mark.parametrize("activation", ["gelu", "silu", "leaky_relu"])
def test_other_activations_are_refused_by_name(activation):
    X, y = load(3)
    net = TwoLayerNetClassifier(4, activation=activation, **NETS).fit(X, y)
    with pytest.raises(ValueError, match=f"activation='{activation}'"):
        net.to_sklearn()


@pytest.mark.parametrize("name", ["softmax", "net relu", "nets"])
def test_names_of_columns(name):
    X, y = load(3)
    frame = pd.DataFrame(X, columns=[f"pixel {j}" for j in range(X.shape[1])])
    ours = clone(MODELS[name]).fit(frame, y)
    theirs = ours.to_sklearn()
    assert_array_equal(theirs.feature_names_in_, frame.columns)
    assert_allclose(theirs.predict_proba(frame), ours.predict_proba(frame), atol=1e-12)


def test_its_arrays_are_copies():
    X, y = load(3)
    ours = SoftmaxClassifier().fit(X, y)
    theirs = ours.to_sklearn()
    assert type(theirs) is LogisticRegression
    theirs.coef_[:] = 0
    assert ours.coef_.any()


# an import of this package fails
ALONE = """
import pickle, sys
import numpy as np

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "sklearn_toynn":
            raise ImportError(name)

sys.meta_path.insert(0, Refusing())
X, models = pickle.load(sys.stdin.buffer)
np.save(sys.stdout.buffer, np.array([model.predict_proba(X) for model in models]))
"""


def test_without_this_package():
    X, y = load(3)
    ours = [clone(MODELS[name]).fit(X, y) for name in ("softmax", "net tanh", "nets", "layers")]
    sent = pickle.dumps((X, [model.to_sklearn() for model in ours]))
    done = subprocess.run(
        [sys.executable, "-c", ALONE], input=sent, stdout=subprocess.PIPE, check=True
    )
    expected = [model.predict_proba(X) for model in ours]
    assert_allclose(np.load(BytesIO(done.stdout)), expected, atol=1e-12)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_net_as_a_c_program(tmp_path):
    example = Path(__file__).parents[1] / "docs" / "examples" / "net_to_c.py"
    command = [sys.executable, str(example), str(tmp_path)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "agrees on 450 of 450 rows" in out
    assert (tmp_path / "digits_net.c").exists()
