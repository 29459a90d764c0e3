"""Imports within the package follow the arrows in docs/architecture.md."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import sklearn_toynn

PACKAGE = Path(sklearn_toynn.__file__).parent
# the imports that each top-level module, sub-package and the kernels may make, from the top down
ARROWS = {
    "__init__": "_cross_validated _softmax _net_classifiers _show_versions _version",
    "onnx": "_cross_validated _softmax _net_classifiers model_selection",
    "_cross_validated": (
        "_cross_validation _members _softmax _net_classifiers _docstrings _estimator_state "
        "_validation"
    ),
    "_cross_validation": (
        "_members _racing _blending _base _estimator_state _validation _callbacks _errors "
        "_sklearn_compat _training _to_sklearn"
    ),
    "_members": "_sklearn_compat",
    "_racing": "model_selection _sklearn_compat",
    "model_selection": (
        "_softmax _net_classifiers _validation _training _blas _errors _sklearn_compat"
    ),
    "_softmax": (
        "_base _docstrings _estimator_state _linear _training _nets _sklearn_compat _to_sklearn"
    ),
    "_net_classifiers": (
        "_base _docstrings _estimator_state _validation _nets _sklearn_compat _to_sklearn"
    ),
    "_base": (
        "_version _validation _encoding _partial_fit _callbacks _estimator_state _training _nets "
        "_errors _sklearn_compat _to_sklearn"
    ),
    "_estimator_state": "_sklearn_compat",
    "_encoding": "_validation _nets _sklearn_compat",
    "_partial_fit": "_validation _errors",
    "_validation": "_nets _errors",
    "_callbacks": "_sklearn_compat",
    "_linear": "_training _nets _blas _column_statistics",
    "_training": "_nets _blas _errors",
    "_nets": "_nets.kernels _blas _errors _column_statistics",
    "_nets.kernels": (
        "_nets.activations _nets.encoded_rows _nets.products _nets.samples _nets.update_rules"
    ),
    "datasets": "_sklearn_compat",
    "inspection": "_errors",
    "_show_versions": "_nets _version",
    **dict.fromkeys(
        [
            "_version",
            "_blending",
            "_to_sklearn",
            "_column_statistics",
            "_docstrings",
            "_errors",
            "_blas",
            "_sklearn_compat",
            "_typing",
        ],
        "",
    ),
}


def modules_imported(path):
    """Yield the package's modules that a module imports, from the package's root on."""
    folder = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*folder[: len(folder) + 1 - node.level], *filter(None, [node.module]))
            names = [base] if node.module else [(*base, alias.name) for alias in node.names]
            yield from map(".".join, names)


def enclosing(name):
    """Return the dotted names of a module and of its packages, the innermost first."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def test_imports_follow_the_arrows():
    modules, units = {}, set()
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        modules[name] = set(modules_imported(path))
        unit = next(unit for unit in enclosing(name) if unit in ARROWS)
        units.add(unit)
        for target in modules[name]:
            allowed = {unit, "_typing", *ARROWS[unit].split()}  # every module may import types
            assert allowed.intersection(enclosing(target)), f"{name} -> {target}"
    assert set(ARROWS) == units
    TopologicalSorter(modules).prepare()  # raises on a cycle


def test_no_two_modules_share_a_file_name():
    names = [path.name for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    assert len(names) == len(set(names))


def test_every_module_is_in_the_tables_of_the_architecture_page():
    page = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text()
    names = {path.name for path in PACKAGE.rglob("*") if path.suffix in {".py", ".pyx", ".h"}}
    assert {name for name in names if f"`{name}`" not in page} == {"__init__.py"}
