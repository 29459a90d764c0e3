"""What the classifiers share: validate -> train -> attributes, and prediction."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from functools import partial
from inspect import signature
from itertools import count, zip_longest
from numbers import Integral, Real
from statistics import fmean
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from ._callbacks import FitCallbacks, make_hook_kwargs
from ._doc_links import DocLinkMixin
from ._errors import naming, plain, user_stacklevel
from ._nets.activations import ACTIVATIONS
from ._nets.initializers import INITIALIZERS, make_initializer
from ._nets.network import Network, flatten
from ._nets.prediction import keep_scores, log_softmax, predict_codes, predict_scores, softmax
from ._sklearn_compat import (
    CALLBACK_STATE,
    CallbackSupportMixin,
    Interval,
    StrOptions,
    available_if,
    fit_context,
    has_callbacks,
)
from ._training.first_order import MiniBatchSolver
from ._training.options import (
    BATCH_SIZE,
    PER_NET,
    TrainingOptions,
    as_column,
    is_auto,
    resolve_auto,
)
from ._training.random_streams import RandomStreams
from ._training.schedules import SCHEDULES
from ._training.solvers import SOLVERS
from ._training.stacks import train_in_stacks
from ._training.state import (
    NetState,
    draw_parameters,
    load_states,
    save_states,
    upgrade_states,
)
from ._typing import Floats, Labels, MatrixLike
from ._validation import check_labels, validate_problem, validate_rows
from ._version import __version__

#: What a fit sets beside the attributes that end with an underscore.
PRIVATE_ATTRIBUTES = ("_total_weight", "_effective_size", "_fitted_activation", "_training_state")


@contextmanager
def restored_on_error(*estimators):
    """Give estimators their attributes back where the block fails."""
    before = [dict(vars(estimator)) for estimator in estimators]
    try:
        yield
    except BaseException:
        for estimator, attributes in zip(estimators, before, strict=True):
            now = vars(estimator)
            kept = {name: now[name] for name in CALLBACK_STATE if name in now}
            now.clear()
            now.update(attributes | kept)
        raise


def takes_batches(estimator):
    """Return True if the solver takes batches, else raise an error that names those that do."""
    solvers = estimator._solvers.items()
    able = sorted(name for name, solver in solvers if issubclass(solver, MiniBatchSolver))
    if estimator.solver in able:
        return True
    names = " or ".join(map(repr, able))
    raise AttributeError(
        f"partial_fit needs a solver that takes batches: {names}. Got solver={estimator.solver!r}."
    )


def check_one_pass(estimator):
    """Refuse parameters that need all rows or several passes."""
    for name, value, allowed, description in (
        ("early_stopping", estimator.early_stopping, (False,), "False"),
        ("class_weight", estimator.class_weight, (None,), "a dict or None"),
        ("schedule", estimator.schedule, ("auto", "constant"), "'auto' or 'constant'"),
    ):
        if value not in allowed and not isinstance(value, dict):
            raise ValueError(
                f"partial_fit makes one pass over some of the rows, which {name}={plain(value)!r} "
                f"does not allow. Set {name} to {description}, or call fit."
            )


def known_classes(estimator, classes):
    """Return the sorted classes for `partial_fit`, from its argument or the calls before."""
    fitted = getattr(estimator, "classes_", None)
    if classes is None:
        if fitted is None:
            raise ValueError("classes must be given in the first call of partial_fit, got None.")
        return fitted
    labels = check_labels(classes, "classes")
    with naming("classes"):  # labels may not compare
        classes = np.unique(labels)
    if fitted is not None and not np.array_equal(classes, fitted):
        raise ValueError(
            f"classes={plain(classes.tolist())} are not those of the first call of partial_fit "
            f"or of fit, {plain(fitted.tolist())}."
        )
    if len(classes) < 2:
        raise ValueError(f"classes must name at least 2 classes, got {plain(classes.tolist())}.")
    return classes


def fit_stack(
    estimators, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None
):
    """Fit estimators that differ in `_FUSED_PARAMETERS` alone, to the bits of a fit of each.

    Parameters
    ----------
    estimators : list of NetClassifier
        Their fitted attributes are set.
    X, y, sample_weight, X_val, y_val, sample_weight_val
        As in `NetClassifier.fit`.

    Returns
    -------
    interrupt : KeyboardInterrupt or None
        What ended the training before its time, to be raised.
    """
    first = estimators[0]
    with restored_on_error(*estimators):
        streams = RandomStreams(first.random_state)
        problem = first._validate(
            (X, y, sample_weight),
            validation_data=(X_val, y_val, sample_weight_val),
            split_streams=streams if first.early_stopping else None,
        )
        states = [first._begin(problem, streams)]
        for estimator in estimators[1:]:
            for name in ("n_features_in_", "feature_names_in_"):
                if hasattr(first, name):
                    setattr(estimator, name, getattr(first, name))
            states.append(
                states[0]
                if starts_alike(first, estimator)
                else estimator._begin(problem, RandomStreams(estimator.random_state))
            )
        earlier = [estimator._get_earlier(estimator.warm_start) for estimator in estimators]
        callbacks = make_callbacks(estimators, problem, earlier[0], X, y, sample_weight)
        nets = []
        for estimator, own in zip(estimators, states, strict=True):
            options = estimator._resolve_options(problem)
            nets += [(options, state) for state in own]
        results, interrupt = train_in_stacks(nets, problem.samples, problem.validation, callbacks)
        firsts = count(step=len(states[0]))
        for begin, estimator, before in zip(firsts, estimators, earlier, strict=False):
            own = results[begin : begin + len(states[0])]
            if any(own):
                estimator._set_fitted(problem, own, before, keeps_memory=estimator.warm_start)
        if callbacks is not None and interrupt is None:
            callbacks.end()
    return interrupt


def starts_alike(one, other):
    """Say whether two estimators of a stack begin with the same weights and the same batches."""
    return (
        isinstance(one.random_state, Integral)
        and one.random_state == other.random_state
        and not (callable(one.init) or one.warm_start or other.warm_start)
    )


def make_callbacks(estimators, problem, earlier, X, y, sample_weight):
    """Return the callbacks of the first of estimators while they are fitted; None without any."""
    first = estimators[0]
    if not has_callbacks(first):
        return None
    first._forget_run()
    is_alone = len(estimators) == 1
    return FitCallbacks(
        make_hook_kwargs(first, X, y, sample_weight),
        partial(fitted_attributes, first, problem, earlier) if is_alone else None,
    )


def fitted_attributes(estimator, problem, earlier, results):
    """Return the attributes that an estimator would have after a fit with such results."""
    fitted = copy(estimator)
    unwarned = [result and replace(result, warning=None) for result in results]
    fitted._set_fitted(problem, unwarned, earlier, keeps_memory=fitted.warm_start)
    return {
        name: value
        for name, value in vars(fitted).items()
        if name.endswith("_") or name in PRIVATE_ATTRIBUTES
    }


def mean_curve(curves):
    """Return the mean of several nets' curves, of those that trained at the time."""
    if len(curves) == 1:
        return curves[0]
    return [
        fmean([value for value in values if value is not None]) for values in zip_longest(*curves)
    ]


