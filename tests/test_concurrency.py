"""Concurrent fits and predictions have the same bits and keep the number of BLAS threads."""

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
from sklearn.base import clone
from sklearn.datasets import load_digits
from threadpoolctl import ThreadpoolController, threadpool_limits

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifier, TwoLayerNetClassifier

pytestmark = ends_early
MODELS = [
    SoftmaxClassifier(),
    TwoLayerNetClassifier(16, n_nets=3, max_iter=5, random_state=0),
    MultiLayerNetClassifier((16, 8), max_iter=5, random_state=0),
]
X, y = load_digits(return_X_y=True)
X, y = X[:600] / 16, y[:600]


def blas_threads():
    return [one["num_threads"] for one in ThreadpoolController().select(user_api="blas").info()]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_eight_threads_predict_while_another_fits(model):
    model, other = clone(model).fit(X, y), clone(model)
    before, is_over = blas_threads(), threading.Event()

    def fit_repeatedly():
        n_fits = 0
        while not is_over.is_set():
            other.fit(X, y)
            n_fits += 1
        return n_fits

    def predict_repeatedly(rows):
        return [model.predict_proba(X[rows]) for _ in range(100)]

    parts = [slice(0, 1), slice(1, 2), slice(3, 7), slice(0, 20)] * 2
    expected = [model.predict_proba(X[rows]) for rows in parts]
    with ThreadPoolExecutor(9) as pool:
        fits = pool.submit(fit_repeatedly)
        try:
            outputs = list(pool.map(predict_repeatedly, parts))
        finally:
            is_over.set()
        assert fits.result() > 0
    for probabilities, predicted in zip(expected, outputs, strict=True):
        assert all(np.array_equal(one, probabilities) for one in predicted)
    assert_same_bits(other, model)
    assert blas_threads() == before


@pytest.mark.parametrize(
    "backend",
    ["threading", *(pytest.param(b, marks=pytest.mark.slow) for b in ("loky", "multiprocessing"))],
)
def test_parallel_fits_have_the_bits_of_sequential_fits(backend):
    models = [*MODELS, *(clone(model).set_params(max_iter=3) for model in SOLVED.values())]
    with threadpool_limits(2):
        expected = [clone(model).fit(X, y) for model in models]
    with threadpool_limits(1):
        before = blas_threads()
        fitted = Parallel(2, backend=backend)(delayed(clone(model).fit)(X, y) for model in models)
        assert blas_threads() == before
    for one, other in zip(fitted, expected, strict=True):
        assert_same_bits(one, other)


FORKS = """
import multiprocessing, sys, threading, time, warnings

warnings.simplefilter("ignore")
from sklearn.datasets import load_iris
from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

X, y = load_iris(return_X_y=True)
is_over = threading.Event()


def fit():
    {model}.fit(X, y)


def fit_repeatedly():
    while not is_over.is_set():
        fit()


for _ in range(2):
    threading.Thread(target=fit_repeatedly, daemon=True).start()
children = []
for _ in range(40):
    children.append(multiprocessing.get_context("fork").Process(target=fit, daemon=True))
    children[-1].start()
    time.sleep(0.005)
is_over.set()
deadline = time.monotonic() + 60
for child in children:
    child.join(max(deadline - time.monotonic(), 0))
left = sum(child.is_alive() for child in children)
sys.exit(f"{{left}} of 40 children hang" if left else 0)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize(
    "model",
    [
        "SoftmaxClassifier()",
        "TwoLayerNetClassifier(4, n_nets=4, max_iter=5, random_state=0)",
    ],
)
def test_a_child_forked_while_threads_fit_does_not_hang(model):
    # with random_state=None, the lock of NumPy's global generator may hang the child
    command = [sys.executable, "-c", FORKS.format(model=model)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
