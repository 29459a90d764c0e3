"""scikit-learn's callbacks: progress, scores per iteration, and requests to stop."""

import pickle
import warnings

import numpy as np
import pytest
from helpers import (
    BATCH_SOLVERS,
    HAS_CALLBACKS,
    Recorder,
    ends_early,
    every_case,
    make_model,
    needs_callbacks,
)
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import SoftmaxClassifier, SoftmaxClassifierCV, TwoLayerNetClassifier
from sklearn_toynn._training.training import NetTraining

if HAS_CALLBACKS:
    from sklearn.callback import ScoringMonitor
wine, wine_labels = load_wine(return_X_y=True)
X, y = StandardScaler().fit_transform(wine), load_wine().target_names[wine_labels]


def fitted_attributes(model):
    assert hasattr(model, "classes_")  # a callback's copy becomes fitted when it is looked at
    # the stop reason differs if a callback stopped the fit
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


@needs_callbacks
def test_missing_methods_of_a_callback_are_named():
    class Deaf:
        def setup(self, estimator, context):
            """Do nothing."""

    for model in (SoftmaxClassifier(), SoftmaxClassifierCV()):
        with pytest.raises(TypeError, match=r"lacks \['on_fit_task_begin', .*'teardown'\]"):
            model.set_callbacks(Deaf())
        with pytest.raises(TypeError, match="must be instances"):
            model.set_callbacks(Recorder)


@needs_callbacks
class TestIterations:
    @every_case
    @ends_early
    def test_every_iteration_begins_and_ends_once(self, model_class, solver):
        recorder = Recorder()
        plain = make_model(model_class, solver).fit(X, y)
        model = clone(plain).set_callbacks(recorder).fit(X, y)
        assert_same_model(model, plain)
        assert "_callback_fit_ctx" not in vars(model)
        name = "epoch" if solver in BATCH_SOLVERS else "iteration"
        assert recorder.calls[:2] == ["setup", ("begin", "fit", 0)]
        assert recorder.calls[-2:] == [("end", "fit", 0), "teardown"]
        inner = recorder.calls[2:-2]
        n = len(inner) // 2
        assert inner == [(hook, name, k) for k in range(n) for hook in ("begin", "end")]
        # L-BFGS may stop within an iteration, which then has no model
        assert n - model.n_iter_ in ((0, 1) if "gfs" in solver or solver == "auto" else (0,))
        assert len(recorder.models) == model.n_iter_

    @ends_early
    def test_the_iteration_in_which_lbfgs_stops_ends(self):
        recorder = Recorder()
        model = make_model(TwoLayerNetClassifier, "lbfgs", max_iter=5000, tol=0)
        model.set_callbacks(recorder).fit(X.astype(np.float32), y)
        assert model.stop_reason_ == "precision"
        begun = [call[1:] for call in recorder.calls if call[0] == "begin"]
        assert sorted(begun) == sorted(call[1:] for call in recorder.calls if call[0] == "end")
        assert len(begun) == 1 + model.n_iter_ + 1

    @ends_early
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

    def test_partial_fit_calls_no_hook(self):
        recorder = Recorder()
        model = make_model(SoftmaxClassifier, "adam").set_callbacks(recorder)
        model.partial_fit(X, y, classes=np.unique(y))
        assert recorder.calls == []


