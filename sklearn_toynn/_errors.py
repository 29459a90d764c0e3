"""Errors that name the argument, and warnings that point at the user's line."""

import re
import sys
from contextlib import contextmanager
from itertools import takewhile
from traceback import walk_stack

import numpy as np


@contextmanager
def naming(name, hint=""):
    """Turn an error that does not say which argument it is about into a ValueError that does.

    It ends with the hint.
    """
    try:
        yield
    except (ValueError, TypeError, OverflowError) as error:
        if re.search(rf"\b{name}\b", str(error)):
            raise
        raise ValueError(f"{name}: {error}{hint}") from error


def plain(value):
    """Return a value for a message, with NumPy scalars as Python's, also in containers."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) is dict:
        return {plain(key): plain(entry) for key, entry in value.items()}
    return type(value)(map(plain, value)) if type(value) in (list, tuple) else value


def user_stacklevel():
    """Return the `stacklevel` for a warning of the caller's to point at the user's line.

    That is beyond this package and those by which it may have been called.
    """
    inner = {"sklearn_toynn", "sklearn", "joblib"}
    packages = (
        frame.f_globals.get("__name__", "").partition(".")[0]
        for frame, _ in walk_stack(sys._getframe(1))
    )
    return 1 + sum(1 for _ in takewhile(inner.__contains__, packages))
