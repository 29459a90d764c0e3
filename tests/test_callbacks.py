"""scikit-learn's callbacks: progress, scores per iteration, and a stop that is asked for."""

import pickle
import warnings
import weakref
from collections import Counter

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._training import stacks
from sklearn_toynn.model_selection import FusedGridSearchCV, FusedRandomizedSearchCV

HAS_CALLBACKS = parse_version(sklearn.__version__) >= parse_version("1.9")
if HAS_CALLBACKS:
    from sklearn.callback import ProgressBar, ScoringMonitor

needs_callbacks = pytest.mark.skipif(
    not HAS_CALLBACKS, reason=f"callbacks need scikit-learn 1.9, this is {sklearn.__version__}"
)
# for fits whose end at `max_iter` is beside the point
ends_early = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def solvers_of(model_class):
    (options,) = model_class._parameter_constraints["solver"]
    return sorted(options.options)


CASES = [
    (model_class, solver)
    for model_class in (SoftmaxClassifier, TwoLayerNetClassifier)
    for solver in solvers_of(model_class)
]
every_case = pytest.mark.parametrize(("model_class", "solver"), CASES)

wine, wine_labels = load_wine(return_X_y=True)
X, y = StandardScaler().fit_transform(wine), load_wine().target_names[wine_labels]


def make_model(model_class, solver, **params):
    params = {"max_iter": 8, "random_state": 0, **params}
    if model_class is TwoLayerNetClassifier:
        params.setdefault("hidden_size", 5)
    return model_class(solver=solver, **params)


def fitted_attributes(model):
    # why it ended is not the same where a callback asked for it
    return {
        name: value
        for name, value in vars(model).items()
        if name.endswith("_") and name != "stop_reason_"
    }


def assert_same_model(one, other):
    attributes, others = fitted_attributes(one), fitted_attributes(other)
    assert attributes.keys() == others.keys()
    for name, value in attributes.items():
        if name in {"coefs_", "intercepts_"}:
            for layer, other_layer in zip(value, others[name], strict=True):
                assert_array_equal(layer, other_layer)
        else:
            assert_array_equal(value, others[name])
    assert_array_equal(one.predict_proba(X), other.predict_proba(X))


class Recorder:
    """Notes every call of a hook, and may ask to stop, or fail, at the end of an iteration."""

    def __init__(self, *, stop_at=None, fail_at=None):
        self.stop_at, self.fail_at = stop_at, fail_at
        self.calls, self.models = [], []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.calls.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.calls.append(("end", context.task_name, context.task_id))
        if context.task_name not in {"epoch", "iteration"}:
            self.last = X, y, metadata, fitted_estimator
            return False
        if fitted_estimator is not None:
            self.models.append(fitted_estimator)
        if context.task_id == self.fail_at:
            raise ZeroDivisionError
        return context.task_id == self.stop_at


class Propagated(Recorder):
    max_propagation_depth = None


def test_estimators_work_on_every_version():
    for model_class in (SoftmaxClassifier, TwoLayerNetClassifier):
        assert hasattr(model_class, "set_callbacks") == HAS_CALLBACKS
        model = make_model(model_class, "adam").fit(X, y)
        assert pickle.loads(pickle.dumps(model)).score(X, y) == model.score(X, y)


