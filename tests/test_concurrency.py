"""Several fits and predictions at once: the same bits, and BLAS's threads as before."""

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
