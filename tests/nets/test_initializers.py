"""Initial weights."""

import numpy as np
import pytest
from helpers import ends_early, every_case, scaled, solvers_of, wine
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import (
    MultiLayerNetClassifier,
    SoftmaxClassifier,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn._training.solvers import SOLVERS
from sklearn_toynn.model_selection import FusedGridSearchCV

# ---- initial weights


@ends_early
@pytest.mark.parametrize(
    ("init", "activation", "stds"),
    [
        ("he", "tanh", (np.sqrt(2 / 200), np.sqrt(2 / 300))),
        ("lecun", "relu", (1 / np.sqrt(200), 1 / np.sqrt(300))),
        ("glorot", "relu", (np.sqrt(2 / 500), np.sqrt(2 / 350))),
        (0.01, "relu", (0.01, 0.01)),
        ("auto", "relu", (np.sqrt(2 / 200), np.sqrt(2 / 300))),
        ("auto", "tanh", (np.sqrt(2 / 500), np.sqrt(2 / 350))),
    ],
)
def test_initial_weights(init, activation, stds):
    rng = np.random.RandomState(0)
    X, y = StandardScaler().fit_transform(rng.standard_normal((100, 200))), np.arange(100) % 50
    # a step too short to change a number leaves the start
    net = TwoLayerNetClassifier(
        300, 0.0, activation=activation, solver="gd", learning_rate=1e-300, max_iter=1, init=init
    )
    first, other = (clone(net).set_params(random_state=i).fit(X, y) for i in range(2))
    for W, std in zip(first.coefs_, stds, strict=True):
        tolerance = 4 / np.sqrt(2 * W.size)  # four standard errors
        assert W.std() == pytest.approx(std, rel=tolerance)
        assert abs(W.mean()) < 4 * std / np.sqrt(W.size)
        assert (abs(W) > 2 * std).mean() == pytest.approx(0.0455, abs=0.01)  # as in a normal one
    for b in first.intercepts_:
        assert_allclose(b, 0, atol=1e-290)
    # layers, units and seeds are independent
    W1, W2 = first.coefs_
    n = W2.size
    for a, b in (
        (W1.ravel()[:n], W2.ravel()),
        (W1.ravel()[1:], W1.ravel()[:-1]),
        (W1.T.ravel()[1:], W1.T.ravel()[:-1]),
        (W1.ravel(), other.coefs_[0].ravel()),
        (W2.ravel(), other.coefs_[1].ravel()),
    ):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(a))


@ends_early
def test_initial_weights_do_not_depend_on_the_solver():
    X, y = scaled("wine")
    starts = [
        TwoLayerNetClassifier(
            7, 0.0, solver=solver, learning_rate=1e-300, max_iter=1, init="he", random_state=0
        ).fit(X, y)
        for solver in ("gd", "sgd", "adam")
    ]
    for other in starts[1:]:
        for W, first in zip(other.coefs_, starts[0].coefs_, strict=True):
            assert_array_equal(W, first)


# ---- wrong parameters


@pytest.mark.parametrize(
    ("init", "message"),
    [
        (lambda _, m, k: np.zeros((k, m)), r"init must .*\(13, 3\).* got \(3, 13\)"),
        (lambda _, m, k: np.zeros(m * k), r"init must .*\(13, 3\).* got \(39,\)"),
        (lambda *_: 0.0, r"init must .*\(13, 3\).* got \(\)"),
        (lambda _, m, k: np.full((m, k), np.nan), "init must .*finite.* got NaN"),
        (lambda _, m, k: np.full((m, k), np.inf), "init must .*finite.* got .*inf"),
    ],
)
def test_bad_init_callable(init, message):
    with pytest.raises(ValueError, match=message):
        SoftmaxClassifier(init=init).fit(*wine())


@pytest.mark.parametrize(
    ("init", "dtype"),
    [
        (0.0, float),
        (0, np.float32),
        (1e-60, np.float32),  # zero in float32
        (lambda _, m, k: np.zeros((m, k)), float),
    ],
)
def test_weights_of_zero_are_refused_with_a_hidden_layer(init, dtype):
    X, y = wine()
    X = X.astype(dtype)
    for net in [
        *(TwoLayerNetClassifier(5, solver=solver, init=init) for solver in SOLVERS),
        MultiLayerNetClassifier((4, 3), n_nets=2, init=init),
        TwoLayerNetClassifierCV(regs=[0.1], cv=2, init=init),
        FusedGridSearchCV(
            TwoLayerNetClassifier(5, init=init), {"reg": [0.1, 1]}, cv=2, error_score="raise"
        ),
    ]:
        with pytest.raises(ValueError, match="^init=.*zero.*hidden.*init='auto'"):
            net.fit(X, y)
    with pytest.raises(ValueError, match="^init="):
        TwoLayerNetClassifier(5, init=init).partial_fit(X, y, classes=[0, 1, 2])


@ends_early
def test_weights_of_zero_are_a_start_where_they_do_not_matter():
    X, y = wine()
    for solver in solvers_of(SoftmaxClassifier):  # the linear model
        zero = SoftmaxClassifier(solver=solver, init=0.0, random_state=0).fit(X, y)
        assert zero.score(X, y) > 0.98
    net = TwoLayerNetClassifier(5, max_iter=50, tol=0, warm_start=True, random_state=0)
    net.fit(X, y).set_params(init=0.0).fit(X, y)  # goes on from the fitted weights
    assert net.score(X, y) > 0.98


# ---- no NaN without a word


@pytest.mark.parametrize(
    ("init", "dtype"),
    [
        (1e200, float),
        (1e160, float),
        (1e25, np.float32),
        (1e39, np.float32),
        (lambda _, m, k: np.full((m, k), 1e300), np.float32),
        (lambda _, m, k: np.full((m, k), 1e300), float),
    ],
)
@every_case
def test_an_init_too_large(model_class, solver, init, dtype):
    X, y = wine()
    with pytest.raises(ValueError, match=r"init=.*float"):
        model_class(solver=solver, init=init, random_state=0).fit(X.astype(dtype), y)
