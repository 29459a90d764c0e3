"""Searches on Ray's joblib backend."""

import pytest
from ecosystem_cases import SEARCHES, make_search, results, rows
from joblib import parallel_config
from numpy.testing import assert_array_equal

ray = pytest.importorskip("ray", reason="requires the extra `ecosystem`")
ray_joblib = pytest.importorskip("ray.util.joblib", reason="requires the extra `ecosystem`")
pytestmark = pytest.mark.filterwarnings("ignore:::ray")


@pytest.fixture(scope="module")
def workers():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    ray_joblib.register_ray()
    yield
    ray.shutdown()


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_on_two_workers_has_the_same_bits(name):
    X, y = rows()
    search = make_search(name).fit(X, y)
    with parallel_config("ray", n_jobs=2):
        elsewhere = make_search(name).fit(X, y)
    for one, other in zip(results(search), results(elsewhere), strict=True):
        assert_array_equal(one, other)
