"""Solvers, data, formulas, models and comparisons for several test modules."""

import warnings

import autograd.numpy as anp
import numpy as np
import pytest
import sklearn
from autograd.scipy.special import erf, expit
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax, logsumexp
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._training.solvers import SOLVERS

MODEL_CLASSES = [SoftmaxClassifier, TwoLayerNetClassifier]


def solvers_of(model_class):
    (options,) = model_class._parameter_constraints["solver"]
    return sorted(options.options)


# for tests in which reaching `max_iter` does not matter
ends_early = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
every_class = pytest.mark.parametrize("model_class", MODEL_CLASSES)


def with_entry(array, index, value):
    array = np.array(array)
    array[index] = value
    return array


def parameters(model):
    if isinstance(model, SoftmaxClassifier):
        return [model.coef_, model.intercept_]
    return [*model.coefs_, *model.intercepts_]


def is_finite(model):
    return all(np.isfinite(a).all() for a in parameters(model))


def raise_late(progress):
    if progress > 0.5:
        raise RuntimeError("late")
    return 1.0


def fit_with_convergence_warnings_alone(model, X, y):
    """Fit and return the texts of the warnings; warnings of other categories fail the test."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    assert all(warning.category is ConvergenceWarning for warning in caught)
    return [str(warning.message) for warning in caught]


LOADERS = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer}
BATCH_SOLVERS = [name for name, solver in SOLVERS.items() if solver.takes_batches]
every_batch_solver = pytest.mark.parametrize("solver", BATCH_SOLVERS)
first_order = pytest.mark.parametrize("solver", ["gd", *BATCH_SOLVERS])


def scaled(name):
    X, y = LOADERS[name](return_X_y=True)
    return StandardScaler().fit_transform(X), y


def wine():
    return scaled("wine")


def split():
    X, y = wine()
    return train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)


def glorot_uniform(rng, fan_in, fan_out):
    bound = np.sqrt(6 / (fan_in + fan_out))
    return np.random.RandomState(fan_out).uniform(-bound, bound, (fan_in, fan_out))


def nesterov(memory, gradient, rate, t):
    velocity = 0.7 * memory.get("v", 0) - rate * gradient
    memory["v"] = velocity
    return 0.7 * velocity - rate * gradient


def adam(memory, gradient, rate, t):
    m = memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * gradient
    v = memory["v"] = 0.95 * memory.get("v", 0) + 0.05 * gradient**2
    rate = rate * np.sqrt(1 - 0.95**t) / (1 - 0.9**t)
    return -rate * m / (np.sqrt(v) + 1e-8)


BATCH_UPDATES = {"sgd": nesterov, "adam": adam}


#: The activations, also for autograd.
FORMULAS = {
    "relu": lambda z: anp.maximum(z, 0),
    "leaky_relu": lambda z: anp.where(z > 0, z, z / 100),
    "logistic": expit,
    "tanh": anp.tanh,
    "gelu": lambda z: z * (1 + erf(z / anp.sqrt(2))) / 2,
    "silu": lambda z: z * expit(z),
    "identity": lambda z: z,
}
MODELS = {
    **{
        f"softmax-{solver}": SoftmaxClassifier(solver=solver, max_iter=8, random_state=0)
        for solver in solvers_of(SoftmaxClassifier)
    },
    **{
        f"net-{solver}": TwoLayerNetClassifier(7, solver=solver, max_iter=8, random_state=0)
        for solver in solvers_of(TwoLayerNetClassifier)
    },
}
BATCH_MODELS = {name: model for name, model in MODELS.items() if model.solver in BATCH_SOLVERS}
WHOLE_MODELS = {name: model for name, model in MODELS.items() if name not in BATCH_MODELS}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
both_classes = pytest.mark.parametrize(
    "model",
    [SoftmaxClassifier(max_iter=50), TwoLayerNetClassifier(7, max_iter=5, random_state=0)],
    ids=["softmax", "net"],
)


def apply_formula(activation, z):
    """Apply the plain formula of an activation."""
    assert activation in FORMULAS, f"Add {activation!r} to FORMULAS in tests/helpers.py."
    return FORMULAS[activation](z)


def layers(model):
    """The fitted weights (fan_in, fan_out) and biases."""
    if isinstance(model, SoftmaxClassifier):
        return [model.coef_.T], [model.intercept_]
    return model.coefs_, model.intercepts_


def plain_scores(model, X):
    weights, biases = layers(model)
    outputs = X.astype(float)
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        outputs = apply_formula(model.activation, outputs @ W.astype(float) + b)
    return outputs @ weights[-1].astype(float) + biases[-1]


def plain_objective(model, X, y, w=None):
    """The documented objective at the fitted weights, in float64."""
    losses = -log_softmax(plain_scores(model, X), axis=1)[
        np.arange(len(y)), np.searchsorted(model.classes_, y)
    ]
    squares = sum((W.astype(float) ** 2).sum() for W in layers(model)[0])
    return np.average(losses, weights=w) + model.reg_ / 2 * squares


def assert_same_bits(one, other):
    for a, b in zip(parameters(one), parameters(other), strict=True):
        assert a.dtype == b.dtype
        assert_array_equal(a, b)


def assert_close(one, other, rtol=1e-6, atol=1e-8):
    for a, b in zip(parameters(one), parameters(other), strict=True):
        assert_allclose(a, b, rtol=rtol, atol=atol)


def assert_dtype(model, X, dtype):
    assert {a.dtype for a in parameters(model)} == {np.dtype(dtype)}
    for method in ("predict_proba", "predict_log_proba", "decision_function"):
        assert getattr(model, method)(X).dtype == dtype
    assert type(model.loss_) is float
    assert type(model.n_iter_) is int


HAS_CALLBACKS = parse_version(sklearn.__version__) >= parse_version("1.9")
needs_callbacks = pytest.mark.skipif(
    not HAS_CALLBACKS, reason=f"callbacks need scikit-learn 1.9, this is {sklearn.__version__}"
)
CASES = [
    (model_class, solver)
    for model_class in (SoftmaxClassifier, TwoLayerNetClassifier)
    for solver in solvers_of(model_class)
]
every_case = pytest.mark.parametrize(("model_class", "solver"), CASES)


def make_model(model_class, solver, **params):
    params = {"reg": 1e-3, "max_iter": 8, "random_state": 0, **params}
    if model_class is TwoLayerNetClassifier:
        params.setdefault("hidden_size", 5)
    return model_class(solver=solver, **params)


class Recorder:
    """Records every call of a hook, and may stop training or fail at the end of an iteration."""

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


LINEAR_SOLVERS = sorted(set(solvers_of(SoftmaxClassifier)) - set(BATCH_SOLVERS) - {"gd"})


def draw_weights(rng, fan_in, fan_out):
    return rng.standard_normal((fan_in, fan_out)) / 4


def blind_model(model_class, solver, **params):
    """Return a model with initial weights that do not depend on X."""
    params = {"init": draw_weights, "max_iter": 12, "random_state": 0, **params}
    if model_class is TwoLayerNetClassifier:
        params.setdefault("hidden_size", 6)
        # with ReLU, rounding errors may lead to other minima
        params.setdefault("activation", "tanh")
    return model_class(solver=solver, **params)


def assert_same_fit(one, other, rtol=1e-7):
    for array, desired in zip(parameters(one), parameters(other), strict=True):
        assert array.dtype == desired.dtype
        assert_allclose(array, desired, rtol=rtol, atol=rtol * np.abs(desired).max())
    assert_allclose(one.loss_curve_, other.loss_curve_, rtol=rtol)
    assert_allclose(one.loss_, other.loss_, rtol=rtol)


N_NETS = 3
# each net ends where its validation loss stalls
STALLS = {"early_stopping": True, "schedule": "constant", "max_iter": 1000, "batch_size": 50}


def ensemble(**params):
    defaults = {"hidden_size": 5, "reg": 1e-3, "n_nets": N_NETS, "max_iter": 8, "random_state": 0}
    return TwoLayerNetClassifier(**(defaults | params))


def linear_objective(coef, intercept, X, y, reg, w=None):
    scores = np.asarray(X @ coef.T) + intercept
    losses = logsumexp(scores, axis=1) - scores[np.arange(len(y)), y]
    return np.average(losses, weights=w) + reg / 2 * (coef**2).sum()