@needs_callbacks
class TestIterations:
    @every_case
    @ends_early
    def test_every_iteration_begins_and_ends_once(self, model_class, solver):
        recorder = Recorder()
        model = make_model(model_class, solver).set_callbacks(recorder).fit(X, y)
        name = "epoch" if solver in {"adam", "sgd"} else "iteration"
        assert recorder.calls[:2] == ["setup", ("begin", "fit", 0)]
        assert recorder.calls[-2:] == [("end", "fit", 0), "teardown"]
        inner = recorder.calls[2:-2]
        n = len(inner) // 2
        assert inner == [(hook, name, k) for k in range(n) for hook in ("begin", "end")]
        # L-BFGS may end by itself, within an iteration that then gives no model
        assert n - model.n_iter_ in ((0, 1) if "gfs" in solver or solver == "auto" else (0,))
        assert len(recorder.models) == model.n_iter_

    @every_case
    @ends_early
    def test_results_are_those_without_callbacks(self, model_class, solver):
        model = make_model(model_class, solver)
        plain = clone(model).fit(X, y)
        assert_same_model(model.set_callbacks(Recorder()).fit(X, y), plain)
        assert "_callback_fit_ctx" not in vars(model)

    def test_hooks_get_the_arguments_of_fit(self):
        recorder, weights = Recorder(), np.linspace(1, 2, len(y))
        model = make_model(SoftmaxClassifier, "adam").set_callbacks(recorder)
        rows = sparse.coo_array(X)
        model.fit(rows, y, weights)
        X_seen, y_seen, metadata, fitted = recorder.last
        assert X_seen is rows
        assert y_seen is y
        assert metadata["sample_weight"] is weights
        assert_same_model(fitted, model)
        model.fit(X, y)
        assert recorder.last[2] is None

    def test_partial_fit_calls_none(self):
        recorder = Recorder()
        model = make_model(SoftmaxClassifier, "adam").set_callbacks(recorder)
        model.partial_fit(X, y, classes=np.unique(y))
        assert recorder.calls == []


