"""Greedy weights, largest remainders and the temperature."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar

from sklearn_toynn._blending import (
    LEAST_LOG,
    TEMPERATURES,
    OutOfFold,
    average_log_probabilities,
    count_greedily,
    distribute,
    find_temperature,
)


def blend_loss(counts, probabilities, weights):
    mean = np.asarray(counts) @ probabilities / np.sum(counts)
    return -np.average(np.log(mean), weights=weights)


@pytest.mark.parametrize("seed", range(5))
def test_each_round_adds_the_best_model_and_the_best_prefix_wins(seed):
    rng = np.random.RandomState(seed)
    p, w = rng.uniform(0.01, 1, (4, 30)), rng.randint(0, 3, 30).astype(float)
    counts, prefixes = np.zeros(4, int), []
    for _ in range(16):
        counts = min((counts + unit for unit in np.eye(4, dtype=int)),
                     key=lambda trial: blend_loss(trial, p, w))  # fmt: skip
        prefixes.append(counts)
    expected = min(prefixes, key=lambda trial: blend_loss(trial, p, w))
    ours = count_greedily(p, w)
    # an average that comes again later has the same loss, to rounding
    assert_allclose(ours / ours.sum(), expected / expected.sum(), rtol=1e-12)


def test_two_models_get_the_best_weights_of_all_with_few_rounds():
    rng = np.random.RandomState(0)
    p, w = rng.uniform(0.01, 1, (3, 20)), np.ones(20)
    ours = blend_loss(count_greedily(p, w, 2), p, w)
    pools = [c for size in (1, 2) for c in combinations_with_replacement(range(3), size)]
    losses = [blend_loss(np.bincount(pool, minlength=3), p, w) for pool in pools]
    singles = [blend_loss(unit, p, w) for unit in np.eye(3)]
    best = int(np.argmin(singles))
    pairs = [loss for pool, loss in zip(pools, losses, strict=True) if best in pool]
    assert ours == pytest.approx(min(pairs), rel=1e-12)


def test_weights_of_rows_are_repetitions_and_zeros_are_finite():
    rng = np.random.RandomState(0)
    p, w = rng.uniform(size=(3, 20)), rng.randint(0, 3, 20)
    p[:, 0] = 0
    expected = count_greedily(np.repeat(p, w, axis=1), np.ones(w.sum()))
    assert_array_equal(count_greedily(p, w.astype(float)), expected)
    assert_array_equal(count_greedily(np.zeros((2, 3)), np.ones(3)), [1, 0])


@pytest.mark.parametrize(
    ("n_items", "counts", "expected"),
    [
        (8, [16], [8]),
        (8, [10, 6], [5, 3]),
        (8, [1, 1, 1], [3, 3, 2]),
        (1, [7, 9], [0, 1]),
        (2, [1, 1, 1], [1, 1, 0]),
        (10, [47, 16, 158, 120], [1, 0, 5, 4]),
        (4, [15, 1], [4, 0]),
    ],
)
def test_nets_are_distributed_by_largest_remainders(n_items, counts, expected):
    assert_array_equal(distribute(n_items, np.array(counts)), expected)


def test_an_average_of_log_probabilities_is_that_of_probabilities():
    p = np.random.RandomState(0).dirichlet(np.ones(3), (2, 5))
    with np.errstate(divide="ignore"):
        logs = np.log(np.where(p < 0.05, 0, p)).astype(np.float32)
    mean = np.average(np.exp(logs), axis=0, weights=[0.25, 0.75])
    assert_allclose(np.exp(average_log_probabilities(logs, [0.25, 0.75])), mean, rtol=1e-6)


def scaled_loss(log_t, logs, codes, weights):
    scores = logs / np.exp(log_t)
    of_labels = scores[np.arange(len(codes)), codes]
    return np.average(np.logaddexp.reduce(scores, axis=1) - of_labels, weights=weights)


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_temperature_minimizes_the_loss(scale, n_classes):
    rng = np.random.RandomState(0)
    scores = rng.standard_normal((400, n_classes))
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    codes = np.array([rng.choice(n_classes, p=row) for row in p])
    weights = rng.randint(0, 4, 400).astype(float)
    logs = scale * scores
    logs -= np.logaddexp.reduce(logs, axis=1)[:, np.newaxis]
    t = find_temperature(logs, codes, weights)
    assert t == pytest.approx(scale, rel=0.25)
    found = minimize_scalar(
        scaled_loss, args=(logs, codes, weights), bounds=np.log(TEMPERATURES), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    assert t == pytest.approx(np.exp(found.x), rel=1e-6)
    # the first-order condition: the mean score of the labels is that of the predictions
    q = np.exp(logs / t)
    q /= q.sum(axis=1, keepdims=True)
    residual = (q * logs).sum(axis=1) - logs[np.arange(400), codes]
    assert np.average(residual, weights=weights) == pytest.approx(0, abs=1e-13)
    repeated = [np.repeat(part, weights.astype(int), axis=0) for part in (logs, codes)]
    assert find_temperature(*repeated, np.ones(int(weights.sum()))) == pytest.approx(t, rel=1e-12)


def test_two_classes_of_one_confidence_have_a_known_temperature():
    # 3 of 4 rows are right at log-odds 2, so the odds 3 need log-odds log 3
    logs = np.log([[1 / (1 + np.exp(2)), 1 / (1 + np.exp(-2))]] * 4)
    t = find_temperature(logs, np.array([1, 1, 1, 0]), np.ones(4))
    assert t == pytest.approx(2 / np.log(3), rel=1e-14)


def test_the_temperature_is_finite_for_all_predictions():
    logs, codes = np.log([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1])
    ones = np.ones(2)
    assert find_temperature(logs, codes, ones) == TEMPERATURES[0]  # all are right
    assert find_temperature(logs, codes[::-1], ones) == TEMPERATURES[1]  # all are wrong
    with np.errstate(divide="ignore"):
        sure = np.log([[1.0, 0.0], [0.0, 1.0]])
    assert find_temperature(sure, codes, ones) == TEMPERATURES[0]
    assert find_temperature(sure, codes[::-1], ones) == TEMPERATURES[1]
    assert find_temperature(np.full((2, 3), -np.log(3)), codes, ones) == 1.0
    assert find_temperature(logs, codes, np.zeros(2)) == 1.0
    assert find_temperature(np.full((2, 2), np.nan), codes, ones) == 1.0
    assert find_temperature(np.empty((0, 2)), np.empty(0, int), np.empty(0)) == 1.0
    assert LEAST_LOG < -87


def test_rows_of_a_class_without_weight_in_the_training_rows_are_left_out():
    rng = np.random.RandomState(0)
    codes, weights = np.append(rng.randint(0, 2, 20), [2, 2]), np.append(rng.rand(20), [5, 0])
    logs = np.log(rng.dirichlet(np.ones(3), (2, 22))).astype(np.float32)
    logs[:, 20, 2] = -50  # the only row with weight of class 2
    first, last = np.arange(10), np.arange(10, 20)
    results = []
    for others, of_class_2 in (([], []), ([21], [20])):
        splits = [(np.append(last, others).astype(int), np.append(first, of_class_2).astype(int))]
        splits.append((first, last))
        predictions = {(c, f): logs[c, splits[f][1]] for c in range(2) for f in range(2)}
        pool, shares = OutOfFold(predictions, splits, codes, weights), np.array([0.25, 0.75])
        losses = pool.compare_losses([0, 1], shares, logs[0].__getitem__)
        results.append([pool.find_temperature([0, 1], shares), *losses])
        results[-1] += pool.count_greedily([0, 1]).tolist()
    assert results[0] == results[1]
    assert np.isfinite(results).all()
