"""The scores of a search, drawn."""

import numpy as np
import pytest
from helpers import ends_early, wine
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifierCV, TwoLayerNetClassifier
from sklearn_toynn.inspection import SweepDisplay
from sklearn_toynn.model_selection import FusedGridSearchCV

pytestmark = [ends_early, pytest.mark.usefixtures("closed_figures")]
X, y = wine()
NET = TwoLayerNetClassifier(max_iter=20, random_state=0)
GRID = {"hidden_size": [8, 1], "reg": [1e-1, 1e-3, 1e1]}
GRID_REGS = [1e-3, 1e-1, 1e1]


def frames(display):
    """Return the line widths of the framed cells (row, column)."""
    boxes = {t.get_position()[::-1]: t.get_bbox_patch() for t in display.ax_.texts}
    return {place: box.get_linewidth() for place, box in boxes.items() if box is not None}


@pytest.mark.filterwarnings("ignore:The fitted model is worse")
def test_two_parameters_are_a_map():
    search = FusedGridSearchCV(NET, GRID, cv=4).fit(X, y)
    display = SweepDisplay.from_search(search, baseline=0.9)
    assert display.names == ["hidden_size", "reg"]
    assert display.values == [[1, 8], GRID_REGS]
    results = search.cv_results_
    for setting, mean, std in zip(
        results["params"], results["mean_test_score"], results["std_test_score"], strict=True
    ):
        place = (
            display.values[0].index(setting["hidden_size"]),
            display.values[1].index(setting["reg"]),
        )
        assert display.scores[place] == mean
        assert display.errors[place] == pytest.approx(std / np.sqrt(3))
    assert display.scores[display.best] == search.best_score_
    least = search.best_score_ - display.errors[display.best]
    framed = frames(display)
    assert framed.keys() == set(zip(*np.nonzero(display.scores >= least), strict=True))
    chosen = search.best_params_
    assert display.chosen == ([1, 8].index(chosen["hidden_size"]), GRID_REGS.index(chosen["reg"]))
    assert max(framed, key=framed.get) == display.chosen
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["0.001", "0.1", "10"]
    assert {text.get_text() for text in display.ax_.texts} == {
        f"{score:.3g}" for score in display.scores.ravel()
    }
    bar = display.figure_.axes[1]
    assert_array_equal(bar.lines[-1].get_ydata(), [0.9, 0.9])


