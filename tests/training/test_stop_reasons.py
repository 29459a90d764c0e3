"""Why training ended: `stop_reason_`, for every solver."""

import re
import warnings
from itertools import count

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._linear.objective import LinearObjective
from sklearn_toynn._linear.solvers import LINEAR_SOLVERS
from sklearn_toynn._training.results import History
from sklearn_toynn._training.run import TrainingRun
from sklearn_toynn._training.schedules import SCHEDULES
from sklearn_toynn._training.solvers import SOLVERS
from sklearn_toynn._training.stopping import STOP_REASONS, StoppingPolicy

X, y = load_iris(return_X_y=True)
BATCH_SOLVERS = ("adam", "sgd")

filterwarnings = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def net(**params):
    return TwoLayerNetClassifier(**{"hidden_size": 5, "random_state": 0, **params})


def softmax(**params):
    return SoftmaxClassifier(random_state=0, **params)


MODELS = [
    *(pytest.param(net, solver, id=f"net-{solver}") for solver in SOLVERS),
    *(pytest.param(softmax, solver, id=f"softmax-{solver}") for solver in SOLVERS),
    *(pytest.param(softmax, solver, id=f"softmax-{solver}") for solver in LINEAR_SOLVERS),
]


@pytest.mark.parametrize(("loss", "n_stalled", "largest", "asks", "n_iter", "expected"), [
    (1.0, 0, 1.0, False, 5, None),
    (np.nan, 9, 0.0, True, 20, "diverged"),
    (np.inf, 0, 1.0, False, 5, "diverged"),
    (1.0, 3, 0.0, True, 20, "validation"),
    (1.0, 2, 0.1, True, 20, "tol"),
    (1.0, 2, 0.2, True, 20, "callback"),
    (1.0, 2, 0.2, False, 20, "max_iter"),
    (1.0, 2, 0.2, False, 19, None),
])  # fmt: skip
def test_the_first_reason_that_holds(loss, n_stalled, largest, asks, n_iter, expected):
    policy = StoppingPolicy(
        tol=0.1,
        n_iter_no_change=3,
        max_iter=20,
        stall_reason="validation",
        limit_reason="max_iter",
        watches_gradient=True,
    )
    history = History(0, [1.0] * (n_iter - 1) + [loss], [1.0] * n_iter, n_stalled=n_stalled)
    assert policy.find_reason(history, largest, callback_asks=asks) == expected


@filterwarnings
@pytest.mark.parametrize(("make", "solver"), MODELS)
def test_tol(make, solver):
    model = make(solver=solver, tol=0.1, schedule="constant", max_iter=500).fit(X, y)
    assert model.n_iter_ < 500
    assert model.stop_reason_ == "tol"


@filterwarnings
@pytest.mark.parametrize("schedule", ["auto", *SCHEDULES])
@pytest.mark.parametrize(("make", "solver"), MODELS)
def test_at_max_iter(make, solver, schedule):
    model = make(solver=solver, tol=0, schedule=schedule, max_iter=2).fit(X, y)
    assert model.n_iter_ == 2
    ends = schedule == "cosine" or (schedule == "auto" and solver in BATCH_SOLVERS)
    follows = type(model)._solvers[solver].follows_schedule
    assert model.stop_reason_ == ("schedule" if ends and follows else "max_iter")


@filterwarnings
@pytest.mark.parametrize(("max_iter", "expected"), [(300, "validation"), (3, "schedule")])
@pytest.mark.parametrize("solver", BATCH_SOLVERS)
@pytest.mark.parametrize("make", [net, softmax])
def test_a_validation_set_beside_a_schedule(make, solver, max_iter, expected):
    model = make(solver=solver, early_stopping=True, tol=1e-2, max_iter=max_iter).fit(X, y)
    assert (model.n_iter_ < max_iter) == (expected == "validation")
    assert model.stop_reason_ == expected


@filterwarnings
@pytest.mark.parametrize(("make", "solver"), MODELS)
def test_validation(make, solver):
    params = {"tol": 1e-9, "schedule": "constant", "max_iter": 3000, "n_iter_no_change": 2}
    rng = np.random.RandomState(0)
    codes = rng.permutation(y)  # labels that nothing can be learnt about
    model = make(solver=solver, reg=0, **params).fit(X, codes, X_val=X, y_val=rng.permutation(y))
    assert model.stop_reason_ == "validation"


