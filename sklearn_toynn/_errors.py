"""Errors that name the argument, and warnings that point at the user's line."""

import re
import sys
from contextlib import contextmanager
from itertools import takewhile
from traceback import walk_stack


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