@needs_callbacks
class TestFittedEstimator:
    @every_case
    @ends_early
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_it_is_the_fit_that_ends_there(self, model_class, solver, dtype):
        """Under a schedule that knows nothing of `max_iter`."""
        rows = wine.astype(dtype)  # on raw columns, which are scaled within
        recorder = Recorder()
        params = {"schedule": "constant", "max_iter": 6}
        model = make_model(model_class, solver, **params).set_callbacks(recorder).fit(rows, y)
        assert_same_model(recorder.models[-1], model)
        for k, seen in enumerate(recorder.models, start=1):
            assert_same_model(
                seen, make_model(model_class, solver, **params | {"max_iter": k}).fit(rows, y)
            )

    @pytest.mark.parametrize("solver", ["adam", "lbfgs"])
    @ends_early
    def test_with_a_validation_set_it_has_the_best_weights_so_far(self, solver):
        recorder = Recorder()
        model = make_model(
            TwoLayerNetClassifier, solver, max_iter=30, tol=0, init=1.0, reg=0
        ).set_callbacks(recorder)
        model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
        curve = np.array(model.validation_loss_curve_)
        for k, seen in enumerate(recorder.models):
            assert seen.best_iter_ == curve[: k + 1].argmin()
            assert seen.validation_loss_curve_ == curve[: k + 1].tolist()
        assert_same_model(recorder.models[-1], model)

    @ends_early
    @pytest.mark.parametrize(("solver", "n_shown"), [("adam", {3}), ("lbfgs", {1, 2, 3})])
    def test_it_has_all_nets_that_have_begun(self, solver, n_shown):
        recorder = Recorder()
        model = make_model(TwoLayerNetClassifier, solver, n_nets=3).set_callbacks(recorder)
        model.fit(X, y)
        assert {len(shown.coefs_[0]) for shown in recorder.models} == n_shown
        assert_same_model(recorder.models[-1], model)

    @ends_early
    @pytest.mark.parametrize("solver", ["adam", "sgd"])
    def test_nets_that_go_on_from_different_steps_come_in_their_order(self, solver):
        recorder = Recorder()
        params = {"schedule": "constant", "max_iter": 100, "tol": 1e-2, "n_iter_no_change": 3}
        model = make_model(
            TwoLayerNetClassifier, solver, n_nets=3, warm_start=True, batch_size=50, **params
        )
        model.fit(X, y)
        assert len({start.solver.n_steps for start in model._memory}) > 1
        plain = pickle.loads(pickle.dumps(model)).fit(X, y)
        model.set_callbacks(recorder).fit(X, y)
        assert_same_model(model, plain)
        assert_same_model(recorder.models[-1], model)

    @ends_early
    @pytest.mark.parametrize("n_nets", [1, 3])
    def test_the_buffers_of_a_training_go_when_it_is_done(self, n_nets, monkeypatch):
        alive, references, make_run = [], [], stacks.TrainingRun.from_nets

        def spy(*args, **kwargs):
            alive.append(sum(reference() is not None for reference in references))
            training = make_run(*args, **kwargs)
            references.append(weakref.ref(training))
            return training

        class Last(Recorder):
            def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
                self.alive = sum(reference() is not None for reference in references)

        monkeypatch.setattr(stacks.TrainingRun, "from_nets", spy)
        model = make_model(TwoLayerNetClassifier, "lbfgs", n_nets=n_nets)
        model.set_callbacks(Recorder(), last := Last()).fit(X, y)
        assert alive == [0] * n_nets
        assert last.alive == 0

    def test_it_keeps_nothing_of_an_earlier_fit(self):
        recorder = Recorder()
        model = make_model(SoftmaxClassifier, "adam", early_stopping=True).fit(X, y)
        model.set_params(early_stopping=False).set_callbacks(recorder).fit(X, y)
        assert not hasattr(recorder.models[0], "best_iter_")

    def test_it_is_a_copy(self):
        recorder = Recorder()
        plain = make_model(TwoLayerNetClassifier, "adam").fit(X, y)
        model = clone(plain).set_callbacks(recorder).fit(X, y)
        for seen in [*recorder.models, recorder.last[3]]:
            assert seen is not model
        for seen in recorder.models:
            for layer in [*seen.coefs_, *seen.intercepts_]:
                layer[...] = np.nan
            seen.loss_curve_.clear()
        assert_same_model(model, plain)

    def test_a_change_of_it_during_training_changes_nothing(self):
        class Vandal(Recorder):
            def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
                if context.parent is not None:
                    for layer in fitted_estimator.coefs_:
                        layer[...] = np.nan
                    fitted_estimator.loss_curve_.clear()

        plain = make_model(TwoLayerNetClassifier, "adam").fit(X, y)
        assert_same_model(clone(plain).set_callbacks(Vandal()).fit(X, y), plain)

    @ends_early
    def test_it_goes_on_under_warm_start_as_the_model_would(self):
        recorder = Recorder()
        params = {"schedule": "constant", "warm_start": True}
        model = make_model(TwoLayerNetClassifier, "adam", **params)
        model.set_callbacks(recorder).fit(X, y)
        seen = recorder.models[3].set_callbacks()
        half = make_model(TwoLayerNetClassifier, "adam", **params | {"max_iter": 4}).fit(X, y)
        half.fit(X, y)
        seen.set_params(max_iter=4).fit(X, y)
        for layer, other in zip(seen.coefs_, half.coefs_, strict=True):
            assert_array_equal(layer, other)
        for layer, other in zip(seen.coefs_, model.coefs_, strict=True):
            assert_array_equal(layer, other)


