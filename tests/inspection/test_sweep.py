"""SweepDisplay."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import ends_early, wine
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import SoftmaxClassifierCV, TwoLayerNetClassifier
from sklearn_toynn.inspection import SweepDisplay

pytestmark = ends_early
X, y = wine()
NET = TwoLayerNetClassifier(max_iter=20, random_state=0)
GRID = [{"size": size, "net__reg": reg} for size in (8, 1) for reg in (0.1, 0.001, 10)]


def make_search(candidates=GRID, means=(3, 2.5, 1.8, 2, np.nan, 0), n_splits=5, **attributes):
    """Return an object with the results of a search; the standard error is 0.5 for 5 splits."""
    means, results = np.array(means, float), {"params": candidates}
    for name in {name: None for setting in candidates for name in setting}:
        values = np.empty(len(candidates), object)
        values[:] = [setting.get(name) for setting in candidates]
        is_missing = [name not in setting for setting in candidates]
        results[f"param_{name}"] = np.ma.MaskedArray(values, is_missing)
    results |= {f"split{k}_test_score": means for k in range(n_splits)}
    results |= {"mean_test_score": means, "std_test_score": means - means + 1}
    return SimpleNamespace(cv_results_=results, scoring=None, **attributes)


def frames(display):
    """Return the line widths of the framed cells (row, column)."""
    boxes = {t.get_position()[::-1]: t.get_bbox_patch() for t in display.ax_.texts}
    return {place: box.get_linewidth() for place, box in boxes.items() if box is not None}


def star(display):
    (line,) = (line for line in display.ax_.lines if line.get_marker() == "*")
    return line.get_label(), *line.get_xydata()[0]


def tick_labels(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def test_two_parameters_are_drawn_as_a_map():
    display = SweepDisplay.from_search(make_search(best_index_=3), baseline=0.9)
    assert display.names == ["size", "reg"]
    assert display.values == [[1, 8], [0.001, 0.1, 10]]
    assert_array_equal(display.scores, [[np.nan, 2, 0], [2.5, 3, 1.8]])
    assert_array_equal(display.errors, [[np.nan, 0.5, 0.5], [0.5, 0.5, 0.5]])
    assert (display.best, display.chosen) == ((1, 1), (0, 1))
    framed = frames(display)
    assert framed.keys() == {(1, 0), (1, 1), (0, 1)}
    assert max(framed, key=framed.get) == (0, 1)
    assert display.ax_.get_title().startswith("Thick frame: chosen.")
    assert tick_labels(display.ax_.xaxis) == ["0.001", "0.1", "10"]
    assert tick_labels(display.ax_.yaxis) == ["1", "8"]
    texts = {text.get_position(): text.get_text() for text in display.ax_.texts}
    assert texts == {(1, 0): "2", (2, 0): "0", (0, 1): "2.5", (1, 1): "3", (2, 1): "1.8"}
    bar = display.figure_.axes[1]
    assert_array_equal(bar.lines[-1].get_ydata(), [0.9, 0.9])


def test_one_parameter_is_drawn_as_a_curve_with_its_standard_error():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    grid = {"logisticregression__C": [1e-4, 1e-2, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=3, return_train_score=True).fit(X, y)
    display = SweepDisplay.from_search(search, baseline=0.95)
    results = search.cv_results_
    ax = display.ax_
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "C")
    test, train = ax.lines[:2]
    assert_array_equal(test.get_xdata(), grid["logisticregression__C"])
    assert_array_equal(test.get_ydata(), results["mean_test_score"])
    assert_array_equal(train.get_ydata(), results["mean_train_score"])
    errors = results["std_test_score"] / np.sqrt(2)
    band = ax.collections[0].get_datalim(ax.transData)
    assert_allclose(band.y1, (results["mean_test_score"] + errors).max())
    assert_allclose(band.y0, (results["mean_test_score"] - errors).min())
    best = search.best_index_
    assert_allclose(ax.lines[2].get_ydata()[0], search.best_score_ - errors[best])
    assert star(display) == ("chosen", search.best_params_["logisticregression__C"], max(test._y))
    assert_array_equal(ax.lines[-1].get_ydata(), [0.95, 0.95])


@pytest.mark.parametrize(
    ("values", "scale"),
    [([1, 10, 100], "log"), ([1, 2, 3, 4], "linear"), ([0.0, 1.0, 10.0], "linear")],
)
def test_the_scale_of_the_axis_follows_the_values(values, scale):
    search = make_search([{"a": value} for value in values], range(len(values)))
    assert SweepDisplay.from_search(search).ax_.get_xscale() == scale


@pytest.mark.parametrize("values", [["relu", "tanh"], [(4,), (4, 3)], [True, "auto"]])
def test_values_that_are_not_numbers_become_tick_labels(values):
    display = SweepDisplay.from_search(make_search([{"a": value} for value in values], [1, 2]))
    assert display.values == [values]
    assert tick_labels(display.ax_.xaxis) == list(map(str, values))


def test_the_best_of_several_candidates_with_the_same_values_is_shown():
    search = make_search(n_splits=1, best_index_=4)
    display = SweepDisplay.from_search(search, params=["reg"])
    assert_array_equal(display.scores, [2.5, 3, 1.8])
    assert_array_equal(display.errors, [1, 1, 1])  # a single split has no standard error
    assert star(display) == ("chosen", 0.001, 2.5)


@pytest.mark.parametrize("attributes", [{}, {"best_index_": 2}])
def test_the_best_is_marked_if_no_candidate_shown_was_chosen(attributes):
    search = make_search([{"reg": 1}, {"reg": 2}, {"size": 3}], [1, 2, 9], **attributes)
    display = SweepDisplay.from_search(search, params=["reg"])
    assert display.chosen is None
    assert star(display) == ("best", 2, 2)


def test_a_metric_is_selected_by_name():
    grid = {"activation": ["tanh", "relu"], "reg": ["auto", 0.1]}
    search = GridSearchCV(NET, grid, cv=2, scoring=["accuracy", "neg_log_loss"], refit=False)
    display = SweepDisplay.from_search(search.fit(X, y), metric="neg_log_loss")
    scores = search.cv_results_["mean_test_neg_log_loss"].reshape(2, 2)
    assert_array_equal(display.scores, scores)
    assert display.scoring == "neg_log_loss"
    with pytest.raises(ValueError, match=r"metric must be one of \['accuracy', 'neg_log_loss'\]"):
        SweepDisplay.from_search(search)


@pytest.mark.filterwarnings("ignore:The objective of the fitted model")
@pytest.mark.parametrize("refit", [True, False])
def test_a_cross_validated_estimator_is_shown(refit):
    search = SoftmaxClassifierCV(4, cv=3, refit=refit)
    display = SweepDisplay.from_search(make_pipeline(StandardScaler(), search).fit(X, y))
    assert display.scoring == "neg_log_loss"
    chosen = [values[i] for values, i in zip(display.values, display.chosen, strict=True)]
    assert dict(zip(display.names, chosen, strict=True)) == search.best_params_
    results = search.cv_results_
    assert display.scores[display.chosen] == np.nanmax(results["mean_test_score"])
    # candidates dropped by racing have no score
    assert np.isnan(display.scores).sum() == (results["n_splits_run"] == 1).sum() == 4


@pytest.mark.parametrize("baseline", [-5, 15])
def test_the_colors_include_the_baseline(baseline):
    low, high = (
        SweepDisplay.from_search(make_search(), baseline=baseline).figure_.axes[1].get_ylim()
    )
    assert low <= baseline <= high


TWO_GRIDS = [{"reg": 1}, {"reg": 2}, {"size": 3}, {"size": 4}]
THREE = [{"a": i, "b": i, "c": i} for i in range(2)]


@pytest.mark.parametrize(
    ("search", "params", "message"),
    [
        (NET, None, "search must be a search .* got TwoLayerNetClassifier"),
        (make_search(means=[np.nan] * 6), ["reg"], "search must have a finite mean_test_score"),
        (make_search(TWO_GRIDS, range(4)), None, "values of both 'reg' and 'size'.*Set params to"),
        (make_search(THREE, [1, 2]), None, r"params must name one or two .*\['a', 'b', 'c'\]"),
        (make_search(THREE, [1, 2]), ["a", "d"], "params must name one or two"),
        (make_search(THREE, [1, 2]), ["d"], "params must name one or two"),
    ],
)
def test_invalid_arguments_raise_errors(search, params, message):
    if search is NET:
        search = make_pipeline(StandardScaler(), NET).fit(X, y)
    with pytest.raises(ValueError, match=message):
        SweepDisplay.from_search(search, params=params)


@pytest.mark.parametrize("search", [GridSearchCV(NET, {}), SoftmaxClassifierCV()])
def test_an_unfitted_search_raises_an_error(search):
    with pytest.raises(NotFittedError):
        SweepDisplay.from_search(make_pipeline(StandardScaler(), search))
