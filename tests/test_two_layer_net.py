"""Ensembles of nets."""

import pickle

import numpy as np
import pytest
from helpers import N_NETS, STALLS, ensemble
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import logsumexp
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn._training import stacks
from sklearn_toynn._training.solvers import SOLVERS
from sklearn_toynn.model_selection import FusedGridSearchCV

# for fits whose end at `max_iter` is beside the point
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def standardized(load):
    X, y = load(return_X_y=True)
    return StandardScaler().fit_transform(X), y


X, y = standardized(load_wine)
WEIGHTS = np.random.RandomState(0).uniform(0, 2, len(y))


class Starts:
    """Initial weights that are the same in every fit, net by net; `first` skips some nets."""

    def __init__(self, first=0):
        self.first = first

    def __call__(self, rng, fan_in, fan_out):
        calls = self.__dict__.setdefault("calls", 0)
        self.calls += 1
        seed = 100 * (self.first + calls // 2) + calls % 2
        return np.random.RandomState(seed).normal(0, 0.3, size=(fan_in, fan_out))


def fit_alone(place, params, *args, **fit_params):
    """Fit the net of one place in the ensemble by itself."""
    return ensemble(**(params | {"n_nets": 1, "init": Starts(place)})).fit(*args, **fit_params)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    ("params", "fit_params"),
    [
        ({}, {}),
        ({"max_iter": 300, "early_stopping": True, "n_iter_no_change": 2, "tol": 1e-3}, {}),
        ({"schedule": "plateau", "max_iter": 30, "class_weight": "balanced"}, {}),
        ({"batch_size": 30, "activation": "tanh"}, {"sample_weight": WEIGHTS}),
        ({"max_iter": 300, "tol": 0.05, "schedule": "constant", "n_iter_no_change": 2}, {}),
    ],
)
def test_each_net_is_that_of_its_start(solver, dtype, params, fit_params):
    params = params | {"solver": solver}
    X_typed = X.astype(dtype)
    together = ensemble(**params, init=Starts()).fit(X_typed, y, **fit_params)
    alone = [fit_alone(place, params, X_typed, y, **fit_params) for place in range(N_NETS)]
    for layer in range(2):
        assert together.coefs_[layer].dtype == dtype
        assert_array_equal(together.coefs_[layer], [net.coefs_[layer] for net in alone])
        assert_array_equal(together.intercepts_[layer], [net.intercepts_[layer] for net in alone])
    assert together.n_iter_ == max(net.n_iter_ for net in alone)
    assert together.loss_ == pytest.approx(np.mean([net.loss_ for net in alone]), rel=1e-12)
    for i, loss in enumerate(together.loss_curve_):
        losses = [net.loss_curve_[i] for net in alone if net.n_iter_ > i]
        assert loss == pytest.approx(np.mean(losses), rel=1e-12)
    assert together.loss_curves_ == [net.loss_curve_ for net in alone]
    if "early_stopping" in params:
        assert_array_equal(together.best_iter_, [net.best_iter_ for net in alone])
        assert len(together.validation_loss_curve_) == together.n_iter_
    probabilities = np.mean([net.predict_proba(X_typed) for net in alone], axis=0)
    assert_allclose(
        together.predict_proba(X_typed), probabilities, rtol=1e-4 if dtype == np.float32 else 1e-12
    )


def test_the_nets_differ_and_the_first_is_that_of_one_net():
    together, alone = ensemble().fit(X, y), ensemble(n_nets=1).fit(X, y)
    assert_array_equal(together.coefs_[0][0], alone.coefs_[0])
    assert_array_equal(together.coefs_[1][0], alone.coefs_[1])
    assert len(np.unique(together.coefs_[0][:, 0, 0])) == N_NETS
    assert [c.shape for c in together.coefs_] == [(N_NETS, 13, 5), (N_NETS, 5, 3)]
    assert [b.shape for b in together.intercepts_] == [(N_NETS, 5), (N_NETS, 3)]
    assert [c.shape for c in alone.coefs_] == [(13, 5), (5, 3)]


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_scores_are_the_logarithms_of_the_mean_probabilities(load):
    X, y = standardized(load)
    model = ensemble().fit(X, y)
    log_probabilities = []
    for place in range(N_NETS):
        hidden = np.maximum(X @ model.coefs_[0][place] + model.intercepts_[0][place], 0)
        scores = hidden @ model.coefs_[1][place] + model.intercepts_[1][place]
        log_probabilities.append(scores - logsumexp(scores, axis=1, keepdims=True))
    expected = logsumexp(log_probabilities, axis=0) - np.log(N_NETS)
    assert_allclose(model.predict_log_proba(X), expected, rtol=1e-12, atol=1e-14)
    assert_allclose(model.predict_proba(X), np.exp(expected), rtol=1e-12)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-14)
    scores = model.decision_function(X)
    if len(model.classes_) == 2:
        assert_allclose(scores, expected[:, 1] - expected[:, 0], rtol=1e-10)
    else:
        assert_allclose(scores, expected, rtol=1e-12, atol=1e-14)
    assert_array_equal(model.predict(X), model.classes_[expected.argmax(axis=1)])


