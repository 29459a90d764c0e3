"""`_sklearn_compat.py` contains all uses of private names of scikit-learn, and these exist."""

import re
from pathlib import Path

import pytest
import sklearn
from helpers import HAS_CALLBACKS
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV

import sklearn_toynn
from sklearn_toynn import SoftmaxClassifier, _sklearn_compat


@pytest.mark.parametrize(
    ("scoring", "count", "is_accuracy"),
    [
        (None, 1, True),
        ("accuracy", 1, True),
        (make_scorer(accuracy_score, normalize=False), 1, False),
        (["accuracy", "neg_log_loss"], 2, False),
        ({"a": "accuracy", "b": max}, None, False),
    ],
)
def test_properties_of_a_scorer(scoring, count, is_accuracy):
    search = GridSearchCV(SoftmaxClassifier(), {}, scoring=scoring, refit=False)
    scorer, _ = search._get_scorers()
    scorers = _sklearn_compat.get_scorers(scorer)
    assert (scorers and len(scorers)) == count
    assert _sklearn_compat.is_accuracy(scorer) == is_accuracy


def test_parameters_are_checked_as_before_fit():
    assert hasattr(BaseEstimator, "_validate_params"), "BaseEstimator._validate_params is gone"
    with pytest.raises(ValueError, match="'reg' parameter of SoftmaxClassifier"):
        _sklearn_compat.check_parameters(SoftmaxClassifier(reg=-1))
    with sklearn.config_context(skip_parameter_validation=True):
        _sklearn_compat.check_parameters(SoftmaxClassifier(reg=-1))


def test_callbacks_exist_from_scikit_learn_1_9_on():
    assert hasattr(SoftmaxClassifier, "set_callbacks") == HAS_CALLBACKS
    search = GridSearchCV(SoftmaxClassifier(), {})
    assert not _sklearn_compat.has_callbacks(search)
    context = _sklearn_compat.callback_context(search, max_subtasks=1)
    assert isinstance(context, _sklearn_compat.NoCallbacks)


def test_private_names_are_imported_in_only_one_module():
    package = Path(sklearn_toynn.__file__).parent
    private = re.compile(r"^\s*(from sklearn[\w.]*\._|from sklearn\S* import .*\b_[a-z])", re.M)
    found = [path.name for path in package.rglob("*.py") if private.search(path.read_text())]
    assert found == ["_sklearn_compat.py"]
