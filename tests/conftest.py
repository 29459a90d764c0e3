"""Set-up that must come before scikit-learn or matplotlib is imported."""

import os

import pytest

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # else scikit-learn skips its array API checks
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Count scikit-learn's checks before any are deselected."""
    names = [getattr(item, "originalname", "") for item in items]
    config.n_common_checks = names.count("test_common_check")
