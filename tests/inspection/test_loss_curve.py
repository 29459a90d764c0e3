"""The course of a training, drawn."""

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

pytestmark = [ends_early, pytest.mark.usefixtures("closed_figures")]
X, y = wine()
QUICK = {"max_iter": 30, "random_state": 0}


def texts(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_it_shows_objective_validation_best_and_reason():
    net = TwoLayerNetClassifier(4, early_stopping=True, **QUICK).fit(X, y)
    display = LossCurveDisplay.from_estimator(net)
    objective, validation = display.lines_
    assert_array_equal(objective.get_ydata(), net.loss_curve_)
    assert_array_equal(validation.get_ydata(), net.validation_loss_curve_)
    best = display.ax_.lines[2]
    assert_array_equal(best.get_xdata(), [net.best_iter_])
    assert_array_equal(best.get_ydata(), [min(net.validation_loss_curve_)])
    assert f"TwoLayerNetClassifier (stop reason: {net.stop_reason_})" in texts(display)
    assert display.figure_ is display.ax_.figure


def test_several_on_one_axis():
    first = LossCurveDisplay.from_estimator(SoftmaxClassifier().fit(X, y))
    mlp = MLPClassifier((4,), **QUICK).fit(X, y)
    second = LossCurveDisplay.from_estimator(mlp, name="theirs", ax=first.ax_)
    assert second.ax_ is first.ax_
    assert texts(second)[1] == "theirs"
    assert len(first.ax_.lines) == 2


def test_several_nets_are_a_band_from_the_least_to_the_largest():
    nets = TwoLayerNetClassifier(4, n_nets=3, **QUICK).fit(X, y)
    display = LossCurveDisplay.from_estimator(nets)
    (band,) = display.ax_.collections
    vertices = band.get_paths()[0].vertices[:, 1]
    assert vertices.min() == np.min(nets.loss_curves_)
    assert vertices.max() == np.max(nets.loss_curves_)


def test_at_the_end_of_a_pipeline_in_a_search():
    pipeline = make_pipeline(StandardScaler(), TwoLayerNetClassifier(4, **QUICK))
    search = GridSearchCV(pipeline, {"twolayernetclassifier__reg": [0.1]}, cv=2).fit(X, y)
    display = LossCurveDisplay.from_estimator(search, line_kwargs={"color": "red"})
    assert_array_equal(display.loss_curve, search.best_estimator_[-1].loss_curve_)
    assert display.lines_[0].get_color() == "red"


def test_what_has_no_curve_is_refused():
    with pytest.raises(ValueError, match="estimator must have a loss_curve_, .* KNeighbors"):
        LossCurveDisplay.from_estimator(KNeighborsClassifier().fit(X, y))


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        ImportError, match=r"LossCurveDisplay requires matplotlib.*sklearn-toynn\[plot\]"
    ):
        LossCurveDisplay.from_estimator(SoftmaxClassifier().fit(X, y))
