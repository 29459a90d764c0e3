"""Data, models and comparisons for the tests of fused searches."""

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV

X, y = load_iris(return_X_y=True)
ROWS = np.random.RandomState(0).permutation(len(y))[:90]
X, y = X[ROWS], y[ROWS]
WEIGHTS = np.random.RandomState(1).uniform(0.5, 2, len(y))
REGS = [1e-4, 1e-2, 1.0]
ATTRIBUTES = (
    "best_index_",
    "best_params_",
    "best_score_",
    "n_splits_",
    "multimetric_",
    "feature_names_in_",
    "n_features_in_",
    "classes_",
)


def describe(value):
    """Return a name for a parametrised test, without addresses."""
    return re.sub(r" at 0x\w+|\s+", "", str(value))[:50]


def net_solvers():
    return sorted(TwoLayerNetClassifier._parameter_constraints["solver"][0].options)


def net(**params):
    defaults = {"hidden_size": 4, "max_iter": 4, "batch_size": 16, "random_state": 0}
    return TwoLayerNetClassifier(**(defaults | params))


def pipeline(last=None, **params):
    steps = [("scaler", StandardScaler()), ("net", net() if last is None else last)]
    return Pipeline(steps, **params)


def assert_same_results(fused, plain):
    assert list(fused) == list(plain)
    for name, values in plain.items():
        ours = fused[name]
        if name == "params":
            assert list(map(str, ours)) == list(map(str, values))
            continue
        assert type(ours) is type(values), name
        assert ours.dtype == values.dtype, name
        assert ours.shape == values.shape, name
        if name.endswith("_time"):
            assert (ours >= 0).all()
        elif isinstance(values, np.ma.MaskedArray):
            assert_array_equal(ours.mask, values.mask)
            assert list(map(str, ours)) == list(map(str, values))
        else:
            assert_array_equal(ours, values, name)


def assert_same(fused, plain, X=X):
    assert_same_results(fused.cv_results_, plain.cv_results_)
    for name in ATTRIBUTES:
        assert hasattr(fused, name) == hasattr(plain, name), name
        if hasattr(plain, name):
            assert str(getattr(fused, name)) == str(getattr(plain, name)), name
    assert str(fused.scorer_) == str(plain.scorer_)
    assert hasattr(fused, "refit_time_") == bool(plain.refit)
    if plain.refit:
        assert str(fused.best_estimator_) == str(plain.best_estimator_)
        if hasattr(plain, "predict_proba"):
            assert_array_equal(fused.predict_proba(X), plain.predict_proba(X))


def compare(estimator, grid, X=X, y=y, *, fit_params=None, **args):
    """Run both searches, check that they agree, and return the fused search."""
    args = {"cv": 3} | args
    searches = []
    for search_class in (FusedGridSearchCV, GridSearchCV):
        cv = args["cv"]() if isinstance(args["cv"], type(compare)) else args["cv"]
        search = search_class(clone(estimator), grid, **(args | {"cv": cv}))
        np.random.seed(0)
        searches.append(search.fit(X, y, **(fit_params or {})))
    assert_same(*searches, X=X)
    return searches[0]


def scores_by_name(estimator, X, y):
    proba = estimator.predict_proba(X)
    return {"loss": -log_loss(y, proba, labels=estimator.classes_), "top": proba.max()}


def one_score(estimator, X, y):
    return estimator.predict_proba(X)[:, 0].mean()


def fit_both(estimator, grid, X=X, y=y, **args):
    """Fit both searches; return them, and their warnings without addresses and tracebacks."""
    searches, messages = [], []
    for search_class in (FusedGridSearchCV, GridSearchCV):
        search = search_class(clone(estimator), grid, **({"cv": 3} | args))
        with pytest.warns() as caught:
            search.fit(X, y)
        searches.append(search)
        messages.append([(w.category, str(w.message)) for w in caught])
    return searches, messages
