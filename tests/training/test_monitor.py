"""The monitor of a training: curves, best weights, plateaus and the end."""

from threading import Event
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_toynn._training.monitor import Monitor
from sklearn_toynn._training.schedules import SCHEDULES
from sklearn_toynn._training.stopping import StoppingPolicy


class Validation:
    """A validation set with given losses."""

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
        ([5, 4.95, 4.92, 4.91], 4, "tol"),  # decreases by less than tol = 0.1 do not count
        ([5, 6, 7, 4.8, 4.9, 5], 6, None),
        ([5, 4.95, 4.9, 4.85, 4.8], 4, "tol"),  # nor does their sum
        ([5, 4, np.nan], 3, "diverged"),
        ([5, np.inf, 4], 2, "diverged"),
        (range(40, 0, -1), 20, "max_iter"),
    ],
)
def test_losses_end_the_training(losses, n_iter, reason):
    monitor = record(make_monitor(), *losses)
    assert (monitor.n_iter, monitor.reason) == (n_iter, reason)
    assert monitor.ended_at_infinity == (reason == "diverged")
    assert_array_equal(monitor.loss_curve, list(losses)[:n_iter])


def test_several_iterations_may_be_recorded_at_once():
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
        ([5, 5, 5, 5, 5], 2),  # a plateau is two iterations without an improvement
        ([5, 4.95, 4.93, 3, 3, 3], 2),
        ([5, 5, 4, 4, 3, 3, 2], 0),
        ([5, 6, 7, 4, 8, 9], 2),
    ],
)
def test_plateaus_are_counted(losses, n_plateaus):
    assert record(make_monitor(patience=99), *losses).n_plateaus == n_plateaus


@pytest.mark.parametrize(
    ("kwargs", "n_recorded", "expected"),
    [
        ({}, 0, 3),
        ({}, 2, 2),  # one of them stalled
        ({"stall_reason": None}, 2, 18),
        ({"max_iter": 3}, 2, 1),
        ({"schedule": "plateau"}, 0, 1),
        ({"verbose": 7}, 0, 1),
        ({"observer": Observer()}, 0, 1),
        ({"validation": Validation(1, 1)}, 0, 1),
    ],
)
def test_iterations_before_the_next_record(kwargs, n_recorded, expected):
    assert record(make_monitor(**kwargs), *[5.0] * n_recorded).n_unwatched == expected


def test_a_validation_set_chooses_the_weights_and_the_end():
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
def test_the_best_iteration_ignores_nan(curve, best_iter):
    monitor = make_monitor(validation=Validation())
    monitor.validation_curve += curve
    assert monitor.best_iter == best_iter


def test_best_weights_without_a_validation_set_precede_the_iteration():
    monitor = record(make_monitor(), 3.0, 1.0, 2.0)
    assert_array_equal(monitor.best.parameters, [1, 1])
    assert monitor.best.loss == 1


@pytest.mark.parametrize(("is_finite", "n_stalled", "largest", "asks", "n_iter", "expected"), [
    (True, 0, 1.0, False, 5, None),
    (False, 9, 0.0, True, 20, "diverged"),
    (True, 3, 0.0, True, 20, "validation"),
    (True, 2, 0.1, True, 20, "tol"),
    (True, 2, 0.2, True, 20, "callback"),
    (True, 2, None, False, 20, "max_iter"),
    (True, 2, 0.2, False, 19, None),
])  # fmt: skip
def test_the_first_of_several_reasons_counts(
    is_finite, n_stalled, largest, asks, n_iter, expected
):
    reason = make_monitor(stall_reason="validation").policy.find_reason(
        is_finite=is_finite,
        n_stalled=n_stalled,
        largest_gradient_entry=largest,
        callback_asks=asks,
        n_iter=n_iter,
    )
    assert reason == expected


@pytest.mark.parametrize(("largest", "reason"), [(0.11, None), (0.1, "tol"), (None, None)])
def test_a_small_gradient_ends_the_training(largest, reason):
    assert record(make_monitor(), 5.0, largest=largest).reason == reason


def test_the_observer_is_called_around_each_iteration_and_may_stop_it():
    observer = Observer(stops_after=2)
    monitor = make_monitor(observer=observer)
    monitor.begin()
    record(monitor, 5.0, 4.0, 3.0)
    assert observer.calls == ["begin", "end"] * 2
    assert monitor.reason == "callback"
    monitor.end("precision")
    assert monitor.reason == "callback"


def test_a_stop_event_ends_the_training():
    stop = Event()
    monitor = record(make_monitor(stop=stop), 5.0)
    stop.set()
    assert monitor.reason is None
    assert record(monitor, 4.0).reason == "interrupted"


def test_every_nth_loss_is_printed(capsys):
    record(make_monitor(verbose=2), 5.0, 4.0, 3.0)
    assert capsys.readouterr().out == "iteration 0: loss 5.000000\niteration 2: loss 3.000000\n"
