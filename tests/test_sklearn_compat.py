"""Private parts of scikit-learn behave as `_sklearn_compat.py` expects."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import sklearn
from helpers import HAS_CALLBACKS
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, f1_score, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.model_selection._validation import _fit_and_score

import sklearn_toynn
from sklearn_toynn import SoftmaxClassifier, _sklearn_compat


def check_call(function, name, n_positional, keywords=()):
    try:
        inspect.signature(function).bind(*range(n_positional), **dict.fromkeys(keywords))
    except TypeError as error:
        pytest.fail(f"scikit-learn {sklearn.__version__} has changed {name}: {error}")


def test_a_search_runs_its_fits_by_the_given_class():
    class Runner:
        def __init__(self, n_jobs, pre_dispatch):
            runners.append(self)
            self.arguments = n_jobs, pre_dispatch

        def __enter__(self):
            return self

        def __exit__(self, *exc_info):
            pass

        def __call__(self, calls):
            self.calls = list(calls)
            raise InterruptedError

    search, runners = GridSearchCV(SoftmaxClassifier(), {"reg": [0.1]}, n_jobs=3, cv=2), []
    X, y = np.eye(4), [0, 1, 0, 1]
    with pytest.raises(InterruptedError):
        _sklearn_compat.fit_search(search, Runner, X, y, {})
    assert runners[0].arguments == (3, "2*n_jobs")
    (function, (estimator, *rows), kwargs), _ = runners[0].calls
    assert function is _fit_and_score
    assert isinstance(estimator, SoftmaxClassifier)
    assert rows == [X, y]
    assert kwargs["split_progress"] == (0, 2)
    assert kwargs["candidate_progress"] == (0, 1)
    names = {"scorer", "train", "test", "parameters", "fit_params", "score_params"}
    assert names | {"verbose", "error_score", "return_train_score"} <= set(kwargs)


@pytest.mark.parametrize(
    ("scoring", "count", "is_accuracy"),
    [
        (None, 1, True),
        ("accuracy", 1, True),
        (make_scorer(accuracy_score, normalize=False), 1, False),
        (make_scorer(accuracy_score, greater_is_better=False), 1, False),
        (["accuracy", "neg_log_loss"], 2, False),
        (make_scorer(f1_score, average="macro"), 1, False),
        (max, None, False),
        ({"a": "accuracy", "b": max}, None, False),
    ],
)
def test_what_is_known_of_a_scorer(scoring, count, is_accuracy):
    search = GridSearchCV(SoftmaxClassifier(), {}, scoring=scoring, refit=False)
    scorer, _ = search._get_scorers()
    scorers = _sklearn_compat.get_scorers(scorer)
    assert (scorers and len(scorers)) == count
    assert _sklearn_compat.is_accuracy(scorer) == is_accuracy


def test_parameters_are_checked_as_before_fit():
    assert hasattr(BaseEstimator, "_validate_params"), "BaseEstimator._validate_params is gone"
    _sklearn_compat.check_parameters(SoftmaxClassifier())
    with pytest.raises(ValueError, match="'reg' parameter of SoftmaxClassifier"):
        _sklearn_compat.check_parameters(SoftmaxClassifier(reg=-1))
    with sklearn.config_context(skip_parameter_validation=True):
        _sklearn_compat.check_parameters(SoftmaxClassifier(reg=-1))


def test_callbacks():
    search = GridSearchCV(SoftmaxClassifier(), {})
    assert hasattr(search, "set_callbacks") == HAS_CALLBACKS
    assert not _sklearn_compat.has_callbacks(search)
    context = _sklearn_compat.callback_context(search, max_subtasks=1)
    assert isinstance(context, _sklearn_compat.NoCallbacks)
    with context.propagate_callback_context(search):
        assert context.subcontext(task_name="fold") is context


@pytest.mark.skipif(not HAS_CALLBACKS, reason="needs scikit-learn >= 1.9")
def test_contexts_of_callbacks():
    class Callback:
        """Notes what is called."""

        def setup(self, estimator, context):
            pass

        teardown = on_fit_task_begin = on_fit_task_end = setup

    search = GridSearchCV(SoftmaxClassifier(), {}).set_callbacks(Callback())
    assert _sklearn_compat.has_callbacks(search), "set_callbacks sets no _skl_callbacks any more"
    context = _sklearn_compat.callback_context(search, max_subtasks=2)
    for call in (context.call_on_fit_task_begin, context.call_on_fit_task_end):
        check_call(call, call.__name__, 0, ["estimator", "X", "y", "metadata"])
    keywords = ["task_name", "task_id", "max_subtasks", "sequential_subtasks"]
    check_call(context.subcontext, "subcontext", 0, keywords)
    with context.propagate_callback_context(search):
        pass


def test_private_names_are_imported_in_one_module_alone():
    package = Path(sklearn_toynn.__file__).parent
    private = re.compile(r"^\s*(from sklearn[\w.]*\._|from sklearn\S* import .*\b_[a-z])", re.M)
    found = [path.name for path in package.rglob("*.py") if private.search(path.read_text())]
    assert found == ["_sklearn_compat.py"]
