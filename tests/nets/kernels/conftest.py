"""Kernels run within `train` or a prediction, where BLAS has one thread."""

import pytest

from sklearn_toynn._blas import single_threaded_blas


@pytest.fixture(autouse=True, scope="module")
def one_blas_thread():
    with single_threaded_blas:
        yield
