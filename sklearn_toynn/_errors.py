"""Errors that name the argument, and warnings that point to the user's line."""

import os
import re
import sys
import warnings
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

#: Packages that do not contain the user's code.
INNER_PACKAGES = {"sklearn_toynn", "sklearn", "joblib"}

#: Packages that run workers. The stack of a worker does not contain the user's code.
WORKER_PACKAGES = {"multiprocessing", "threading", "concurrent"}

#: The file, line and module that warnings point to; None to search the stack.
_location: ContextVar[tuple | None] = ContextVar("_location", default=None)


@contextmanager
def naming(name, hint=""):
    """Turn an error that does not name the argument into a ValueError that does.

    `hint` is appended to the message.
    """
    try:
        yield
    except (ValueError, TypeError, OverflowError) as error:
        if re.search(rf"\b{name}\b", str(error)):
            raise
        raise ValueError(f"{name}: {error}{hint}") from error


def plain(value):
    """Return a value for a message, with NumPy scalars, also in containers, as Python numbers."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) is dict:
        return {plain(key): plain(entry) for key, entry in value.items()}
    return type(value)(map(plain, value)) if type(value) in (list, tuple) else value


def user_location():
    """Return the file, line and module of the user's call, or of the caller in a worker."""
    if location := _location.get():
        return location
    caller = frame = sys._getframe(1)
    while frame and get_package(frame) in INNER_PACKAGES:
        frame = frame.f_back
    if frame is None or get_package(frame) in WORKER_PACKAGES:
        frame = caller
    return frame.f_code.co_filename, frame.f_lineno, frame.f_globals.get("__name__")


def get_package(frame):
    """Return the name of the top package of a frame's module."""
    return frame.f_globals.get("__name__", "").partition(".")[0]


@contextmanager
def warnings_at(location):
    """Make the package's warnings point to a location, also in threads with this context."""
    token = _location.set(location)
    try:
        yield
    finally:
        _location.reset(token)


def warn(message, category=None):
    """Issue a warning that points to the user's line."""
    filename, line, module = user_location()
    registry = vars(sys.modules.get(module, sys)).setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, category, filename, line, module, registry)


def call_in_worker(parent_id, function, *args):
    """Return the result of a function, and the warnings that the parent process must repeat."""
    if os.getpid() == parent_id:
        return function(*args), []
    with warnings.catch_warnings(record=True) as caught:
        result = function(*args)
    return result, [warning.message for warning in caught]


def repeat_warnings(outputs):
    """Return the results of calls by `call_in_worker`, after repeating their warnings."""
    for _, messages in outputs:
        for message in messages:
            warn(message)
    return [result for result, _ in outputs]
