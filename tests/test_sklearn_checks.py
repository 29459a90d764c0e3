"""scikit-learn's common checks: of six configurations, and of every solver in the slow tests."""

import warnings
from unittest import SkipTest

import pytest
import sklearn
from helpers import solvers_of
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_toynn import (
    MultiLayerNetClassifier,
    MultiLayerNetClassifierCV,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn._training.solvers import SOLVERS

QUICK = [
    TwoLayerNetClassifier(n_nets=2),
    MultiLayerNetClassifier((10, 5)),
    SoftmaxClassifier(),
    SoftmaxClassifierCV(regs=2, cv=2),
    TwoLayerNetClassifierCV(regs=3, cv=2, n_nets=2, max_iter=5),
    MultiLayerNetClassifierCV((50, (20, 10)), regs=2, cv=2, n_nets=2, max_iter=20),
]
SLOW = [
    *(SoftmaxClassifier(solver=solver) for solver in solvers_of(SoftmaxClassifier)),
    *(TwoLayerNetClassifier(solver=solver) for solver in SOLVERS),
]
#: The number of checks that scikit-learn has for these estimators, by version.
N_CHECKS = {"1.6.0": 62, "1.6": 63, "1.7": 63, "1.8": 63, "1.9": 64}
LEAST_N_CHECKS = 50


def run_check(estimator, check):
    with warnings.catch_warnings():
        # the checks fit with few iterations; any other warning is an error
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            check(estimator)
        except SkipTest as skip:
            pytest.fail(f"scikit-learn skipped the check: {skip}")


def parametrize(estimators):
    # a list, because pytest 9.1 warns about the generator of scikit-learn before 1.9
    mark = parametrize_with_checks(estimators)
    return pytest.mark.parametrize(mark.args[0], list(mark.args[1]), **mark.kwargs)


@parametrize(QUICK)
def test_common_check(estimator, check):
    run_check(estimator, check)


@pytest.mark.slow
@parametrize(SLOW)
def test_common_check_of_each_solver(estimator, check):
    run_check(estimator, check)


def test_all_checks_were_collected(pytestconfig):
    n_collected = pytestconfig.n_common_checks
    minor = ".".join(sklearn.__version__.split(".")[:2])
    n_checks = N_CHECKS.get(sklearn.__version__, N_CHECKS.get(minor))
    if n_checks is not None:
        assert n_collected == n_checks * len(QUICK)
    assert n_collected >= LEAST_N_CHECKS * len(QUICK)
