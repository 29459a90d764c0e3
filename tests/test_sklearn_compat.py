"""Says by name which private part of scikit-learn a release has moved.

All of them are used in `_sklearn_compat.py`, or inherited from scikit-learn's searches.
"""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest
import sklearn
from helpers import HAS_CALLBACKS
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline

import sklearn_toynn
from sklearn_toynn import SoftmaxClassifier, _sklearn_compat

# module, name -> how it is called here: positional arguments, and names of keywords
FUNCTIONS = {
    ("sklearn.base", "_fit_context"): ([], ["prefer_skip_nested_validation"]),
    ("sklearn.model_selection._validation", "_fit_and_score"): (
        ["estimator", "X", "y"],
        [
            "scorer",
            "train",
            "test",
            "verbose",
            "parameters",
            "fit_params",
            "score_params",
            "return_train_score",
            "return_times",
            "error_score",
            "split_progress",
            "candidate_progress",
            *(["caller", "callback_ctx"] if HAS_CALLBACKS else []),
        ],
    ),
    ("sklearn.model_selection._validation", "_insert_error_scores"): (["results", "error"], []),
    ("sklearn.model_selection._validation", "_score"): (
        ["estimator", "X", "y", "scorer", "score_params", "error_score"],
        [],
    ),
    ("sklearn.model_selection._validation", "_warn_or_raise_about_fit_failures"): (
        ["results", "error_score"],
        [],
    ),
    ("sklearn.utils._param_validation", "validate_params"): (
        ["constraints"],
        ["prefer_skip_nested_validation"],
    ),
    ("sklearn.utils._user_interface", "_print_elapsed_time"): (["source", "message"], []),
    ("sklearn.utils.metaestimators", "_safe_split"): (
        ["estimator", "X", "y", "indices", "train_indices"],
        [],
    ),
    ("sklearn.utils.validation", "_check_method_params"): (["X"], ["params", "indices"]),
}
CLASSES = [
    ("sklearn.metrics._scorer", "_MultimetricScorer"),
    ("sklearn.utils._param_validation", "Interval"),
    ("sklearn.utils._param_validation", "StrOptions"),
]
PIPELINE_METHODS = {
    "_check_method_params": (0, ["method", "props"]),
    "_fit": (3, ["raw_params", *(["callback_ctx"] if HAS_CALLBACKS else [])]),
    "_get_metadata_for_step": (0, ["step_idx", "step_params", "all_params"]),
    "_log_message": (1, []),
}
SEARCH_METHODS = {
    "_get_scorers": 0,
    "_get_routed_params_for_fit": 1,
    "_check_refit_for_multimetric": 1,
    "_format_results": 3,
}


def look_up(module, name):
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        pytest.fail(f"scikit-learn {sklearn.__version__} has no {module}.{name}: {error}")


def check_call(function, name, n_positional, keywords=()):
    try:
        inspect.signature(function).bind(*range(n_positional), **dict.fromkeys(keywords))
    except TypeError as error:
        pytest.fail(f"scikit-learn {sklearn.__version__} has changed {name}: {error}")


@pytest.mark.parametrize(("module", "name"), FUNCTIONS)
def test_function(module, name):
    positional, keywords = FUNCTIONS[module, name]
    check_call(look_up(module, name), f"{module}.{name}", len(positional), keywords)


@pytest.mark.parametrize(("module", "name"), CLASSES)
def test_class(module, name):
    assert inspect.isclass(look_up(module, name)), f"{module}.{name} is no class any more"


@pytest.mark.parametrize("name", PIPELINE_METHODS)
def test_method_of_pipelines(name):
    method = getattr(Pipeline, name, None)
    assert method is not None, f"Pipeline.{name} is gone"
    n_positional, keywords = PIPELINE_METHODS[name]
    check_call(method, f"Pipeline.{name}", 1 + n_positional, keywords)


@pytest.mark.parametrize("search_class", [GridSearchCV, RandomizedSearchCV])
@pytest.mark.parametrize("name", SEARCH_METHODS)
def test_method_of_searches(search_class, name):
    method = getattr(search_class, name, None)
    assert method is not None, f"{search_class.__name__}.{name} is gone"
    check_call(method, f"{search_class.__name__}.{name}", 1 + SEARCH_METHODS[name])


def test_select_best_index_of_searches():
    select = getattr(GridSearchCV, "_select_best_index", None)
    assert select is not None, "GridSearchCV._select_best_index is gone"
    check_call(select, "GridSearchCV._select_best_index", 3)


def test_scorers_and_routed_parameters():
    search = GridSearchCV(SoftmaxClassifier(), {}, scoring=["accuracy"], refit="accuracy")
    scorer, refit_metric = search._get_scorers()
    assert refit_metric == "accuracy"
    assert _sklearn_compat.is_multimetric(scorer)
    assert list(scorer._scorers) == ["accuracy"]
    assert not _sklearn_compat.is_multimetric(search.get_params()["scoring"])
    routed = search._get_routed_params_for_fit({"groups": None})
    assert routed.estimator.fit == {}
    assert routed.scorer.score == {}
    assert routed.splitter.split == {"groups": None}


def test_attributes_of_scorers():
    for name in ("_score_func", "_kwargs", "_response_method"):
        assert hasattr(get_scorer("f1"), name), f"scorers have no {name} any more"


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
    with _sklearn_compat.propagated_callbacks(context, search):
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
    with _sklearn_compat.propagated_callbacks(context, search):
        pass


def test_private_names_are_imported_in_one_module_alone():
    package = Path(sklearn_toynn.__file__).parent
    private = re.compile(r"^\s*(from sklearn[\w.]*\._|from sklearn\S* import .*\b_[a-z])", re.M)
    found = [path.name for path in package.rglob("*.py") if private.search(path.read_text())]
    assert found == ["_sklearn_compat.py"]
