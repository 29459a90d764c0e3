"""Every private name that the package takes from scikit-learn, and every branch on its version."""

from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

__all__ = ["Interval", "StrOptions", "fit_context", "validate_params"]
