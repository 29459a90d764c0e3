"""Which kernels run, by what `SKLEARN_TOYNN_KERNELS` says and by what can be imported."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from helpers import assert_same_bits, ends_early
from kernel_cases import (
    CompiledKernels,
    make_network,
    make_samples,
    needs_compiled,
    strided,
)
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


@pytest.fixture
def built(monkeypatch):
    monkeypatch.setitem(sys.modules, EXTENSION, object())


@pytest.fixture
def not_built(monkeypatch):
    monkeypatch.setitem(sys.modules, EXTENSION, None)  # its import raises


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("asked", "selected"), [("", "compiled"), ("compiled", "compiled"), ("numpy", "numpy")]
)
def test_where_the_extension_is_built(asked, selected):
    assert dispatch.select(asked) == selected


@pytest.mark.usefixtures("not_built")
@pytest.mark.parametrize("asked", ["", "numpy"])
def test_numpy_runs_where_the_extension_is_not_built(asked):
    assert dispatch.select(asked) == "numpy"


@pytest.mark.usefixtures("not_built")
def test_the_compiled_kernels_can_not_be_had_where_they_are_not_built():
    with pytest.raises(ImportError, match="SKLEARN_TOYNN_KERNELS asks for .* compiler"):
        dispatch.select("compiled")


@pytest.mark.parametrize("asked", ["Compiled", "jax", " "])
def test_anything_else_names_the_variable_and_what_would_do(asked):
    message = f"SKLEARN_TOYNN_KERNELS is '{asked}'.* 'numpy' or 'compiled', or unset or empty"
    with pytest.raises(ValueError, match=message):
        dispatch.select(asked)


def test_numpy_does_not_import_the_extension(monkeypatch):
    monkeypatch.delitem(sys.modules, EXTENSION, raising=False)
    dispatch.select("numpy")
    assert EXTENSION not in sys.modules


# ---- instruction sets


def test_the_best_instruction_set_unless_another_is_asked_for():
    assert dispatch.select_instruction_set("", ["avx2", "sse2"]) == "avx2"
    assert dispatch.select_instruction_set("sse2", ["avx2", "sse2"]) == "sse2"


@pytest.mark.parametrize("asked", ["avx512", "AVX2", " "])
def test_other_instruction_sets_name_the_variable_and_what_would_do(asked):
    message = f"SKLEARN_TOYNN_INSTRUCTION_SET is '{asked}'.* 'avx2', 'sse2' on .* for 'avx2'"
    with pytest.raises(ValueError, match=message):
        dispatch.select_instruction_set(asked, ["avx2", "sse2"])


@needs_compiled
def test_only_sets_of_this_processor_are_chosen():
    with pytest.raises(ValueError, match="got 'avx10'"):
        _compiled.choose("avx10")


# ---- what there is no twin of


class TanhWithoutTwin(Tanh):
    """An activation that is entered in `ACTIVATIONS` alone."""


@pytest.fixture
def both(monkeypatch):
    """Have both sets, whatever was asked for."""
    monkeypatch.setattr(dispatch, "KERNELS", [CompiledKernels, NumpyKernels])


@needs_compiled
@pytest.mark.usefixtures("both")
def test_the_compiled_kernels_come_first():
    widths = (3, 5, 2)
    rows = make_samples(widths, 20).X
    assert dispatch.choose_kernels(make_network(widths), rows) is CompiledKernels
    network = make_network(widths, TanhWithoutTwin())
    assert dispatch.choose_kernels(network, rows) is NumpyKernels


@ends_early
@needs_compiled
@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("solver", ["lbfgs", "gd", "sgd", "adam"])
def test_a_new_activation_runs_on_numpy_by_itself(monkeypatch, solver):
    monkeypatch.setitem(ACTIVATIONS, "new", TanhWithoutTwin())
    # made of `ACTIVATIONS` at import
    options = [StrOptions(set(ACTIVATIONS))]
    monkeypatch.setitem(TwoLayerNetClassifier._parameter_constraints, "activation", options)
    X, y = load_iris(return_X_y=True)
    params = {"solver": solver, "max_iter": 10, "random_state": 0}
    model = TwoLayerNetClassifier(activation="new", **params).fit(X, y)
    probabilities = model.predict_proba(X)
    monkeypatch.setattr(dispatch, "KERNELS", [NumpyKernels])
    expected = TwoLayerNetClassifier(activation="tanh", **params).fit(X, y)
    assert_same_bits(model, expected)
    assert_array_equal(model.loss_curve_, expected.loss_curve_)
    assert_array_equal(probabilities, expected.predict_proba(X))


@ends_early
@needs_compiled
@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("model_class", [SoftmaxClassifier, TwoLayerNetClassifier])
@pytest.mark.parametrize("solver", ["lbfgs", "gd", "sgd", "adam"])
def test_csr_rows_of_any_make_are_fitted(model_class, solver, monkeypatch):
    X, y = load_iris(return_X_y=True)
    rows = sparse.csr_array(X)
    long = rows.copy()
    long.indices, long.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    gaps = rows.copy()
    gaps.data, gaps.indices = strided(rows.data), strided(rows.indices)
    model = model_class(solver=solver, max_iter=10, random_state=0)
    probabilities = [model.fit(other, y).predict_proba(other) for other in (rows, long, gaps)]
    monkeypatch.setattr(dispatch, "KERNELS", [NumpyKernels])
    expected = model.fit(rows, y).predict_proba(rows)
    for of_other in probabilities:
        assert_allclose(of_other, expected, rtol=1e-6)


# ---- models go from one to the other

FIT_AND_PREDICT = """
import pickle, sys
from sklearn.datasets import load_iris
from sklearn_toynn._nets.kernels import dispatch
X, y = load_iris(return_X_y=True)
models = pickle.load(sys.stdin.buffer)
predictions = [model.predict_proba(X) for model in models]
fitted = [model.fit(X, y) for model in models]
pickle.dump((dispatch.selected, predictions, fitted), sys.stdout.buffer)
"""


@ends_early
@needs_compiled
def test_models_fitted_with_one_set_predict_with_the_other():
    X, y = load_iris(return_X_y=True)
    params = {"max_iter": 20, "random_state": 0}
    models = [
        SoftmaxClassifier(**params).fit(X, y),
        TwoLayerNetClassifier(**params).fit(X, y),
        TwoLayerNetClassifier(solver="adam", warm_start=True, **params).fit(X, y),
    ]
    sent = pickle.dumps(models)
    assert b"kernels" not in sent.lower()
    (other,) = set(dispatch.CHOICES) - {dispatch.selected}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FIT_AND_PREDICT],
        env=os.environ | {dispatch.VARIABLE: other},
        input=sent,
        capture_output=True,
        check=True,
    )
    assert b"kernels" not in done.stdout.lower()
    selected, predictions, fitted = pickle.loads(done.stdout)
    assert selected == other
    for model, of_other, of_other_fit in zip(models, predictions, fitted, strict=True):
        assert_allclose(of_other, model.predict_proba(X), rtol=1e-10)
        assert_allclose(of_other_fit.predict_proba(X), model.fit(X, y).predict_proba(X), rtol=1e-6)