def test_precision():
    model = net(solver="lbfgs", tol=0, max_iter=10_000, activation="tanh", reg=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X.astype(np.float32), y)
    assert model.n_iter_ < 10_000
    assert model.stop_reason_ == "precision"


@pytest.mark.parametrize("solver", LINEAR_SOLVERS)
def test_precision_of_float32_weights_far_from_zero(solver):
    model = softmax(solver=solver, reg=1e-6)
    with pytest.warns(ConvergenceWarning, match="float64"):
        model.fit((X + 1e6).astype(np.float32), y)
    assert model.gap_ > 1e-5
    assert model.stop_reason_ == "precision"


@pytest.mark.parametrize("solver", ["gd", *BATCH_SOLVERS])
@pytest.mark.parametrize("make", [net, softmax])
def test_diverged(make, solver):
    model = make(solver=solver, learning_rate=1e200)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(X, y)
    assert model.stop_reason_ == "diverged"


@pytest.mark.usefixtures("one_iteration_a_call")
@filterwarnings
@pytest.mark.parametrize(("make", "solver"), MODELS)
def test_interrupted(make, solver, monkeypatch):
    record = TrainingRun.record

    def interrupted(run, loss):
        record(run, loss)
        if run.n_iter == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingRun, "record", interrupted)
    model = make(solver=solver, tol=0, max_iter=50)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.stop_reason_ == "interrupted"


@pytest.mark.usefixtures("one_iteration_a_call")
@pytest.mark.parametrize("n_calls", [1, 2, 4])
@pytest.mark.parametrize("n_rows", [150, 9000])
@pytest.mark.parametrize("solver", LINEAR_SOLVERS)
def test_interrupted_before_the_first_step(solver, n_rows, n_calls, monkeypatch):
    calls, evaluate = count(1), LinearObjective.value_and_gradient

    def interrupted(objective, theta):
        if next(calls) == n_calls:
            raise KeyboardInterrupt
        return evaluate(objective, theta)

    monkeypatch.setattr(LinearObjective, "value_and_gradient", interrupted)
    model, rows = softmax(solver=solver), np.arange(n_rows) % len(y)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[rows], y[rows])
    assert model.stop_reason_ == "interrupted"
    assert np.isfinite(model.predict_proba(X)).all()
    assert np.isfinite(model.loss_)


@pytest.mark.parametrize("solver", BATCH_SOLVERS)
@pytest.mark.parametrize("make", [net, softmax])
def test_partial_fit(make, solver):
    model = make(solver=solver)
    model.partial_fit(X, y, classes=[0, 1, 2])
    assert model.stop_reason_ == "partial_fit"
    assert model.fit(X, y).stop_reason_ == "schedule"
    assert model.partial_fit(X, y).stop_reason_ == "partial_fit"


@pytest.mark.parametrize("n_more", [0, 5])  # with none, the first net ends by both at once
def test_each_net_has_its_own(n_more):
    params = {"reg": 1e-3, "solver": "gd", "tol": 0.02, "activation": "tanh"}
    alone = net(**params, max_iter=1000).fit(X, y)
    model = net(**params, max_iter=alone.n_iter_ + n_more, n_nets=4)
    with pytest.warns(ConvergenceWarning, match="of 4 nets") as caught:
        model.fit(X, y)
    assert model.stop_reason_.shape == (4,)
    assert set(model.stop_reason_) == {"tol", "max_iter"}
    assert model.stop_reason_[0] == alone.stop_reason_ == "tol"
    (largest,) = re.findall("gradient was ([0-9.]+), above", str(caught[0].message))
    assert 0.02 < float(largest) < 0.1


@pytest.mark.parametrize("reason", STOP_REASONS)
@pytest.mark.parametrize("model_class", [SoftmaxClassifier, TwoLayerNetClassifier])
def test_the_reasons_are_documented(model_class, reason):
    _, attribute = model_class.__doc__.split("stop_reason_ :")
    assert f'"{reason}"' in attribute.split("loss_curve_ :")[0]
