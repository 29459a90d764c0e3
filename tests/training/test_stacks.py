"""Ensembles cut into stacks, trained in threads."""

import threading
import weakref
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from helpers import N_NETS, STALLS, ensemble, wine
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import train_test_split

from sklearn_toynn._training import stacks
from sklearn_toynn._training.options import TrainingOptions
from sklearn_toynn._training.solvers import SOLVERS
from sklearn_toynn.model_selection import FusedGridSearchCV

# for fits whose end at `max_iter` is beside the point
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = wine()


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


@pytest.mark.usefixtures("one_iteration_a_call")
@pytest.mark.parametrize(("solver", "seed"), [("adam", 4), ("sgd", 1)])
def test_ctrl_c_after_the_last_net_has_ended(monkeypatch, solver, seed):
    model = ensemble(solver=solver, random_state=seed, tol=0, warm_start=True, **STALLS)
    expected = clone(model).fit(X, y)
    *others, last = expected._training_state["n_steps"]
    assert last < max(others)
    interrupt_call(monkeypatch, stacks.TrainingRun, "record", expected.n_iter_)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model._training_state["n_steps"] == [*others, last]


@pytest.mark.usefixtures("one_iteration_a_call")
def test_ctrl_c_in_a_search_after_the_last_candidate_has_ended(monkeypatch):
    model = ensemble(n_nets=1, n_iter_no_change=2, **STALLS)
    search = FusedGridSearchCV(model, {"learning_rate": [0.01, 1e-9]}, cv=2)
    interrupt_call(monkeypatch, SOLVERS["adam"], "scale", 20)
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


@pytest.mark.usefixtures("one_iteration_a_call")
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_ctrl_c_leaves_fitted_nets_that_had_not_begun_as_they_were(monkeypatch, method):
    monkeypatch.setattr(stacks, "CACHE_BYTES", 1)
    model = ensemble(n_nets=6, batch_size=50, warm_start=True)
    go_on = getattr(model.fit(X, y), method)
    before = model.coefs_[0].copy()
    epochs = {"fit": 8, "partial_fit": 1}[method]
    interrupt_call(monkeypatch, stacks.TrainingRun, "record", epochs + 1)
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
