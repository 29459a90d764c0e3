"""Annotations of public functions; mypy checks typing_cases.py."""

import inspect
import re
from importlib.resources import files

import pytest

import sklearn_toynn
from sklearn_toynn import datasets, inspection, model_selection

PUBLIC = {
    name: getattr(module, name)
    for module in (sklearn_toynn, datasets, inspection, model_selection)
    for name in module.__all__
}


def public_functions(value):
    """Yield a function, or the public methods of a class and its bases in this package."""
    if inspect.isfunction(value):
        yield value
        return
    for cls in value.__mro__:
        if cls.__module__.startswith("sklearn_toynn"):
            for name, method in vars(cls).items():
                if inspect.isfunction(method) and (name == "__init__" or name[0] != "_"):
                    yield method


@pytest.mark.parametrize("name", PUBLIC)
def test_every_argument_is_annotated(name):
    for function in map(inspect.unwrap, public_functions(PUBLIC[name])):
        parameters = inspect.get_annotations(function).keys() - {"return"}
        assert parameters == inspect.signature(function).parameters.keys() - {"self"}
        assert "return" in inspect.get_annotations(function)


@pytest.mark.parametrize("name", PUBLIC)
def test_signatures_have_short_names(name):
    for function in public_functions(PUBLIC[name]):
        assert not re.search(r"Union|numpy\.|typing\.", str(inspect.signature(function)))


def test_the_package_is_marked_as_typed():
    assert files(sklearn_toynn).joinpath("py.typed").is_file()
