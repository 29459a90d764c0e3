"""A limit of one BLAS thread during a fit or a prediction.

The number of threads changes the rounding of a product, and joblib's workers have fewer threads
than their parent. Small products are also slower with two threads. The limit applies to the whole
process. Of overlapping fits, the first sets it and the last restores the previous numbers. A
forked child contains only the thread that forked, so it counts only the uses by this thread.
"""

import os
from contextlib import ContextDecorator
from threading import Lock, local

from threadpoolctl import ThreadpoolController


class _SingleThreadedBLAS(ContextDecorator):
    """A reentrant context in which every BLAS library uses one thread."""

    def __init__(self):
        self._lock = Lock()
        self._n_uses = 0  # by all threads
        self._thread = local()  # `n_uses` by each thread
        self._libraries = None  # found once, which takes 3 ms
        self._n_threads_before = []

    def n_threads(self):
        """Return how many threads BLAS may use now."""
        with self._lock:
            return max((library.num_threads for library in self._get_libraries()), default=1)

    def __enter__(self):
        with self._lock:
            libraries = self._get_libraries()
            if self._n_uses == 0:
                self._n_threads_before = [library.num_threads for library in libraries]
            # in each thread, because some libraries have a limit per thread
            self._limit([1] * len(libraries))
            self._count(1)

    def __exit__(self, *exc_info):
        with self._lock:
            self._count(-1)
            if self._n_uses == 0:
                self._limit(self._n_threads_before)

    def register_at_fork(self):
        """Hold the lock during a fork, and count the uses again in the child."""
        os.register_at_fork(
            before=self._lock.acquire,
            after_in_parent=self._lock.release,
            after_in_child=self._begin_in_child,
        )

    def _begin_in_child(self):
        was_used, self._n_uses = self._n_uses > 0, getattr(self._thread, "n_uses", 0)
        if was_used and self._n_uses == 0:
            self._limit(self._n_threads_before)
        self._lock.release()

    def _count(self, change):
        self._n_uses += change
        self._thread.n_uses = getattr(self._thread, "n_uses", 0) + change

    def _get_libraries(self):
        if self._libraries is None:
            controller = ThreadpoolController().select(user_api="blas")
            self._libraries = controller.lib_controllers
        return self._libraries

    def _limit(self, n_threads):
        # `controller.limit()` takes eight times as long
        release_control(self._libraries)
        for library, n in zip(self._libraries, n_threads, strict=True):
            library.set_num_threads(n)
        release_control(self._libraries)


def release_control(libraries):
    """Let this thread set OpenBLAS's limit, which threadpoolctl allows only one thread to do."""
    for library in libraries:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)  # for all OpenBLAS libraries
            return


single_threaded_blas = _SingleThreadedBLAS()
if hasattr(os, "register_at_fork"):
    single_threaded_blas.register_at_fork()
