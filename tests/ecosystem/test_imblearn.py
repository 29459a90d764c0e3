"""Fused searches over the pipelines of imbalanced-learn, which resample rows."""

from typing import ClassVar

import numpy as np
import pytest
from fused_searches import REGS, X, compare, net, one_score, y
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import SoftmaxClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV

REASON = "requires the extra `ecosystem`"
imblearn_pipeline = pytest.importorskip("imblearn.pipeline", reason=REASON)
over_sampling = pytest.importorskip("imblearn.over_sampling", reason=REASON)
under_sampling = pytest.importorskip("imblearn.under_sampling", reason=REASON)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# only a third of class 1 is used
KEPT = (y != 1) | (np.arange(len(y)) % 3 == 0)
X, y = X[KEPT], y[KEPT]
GRIDS = [
    {"net__reg": REGS[:2], "net__hidden_size": [2, 4]},
    {"net": [SoftmaxClassifier(), GaussianNB()], "scaler": ["passthrough"]},
]


class Doubler(BaseEstimator):
    """Repeats all rows and records their number."""

    calls: ClassVar[list] = []

    def fit_resample(self, X, y):
        self.calls.append(len(X))
        self.n_features_in_ = X.shape[1]
        return np.concatenate([X, X]), np.concatenate([y, y])

    fit = fit_resample


SAMPLERS = {
    "none": "passthrough",
    "RandomState": over_sampling.RandomOverSampler(random_state=np.random.RandomState(1)),
    "under": under_sampling.RandomUnderSampler(random_state=0),
    "global random state": over_sampling.RandomOverSampler(),
}


def make_pipeline(sampler, *, last=None, is_first=False, **params):
    steps = [("scaler", StandardScaler()), ("sampler", sampler)]
    steps = [*(steps[::-1] if is_first else steps), ("net", net() if last is None else last)]
    return imblearn_pipeline.Pipeline(steps, **params)


@pytest.mark.parametrize(("is_first", "scoring"), [(False, None), (True, one_score)])
@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_a_fused_search_equals_grid_search(sampler, is_first, scoring):
    model = make_pipeline(sampler, is_first=is_first)
    compare(model, GRIDS, X, y, scoring=scoring, refit=False)


def test_rows_are_resampled_once_per_fold():
    Doubler.calls.clear()
    FusedGridSearchCV(make_pipeline(Doubler()), GRIDS[0], cv=3, refit=False).fit(X, y)
    assert len(Doubler.calls) == 3


def test_fit_params_reach_the_net():
    weights = np.linspace(1, 2, len(y))
    fit_params = {"net__sample_weight": weights}
    compare(make_pipeline("passthrough"), GRIDS[0], X, y, fit_params=fit_params)
    with config_context(enable_metadata_routing=True):
        last = net().set_fit_request(X_val=True, y_val=True)
        model = make_pipeline(Doubler(), last=last, is_first=True, transform_input=["X_val"])
        compare(model, GRIDS[0], X, y, fit_params={"X_val": X[:9], "y_val": y[:9]})
