"""make_spiral: the tutorials' data, with scikit-learn's habits."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_blobs

from sklearn_toynn.datasets import make_spiral


def spiral_loop(rng, n_per_class, n_classes, arm_angle):
    """The tutorials' points: arm by arm, the noise on the angle alone."""
    X = np.zeros((n_per_class * n_classes, 2))
    y = np.zeros(n_per_class * n_classes, dtype=int)
    for j in range(n_classes):
        rows = slice(n_per_class * j, n_per_class * (j + 1))
        r = np.linspace(0.0, 1, n_per_class)
        t = np.linspace(j * arm_angle, (j + 1) * arm_angle, n_per_class)
        t = t + rng.randn(n_per_class) * 0.2
        X[rows, 0], X[rows, 1] = r * np.sin(t), r * np.cos(t)
        y[rows] = j
    return X, y


def sorted_rows(X, y):
    table = np.c_[X, y]
    return table[np.lexsort(table.T)]


@pytest.mark.parametrize(("n_per_class", "arm_angle"), [(100, 4.0), (300, 8.0)])
def test_tutorial_points_bit_for_bit(n_per_class, arm_angle):
    X, y = make_spiral(3 * n_per_class, arm_angle=arm_angle, shuffle=False, random_state=0)
    X_loop, y_loop = spiral_loop(np.random.RandomState(0), n_per_class, 3, arm_angle)
    assert_array_equal(X, X_loop)
    assert_array_equal(y, y_loop)


def test_defaults_are_the_tutorial_spiral():
    X, y = make_spiral(random_state=0)
    given = {"n_classes": 3, "arm_angle": 4, "noise": 0.2, "shuffle": True}
    assert_array_equal(X, make_spiral(300, **given, random_state=0)[0])
    assert X.shape == (300, 2)
    assert X.dtype == np.float64
    assert y.shape == (300,)
    assert np.issubdtype(y.dtype, np.integer)
    assert_array_equal(np.bincount(y), [100, 100, 100])


@pytest.mark.parametrize("n_classes", [2, 5])
def test_arms_without_noise(n_classes):
    # radius and angle read back from the points, not computed as the function does
    X, y = make_spiral(
        40 * n_classes, n_classes=n_classes, arm_angle=1.0, noise=0.0, shuffle=False
    )
    for j in range(n_classes):
        arm = X[y == j]
        assert_allclose(np.hypot(*arm.T), np.linspace(0, 1, 40), atol=1e-12)
        angle = np.unwrap(np.arctan2(arm[1:, 0], arm[1:, 1]))
        turns = (angle - np.linspace(j, j + 1, 40)[1:]) / (2 * np.pi)
        assert_allclose(turns, np.round(turns[0]), atol=1e-12)


def test_noise_turns_points_but_keeps_their_radius():
    X, _ = make_spiral(noise=1.5, shuffle=False, random_state=0)
    assert_allclose(np.hypot(*X.T), np.tile(np.linspace(0, 1, 100), 3), atol=1e-12)


@pytest.mark.parametrize(("n_samples", "n_classes"), [(10, 3), (11, 3), (12, 3), (23, 5), (3, 2)])
def test_uneven_classes_as_in_make_blobs(n_samples, n_classes):
    X, y = make_spiral(n_samples, n_classes=n_classes, shuffle=False, random_state=0)
    _, y_blobs = make_blobs(n_samples, centers=n_classes, shuffle=False)
    assert X.shape == (n_samples, 2)
    assert_array_equal(y, y_blobs)
    # every arm still runs from the centre to the rim
    for j in range(n_classes):
        radius = np.hypot(*X[y == j].T)
        assert_allclose(radius, np.linspace(0, 1, len(radius)), atol=1e-12)


def test_shuffle_moves_the_same_points_with_their_labels():
    plain = make_spiral(shuffle=False, random_state=0)
    shuffled = make_spiral(random_state=0)
    assert (plain[1] != shuffled[1]).any()
    assert_array_equal(sorted_rows(*shuffled), sorted_rows(*plain))


@pytest.mark.parametrize("shuffle", [False, True])
def test_same_seed_same_bits(shuffle):
    first = make_spiral(shuffle=shuffle, random_state=3)
    again = make_spiral(shuffle=shuffle, random_state=3)
    other = make_spiral(shuffle=shuffle, random_state=4)
    assert_array_equal(first[0], again[0])
    assert_array_equal(first[1], again[1])
    assert (first[0] != other[0]).any()


def test_random_state_instance_is_drawn_from():
    rng = np.random.RandomState(0)
    first, second = make_spiral(random_state=rng), make_spiral(random_state=rng)
    assert_array_equal(first[0], make_spiral(random_state=0)[0])
    assert (first[0] != second[0]).any()


def test_numpy_scalars_are_numbers():
    X, _ = make_spiral(np.int64(30), n_classes=np.int32(3), noise=np.float32(0.5), random_state=0)
    assert X.dtype == np.float64


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_samples", 0),
        ("n_samples", -5),
        ("n_samples", 30.5),
        ("n_samples", "many"),
        ("n_classes", 0),
        ("n_classes", 2.5),
        ("n_classes", None),
        ("arm_angle", "wide"),
        ("arm_angle", None),
        ("arm_angle", np.inf),
        ("noise", -0.1),
        ("noise", np.nan),
        ("noise", "loud"),
        ("shuffle", "yes"),
        ("random_state", "seed"),
        ("random_state", -1),
    ],
)
def test_bad_argument_is_named(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of make_spiral"):
        make_spiral(**{name: value})


def test_all_but_n_samples_go_by_keyword():
    with pytest.raises(TypeError, match="positional"):
        make_spiral(300, 3)
