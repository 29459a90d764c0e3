"""Searches on a Dask cluster and fits on Dask arrays."""

import numpy as np
import pytest
from ecosystem_cases import SEARCHES, make_search, results, rows
from joblib import parallel_config
from numpy.testing import assert_array_equal

from sklearn_toynn import TwoLayerNetClassifier

distributed = pytest.importorskip("distributed", reason="requires the extra `ecosystem`")
array = pytest.importorskip("dask.array", reason="requires the extra `ecosystem`")
wrappers = pytest.importorskip("dask_ml.wrappers", reason="requires the extra `ecosystem`")
pytestmark = pytest.mark.filterwarnings("ignore:::distributed")


@pytest.fixture(scope="module")
def cluster():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as one,
        distributed.Client(one) as client,
    ):
        yield client


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_on_two_workers_has_the_same_bits(name, cluster):
    X, y = rows()
    search = make_search(name).fit(X, y)
    with parallel_config("dask"):
        elsewhere = make_search(name).fit(X, y)
    assert cluster.scheduler_info()["n_workers"] == 2
    for one, other in zip(results(search), results(elsewhere), strict=True):
        assert_array_equal(one, other)


def test_incremental_calls_partial_fit_on_each_chunk(cluster):
    X, y = rows()
    chunks = array.from_array(X, (100, -1)), array.from_array(y, 100)
    net = TwoLayerNetClassifier(8, random_state=0)
    model = wrappers.Incremental(net, shuffle_blocks=False)
    model.fit(*chunks, classes=np.unique(y))
    for start in range(0, len(X), 100):
        net.partial_fit(X[start : start + 100], y[start : start + 100], classes=np.unique(y))
    assert_array_equal(model.estimator_.predict_proba(X), net.predict_proba(X))
    assert_array_equal(model.predict(chunks[0]).compute(), net.predict(X))
