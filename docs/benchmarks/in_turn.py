"""Time calls in turn, with each set of kernels in its own process."""

import os
import platform
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.util import Finalize
from statistics import median
from time import perf_counter, sleep

import numpy as np
import scipy
import sklearn
from joblib import cpu_count
from joblib.externals.loky import get_reusable_executor
from sklearn.exceptions import ConvergenceWarning

from sklearn_toynn._nets.kernels.dispatch import instruction_set

KERNELS = ("compiled", "numpy")

warnings.simplefilter("ignore", ConvergenceWarning)  # the processes import this module, too


class KernelProcess:
    """A process that calls functions with one set of kernels."""

    def __init__(self, kernels):
        os.environ["SKLEARN_TOYNN_KERNELS"] = kernels
        self._pool = ProcessPoolExecutor(1, get_context("spawn"))
        # starts the process; without end_workers, its exit waits until its workers time out
        self(Finalize, None, end_workers, (), None, 100)
        del os.environ["SKLEARN_TOYNN_KERNELS"]

    def __call__(self, function, *args):
        """Call the function there. The time does not include pickling."""
        return self._pool.submit(function, *args).result()


def end_workers():
    get_reusable_executor().shutdown(kill_workers=True)


def seconds(call, *args):
    start = perf_counter()
    call(*args)
    return perf_counter() - start


def call_in_turn(calls, n_rounds):
    """Call each in turn, `n_rounds` times, and return the list of results of each."""
    rounds = []
    for _ in range(n_rounds):
        rounds.append([])
        for call in calls:
            sleep(0.1)  # idle threads of OpenBLAS spin for about 30 ms
            rounds[-1].append(call())
    return list(map(list, zip(*rounds, strict=True)))


def medians_in_turn(*calls, n_rounds):
    """Return the median result of each call, after one round to warm up."""
    call_in_turn(calls, 1)
    return list(map(median, call_in_turn(calls, n_rounds)))


def versions():
    return (
        f"{cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}, {instruction_set}"
    )
