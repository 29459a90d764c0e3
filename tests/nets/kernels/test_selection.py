"""Which kernels run, by what `SKLEARN_TOYNN_KERNELS` says and by what can be imported."""

import sys

import pytest

from sklearn_toynn._nets.kernels import selection

EXTENSION = "sklearn_toynn._nets.kernels._compiled"


@pytest.fixture
def built(monkeypatch):
    monkeypatch.setitem(sys.modules, EXTENSION, object())


@pytest.fixture
def not_built(monkeypatch):
    monkeypatch.setitem(sys.modules, EXTENSION, None)  # its import raises


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("asked", "selected"), [("", "compiled"), ("compiled", "compiled"), ("numpy", "numpy")]
)
def test_where_the_extension_is_built(asked, selected):
    assert selection.select(asked) == selected


@pytest.mark.usefixtures("not_built")
@pytest.mark.parametrize("asked", ["", "numpy"])
def test_numpy_runs_where_the_extension_is_not_built(asked):
    assert selection.select(asked) == "numpy"


@pytest.mark.usefixtures("not_built")
def test_the_compiled_kernels_can_not_be_had_where_they_are_not_built():
    with pytest.raises(ImportError, match="SKLEARN_TOYNN_KERNELS asks for .* compiler"):
        selection.select("compiled")


@pytest.mark.parametrize("asked", ["Compiled", "jax", " "])
def test_anything_else_names_the_variable_and_what_would_do(asked):
    message = f"SKLEARN_TOYNN_KERNELS is '{asked}'.* 'numpy' or 'compiled', or unset or empty"
    with pytest.raises(ValueError, match=message):
        selection.select(asked)


def test_numpy_does_not_import_the_extension(monkeypatch):
    monkeypatch.delitem(sys.modules, EXTENSION, raising=False)
    selection.select("numpy")
    assert EXTENSION not in sys.modules