def test_one_parameter_is_a_curve_with_its_spread():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    grid = {"logisticregression__C": [1e-4, 1e-2, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=3, return_train_score=True).fit(X, y)
    display = SweepDisplay.from_search(search, baseline=0.95)
    ax = display.ax_
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "C"
    test, train = ax.lines[:2]
    assert_array_equal(test.get_xdata(), grid["logisticregression__C"])
    assert_array_equal(test.get_ydata(), search.cv_results_["mean_test_score"])
    assert_array_equal(train.get_ydata(), search.cv_results_["mean_train_score"])
    spread = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert_allclose(spread.max(), (display.scores + display.errors).max())
    assert_array_equal(ax.lines[-1].get_ydata(), [0.95, 0.95])


@pytest.mark.parametrize(
    ("values", "scale"),
    [([1, 10, 100], "log"), ([1, 2, 3, 4], "linear"), ([0.0, 1.0, 10.0], "linear")],
)
def test_the_axis_is_as_the_values_are_spaced(values, scale):
    n = len(values)
    display = SweepDisplay(
        names=["a"], values=[values], scores=np.ones(n), errors=np.zeros(n), best=(0,)
    )
    assert display.plot().ax_.get_xscale() == scale


def test_values_that_are_no_numbers_are_ticks():
    search = GridSearchCV(NET, {"activation": ["relu", "tanh"]}, cv=2).fit(X, y)
    display = SweepDisplay.from_search(search)
    labels = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert labels == ["relu", "tanh"]


def test_several_grids_and_metrics():
    grids = [{"activation": ["relu"]}, {"reg": ["auto", 0.1], "activation": ["tanh", "relu"]}]
    search = GridSearchCV(NET, grids, cv=2, scoring=["accuracy", "neg_log_loss"], refit=False)
    search.fit(X, y)
    display = SweepDisplay.from_search(search, metric="neg_log_loss")
    assert display.names == ["activation", "reg"]
    assert np.isfinite(display.scores).all()
    # of the candidates at a place the best
    one = SweepDisplay.from_search(search, metric="neg_log_loss", params=["activation"])
    of_tanh = [
        mean
        for setting, mean in zip(
            search.cv_results_["params"],
            search.cv_results_["mean_test_neg_log_loss"],
            strict=True,
        )
        if setting["activation"] == "tanh"
    ]
    assert one.scores[one.values[0].index("tanh")] == max(of_tanh)
    with pytest.raises(ValueError, match=r"metric must be one of \['accuracy', 'neg_log_loss'\]"):
        SweepDisplay.from_search(search)


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("wrap", [lambda m: m, lambda m: make_pipeline(StandardScaler(), m)])
def test_an_estimator_that_chooses(wrap, refit):
    model = SoftmaxClassifierCV(4, cv=3, refit=refit)
    wrapped = wrap(model)
    with pytest.raises(NotFittedError):
        SweepDisplay.from_search(wrapped)
    display = SweepDisplay.from_search(wrapped.fit(X, y))
    assert display.scoring == "neg_log_loss"
    assert_allclose(display.values[0], model.regs_)
    assert display.values[0][display.chosen[0]] == model.best_params_["reg"]


def by_hand(index):
    """Return a `refit` that chooses a candidate."""
    return lambda results: index


@pytest.mark.parametrize("index", [0, 3, 5])
def test_what_refit_chose_is_marked(index):
    search = GridSearchCV(NET, GRID, cv=2, refit=by_hand(index)).fit(X, y)
    display = SweepDisplay.from_search(search)
    setting = search.cv_results_["params"][index]
    chosen = ([1, 8].index(setting["hidden_size"]), GRID_REGS.index(setting["reg"]))
    framed = frames(display)
    assert [place for place, width in framed.items() if width == max(framed.values())] == [chosen]
    assert display.ax_.get_title().startswith("Thick frame: chosen.")
    # the standard error is still that of the best
    least = display.scores.max() - display.errors[display.best]
    assert framed.keys() == {*zip(*np.nonzero(display.scores >= least), strict=True), chosen}
    # on a curve
    display = SweepDisplay.from_search(search, params=["reg"])
    (star,) = (line for line in display.ax_.lines if line.get_marker() == "*")
    assert star.get_label() == "chosen"
    assert star.get_xdata() == [setting["reg"]]


def test_where_nothing_shown_was_chosen_the_best_is_marked():
    grids = [{"reg": [1e-3, 1e-1]}, {"activation": ["tanh"]}]
    search = GridSearchCV(NET, grids, cv=2, refit=by_hand(2)).fit(X, y)
    several = GridSearchCV(NET, grids, cv=2, scoring=["accuracy", "f1_macro"], refit=False)
    for display in (
        SweepDisplay.from_search(search, params=["reg"]),
        SweepDisplay.from_search(several.fit(X, y), params=["reg"], metric="accuracy"),
    ):
        assert display.chosen is None
        (star,) = (line for line in display.ax_.lines if line.get_marker() == "*")
        assert star.get_label() == "best"
        assert star.get_ydata() == [display.scores.max()]


def test_grids_without_a_common_parameter():
    grids = [{"reg": [1e-3, 1e-1]}, {"activation": ["relu", "tanh"]}]
    search = GridSearchCV(NET, grids, cv=2).fit(X, y)
    with pytest.raises(ValueError, match=r"values of both 'reg' and 'activation'.*Set params to"):
        SweepDisplay.from_search(search)
    assert SweepDisplay.from_search(search, params=["activation"]).values == [["relu", "tanh"]]


def test_an_estimator_that_does_not_search():
    with pytest.raises(ValueError, match="search must be a search .* got TwoLayerNetClassifier"):
        SweepDisplay.from_search(make_pipeline(StandardScaler(), NET).fit(X, y))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_candidates_that_failed_leave_the_others():
    # two candidates at each place; -1 is refused
    grid = {"reg": [1e-3, 1e-2], "momentum": [0.9, -1.0]}
    search = GridSearchCV(NET, grid, cv=2).fit(X, y)
    display = SweepDisplay.from_search(search, params=["reg"])
    assert np.isfinite(display.scores).all()
    search.cv_results_["mean_test_score"][:] = np.nan
    with pytest.raises(ValueError, match="search must have a finite mean_test_score"):
        SweepDisplay.from_search(search, params=["reg"])


def test_before_a_fit():
    with pytest.raises(NotFittedError):
        SweepDisplay.from_search(GridSearchCV(NET, GRID))


def test_one_fold_has_no_error():
    fold = ShuffleSplit(1, random_state=0)
    search = GridSearchCV(NET, {"reg": [1e-3, 1e-2]}, cv=fold).fit(X, y)
    assert not SweepDisplay.from_search(search).errors.any()


def test_tuples_are_values():
    net = MultiLayerNetClassifier(max_iter=5, random_state=0)
    search = GridSearchCV(net, {"hidden_layer_sizes": [(4,), (4, 3)]}, cv=2).fit(X, y)
    assert SweepDisplay.from_search(search).values == [[(4,), (4, 3)]]


@pytest.mark.parametrize("baseline", [0.05, 1.5])
def test_a_baseline_beyond_all_scores_is_seen(baseline):
    search = GridSearchCV(NET, {"hidden_size": [4, 8], "reg": [1e-3, 1e-2]}, cv=2).fit(X, y)
    low, high = SweepDisplay.from_search(search, baseline=baseline).figure_.axes[1].get_ylim()
    assert low <= baseline <= high


@pytest.mark.parametrize("params", [None, ["hidden_size", "momentum"], ["size"]])
def test_other_numbers_of_parameters_are_refused(params):
    grid = {"hidden_size": [1, 2], "reg": [0.1, 0.2], "activation": ["relu", "tanh"]}
    search = GridSearchCV(NET, grid, cv=2).fit(X[::4], y[::4])
    with pytest.raises(ValueError, match=r"params must name one or two .*'hidden_size', 'reg'"):
        SweepDisplay.from_search(search, params=params)
