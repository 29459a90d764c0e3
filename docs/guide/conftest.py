"""Pages that need packages that are not installed are skipped."""

from importlib.util import find_spec

import pytest
import sklearn

#: What a page needs, and whether it is installed.
NEEDS = {
    "callbacks.rst": (
        f"callbacks need scikit-learn 1.9, this is {sklearn.__version__}",
        find_spec("sklearn.callback") is not None,
    ),
    "choosing.rst": ("skrub is not installed", find_spec("skrub") is not None),
}


def pytest_collection_modifyitems(items):
    for item in items:
        reason, is_installed = NEEDS.get(item.path.name, ("", True))
        if not is_installed:
            item.add_marker(pytest.mark.skip(reason=reason))
