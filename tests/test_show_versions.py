"""`show_versions`, and the environment variable that it tells the effect of."""

import os
import platform
import subprocess
import sys

import numpy as np
import scipy

import sklearn_toynn
from sklearn_toynn._nets.kernels import selection

SHOW = "import sklearn_toynn; sklearn_toynn.show_versions()"


def run_with_kernels(kernels):
    environment = os.environ | {"SKLEARN_TOYNN_KERNELS": kernels}
    return subprocess.run(
        [sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True, check=False
    )


def test_it_prints_what_a_report_needs(capsys):
    sklearn_toynn.show_versions()
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert f"kernels: {selection.selected}" in lines
    assert f"machine: {platform.platform()}" in lines
    for name, module in [("sklearn_toynn", sklearn_toynn), ("numpy", np), ("scipy", scipy)]:
        assert f"{name}: {module.__version__}" in lines
    assert any(line.startswith("num_threads: ") for line in lines)


def test_the_variable_is_read_at_import():
    assert "kernels: numpy" in run_with_kernels("numpy").stdout.splitlines()


def test_a_wrong_value_fails_the_import():
    stderr = run_with_kernels("jax").stderr
    assert "ValueError: The environment variable SKLEARN_TOYNN_KERNELS is 'jax'" in stderr
