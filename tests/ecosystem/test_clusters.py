"""Searches on the backends of Dask and Ray, and fits on Dask arrays."""

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV

REASON = "requires the extra `ecosystem`"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:::distributed", "ignore:::ray"),
]
GRID = {"twolayernetclassifier__hidden_size": [8, 16], "twolayernetclassifier__reg": [1e-4, 1e-2]}
X, y = load_digits(return_X_y=True)
X, y = X[:600], y[:600]


@pytest.fixture(scope="module")
def dask():
    distributed = pytest.importorskip("distributed", reason=REASON)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as one,
        distributed.Client(one),
    ):
        yield


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray", reason=REASON)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    pytest.importorskip("ray.util.joblib", reason=REASON).register_ray()
    yield
    ray.shutdown()


@pytest.mark.parametrize("search_class", [GridSearchCV, FusedGridSearchCV])
@pytest.mark.parametrize(("backend", "options"), [("dask", {}), ("ray", {"n_jobs": 2})])
def test_a_search_on_two_workers_has_the_same_bits(search_class, backend, options, request):
    request.getfixturevalue(backend)
    net = TwoLayerNetClassifier(max_iter=20, tol=0, random_state=0)
    search, elsewhere = (
        search_class(make_pipeline(MinMaxScaler(), net), GRID, cv=3, error_score="raise")
        for _ in range(2)
    )
    search.fit(X, y)
    with parallel_config(backend, **options):
        elsewhere.fit(X, y)
    for name in ("mean_test_score", "std_test_score"):
        assert_array_equal(elsewhere.cv_results_[name], search.cv_results_[name])
    assert_array_equal(elsewhere.predict_proba(X), search.predict_proba(X))


@pytest.mark.usefixtures("dask")
def test_incremental_calls_partial_fit_on_each_chunk():
    array = pytest.importorskip("dask.array", reason=REASON)
    wrappers = pytest.importorskip("dask_ml.wrappers", reason=REASON)
    net = TwoLayerNetClassifier(8, random_state=0)
    model = wrappers.Incremental(net, shuffle_blocks=False)
    chunks = array.from_array(X, (100, -1)), array.from_array(y, 100)
    model.fit(*chunks, classes=np.unique(y))
    for start in range(0, len(X), 100):
        net.partial_fit(X[start : start + 100], y[start : start + 100], classes=np.unique(y))
    assert_array_equal(model.estimator_.predict_proba(X), net.predict_proba(X))
