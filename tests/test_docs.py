"""The site has all public names, guide pages and examples, and the guide's patches apply."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
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


@pytest.mark.slow
@pytest.mark.skipif(
    len(KERNELS) < 2 or shutil.which("git") is None,
    reason="requires a C compiler and git",
)
def test_the_patches_of_the_guide_apply_and_both_kernel_sets_agree(tmp_path):
    page = (DOCS / "guide" / "adding.rst").read_text()
    diffs = re.findall(r"\.\. code-block:: diff\n\n((?:    .*\n|\n)+)", page)
    assert len(diffs) == 2
    root = DOCS.parent
    for name in ("sklearn_toynn", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (root / name).is_dir() else shutil.copy
        copy(root / name, tmp_path / name)
    in_copy = {"cwd": tmp_path, "text": True}
    apart = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    for diff in diffs:
        change = textwrap.dedent(diff).rstrip("\n") + "\n"
        subprocess.run(["git", "apply", "-"], input=change, env=apart, check=True, **in_copy)
    # pip installs the build requirements; a failed compilation is an error
    folder = tmp_path / "installed"
    environment = {**os.environ, "SKLEARN_TOYNN_KERNELS": "compiled", "PYTHONPATH": str(folder)}
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder)]
    subprocess.run([*install, str(tmp_path)], env=environment, check=True, **in_copy)
    compare = [sys.executable, "-c", COMPARE]
    subprocess.run(compare, env=environment, check=True, cwd=folder)
