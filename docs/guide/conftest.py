"""The page on callbacks is skipped where scikit-learn has none."""

from importlib.util import find_spec

import pytest
import sklearn


def pytest_collection_modifyitems(items):
    needs_callbacks = pytest.mark.skipif(
        find_spec("sklearn.callback") is None,
        reason=f"callbacks need scikit-learn 1.9, this is {sklearn.__version__}",
    )
    for item in items:
        if item.path.name == "callbacks.rst":
            item.add_marker(needs_callbacks)
