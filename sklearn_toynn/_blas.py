"""BLAS at one thread while a fit or a prediction runs.

The number of threads changes the bits of a product, loky's workers have one where their
parent has two, and small products are slower with two. The limit is process-wide, so
overlapping fits share it: the first in sets it, the last out restores what was before.
"""

from contextlib import ContextDecorator
from threading import Lock

from threadpoolctl import ThreadpoolController

__all__ = ["single_threaded_blas"]


class _SingleThreadedBLAS(ContextDecorator):
    """A context, counted by reference, in which every BLAS runs at one thread."""

    def __init__(self):
        self._lock = Lock()
        self._n_users = 0
        self._controller = None  # made once: looking for the loaded libraries takes 3 ms
        self._limiter = None

    def __enter__(self):
        with self._lock:
            if self._n_users == 0:
                self._controller = self._controller or ThreadpoolController()
                self._limiter = self._controller.limit(limits=1, user_api="blas")
            self._n_users += 1

    def __exit__(self, *exc_info):
        with self._lock:
            self._n_users -= 1
            if self._n_users == 0:
                self._limiter.restore_original_limits()


single_threaded_blas = _SingleThreadedBLAS()
