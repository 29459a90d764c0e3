"""Training of one or several nets: best weights, threads and Ctrl-C."""

import subprocess
import sys
import threading
import weakref
from contextlib import contextmanager
from functools import partialmethod
from itertools import count

import numpy as np
import pytest
from helpers import (
    STALLS,
    Recorder,
    assert_same_bits,
    ends_early,
    ensemble,
    every_case,
    is_finite,
    needs_callbacks,
    parameters,
    plain_objective,
    split,
    wine,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits

from sklearn_toynn._nets.kernels import dispatch
from sklearn_toynn._nets.kernels.dispatch import KERNELS
from sklearn_toynn._training import training
from sklearn_toynn._training.monitor import Monitor
from sklearn_toynn._training.solvers import SOLVERS

X, y = wine()

# ---- the best weights


@ends_early
@every_case
def test_the_weights_of_lowest_validation_loss_are_returned(model_class, solver):
    X, X_val, y, y_val = split()
    w = np.random.RandomState(0).uniform(0.2, 3, len(y_val))
    model = model_class(solver=solver, reg=0.0, max_iter=40, random_state=0)
    model.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=w)
    curve = model.validation_loss_curve_
    assert len(curve) == len(model.loss_curve_) == model.n_iter_
    assert type(model.best_iter_) is int
    assert model.best_iter_ == np.argmin(curve)
    loss = log_loss(y_val, model.predict_proba(X_val), sample_weight=w)
    assert_allclose(loss, min(curve), rtol=1e-10)
    assert_allclose(model.loss_, plain_objective(model, X, y), rtol=1e-10)


# ---- several nets


