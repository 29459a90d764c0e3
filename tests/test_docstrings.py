"""Entries of docstrings that come from other classes."""

import inspect
import re
import subprocess
import sys

import pytest

import sklearn_toynn
from sklearn_toynn._docstrings import takes_entries


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


def test_an_unknown_entry_raises():
    with pytest.raises(KeyError, match="second"):

        @takes_entries(Source)
        class Taker:
            """Takes one.

            {second}
            """


def test_no_placeholder_is_left():
    classes = filter(inspect.isclass, map(vars(sklearn_toynn).get, sklearn_toynn.__all__))
    for one in [base for public in classes for base in public.__mro__]:
        assert not re.search(r"^ *\{[\w, ]+\}$", one.__doc__ or "", re.MULTILINE), one


@pytest.mark.slow
def test_the_package_can_be_imported_without_docstrings():
    subprocess.run([sys.executable, "-OO", "-c", "import sklearn_toynn"], check=True)
