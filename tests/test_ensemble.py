"""`n_nets`: each net is that of its own start, and the probabilities are averaged."""

import pickle
import threading
import weakref
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn._training import stacks
from sklearn_toynn._training.options import TrainingOptions
from sklearn_toynn._training.solvers import SOLVERS
from sklearn_toynn.model_selection import FusedGridSearchCV

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"  # short fits, as this is about equality
)

N_NETS = 3


def standardized(load):
    X, y = load(return_X_y=True)
    return StandardScaler().fit_transform(X), y


X, y = standardized(load_wine)
WEIGHTS = np.random.RandomState(0).uniform(0, 2, len(y))
# each net ends where its validation loss stalls
STALLS = {"early_stopping": True, "schedule": "constant", "max_iter": 1000, "batch_size": 50}


class Starts:
    """Initial weights that are the same in every fit, net by net; `first` skips some nets."""

    def __init__(self, first=0):
        self.first = first

    def __call__(self, rng, fan_in, fan_out):
        calls = self.__dict__.setdefault("calls", 0)
        self.calls += 1
        seed = 100 * (self.first + calls // 2) + calls % 2
        return np.random.RandomState(seed).normal(0, 0.3, size=(fan_in, fan_out))


def ensemble(**params):
    defaults = {"hidden_size": 5, "n_nets": N_NETS, "max_iter": 8, "random_state": 0}
    return TwoLayerNetClassifier(**(defaults | params))


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
    with pytest.raises(ValueError, match=f"Fitted are 3 .* asked for are {n_nets} "):
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


# --- stacks and threads


@pytest.fixture
def threads(monkeypatch):
    """Train every stack of two nets in a thread of its own; collect the threads."""
    used, train = set(), stacks.train

    def spy(training):
        used.add(threading.current_thread().name)
        return train(training)

    monkeypatch.setattr(stacks, "train", spy)
    monkeypatch.setattr(stacks, "CACHE_BYTES", 1)
    monkeypatch.setattr(stacks, "THREAD_BYTES", 1)
    monkeypatch.setattr(stacks.single_threaded_blas, "n_threads", lambda: 2)
    return used


@pytest.mark.parametrize("solver", ["adam", "gd"])
def test_threads_change_no_bit(threads, monkeypatch, solver):
    parts = train_test_split(X, y, stratify=y, random_state=0)
    model = ensemble(n_nets=7, solver=solver, early_stopping=True, max_iter=20)
    train, both = stacks.train, threading.Barrier(2)

    def train_in_pairs(training):
        both.wait(60)  # a busy machine might leave all four stacks to one thread
        return train(training)

    with monkeypatch.context() as patch:
        patch.setattr(stacks, "train", train_in_pairs)
        in_threads = clone(model).fit(parts[0], parts[2])
    assert len(threads) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stacks, "CACHE_BYTES", 2**30)
        patch.setattr(stacks.single_threaded_blas, "n_threads", lambda: 1)
        in_one = clone(model).fit(parts[0], parts[2])
    for layer in range(2):
        assert_array_equal(in_threads.coefs_[layer], in_one.coefs_[layer])
    assert in_threads.loss_curve_ == in_one.loss_curve_


@pytest.mark.usefixtures("threads")
def test_warm_start_in_threads():
    params = {"n_nets": 5, "schedule": "constant", "tol": 0}
    whole = ensemble(**params, max_iter=6).fit(X, y)
    halves = ensemble(**params, max_iter=3, warm_start=True).fit(X, y).fit(X, y)
    assert_array_equal(halves.coefs_[0], whole.coefs_[0])


