"""The site has all public names and guide pages, and the guide's steps for new entries work."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

import sklearn_toynn
from sklearn_toynn import datasets, inspection, model_selection
from sklearn_toynn._nets.kernels.dispatch import KERNELS

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("module", [sklearn_toynn, datasets, inspection, model_selection])
def test_every_public_name_has_a_page(module):
    listed = re.findall(r"^   (\w+)$", (DOCS / "api.rst").read_text(), flags=re.MULTILINE)
    assert set(module.__all__) <= set(listed)


def test_every_page_of_the_guide_is_in_its_index():
    listed = re.findall(r"^   (\w+)$", (DOCS / "guide" / "index.rst").read_text(), re.MULTILINE)
    pages = {path.stem for path in (DOCS / "guide").glob("*.rst")} - {"index"}
    assert sorted(listed) == sorted(pages)


COMPARE = """
import numpy as np
from sklearn.datasets import load_iris
from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn._nets.kernels.dispatch import KERNELS

X, y = load_iris(return_X_y=True)
net = TwoLayerNetClassifier(8, activation="softsign", max_iter=200, random_state=0)
available = list(KERNELS)
assert len(available) == 2
for params in ({}, {"solver": "lion", "learning_rate": 0.01}):
    net.set_params(**params)
    outcomes = []
    for kernels in available:
        KERNELS[:] = [kernels]
        outcomes.append(net.fit(X, y).predict_proba(X))
        z = X @ net.coefs_[0] + net.intercepts_[0]
        scores = z / (1 + abs(z)) @ net.coefs_[1] + net.intercepts_[1]
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        np.testing.assert_allclose(outcomes[-1], p / p.sum(axis=1, keepdims=True), rtol=1e-9)
    assert net.score(X, y) > 0.9
    np.testing.assert_allclose(*outcomes, rtol=1e-6)
"""


SOURCES = ("sklearn_toynn", "tests", "setup.py", "pyproject.toml", "README.md", "LICENSE")
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="requires git")


def read_blocks(language):
    """Return the code blocks of a language in the guide's page on new entries, in their order."""
    page = (DOCS / "guide" / "adding.rst").read_text()
    blocks = re.findall(rf"\.\. code-block:: {language}\n\n((?:    .*\n|\n)+)", page)
    return [textwrap.dedent(block).strip("\n") + "\n" for block in blocks]


def apply_patch(patch, folder):
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    command = ["git", "apply", "-"]
    subprocess.run(command, input=patch, env=environment, cwd=folder, text=True, check=True)


def copy_sources(folder):
    """Copy the package and the tests without compiled code."""
    ignore = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    for name in SOURCES:
        if (DOCS.parent / name).is_dir():
            shutil.copytree(DOCS.parent / name, folder / name, ignore=ignore)
        else:
            shutil.copy(DOCS.parent / name, folder / name)


def run(*arguments, **options):
    """Run a module or a statement in Python; return the completed process."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, **options)


@needs_git
def test_the_patches_of_the_guide_apply(tmp_path):
    patches = read_blocks("diff")
    assert len(patches) == 5
    for name in re.findall(r"^\+\+\+ b/(.+)$", "".join(patches), re.MULTILINE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DOCS.parent / name, tmp_path / name)
    for patch in patches:
        apply_patch(patch, tmp_path)


@pytest.mark.slow
@needs_git
def test_the_steps_for_a_new_activation(tmp_path):
    """Follow the guide on the NumPy kernels: patches, the message in between and the tests."""
    first, second, *_ = read_blocks("diff")
    (message,) = read_blocks("text")
    commands = read_blocks("sh")[0].splitlines()
    assert len(commands) == 2
    in_copy = {"cwd": tmp_path, "env": {**os.environ, "SKLEARN_TOYNN_KERNELS": "numpy"}}
    copy_sources(tmp_path)
    apply_patch(first, tmp_path)
    failed = run("-m", "pytest", "tests/test_tables.py", **in_copy)
    printed = re.sub(r"^E +(AssertionError: )?", "", failed.stdout, flags=re.MULTILINE)
    assert failed.returncode == 1
    assert message in re.sub(r"^  ", "", printed, flags=re.MULTILINE)
    apply_patch(second, tmp_path)
    for command in commands:
        program, *arguments = shlex.split(command, comments=True)
        assert program == "pytest"
        if "tests/test_onnx.py" not in arguments or find_spec("skl2onnx") is not None:
            passed = run("-m", "pytest", *arguments, **in_copy)
            assert passed.returncode == 0, passed.stdout


@pytest.mark.slow
@needs_git
@pytest.mark.skipif(len(KERNELS) < 2, reason="requires a C compiler")
def test_both_kernel_sets_agree_after_all_patches_of_the_guide(tmp_path):
    copy_sources(tmp_path)
    for patch in read_blocks("diff"):
        apply_patch(patch, tmp_path)
    # pip installs the build requirements; a failed compilation is an error
    folder = tmp_path / "installed"
    environment = {**os.environ, "SKLEARN_TOYNN_KERNELS": "compiled", "PYTHONPATH": str(folder)}
    options = {"env": environment, "cwd": tmp_path}
    install = ["-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), str(tmp_path)]
    # -P leaves the sources in the current folder out of the path
    tests = ["tests/test_tables.py", "tests/nets", "tests/training", "-k", "softsign or lion"]
    for command in (install, ["-P", "-c", COMPARE], ["-P", "-m", "pytest", *tests]):
        done = run(*command, **options)
        assert done.returncode == 0, done.stdout
