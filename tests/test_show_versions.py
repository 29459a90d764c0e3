"""show_versions, and the environment variables that it reports."""

import os
import platform
import subprocess
import sys

import numpy as np

import sklearn_toynn
from sklearn_toynn._nets.kernels import dispatch


def test_it_prints_versions_kernels_and_libraries(capsys):
    sklearn_toynn.show_versions()
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == [
        f"sklearn_toynn: {sklearn_toynn.__version__}",
        f"kernels: {dispatch.selected}",
    ]
    has_set = lines[2] == f"instruction set: {dispatch.instruction_set}"
    assert has_set == (dispatch.instruction_set is not None)
    assert {f"machine: {platform.platform()}", f"numpy: {np.__version__}"} <= set(lines)
    assert any(line.startswith("num_threads: ") for line in lines)


def test_the_numpy_kernels_can_be_selected_at_import():
    command = [sys.executable, "-c", "import sklearn_toynn; sklearn_toynn.show_versions()"]
    environment = os.environ | {"SKLEARN_TOYNN_KERNELS": "numpy"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[1:3] == ["kernels: numpy", ""]
