"""What every package that is built must be able to do; needs pytest and the package alone.

With `SKLEARN_TOYNN_KERNELS=compiled` a package without compiled kernels fails here at the import.
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


@pytest.fixture(scope="module", params=[np.float32, np.float64], ids=["float32", "float64"])
def digits(request):
    X, y = load_digits(return_X_y=True)
    return X.astype(request.param), y


def test_the_kernels_asked_for_run(capsys):
    sklearn_toynn.show_versions()
    asked = os.environ.get("SKLEARN_TOYNN_KERNELS", "")
    assert f"\nkernels: {asked}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "estimator",
    [
        SoftmaxClassifier(),
        TwoLayerNetClassifier(random_state=0, max_iter=20),
        TwoLayerNetClassifier(random_state=0, solver="lbfgs", max_iter=50, tol=0),
        TwoLayerNetClassifier(random_state=0, n_nets=3, max_iter=10),
    ],
    ids=["softmax", "adam", "lbfgs", "ensemble"],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators_learn_and_pickle(digits, estimator):
    X, y = digits
    estimator.fit(X[::2], y[::2])
    assert estimator.score(X[1::2], y[1::2]) > 0.9
    probabilities = estimator.predict_proba(X)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(estimator)).predict_proba(X), probabilities
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fused_search_has_the_plain_search_s_scores(digits):
    X, y = digits
    estimator = TwoLayerNetClassifier(random_state=0, max_iter=5)
    grid = {"hidden_size": [8, 16], "reg": [1e-3, 1e-2]}
    fused, plain = (
        search(estimator, grid, cv=2).fit(X[::3], y[::3])
        for search in (FusedGridSearchCV, GridSearchCV)
    )
    np.testing.assert_array_equal(
        fused.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
    )
