"""LossCurveDisplay."""

import sys

import numpy as np
import pytest
from helpers import ends_early, wine
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn.inspection import LossCurveDisplay

pytestmark = ends_early
X, y = wine()
QUICK = {"max_iter": 10, "random_state": 0}


def test_the_plot_has_objective_validation_loss_best_iteration_and_stop_reason():
    net = TwoLayerNetClassifier(4, early_stopping=True, **QUICK).fit(X, y)
    display = LossCurveDisplay.from_estimator(net, line_kwargs={"color": "red"})
    objective, validation = display.lines_
    assert_array_equal(objective.get_ydata(), net.loss_curve_)
    assert_array_equal(validation.get_ydata(), net.validation_loss_curve_)
    assert {line.get_color() for line in display.lines_} == {"red"}
    best = display.ax_.lines[2]
    assert_array_equal(best.get_xydata(), [[net.best_iter_, min(net.validation_loss_curve_)]])
    label = f"TwoLayerNetClassifier (stop reason: {net.stop_reason_})"
    assert objective.get_label() == label
    # a second display on the same axes
    mlp = MLPClassifier((4,), **QUICK).fit(X, y)
    other = LossCurveDisplay.from_estimator(mlp, name="other", ax=display.ax_)
    assert other.figure_ is display.figure_
    texts = [text.get_text() for text in other.ax_.get_legend().get_texts()]
    assert texts == [label, "validation log loss of TwoLayerNetClassifier", "other"]


def test_several_nets_have_a_band_from_the_smallest_to_the_largest_loss():
    nets = TwoLayerNetClassifier(4, n_nets=3, **QUICK).fit(X, y)
    (band,) = LossCurveDisplay.from_estimator(nets).ax_.collections
    heights = [band.get_datalim(band.axes.transData).y0, band.get_datalim(band.axes.transData).y1]
    assert heights == [np.min(nets.loss_curves_), np.max(nets.loss_curves_)]


def test_the_net_in_a_pipeline_in_a_search_is_found():
    pipeline = make_pipeline(StandardScaler(), TwoLayerNetClassifier(4, **QUICK))
    search = GridSearchCV(pipeline, {"twolayernetclassifier__reg": [0.1]}, cv=2).fit(X, y)
    display = LossCurveDisplay.from_estimator(search)
    assert display.loss_curve == search.best_estimator_[-1].loss_curve_


def test_an_estimator_without_a_curve_raises_an_error():
    with pytest.raises(ValueError, match="estimator must have a loss_curve_, .* KNeighbors"):
        LossCurveDisplay.from_estimator(KNeighborsClassifier().fit(X, y))


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = r"LossCurveDisplay requires matplotlib.*sklearn-toynn\[plot\]"
    with pytest.raises(ImportError, match=message):
        LossCurveDisplay.from_estimator(SoftmaxClassifier().fit(X, y))
