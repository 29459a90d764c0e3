"""BLAS at one thread while a fit or a prediction runs.

The number of threads changes the bits of a product, loky's workers have one where their
parent has two, and small products are slower with two. The limit is process-wide, so
overlapping fits share it: the first in sets it, the last out restores what was before. A fork
leaves the child with the thread that forked alone, and with its uses.
"""

import os
from contextlib import ContextDecorator
from threading import Lock, local

from threadpoolctl import ThreadpoolController


class _SingleThreadedBLAS(ContextDecorator):
    """A context, counted by reference, in which every BLAS runs at one thread."""

    def __init__(self):
        self._lock = Lock()
        self._n_uses = 0  # by all threads
        self._here = local()  # what each thread knows of itself: `n_uses`
        self._libraries = None  # looked for once, which takes 3 ms
        self._n_threads_before = []

    def n_threads(self):
        """Return how many threads BLAS may use: as many as the user lets it, 1 in the context."""
        with self._lock:
            return max((library.num_threads for library in self._get_libraries()), default=1)

    def __enter__(self):
        with self._lock:
            libraries = self._get_libraries()
            if self._n_uses == 0:
                self._n_threads_before = [library.num_threads for library in libraries]
            # in every thread, as some libraries have a limit for each
            self._limit([1] * len(libraries))
            self._count(1)

    def __exit__(self, *exc_info):
        with self._lock:
            self._count(-1)
            if self._n_uses == 0:
                self._limit(self._n_threads_before)

    def register_at_fork(self):
        """Have a fork wait until no thread is on its way in or out, and the child count anew."""
        os.register_at_fork(
            before=self._lock.acquire,
            after_in_parent=self._lock.release,
            after_in_child=self._begin_in_child,
        )

    def _begin_in_child(self):
        was_used, self._n_uses = self._n_uses > 0, getattr(self._here, "n_uses", 0)
        if was_used and self._n_uses == 0:
            self._limit(self._n_threads_before)
        self._lock.release()

    def _count(self, change):
        self._n_uses += change
        self._here.n_uses = getattr(self._here, "n_uses", 0) + change

    def _get_libraries(self):
        if self._libraries is None:
            controller = ThreadpoolController().select(user_api="blas")
            self._libraries = controller.lib_controllers
        return self._libraries

    def _limit(self, n_threads):
        # by the library: `controller.limit()` takes eight times as long
        release_control(self._libraries)
        for library, n in zip(self._libraries, n_threads, strict=True):
            library.set_num_threads(n)
        release_control(self._libraries)


def release_control(libraries):
    """Let any thread set OpenBLAS's limit: threadpoolctl heeds but the first that ever did."""
    for library in libraries:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)  # of all OpenBLAS libraries
            return


single_threaded_blas = _SingleThreadedBLAS()
if hasattr(os, "register_at_fork"):
    single_threaded_blas.register_at_fork()