# scores whose exponentials, as they are, are too large, too small, or both
@pytest.mark.parametrize(("factor", "offset"), [(1, 800), (1, -800), (1e3, 0)])
def test_log_probabilities_of_scores_beyond_the_exponential(factor, offset):
    model = ensemble().fit(X, y)
    model.coefs_[1] *= factor
    model.intercepts_[1] += offset
    hidden = np.maximum(X @ model.coefs_[0] + model.intercepts_[0][:, None], 0)
    scores = hidden @ model.coefs_[1] + model.intercepts_[1][:, None]
    log_probabilities = scores - logsumexp(scores, axis=2, keepdims=True)
    expected = logsumexp(log_probabilities, axis=0) - np.log(N_NETS)
    rounding = 1e-15 * abs(scores).max()
    assert_allclose(model.predict_log_proba(X), expected, rtol=1e-12, atol=rounding)
    assert_array_equal(model.predict(X), expected.argmax(axis=1))


def test_extreme_scores_stay_finite():
    model = ensemble().fit(X, y)
    for scale in (1e4, 1e100, 1e300):
        probabilities = model.predict_proba(scale * X)
        assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
        if scale < 1e300:
            assert np.isfinite(model.predict_log_proba(scale * X)).all()


def test_averaging_improves_the_log_loss():
    X, y = load_breast_cancer(return_X_y=True)
    losses = [
        log_loss(
            y,
            cross_val_predict(
                make_pipeline(StandardScaler(), TwoLayerNetClassifier(n_nets=n, random_state=0)),
                X,
                y,
                method="predict_proba",
            ),
        )
        for n in (1, 8)
    ]
    assert losses[1] < losses[0]


@pytest.mark.parametrize("convert", [sparse.csr_array, sparse.csc_matrix])
def test_sparse_rows(convert):
    X_sparse = np.where(np.abs(X) > 1, X, 0)
    dense, model = (ensemble(init=0.3).fit(data, y) for data in (X_sparse, convert(X_sparse)))
    for layer in range(2):
        assert_allclose(model.coefs_[layer], dense.coefs_[layer], rtol=1e-8, atol=1e-10)
    assert_allclose(
        model.predict_proba(convert(X_sparse)), dense.predict_proba(X_sparse), rtol=1e-8
    )


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_warm_start_goes_on(solver):
    params = {"solver": solver, "schedule": "constant", "tol": 0, "batch_size": 50}
    whole = ensemble(**params, max_iter=10).fit(X, y)
    halves = ensemble(**params, max_iter=5, warm_start=True).fit(X, y).fit(X, y)
    assert_array_equal(halves.coefs_[0], whole.coefs_[0])
    assert_array_equal(halves.intercepts_[1], whole.intercepts_[1])
    again = pickle.loads(pickle.dumps(halves)).fit(X, y)
    assert_array_equal(again.coefs_[0], halves.fit(X, y).coefs_[0])


@pytest.mark.parametrize("stacking", ["one", "several", "threads"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("params", [{}, {"tol": 1e-2, "early_stopping": False}])
def test_warm_start_goes_on_net_by_net(request, monkeypatch, solver, params, stacking):
    if stacking == "threads":
        request.getfixturevalue("threads")
    elif stacking == "several":
        monkeypatch.setattr(stacks, "CACHE_BYTES", 1)
    params = STALLS | {"solver": solver, "warm_start": True, "n_iter_no_change": 3} | params
    together = ensemble(**params, n_nets=4, init=Starts()).fit(X, y)
    alone = [fit_alone(place, params, X, y) for place in range(4)]
    assert len({net.n_iter_ for net in alone}) > 2
    for fit in ("fit", "fit", "partial_fit", "fit"):
        for net in (together, *alone):
            net.set_params(early_stopping=params["early_stopping"] and fit == "fit")
            getattr(net, fit)(X, y)
        for layer in range(2):
            assert_array_equal(together.coefs_[layer], [net.coefs_[layer] for net in alone])


def test_partial_fit():
    first, second = slice(0, None, 2), slice(1, None, 2)
    together = ensemble(init=Starts())
    alone = [ensemble(n_nets=1, init=Starts(place)) for place in range(N_NETS)]
    for model in (together, *alone):
        model.partial_fit(X[first], y[first], classes=[0, 1, 2]).partial_fit(X[second], y[second])
    assert_array_equal(together.coefs_[0], [net.coefs_[0] for net in alone])
    assert together.n_iter_ == len(together.loss_curve_) == 2


@pytest.mark.parametrize("n_nets", [1, 2])
def test_another_number_of_nets_cannot_go_on(n_nets):
    model = ensemble(warm_start=True).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=f"earlier fit: 3, .* Now they are {n_nets}, "):
        model.set_params(n_nets=n_nets).fit(X, y)
    assert_array_equal(model.set_params(n_nets=3).predict_proba(X), before)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_fused_search(n_jobs, early_stopping):
    model = ensemble(n_nets=1, early_stopping=early_stopping, n_iter_no_change=2)
    grid = {"n_nets": [1, 2], "reg": [1e-4, 1e-2, 1.0], "hidden_size": [2, 3]}
    fused = FusedGridSearchCV(model, grid, cv=2, scoring="neg_log_loss", n_jobs=n_jobs).fit(X, y)
    plain = GridSearchCV(model, grid, cv=2, scoring="neg_log_loss").fit(X, y)
    for name, values in plain.cv_results_.items():
        if "time" not in name:
            assert_array_equal(fused.cv_results_[name], values)
    assert_array_equal(fused.best_estimator_.coefs_[0], plain.best_estimator_.coefs_[0])


def test_one_warning_counts_the_nets():
    model = ensemble(learning_rate=1e6, solver="sgd", schedule="constant", init=Starts())
    with pytest.warns(ConvergenceWarning, match=r"^\d of 3 nets, the first: ") as caught:
        model.fit(X, y)
    assert len(caught) == 1
    assert all(np.isfinite(layer).all() for layer in model.coefs_)
