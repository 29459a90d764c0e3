"""The weights of the hidden units, drawn."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from helpers import ends_early, wine
from matplotlib import pyplot
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn.inspection import HiddenUnitsDisplay

pytestmark = [ends_early, pytest.mark.usefixtures("closed_figures")]
X, y = wine()
QUICK = {"max_iter": 10, "random_state": 0}


def test_images_are_sorted_by_what_a_unit_has_to_say():
    rows, labels = load_digits(return_X_y=True)
    net = TwoLayerNetClassifier(10, **QUICK).fit(rows, labels)
    display = HiddenUnitsDisplay.from_estimator(net, image_shape=(8, 8), n_units=6)
    assert len(display.axes_) == 6
    norms = np.linalg.norm(net.coefs_[1], axis=1)
    order = np.argsort(norms)[::-1][:6]
    assert_array_equal(display.norms, norms[order])
    for ax, unit in zip(display.axes_, order, strict=True):
        assert_array_equal(ax.images[0].get_array(), net.coefs_[0][:, unit].reshape(8, 8))


def test_bars_have_the_names_of_the_columns():
    frame = pd.DataFrame(X, columns=[f"column {index}" for index in range(13)])
    net = TwoLayerNetClassifier(3, **QUICK).fit(frame, y)
    display = HiddenUnitsDisplay.from_estimator(net)
    first = display.axes_[0]
    assert [text.get_text() for text in first.get_yticklabels()] == list(frame.columns)
    assert [bar.get_width() for bar in first.patches] == display.weights[:, 0].tolist()


@pytest.mark.parametrize("has_own_figure", [True, False])
def test_of_many_columns_the_largest_weights_are_shown(has_own_figure):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(50, 60)), columns=[f"col {j}" for j in range(60)])
    net = TwoLayerNetClassifier(20, **QUICK).fit(frame, np.arange(50) % 2)
    ax = None if has_own_figure else pyplot.figure(dpi=300).add_subplot()
    display = HiddenUnitsDisplay.from_estimator(net, ax=ax)
    units = np.linalg.norm(net.coefs_[1], axis=1).argsort()[::-1][:16]
    largest = {f"col {j}": max(abs(net.coefs_[0][j, unit]) for unit in units) for j in range(60)}
    assert set(display.feature_names) == set(sorted(largest, key=largest.get)[-16:])
    for name, weights in zip(display.feature_names, display.weights, strict=True):
        assert_array_equal(weights, net.coefs_[0][int(name.split()[1]), units])
    few = HiddenUnitsDisplay.from_estimator(net, n_features=3)
    assert few.weights.shape == (3, 16)
    few.feature_names = None
    assert not few.plot().axes_[0].get_yticklabels()
    # no name is printed over another
    display.figure_.canvas.draw()
    for ax in display.axes_[::4]:
        boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
        assert len(boxes) == 16
        assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))


@pytest.mark.parametrize(
    "net", [MultiLayerNetClassifier((5, 3), **QUICK), MLPClassifier((5,), **QUICK)]
)
def test_other_nets(net):
    display = HiddenUnitsDisplay.from_estimator(net.fit(X, y))
    assert display.weights.shape == (13, 5)
    assert display.feature_names[:2] == ["x0", "x1"]


def test_one_of_several_nets():
    nets = TwoLayerNetClassifier(3, n_nets=2, **QUICK).fit(X, y)
    weights = HiddenUnitsDisplay.from_estimator(nets, net=1).weights
    assert_array_equal(np.sort(weights), np.sort(nets.coefs_[0][1]))


def test_what_does_not_fit_is_refused():
    net = TwoLayerNetClassifier(3, **QUICK).fit(X, y)
    with pytest.raises(ValueError, match=r"image_shape must have 13 pixels, .* got \(3, 4\)"):
        HiddenUnitsDisplay.from_estimator(net, image_shape=(3, 4))
    with pytest.raises(ValueError, match="feature_names must have 13 names, .* got 1"):
        HiddenUnitsDisplay.from_estimator(net, feature_names=["one"])
    with pytest.raises(ValueError, match="net must be from 0 to 0, got 1"):
        HiddenUnitsDisplay.from_estimator(net, net=1)
    with pytest.raises(ValueError, match="hidden units, got a SoftmaxClassifier"):
        HiddenUnitsDisplay.from_estimator(SoftmaxClassifier().fit(X, y))
