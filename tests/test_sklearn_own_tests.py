"""scikit-learn's tests of MLPClassifier and the searches, run on our classes.

`LEFT_OUT` names each test that does not apply and the reason. It may name tests that the installed
version of scikit-learn does not have.
"""

import inspect
from functools import wraps
from unittest import mock

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.model_selection.tests import test_search
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.neural_network.tests import test_mlp
from sklearn.utils.fixes import parse_version

from sklearn_toynn import MultiLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV, FusedRandomizedSearchCV

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),
]


# ---- our classes with scikit-learn's parameters


class Net(MultiLayerNetClassifier):
    @property
    def validation_scores_(self):
        return self.validation_loss_curve_


def make_net(
    hidden_layer_sizes=(100,),
    activation="relu",
    *,
    alpha=1e-4,
    learning_rate="constant",
    learning_rate_init=1e-3,
    max_iter=200,
    tol=1e-4,
    n_iter_no_change=10,
    **same,
):
    """Return the net for the parameters of `MLPClassifier`."""
    schedules = {"constant": "constant", "invscaling": "inverse", "adaptive": "plateau"}
    return Net(
        tuple(np.atleast_1d(hidden_layer_sizes)),
        alpha / 200,  # MLPClassifier divides alpha by the rows of a batch
        activation=activation,
        learning_rate=learning_rate_init,
        schedule=schedules[learning_rate],
        init="glorot",
        max_iter=max_iter,
        tol=tol,
        n_iter_no_change=int(min(n_iter_no_change, 10**9)),
        **same,
    )


class AnyMessage:
    """pytest, but it ignores the texts of errors and warnings."""

    def __getattr__(self, name):
        return getattr(pytest, name)

    def raises(self, error, match=None):
        return pytest.raises(error)

    def warns(self, warning, match=None):
        return pytest.warns(warning)


# ---- tests that do not apply

#: The replacement of parameters that have no counterpart.
ABSENT = object()

#: The tests that do not apply, by module and reason. The parameter `MLPRegressor` is
#: removed from all other tests.
LEFT_OUT = {
    "mlp": {
        "regression": """lbfgs_regression lbfgs_regression_maxfun multioutput_regression
            partial_fit_regression nonfinite_params shuffle mlp_regressor_dtypes_casting
            mlp_loading_from_joblib_partial_fit mlp_diverging_loss minimum_input_sample_size
            mlp_sample_weight_with_early_stopping mlp_vs_poisson_glm_equivalent
            mlp_regressor_poisson_y_non_negative mlp_regressor""",
        "multi-label y": "multilabel_classification predict_proba_multilabel",
        "one output for two classes, set by hand": "fit",
        "private attributes": """gradient adaptive_learning_rate n_iter_no_change
            n_iter_no_change_inf""",
        "max_fun": "lbfgs_classification_maxfun",
        "power_t": "learning_rate_warmstart",
        "early stopping goes by the log loss, not the accuracy": "early_stopping",
        "rows of a rare class stay in the training set": "early_stopping_stratified",
        "y of one class is refused": "preserve_feature_names",
        "the words that verbose prints": "verbose_sgd",
    },
    "search": {
        "array API": "array_api_search_cv_classifier",
        "the enumeration of candidates, scikit-learn's own": """validate_parameter_input
            parameter_grid param_sampler parameters_sampler_replacement
            yield_masked_array_for_each_param yield_masked_array_no_runtime_warning""",
    },
}

VERSION = parse_version(sklearn.__version__)

MODULES = {
    "mlp": (test_mlp, {MLPClassifier: make_net, MLPRegressor: ABSENT}),
    "search": (
        test_search,
        {GridSearchCV: FusedGridSearchCV, RandomizedSearchCV: FusedRandomizedSearchCV},
    ),
}


# ---- the tests


@pytest.fixture
def global_random_seed():
    return 42  # scikit-learn's default


def replace_class(value, ours):
    """Return our counterpart of a test's parameter, `ABSENT`, or the parameter itself."""
    if inspect.isclass(value):
        return ours.get(value, value)
    if type(value) in ours:
        defaults = inspect.signature(type(value)).parameters
        params = value.get_params(deep=False).items()
        params = {name: v for name, v in params if v is not defaults[name].default}
        return ABSENT if ours[type(value)] is ABSENT else ours[type(value)](**params)
    return value


def replace_parameters(mark, ours):
    """Return a mark with our classes as parameters, without those that have no counterpart."""
    if mark.name != "parametrize":
        return mark
    names, values, *rest = mark.args
    cases = []
    for case in values:
        is_one = isinstance(names, str) and "," not in names
        if not hasattr(case, "marks"):
            case = pytest.param(*([case] if is_one else case))  # noqa: PLW2901
        replaced = [replace_class(value, ours) for value in case.values]
        if not any(value is ABSENT for value in replaced):
            cases.append(case._replace(values=replaced))
    return pytest.mark.parametrize(names, cases, *rest, **mark.kwargs)


def adapt(function, module, ours):
    """Return a test that uses our classes instead of scikit-learn's."""
    replacements = {theirs.__name__: own for theirs, own in ours.items() if own is not ABSENT}
    if module is not test_search or parse_version("1.9") > VERSION:
        replacements["pytest"] = AnyMessage()

    @wraps(function)
    def test(*args, **kwargs):
        with mock.patch.multiple(module, **replacements):
            function(*args, **kwargs)

    marks = getattr(function, "pytestmark", [])
    test.pytestmark = [replace_parameters(mark, ours) for mark in marks]
    return test


for _title, (_module, _ours) in MODULES.items():
    _left_out = " ".join(LEFT_OUT[_title].values()).split()
    for _name, _function in vars(_module).items():
        _name = _name.removeprefix("test_")
        if callable(_function) and f"test_{_name}" in vars(_module) and _name not in _left_out:
            globals()[f"test_{_title}_{_name}"] = adapt(_function, _module, _ours)
