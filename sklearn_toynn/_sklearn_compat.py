"""Every private name that the package takes from scikit-learn, and every branch on its version.

`tests/test_sklearn_compat.py` says which of them a release has moved.
"""

from contextlib import nullcontext

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

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before 1.9

    class CallbackSupportMixin:
        """In the place of the class that has `set_callbacks`."""


__all__ = [
    "CALLBACK_STATE",
    "CallbackSupportMixin",
    "Interval",
    "StrOptions",
    "callback_context",
    "check_method_params",
    "check_parameters",
    "fit_context",
    "has_callbacks",
    "insert_error_scores",
    "is_multimetric",
    "propagated_callbacks",
    "report_fit_failures",
    "safe_split",
    "score_with",
    "validate_params",
]


def is_multimetric(scorer):
    """Say whether a scorer is one of several metrics by name, its `_scorers`."""
    return isinstance(scorer, _MultimetricScorer)


@fit_context(prefer_skip_nested_validation=True)
def check_parameters(estimator):
    """Raise what `fit` raises for wrong parameters, unless checks are switched off."""


#: The attributes of an estimator by which scikit-learn ends the callbacks of a failed fit too.
CALLBACK_STATE = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


class NoCallbacks:
    """In the place of a `CallbackContext` where there are no callbacks."""

    def subcontext(self, **task):  # noqa: ARG002
        """Return the context of a task within this one."""
        return self

    def call_on_fit_task_begin(self, **of_task):
        """Call nothing."""

    def call_on_fit_task_end(self, **of_task):
        """Call nothing."""


def has_callbacks(estimator):
    """Say whether `set_callbacks`, which scikit-learn has from 1.9 on, has set any."""
    return bool(getattr(estimator, "_skl_callbacks", []))


def callback_context(estimator, max_subtasks):
    """Return the context of an estimator's `fit`, for its callbacks."""
    if not has_callbacks(estimator):
        return NoCallbacks()
    return estimator._init_callback_context(max_subtasks=max_subtasks)


def propagated_callbacks(context, estimator):
    """Return a block in which an estimator calls a context's callbacks too, if it can."""
    if isinstance(context, NoCallbacks) or not hasattr(estimator, "set_callbacks"):
        return nullcontext()
    return context.propagate_callback_context(estimator)