@needs_callbacks
class TestStopping:
    @every_case
    def test_a_callback_that_asks_to_stop_stops(self, model_class, solver):
        recorder = Recorder(stop_at=2)
        model = make_model(model_class, solver, max_iter=100, schedule="constant")
        model.set_callbacks(recorder).fit(X, y)
        assert model.n_iter_ == len(model.loss_curve_) == 3
        assert recorder.calls[-2:] == [("end", "fit", 0), "teardown"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            shorter = clone(model).set_callbacks().set_params(max_iter=3).fit(X, y)
        assert_same_model(model, shorter)

    @pytest.mark.parametrize(("solver", "n_left"), [("adam", 3), ("lbfgs", 1)])
    @ends_early
    def test_several_nets_stop_together(self, solver, n_left, monkeypatch):
        monkeypatch.setattr(stacks, "CACHE_BYTES", 1)
        recorder = Recorder(stop_at=2)
        model = make_model(TwoLayerNetClassifier, solver, n_nets=3).set_callbacks(recorder)
        model.fit(X, y)
        assert model.n_iter_ == 3
        # those of a solver that trains one at a time had not begun
        assert model.coefs_[0].shape == (n_left, 13, 5)
        assert_same_model(recorder.models[-1], model)

    @ends_early
    def test_fitted_nets_that_had_not_begun_stay_as_they_were(self):
        model = make_model(TwoLayerNetClassifier, "lbfgs", n_nets=3, warm_start=True).fit(X, y)
        before = model.coefs_[0].copy()
        model.set_callbacks(Recorder(stop_at=2)).fit(X, y)
        assert_array_equal((model.coefs_[0] != before).any(axis=(1, 2)), [1, 0, 0])

    def test_one_of_several_is_enough(self):
        one, other = Recorder(), Recorder(stop_at=1)
        model = make_model(SoftmaxClassifier, "adam").set_callbacks(other, one).fit(X, y)
        assert model.n_iter_ == 2
        assert one.calls == other.calls

    def test_a_callback_that_fails_leaves_the_earlier_fit(self):
        recorder = Recorder(fail_at=2)
        model = make_model(TwoLayerNetClassifier, "adam").fit(X, y)
        before = dict(vars(model))
        with pytest.raises(ZeroDivisionError):
            model.set_callbacks(recorder).fit(X[::-1], y[::-1])
        assert recorder.calls[-1] == "teardown"
        assert vars(model.set_callbacks()) == before

    def test_a_failed_fit_is_torn_down(self):
        recorder = Recorder()
        model = make_model(TwoLayerNetClassifier, "adam", init=lambda rng, n, m: 0)
        with pytest.raises(ValueError, match="init must return"):
            model.set_callbacks(recorder).fit(X, y)
        assert recorder.calls.count("setup") == recorder.calls.count("teardown")


@needs_callbacks
class TestProgressBar:
    @pytest.fixture(autouse=True)
    def need_rich(self, monkeypatch):
        pytest.importorskip("rich")
        monkeypatch.setenv("COLUMNS", "200")

    @pytest.fixture
    def bar(self):
        return ProgressBar(max_propagation_depth=None)

    @every_case
    @ends_early
    def test_a_fit(self, bar, capsys, model_class, solver):
        make_model(model_class, solver).set_callbacks(bar).fit(X, y)
        (line,) = capsys.readouterr().out.strip().splitlines()[-1:]
        assert f"{model_class.__name__} - fit" in line
        assert "100%" in line

    def test_pipeline(self, bar, capsys):
        net = make_model(TwoLayerNetClassifier, "adam")
        make_pipeline(StandardScaler(), net).set_callbacks(bar).fit(X, y)
        out = capsys.readouterr().out
        assert "Pipeline - fit-final-estimator | TwoLayerNetClassifier - fit #1" in out

    @pytest.mark.parametrize(
        ("search_class", "n_jobs"),
        [(GridSearchCV, 1), (FusedGridSearchCV, 1), (FusedGridSearchCV, 2)],
    )
    @pytest.mark.parametrize("in_pipeline", [False, True])
    @ends_early
    def test_searches(self, bar, capsys, search_class, in_pipeline, n_jobs):
        net = make_model(TwoLayerNetClassifier, "adam")
        grid = {"reg": [1e-3, 1e-2], "hidden_size": [2, 3]}
        if in_pipeline:
            net = make_pipeline(StandardScaler(), net)
            grid = {f"twolayernetclassifier__{name}": values for name, values in grid.items()}
        search = search_class(net, grid, cv=2, n_jobs=n_jobs).set_callbacks(bar)
        for _ in range(5):  # scikit-learn may end a bar before the last events have reached it
            search.fit(X, y)
            lines = capsys.readouterr().out.splitlines()
            nets = [line for line in lines if "TwoLayerNetClassifier - fit" in line]
            if all("100%" in line for line in nets):
                break
        # two stacks per fold, or four candidates
        assert len(nets) == (4 if search_class is FusedGridSearchCV else 8) + 1
        assert all("100%" in line for line in nets)
        assert "refit-with-best-params" in "".join(lines)
        plain = GridSearchCV(net, grid, cv=2).fit(X, y)
        for name in ("mean_test_score", "std_test_score"):
            assert_array_equal(search.cv_results_[name], plain.cv_results_[name])


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


def names(event):
    return event[0], event[2][0][0] if len(event) > 2 else event[1]


@needs_callbacks
@ends_early
class TestTaskTreeOfSearches:
    net = make_model(TwoLayerNetClassifier, "adam", max_iter=2)
    weights = np.linspace(1, 2, len(y))

    @pytest.mark.parametrize(
        ("args", "fit_params"),
        [
            ({}, {}),
            ({"refit": False}, {}),
            ({"scoring": ["accuracy", "neg_log_loss"], "refit": "accuracy"}, {}),
            ({"scoring": lambda model, X, y: model.score(X, y), "return_train_score": True}, {}),
            ({}, {"sample_weight": weights}),
            ({}, {"sample_weight": None}),
        ],
        ids=["default", "no refit", "scorers", "own scorer", "weights", "no weights"],
    )
    @pytest.mark.parametrize("in_pipeline", [False, True])
    def test_is_that_of_grid_search(self, in_pipeline, args, fit_params):
        estimator, prefix = self.net, ""
        if in_pipeline:
            estimator, prefix = (
                make_pipeline(StandardScaler(), self.net),
                "twolayernetclassifier__",
            )
            fit_params = {prefix + name: value for name, value in fit_params.items()}
        grid = [
            {f"{prefix}reg": [1e-3, 1e-2], f"{prefix}hidden_size": [2, 3]},
            {f"{prefix}solver": ["lbfgs"], f"{prefix}random_state": [0, None]},
        ]
        ours, theirs = events_of_both(estimator, grid, fit_params=fit_params, **args)
        assert Counter(ours) == Counter(theirs)
        assert len(ours) == 2 * (1 + 1 + 1 + 6 * 2) + 2 * (args.get("refit") is not False)
        assert [names(event) for event in ours[:3]] == [names(event) for event in theirs[:3]]
        n_last = 4 if args.get("refit") is not False else 2
        assert ours[-n_last:] == theirs[-n_last:]

    def test_candidates_of_a_stack_begin_and_end_together(self):
        ours, _ = events_of_both(self.net, {"reg": [1e-3, 1e-2, 1e-1]}, refit=False)
        task = "candidate-split-evaluation"
        assert [names(event) for event in ours[3:-3]] == 2 * (
            3 * [("begin", task)] + 3 * [("end", task)]
        )

    def test_randomized_search(self):
        events = []
        for search_class in (FusedRandomizedSearchCV, RandomizedSearchCV):
            listener = Listener()
            search = search_class(self.net, {"reg": [1e-3, 1e-2, 1e-1]}, n_iter=2, random_state=0)
            search.set_callbacks(listener).fit(X, y)
            events.append(Counter(listener.events))
        assert events[0] == events[1]

    @pytest.mark.parametrize("in_pipeline", [False, True])
    def test_a_callback_within_sees_where_it_is(self, in_pipeline):
        estimator = make_pipeline(StandardScaler(), self.net) if in_pipeline else self.net
        prefix = "twolayernetclassifier__" if in_pipeline else ""
        grid = {f"{prefix}reg": [1e-3, 1e-2], f"{prefix}solver": ["adam", "lbfgs"]}
        ours, theirs = events_of_both(estimator, grid, on_search=False)
        assert ours == theirs
        assert ours[1][2][-1][0] == "fit"
        assert ours[1][2][-2][0] == "search"

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
            events.append(Counter(listener.events))
        assert len(errors) == 2 * (error_score == "raise" or fails_in == "hook")
        assert len(set(errors)) <= 1
        if error_score != "raise":
            assert events[0] == events[1]
        else:
            n_begun, n_ended = (
                sum(
                    n * (names(event) == (hook, "candidate-split-evaluation"))
                    for event, n in events[0].items()
                )
                for hook in ("begin", "end")
            )
            # a stack begins as one, and a hook may fail in the midst of that
            assert n_begun == n_ended or fails_in == "hook"


@needs_callbacks
class TestFusedSearch:
    def test_a_stack_shows_its_epochs(self):
        recorder = Propagated()
        net = make_model(TwoLayerNetClassifier, "adam")
        search = FusedGridSearchCV(net, {"reg": [1e-3, 1e-2]}, cv=2).set_callbacks(recorder)
        search.fit(X, y)
        epochs = [("end", "epoch", k) for k in range(8)]
        # two folds and the refit
        assert [call for call in recorder.calls if call[:2] == ("end", "epoch")] == 3 * epochs
        # which of a stack's models, nobody knows; the refit is of one
        assert len(recorder.models) == 8
        assert not hasattr(search.best_estimator_, "_parent_callback_ctx")

    @ends_early
    def test_estimators_with_callbacks_are_fitted_one_by_one(self):
        recorder = Recorder(stop_at=3)
        net = make_model(TwoLayerNetClassifier, "adam").set_callbacks(recorder)
        grid = {"reg": [1e-3, 1e-2]}
        search = FusedGridSearchCV(net, grid, cv=2).fit(X, y)
        assert recorder.calls.count("setup") == recorder.calls.count("teardown") == 5
        assert len(recorder.models) == 5 * 4
        plain = GridSearchCV(net, grid, cv=2).fit(X, y)
        assert_array_equal(
            search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
        )
        assert search.best_estimator_.n_iter_ == 4


@needs_callbacks
class TestScoringMonitor:
    @pytest.mark.parametrize("scoring", ["accuracy", ["neg_log_loss", "roc_auc"]])
    @ends_early
    def test_a_score_per_epoch(self, scoring):
        X, y = load_breast_cancer(return_X_y=True)
        monitor = ScoringMonitor(scoring=scoring)
        model = TwoLayerNetClassifier(8, max_iter=20, random_state=0)
        model.set_callbacks(monitor).fit(X, y)
        rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
        assert [row["task_id"] for row in rows] == list(range(20))
        if scoring == "accuracy":
            assert rows[-1]["accuracy"] == model.score(X, y)
            assert rows[-1]["accuracy"] > rows[0]["accuracy"]

    @ends_early
    def test_names_and_weights(self):
        pd = pytest.importorskip("pandas")
        frame = load_wine(as_frame=True)
        weights = np.linspace(1, 2, len(frame.target))
        monitor = ScoringMonitor(scoring="neg_log_loss")
        model = SoftmaxClassifier(reg=0, solver="lbfgs", max_iter=5)
        model.set_callbacks(monitor).fit(frame.data, frame.target, weights)
        assert isinstance(frame.data, pd.DataFrame)
        scores = [r["neg_log_loss"] for r in monitor.get_logs().data if r["task_name"] != "fit"]
        # at reg=0 the objective is the log loss; the curve is that before each iteration
        np.testing.assert_allclose(-np.array(scores[:-1]), model.loss_curve_[1:], rtol=1e-9)

    def test_nested(self):
        monitor = ScoringMonitor(scoring="accuracy")
        net = make_model(TwoLayerNetClassifier, "adam").set_callbacks(monitor)
        grid = {"twolayernetclassifier__reg": [1e-3, 1e-2]}
        GridSearchCV(make_pipeline(StandardScaler(), net), grid, cv=2).fit(X, y)
        rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
        assert len(rows) == (2 * 2 + 1) * 8
