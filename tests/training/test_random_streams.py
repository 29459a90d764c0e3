"""Random streams: the same bits from the same random state."""

import numpy as np
import pytest
from helpers import BATCH_MODELS, WHOLE_MODELS, assert_same_bits, every_model, wine
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from sklearn_toynn._training.random_streams import RandomStreams, make_bit_generator

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def state_of(stream):
    _, *state = stream.get_state()
    return np.hstack(state)


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 2, 2**32 - 1])
def test_a_seed_gives_the_generator_of_random_state(seed):
    stream, expected = np.random.RandomState(make_bit_generator(seed)), np.random.RandomState(seed)
    assert_array_equal(state_of(stream), state_of(expected))
    assert_array_equal(stream.standard_normal(700), expected.standard_normal(700))


@pytest.mark.parametrize("make", [int, np.int64, np.random.RandomState])
def test_each_use_has_its_own_stream(make):
    # the first three seeds are for weights, batches and split; each further net has two
    draw, end = np.random.RandomState(7).randint, np.iinfo(np.int32).max
    first = draw(end, size=3)
    more = [draw(end, size=2) for _ in range(2)]
    starts, batches = zip(first[:2], *more, strict=True)
    for nets in ([0, 1, 2], [2, 0, 1]):  # for any order of the calls
        streams = RandomStreams(make(7))
        for net in nets:
            order = np.random.RandomState(streams.batches(net))
            for stream, seed in [(order, batches[net]), (streams.start(net), starts[net])]:
                assert_array_equal(state_of(stream), state_of(np.random.RandomState(seed)))
        expected = np.random.RandomState(first[2])
        assert_array_equal(state_of(streams.split()), state_of(expected))


@pytest.mark.parametrize("model", [BATCH_MODELS["net-adam"], WHOLE_MODELS["net-gd"]])
def test_another_random_state_gives_other_bits(model):
    X, y = wine()
    first = clone(model).fit(X, y)
    other = clone(model).set_params(random_state=1).fit(X, y)
    assert (first.coefs_[0] != other.coefs_[0]).any()
    # a RandomState instance changes with each fit
    rng = np.random.RandomState(0)
    twice = [clone(model).set_params(random_state=rng) for _ in range(2)]
    one, two = (copy.set_params(random_state=rng).fit(X, y) for copy in twice)
    assert_same_bits(one, first)
    assert (one.coefs_[0] != two.coefs_[0]).any()


@every_model
def test_the_number_of_blas_threads_does_not_change_the_bits(model):
    X, y = load_digits(return_X_y=True)
    X = X[:900] / 16
    model = clone(model).set_params(max_iter=3)
    with threadpool_limits(1):
        one = clone(model).fit(X, y[:900])
        scores = one.decision_function(X)
    with threadpool_limits(2):
        assert_same_bits(clone(model).fit(X, y[:900]), one)
        assert_array_equal(one.decision_function(X), scores)
