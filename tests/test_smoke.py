"""Smoke tests of built packages. They require only pytest and the package.

With `SKLEARN_TOYNN_KERNELS=compiled`, the import fails without compiled kernels.
"""

import os
import pickle

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

import sklearn_toynn
from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_the_selected_kernels_run(capsys):
    sklearn_toynn.show_versions()
    selected = os.environ.get("SKLEARN_TOYNN_KERNELS", "")
    assert f"\nkernels: {selected}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "model",
    [
        SoftmaxClassifier(),
        TwoLayerNetClassifier(random_state=0, max_iter=20),
        TwoLayerNetClassifier(random_state=0, solver="lbfgs", max_iter=20),
        TwoLayerNetClassifier(random_state=0, n_nets=3, max_iter=10),
    ],
    ids=["softmax", "adam", "lbfgs", "ensemble"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_models_learn_and_pickle(model, dtype):
    X, y = load_digits(return_X_y=True)
    X = X.astype(dtype)
    model.fit(X[::2], y[::2])
    assert model.score(X[1::2], y[1::2]) > 0.9
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))


def test_a_fused_search_gives_the_scores_of_grid_search():
    X, y = load_digits(return_X_y=True)
    net = TwoLayerNetClassifier(random_state=0, max_iter=5)
    grid = {"hidden_size": [8, 16], "reg": [1e-3, 1e-2]}
    fused, plain = (
        search(net, grid, cv=2).fit(X[::3], y[::3]).cv_results_["mean_test_score"]
        for search in (FusedGridSearchCV, GridSearchCV)
    )
    np.testing.assert_array_equal(fused, plain)
