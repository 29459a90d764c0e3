"""scikit-learn's tests of MLPClassifier, LogisticRegression and the searches, run on our classes.

`LEFT_OUT` names each test that does not apply and the reason. It may name tests that the installed
version of scikit-learn does not have.
"""

import inspect
from dataclasses import replace
from functools import wraps
from unittest import mock

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.linear_model.tests import test_logistic
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.model_selection.tests import test_search
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.neural_network.tests import test_mlp
from sklearn.utils.fixes import parse_version

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifier
from sklearn_toynn._nets.network import Network
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
        alpha / 200,  # theirs is divided by the rows of a batch
        activation=activation,
        learning_rate=learning_rate_init,
        schedule=schedules[learning_rate],
        init="glorot",
        max_iter=max_iter,
        tol=tol,
        n_iter_no_change=int(min(n_iter_no_change, 10**9)),
        **same,
    )


class Line(SoftmaxClassifier):
    """Softmax regression with the parameters and attributes of `LogisticRegression`."""

    def __init__(
        self,
        C=1.0,
        *,
        fit_intercept=True,
        solver="lbfgs",
        tol=1e-4,
        max_iter=100,
        penalty="l2",
        multi_class="deprecated",  # of scikit-learn 1.6 and 1.7
        class_weight=None,
        random_state=None,
        warm_start=False,
        verbose=0,
    ):
        super().__init__(
            solver=solver if solver == "lbfgs" else "newton",
            tol=tol,
            max_iter=max_iter,
            class_weight=class_weight,
            random_state=random_state,
            warm_start=warm_start,
            verbose=verbose,
        )
        # fit_intercept=False has no effect, which most tests do not notice
        self.C, self.fit_intercept = C, fit_intercept
        self.penalty, self.multi_class = penalty, multi_class

    def _resolve_reg(self, problem):
        if self.penalty is None:
            return 0.0
        return super()._resolve_reg(problem) / self.C  # "auto" is C=1

    def _resolve_options(self, problem, **kwargs):
        # the gap of the objective is about the square of the error of the weights
        tol = max(self.tol**2, 1e-14)
        return replace(super()._resolve_options(problem, **kwargs), tol=tol)

    @property
    def n_iter_(self):
        return np.array([self._n_iter], dtype=np.int32)

    @n_iter_.setter
    def n_iter_(self, n_iter):
        self._n_iter = n_iter

    # LogisticRegression has one row for two classes: the second class minus the first
    def _set_layers(self, results):
        super()._set_layers(results)
        if len(self.coef_) == 2:
            self.coef_, self.intercept_ = np.diff(self.coef_, axis=0), np.diff(self.intercept_)

    def _get_networks(self):
        coef, intercept = self.coef_, self.intercept_
        if len(coef) == 1:
            coef, intercept = np.r_[-coef, coef] / 2, np.r_[-intercept, intercept] / 2
        return [Network.from_layers([coef], [intercept], None)]


class AnyMessage:
    """pytest, but it ignores the texts of errors and warnings."""

    def __getattr__(self, name):
        return getattr(pytest, name)

    def raises(self, error, match=None):
        return pytest.raises(error)

    def warns(self, warning, match=None):
        return pytest.warns(warning)


# ---- what does not apply

#: The replacement of parameters that have no counterpart.
ABSENT = object()
NO_COUNTERPART = ("liblinear", "sag", "saga", "ovr")

#: The tests that do not apply, by module and reason. The parameters `MLPRegressor` and
#: `LogisticRegressionCV` are removed from all other tests.
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
    "logistic": {
        "L1 and elastic net": """check_solver_option elasticnet_l1_ratio_err_helpful logreg_l1
            logreg_l1_sparse_data logistic_regression_cv_refit saga_vs_liblinear elastic_net_coeffs
            elastic_net_l1_l2_equivalence elastic_net_vs_l1_l2 elastic_net_versus_sgd
            LogisticRegression_elastic_net_objective l1_ratio_None_deprecated
            LogisticRegressionCV_GridSearchCV_elastic_net l1_ratio_non_elasticnet
            lr_penalty_l1ratio_incompatible""",
        "liblinear and sag": """liblinear_dual_random_state liblinear_decision_function_zero
            sample_and_class_weight_equivalence_liblinear logreg_intercept_scaling_zero
            logisticregression_liblinear_sample_weight liblinear_with_large_values
            liblinear_not_stuck liblinear_multiclass_raises""",
        "fit_intercept=False": "logistic_cv",
        "penalty=None; reg=0 has one name": "penalty_none penalty_deprecated",
        "multi_class": """multinomial_binary multinomial_binary_probabilities
            multi_class_deprecated logistic_regression_multi_class_auto lr_liblinear_warning
            LogisticRegressionCV_GridSearchCV_elastic_net_ovr""",
        "sparsify": "sparsify",
        "n_jobs, without effect": """logisticregression_warns_with_n_jobs
            logistic_cv_multinomial_score""",
        "max_iter=0": "zero_max_iter logistic_regression_callback_support",
        "private functions": """logreg_predict_proba_multinomial consistency_path
            logistic_regression_path_convergence_fail logistic_regression_path_coefs_multinomial
            logistic_regression_path_init_coefs newton_cholesky_fallback_to_lbfgs
            get_default_scorer""",
        "LogisticRegressionCV": """logistic_cv_refit_false_non_elasticnet logistic_cv_mock_scorer
            multinomial_cv_iris logistic_cv_folds_with_classes_missing logistic_cv_sparse
            logistic_regressioncv_class_weights LogisticRegressionCV_no_refit
            LogisticRegressionCV_elasticnet_attribute_shapes LogisticRegressionCV_on_folds
            scores_attribute_layout_elasticnet lr_cv_scores_differ_when_sample_weight_is_requested
            lr_cv_scores_without_enabling_metadata_routing lr_scoring_warns
            passing_params_without_enabling_metadata_routing
            logisticregressioncv_warns_with_use_legacy_attributes""",
        "array API": """logistic_regression_array_api_compliance
            logistic_regression_array_api_warm_start""",
        "every solver calls back": "logistic_regression_callback_support_warning",
    },
    "search": {
        "array API": "array_api_search_cv_classifier",
        "the enumeration of candidates, scikit-learn's own": """validate_parameter_input
            parameter_grid param_sampler parameters_sampler_replacement
            yield_masked_array_for_each_param yield_masked_array_no_runtime_warning""",
    },
}

VERSION = parse_version(sklearn.__version__)
if parse_version("1.8") > VERSION:
    LEFT_OUT["logistic"]["an n_iter_ for each class by multi_class='ovr'"] = "n_iter"

MODULES = {
    "mlp": (test_mlp, {MLPClassifier: make_net, MLPRegressor: ABSENT}),
    "logistic": (test_logistic, {LogisticRegression: Line, LogisticRegressionCV: ABSENT}),
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
    return ABSENT if isinstance(value, str) and value in NO_COUNTERPART else value


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
    if names == "fit_intercept":
        cases = [True]
    return pytest.mark.parametrize(names, cases, *rest, **mark.kwargs)


def adapt(function, module, ours):
    """Return a test that uses our classes instead of scikit-learn's."""
    replacements = {theirs.__name__: own for theirs, own in ours.items() if own is not ABSENT}
    if module is not test_search or parse_version("1.9") > VERSION:
        replacements["pytest"] = AnyMessage()
    if hasattr(module, "SOLVERS"):
        replacements["SOLVERS"] = [name for name in module.SOLVERS if name not in NO_COUNTERPART]

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
