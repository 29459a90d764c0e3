"""Metadata, validation sets and failures in a fused search."""

import re
import warnings

import numpy as np
import pytest
from fused_searches import (
    REGS,
    WEIGHTS,
    X,
    assert_same,
    compare,
    describe,
    fit_both,
    net,
    one_score,
    pipeline,
    scores_by_name,
    y,
)
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline

from sklearn_toynn.model_selection import FusedGridSearchCV

# for tests in which reaching `max_iter` does not matter
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

GROUPS = np.arange(len(y)) % 7

# --- metadata and validation sets ----------------------------------------------------


@pytest.mark.parametrize("is_routed", [False, True])
def test_groups(is_routed):
    with config_context(enable_metadata_routing=is_routed):
        compare(net(), {"reg": REGS}, fit_params={"groups": GROUPS}, cv=GroupKFold(3))


@pytest.mark.parametrize("scoring", [None, ["accuracy", "neg_log_loss"], one_score])
def test_sample_weight_without_routing(scoring):
    refit = "accuracy" if isinstance(scoring, list) else True
    args = {"scoring": scoring, "refit": refit, "return_train_score": True}
    with warnings.catch_warnings():
        # scorers without weights warn from scikit-learn 1.7 on
        warnings.filterwarnings("ignore", ".*does not support sample_weight", UserWarning)
        compare(net(), {"reg": REGS}, fit_params={"sample_weight": WEIGHTS}, **args)
    compare(pipeline(), {"net__reg": REGS}, fit_params={"net__sample_weight": WEIGHTS}, **args)


@pytest.mark.parametrize("fit_request", [True, False])
@pytest.mark.parametrize("scoring", [None, make_scorer(accuracy_score)], ids=describe)
def test_sample_weight_with_routing(fit_request, scoring):
    with config_context(enable_metadata_routing=True):
        last = net().set_fit_request(sample_weight=fit_request)
        last.set_score_request(sample_weight=True)
        if scoring is not None:
            scoring.set_score_request(sample_weight=True)
        args = {"fit_params": {"sample_weight": WEIGHTS}, "scoring": scoring}
        compare(last, {"reg": REGS}, **args)
        model = pipeline(last)
        model[0].set_fit_request(sample_weight=fit_request)
        compare(model, {"net__reg": REGS}, **args)


@pytest.mark.parametrize("n_validation", [20, len(y)])
def test_validation_set(n_validation):
    """`GridSearchCV` splits X_val if it has the length of X."""
    fit_params = {"X_val": X[:n_validation] + 0.01, "y_val": y[:n_validation]}
    compare(net(), {"reg": REGS, "hidden_size": [3, 4]}, fit_params=fit_params)
    in_pipeline = {f"net__{name}": value for name, value in fit_params.items()}
    compare(pipeline(), {"net__reg": REGS}, fit_params=in_pipeline)
    with config_context(enable_metadata_routing=True):
        last = net().set_fit_request(X_val=True, y_val=True)
        compare(last, {"reg": REGS}, fit_params=fit_params)
        model = pipeline(last, transform_input=["X_val"])
        compare(model, {"net__reg": REGS, "net__solver": ["adam", "gd"]}, fit_params=fit_params)


# --- failures ----------------------------------------------------------------------------


class Fragile(TransformerMixin, BaseEstimator):
    """Fails in `fit`, or in `transform` of rows other than the fitted ones, if requested."""

    def __init__(self, fails_in=None):
        self.fails_in = fails_in

    def fit(self, X, y=None):
        if self.fails_in == "fit":
            raise ValueError("fragile fit")
        self.n_rows_ = len(X)
        return self

    def transform(self, X):
        if self.fails_in == "transform" and len(X) != self.n_rows_:
            raise ValueError("fragile transform")
        return X


