"""Callbacks during a fused search."""

import pytest
from helpers import Recorder, ends_early, make_model, needs_callbacks, wine
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV

pytestmark = [needs_callbacks, ends_early]
X, y = wine()
NET = make_model(TwoLayerNetClassifier, "adam", max_iter=2)


class Listener:
    """Records each call of a hook with the path of the task in the tree."""

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.note("setup", estimator, None)

    def teardown(self, estimator, context):
        self.note("teardown", estimator, None)

    def on_fit_task_begin(self, estimator, context):
        self.note("begin", estimator, context)

    def on_fit_task_end(self, estimator, context):
        self.note("end", estimator, context)

    def note(self, hook, estimator, context):
        path = []
        while context is not None:
            path.append((context.task_name, context.task_id, context.max_subtasks))
            context = context.parent
        self.events.append((hook, type(estimator).__name__.replace("Fused", ""), path))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.parametrize("watched", ["search", "net", "candidate"])
def test_the_tasks_equal_the_tasks_of_grid_search(watched):
    events = []
    for search_class in (FusedGridSearchCV, GridSearchCV):
        net = clone(NET)
        pipeline = make_pipeline(StandardScaler(), clone(NET) if watched == "candidate" else net)
        grid = {"twolayernetclassifier__reg": [1e-3, -1.0]}
        if watched == "candidate":
            grid["twolayernetclassifier"] = [net]
        search = search_class(pipeline, grid, cv=2, error_score=0.0)
        listener = Listener()
        (search if watched == "search" else net).set_callbacks(listener)
        search.fit(X, y)
        events.append(listener.events)
    assert events[0] == events[1] != []


def test_each_candidate_shows_its_epochs():
    class Propagated(Recorder):
        max_propagation_depth = None

    recorder = Propagated()
    net = make_model(TwoLayerNetClassifier, "adam")
    search = FusedGridSearchCV(net, {"reg": [1e-3, 1e-2]}, cv=2).set_callbacks(recorder)
    search.fit(X, y)
    epochs = [("end", "epoch", k) for k in range(8)]
    # two candidates on two folds, and the refit
    assert [call for call in recorder.calls if call[:2] == ("end", "epoch")] == 5 * epochs
    assert len(recorder.models) == 5 * 8
    assert not hasattr(search.best_estimator_, "_parent_callback_ctx")
