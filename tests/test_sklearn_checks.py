"""scikit-learn's common checks, over both estimators and every solver."""

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._solvers import SOLVERS

ESTIMATORS = [
    SoftmaxClassifier(),
    TwoLayerNetClassifier(),
    *(SoftmaxClassifier(solver=solver) for solver in SOLVERS),
    *(TwoLayerNetClassifier(solver=solver) for solver in SOLVERS),
]

n_checks_run = 0


@parametrize_with_checks(ESTIMATORS)
def test_common_check(estimator, check):
    global n_checks_run  # noqa: PLW0603
    with warnings.catch_warnings():
        # the checks fit with few iterations; any other warning is an error
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)
    n_checks_run += 1
