"""HiddenUnitsDisplay."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from helpers import ends_early, wine
from matplotlib import pyplot
from numpy.testing import assert_array_equal
from sklearn.neural_network import MLPClassifier

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn.inspection import HiddenUnitsDisplay

pytestmark = ends_early
X, y = wine()
QUICK = {"max_iter": 2, "random_state": 0}


def test_images_are_sorted_by_the_norm_of_the_outgoing_weights():
    net = TwoLayerNetClassifier(7, **QUICK).fit(X[:, :12], y)
    display = HiddenUnitsDisplay.from_estimator(net, image_shape=(3, 4), n_units=5)
    norms = np.linalg.norm(net.coefs_[1], axis=1)
    units = np.argsort(norms)[::-1][:5]
    assert_array_equal(display.norms, norms[units])
    for ax, unit in zip(display.axes_, units, strict=True):
        assert_array_equal(ax.images[0].get_array(), net.coefs_[0][:, unit].reshape(3, 4))
        assert ax.get_title() == f"{norms[unit]:.2g}"
    assert len(display.figure_.axes) == 6


@pytest.mark.parametrize("has_own_figure", [True, False])
def test_bars_show_the_features_with_the_largest_weights_and_their_names(has_own_figure):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(50, 60)), columns=[f"col {j}" for j in range(60)])
    net = TwoLayerNetClassifier(20, **QUICK).fit(frame, np.arange(50) % 2)
    ax = None if has_own_figure else pyplot.figure(dpi=300).add_subplot()
    display = HiddenUnitsDisplay.from_estimator(net, n_units=9, ax=ax)
    units = np.linalg.norm(net.coefs_[1], axis=1).argsort()[::-1][:9]
    weights = net.coefs_[0][:, units]
    features = np.sort(np.abs(weights).max(axis=1).argsort()[-16:])
    assert display.feature_names == frame.columns[features].tolist()
    assert_array_equal(display.weights, weights[features])
    for ax, expected in zip(display.axes_, weights[features].T, strict=True):
        assert [bar.get_width() for bar in ax.patches] == expected.tolist()
    # the names of the first column do not overlap
    display.figure_.canvas.draw()
    for ax in display.axes_[::3]:
        labels = ax.get_yticklabels()
        assert [label.get_text() for label in labels] == display.feature_names
        boxes = [label.get_window_extent() for label in labels]
        assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))


def test_a_display_without_names_has_no_labels():
    display = HiddenUnitsDisplay(weights=np.eye(3), norms=np.ones(3)).plot()
    assert not display.axes_[0].get_yticklabels()


@pytest.mark.parametrize(
    "net", [MultiLayerNetClassifier((5, 3), **QUICK), MLPClassifier((5,), **QUICK)]
)
def test_other_neural_networks_are_shown(net):
    display = HiddenUnitsDisplay.from_estimator(net.fit(X, y), n_features=2)
    assert display.weights.shape == (2, 5)
    indices = [int(name.removeprefix("x")) for name in display.feature_names]
    assert_array_equal(np.sort(display.weights), np.sort(net.coefs_[0][indices]))


def test_net_selects_one_of_several():
    nets = TwoLayerNetClassifier(3, n_nets=2, **QUICK).fit(X, y)
    weights = HiddenUnitsDisplay.from_estimator(nets, net=1).weights
    assert_array_equal(np.sort(weights), np.sort(nets.coefs_[0][1]))


@pytest.mark.parametrize("n_nets", [1, 2])
@pytest.mark.parametrize("columns", [None, ["alcohol", "acid", "ash"]])
def test_the_features_of_an_encoded_net_are_columns_and_pieces(columns, n_nets):
    rows = X[:, :3].copy()
    rows[:, 1] = rows[:, 1] > 2  # a column without pieces
    data = rows if columns is None else pd.DataFrame(rows, columns=columns)
    net = TwoLayerNetClassifier(4, n_nets=n_nets, encoding="piecewise", **QUICK).fit(data, y)
    display = HiddenUnitsDisplay.from_estimator(net, n_features=30, net=n_nets - 1)
    first, second, third = columns or ["x0", "x1", "x2"]
    pieces = [f"{name}_piece{j}" for name in (first, third) for j in range(8)]
    assert display.feature_names == [first, second, third, *pieces]
    weights = net.coefs_[0] if n_nets == 1 else net.coefs_[0][-1]
    assert_array_equal(np.sort(display.weights), np.sort(weights))
    with pytest.raises(ValueError, match=r"encoding='piecewise', .* got \(19, 1\)"):
        HiddenUnitsDisplay.from_estimator(net, image_shape=(19, 1))


@pytest.mark.parametrize(
    ("model", "params", "message"),
    [
        (SoftmaxClassifier(), {}, "net with hidden units, got a SoftmaxClassifier"),
        (None, {"image_shape": (3, 4)}, r"image_shape must have 13 pixels, .* got \(3, 4\)"),
        (None, {"feature_names": ["one"]}, "feature_names must have 13 names, .* got 1"),
        (None, {"net": 1}, "net must be from 0 to 0, got 1"),
    ],
)
def test_parameters_that_do_not_match_raise_errors(model, params, message):
    model = model or TwoLayerNetClassifier(3, **QUICK)
    with pytest.raises(ValueError, match=message):
        HiddenUnitsDisplay.from_estimator(model.fit(X, y), **params)


def test_numbers_below_one_and_axes_off_a_grid_raise_errors():
    net = TwoLayerNetClassifier(3, **QUICK).fit(X, y)
    for name in ("n_units", "n_features"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            HiddenUnitsDisplay.from_estimator(net, **{name: 0})
    ax = pyplot.figure().add_axes([0, 0, 1, 1])
    with pytest.raises(ValueError, match="ax must be on a grid"):
        HiddenUnitsDisplay.from_estimator(net, ax=ax)
