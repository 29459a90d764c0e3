"""The version has one source, `sklearn_toynn.__version__`; what repeats it does not drift."""

import re
from importlib.metadata import version
from pathlib import Path

import sklearn_toynn

CITATION = Path(__file__).parents[1] / "CITATION.cff"


def test_version_of_the_installed_package():
    assert version("sklearn-toynn") == sklearn_toynn.__version__, "install the package anew"


def test_version_of_the_citation():
    versions = re.findall(r"^version: (.+)$", CITATION.read_text(), flags=re.MULTILINE)
    assert versions == [sklearn_toynn.__version__]
