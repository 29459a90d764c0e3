"""The monitor of a training: curves, best weights, stalls, plateaus and the end."""

from threading import Event
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_toynn._training.monitor import Monitor
from sklearn_toynn._training.schedules import SCHEDULES
from sklearn_toynn._training.stopping import StoppingPolicy


class Validation:
    """Losses in turn."""

    def __init__(self, *losses):
        self.losses = iter(losses)

    def value(self):
        return next(self.losses)


class Observer:
    def __init__(self, stops_after=100):
        self.calls, self.stops_after = [], stops_after

    def begin_iteration(self):
        self.calls.append("begin")

    def end_iteration(self):
        self.calls.append("end")
        return self.calls.count("end") == self.stops_after


def make_monitor(*, schedule="constant", stall_reason="tol", max_iter=20, patience=3, **kwargs):
    policy = StoppingPolicy(
        schedule=SCHEDULES[schedule],
        tol=0.1,
        n_iter_no_change=patience,
        max_iter=max_iter,
        stall_reason=stall_reason,
        limit_reason="max_iter",
        watches_gradient=True,
        max_iter_is_intended=False,
    )
    # the parameters are the number of the iterations so far
    return Monitor(SimpleNamespace(parameters=np.zeros(2)), policy, **kwargs)


def record(monitor, *losses, largest=None):
    """Record one iteration for each loss, until the training ends."""
    for loss in losses:
        if monitor.reason is None:
            monitor._network.parameters += 1
            monitor.record(np.array([loss]), largest)
    return monitor


@pytest.mark.parametrize(
    ("losses", "n_iter", "reason"),
    [
        ([5, 4, 3, 2], 4, None),
        ([5, 4.95, 4.92, 4.91], 4, "tol"),  # a fall by less than tol = 0.1 is none
        ([5, 6, 7, 4.8, 4.9, 5], 6, None),
        ([5, 4.95, 4.9, 4.85, 4.8], 4, "tol"),  # nor is the sum of small falls
        ([5, 4, np.nan], 3, "diverged"),
        ([5, np.inf, 4], 2, "diverged"),
        (range(40, 0, -1), 20, "max_iter"),
    ],
)
def test_the_end_by_the_losses(losses, n_iter, reason):
    monitor = record(make_monitor(), *losses)
    assert (monitor.n_iter, monitor.reason) == (n_iter, reason)
    assert monitor.ended_at_infinity == (reason == "diverged")
    assert_array_equal(monitor.loss_curve, list(losses)[:n_iter])


def test_several_iterations_at_once_are_as_many_one_by_one():
    losses = [5.0, 5, 4, 3.95, 3.98, 4.2]
    together, one_by_one = make_monitor(), record(make_monitor(), *losses)
    together.record(np.array(losses[:4]))
    together.record(np.array(losses[4:]))
    for name in ("loss_curve", "reason", "n_plateaus", "n_iter"):
        assert getattr(together, name) == getattr(one_by_one, name)
    assert together.reason == "tol"


@pytest.mark.parametrize(
    ("losses", "n_plateaus"),
    [
        ([5, 4, 3, 2], 0),
        ([5, 5, 5, 5, 5], 2),  # two iterations on end without an improvement are a plateau
        ([5, 4.95, 4.93, 3, 3, 3], 2),
        ([5, 5, 4, 4, 3, 3, 2], 0),
        ([5, 6, 7, 4, 8, 9], 2),
    ],
)
def test_plateaus(losses, n_plateaus):
    assert record(make_monitor(patience=99), *losses).n_plateaus == n_plateaus


@pytest.mark.parametrize(
    ("kwargs", "n_recorded", "expected"),
    [
        ({}, 0, 3),
        ({}, 2, 2),  # one of which stalled
        ({"stall_reason": None}, 2, 18),
        ({"max_iter": 3}, 2, 1),
        ({"schedule": "plateau"}, 0, 1),
        ({"verbose": 7}, 0, 1),
        ({"observer": Observer()}, 0, 1),
        ({"validation": Validation(1, 1)}, 0, 1),
    ],
)
def test_iterations_that_may_go_by_unwatched(kwargs, n_recorded, expected):
    assert record(make_monitor(**kwargs), *[5.0] * n_recorded).n_unwatched == expected


def test_a_validation_set_watches():
    validation = Validation(4.0, 3.0, 3.5, 3.0, 2.95)
    monitor = make_monitor(validation=validation, stall_reason="validation")
    record(monitor, *range(9, 0, -1))
    assert monitor.reason == "validation"
    assert monitor.loss_curve == [9, 8, 7, 6, 5]
    assert monitor.validation_curve == [4, 3, 3.5, 3, 2.95]
    assert monitor.best_iter == 4
    assert_array_equal(monitor.best.parameters, [5, 5])  # after the iteration
    assert_array_equal(monitor.initial, [0, 0])


@pytest.mark.parametrize(
    ("curve", "best_iter"), [([], 0), ([2, 1, 3], 1), ([np.nan, 2, np.nan], 1), ([np.nan], 0)]
)
def test_the_best_iteration_is_that_of_a_number(curve, best_iter):
    monitor = make_monitor(validation=Validation())
    monitor.validation_curve += curve
    assert monitor.best_iter == best_iter


def test_best_weights_without_a_validation_set_are_those_before_the_iteration():
    monitor = record(make_monitor(), 3.0, 1.0, 2.0)
    assert_array_equal(monitor.best.parameters, [1, 1])
    assert monitor.best.loss == 1


@pytest.mark.parametrize(("largest", "reason"), [(0.11, None), (0.1, "tol"), (None, None)])
def test_a_small_gradient(largest, reason):
    assert record(make_monitor(), 5.0, largest=largest).reason == reason


def test_callbacks_are_called_around_each_iteration():
    observer = Observer(stops_after=2)
    monitor = make_monitor(observer=observer)
    monitor.begin()
    record(monitor, 5.0, 4.0, 3.0)
    assert observer.calls == ["begin", "end"] * 2
    assert monitor.reason == "callback"
    monitor.end("precision")
    assert monitor.reason == "callback"


def test_a_stop_for_all_nets():
    stop = Event()
    monitor = record(make_monitor(stop=stop), 5.0)
    stop.set()
    assert monitor.reason is None
    assert record(monitor, 4.0).reason == "interrupted"


def test_verbosity(capsys):
    record(make_monitor(verbose=2), 5.0, 4.0, 3.0)
    assert capsys.readouterr().out == "iteration 0: loss 5.000000\niteration 2: loss 3.000000\n"
