"""Settings that must precede the import of scikit-learn and matplotlib, and fixtures."""

import os
import threading

import pytest
from threadpoolctl import threadpool_limits

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # otherwise scikit-learn skips its array API checks
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Count scikit-learn's checks before any are deselected."""
    names = [getattr(item, "originalname", "") for item in items]
    config.n_common_checks = names.count("test_common_check")


@pytest.fixture
def one_blas_thread():
    # on a busy machine, several threads make scikit-learn's own fits slow
    with threadpool_limits(1):
        yield


@pytest.fixture
def one_iteration_a_call(monkeypatch):
    """Make the monitor record every epoch and step separately."""
    # after the settings above
    from sklearn_toynn._training import monitor, solvers  # noqa: PLC0415

    monkeypatch.setattr(solvers, "CALL_SECONDS", 0)
    monkeypatch.setattr(monitor.Monitor, "max_iter_per_call", 1)


@pytest.fixture
def threads(monkeypatch):
    """Train nets in two threads; collect the names of the threads that train."""
    # after the settings above
    from sklearn_toynn._blas import single_threaded_blas  # noqa: PLC0415
    from sklearn_toynn._nets.kernels import dispatch  # noqa: PLC0415
    from sklearn_toynn._training import training  # noqa: PLC0415

    used, train_net = set(), training.train_net

    def spy(*args, **kwargs):
        used.add(threading.current_thread().name)
        return train_net(*args, **kwargs)

    monkeypatch.setattr(training, "train_net", spy)
    monkeypatch.setattr(single_threaded_blas, "n_threads", lambda: 2)
    monkeypatch.setattr(dispatch, "selected", "compiled")  # NumPy's kernels use one thread
    return used