@pytest.mark.parametrize(
    ("error_score", "scoring", "refit"),
    [
        (np.nan, None, True),
        (-1e6, ["accuracy", "neg_log_loss"], "accuracy"),
        (np.nan, scores_by_name, "loss"),
    ],
)
def test_only_the_candidate_with_a_wrong_parameter_fails(error_score, scoring, refit):
    args = {"error_score": error_score, "scoring": scoring, "refit": refit}
    grid = {"net__reg": [0.1, 0.01, -1.0], "net__hidden_size": [3, 0]}
    searches, messages = fit_both(pipeline(), grid, return_train_score=True, **args)
    assert_same(*searches)
    failed = [[text for kind, text in ws if kind is FitFailedWarning] for ws in messages]
    counts = []
    for (text,) in failed:
        assert "\n12 fits failed out of a total of 18" in text
        assert "must be a float in the range [0.0, inf)" in text
        counts.append(sorted(re.findall(r"^\d+ fits failed with", text, re.MULTILINE)))
    assert counts[0] == counts[1]


def test_invalid_sparse_rows_raise_before_they_are_split():
    rows = csr_array(X)
    rows.indices[-1] = 99  # in the last row, which is in no split
    search = FusedGridSearchCV(net(), {"reg": REGS}, cv=[(np.arange(60), np.arange(60, 89))])
    with pytest.raises(ValueError, match="X is an invalid sparse matrix"):
        search.set_params(refit=False).fit(rows, y)


@pytest.mark.parametrize("fails_in", ["fit", "transform"])
@pytest.mark.parametrize("scoring", [None, ["accuracy", "neg_log_loss"]])
def test_failing_preprocessing(fails_in, scoring):
    model = Pipeline([("scaler", Fragile()), ("net", net())])
    grid = {"scaler__fails_in": [None, fails_in], "net__reg": REGS}
    refit = "accuracy" if isinstance(scoring, list) else True
    searches, (ours, theirs) = fit_both(model, grid, scoring=scoring, refit=refit)
    assert_same(*searches)
    assert {kind for kind, _ in ours} == {kind for kind, _ in theirs}
    first_lines = [sorted(text.splitlines()[0] for _, text in ws) for ws in (ours, theirs)]
    assert first_lines[0] == first_lines[1]


def fails_for_large_reg(estimator, X, y):
    if estimator.reg > 0.1:
        raise ValueError("no score")
    return estimator.score(X, y)


@pytest.mark.parametrize("scoring", [fails_for_large_reg, "roc_auc", ["accuracy", "roc_auc"]])
def test_failing_scorers_warn_as_in_grid_search(scoring):
    args = {"scoring": scoring, "refit": False, "return_train_score": True}
    searches, (ours, theirs) = fit_both(net(), {"reg": REGS}, **args)
    assert_same(*searches)
    assert sorted(str(kind) for kind, _ in ours) == sorted(str(kind) for kind, _ in theirs)


@pytest.mark.filterwarnings("default")
def test_only_the_diverging_candidate_warns():
    grid = {"net__learning_rate": [1e-2, 1e12], "net__reg": [1e-3, 1e-2]}
    searches, (ours, theirs) = fit_both(pipeline(net(schedule="cosine")), grid, refit=False)
    assert_same(*searches)
    assert [k for k, _ in ours] == [k for k, _ in theirs] == [ConvergenceWarning] * 6
    assert sorted(text for _, text in ours) == sorted(text for _, text in theirs)


def test_only_the_diverging_candidate_fails_if_warnings_are_errors():
    grid = {"learning_rate": [1e-2, 1e12], "random_state": [0, np.random.RandomState(0)]}
    searches = []
    for search_class in (FusedGridSearchCV, GridSearchCV):
        search = search_class(net(schedule="cosine", warm_start=True), grid, cv=3, refit=False)
        with pytest.warns() as caught:  # noqa: PT031
            # within, as pytest.warns resets the filters
            warnings.simplefilter("error", ConvergenceWarning)
            search.fit(X, y)
        assert FitFailedWarning in {w.category for w in caught}
        searches.append(search)
    assert np.isnan(searches[0].cv_results_["mean_test_score"]).sum() == 2
    assert_same(*searches)
