"""Copies of the version agree with `sklearn_toynn.__version__`."""

import re
from importlib.metadata import version
from pathlib import Path

import sklearn_toynn

CITATION = Path(__file__).parents[1] / "CITATION.cff"


def test_the_installed_package_has_the_version():
    assert version("sklearn-toynn") == sklearn_toynn.__version__, "reinstall the package"


def test_the_citation_has_the_version():
    versions = re.findall(r"^version: (.+)$", CITATION.read_text(), flags=re.MULTILINE)
    assert versions == [sklearn_toynn.__version__]
