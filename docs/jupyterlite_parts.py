"""What the notebooks of the gallery need to run in a browser: a pure wheel, a first cell."""

import os
import subprocess
import sys
from pathlib import Path

INSTALL = """\
import piplite

await piplite.install(["sklearn-toynn", "matplotlib", "pandas", "autograd", "rich"])
"""


def build_wheel(folder):
    """Build the pure wheel of this package into a folder, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, root]
    subprocess.run(command, check=True, env={**os.environ, "SKLEARN_TOYNN_PURE": "1"})
    (wheel,) = folder.glob("*-none-any.whl")
    return wheel


def add_install(notebook, _path):
    """Put the cell first into the notebook of an example."""
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    notebook["cells"].insert(0, {**cell, "source": [INSTALL]})
