"""A property that is computed once for each instance."""


class cached_property:  # noqa: N801 (as in functools)
    """`functools.cached_property` of Python 3.12, without a lock.

    In Python 3.11 that has one lock for all instances. A child of `os.fork` inherits the lock as
    it is, and hangs if another thread of the parent held it.
    """

    def __init__(self, function):
        self._function, self.__doc__ = function, function.__doc__

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, instance, owner=None):
        """Compute the value, and keep it in the instance under the property's name."""
        if instance is None:
            return self
        value = vars(instance)[self._name] = self._function(instance)
        return value
