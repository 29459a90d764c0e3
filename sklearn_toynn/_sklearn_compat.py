"""Every private name that the package takes from scikit-learn, and every branch on its version.

`tests/test_sklearn_compat.py` says which of them a release has moved.
"""

from sklearn.base import _fit_context as fit_context
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection._validation import (
    _insert_error_scores as insert_error_scores,
)
from sklearn.model_selection._validation import (
    _score as score_with,
)
from sklearn.model_selection._validation import (
    _warn_or_raise_about_fit_failures as report_fit_failures,
)
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.metaestimators import _safe_split as safe_split
from sklearn.utils.validation import _check_method_params as check_method_params

__all__ = [
    "Interval",
    "StrOptions",
    "check_method_params",
    "fit_context",
    "insert_error_scores",
    "is_multimetric",
    "report_fit_failures",
    "safe_split",
    "score_with",
    "validate_params",
]


def is_multimetric(scorer):
    """Say whether a scorer is one of several metrics by name, its `_scorers`."""
    return isinstance(scorer, _MultimetricScorer)
