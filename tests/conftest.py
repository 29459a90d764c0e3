"""Set-up that must come before scikit-learn or matplotlib is imported."""

import os
import threading

import pytest
from threadpoolctl import threadpool_limits

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # else scikit-learn skips its array API checks
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Count scikit-learn's checks before any are deselected."""
    names = [getattr(item, "originalname", "") for item in items]
    config.n_common_checks = names.count("test_common_check")


@pytest.fixture
def one_blas_thread():
    # on a busy machine, the threads of scikit-learn's own fits wait for each other
    with threadpool_limits(1):
        yield


@pytest.fixture
def one_iteration_a_call(monkeypatch):
    """Have Python see every epoch and every Newton step, as where a fit is watched."""
    # not before the set-up above
    from sklearn_toynn._linear import descent  # noqa: PLC0415
    from sklearn_toynn._training import first_order  # noqa: PLC0415

    monkeypatch.setattr(first_order, "CALL_SECONDS", 0)
    monkeypatch.setattr(descent, "MAX_ORDER_AHEAD", 0)


@pytest.fixture
def threads(monkeypatch):
    """Train every stack of two nets in a thread of its own; collect the threads."""
    from sklearn_toynn._training import stacks  # noqa: PLC0415 (not before the set-up above)

    used, train = set(), stacks.train

    def spy(training):
        used.add(threading.current_thread().name)
        return train(training)

    monkeypatch.setattr(stacks, "train", spy)
    monkeypatch.setattr(stacks, "CACHE_BYTES", 1)
    monkeypatch.setattr(stacks, "THREAD_BYTES", 1)
    monkeypatch.setattr(stacks.single_threaded_blas, "n_threads", lambda: 2)
    return used
