"""The choice of the kernels by environment variables, availability, net and rows."""

import pickle
import sys

import numpy as np
import pytest
from helpers import assert_same_bits, ends_early
from kernel_cases import CompiledKernels, make_network, make_samples, needs_compiled
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.utils._param_validation import StrOptions

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._nets.activations import ACTIVATIONS, Tanh
from sklearn_toynn._nets.kernels import dispatch
from sklearn_toynn._nets.kernels.numpy_kernels import NumpyKernels

if CompiledKernels:
    from sklearn_toynn._nets.kernels import _compiled

EXTENSION = "sklearn_toynn._nets.kernels._compiled"
X, y = load_iris(return_X_y=True)

# ---- environment variables


@pytest.mark.parametrize(
    ("asked", "is_built", "selected"),
    [
        ("", True, "compiled"),
        ("compiled", True, "compiled"),
        ("numpy", True, "numpy"),
        ("", False, "numpy"),
        ("numpy", False, "numpy"),
    ],
)
def test_the_compiled_kernels_are_selected_if_built(monkeypatch, asked, is_built, selected):
    # None makes the import fail
    monkeypatch.setitem(sys.modules, EXTENSION, object() if is_built else None)
    assert dispatch.select(asked) == selected


def test_compiled_kernels_that_are_not_built_raise_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, EXTENSION, None)
    with pytest.raises(ImportError, match="SKLEARN_TOYNN_KERNELS asks for .* compiler"):
        dispatch.select("compiled")


@pytest.mark.parametrize("asked", ["Compiled", "jax", " "])
def test_unknown_values_name_the_variable_and_its_values(asked):
    message = f"SKLEARN_TOYNN_KERNELS is '{asked}'.* 'numpy' or 'compiled', or unset or empty"
    with pytest.raises(ValueError, match=message):
        dispatch.select(asked)
    message = f"SKLEARN_TOYNN_INSTRUCTION_SET is '{asked}'.* 'avx2', 'sse2' on .* for 'avx2'"
    with pytest.raises(ValueError, match=message):
        dispatch.select_instruction_set(asked, ["avx2", "sse2"])


def test_numpy_does_not_import_the_extension(monkeypatch):
    monkeypatch.delitem(sys.modules, EXTENSION, raising=False)
    dispatch.select("numpy")
    assert EXTENSION not in sys.modules


def test_the_best_instruction_set_is_the_default():
    assert dispatch.select_instruction_set("", ["avx2", "sse2"]) == "avx2"
    assert dispatch.select_instruction_set("sse2", ["avx2", "sse2"]) == "sse2"


@needs_compiled
def test_only_instruction_sets_of_this_processor_can_be_chosen():
    with pytest.raises(ValueError, match="got 'avx10'"):
        _compiled.choose("avx10")


# ---- nets and rows


class NumpyTanh(Tanh):
    """An activation without C code."""


@pytest.fixture
def both(monkeypatch):
    """Enable both sets of kernels, for any value of the variable."""
    monkeypatch.setattr(dispatch, "KERNELS", [CompiledKernels, NumpyKernels])


@ends_early
@needs_compiled
@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_an_activation_without_c_code_runs_on_numpy(monkeypatch, solver):
    widths = (3, 5, 2)
    rows = make_samples(widths, 20).X
    assert dispatch.choose_kernels(make_network(widths), rows) is CompiledKernels
    assert dispatch.choose_kernels(make_network(widths, NumpyTanh()), rows) is NumpyKernels
    monkeypatch.setitem(ACTIVATIONS, "new", NumpyTanh())
    options = [StrOptions(set(ACTIVATIONS))]
    monkeypatch.setitem(TwoLayerNetClassifier._parameter_constraints, "activation", options)
    params = {"solver": solver, "max_iter": 10, "random_state": 0}
    model = TwoLayerNetClassifier(activation="new", **params).fit(X, y)
    probabilities = model.predict_proba(X)
    monkeypatch.setattr(dispatch, "KERNELS", [NumpyKernels])
    expected = TwoLayerNetClassifier(activation="tanh", **params).fit(X, y)
    assert_same_bits(model, expected)
    assert_array_equal(probabilities, expected.predict_proba(X))


@ends_early
@needs_compiled
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_csr_rows_with_64_bit_indices_are_fitted(solver):
    rows, long = sparse.csr_array(X), sparse.csr_array(X)
    long.indices, long.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    model = TwoLayerNetClassifier(solver=solver, batch_size=50, max_iter=10, random_state=0)
    expected = model.fit(rows, y).predict_proba(rows)
    assert_allclose(model.fit(long, y).predict_proba(long), expected, rtol=1e-5)


@ends_early
@needs_compiled
@pytest.mark.parametrize("is_compiled_first", [False, True])
def test_models_fitted_with_one_set_continue_with_the_other(monkeypatch, is_compiled_first):
    sets = [CompiledKernels, NumpyKernels][:: 1 if is_compiled_first else -1]
    for model in (
        SoftmaxClassifier(),
        TwoLayerNetClassifier(max_iter=20, warm_start=True, random_state=0),
    ):
        monkeypatch.setattr(dispatch, "KERNELS", sets)
        saved = pickle.dumps(model.fit(X, y))
        assert b"kernels" not in saved.lower()
        before, after = model.predict_proba(X), model.fit(X, y).predict_proba(X)
        monkeypatch.setattr(dispatch, "KERNELS", sets[::-1])
        loaded = pickle.loads(saved)
        assert_allclose(loaded.predict_proba(X), before, rtol=1e-10)
        assert_allclose(loaded.fit(X, y).predict_proba(X), after, rtol=1e-6)
