"""Any sequence of calls leaves a consistent estimator and its inputs; errors name the cause."""

import copy
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from helpers import solvers_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._nets.activations import ACTIVATIONS
from sklearn_toynn._training.schedules import SCHEDULES

N_FEATURES = 3
MODEL_CLASSES = [SoftmaxClassifier, TwoLayerNetClassifier, MultiLayerNetClassifier]
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
WRONG = {
    "hidden_size": [0, 2.5],
    "hidden_layer_sizes": [(), (2, 0), "2"],
    "reg": [-1.0, "none"],
    "n_nets": [0],
    "activation": ["sine"],
    "solver": ["saga"],
    "learning_rate": [0.0],
    "schedule": ["linear"],
    "momentum": [1.0],
    "batch_size": [0],
    "max_iter": [0, "many"],
    "tol": [-1.0],
    "early_stopping": ["yes"],
    "class_weight": ["even", {"a": -1.0}],
    "init": ["zero", -1.0],
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
#: What spoils the data, and what an error then speaks of.
SPOILS = {
    "nan": r"NaN",
    "infinity": r"infinity|too large",
    "width": r"feature",
    "one class": r"class",
    "continuous": r"label|unseen|target|[cC]lass",
    "weights": r"sample_weight|negative",
    "length": r"inconsistent",
}


def draw_data(kind, n_samples, n_classes, seed, with_weights):
    rng = np.random.RandomState(seed)
    X = rng.standard_normal((n_samples, N_FEATURES))
    y = np.arange(n_samples) % n_classes
    weights = rng.randint(0, 3, n_samples) + (np.arange(n_samples) < 2 * n_classes)
    return CONTAINERS[kind](X), y, weights.astype(float) if with_weights else None


def spoil(data, how):
    X, y, weights = data
    X = np.array(X.toarray() if sparse.issparse(X) else X, dtype=float)
    if how == "nan":
        X[1, 1] = np.nan
    elif how == "infinity":
        X[1, 1] = np.inf
    elif how == "width":
        X = X[:, 1:]
    elif how == "one class":
        y = np.zeros_like(y)
    elif how == "continuous":
        y = y + 0.5 * np.random.RandomState(0).uniform(size=len(y))
    elif how == "weights":
        weights = np.full(len(y), -1.0)
    else:
        y = y[1:]
    return X, y, weights


def pickle_and_load(model):
    return pickle.loads(pickle.dumps(model))


data = st.builds(
    draw_data,
    st.sampled_from(sorted(CONTAINERS)),
    st.sampled_from([12, 30]),
    st.sampled_from([2, 3]),
    st.integers(0, 3),
    st.booleans(),
)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("fit"), data),
        st.tuples(st.just("fit"), data),
        st.tuples(st.just("partial_fit"), data),
        st.tuples(st.just("fit_spoiled"), st.tuples(data, st.sampled_from(sorted(SPOILS)))),
        st.tuples(
            st.just("set"),
            st.sampled_from(sorted(VALUES)).flatmap(
                lambda name: st.tuples(st.just(name), st.sampled_from(VALUES[name]))
            ),
        ),
        st.tuples(
            st.just("fit_wrong"),
            st.tuples(
                st.sampled_from(sorted(WRONG)).flatmap(
                    lambda name: st.tuples(st.just(name), st.sampled_from(WRONG[name]))
                ),
                data,
            ),
        ),
        st.tuples(st.just("copy"), st.sampled_from([copy.deepcopy, pickle_and_load])),
    ),
    min_size=1,
    max_size=8,
)
PROBE = np.random.RandomState(1).standard_normal((5, N_FEATURES))


def is_fitted(model):
    return hasattr(model, "classes_")


def predictions(model):
    return model.predict_proba(PROBE) if is_fitted(model) else None


def assert_whole(model):
    """Fitted, with everything that a fit sets, or not at all."""
    names = {"classes_", "n_iter_", "loss_", "loss_curve_", "reg_", "stop_reason_"}
    assert {name for name in names if hasattr(model, name)} in (set(), names)
    if is_fitted(model):
        probabilities = model.predict_proba(PROBE)
        assert probabilities.shape == (5, len(model.classes_))
        assert np.isfinite(probabilities).all()
        assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
        assert np.isin(model.predict(PROBE), model.classes_).all()


def assert_same(one, other):
    if sparse.issparse(one):
        one, other = one.toarray(), other.toarray()
    if one is None:
        assert other is None
    else:
        assert_array_equal(one, other)


def error_of(method, *inputs):
    """Call with inputs that are to stay as they are; return what an error says, or None."""
    before, message = copy.deepcopy(inputs), None
    try:
        method(*inputs)
    except (ValueError, AttributeError) as error:
        message = str(error)
    for one, other in zip(inputs, before, strict=True):
        assert_same(one, other)
    return message


class Session:
    """An estimator through actions; each returns whether it is to predict as before."""

    def __init__(self, model_class):
        self.model = model_class(max_iter=2, random_state=0)

    def fit(self, data):
        return error_of(self.model.fit, *data) is not None

    def partial_fit(self, data):
        if not hasattr(self.model, "partial_fit"):
            return False
        X, y, weights = data
        classes = None if is_fitted(self.model) else [0, 1, 2]
        return error_of(self.model.partial_fit, X, y, classes, weights) is not None

    def fit_spoiled(self, argument):
        data, how = argument
        message = error_of(self.model.fit, *spoil(data, how))
        if how == "width":  # no fault of a fit's
            return message is not None
        assert re.search(SPOILS[how], message), message
        return True

    def set(self, argument):
        name, value = argument
        is_known = name != "solver" or value in solvers_of(type(self.model))
        if name in self.model.get_params() and is_known:
            self.model.set_params(**{name: value})
        return False

    def fit_wrong(self, argument):
        (name, value), data = argument
        if name not in self.model.get_params():
            return False
        old = self.model.get_params()
        # rows may be too few for a split, which is no less of an error
        self.model.set_params(**{"early_stopping": False, name: value})
        message = error_of(self.model.fit, *data)
        assert name in message
        self.model.set_params(**old)
        return True

    def copy(self, copy_model):
        if not callable(self.model.schedule):  # a lambda cannot be pickled
            self.model = copy_model(self.model)
        assert not is_fitted(clone(self.model))
        return True


def check(model_class, sequence):
    session = Session(model_class)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for action, argument in sequence:
            before = predictions(session.model)
            is_as_before = getattr(session, action)(argument)
            if getattr(session.model, "n_features_in_", N_FEATURES) != N_FEATURES:
                return  # what is predicted for has another width
            assert_whole(session.model)
            if is_as_before:
                assert_same(before, predictions(session.model))


QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True}


@pytest.mark.parametrize("n_sequences", [100, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("model_class", MODEL_CLASSES)
def test_any_sequence_of_calls(model_class, n_sequences):
    run = given(actions)(lambda sequence: check(model_class, sequence))
    settings(max_examples=n_sequences, **QUIET)(run)()
