"""Any sequence of calls leaves a consistent estimator and its inputs; errors name the cause."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from helpers import solvers_of
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._nets.activations import ACTIVATIONS
from sklearn_toynn._training.schedules import SCHEDULES

VALUES = {
    "hidden_size": [1, 3],
    "hidden_layer_sizes": [2, (3,), (2, 3), [2, 2, 2]],
    "reg": ["auto", 0, 1e-3, 1.0],
    "n_nets": [1, 2],
    "activation": sorted(ACTIVATIONS),
    "solver": ["adam", "sgd", "gd", "lbfgs", "newton", "auto"],
    "learning_rate": ["auto", 1e-3, 100.0],
    "schedule": ["auto", *sorted(SCHEDULES), lambda progress: 1 - progress],
    "momentum": [0.0, 0.9],
    "batch_size": ["auto", 1, 7],
    "max_iter": [1, 3],
    "tol": [0, 1e-3],
    "early_stopping": [False, True],
    "class_weight": [None, "balanced", {0: 2.0}],
    "init": ["auto", "he", 0.1],
    "shuffle": [False, True],
    "random_state": [0, 7],
    "warm_start": [False, True],
}
CONTAINERS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "integers": lambda X: (5 * X).astype(int),
    "read-only": lambda X: np.frombuffer(X.tobytes()).reshape(X.shape),
    "list": np.ndarray.tolist,
    "frame": pd.DataFrame,
    "csr": sparse.csr_array,
    "csc": sparse.csc_matrix,
}
#: The fault in the arguments of a fit, and the name in the error message.
FAULTS = {"nan": "NaN", "one class": "class", "weights": "sample_weight", "length": "inconsistent"}
PROBE = np.random.RandomState(1).standard_normal((5, 3))


def draw_data(kind, n_samples, n_classes, seed, with_weights):
    rng = np.random.RandomState(seed)
    X = rng.standard_normal((n_samples, 3))
    y = np.arange(n_samples) % n_classes
    weights = rng.randint(0, 3, n_samples) + (np.arange(n_samples) < 2 * n_classes)
    return CONTAINERS[kind](X), y, weights.astype(float) if with_weights else None


data = st.builds(
    draw_data,
    st.sampled_from(sorted(CONTAINERS)),
    st.sampled_from([12, 30]),
    st.sampled_from([2, 3]),
    st.integers(0, 3),
    st.booleans(),
)
new_params = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(VALUES[name]))
)


def error_of(method, *inputs):
    """Return the error message of a call, or None. The call must not change the inputs."""
    before, message = copy.deepcopy(inputs), None
    try:
        method(*inputs)
    except (ValueError, AttributeError) as error:
        message = str(error)
    for arrays in zip(inputs, before, strict=True):
        assert_array_equal(*(a.toarray() if sparse.issparse(a) else a for a in arrays))
    return message


class Calls(RuleBasedStateMachine):
    @initialize(
        model_class=st.sampled_from(
            [SoftmaxClassifier, TwoLayerNetClassifier, MultiLayerNetClassifier]
        )
    )
    def construct(self, model_class):
        self.model = model_class(max_iter=2, random_state=0)

    def predictions(self):
        return self.model.predict_proba(PROBE) if self.is_fitted() else None

    def is_fitted(self):
        return hasattr(self.model, "classes_")

    def call(self, method, *inputs):
        """Return the error message. After an error, the model must be unchanged."""
        before, names = self.predictions(), set(vars(self.model))
        message = error_of(method, *inputs)
        if message is not None:
            assert set(vars(self.model)) == names
            assert_array_equal(self.predictions(), before)
        return message

    @rule(data=data)
    def fit(self, data):
        self.call(self.model.fit, *data)

    @precondition(lambda self: hasattr(self.model, "partial_fit"))
    @rule(data=data)
    def partial_fit(self, data):
        X, y, weights = data
        classes = None if self.is_fitted() else [0, 1, 2]
        self.call(self.model.partial_fit, X, y, classes, weights)

    @rule(data=data, fault=st.sampled_from(sorted(FAULTS)))
    def fit_faulty_data(self, data, fault):
        X, y, weights = data
        if fault == "nan":
            X = np.array(X.toarray() if sparse.issparse(X) else X, dtype=float)
            X[1, 1] = np.nan
        elif fault == "one class":
            y = np.zeros_like(y)
        elif fault == "weights":
            weights = np.full(len(y), -1.0)
        else:
            y, weights = y[1:], None
        assert FAULTS[fault] in self.call(self.model.fit, X, y, weights)

    @rule(new=new_params)
    def set_params(self, new):
        name, value = new
        is_known = name != "solver" or value in solvers_of(type(self.model))
        if name in self.model.get_params() and is_known:
            self.model.set_params(**{name: value})

    @rule(data=data, name=st.sampled_from(["reg", "solver", "max_iter", "init", "class_weight"]))
    def fit_with_an_invalid_parameter(self, data, name):
        params = self.model.get_params()
        self.model.set_params(early_stopping=False).set_params(**{name: "wrong"})
        assert name in self.call(self.model.fit, *data)
        self.model.set_params(**params)

    @precondition(lambda self: not callable(self.model.schedule))
    @rule()
    def pickle(self):  # a lambda has no pickle
        before = self.predictions()
        self.model = pickle.loads(pickle.dumps(self.model))
        assert_array_equal(self.predictions(), before)

    @invariant()
    def has_all_attributes_of_a_fit_or_none(self):
        names = {"classes_", "n_iter_", "loss_", "loss_curve_", "reg_", "stop_reason_"}
        found = {name for name in names if hasattr(self.model, name)}
        assert found == (names if self.is_fitted() else set())
        assert not hasattr(clone(self.model), "classes_")

    @invariant()
    def predicts_probabilities_and_known_classes(self):
        if self.is_fitted():
            probabilities = self.predictions()
            assert probabilities.shape == (5, len(self.model.classes_))
            assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
            assert np.isin(self.model.predict(PROBE), self.model.classes_).all()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("n_sequences", [80, pytest.param(3000, marks=pytest.mark.slow)])
def test_any_sequence_of_calls(n_sequences):
    options = {"deadline": None, "derandomize": True, "stateful_step_count": 10}
    options |= {"max_examples": n_sequences, "suppress_health_check": list(HealthCheck)}
    run_state_machine_as_test(Calls, settings=settings(**options))