@pytest.mark.usefixtures("threads")
def test_ctrl_c_while_threads_train(monkeypatch):
    all_are_there, here = threading.Barrier(3), threading.local()

    def schedule(progress):
        if progress > 0.001 and not hasattr(here, "has_begun"):
            here.has_begun = True
            all_are_there.wait(60)
        return 1.0

    def interrupted(futures, return_when):
        all_are_there.wait(60)
        raise KeyboardInterrupt

    monkeypatch.setattr(stacks, "wait", interrupted)
    model = ensemble(n_nets=8, schedule=schedule, max_iter=10**6, tol=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    # the two stacks that had begun
    assert model.coefs_[0].shape == (4, 13, 5)
    assert 1 < model.n_iter_ < 10**6
    assert model.score(X, y) > 0.5


def test_ctrl_c_in_the_second_of_two_stacks(monkeypatch):
    monkeypatch.setattr(stacks, "CACHE_BYTES", 1)
    calls = iter(range(1000))

    def schedule(progress):
        if next(calls) == 12:  # an epoch is one batch
            raise KeyboardInterrupt
        return 1.0

    model = ensemble(n_nets=6, schedule=schedule)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.coefs_[0].shape == (4, 13, 5)
    assert model.n_iter_ == 8


def interrupt_call(monkeypatch, owner, name, number):
    """Have the call of that number of a function raise KeyboardInterrupt, once."""
    function, numbers = getattr(owner, name), count(1)

    def interrupted(*args, **kwargs):
        if next(numbers) == number:
            raise KeyboardInterrupt
        return function(*args, **kwargs)

    monkeypatch.setattr(owner, name, interrupted)


@pytest.fixture
def stopped(monkeypatch):
    """Return an event that is set where a run tells its stacks to stop."""
    stopped = threading.Event()

    class Watched(threading.Event):
        def set(self):
            super().set()
            stopped.set()

    monkeypatch.setattr(stacks, "Event", Watched)
    return stopped


@pytest.mark.parametrize(("solver", "seed"), [("adam", 4), ("sgd", 1)])
def test_ctrl_c_after_the_last_net_has_ended(monkeypatch, solver, seed):
    model = ensemble(solver=solver, random_state=seed, tol=0, warm_start=True, **STALLS)
    *others, last = [start.solver.n_steps for start in clone(model).fit(X, y)._memory]
    assert last < max(others)
    interrupt_call(monkeypatch, SOLVERS[solver], "update", max(others))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert [start.solver.n_steps for start in model._memory] == [*others, last]


def test_ctrl_c_in_a_search_after_the_last_candidate_has_ended(monkeypatch):
    model = ensemble(n_nets=1, n_iter_no_change=2, **STALLS)
    search = FusedGridSearchCV(model, {"learning_rate": [0.01, 1e-9]}, cv=2)
    interrupt_call(monkeypatch, SOLVERS["adam"], "update", 20)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)


