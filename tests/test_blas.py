"""BLAS at one thread during a fit, in threads and in forked children."""

import os
import subprocess
import sys
import threading

import pytest
from helpers import ends_early, wine
from threadpoolctl import threadpool_info, threadpool_limits

from sklearn_toynn import SoftmaxClassifier

pytestmark = ends_early


FORKING = """
import os, signal, sys, threading
import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits
from sklearn_toynn import SoftmaxClassifier
from sklearn_toynn._blas import single_threaded_blas

X, y = np.random.RandomState(0).standard_normal((60, 3)), np.arange(60) % 3
threadpool_limits(2, user_api="blas")

def fit(during):
    def schedule(progress):
        during()
        return 1.0
    SoftmaxClassifier(solver="gd", max_iter=1, schedule=schedule).fit(X, y)

def show(where):
    blas = [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]
    print(where, *set(blas), flush=True)

def in_child(call):
    if os.fork() == 0:
        signal.alarm(30)  # in case a lock stays locked
        call()
        os._exit(0)
    _, status = os.wait()
    assert status == 0, status

def show_and_fit():
    show("child")
    fit(lambda: show("its fit"))
    show("child")

print("a thread enters a fit")
limit, inside = single_threaded_blas._limit, threading.Event()

def slow_limit(n_threads):
    if not inside.is_set():
        inside.set()
        threading.Event().wait(0.2)
    limit(n_threads)

single_threaded_blas._limit = slow_limit
done = threading.Event()
thread = threading.Thread(target=fit, args=[lambda: done.wait(60)])
thread.start()
inside.wait(60)
in_child(show_and_fit)
show("parent")
done.set()
thread.join()
show("parent")
del single_threaded_blas._limit

print("a fit forks")
fit(lambda: in_child(lambda: show("child")) or show("parent"))
show("parent")

print("a fit forks, and the child continues it", flush=True)
fit(lambda: os.fork() == 0 or os.wait())
show("either")
"""
FORKED = """
a thread enters a fit
child 2
its fit 1
child 2
parent 1
parent 2
a fit forks
child 1
parent 1
parent 2
a fit forks, and the child continues it
either 2
either 2
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_has_the_blas_threads_of_its_thread():
    # in its own process, because Python warns of forks beside threads
    done = subprocess.run(
        [sys.executable, "-u", "-W", "ignore::DeprecationWarning", "-c", FORKING],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == FORKED[1:].split("\n")


def blas_threads():
    return {
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    }


@pytest.fixture
def two_blas_threads():
    with threadpool_limits(2, user_api="blas"):
        yield
        assert blas_threads() == {2}


def watching_blas(seen, before=lambda: None):
    """Return a model whose fit appends its number of BLAS threads to a list."""

    def schedule(progress):
        before()
        seen.append(blas_threads())
        return 1.0

    return SoftmaxClassifier(solver="gd", max_iter=1, schedule=schedule)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_blas_runs_at_one_thread_during_a_fit(n_threads):
    seen = []
    with threadpool_limits(n_threads, user_api="blas"):
        watching_blas(seen).fit(*wine())
        assert blas_threads() == {n_threads}
    assert seen == [{1}]


def test_an_exception_restores_the_number_of_blas_threads(two_blas_threads):
    def fail():
        raise RuntimeError("from within")

    with pytest.raises(RuntimeError, match="from within"):
        watching_blas([], before=fail).fit(*wine())
    assert blas_threads() == {2}


@pytest.mark.parametrize("main_is", ["first", "last"])
def test_overlapping_fits_share_the_limit(main_is, two_blas_threads):
    # the fit that starts first ends first, and the limit must still hold for the other
    first_inside, second_inside, first_done = (threading.Event() for _ in range(3))
    seen = []

    def first_waits():
        first_inside.set()
        assert second_inside.wait(30)

    def second_waits():
        second_inside.set()
        assert first_done.wait(30)

    def run_first():
        watching_blas(seen, before=first_waits).fit(*wine())
        first_done.set()

    def run_second():
        assert first_inside.wait(30)
        watching_blas(seen, before=second_waits).fit(*wine())

    here, there = (run_first, run_second) if main_is == "first" else (run_second, run_first)
    thread = threading.Thread(target=there)
    thread.start()
    here()
    thread.join()
    assert seen == [{1}, {1}]
    assert blas_threads() == {2}
