"""Errors that name the argument, and warnings that point at the user's line."""

import os
import re
import sys
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice, takewhile
from traceback import walk_stack

import numpy as np

#: Where warnings point to if the stack does not tell: the user's file, line and module.
_location: ContextVar[tuple | None] = ContextVar("_location", default=None)


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

    That is beyond this package and those by which it may have been called. The stack of a worker
    has no line of the user's: there it is the caller's own line.
    """
    inner = {"sklearn_toynn", "sklearn", "joblib"}
    packages = [
        frame.f_globals.get("__name__", "").partition(".")[0]
        for frame, _ in walk_stack(sys._getframe(1))
    ]
    n_inner = sum(1 for _ in takewhile(inner.__contains__, packages))
    workers = {"multiprocessing", "threading", "concurrent"}
    return 1 if workers & set(packages[n_inner : n_inner + 1]) else 1 + n_inner


def user_location():
    """Return the file, line and module of the user's call."""
    if location := _location.get():
        return location
    beyond = user_stacklevel() - 1
    frame = next(islice((frame for frame, _ in walk_stack(sys._getframe())), beyond, None))
    return frame.f_code.co_filename, frame.f_lineno, frame.f_globals.get("__name__")


@contextmanager
def warnings_at(location):
    """Let the package's warnings point to a location, in threads that get this context, too."""
    token = _location.set(location)
    try:
        yield
    finally:
        _location.reset(token)


def warn(message, category):
    """Issue a warning that points to the user's line."""
    if location := _location.get():
        filename, line, module = location
        registry = vars(sys.modules.get(module, sys)).setdefault("__warningregistry__", {})
        warnings.warn_explicit(message, category, filename, line, module, registry)
    else:
        warnings.warn(message, category, stacklevel=user_stacklevel())


def call_in_worker(parent_id, function, *args):
    """Return what a function returns, and the warnings that its parent process is to repeat."""
    if os.getpid() == parent_id:
        return function(*args), []
    with warnings.catch_warnings(record=True) as caught:
        result = function(*args)
    return result, [warning.message for warning in caught]


def repeat_warnings(outputs):
    """Return the results of calls by `call_in_worker`; their warnings point at the user's line."""
    for _, messages in outputs:
        for message in messages:
            warnings.warn(message, stacklevel=user_stacklevel())
    return [result for result, _ in outputs]
