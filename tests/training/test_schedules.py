"""Schedules, compared with their formulas."""

import re

import numpy as np
import pytest
from helpers import (
    ends_early,
    every_batch_solver,
    every_class,
    scaled,
    split,
    wine,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sklearn_toynn import SoftmaxClassifier
from sklearn_toynn._training.schedules import SCHEDULES

TABLES = {
    "constant": {0: 1, 0.25: 1, 0.5: 1, 1: 1},
    "inverse": {0: 1, 1 / 9: 0.5, 1 / 3: 0.25, 1: 0.1},
    "cosine": {0: 1, 1 / 3: 0.75, 0.5: 0.5, 2 / 3: 0.25, 1: 0},
}


@pytest.mark.parametrize("name", TABLES)
def test_factors_follow_the_formulas(name):
    progress = np.array([*TABLES[name]])
    factors = SCHEDULES[name].factors(progress, 3)
    assert_allclose(factors, [*TABLES[name].values()], atol=1e-15)
    assert_array_equal(SCHEDULES[name].factors(progress[:, None], 0), factors[:, None])


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "plateau"])
def test_every_schedule_has_a_table(name):
    assert name in TABLES, f"Add {name!r} to TABLES in this file."


@ends_early
@pytest.mark.parametrize(
    ("solver", "expected"),
    [
        ("gd", [0, 1 / 4, 2 / 4, 3 / 4]),
        # batches of 100 and 78 rows are fractions of an epoch
        ("sgd", [(epoch + done) / 4 for epoch in range(4) for done in (0, 100 / 178)]),
        ("adam", [(epoch + done) / 4 for epoch in range(4) for done in (0, 100 / 178)]),
    ],
)
def test_a_callable_gets_the_completed_fraction_of_max_iter(solver, expected):
    seen = []
    SoftmaxClassifier(
        solver=solver,
        schedule=lambda p: seen.append(p) or 1.0,
        max_iter=4,
        batch_size=100,
        tol=0,
        random_state=0,
    ).fit(*scaled("wine"))
    assert_allclose(seen, expected, rtol=1e-12)
    assert {type(progress) for progress in seen} == {float}


@ends_early
@pytest.mark.parametrize("validate", [False, True])
@every_batch_solver
def test_plateau_follows_the_watched_loss(solver, validate):
    # a callable with the factors for the curve gives the same curve
    X, X_val, y, y_val = split()
    validation = {"X_val": X_val, "y_val": y_val} if validate else {}
    model = SoftmaxClassifier(
        solver=solver,
        learning_rate=0.5,
        tol=1e-2,
        max_iter=40,
        n_iter_no_change=7,
        batch_size=30,
        random_state=0,
    )
    plateau = clone(model).set_params(schedule="plateau").fit(X, y, **validation)
    curve = plateau.validation_loss_curve_ if validate else plateau.loss_curve_
    factors, best, n_stalled = [1.0], np.inf, 0
    for loss in curve:
        n_stalled = 0 if loss < best - 1e-2 else n_stalled + 1
        best = min(best, loss)
        at_plateau = n_stalled > 0 and n_stalled % 2 == 0
        factors.append(factors[-1] / 5 if at_plateau else factors[-1])
    assert factors[len(curve) - 1] < 1
    replayed = clone(model).set_params(schedule=lambda p: factors[int(p * 40 + 1e-9)])
    replayed.fit(X, y, **validation)
    assert replayed.n_iter_ == plateau.n_iter_
    assert_allclose(replayed.loss_curve_, plateau.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize(
    ("solver", "value"), [("gd", -0.5), ("sgd", np.nan), ("adam", np.inf), ("adam", "1")]
)
@every_class
def test_a_callable_must_return_a_finite_factor(model_class, solver, value):
    model = model_class(solver=solver, schedule=lambda progress: value if progress > 0.3 else 1.0)
    with pytest.raises(ValueError, match=rf"schedule must .* got .*{re.escape(str(value))}"):
        model.fit(*wine())
    assert not hasattr(model, "classes_")
