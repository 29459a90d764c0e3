"""Functions that store and restore the attributes of estimators."""

from contextlib import contextmanager
from inspect import signature

from ._sklearn_compat import CALLBACK_STATE


@contextmanager
def restored_on_error(estimator):
    """Restore the attributes of an estimator if the block raises."""
    now = vars(estimator)
    before = dict(now)
    try:
        yield
    except BaseException:
        kept = {name: now[name] for name in CALLBACK_STATE if name in now}
        now.clear()
        now.update(before | kept)
        raise


def store_parameters(estimator, arguments):
    """Set the arguments of `__init__`, its `locals()`, as attributes."""
    for name, value in arguments.items():
        if name != "self":
            setattr(estimator, name, value)


def add_new_parameters(estimator_class, state):
    """Return a saved state with the defaults of parameters that a later version has added."""
    parameters = signature(estimator_class).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters} | state
