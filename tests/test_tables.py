"""Each entry of the package's tables has its documentation, its formula and its converter.

A failure names all places that lack the entry. docs/guide/adding.rst has complete examples.
"""

import ast
import inspect
import re
from pathlib import Path

import pytest
from helpers import BATCH_UPDATES, FORMULAS
from kernel_cases import RULES

import sklearn_toynn
from sklearn_toynn._nets.activations import ACTIVATIONS
from sklearn_toynn._nets.initializers import INITIALIZERS
from sklearn_toynn._training.schedules import SCHEDULES
from sklearn_toynn._training.solvers import SOLVERS, FirstOrderSolver

CLASSES = [getattr(sklearn_toynn, name) for name in sklearn_toynn.__all__ if name[0].isupper()]


def find_undocumented(parameter, value):
    """Return the classes that accept a value, and whose docstrings do not list it."""
    undocumented = set()
    for cls in CLASSES:
        options = cls._parameter_constraints.get(parameter, [])
        if not any(value in getattr(option, "options", ()) for option in options):
            continue
        entry = re.search(rf"^{parameter} : .*?(?=^\w)", inspect.getdoc(cls), re.DOTALL | re.M)
        if f'- "{value}": ' not in entry[0]:
            undocumented.add(cls.__name__)
    return undocumented


def read_keys(path, name):
    """Return the keys of a dict at the top of a module, without importing it."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return {key.value for key in node.value.keys if key is not None}
    raise LookupError(f"{path} has no table {name}.")


def assert_complete(parameter, value, tables):
    """Fail with a message that names each table and docstring without the value."""
    places = [place for place, table in tables.items() if value not in table]
    undocumented = find_undocumented(parameter, value)
    if undocumented:
        classes = ", ".join(sorted(undocumented))
        places.append(f"the entry of `{parameter}` in the docstrings of {classes}")
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
    if solver_class.takes_batches:
        tables["BATCH_UPDATES in tests/helpers.py"] = BATCH_UPDATES
    assert_complete("solver", solver, tables)


@pytest.mark.parametrize("init", INITIALIZERS)
def test_initializers(init):
    assert_complete("init", init, {})


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules(schedule):
    assert_complete("schedule", schedule, {})
