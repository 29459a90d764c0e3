"""The limit of one BLAS thread during a fit, in threads and in forked children."""

import os
import subprocess
import sys
import threading
from contextlib import nullcontext

import pytest
from helpers import ends_early, wine
from threadpoolctl import threadpool_info, threadpool_limits

from sklearn_toynn import SoftmaxClassifier

pytestmark = ends_early


FORKING = """
import os, signal
import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits
from sklearn_toynn import SoftmaxClassifier

threadpool_limits(2, user_api="blas")

def fit(during):
    def schedule(progress):
        during()
        return 1.0
    X, y = np.random.RandomState(0).standard_normal((60, 3)), np.arange(60) % 3
    SoftmaxClassifier(solver="gd", max_iter=1, schedule=schedule).fit(X, y)

def show(where):
    blas = [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]
    print(where, *set(blas), flush=True)

def in_child(call):
    if os.fork() == 0:
        signal.alarm(30)  # in case a lock stays locked
        call()
        os._exit(0)
    assert os.wait()[1] == 0
"""
BESIDE_A_FIT = """
import threading
from sklearn_toynn._blas import single_threaded_blas
limit, inside, done = single_threaded_blas._limit, threading.Event(), threading.Event()

def slow_limit(n_threads):
    if not inside.is_set():
        inside.set()
        done.wait(0.2)
    limit(n_threads)

def show_and_fit():
    show("child")
    fit(lambda: show("its fit"))

single_threaded_blas._limit = slow_limit
thread = threading.Thread(target=fit, args=[lambda: done.wait(60)])
thread.start()
assert inside.wait(60)
in_child(show_and_fit)
show("parent")
done.set()
thread.join()
show("parent")
"""
WITHIN_A_FIT = """
fit(lambda: in_child(lambda: show("child")) or show("parent"))
show("parent")
"""
A_CHILD_CONTINUES = """
fit(lambda: os.fork() == 0 or os.wait())
show("either")
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize(("code", "expected"), [
    (BESIDE_A_FIT, ["child 2", "its fit 1", "parent 1", "parent 2"]),
    (WITHIN_A_FIT, ["child 1", "parent 1", "parent 2"]),
    (A_CHILD_CONTINUES, ["either 2", "either 2"]),
])  # fmt: skip
def test_a_forked_child_has_the_blas_threads_of_its_thread(code, expected):
    # in a new process, because Python warns about forks while threads run
    done = subprocess.run(
        [sys.executable, "-u", "-W", "ignore::DeprecationWarning", "-c", FORKING + code],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected


def blas_threads():
    return {
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    }


def watching_blas(seen, before=lambda: None):
    """Return a model whose fit appends its number of BLAS threads to a list."""

    def schedule(progress):
        before()
        seen.append(blas_threads())
        return 1.0

    return SoftmaxClassifier(solver="gd", max_iter=1, schedule=schedule)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("fails", [False, True])
def test_blas_uses_one_thread_during_a_fit(n_threads, fails):
    seen = []
    model = watching_blas(seen, before=lambda: 1 / (not fails))
    with threadpool_limits(n_threads, user_api="blas"):
        with pytest.raises(ZeroDivisionError) if fails else nullcontext():
            model.fit(*wine())
        assert blas_threads() == {n_threads}
    assert seen == ([] if fails else [{1}])


@pytest.mark.parametrize("main_is", ["first", "last"])
def test_overlapping_fits_share_the_limit(main_is):
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
    with threadpool_limits(2, user_api="blas"):
        thread.start()
        here()
        thread.join()
        assert seen == [{1}, {1}]
        assert blas_threads() == {2}
