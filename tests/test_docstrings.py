"""Entries of docstrings that come from other classes."""

import inspect
import re
import subprocess
import sys

import pytest

import sklearn_toynn
from sklearn_toynn._docstrings import takes_entries


def entries(cls, section):
    """Return the names of the entries of a section of a docstring."""
    text = inspect.getdoc(cls).split(f"\n{section}\n" + "-" * len(section) + "\n")[1]
    text = re.split(r"\n\n\w[\w ]*\n-+\n", text)[0]
    return re.findall(r"^(\w+) : ", text, re.MULTILINE)


@pytest.mark.parametrize(
    "name", [name for name in sklearn_toynn.__all__ if name.endswith(("Classifier", "CV"))]
)
def test_parameters_and_attributes_are_documented(name):
    cls = getattr(sklearn_toynn, name)
    assert entries(cls, "Parameters") == list(inspect.signature(cls).parameters)
    documented = entries(cls, "Attributes")
    fitted = {name for base in cls.__mro__ for name in vars(base).get("__annotations__", {})}
    assert len(set(documented)) == len(documented)
    if not name.endswith("CV"):  # whose attributes are also those of the refitted estimator
        assert {name for name in fitted if name.endswith("_")} == set(documented)


class Source:
    """Has entries.

    Parameters
    ----------
    first : int
        Of two paragraphs.

        - "a": the second.
    second, third : int
        Two names make no entry.

    Attributes
    ----------
    last_ : float
        The last.

    Notes
    -----
    Not part of it.
    """


def test_placeholders_become_whole_entries_in_their_order():
    @takes_entries(Source)
    class Taker:
        r"""Takes \{them}.

        {last_,
        first}
            The {first} continues.
        """

    assert Taker.__doc__ == (
        "Takes \\{them}.\n\n"
        "last_ : float\n    The last.\n"
        'first : int\n    Of two paragraphs.\n\n    - "a": the second.\n'
        "    The {first} continues.\n"
    )


def test_no_placeholder_is_left():
    classes = filter(inspect.isclass, map(vars(sklearn_toynn).get, sklearn_toynn.__all__))
    for one in [base for public in classes for base in public.__mro__]:
        assert not re.search(r"^ *\{[\w, ]+\}$", one.__doc__ or "", re.MULTILINE), one


@pytest.mark.slow
def test_the_package_can_be_imported_without_docstrings():
    subprocess.run([sys.executable, "-OO", "-c", "import sklearn_toynn"], check=True)
