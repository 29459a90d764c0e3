"""All uses of scikit-learn's private names, and all branches on its version.

`tests/test_sklearn_compat.py` tests what they do.
"""

from __future__ import annotations

from contextlib import nullcontext
from copy import copy
from inspect import getattr_static, signature, unwrap
from numbers import Real
from types import FunctionType
from typing import Any, Self

import numpy as np
from joblib import delayed
from sklearn import get_config
from sklearn.base import _fit_context
from sklearn.metrics import accuracy_score
from sklearn.metrics._scorer import _MultimetricScorer, _PassthroughScorer, _Scorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import _score as score_with
from sklearn.pipeline import Pipeline
from sklearn.utils import _available_if, _param_validation
from sklearn.utils._param_validation import StrOptions
from sklearn.utils._param_validation import validate_params as _validate_params
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.metaestimators import _safe_split as safe_split
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import _check_method_params as check_method_params

from ._typing import as_typed

# names for other modules
__all__ = [
    "StrOptions",
    "check_feature_names_in",
    "check_method_params",
    "safe_split",
    "score_with",
]


# scikit-learn has no type hints
@as_typed
def available_if(check):
    """Return scikit-learn's decorator of this name, but raise the error of `check` itself."""
    return lambda method: AvailableIf(method, check, method.__name__)


fit_context = as_typed(_fit_context)
validate_params = as_typed(_validate_params)


class AvailableIf(_available_if._AvailableIfDescriptor):
    """A method that exists unless a check of its object raises an AttributeError."""

    def _check(self, obj, owner):  # noqa: ARG002
        self.check(obj)


class Interval(_param_validation.Interval):
    """An interval of numbers. True and False do not count as numbers."""

    def is_satisfied_by(self, val):
        """Return whether a value is a number in the interval."""
        return not isinstance(val, bool) and super().is_satisfied_by(val)


#: The methods of a callback.
HOOKS = ("setup", "on_fit_task_begin", "on_fit_task_end", "teardown")

try:
    from sklearn.callback import CallbackSupportMixin as OwnCallbackSupportMixin

    class CallbackSupportMixin(OwnCallbackSupportMixin):
        """`set_callbacks` with an error that names the missing methods of a callback."""

        def set_callbacks(self, *callbacks: Any) -> Self:
            """Set the callbacks of `fit`.

            Parameters
            ----------
            *callbacks : callback instances
                As in scikit-learn's estimators. Without arguments, all are removed.

            Returns
            -------
            self : estimator
                The estimator.

            Raises
            ------
            TypeError
                If a callback is a class or lacks methods. The message names the missing methods.
            """
            for callback in callbacks:
                missing = [name for name in HOOKS if not callable(getattr(callback, name, None))]
                if missing:
                    raise TypeError(
                        f"callbacks must have the methods {HOOKS}, {callback!r} lacks {missing}."
                    )
            return super().set_callbacks(*callbacks)

except ImportError:  # before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """A placeholder for the class that has `set_callbacks`."""


def fit_search(search, parallel_class, X, y, params):
    """Run `GridSearchCV.fit` with `parallel_class` instead of joblib's `Parallel`.

    scikit-learn has no option for this. A copy of the method runs, so that other searches at the
    same time keep `Parallel`.
    """
    fit = unwrap(BaseSearchCV.fit)  # without the decorator that checks the parameters
    names = fit.__globals__ | {"Parallel": parallel_class, "delayed": delayed}
    return FunctionType(fit.__code__, names, closure=fit.__closure__)(search, X, y, **params)


def get_scorers(scorer):
    """Return the scorers that a scorer consists of, or None for a scorer of unknown behavior.

    Scorers by name and from `make_scorer` only request predictions from a fitted model.
    """
    if isinstance(scorer, FoldScorer):
        scorer = scorer._scorer
    is_multimetric = isinstance(scorer, _MultimetricScorer)
    scorers = list(scorer._scorers.values()) if is_multimetric else [scorer]
    is_known = all(isinstance(one, _Scorer | _PassthroughScorer) for one in scorers)
    return scorers if is_known else None


def asks_for_probabilities(scorer):
    """Return whether a scorer from `make_scorer` requests probabilities from a model."""
    return "predict_proba" in getattr(scorer, "_response_method", ())


def accepts_weights(scorer):
    """Return whether the metric of a scorer has a parameter `sample_weight`, as far as known."""
    metric = getattr(scorer, "_score_func", None)
    return metric is None or "sample_weight" in signature(metric).parameters


def is_accuracy(scorer):
    """Return whether a scorer only compares labels: "accuracy", or a classifier's `score`."""
    if isinstance(scorer, FoldScorer):
        if scorer.keeps_predictions:
            return False
        scorer = scorer._scorer
    return isinstance(scorer, _PassthroughScorer) or (
        isinstance(scorer, _Scorer)
        and scorer._score_func is accuracy_score
        and (scorer._response_method, scorer._sign, scorer._kwargs) == ("predict", 1, {})
    )


class KeptScore(float):
    """A score with the log-probabilities (n_rows, n_classes) of the rows that were scored.

    It is a float, so it passes through scikit-learn's evaluation of a candidate, also from
    another process.
    """

    def __new__(cls, score, log_probabilities):  # noqa: ARG004
        return super().__new__(cls, score)

    def __init__(self, score, log_probabilities):  # noqa: ARG002
        self.log_probabilities = log_probabilities

    def __getnewargs__(self):
        return float(self), self.log_probabilities


