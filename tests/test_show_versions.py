"""`show_versions`, and the environment variable that it tells the effect of."""

import os
import platform
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
import scipy

import sklearn_toynn
from sklearn_toynn._nets.kernels import dispatch

SHOW = "import sklearn_toynn; sklearn_toynn.show_versions()"


def run_with(variable, value):
    return subprocess.run(
        [sys.executable, "-c", SHOW],
        env=os.environ | {variable: value},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_prints_what_a_report_needs(capsys):
    sklearn_toynn.show_versions()
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert f"kernels: {dispatch.selected}" in lines
    sets = [line for line in lines if line.startswith("instruction set: ")]
    assert sets == (
        [f"instruction set: {dispatch.instruction_set}"] if dispatch.instruction_set else []
    )
    assert f"machine: {platform.platform()}" in lines
    for name, module in [("sklearn_toynn", sklearn_toynn), ("numpy", np), ("scipy", scipy)]:
        assert f"{name}: {module.__version__}" in lines
    assert any(line.startswith("num_threads: ") for line in lines)


def test_the_kernels_are_chosen_at_import():
    lines = run_with("SKLEARN_TOYNN_KERNELS", "numpy").stdout.splitlines()
    assert "kernels: numpy" in lines
    assert not any(line.startswith("instruction set") for line in lines)


def test_other_kernels_fail_the_import():
    stderr = run_with("SKLEARN_TOYNN_KERNELS", "jax").stderr
    assert "ValueError: The environment variable SKLEARN_TOYNN_KERNELS is 'jax'" in stderr


@pytest.mark.skipif(dispatch.instruction_set is None, reason="the NumPy kernels run")
def test_the_instruction_set_is_chosen_at_import():
    *_, lowest = import_module("sklearn_toynn._nets.kernels._compiled").instruction_sets()
    lines = run_with("SKLEARN_TOYNN_INSTRUCTION_SET", lowest).stdout.splitlines()
    place = lines.index("kernels: compiled")
    assert lines[place + 1] == f"instruction set: {lowest}"


@pytest.mark.skipif(dispatch.instruction_set is None, reason="the NumPy kernels run")
def test_other_instruction_sets_fail_the_import():
    stderr = run_with("SKLEARN_TOYNN_INSTRUCTION_SET", "avx10").stderr
    assert "ValueError: The environment variable SKLEARN_TOYNN_INSTRUCTION_SET is" in stderr
