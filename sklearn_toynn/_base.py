"""What the classifiers share: validate -> train -> attributes, and prediction."""

import warnings
from abc import ABC, abstractmethod
from contextlib import contextmanager
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from ._initializers import INITIALIZERS, make_initializer
from ._network import Network
from ._prediction import keep_scores, log_softmax, predict_scores, softmax
from ._problem import DTYPES, validate_problem
from ._schedules import SCHEDULES
from ._setup import RandomStreams, draw_parameters, make_training
from ._sklearn_compat import Interval, StrOptions, fit_context
from ._solvers import SOLVERS, MiniBatchSolver
from ._training import train

__all__ = ["NetClassifier"]


@contextmanager
def restored_on_error(estimator):
    """Give an estimator its attributes back where the block fails."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def takes_batches(estimator):
    """Say whether the solver can go on with new rows, or raise what it is that can't."""
    if issubclass(SOLVERS.get(estimator.solver, object), MiniBatchSolver):
        return True
    able = sorted(name for name, solver in SOLVERS.items() if issubclass(solver, MiniBatchSolver))
    raise AttributeError(
        f"partial_fit needs a solver that takes batches, one of {able}; got "
        f"solver={estimator.solver!r}."
    )


class NetClassifier(ClassifierMixin, BaseEstimator, ABC):
    """A classifier whose scores are those of a net; see its subclasses."""

    _parameter_constraints: ClassVar[dict] = {
        "reg": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions(set(SOLVERS))],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "schedule": [StrOptions({"auto", *SCHEDULES}), callable],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "init": [
            StrOptions({"auto", *INITIALIZERS}),
            Interval(Real, 0, None, closed="left"),
            callable,
        ],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": [Interval(Integral, 0, None, closed="left"), "boolean"],
    }

    @property
    @abstractmethod
    def _hidden_sizes(self):
        """The widths of the hidden layers."""

    @property
    @abstractmethod
    def _activation(self):
        """The `Activation` of the hidden layers."""

    @property
    @abstractmethod
    def _auto_initializer(self):
        """What `init="auto"` stands for."""

    @abstractmethod
    def _get_layers(self):
        """Return the fitted weights, (fan_in, fan_out) each, and biases, as two lists."""

    @abstractmethod
    def _set_layers(self, coefs, intercepts):
        """Set the fitted weights and biases from such lists."""

    @property
    def _solver_class(self):
        return SOLVERS[self.solver]

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training data. float32 stays float32, anything else is taken as float64; the
            array is neither copied nor changed.
        y : array-like of shape (n_samples,)
            The class labels: numbers, strings or booleans.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; None stands for 1 each. Rows of weight 0 are left out.
        X_val : array-like of shape (n_samples_val, n_features), default=None
            Data whose log loss stops the training and chooses the weights. To have it
            transformed by the steps before, use ``Pipeline(..., transform_input=["X_val"])``.
        y_val : array-like of shape (n_samples_val,), default=None
            The labels of `X_val`.
        sample_weight_val : array-like of shape (n_samples_val,), default=None
            The weights of the rows of `X_val`.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument or a parameter is not what it must be; the message names it. An
            earlier fit stays as it was.
        KeyboardInterrupt
            On Ctrl-C, after the weights so far have been kept.

        Warns
        -----
        ConvergenceWarning
            If the training diverged, or ended at `max_iter` before its stopping rule did it.
        """
        with restored_on_error(self):
            streams = RandomStreams(self.random_state)
            problem = validate_problem(
                self, X, y, sample_weight, (X_val, y_val, sample_weight_val), streams.split_seed
            )
            start = self._start(problem, streams)
            (outcome,), interrupt = train(make_training([self], problem, [start], streams.batches))
            self._set_fitted(problem, outcome)
        if interrupt is not None:
            raise interrupt
        return self

    def _start(self, problem, streams):
        """Return the network and the solver to begin with, as stacks of one."""
        widths = [problem.n_features, *self._hidden_sizes, len(problem.classes)]
        auto = isinstance(self.init, str) and self.init == "auto"
        initializer = self._auto_initializer if auto else make_initializer(self.init)
        parameters = draw_parameters(widths, initializer, streams.init, problem.dtype)
        return Network(widths, self._activation, parameters), self._solver_class.start(parameters)

    def _set_fitted(self, problem, outcome):
        """Set the fitted attributes, and warn of what went wrong in training."""
        network = outcome.network
        self.classes_ = problem.classes
        self._set_layers(
            [weights[0].T.copy() for weights in network.weights],
            [bias[0, :, 0].copy() for bias in network.biases],
        )
        self.n_iter_ = outcome.n_iter
        self.loss_ = outcome.loss
        self.loss_curve_ = outcome.history.loss_curve
        for name in ("validation_loss_curve_", "best_iter_"):
            vars(self).pop(name, None)
        if problem.validation is not None:
            self.validation_loss_curve_ = outcome.history.watched_curve
            self.best_iter_ = outcome.history.best_iter
        if outcome.warning:
            warnings.warn(outcome.warning, ConvergenceWarning, stacklevel=3)

    def decision_function(self, X):
        """Return the scores of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes, the score of the second less that of the first.
        """
        scores = self._predict(X, keep_scores)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X):
        """Return the class of the highest score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels from `classes_`.
        """
        scores = self._predict(X, keep_scores)
        return self.classes_[scores.argmax(axis=1)]

    def predict_proba(self, X):
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_` and the dtype of the parameters.
        """
        return self._predict(X, softmax)

    def predict_log_proba(self, X):
        """Return the logarithms of the probabilities, finite however small those are.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_` and the dtype of the parameters.
        """
        return self._predict(X, log_softmax)

    def _predict(self, X, transform):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=DTYPES)
        return predict_scores(
            Network.from_layers(self._activation, *self._get_layers()), X, transform
        )
