"""The monitor of a training: curves, best weights, plateaus and the end."""

from types import SimpleNamespace
from unittest.mock import Mock, call

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
    monitor = record(make_monitor(), 3.0, 1.0, 1.0, 2.0)
    assert_array_equal(monitor.best.parameters, [1, 1])
    assert monitor.best.loss == 1


def test_the_first_of_several_reasons_counts():
    policy = make_monitor(stall_reason="validation").policy
    state = {
        "is_finite": False,
        "n_stalled": 3,
        "largest_gradient_entry": 0.1,
        "callback_asks": True,
        "n_iter": 20,
    }
    # without the first reason, the next one counts
    for name, value, reason in [
        ("is_finite", True, "diverged"),
        ("n_stalled", 2, "validation"),
        ("largest_gradient_entry", 0.11, "tol"),
        ("callback_asks", False, "callback"),
        ("n_iter", 19, "max_iter"),
    ]:
        assert policy.find_reason(**state) == reason
        state[name] = value
    assert policy.find_reason(**state) is None


@pytest.mark.parametrize(("largest", "reason"), [(0.11, None), (0.1, "tol"), (None, None)])
def test_a_small_gradient_ends_the_training(largest, reason):
    assert record(make_monitor(), 5.0, largest=largest).reason == reason


def test_an_observer_is_called_around_each_iteration_and_may_stop_the_training():
    observer = Mock()
    observer.end_iteration.side_effect = [False, True]
    monitor = make_monitor(observer=observer)
    monitor.begin()
    record(monitor, 5.0, 4.0, 3.0)
    assert observer.mock_calls == [call.begin_iteration(), call.end_iteration()] * 2
    assert monitor.reason == "callback"
    monitor.end("precision")
    assert monitor.reason == "callback"
