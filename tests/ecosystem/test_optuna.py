"""Searches with Optuna and trials that it prunes after an epoch."""

import pytest
from helpers import needs_callbacks
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_toynn import TwoLayerNetClassifier

optuna = pytest.importorskip("optuna", reason="requires the extra `ecosystem`")
integration = pytest.importorskip("optuna_integration", reason="requires the extra `ecosystem`")
pytestmark = pytest.mark.filterwarnings("ignore:::optuna")


@pytest.mark.filterwarnings("ignore:OptunaSearchCV is experimental")
def test_optuna_search_cv_finds_a_good_net():
    X, y = load_digits(return_X_y=True)
    net = TwoLayerNetClassifier(max_iter=10, tol=0, random_state=0)
    space = {"hidden_size": optuna.distributions.IntDistribution(1, 32)}
    search = integration.OptunaSearchCV(
        net, space, n_trials=5, cv=2, random_state=0, error_score="raise"
    )
    search.fit(X / 16, y)
    assert len(search.trials_) == 5
    assert search.score(X / 16, y) > 0.9
    assert search.best_estimator_.hidden_size == search.best_params_["hidden_size"]


class Prune:
    """Report the validation score after each epoch and stop a bad trial."""

    def __init__(self, trial, X_val, y_val):
        self.trial, self.X_val, self.y_val = trial, X_val, y_val

    def setup(self, estimator, context):
        self.epoch = 0

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        if context.task_name == "epoch":
            self.trial.report(fitted_estimator.score(self.X_val, self.y_val), self.epoch)
            self.epoch += 1
            if self.trial.should_prune():
                raise optuna.TrialPruned


@needs_callbacks
def test_a_study_prunes_a_trial_after_an_epoch():
    X, y = load_digits(return_X_y=True)
    X_train, X_val, y_train, y_val = train_test_split(X / 16, y, random_state=0)

    def objective(trial):
        reg = trial.suggest_categorical("reg", [1e-4, 1.0])
        net = TwoLayerNetClassifier(16, reg, max_iter=10, tol=0, random_state=0)
        net.set_callbacks(Prune(trial, X_val, y_val))
        return net.fit(X_train, y_train).score(X_val, y_val)

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.GridSampler({"reg": [1e-4, 1.0]}, seed=0),
        pruner=optuna.pruners.PercentilePruner(50, n_startup_trials=1, n_warmup_steps=1),
    )
    study.enqueue_trial({"reg": 1e-4})
    study.optimize(objective, n_trials=3)
    states = {trial.params["reg"]: trial.state.name for trial in study.trials}
    assert states == {1e-4: "COMPLETE", 1.0: "PRUNED"}
    (pruned,) = (trial for trial in study.trials if trial.state.name == "PRUNED")
    assert len(pruned.intermediate_values) < 10
    assert len(study.best_trial.intermediate_values) == 10
