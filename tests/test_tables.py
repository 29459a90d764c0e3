"""Each entry of the package's tables has its documentation, its formula and its converter.

A failure names all places that lack the entry. docs/guide/adding.rst has complete examples.
"""

import ast
import inspect
import re
from pathlib import Path

import pytest
from helpers import BATCH_UPDATES, FORMULAS
from kernel_cases import RULES, CompiledKernels

import sklearn_toynn
from sklearn_toynn._nets.activations import ACTIVATIONS
from sklearn_toynn._nets.initializers import INITIALIZERS
from sklearn_toynn._training.schedules import SCHEDULES
from sklearn_toynn._training.solvers import SOLVERS, FirstOrderSolver

if CompiledKernels:
    from sklearn_toynn._nets.kernels import compiled_kernels

#: The files with the docstrings of parameters.
SOURCES = {
    "activation": "_net_classifiers.py",
    "solver": "_net_classifiers.py and _softmax.py",
    "init": "_base.py",
    "schedule": "_base.py",
}
CLASSES = [getattr(sklearn_toynn, name) for name in sklearn_toynn.__all__ if name[0].isupper()]


def is_documented(parameter, value):
    """Whether the docstring of each class that accepts a value lists it."""
    for cls in CLASSES:
        options = cls._parameter_constraints.get(parameter, [])
        if any(value in getattr(option, "options", ()) for option in options):
            text = inspect.getdoc(cls)
            entry = re.search(rf"^{parameter} : .*?(?=^\w)", text, re.DOTALL | re.MULTILINE)
            if f'- "{value}": ' not in entry[0]:
                return False
    return True


def read_keys(path, name):
    """Return the keys of a dict at the top of a module, without importing it."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return {key.value for key in node.value.keys if key is not None}
    raise LookupError(f"{path} has no table {name}.")


def assert_complete(parameter, value, tables):
    """Fail with a message that names each table and docstring without the value."""
    places = [place for place, table in tables.items() if value not in table]
    if not is_documented(parameter, value):
        places.append(f"the docstring of `{parameter}` in sklearn_toynn/{SOURCES[parameter]}")
    assert not places, f"Add {value!r} to:\n- " + "\n- ".join(places)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation):
    converters = Path(sklearn_toynn.__file__).with_name("onnx.py")
    tables = {
        "FORMULAS in tests/helpers.py": FORMULAS,
        "ACTIVATIONS in sklearn_toynn/onnx.py": read_keys(converters, "ACTIVATIONS"),
    }
    assert_complete("activation", activation, tables)


@pytest.mark.parametrize("solver", SOLVERS)
def test_solvers(solver):
    solver_class, tables = SOLVERS[solver], {}
    if issubclass(solver_class, FirstOrderSolver):
        tables["RULES in tests/kernel_cases.py"] = RULES
        if CompiledKernels:
            has_c = solver_class.rule_class in compiled_kernels.RULES
            path = "sklearn_toynn/_nets/kernels/compiled_kernels.py"
            tables[f"RULES in {path}, and its formula to the C code"] = [solver] if has_c else []
    if solver_class.takes_batches:
        tables["BATCH_UPDATES in tests/helpers.py"] = BATCH_UPDATES
    assert_complete("solver", solver, tables)


@pytest.mark.parametrize("init", INITIALIZERS)
def test_initializers(init):
    assert_complete("init", init, {})


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules(schedule):
    assert_complete("schedule", schedule, {})