@needs_callbacks
class TestFittedEstimator:
    @every_case
    @ends_early
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_it_equals_a_fit_that_ends_there(self, model_class, solver, dtype):
        rows = wine.astype(dtype)  # raw columns, which the net scales itself
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
    @pytest.mark.parametrize("solver", ["adam", "lbfgs"])
    def test_it_contains_the_nets_that_have_begun(self, solver):
        recorder = Recorder()
        model = make_model(TwoLayerNetClassifier, solver, n_nets=3, max_iter=2, tol=0)
        model.set_callbacks(recorder).fit(X, y)
        assert [len(seen.coefs_[0]) for seen in recorder.models] == [1, 1, 2, 2, 3, 3]
        for seen in recorder.models[1::2]:
            n_nets = len(seen.coefs_[0])
            assert seen.stop_reason_[:-1].tolist() == [model.stop_reason_[0]] * (n_nets - 1)
            for layer, own in zip(seen.coefs_, model.coefs_, strict=True):
                assert_array_equal(layer, own[:n_nets])
        assert_same_model(recorder.models[-1], model)

    @ends_early
    @pytest.mark.parametrize("solver", ["adam", "sgd"])
    def test_each_net_continues_from_its_own_steps(self, solver):
        recorder = Recorder()
        params = {"schedule": "constant", "max_iter": 100, "tol": 1e-2, "n_iter_no_change": 3}
        model = make_model(
            TwoLayerNetClassifier, solver, n_nets=3, warm_start=True, batch_size=50, **params
        )
        model.fit(X, y)
        assert len(set(model._training_state["n_steps"])) > 1
        plain = pickle.loads(pickle.dumps(model)).fit(X, y)
        model.set_callbacks(recorder).fit(X, y)
        assert_same_model(model, plain)
        assert_same_model(recorder.models[-1], model)

    @ends_early
    def test_changing_it_does_not_change_the_fit(self):
        class Vandal(Recorder):
            def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
                assert fitted_estimator is not estimator
                if context.parent is None:
                    return
                for layer in [*fitted_estimator.coefs_, *fitted_estimator.intercepts_]:
                    layer[...] = np.nan
                fitted_estimator.loss_curve_.clear()

        plain = make_model(TwoLayerNetClassifier, "adam").fit(X, y)
        assert_same_model(clone(plain).set_callbacks(Vandal()).fit(X, y), plain)

    @ends_early
    def test_it_is_not_created_for_callbacks_without_the_argument(self, monkeypatch):
        made, result = [], NetTraining.result

        class Blind(Recorder):
            def on_fit_task_begin(self, estimator, context):
                """Do nothing."""

            def on_fit_task_end(self, estimator, context):
                self.calls.append("end")

        monkeypatch.setattr(NetTraining, "result", lambda self: made.append(1) or result(self))
        recorder = Blind()
        make_model(TwoLayerNetClassifier, "adam").set_callbacks(recorder).fit(X, y)
        assert recorder.calls.count("end") == 9
        assert len(made) == 1  # by the fit itself

    @ends_early
    def test_with_warm_start_it_continues_like_the_model(self):
        recorder = Recorder()
        params = {"schedule": "constant", "warm_start": True}
        model = make_model(TwoLayerNetClassifier, "adam", **params)
        model.set_callbacks(recorder).fit(X, y)
        seen = recorder.models[3].set_callbacks().set_params(max_iter=4).fit(X, y)
        for layer, other in zip(seen.coefs_, model.coefs_, strict=True):
            assert_array_equal(layer, other)


@needs_callbacks
class TestStopping:
    @every_case
    def test_a_callback_can_stop_the_fit(self, model_class, solver):
        recorder = Recorder(stop_at=2)
        model = make_model(model_class, solver, max_iter=100, schedule="constant")
        other = Recorder()
        model.set_callbacks(recorder, other).fit(X, y)
        assert model.n_iter_ == len(model.loss_curve_) == 3
        assert other.calls == recorder.calls
        assert model.stop_reason_ == "callback"
        assert recorder.calls[-2:] == [("end", "fit", 0), "teardown"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            shorter = clone(model).set_callbacks().set_params(max_iter=3).fit(X, y)
        assert_same_model(model, shorter)

    @ends_early
    @pytest.mark.parametrize("solver", ["adam", "lbfgs"])
    @pytest.mark.parametrize("warm_start", [False, True])
    def test_a_callback_stops_all_nets(self, solver, warm_start):
        """Nets that had not begun are omitted or keep their weights."""
        model = make_model(TwoLayerNetClassifier, solver, n_nets=3, warm_start=warm_start)
        before = model.fit(X, y).coefs_[0].copy()
        calls = []

        class Second(Recorder):
            def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
                calls.append(context.task_name)
                return len(calls) == 10  # in the second net

        model.set_callbacks(Second()).fit(X[::-1], y[::-1])
        if warm_start:
            assert_array_equal((model.coefs_[0] != before).any(axis=(1, 2)), [1, 1, 0])
            assert model.stop_reason_[1:].tolist() == ["callback"] * 2
        else:
            assert model.coefs_[0].shape == (2, 13, 5)
            assert model.stop_reason_[1] == "callback"
        assert model.stop_reason_[0] != "callback"

    @ends_early
    def test_a_callback_that_fails_keeps_the_earlier_fit(self):
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
@ends_early
def test_the_scores_of_a_scoring_monitor_are_the_loss_curve():
    frame = load_wine(as_frame=True)
    weights = np.linspace(1, 2, len(frame.target))
    monitor = ScoringMonitor(scoring="neg_log_loss")
    model = SoftmaxClassifier(reg=0, solver="lbfgs", max_iter=5)
    model.set_callbacks(monitor).fit(frame.data, frame.target, weights)
    scores = [r["neg_log_loss"] for r in monitor.get_logs().data if r["task_name"] != "fit"]
    # at reg=0 the objective is the log loss; the curve is that before each iteration
    np.testing.assert_allclose(-np.array(scores[:-1]), model.loss_curve_[1:], rtol=1e-9)
