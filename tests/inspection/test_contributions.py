"""ContributionsDisplay."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from helpers import ends_early, wine
from matplotlib import pyplot
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn.inspection import ContributionsDisplay

pytestmark = ends_early
DATA = {"two classes": load_breast_cancer(return_X_y=True), "three classes": wine()}


def add_column_without_pieces(X):
    return np.column_stack([X, X[:, 0] > X[:, 0].mean()])


def add_up(display, X):
    """Return the sum of the curves at the rows of X, whose columns are named x0, x1, ..."""
    total = 0
    curves = zip(display.feature_names, display.values, display.contributions, strict=True)
    for name, values, contributions in curves:
        x = X[:, int(name.removeprefix("x"))]
        total += np.column_stack([np.interp(x, values, curve) for curve in contributions.T])
    return total


@pytest.mark.parametrize("has_data", [True, False])
@pytest.mark.parametrize("name", DATA)
def test_contributions_of_pieces_sum_to_the_scores(name, has_data):
    X, y = DATA[name]
    X = add_column_without_pieces(X)
    model = SoftmaxClassifier(encoding="piecewise").fit(X, y)
    n = X.shape[1]
    display = ContributionsDisplay.from_estimator(model, X if has_data else None, n_features=n)
    intercept = model.intercept_
    if len(intercept) == 2:
        intercept = np.diff(intercept)
    scores = model.decision_function(X).reshape(len(X), -1)
    assert_allclose(add_up(display, X) + intercept, scores, atol=1e-8)
    assert_allclose(add_up(display, X).mean(axis=0), 0, atol=1e-8)
    assert (display.deciles is None) == (not has_data)


@pytest.mark.parametrize("model_class", [SoftmaxClassifier, LogisticRegression])
@pytest.mark.parametrize("name", DATA)
def test_linear_contributions_sum_to_the_scores(name, model_class):
    X, y = DATA[name]
    X = (X - X.mean(axis=0)) / X.std(axis=0) + 1
    model = model_class().fit(X, y)
    display = ContributionsDisplay.from_estimator(model, X, n_features=X.shape[1])
    scores = model.decision_function(X).reshape(len(X), -1)
    assert_allclose(add_up(display, X), scores - scores.mean(axis=0), atol=1e-8)
    assert all(len(values) == 2 for values in display.values)


def test_the_largest_contributions_come_first():
    X, y = DATA["three classes"]
    model = SoftmaxClassifier(encoding="piecewise").fit(X, y)
    for data in (X, None):
        display = ContributionsDisplay.from_estimator(model, data, n_features=5)
        everything = ContributionsDisplay.from_estimator(model, data, n_features=99)
        assert len(everything.values) == X.shape[1]
        assert everything.feature_names[:5] == display.feature_names
    display = ContributionsDisplay.from_estimator(model, X, n_features=99)
    spreads = []
    for name, values, curves in zip(
        display.feature_names, display.values, display.contributions, strict=True
    ):
        x = X[:, int(name.removeprefix("x"))]
        spreads.append(np.linalg.norm([np.interp(x, values, c).std() for c in curves.T]))
    assert spreads == sorted(spreads, reverse=True)


@pytest.mark.parametrize("has_own_figure", [True, False])
def test_panels_show_curves_deciles_and_one_legend(has_own_figure):
    X, y = DATA["three classes"]
    frame = pd.DataFrame(X, columns=[f"col {j}" for j in range(X.shape[1])])
    labels = np.array(["a", "b", "c"])[y]
    model = SoftmaxClassifier(encoding="piecewise").fit(frame, labels)
    ax = None if has_own_figure else pyplot.subplots(1, 2, layout="constrained")[1][1]
    display = ContributionsDisplay.from_estimator(model, frame, n_features=5, ax=ax)
    assert display.axes_.shape == (5,)
    figure = display.figure_
    figure.canvas.draw()
    (legend,) = [ax.get_legend() for ax in figure.axes if ax.get_legend()]
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]
    box = legend.get_window_extent()
    for panel, ax in enumerate(display.axes_):
        name = ax.get_xlabel()
        _, *lines = ax.lines
        for curve, line in enumerate(lines):
            assert_array_equal(line.get_xdata(), display.values[panel])
            assert_array_equal(line.get_ydata(), display.contributions[panel][:, curve])
        (rug,) = ax.collections
        starts = [path.vertices[0, 0] for path in rug.get_paths()]
        assert_allclose(starts, frame[name].quantile(np.arange(1, 10) / 10))
        assert not ax.get_window_extent().overlaps(box)
    names = [ax.xaxis.label.get_window_extent() for ax in display.axes_]
    assert not any(one.overlaps(other) for one, other in pairwise(names))


def test_two_classes_have_one_curve():
    X, y = DATA["two classes"]
    model = SoftmaxClassifier(encoding="piecewise").fit(X, np.array(["bad", "good"])[y])
    display = ContributionsDisplay.from_estimator(
        model, feature_names=[f"f{j}" for j in range(30)]
    )
    assert display.curve_names == ["good minus bad"]
    assert all(curves.shape[1] == 1 for curves in display.contributions)
    assert all(name.startswith("f") for name in display.feature_names)
    assert len(display.axes_) == 9


def test_each_of_many_curves_has_its_own_color():
    display = ContributionsDisplay(
        values=[np.array([0.0, 1.0])],
        contributions=[np.arange(26.0).reshape(2, 13)],
        feature_names=["x0"],
        curve_names=list(map(str, range(13))),
    ).plot()
    colors = {mpl.colors.to_hex(line.get_color()) for line in display.axes_[0].lines[1:]}
    assert len(colors) == 13
    pyplot.close(display.figure_)


def test_pipelines_transform_the_data_and_searches_show_the_best_estimator():
    X, y = DATA["three classes"]
    pipeline = make_pipeline(MinMaxScaler(), SoftmaxClassifier())
    search = GridSearchCV(pipeline, {"softmaxclassifier__reg": [0.1, 0.01]}, cv=2).fit(X, y)
    display = ContributionsDisplay.from_estimator(search, X, n_features=13)
    assert_allclose([(values[0], values[-1]) for values in display.values], [(0, 1)] * 13)
    scores = search.decision_function(X)
    total = add_up(display, search.best_estimator_[0].transform(X))
    assert_allclose(total, scores - scores.mean(axis=0), atol=1e-8)


def test_invalid_arguments_raise_errors():
    X, y = DATA["three classes"]
    draw = ContributionsDisplay.from_estimator
    net = TwoLayerNetClassifier(3, max_iter=2).fit(X, y)
    with pytest.raises(ValueError, match="estimator must be a linear classifier, .* got a fitted"):
        draw(net, X)
    model = SoftmaxClassifier()
    with pytest.raises(NotFittedError):
        draw(model)
    model.fit(X, y)
    with pytest.raises(ValueError, match="X must be given for this SoftmaxClassifier"):
        draw(model)
    with pytest.raises(ValueError, match="n_features must be at least 1, got 0"):
        draw(model, X, n_features=0)
    with pytest.raises(ValueError, match="feature_names must have 13 names, .* got 1"):
        draw(model, X, feature_names=["one"])
    with pytest.raises(ValueError, match="X has 2 features"):
        draw(model, X[:, :2])
    with pytest.raises(ValueError, match="ax must be on a grid"):
        draw(model, X, ax=pyplot.figure().add_axes([0, 0, 1, 1]))
