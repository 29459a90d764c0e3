"""Initial weights."""

import numpy as np
import pytest
from helpers import ends_early, solvers_of, wine
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier, TwoLayerNetClassifierCV
from sklearn_toynn._training.random_streams import RandomStreams
from sklearn_toynn._training.solvers import SOLVERS


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
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_initial_weights_are_drawn_layer_by_layer_from_their_own_stream(
    solver, init, activation, stds
):
    rng = np.random.RandomState(0)
    X, y = StandardScaler().fit_transform(rng.standard_normal((100, 200))), np.arange(100) % 50
    draws = RandomStreams(7).start(0)
    net = TwoLayerNetClassifier(300, activation=activation, solver=solver, init=init)
    (start,) = net._start(net._validate((X, y, None)), np.float64, RandomStreams(7))
    for W, b, std in zip(start.network.weights, start.network.biases, stds, strict=True):
        assert_allclose(W.T, std * draws.standard_normal(W.T.shape), rtol=1e-12)
        assert not b.any()


@pytest.mark.parametrize(
    ("init", "message"),
    [
        (lambda _, m, k: np.zeros((k, m)), r"init must .*\(13, 3\).* got \(3, 13\)"),
        (lambda _, m, k: np.zeros(m * k), r"init must .*\(13, 3\).* got \(39,\)"),
        (lambda *_: 0.0, r"init must .*\(13, 3\).* got \(\)"),
        (lambda _, m, k: np.full((m, k), np.nan), "init must .*finite.* got NaN"),
        (lambda _, m, k: np.full((m, k), np.inf), "init must .*finite.* got .*inf"),
        (lambda _, m, k: np.full((m, k), "0"), "init must return real numbers"),
    ],
)
def test_a_callable_must_return_finite_numbers_of_the_right_shape(init, message):
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
def test_zero_weights_raise_an_error_with_a_hidden_layer(init, dtype):
    X, y = wine()
    X = X.astype(dtype)
    for net in [
        *(TwoLayerNetClassifier(5, solver=solver, init=init) for solver in SOLVERS),
        TwoLayerNetClassifierCV(regs=[0.1], cv=2, init=init),
    ]:
        with pytest.raises(ValueError, match="^init=.*zero.*hidden.*init='auto'"):
            net.fit(X, y)
    with pytest.raises(ValueError, match="^init="):
        TwoLayerNetClassifier(5, init=init).partial_fit(X, y, classes=[0, 1, 2])


@ends_early
def test_zero_weights_are_accepted_without_a_hidden_layer_and_by_a_warm_start():
    X, y = wine()
    for solver in solvers_of(SoftmaxClassifier):
        zero = SoftmaxClassifier(solver=solver, init=0.0, random_state=0).fit(X, y)
        assert zero.score(X, y) > 0.98
    net = TwoLayerNetClassifier(5, max_iter=50, tol=0, warm_start=True, random_state=0)
    net.fit(X, y).set_params(init=0.0).fit(X, y)  # continues from the fitted weights
    assert net.score(X, y) > 0.98


@pytest.mark.parametrize(
    ("init", "dtype"),
    [
        (1e160, float),
        (1e25, np.float32),
        (1e39, np.float32),
        (lambda _, m, k: np.full((m, k), 1e300), np.float32),
    ],
)
@pytest.mark.parametrize(
    "model",
    [SoftmaxClassifier(), SoftmaxClassifier(solver="gd"), TwoLayerNetClassifier()],
    ids=str,
)
def test_weights_whose_squares_overflow_raise_an_error(model, init, dtype):
    X, y = wine()
    with pytest.raises(ValueError, match=r"init=.*float"):
        clone(model).set_params(init=init, random_state=0).fit(X.astype(dtype), y)
