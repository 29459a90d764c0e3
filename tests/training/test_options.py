"""Options: the values of "auto", and numbers of short types."""

import inspect
import re

import numpy as np
import pytest
from helpers import (
    assert_same_bits,
    ends_early,
    every_batch_solver,
    every_class,
    first_order,
    scaled,
)
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._nets.encoded_rows import EncodedRows
from sklearn_toynn._nets.piecewise_encoding import PiecewiseEncoding
from sklearn_toynn._nets.samples import Samples
from sklearn_toynn._training.solvers import SOLVERS
from sklearn_toynn.datasets import make_spiral


@ends_early
@every_class
@first_order
def test_the_auto_learning_rate_and_schedule_are_documented(model_class, solver):
    rate = SOLVERS[solver].learning_rate
    text = re.sub(r"\s+", " ", inspect.getdoc(model_class))
    assert f'{rate} for "{solver}"' in text
    X, y = scaled("wine")
    auto = model_class(solver=solver, max_iter=5, init="he", tol=0, random_state=0).fit(X, y)
    explicit = clone(auto).set_params(learning_rate=rate)
    explicit.set_params(schedule="constant" if solver == "gd" else "cosine")
    assert_same_bits(clone(explicit).fit(X, y), auto)
    for other in ({"learning_rate": 0.03}, {"schedule": "inverse"}):
        assert clone(explicit).set_params(**other).fit(X, y).loss_curve_ != auto.loss_curve_


@ends_early
@every_batch_solver
def test_the_auto_batch_size_is_200_rows_or_all(solver):
    X, y = load_digits(return_X_y=True)
    n_steps = []
    for n in (150, 200, 1797):
        seen = []
        SoftmaxClassifier(
            solver=solver, schedule=lambda p, seen=seen: seen.append(p) or 1e-3, max_iter=1
        ).fit(X[:n] / 16, y[:n])
        n_steps.append(len(seen))
    assert n_steps == [1, 1, 9]


@ends_early
@every_batch_solver
def test_a_larger_batch_size_means_all_rows(solver):
    X, y = scaled("wine")
    model = TwoLayerNetClassifier(5, solver=solver, max_iter=4, random_state=0)
    whole, larger = (clone(model).set_params(batch_size=b).fit(X, y) for b in (178, 1000))
    assert_same_bits(whole, larger)


@pytest.mark.parametrize(
    ("n_samples", "n_epochs"), [(6, 240), (300, 240), (2500, 90), (10_000, 45), (10**6, 20)]
)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_the_auto_max_iter_follows_from_the_number_of_rows(solver, n_samples, n_epochs):
    for n_values in (1, 3, 6):
        X = np.arange(n_samples, dtype=float)[:, None] % n_values
        samples = Samples(X, None, np.ones(n_samples))
        assert SOLVERS[solver].get_max_iter(samples, 200) == n_epochs
        encoded = samples.with_rows(EncodedRows(X, PiecewiseEncoding.from_samples(samples)))
        most = 120 if n_values == 6 else 240
        assert SOLVERS[solver].get_max_iter(encoded, 200) == min(n_epochs, most)


@pytest.mark.filterwarnings("ignore:max_iter=1000 iterations ended the training")
@pytest.mark.parametrize("solver", ["adam", "gd"])
def test_rows_of_weight_zero_do_not_count_for_the_auto_max_iter(solver):
    X, y = make_spiral(3000, random_state=0)
    weights = np.arange(3000) % 2
    model = TwoLayerNetClassifier(2, solver=solver, random_state=0, tol=0)
    n_iter = model.fit(X, y, weights).n_iter_
    assert n_iter == (116 if solver == "adam" else 1000)


# ---- numbers of short types

SHORT = {
    "max_iter": [np.int8(100), np.uint8(100)],
    "batch_size": [np.int8(100), np.uint8(200)],
    "n_iter_no_change": [np.int8(3)],
    "verbose": [np.uint8(50), True],
    "tol": [np.float16(1e-3), np.float32(1e-3)],
    "validation_fraction": [np.float16(0.25)],
    "learning_rate": [np.float16(0.25)],
    "momentum": [np.float16(0.5)],
    "reg": [np.float16(0.25)],
    "init": [np.float16(0.25)],
    "hidden_size": [np.uint8(100), np.int8(100)],
    "n_nets": [np.uint8(2)],
}


@ends_early
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in SHORT for value in SHORT[name]]
)
def test_numbers_of_short_types_equal_python_numbers(name, value, capsys):
    X, y = scaled("wine")
    plain = value.item() if isinstance(value, np.generic) else int(value)
    for solver in ("sgd", "lbfgs"):
        params = {"max_iter": 4, "random_state": 0, "solver": solver, "early_stopping": True}
        one, other = (
            TwoLayerNetClassifier(**(params | {name: given})).fit(X, y) for given in (value, plain)
        )
        assert_array_equal(one.predict_proba(X), other.predict_proba(X))
        assert one.loss_curve_ == other.loss_curve_
    capsys.readouterr()
