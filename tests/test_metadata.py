"""Copies of the version and of the requirements agree, and workflows pin what they run."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import sklearn_toynn

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RECIPE = (ROOT / "docs" / "conda" / "recipe.yaml").read_text()
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))  # none in an sdist


def test_the_installed_package_has_the_version():
    assert version("sklearn-toynn") == sklearn_toynn.__version__, "reinstall the package"


def test_the_citation_has_the_version():
    text = (ROOT / "CITATION.cff").read_text()
    versions = re.findall(r"^version: (.+)$", text, flags=re.MULTILINE)
    assert versions == [sklearn_toynn.__version__]


def test_the_conda_recipe_has_the_version_and_the_requirements():
    (found,) = re.findall(r'^  version: "(.+)"$', RECIPE, flags=re.MULTILINE)
    assert found == sklearn_toynn.__version__
    blocks = {
        name: sorted(re.findall(r"- (\S+ >=\S+)$", block, flags=re.MULTILINE))
        for name, block in re.findall(r"^  (host|run):\n((?:    - .*\n)+)", RECIPE, re.MULTILINE)
    }
    project, build = PROJECT["project"], PROJECT["build-system"]
    for name, requirements in (("run", project["dependencies"]), ("host", build["requires"])):
        assert blocks[name] == sorted(text.replace(">=", " >=") for text in requirements)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_pin_actions_by_commit(path):
    used = re.findall(r"uses: (.+)$", path.read_text(), flags=re.MULTILINE)
    others = [name for name in used if not name.startswith("./")]
    assert [name for name in others if not re.fullmatch(r"\S+@[0-9a-f]{40} # v\S+", name)] == []


@pytest.mark.skipif(not WORKFLOWS, reason="an sdist has no .ci")
def test_a_release_needs_the_tag_of_the_version():
    command = [sys.executable, ROOT / ".ci" / "check_release.py", "v0.0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"the tag is v0.0, but __version__ is {sklearn_toynn.__version__}" in done.stderr
