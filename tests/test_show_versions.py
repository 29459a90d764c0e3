"""show_versions and the environment variables whose effect it shows."""

import os
import platform
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

import sklearn_toynn
from sklearn_toynn._nets.kernels import dispatch


def run_with(variable, value):
    code = "import sklearn_toynn; sklearn_toynn.show_versions()"
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {variable: value},
        capture_output=True,
        text=True,
        check=False,
    )


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
    lines = run_with("SKLEARN_TOYNN_KERNELS", "numpy").stdout.splitlines()
    assert lines[1:3] == ["kernels: numpy", ""]


@pytest.mark.slow
@pytest.mark.skipif(dispatch.instruction_set is None, reason="the NumPy kernels run")
def test_the_instruction_set_can_be_selected_at_import():
    *_, lowest = import_module("sklearn_toynn._nets.kernels._compiled").instruction_sets()
    lines = run_with("SKLEARN_TOYNN_INSTRUCTION_SET", lowest).stdout.splitlines()
    assert lines[1:3] == ["kernels: compiled", f"instruction set: {lowest}"]
