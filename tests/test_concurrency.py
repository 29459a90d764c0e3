"""Several fits and predictions at once: the same bits, and BLAS's threads as before."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import MODELS as SOLVED
from helpers import assert_same_bits, ends_early
from joblib import Parallel, delayed
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from threadpoolctl import ThreadpoolController

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifier, TwoLayerNetClassifier

pytestmark = ends_early
MODELS = [
    SoftmaxClassifier(),
    TwoLayerNetClassifier(16, n_nets=3, max_iter=5, random_state=0),
    MultiLayerNetClassifier((16, 8), max_iter=5, random_state=0),
]


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:600] / 16, y[:600]


def blas_threads():
    return [one["num_threads"] for one in ThreadpoolController().select(user_api="blas").info()]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_eight_threads_predict_while_another_fits(model, digits):
    X, y = digits
    model, other = clone(model).fit(X, y), clone(model)
    expected, before = model.predict_proba(X[:20]), blas_threads()
    is_over = threading.Event()

    def fit_on():
        n_fits = 0
        while not is_over.is_set():
            other.fit(X, y)
            n_fits += 1
        return n_fits

    def predict_on(rows):
        return [model.predict_proba(X[rows]) for _ in range(300)]

    # a row at a time, and some; each thread others than the rest
    parts = [slice(0, 1), slice(1, 2), slice(3, 7), slice(0, 20)] * 2
    with ThreadPoolExecutor(9) as pool:
        fits = pool.submit(fit_on)
        try:
            outputs = list(pool.map(predict_on, parts))
        finally:
            is_over.set()
        assert fits.result() > 0
    for rows, predicted in zip(parts, outputs, strict=True):
        alone = model.predict_proba(X[rows])
        assert all(np.array_equal(one, alone) for one in predicted)
    assert_array_equal(model.predict_proba(X[:20]), expected)
    assert_same_bits(other, model)
    assert blas_threads() == before


@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
def test_fits_by_joblib(backend, digits):
    X, y = digits
    models = [*MODELS, *(clone(model).set_params(max_iter=3) for model in SOLVED.values())]
    expected, before = [clone(model).fit(X, y) for model in models], blas_threads()
    fitted = Parallel(2, backend=backend)(delayed(clone(model).fit)(X, y) for model in models)
    for one, other in zip(fitted, expected, strict=True):
        assert_same_bits(one, other)
    assert blas_threads() == before


FORKS = """
import os, signal, sys, threading, time, warnings

warnings.simplefilter("ignore")
from sklearn.datasets import load_iris
from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

X, y = load_iris(return_X_y=True)
is_over = threading.Event()


def make():
    return {model}


def fit_on():
    while not is_over.is_set():
        make().fit(X, y)


threads = [threading.Thread(target=fit_on, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
children = []
for _ in range(40):
    child = os.fork()
    if not child:
        make().fit(X, y)
        os._exit(0)
    children.append(child)
    time.sleep(0.005)
is_over.set()
for thread in threads:
    thread.join()
deadline, left = time.monotonic() + 60, set(children)
while left and time.monotonic() < deadline:
    left -= {{child for child in left if os.waitpid(child, os.WNOHANG)[0]}}
    time.sleep(0.01)
for child in left:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
sys.exit(f"{{len(left)}} of 40 children hang" if left else 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize(
    "model",
    [
        "SoftmaxClassifier()",
        "TwoLayerNetClassifier(4, max_iter=5, random_state=0)",
        "TwoLayerNetClassifier(4, n_nets=4, max_iter=5, random_state=0)",
    ],
)
@pytest.mark.slow
def test_a_child_fits_that_was_forked_while_threads_fit(model):
    # with random_state=None, NumPy's own lock of its global generator may hang the child
    script = FORKS.format(model=model)
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
