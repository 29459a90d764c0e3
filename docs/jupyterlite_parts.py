"""Let the gallery's notebooks run in a browser: build a pure wheel and add a first cell."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

INSTALL = """\
import piplite

await piplite.install(["sklearn-toynn", "matplotlib", "pandas", "autograd", "rich"])
"""


def build_wheel(folder):
    """Build a pure wheel of this package in a folder and return its path."""
    shutil.rmtree(folder, ignore_errors=True)  # it may have a wheel of another version
    folder.mkdir(parents=True)
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, root]
    subprocess.run(command, check=True, env={**os.environ, "SKLEARN_TOYNN_PURE": "1"})
    (wheel,) = folder.glob("*-none-any.whl")
    return wheel


def add_install(notebook, _path):
    """Insert the cell that installs packages at the start of a notebook."""
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    notebook["cells"].insert(0, {**cell, "source": [INSTALL]})
