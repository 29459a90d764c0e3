"""What callbacks are told of a fused search."""

import warnings

import numpy as np
import pytest
from helpers import Recorder, ends_early, make_model, needs_callbacks, wine
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV

X, codes = wine()
y = load_wine().target_names[codes]


class Listener:
    """Notes what the hooks are told, with the path of each task in the tree."""

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.events.append(("setup", type(estimator).__name__.replace("Fused", "")))

    def teardown(self, estimator, context):
        self.events.append(("teardown", type(estimator).__name__.replace("Fused", "")))

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self._note("begin", estimator, context, X, y, metadata)

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None):
        self._note("end", estimator, context, X, y, metadata)

    def _note(self, hook, estimator, context, X, y, metadata):
        path = []
        while context is not None:
            path.append((context.task_name, context.task_id, context.max_subtasks))
            context = context.parent
        rows = [None if value is None else np.asarray(value).tobytes() for value in (X, y)]
        weights = {name: value.tobytes() for name, value in (metadata or {}).items()}
        name = type(estimator).__name__.replace("Fused", "")
        self.events.append((hook, name, tuple(path), *rows, tuple(weights.items())))


def events_of_both(estimator, grid, *, on_search=True, fit_params=None, **args):
    """Return what a callback is told under both searches, on the search or on what it fits."""
    events = []
    for search_class in (FusedGridSearchCV, GridSearchCV):
        listener = Listener()
        search = search_class(clone(estimator), grid, **({"cv": 2} | args))
        watched = search if on_search else search.estimator
        # a pipeline's last step
        watched = watched if on_search or not hasattr(watched, "steps") else watched[-1]
        watched.set_callbacks(listener)
        search.fit(X, y, **(fit_params or {}))
        events.append(listener.events)
    return events


@needs_callbacks
@ends_early
class TestTaskTreeOfSearches:
    net = make_model(TwoLayerNetClassifier, "adam", max_iter=2)
    weights = np.linspace(1, 2, len(y))

    @pytest.mark.parametrize("on_search", [True, False])
    @pytest.mark.parametrize(
        ("args", "fit_params"),
        [({"refit": False}, {}), ({"return_train_score": True}, {"sample_weight": weights})],
    )
    @pytest.mark.parametrize("prefix", ["", "twolayernetclassifier__"])
    def test_is_that_of_grid_search(self, prefix, args, fit_params, on_search):
        estimator = make_pipeline(StandardScaler(), self.net) if prefix else self.net
        grid = {"reg": [1e-3, 1e-2], "random_state": [0, None]}
        grid = {f"{prefix}{name}": values for name, values in grid.items()}
        fit_params = {f"{prefix}{name}": value for name, value in fit_params.items()}
        ours, theirs = events_of_both(
            estimator, grid, on_search=on_search, fit_params=fit_params, **args
        )
        assert ours == theirs
        if on_search:
            assert len(ours) == 2 * (1 + 1 + 1 + 4 * 2) + 2 * (args.get("refit") is not False)
        else:
            assert [name for name, *_ in ours[1][2][:-3:-1]] == ["fit", "search"]

    @pytest.mark.parametrize("fails_in", ["fit", "score", "hook"])
    @pytest.mark.parametrize("error_score", [0.0, "raise"])
    def test_what_has_begun_ends(self, fails_in, error_score):
        class Failing(Listener):
            def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
                super().on_fit_task_begin(estimator, context, X=X, y=y, metadata=metadata)
                if fails_in == "hook" and context.task_name == "candidate-split-evaluation":
                    raise ZeroDivisionError

        def score(model, X, y):
            return 1 / 0 if fails_in == "score" else model.score(X, y)

        grid = {"reg": [1e-3, -1.0] if fails_in == "fit" else [1e-3, 1e-2]}
        events, errors = [], []
        for search_class in (FusedGridSearchCV, GridSearchCV):
            listener = Failing()
            search = search_class(self.net, grid, cv=2, scoring=score, error_score=error_score)
            search.set_callbacks(listener)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    search.fit(X, y)
                except Exception as error:
                    errors.append(type(error))
            events.append(listener.events)
        assert len(errors) == 2 * (error_score == "raise" or fails_in == "hook")
        assert len(set(errors)) <= 1
        assert events[0] == events[1]


@needs_callbacks
@ends_early
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