@ends_early
@pytest.mark.parametrize(
    ("solver", "params"),
    [("lbfgs", {}), ("gd", STALLS), ("sgd", STALLS), ("adam", {"batch_size": 30})],
)
def test_several_nets_are_trained_separately(threads, monkeypatch, solver, params):
    model = ensemble(**{"n_nets": 4, "solver": solver, **params})
    train_net, both = training.train_net, threading.Barrier(2)

    def train_in_pairs(*args, **kwargs):
        both.wait(60)  # otherwise one thread might train all nets
        return train_net(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(training, "train_net", train_in_pairs)
        together = clone(model).fit(X, y)
    assert len(threads) == 2
    threads.clear()
    monkeypatch.undo()
    with threadpool_limits(1):
        in_turn = clone(model).fit(X, y)
    assert_same_bits(in_turn, together)
    assert in_turn.loss_curves_ == together.loss_curves_
    for n_nets in (1, 3):
        fewer = clone(model).set_params(n_nets=n_nets).fit(X, y)
        for layer, own in zip(parameters(together), parameters(fewer), strict=True):
            assert_array_equal(layer[:n_nets].squeeze(), own.squeeze())
    assert together.loss_curves_[:3] == fewer.loss_curves_
    assert_array_equal(together.stop_reason_[:3], fewer.stop_reason_)
    if params is STALLS:
        assert len({len(curve) for curve in together.loss_curves_}) > 1


@ends_early
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_each_net_draws_its_own_initial_weights_and_batches(solver):
    model = ensemble(n_nets=3, solver=solver, batch_size=20).fit(X, y)
    assert len(np.unique(model.coefs_[0][:, 0, 0])) == 3
    # with fixed initial weights, only the batches differ
    model.set_params(init=lambda rng, m, k: np.eye(m, k)).fit(X, y)
    assert len({curve[0] for curve in model.loss_curves_}) == 3
    model.set_params(shuffle=False).fit(X, y)
    assert len({curve[-1] for curve in model.loss_curves_}) == 1


@ends_early
def test_threadpoolctl_limits_the_threads(monkeypatch):
    monkeypatch.setattr(dispatch, "selected", "compiled")  # NumPy's kernels use one thread
    used = []
    call = training.train_in_threads
    monkeypatch.setattr(
        training, "train_in_threads", lambda *args: used.append(args[2]) or call(*args)
    )
    model = ensemble(n_nets=4)
    with threadpool_limits(1):
        model.fit(X, y)
    assert used == []
    with threadpool_limits(2):
        model.fit(X, y)
    assert used == [2]


@pytest.mark.usefixtures("threads")
@ends_early
def test_an_error_in_a_thread_ends_the_others():
    calls = iter(range(10**9))

    def schedule(progress):
        return -1.0 if next(calls) == 20 else 1.0

    model = ensemble(n_nets=8, schedule=schedule, max_iter=10**6, tol=0)
    with pytest.raises(ValueError, match="schedule must return a finite factor"):
        model.fit(X, y)
    assert not hasattr(model, "classes_")


@ends_early
def test_a_training_is_freed_before_the_next_one_begins(monkeypatch):
    alive, references = [], []

    class Watched(training.NetTraining):
        def __init__(self, *args):
            alive.append(sum(reference() is not None for reference in references))
            references.append(weakref.ref(self))
            super().__init__(*args)

    monkeypatch.setattr(training, "NetTraining", Watched)
    with threadpool_limits(1):
        ensemble(n_nets=3).fit(X, y)
    assert alive == [0, 0, 0]


# ---- Ctrl-C


@contextmanager
def interruption(number, *functions):
    """Raise KeyboardInterrupt in the call with this number, counted from 1, and expect it."""
    numbers = count(1)

    def interrupted(*args, function, **kwargs):
        if next(numbers) == number:
            raise KeyboardInterrupt
        return function(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in functions:
            function = getattr(owner, name)
            patch.setattr(owner, name, partialmethod(interrupted, function=function))
        with pytest.raises(KeyboardInterrupt):
            yield


CHILD = """
import os, signal, threading
from contextlib import redirect_stdout
import numpy as np
from sklearn.datasets import make_classification
from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

class SignalSender:
    def write(self, text):
        if text.startswith("iteration 0:"):
            threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()

    def flush(self):
        pass

signal.signal(signal.SIGINT, signal.default_int_handler)
X, y = make_classification(60_000, 50, n_informative=20, n_classes=8, random_state=0)
X /= X.std(axis=0)
for model, n_samples in [
    (SoftmaxClassifier(solver="newton"), 60_000),
    (TwoLayerNetClassifier(solver="lbfgs"), 10_000),
    (TwoLayerNetClassifier(solver="adam", early_stopping=True), 10_000),
]:
    model.set_params(max_iter=100_000, tol=0, n_iter_no_change=100_000, reg=0.0, verbose=1)
    try:
        with redirect_stdout(SignalSender()):
            model.fit(X[:n_samples], y[:n_samples])
        raise AssertionError("the fit ended before the signal came")
    except KeyboardInterrupt:
        assert np.isfinite(model.loss_)
        assert 0 < model.n_iter_ == len(model.loss_curve_)
        if hasattr(model, "best_iter_"):
            assert model.best_iter_ == np.argmin(model.validation_loss_curve_)
        assert np.isfinite(model.predict_proba(X)).all()
"""


def test_ctrl_c_leaves_a_fitted_estimator():
    subprocess.run([sys.executable, "-c", CHILD], check=True)


KERNEL_CALLS = [
    (kernels, name)
    for kernels in KERNELS
    for name in ("value", "value_and_gradient", "run_epochs")
]


@every_case
def test_ctrl_c_at_any_moment_leaves_a_fitted_estimator(model_class, solver):
    params = {"reg": 1e-3, "max_iter": 20, "tol": 0, "batch_size": 60, "random_state": 0}
    model = model_class(solver=solver, **params)
    for number in (1, 2, 3, 6, 10):
        with interruption(number, *KERNEL_CALLS):
            model.fit(X, y, X_val=X, y_val=y)
        assert is_finite(model)
        assert len(model.loss_curve_) == len(model.validation_loss_curve_) == model.n_iter_
        assert model.predict(X).shape == y.shape


@ends_early
@every_case
def test_ctrl_c_after_the_last_iteration_leaves_a_fitted_estimator(model_class, solver):
    model = model_class(solver=solver, max_iter=20, random_state=0)
    expected = clone(model).fit(X, y)
    with interruption(1, (Monitor, "summarize")):
        model.fit(X, y)
    assert_same_bits(model, expected)
    assert model.stop_reason_ == expected.stop_reason_


@ends_early
@needs_callbacks
def test_ctrl_c_after_a_callback_has_stopped_several_nets_is_raised():
    model = ensemble(n_nets=2, warm_start=True).fit(X, y)
    model.set_callbacks(Recorder(stop_at=1))
    # two calls for each of two iterations, one at the end, and one for the net that has not begun
    with interruption(6, (Monitor, "summarize")):
        model.fit(X, y)
    assert model.stop_reason_.tolist() == ["callback"] * 2


@ends_early
@pytest.mark.usefixtures("one_iteration_a_call")
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_warm_start_continues_after_ctrl_c(solver):
    params = {"solver": solver, "schedule": "constant", "tol": 0, "batch_size": 50}
    whole = ensemble(n_nets=1, max_iter=8, **params).fit(X, y)
    model = ensemble(n_nets=1, max_iter=8, warm_start=True, **params)
    with interruption(4, (SOLVERS[solver], "step")):
        model.fit(X, y)
    assert_same_bits(model.set_params(max_iter=5).fit(X, y), whole)


@pytest.fixture
def one_thread(one_iteration_a_call):
    with threadpool_limits(1):
        yield


@ends_early
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("iteration", "n_begun"), [(1, 1), (8, 1), (9, 2), (17, 3)])
def test_ctrl_c_keeps_the_nets_that_have_begun(iteration, n_begun):
    model = ensemble(n_nets=3)
    expected = clone(model).fit(X, y)
    with interruption(iteration, (Monitor, "record")):
        model.fit(X, y)
    assert model.coefs_[0].shape == (n_begun, 13, 5)
    assert_array_equal(model.coefs_[0][:-1], expected.coefs_[0][: n_begun - 1])
    assert model.stop_reason_[-1] == "interrupted"
    lengths = [8] * (n_begun - 1) + [(iteration - 1) % 8]
    assert [len(curve) for curve in model.loss_curves_] == lengths


@ends_early
@pytest.mark.usefixtures("one_thread")
def test_ctrl_c_before_the_first_net_begins_keeps_the_earlier_fit():
    model = ensemble(n_nets=3).fit(X[::2], y[::2])
    before = clone(model).fit(X[::2], y[::2])
    with interruption(1, (training.NetTraining, "__init__")):
        model.fit(X, y)
    assert_same_bits(model, before)


@ends_early
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("method", "n_epochs"), [("fit", 8), ("partial_fit", 1)])
def test_ctrl_c_keeps_fitted_nets_that_have_not_begun(method, n_epochs):
    model = ensemble(n_nets=3, batch_size=50, warm_start=True).fit(X, y)
    before = model.coefs_[0].copy()
    with interruption(n_epochs + 1, (Monitor, "record")):
        getattr(model, method)(X, y)
    changed = (model.coefs_[0] != before).any(axis=(1, 2))
    assert changed[0]
    assert not changed[2]
    assert getattr(model, method)(X, y).coefs_[0].shape == (3, 13, 5)


@ends_early
@pytest.mark.usefixtures("threads")
def test_ctrl_c_stops_all_threads(monkeypatch):
    all_are_there, here = threading.Barrier(3), threading.local()

    def schedule(progress):
        if progress > 0.001 and not hasattr(here, "has_begun"):
            here.has_begun = True
            all_are_there.wait(60)
        return 1.0

    def interrupted(*args):
        all_are_there.wait(60)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "wait", interrupted)
    model = ensemble(n_nets=8, schedule=schedule, max_iter=10**6, tol=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.coefs_[0].shape == (2, 13, 5)  # the nets that had begun
    assert model.stop_reason_.tolist() == ["interrupted"] * 2
    assert 1 < model.n_iter_ < 10**6
    assert model.score(X, y) > 0.5