def continue_curves(curves, results, n_before):
    """Return the curve of each net that has begun, now or in the `n_before` steps of before."""
    return [
        [*curve, *[np.nan] * (n_before - len(curve)), *result.history.loss_curve]
        if result
        else [*curve]
        for curve, result in zip_longest(curves, results, fillvalue=[])
        if curve or result
    ]


def predict_stack(estimators, X):
    """Return what each of several estimators that were fitted together predicts for X."""
    check_is_fitted(estimators[0])
    X = validate_rows(estimators[0], X)
    return [
        estimator.classes_[predict_codes(X, estimator._fitted_network())]
        for estimator in estimators
    ]


class NetClassifier(DocLinkMixin, CallbackSupportMixin, ClassifierMixin, BaseEstimator, ABC):
    """A classifier whose scores are those of a net; see its subclasses."""

    #: In what nets may differ that are trained as one stack.
    _FUSED_PARAMETERS: ClassVar[frozenset] = frozenset(PER_NET)

    #: The solvers by the values of `solver`.
    _solvers: ClassVar[dict] = SOLVERS

    _parameter_constraints: ClassVar[dict] = {
        "reg": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
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

    classes_: Labels
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    reg_: float
    n_iter_: int
    loss_: float
    loss_curve_: list[float]
    validation_loss_curve_: list[float]

    #: How many nets are averaged.
    _n_nets = 1

    #: What `reg="auto"` is with two classes, times the m of `Problem.divide_by_rows`.
    _reg_of_two_classes = 1

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
        """Return the fitted layers as two lists.

        Those are weights (n_nets, fan_out, fan_in) and biases (n_nets, fan_out).
        """

    @abstractmethod
    def _set_layers(self, weights, biases):
        """Set copies of such layers as the fitted attributes."""

    @abstractmethod
    def _convert(self, columns):
        """Return the fitted model of scikit-learn; it is to know such columns."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):  # each `fit` asks for the names of the parameters
            cls.__init__.__signature__ = signature(cls.__init__)

    def _set_snapshot(self, snapshot):
        for earlier in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, earlier)  # or it would not be looked for
        vars(self)["_snapshot"] = snapshot

    #: Given to a copy for callbacks by scikit-learn: a `Snapshot` in the place of attributes.
    _snapshot = property(fset=_set_snapshot)

    def __getattr__(self, name):
        # such a copy becomes fitted when it is looked at
        snapshot = vars(self).pop("_snapshot", None)
        if snapshot is None:
            return object.__getattribute__(self, name)  # raises the error of the first look-up
        vars(self).update(snapshot.attributes())
        return getattr(self, name)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "classes_")

    def __getstate__(self):
        hasattr(self, "classes_")  # a look
        return super().__getstate__() | {"_version": __version__}

    def __setstate__(self, state):
        state = dict(state)
        if "_memory" in state:  # saved by 0.2
            memory, fitted = state.pop("_memory"), state.pop("_remembered")
            state["_training_state"] = upgrade_states(memory) | {"fitted_parameters": fitted}
        version = state.pop("_version", "of before 0.1")
        if version != __version__:
            warnings.warn(
                f"This {type(self).__name__} was saved by sklearn-toynn {version}, and is loaded "
                f"by {__version__}. Fit it anew where it predicts otherwise than it did.",
                UserWarning,
                stacklevel=user_stacklevel(),
            )
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def _solver_class(self):
        return self._solvers[self.solver]

    @classmethod
    def _fuses(cls, solver):
        """Say whether a value of `solver` is that of one that can train several nets at once."""
        return isinstance(solver, str) and solver in cls._solvers and cls._solvers[solver].fuses

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: MatrixLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training data. float32 stays float32. Other numbers are converted to float64.
            Dates and durations raise an error. The array is neither copied nor changed.
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
            If training diverged, if it ended at `max_iter` before its stopping rule did, if the
            loss was high and still falling at the end of the cosine schedule (neither with
            ``tol=0``), or if the loss of "gd" has risen again.
        """
        interrupt = fit_stack(
            [self],
            X,
            y,
            sample_weight,
            X_val=X_val,
            y_val=y_val,
            sample_weight_val=sample_weight_val,
        )
        if interrupt is not None:
            raise interrupt
        return self

    @available_if(takes_batches)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Go through the given rows once, with a constant learning rate.

        The solver's memory is kept from call to call. After `fit`, and where the fitted weights
        or intercepts have been edited since, it begins anew, from the weights as they are.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that y may hold in this and later calls. Required in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; None stands for 1 each.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument or a parameter is invalid; the message names it. `classes` must hold
            labels that `fit` accepts as y. Parameters that need all rows are invalid here:
            `early_stopping`, `class_weight="balanced"` and a `schedule` over `max_iter`.
        """
        check_one_pass(self)
        with restored_on_error(self):
            streams = RandomStreams(self.random_state)
            goes_on = hasattr(self, "classes_")
            problem = self._validate(
                (X, y, sample_weight), classes=known_classes(self, classes), reset=not goes_on
            )
            if goes_on:
                problem = problem.with_earlier_rows(  # none if the weights were set by hand
                    vars(self).get("_total_weight", 0.0), vars(self).get("_effective_size", 1.0)
                )
            states = self._go_on(problem, streams) if goes_on else self._start(problem, streams)
            options = self._resolve_options(problem, is_one_pass=True)
            nets = [(options, state) for state in states]
            results, interrupt = train_in_stacks(nets, problem.samples, None)
            n_before = vars(self).get("n_iter_", 0) if goes_on else 0
            self._set_fitted(problem, results, self._get_earlier(goes_on), keeps_memory=True)
            self.n_iter_ += n_before
        if interrupt is not None:
            raise interrupt
        return self

    def _validate(self, data, **kwargs):
        """Return the arguments of `fit` or `partial_fit` as a `Problem`."""
        return validate_problem(
            self,
            data,
            class_weight=self.class_weight,
            validation_fraction=self.validation_fraction,
            merges_equal_rows=self._solver_class.merges_equal_rows,
            **kwargs,
        )

    def _resolve_options(self, problem, *, is_one_pass=False):
        """Return what training is told, with "auto" resolved."""
        solver_class = self._solver_class
        learning_rate = resolve_auto(self.learning_rate, solver_class.learning_rate)
        schedule = resolve_auto(self.schedule, solver_class.schedule)
        max_iter = solver_class.get_max_iter(problem.samples.n_samples)
        scales_columns = solver_class.scales_columns and is_auto(self.init)
        return TrainingOptions(
            solver_class=solver_class,
            reg=as_column(self._resolve_reg(problem)),
            learning_rate=as_column(learning_rate),
            momentum=as_column(self.momentum),
            schedule="constant" if is_one_pass else schedule,
            batch_size=int(resolve_auto(self.batch_size, BATCH_SIZE)),
            shuffle=self.shuffle,
            max_iter=1 if is_one_pass else int(resolve_auto(self.max_iter, max_iter)),
            tol=float(self.tol),
            n_iter_no_change=int(self.n_iter_no_change),
            scales_columns=scales_columns and not is_one_pass,
            is_one_pass=is_one_pass,
            verbose=int(self.verbose),
        )

    def _resolve_reg(self, problem):
        """Return the penalty; "auto" goes by the weights of the rows."""
        if not is_auto(self.reg):
            return float(self.reg)
        factor = self._reg_of_two_classes if len(problem.classes) == 2 else 1
        return problem.divide_by_rows(factor, "reg='auto'", "give reg as a number")

    def _begin(self, problem, streams):
        """Return where training begins, a `NetState` for each net."""
        goes_on = self.warm_start and hasattr(self, "classes_")
        return (self._go_on if goes_on else self._start)(problem, streams)

    def _start(self, problem, streams):
        """Return where training begins anew."""
        widths = self._get_widths(problem)
        initializer = self._auto_initializer if is_auto(self.init) else make_initializer(self.init)
        with np.errstate(over="ignore"):
            parameters = np.concatenate(
                [
                    draw_parameters(widths, initializer, streams, problem.dtype)
                    for _ in range(self._n_nets)
                ]
            )
            # not by BLAS, whose second thread would then spin while ours compute
            is_finite = np.isfinite(np.square(parameters).sum())
        if not is_finite:
            raise ValueError(
                f"init={plain(self.init)!r} gives weights whose squares exceed {problem.dtype}. "
                "Lower it."
            )
        if len(widths) > 2 and not parameters.any(axis=1).all():
            raise ValueError(
                f"init={plain(self.init)!r} sets all weights to zero in {problem.dtype}. All "
                "units of a hidden layer would stay equal. Pass a larger number, such as "
                "init=0.01, or init='auto'."
            )
        return self._make_states(parameters, problem, streams)

    def _go_on(self, problem, streams):
        """Return the fitted weights as where training begins.

        The optimizer continues from its saved state if there is one for these weights.
        """
        weights, biases = self._get_layers()
        widths = self._get_widths(problem)
        fitted_widths = [weights[0].shape[2], *(bias.shape[1] for bias in biases)]
        same_classes = np.array_equal(problem.classes, self.classes_)
        if fitted_widths != widths or len(biases[0]) != self._n_nets or not same_classes:
            raise ValueError(
                "warm_start=True and partial_fit need the number of nets, layer widths and "
                f"classes of the earlier fit: {len(biases[0])}, {fitted_widths} and "
                f"{plain(self.classes_.tolist())}. Now they are {self._n_nets}, {plain(widths)} "
                f"and {plain(problem.classes.tolist())}. Set warm_start=False, or fit a clone."
            )
        parameters = flatten(weights, biases)
        with np.errstate(over="ignore"):
            now = parameters.astype(problem.dtype)
        if not np.isfinite(now).all():
            raise ValueError(
                "warm_start=True and partial_fit go on from the fitted weights and intercepts, "
                f"and those hold NaN or infinity as {problem.dtype}. Set them anew, or fit a "
                "clone."
            )
        states = self._make_states(now, problem, streams, is_fitted=True)
        saved = vars(self).get("_training_state")
        if saved is None:
            return states
        if (
            saved["solver"] == self.solver
            and saved["parameters"].dtype == problem.dtype
            # otherwise the user has edited them
            and np.array_equal(parameters, saved["fitted_parameters"])
        ):
            states = load_states(saved, self._solver_class, widths, self._activation)
        return [
            replace(state, streams=streams if order is None else RandomStreams(None, order))
            for state, order in zip(states, saved["batch_order"], strict=True)
        ]

    def _make_states(self, parameters, problem, streams, *, is_fitted=False):
        """Return a `NetState` for each row of parameters (n_nets, n_parameters)."""
        widths = self._get_widths(problem)
        return [
            NetState(
                Network(widths, self._activation, row[None]),
                self._solver_class.start(row[None]),
                streams,
                is_fitted=is_fitted,
            )
            for row in parameters
        ]

    def _get_widths(self, problem):
        return [problem.n_features, *self._hidden_sizes, len(problem.classes)]

    def _forget_run(self):
        """Drop the attributes of an earlier fit that the next may not set."""
        for name in (
            "loss_curves_",
            "validation_loss_curve_",
            "best_iter_",
            "gap_",
            "_training_state",
            "_snapshot",
        ):
            vars(self).pop(name, None)

    def _get_earlier(self, goes_on):
        """Return the curves to go on from, if any: losses, validation losses, and each net's."""
        names = ("loss_curve_", "validation_loss_curve_", "loss_curves_")
        # none where the weights were set by hand
        return [vars(self).get(name, []) if goes_on else [] for name in names]

    def _set_fitted(self, problem, results, earlier, *, keeps_memory):
        """Set the fitted attributes, and warn of what went wrong in training.

        There is a result for each net, or None for one that had not begun. Where asked for,
        what it takes to go on is kept. `earlier` are the curves that theirs go on from.
        """
        loss_curve, watched_curve, own_curves = earlier
        of_all = results
        results = list(filter(None, results))
        self.classes_ = problem.classes
        self.reg_ = self._resolve_reg(problem)
        self._total_weight = problem.total_weight
        self._effective_size = problem.effective_size
        parameters = np.concatenate([result.network.parameters for result in results])
        network = Network(self._get_widths(problem), self._activation, parameters)
        self._set_layers(network.weights, [bias[:, :, 0] for bias in network.biases])
        self._fitted_activation = getattr(self, "activation", None)  # the linear model has none
        self.n_iter_ = max(result.n_iter for result in results)
        self.loss_ = fmean(result.loss for result in results)
        curves = [result.history.loss_curve for result in results]
        self.loss_curve_ = loss_curve + mean_curve(curves)
        reasons = [result.stop_reason for result in results]
        self.stop_reason_ = reasons[0] if self._n_nets == 1 else np.array(reasons)
        self._forget_run()
        if self._n_nets > 1:
            self.loss_curves_ = continue_curves(own_curves, of_all, len(loss_curve))
        if problem.validation is not None:
            curves = [result.history.watched_curve for result in results]
            unwatched = [np.nan] * (len(loss_curve) - len(watched_curve))
            self.validation_loss_curve_ = watched_curve + unwatched + mean_curve(curves)
            best_iters = [len(loss_curve) + result.history.best_iter for result in results]
            self.best_iter_ = best_iters[0] if self._n_nets == 1 else np.array(best_iters)
        if results[0].gap is not None:
            self.gap_ = results[0].gap
        if keeps_memory:
            self._training_state = save_states(results) | {
                "solver": self.solver,
                "fitted_parameters": flatten(*self._get_layers()),
            }
        described = [result.warning for result in results if result.warning]
        if described:
            many = f"{len(described)} of {len(results)} nets, the first: "
            message = (many if self._n_nets > 1 else "") + described[0]
            warnings.warn(message, ConvergenceWarning, stacklevel=user_stacklevel())

    def decision_function(self, X: MatrixLike) -> Floats:
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

    def predict(self, X: MatrixLike) -> Labels:
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
        (labels,) = predict_stack([self], X)
        return labels

    def predict_proba(self, X: MatrixLike) -> Floats:
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

    def predict_log_proba(self, X: MatrixLike) -> Floats:
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

    def to_sklearn(self) -> Any:
        """Return a fitted model of scikit-learn that predicts the same, to rounding.

        It does not need this package. Its parameters describe the fit: `C`, or `alpha` for one
        batch of all rows. Other parameters have scikit-learn's defaults.

        The model can continue to train: `partial_fit` of `MLPClassifier` and a `fit` with
        ``warm_start=True`` start from these weights. `MLPClassifier` divides `alpha` by the number
        of rows in a batch. To keep the penalty with batches of b rows, set ``alpha=reg_ * b``.

        Returns
        -------
        model : LogisticRegression, MLPClassifier or VotingClassifier
            The second for a net, the last for several, whose probabilities it averages. Its arrays
            are copies.

        Raises
        ------
        ValueError
            If the activation is none of `MLPClassifier`'s: "gelu", "silu", "leaky_relu".
        NotFittedError
            Before a fit, also where the weights were set by hand.
        """
        check_is_fitted(self, "reg_")  # by a fit, of which the model is to tell
        names = ("n_features_in_", "feature_names_in_")
        return self._convert({name: getattr(self, name) for name in names if hasattr(self, name)})

    def _predict(self, X, transform):
        check_is_fitted(self)
        return predict_scores(validate_rows(self, X), self._fitted_network(), transform)

    def _fitted_network(self):
        # that of the fit, whatever is set now; weights may have been set without a fit
        name = vars(self).get("_fitted_activation")
        activation = self._activation if name is None else ACTIVATIONS[name]
        weights, biases = self._get_layers()
        widths = [weights[0].shape[2], *(bias.shape[1] for bias in biases)]
        return Network(widths, activation, flatten(weights, biases))
