"""make_spiral."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_blobs

from sklearn_toynn.datasets import make_spiral


@pytest.mark.parametrize(("n_per_class", "arm_angle"), [(100, 4.0), (300, 8.0)])
def test_the_points_equal_those_of_the_tutorials_bit_for_bit(n_per_class, arm_angle):
    rng = np.random.RandomState(0)
    arms = []
    for j in range(3):
        r = np.linspace(0.0, 1, n_per_class)
        t = np.linspace(j * arm_angle, (j + 1) * arm_angle, n_per_class)
        t = t + rng.randn(n_per_class) * 0.2
        arms.append(np.c_[r * np.sin(t), r * np.cos(t)])
    X, y = make_spiral(3 * n_per_class, arm_angle=arm_angle, shuffle=False, random_state=0)
    assert_array_equal(X, np.concatenate(arms))
    assert_array_equal(y, np.repeat([0, 1, 2], n_per_class))
    assert np.issubdtype(y.dtype, np.integer)
    if arm_angle == 4.0:
        assert_array_equal(make_spiral(shuffle=False, random_state=0)[0], X)
    # shuffling moves the same points with their labels
    params = {"n_classes": 3, "noise": 0.2, "random_state": 0}
    shuffled = np.c_[make_spiral(3 * n_per_class, arm_angle=arm_angle, **params)]
    assert (shuffled[:, 2] != y).any()
    table = np.c_[X, y]
    assert_array_equal(shuffled[np.lexsort(shuffled.T)], table[np.lexsort(table.T)])


@pytest.mark.parametrize(("n_samples", "n_classes"), [(11, 3), (12, 3), (23, 5), (3, 2)])
def test_every_arm_goes_from_the_center_to_the_edge(n_samples, n_classes):
    X, y = make_spiral(n_samples, n_classes=n_classes, noise=1.5, shuffle=False)
    _, y_blobs = make_blobs(n_samples, centers=n_classes, shuffle=False)
    assert_array_equal(y, y_blobs)
    for j in range(n_classes):
        radius = np.hypot(*X[y == j].T)
        assert_allclose(radius, np.linspace(0, 1, len(radius)), atol=1e-12)


@pytest.mark.parametrize("shuffle", [False, True])
def test_random_state_controls_the_bits(shuffle):
    rng = np.random.RandomState(3)
    first, again, from_instance, continued = (
        np.c_[make_spiral(np.int64(30), shuffle=shuffle, random_state=state)]
        for state in (3, 3, rng, rng)
    )
    assert_array_equal(first, again)
    assert_array_equal(first, from_instance)
    assert (first != continued).any()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_samples", 0),
        ("n_samples", 30.5),
        ("n_classes", 0),
        ("arm_angle", np.inf),
        ("noise", -0.1),
        ("noise", np.nan),
        ("shuffle", "yes"),
        ("random_state", -1),
    ],
)
def test_an_invalid_parameter_is_named(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of make_spiral"):
        make_spiral(**{name: value})


def test_all_parameters_but_n_samples_are_keyword_only():
    with pytest.raises(TypeError, match="positional"):
        make_spiral(300, 3)
