"""Fixtures for the kernels: one BLAS thread, as in training, and a choice of the set."""

from contextlib import contextmanager

import pytest
from kernel_cases import INSTRUCTION_SETS, CompiledKernels

from sklearn_toynn._blas import single_threaded_blas
from sklearn_toynn._nets.kernels import dispatch
from sklearn_toynn._nets.kernels.numpy_kernels import NumpyKernels

if CompiledKernels:
    from sklearn_toynn._nets.kernels import _compiled


@pytest.fixture(autouse=True, scope="module")
def one_blas_thread():
    with single_threaded_blas:
        yield


@contextmanager
def chosen(name):
    _compiled.choose(name)
    yield
    _compiled.choose(dispatch.instruction_set or INSTRUCTION_SETS[0])


@pytest.fixture(scope="module")
def kernels_class(request):
    """The kernels of "numpy" or of an instruction set."""
    if request.param == "numpy":
        yield NumpyKernels
    else:
        with chosen(request.param):
            yield CompiledKernels


@pytest.fixture(scope="module", params=INSTRUCTION_SETS)
def each_instruction_set(request):
    """Run the compiled kernels on each instruction set."""
    with chosen(request.param):
        yield