class FoldScorer:
    """A scorer that passes the classes to its metric, as `LogisticRegressionCV` does from 1.9 on.

    A metric that has a parameter `labels` gets all classes, so it does not infer them from a test
    fold that lacks some. With two classes, `pos_label` is the last one, or None if the metric
    averages over both. Arguments given to `make_scorer` take precedence. Scorers that
    `make_scorer` did not make get no arguments. `needs_classes` says whether the metric needs a
    prediction for each class of the test fold. With `keeps_predictions`, a score is a `KeptScore`.
    """

    def __init__(self, scorer, classes, *, keeps_predictions=False):
        self._scorer, self._classes = scorer, classes
        self.keeps_predictions = keeps_predictions
        metric, given = getattr(scorer, "_score_func", None), getattr(scorer, "_kwargs", {})
        parameters = {} if metric is None else signature(metric).parameters
        self._takes_labels = "labels" in parameters and "labels" not in given
        self._takes_pos_label = "pos_label" in parameters and (
            # the Brier score has no `labels` before 1.7
            "labels" in parameters or parameters["pos_label"].default is None
        )
        self._is_average = given.get("average", "binary") != "binary"
        self.needs_classes = self._takes_labels and scorer._response_method != "predict"

    def __repr__(self):
        return repr(self._scorer)

    def get_metadata_routing(self):
        """Return the metadata requests of the scorer."""
        return get_routing_for_object(self._scorer)

    def __call__(self, estimator, X, y, **params):
        """Return the score."""
        # predictions have a column for each class of the training fold
        labels = estimator.classes_ if self.needs_classes else self._classes
        names = {}
        if self._takes_labels:
            names["labels"] = labels
        if self._takes_pos_label and len(labels) == 2:
            names["pos_label"] = None if self._is_average else labels[-1]
        scorer = self._scorer
        if names:
            scorer = copy(scorer)
            scorer._kwargs = names | scorer._kwargs
        score = scorer(estimator, X, y, **params)
        if not (self.keeps_predictions and isinstance(score, Real)):
            return score
        known = np.searchsorted(self._classes, estimator.classes_)
        log_probabilities = np.full((len(y), len(self._classes)), -np.inf, np.float32)
        log_probabilities[:, known] = estimator.predict_log_proba(X)
        return KeptScore(score, log_probabilities)


@fit_context(prefer_skip_nested_validation=True)
def check_parameters(estimator):
    """Raise the errors of `fit` for invalid parameters, unless checks are switched off."""


#: The attributes of an estimator that scikit-learn needs to end the callbacks of a failed fit.
CALLBACK_STATE = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")

#: The module and name of imbalanced-learn's pipeline. It may not be installed.
PIPELINE_OF_IMBLEARN = ("imblearn.pipeline", "Pipeline")


class NoCallbacks:
    """A `CallbackContext` without callbacks."""

    def subcontext(self, **task):  # noqa: ARG002
        """Return the context of a task within this one."""
        return self

    def call_on_fit_task_begin(self, **of_task):
        """Do nothing."""

    def call_on_fit_task_end(self, **of_task):
        """Do nothing."""

    def propagate_callback_context(self, estimator):  # noqa: ARG002
        """Return a context manager that does nothing."""
        return nullcontext()


def has_callbacks(estimator):
    """Return whether `set_callbacks`, which scikit-learn has from 1.9 on, has set any."""
    return bool(getattr(estimator, "_skl_callbacks", []))


def callback_context(estimator, max_subtasks):
    """Return the context of an estimator's `fit` for its callbacks."""
    if not has_callbacks(estimator):
        return NoCallbacks()
    return estimator._init_callback_context(max_subtasks=max_subtasks)


def stock_pipeline(estimator):
    """Return the `Pipeline` of scikit-learn or imbalanced-learn whose methods an estimator uses.

    None for any other estimator, and for a subclass that overrides a method other than
    `__init__`.
    """
    own = type(estimator)
    for stock in own.__mro__:
        if stock is Pipeline or (stock.__module__, stock.__name__) == PIPELINE_OF_IMBLEARN:
            break
    else:
        return None
    for name in dir(stock) if own is not stock else ():
        method = getattr_static(stock, name)
        # scikit-learn creates `set_score_request` anew for each class
        is_compared = hasattr(method, "__get__") and not name.endswith(("__init__", "_request"))
        if is_compared and getattr_static(own, name) is not method:
            return None
    return stock


def fit_before_last(pipeline, X, y, params):
    """Fit all steps of a stock pipeline but the last; return X, y and `params` for the last.

    X and y are transformed, and resampled by samplers of imbalanced-learn. Raise an error if the
    `fit` of the pipeline would fail, print or route metadata.
    """
    check_parameters(pipeline)
    default = Pipeline.__init__.__kwdefaults__["transform_input"]
    is_plain = not pipeline.verbose and pipeline.transform_input == default
    if get_config()["enable_metadata_routing"] or not is_plain:
        raise ValueError("The pipeline prints, or routes metadata to its steps.")
    routed = pipeline._check_method_params(method="fit", props=params)
    has_context = "callback_ctx" in signature(pipeline._fit).parameters  # from 1.9 on
    kwargs = {"callback_ctx": NoCallbacks()} if has_context else {}
    fitted = pipeline._fit(X, y, routed, raw_params=params, **kwargs)
    X, y = (fitted, y) if stock_pipeline(pipeline) is Pipeline else fitted
    return X, y, routed[pipeline.steps[-1][0]]["fit"]
