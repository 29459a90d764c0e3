"""scikit-learn's tests of its searches, run on the fused searches."""

import inspect
from functools import wraps
from unittest import mock

import pytest
import sklearn
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.model_selection.tests import test_search
from sklearn.utils.fixes import parse_version

from sklearn_toynn.model_selection import FusedGridSearchCV, FusedRandomizedSearchCV

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

OURS = {GridSearchCV: FusedGridSearchCV, RandomizedSearchCV: FusedRandomizedSearchCV}

#: The tests that do not apply: of the array API, and of scikit-learn's enumeration of candidates.
#: The installed version of scikit-learn may lack some of them.
LEFT_OUT = """array_api_search_cv_classifier validate_parameter_input parameter_grid param_sampler
    parameters_sampler_replacement yield_masked_array_for_each_param
    yield_masked_array_no_runtime_warning"""


class AnyMessage:
    """pytest, but it ignores the texts of errors and warnings."""

    def __getattr__(self, name):
        return getattr(pytest, name)

    def raises(self, error, match=None):
        return pytest.raises(error)

    def warns(self, warning, match=None):
        return pytest.warns(warning)


def replace(value):
    """Return our counterpart of a test's parameter, or the parameter itself."""
    if inspect.isclass(value):
        return OURS.get(value, value)
    if type(value) in OURS:
        return OURS[type(value)](**value.get_params(deep=False))
    return value


def replace_parameters(mark):
    """Return a mark with our classes as parameters."""
    if mark.name != "parametrize":
        return mark
    names, values, *rest = mark.args
    is_one = isinstance(names, str) and "," not in names
    cases = []
    for case in values:
        if not hasattr(case, "marks"):
            case = pytest.param(*([case] if is_one else case))  # noqa: PLW2901
        cases.append(case._replace(values=[replace(value) for value in case.values]))
    return pytest.mark.parametrize(names, cases, *rest, **mark.kwargs)


def adapt(function):
    """Return a test that uses our classes instead of scikit-learn's."""
    replacements = {theirs.__name__: own for theirs, own in OURS.items()}
    if parse_version(sklearn.__version__) < parse_version("1.9"):
        replacements["pytest"] = AnyMessage()

    @wraps(function)
    def test(*args, **kwargs):
        with mock.patch.multiple(test_search, **replacements):
            function(*args, **kwargs)

    test.pytestmark = [replace_parameters(mark) for mark in getattr(function, "pytestmark", [])]
    return test


@pytest.fixture
def global_random_seed():
    return 42  # scikit-learn's default


for _name, _function in vars(test_search).items():
    _is_test = _name.startswith("test_") and callable(_function)
    if _is_test and _name.removeprefix("test_") not in LEFT_OUT.split():
        globals()[_name] = adapt(_function)