@pytest.mark.usefixtures("threads")
def test_ctrl_c_after_the_last_stack_of_several_threads_has_ended(monkeypatch):
    last_has_ended, calls, train = threading.Event(), count(), stacks.train

    def init(rng, fan_in, fan_out):
        return np.full((fan_in, fan_out), 0.1 if next(calls) < 4 else -0.1)

    def spy(training):
        is_last = training.objective.network.parameters[0, 0] < 0
        if is_last:
            training.policy = replace(training.policy, max_iter=3)
        outcomes = train(training)
        if is_last:
            last_has_ended.set()
        return outcomes

    def interrupted(futures, return_when):
        last_has_ended.wait(60)
        raise KeyboardInterrupt

    monkeypatch.setattr(stacks, "train", spy)
    monkeypatch.setattr(stacks, "wait", interrupted)
    model = ensemble(n_nets=4, init=init, schedule="constant", max_iter=3000, tol=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.coefs_[0].shape == (4, 13, 5)
    assert model.n_iter_ < 3000


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("n_begun", [0, 1])
def test_ctrl_c_while_stacks_are_set_up_in_threads(monkeypatch, stopped, n_begun):
    earlier = ensemble(n_nets=4).fit(X, y)
    model, calls, lock = clone(earlier).fit(X, y), count(), threading.Lock()
    are_there, make_run = threading.Barrier(3), stacks.TrainingRun.from_nets

    def slow(*args, **kwargs):
        with lock:
            goes_on = next(calls) < n_begun
        if goes_on:
            return make_run(*args, **kwargs)
        are_there.wait(60)
        assert stopped.wait(60)
        return make_run(*args, **kwargs)

    def schedule(progress):
        if progress == 0:
            are_there.wait(60)
        return 1.0

    def interrupted(futures, return_when):
        are_there.wait(60)
        raise KeyboardInterrupt

    monkeypatch.setattr(stacks.TrainingRun, "from_nets", slow)
    monkeypatch.setattr(stacks, "wait", interrupted)
    model.set_params(schedule=schedule, max_iter=3000, tol=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.n_iter_ < 3000
    if n_begun:
        assert model.coefs_[0].shape == (2, 13, 5)
    else:
        assert_array_equal(model.coefs_[0], earlier.coefs_[0])


@pytest.mark.parametrize("n_begun", [0, 1, 2])
def test_ctrl_c_while_a_stack_is_set_up(monkeypatch, n_begun):
    monkeypatch.setattr(stacks, "CACHE_BYTES", 1)
    model = ensemble(n_nets=6).fit(X[::2], y[::2])
    before = [layer.copy() for layer in model.coefs_]
    interrupt_call(monkeypatch, stacks.TrainingRun, "from_nets", n_begun + 1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    expected = before if n_begun == 0 else ensemble(n_nets=2 * n_begun).fit(X, y).coefs_
    for layer, other in zip(model.coefs_, expected, strict=True):
        assert_array_equal(layer, other)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_ctrl_c_leaves_fitted_nets_that_had_not_begun_as_they_were(monkeypatch, method):
    monkeypatch.setattr(stacks, "CACHE_BYTES", 1)
    model = ensemble(n_nets=6, batch_size=50, warm_start=True)
    go_on = getattr(model.fit(X, y), method)
    before = model.coefs_[0].copy()
    updates = {"fit": 8 * 4, "partial_fit": 4}[method]
    interrupt_call(monkeypatch, SOLVERS["adam"], "update", updates + 2)
    with pytest.raises(KeyboardInterrupt):
        go_on(X, y)
    assert_array_equal((model.coefs_[0] != before).any(axis=(1, 2)), [1, 1, 1, 1, 0, 0])
    go_on(X, y)
    assert model.coefs_[0].shape == (6, 13, 5)


def test_ctrl_c_while_a_net_leaves(monkeypatch):
    model = ensemble(tol=0, **STALLS)
    interrupt_call(monkeypatch, TrainingOptions, "select", 1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.coefs_[0].shape == (N_NETS, 13, 5)
    assert len(model.loss_curve_) == model.n_iter_


def test_the_buffers_of_a_stack_go_when_it_is_trained(monkeypatch):
    alive, references, make_run = [], [], stacks.TrainingRun.from_nets

    def spy(*args, **kwargs):
        alive.append(sum(reference() is not None for reference in references))
        training = make_run(*args, **kwargs)
        references.append(weakref.ref(training))
        return training

    monkeypatch.setattr(stacks, "CACHE_BYTES", 1)
    monkeypatch.setattr(stacks.TrainingRun, "from_nets", spy)
    ensemble(n_nets=8).fit(X, y)
    assert alive == [0, 0, 0, 0]


def test_an_error_in_a_thread_ends_the_others(threads):
    calls = iter(range(10**9))

    def schedule(progress):
        return -1.0 if next(calls) == 20 else 1.0

    model = ensemble(n_nets=8, schedule=schedule, max_iter=10**6, tol=0)
    with pytest.raises(ValueError, match="schedule must return a finite factor"):
        model.fit(X, y)
    assert not hasattr(model, "classes_")
    assert len(threads) <= 2


def test_one_warning_counts_the_nets():
    model = ensemble(learning_rate=1e6, solver="sgd", schedule="constant", init=Starts())
    with pytest.warns(ConvergenceWarning, match=r"^\d of 3 nets, the first: ") as caught:
        model.fit(X, y)
    assert len(caught) == 1
    assert all(np.isfinite(layer).all() for layer in model.coefs_)
