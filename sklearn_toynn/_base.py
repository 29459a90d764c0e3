"""The base class of the classifiers: validation, training, fitted attributes and prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import replace
from functools import partial
from inspect import signature
from numbers import Integral, Real
from statistics import fmean
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from ._callbacks import FitCallbacks, make_hook_kwargs
from ._encoding import EncodedColumnsMixin
from ._errors import plain, warn
from ._estimator_state import add_new_parameters, restored_on_error
from ._nets.initializers import INITIALIZERS, make_initializer
from ._nets.network import Network
from ._nets.prediction import keep_scores, log_softmax, predict_codes, predict_scores, softmax
from ._nets.row_coordinates import supports_row_coordinates
from ._partial_fit import check_one_pass, resolve_classes, supports_partial_fit
from ._sklearn_compat import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    available_if,
    fit_context,
    has_callbacks,
)
from ._training.options import BATCH_SIZE, TrainingOptions, is_auto, resolve_auto
from ._training.random_streams import RandomStreams
from ._training.results import NetResult, continue_curves, mean_curve
from ._training.saved_state import continue_starts, save_states, upgrade_states
from ._training.schedules import SCHEDULES
from ._training.solvers import SOLVERS, Solver
from ._training.starts import draw_starts
from ._training.training import count_threads, train_nets
from ._typing import (
    Auto,
    ClassWeight,
    Floats,
    Initializer,
    Labels,
    MatrixLike,
    RandomState,
    Schedule,
)
from ._validation import validate_problem
from ._version import __version__

#: The private attributes that a fit sets.
PRIVATE_ATTRIBUTES = ("_total_weight", "_effective_size", "_fitted_activation", "_training_state")


class NetClassifier(
    EncodedColumnsMixin, CallbackSupportMixin, ClassifierMixin, BaseEstimator, ABC
):
    """The base class of the classifiers.

    The docstrings of the subclasses reuse these entries.

    Parameters
    ----------
    reg : float or "auto", default="auto"
        The penalty on the squared weights, >= 0. Biases are not penalized. "auto" is 1 / m, where
        m is the number of rows. If rows have weights w (sample weight times class weight), m is
        the larger of sum w and (sum w)^2 / sum w^2. The second value is the effective number of
        rows, which is the same for w and for 0.001 w. So the penalty does not become large if all
        weights are small. `partial_fit` counts all rows seen so far.
    learning_rate : float or "auto", default="auto"
        The size of the first step, a float > 0. "auto" is 0.5 for "gd", 0.1 for "sgd" and 0.01 for
        "adam".
    schedule : {"constant", "inverse", "cosine", "plateau"}, callable or "auto", default="auto"
        The factor on the learning rate, as a function of p, the completed fraction of `max_iter`:

        - "constant": 1;
        - "inverse": 1 / (1 + 9 p);
        - "cosine": (1 + cos(pi p)) / 2;
        - "plateau": 5^-k, where k starts at 0 and grows by 1 whenever the loss has not improved by
          `tol` for 2 epochs. This is the validation loss if there is a validation set;
        - a callable: its value at p, a float >= 0;
        - "auto": "cosine" for "sgd" and "adam", "constant" for "gd".
    momentum : float, default=0.9
        Nesterov's momentum in [0, 1). Only "sgd" uses it.
    batch_size : int or "auto", default="auto"
        The number of rows per step of "sgd" and "adam". "auto" is min(200, n_samples).
    max_iter : int or "auto", default="auto"
        The maximum number of epochs of "sgd" and "adam", or of iterations of the other solvers.
        For "sgd" and "adam", "auto" is 4500 / sqrt(n_samples), limited to the range from 20 to 240
        (from 20 to 120 with the piecewise encoding). For the other solvers, "auto" is 1000.

        With ``tol=0`` and no validation set, "gd", "sgd" and "adam" run all `max_iter` iterations.
        With ``tol=0``, reaching `max_iter` gives no warning.
    n_iter_no_change : int, default=10
        See `tol`.
    early_stopping : bool, default=False
        Whether to set rows aside, stratified by class, as a validation set. Each class keeps at
        least one row to train on.
    validation_fraction : float, default=0.1
        The fraction of the rows to set aside, in (0, 1).
    class_weight : dict, "balanced" or None, default=None
        A factor on the weights of the rows of each class, by label. "balanced" gives every
        class the same total weight.
    init : {"auto", "he", "lecun", "glorot"}, float or callable, default="auto"
        The initial weights; the biases start at 0.

        - "he": N(0, 2 / fan_in);
        - "lecun": N(0, 1 / fan_in);
        - "glorot": N(0, 2 / (fan_in + fan_out));
        - a float: N(0, init^2). A net with hidden units needs a float > 0;
        - a callable `(rng, fan_in, fan_out)` that returns an array (fan_in, fan_out), with
          `rng` a `RandomState`;
    dtype : {"auto", "float32", "float64"}, default="auto"
        The floating-point type of training. Fitted arrays and predictions have the dtype of `X`
        in any case.

        - "auto": float32 if three conditions hold: the solver is "adam" or "sgd", `init` is
          "auto", and an epoch has more than one batch. Otherwise the dtype of `X`. float32 is
          about 1.5 times faster. With ``init="auto"``, the columns are scaled before the
          conversion to float32;
        - "float32", "float64": this type. If values of `X` exceed the range of float32 and `init`
          is not "auto", "float32" raises a ValueError.
    encoding : {"linear", "piecewise"}, default="linear"
        The input of the model.

        - "linear": the columns of `X`;
        - "piecewise": the standardized columns, followed by up to 8 piecewise-linear functions of
          each column, called pieces (Gorishniy et al. 2022, arXiv 2203.05556). The edges q_j are
          the weighted quantiles 0, 1/8, ..., 1 of the column, without repetitions. Piece j is
          ``clip((x - q_j) / (q_{j+1} - q_j), 0, 1)``, scaled to mean 0 and variance 1/8. A column
          with fewer than 5 different quantiles gets no pieces. `X` must be dense. A warm start and
          `partial_fit` keep the edges of the first call.
    shuffle : bool, default=True
        Whether "sgd" and "adam" shuffle the rows before each epoch. With one batch per epoch, rows
        are never shuffled.
    random_state : int, RandomState instance or None, default=None
        The seed of the initial weights, the batches and the validation split. Each has its own
        random stream. On one machine, the same int always gives the same fitted weights.
    warm_start : bool, default=False
        Whether `fit` continues from the current weights instead of new initial weights. The loss
        curves then continue, too. `n_iter_` counts the iterations of the last call.
    verbose : int, default=0
        Print the loss of every `verbose`-th iteration; 0 prints nothing.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    reg_ : float
        The value of `reg` in the fit.
    n_features_in_ : int
        The number of columns of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of the columns. Defined only when X has feature names that are all strings.
    bin_edges_ : list of ndarray, one for each column
        The edges between the pieces of a column, empty if it has none. Defined only with
        ``encoding="piecewise"``.
    encoding_mean_ : ndarray of shape (n_encoded,)
        The means of all columns, followed by the means of the pieces of each column.
        `get_encoded_feature_names` returns the names of the columns and pieces. Defined only with
        ``encoding="piecewise"``.
    encoding_scale_ : ndarray of shape (n_encoded,)
        The divisors of the columns and of the pieces. Defined only with
        ``encoding="piecewise"``.
    n_iter_ : int
        The number of iterations or epochs of the last `fit`, plus one for each later
        `partial_fit`.
    loss_ : float
        The objective at the fitted weights.
    stop_reason_ : str
        Why training stopped:

        - "tol": the stopping rule of `tol` was met;
        - "max_iter": `max_iter` was reached first;
        - "schedule": the cosine schedule ended, at `max_iter`;
        - "validation": the loss on the validation set did not improve for `n_iter_no_change`
          iterations;
        - "precision": rounding prevented further progress;
        - "callback", "interrupted": a callback or Ctrl-C stopped it;
        - "diverged": the objective was no longer finite, or it rose well above both its lowest
          value and its value for zero weights. The best weights were kept;
        - "partial_fit": the last call was `partial_fit`, which makes one pass.
    loss_curve_ : list of float
        The objective at each iteration: for "sgd" and "adam" the mean over the batches of the
        epoch, for the other solvers the value before the step. With `warm_start`, the curve of the
        last fit continues; otherwise there are `n_iter_` values.
    validation_loss_curve_ : list of float
        The log loss on the validation set after each iteration. It has the length of
        `loss_curve_`. Defined only with a validation set.
    best_iter_ : int
        The index of the lowest value in `validation_loss_curve_`. The fitted weights are those
        after this iteration. Defined only with a validation set.
    """

    #: The solvers that train a net, by the values of `solver`.
    _net_solvers: ClassVar[dict] = SOLVERS

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
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "init": [
            StrOptions({"auto", *INITIALIZERS}),
            Interval(Real, 0, None, closed="left"),
            callable,
        ],
        "encoding": [StrOptions({"linear", "piecewise"})],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": [Interval(Integral, 0, None, closed="left"), "boolean"],
    }

    reg: float | Auto
    solver: str
    learning_rate: float | Auto
    schedule: str | Schedule
    momentum: float
    batch_size: int | Auto
    max_iter: int | Auto
    tol: float
    n_iter_no_change: int
    early_stopping: bool
    validation_fraction: float
    class_weight: ClassWeight
    init: str | float | Initializer
    dtype: str
    encoding: str
    shuffle: bool
    random_state: RandomState
    warm_start: bool
    verbose: int

    classes_: Labels
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    reg_: float
    n_iter_: int
    loss_: float
    loss_curve_: list[float]
    validation_loss_curve_: list[float]

    #: The number of nets.
    _n_nets = 1

    #: `reg="auto"` for two classes, times the m of `Problem.divide_by_rows`.
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
        """The initializer for `init="auto"`."""

    @abstractmethod
    def _get_networks(self):
        """Return the fitted nets, a list of `Network`."""

    @abstractmethod
    def _set_layers(self, results):
        """Copy the layers of trained models to the fitted attributes."""

    @abstractmethod
    def _convert(self, networks, columns):
        """Return these nets as a fitted scikit-learn model, with the attributes `columns`."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):  # cached for `fit`, because computing it takes 0.1 ms
            cls.__init__.__signature__ = signature(cls.__init__)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "classes_")

    def __getstate__(self):
        return super().__getstate__() | {"_version": __version__}

    def __setstate__(self, state):
        state = dict(state)
        if "_memory" in state:  # saved by 0.2
            memory, fitted = state.pop("_memory"), state.pop("_remembered")
            state["_training_state"] = upgrade_states(memory) | {"fitted_parameters": fitted}
        version = state.pop("_version", "of before 0.1")
        if version != __version__:
            warn(
                f"This {type(self).__name__} was saved by sklearn-toynn {version} and is loaded "
                f"by {__version__}. Refit it if its predictions have changed.",
                UserWarning,
            )
        super().__setstate__(add_new_parameters(type(self), state))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def _solver_class(self):
        # the solvers of the linear model have the defaults of the base class
        return self._net_solvers.get(self.solver, Solver)

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
            The training data. float32 and float64 arrays are not copied. Other numbers are
            converted to float64. Dates and durations raise an error. `fit` does not change `X`.
        y : array-like of shape (n_samples,)
            The class labels: numbers, strings or booleans.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Non-negative weights. A number is the weight of each row, and None means 1. Rows of
            weight 0 are dropped.
        X_val : array-like of shape (n_samples_val, n_features), default=None
            A validation set, instead of the rows that `early_stopping` sets aside. Training stops
            when the log loss on it no longer falls, and keeps the weights with the lowest log
            loss. In a pipeline, metadata routing must be enabled, and the pipeline needs
            ``transform_input=["X_val"]``, so that it transforms `X_val`.
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
            If an argument or a parameter is invalid. The results of an earlier fit are kept.
        KeyboardInterrupt
            On Ctrl-C. The estimator keeps the weights reached so far.

        Warns
        -----
        ConvergenceWarning
            If training diverged, if it reached `max_iter` before the stopping rule was met, if
            the loss was high and still falling at the end of the cosine schedule, if the final
            loss of "gd" is above an earlier loss, or if rounding prevented the accuracy `tol`.
            With ``tol=0``, reaching `max_iter` gives no warning.
        """
        with restored_on_error(self):
            streams = RandomStreams(self.random_state)
            problem = self._validate(
                (X, y, sample_weight),
                validation_data=(X_val, y_val, sample_weight_val),
                split_streams=streams if self.early_stopping else None,
            )
            continues = self.warm_start and hasattr(self, "classes_")
            problem = self._encode(problem, continues=continues)
            if self._uses_row_coordinates(problem):
                problem = problem.with_row_coordinates()
            earlier = self._get_earlier_curves(self.warm_start)
            callbacks = self._make_callbacks(problem, earlier, X, y, sample_weight)
            options = self._resolve_options(problem)
            results, interrupt = self._train(
                problem, options, streams, callbacks, continues=continues
            )
            self._set_fitted(problem, results, earlier, keeps_state=self.warm_start)
            if callbacks is not None and interrupt is None:
                callbacks.end()
        if interrupt is not None:
            raise interrupt
        return self

    @available_if(supports_partial_fit)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train on the given rows for one epoch.

        With ``schedule="auto"`` the learning rate is constant, with ``dtype="auto"`` training uses
        the dtype of `X`. The optimizer state is kept from call to call. It is reset after `fit`
        without `warm_start` and after the weights have been edited.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), default=None
            All labels of this and later calls. Required in the first call.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Non-negative weights. A number is the weight of each row, and None means 1.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument or a parameter is invalid, or if a parameter needs all rows:
            ``early_stopping=True``, ``class_weight="balanced"`` or a `schedule` over `max_iter`.
            With ``dtype="float32"``, if values of `X` exceed the range of float32.
        AttributeError
            If the solver does not take batches.
        KeyboardInterrupt
            On Ctrl-C. The estimator keeps the weights reached so far.
        """
        check_one_pass(self)
        with restored_on_error(self):
            streams = RandomStreams(self.random_state)
            continues = hasattr(self, "classes_")
            problem = self._validate(
                (X, y, sample_weight), classes=resolve_classes(self, classes), reset=not continues
            )
            if continues:
                problem = problem.with_earlier_rows(  # 0 rows if the user has set the weights
                    vars(self).get("_total_weight", 0.0), vars(self).get("_effective_size", 1.0)
                )
            problem = self._encode(problem, continues=continues)
            options = self._resolve_options(problem, is_one_pass=True)
            results, interrupt = self._train(problem, options, streams, None, continues=continues)
            n_before = vars(self).get("n_iter_", 0) if continues else 0
            earlier = self._get_earlier_curves(continues)
            self._set_fitted(problem, results, earlier, keeps_state=True)
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
        """Return the options of the training, with "auto" resolved."""
        solver = self._solver_class
        batch_size = int(resolve_auto(self.batch_size, BATCH_SIZE))
        schedule = "constant" if is_one_pass else resolve_auto(self.schedule, solver.schedule)
        max_iter = solver.get_max_iter(problem.samples, batch_size)
        scales_columns = is_auto(self.init) and not is_one_pass
        is_encoded = self.encoding == "piecewise"  # to scaled columns
        return TrainingOptions(
            solver=self.solver,
            reg=self._resolve_reg(problem),
            learning_rate=float(resolve_auto(self.learning_rate, solver.learning_rate)),
            momentum=float(self.momentum),
            schedule=schedule,
            batch_size=batch_size,
            shuffle=self.shuffle,
            max_iter=1 if is_one_pass else int(resolve_auto(self.max_iter, max_iter)),
            tol=float(self.tol),
            n_iter_no_change=int(self.n_iter_no_change),
            dtype=self._resolve_dtype(problem, batch_size, scales_columns=scales_columns),
            scales_columns=scales_columns and not is_encoded,
            is_one_pass=is_one_pass,
            verbose=int(self.verbose),
        )

    def _uses_row_coordinates(self, problem):
        """Return True if training uses coordinates of the rows instead of the columns.

        With a penalty above 0, both have the same minima. An explicit `init` and a warm start
        refer to the columns.
        """
        if not (is_auto(self.reg) or self.reg > 0) or self.warm_start or not is_auto(self.init):
            return False
        is_net = self.solver in self._net_solvers
        sizes = self._hidden_sizes
        return is_net and supports_row_coordinates(problem.samples, problem.validation, sizes)

    def _resolve_dtype(self, problem, batch_size, *, scales_columns):
        """Return the dtype of the training."""
        if self.solver not in self._net_solvers:  # the linear solvers compute in float64
            return problem.dtype
        dtype = np.dtype("float32" if is_auto(self.dtype) else self.dtype)
        is_narrow = not np.can_cast(problem.dtype, dtype)
        if not is_auto(self.dtype):
            if is_narrow and not scales_columns:
                self._check_range(problem, dtype)
            return dtype
        has_batches = self._solver_class.takes_batches and problem.samples.n_samples > batch_size
        if not (has_batches and scales_columns):
            return problem.dtype
        # the training rows define the scaling, so validation rows may be out of range
        if is_narrow and problem.validation and problem.largest_value()[0] > np.finfo(dtype).max:
            return problem.dtype
        return dtype

    def _check_range(self, problem, dtype):
        largest, name = problem.largest_value()
        if largest > np.finfo(dtype).max:
            raise ValueError(
                f"dtype={self.dtype!r} cannot hold the values of {name}, which are up to "
                f"{largest:.3g}. Set dtype='auto', or scale the columns, as StandardScaler does."
            )

    def _resolve_reg(self, problem):
        """Return the value of `reg`, with "auto" resolved."""
        if not is_auto(self.reg):
            return float(self.reg)
        factor = self._reg_of_two_classes if len(problem.classes) == 2 else 1
        return problem.divide_by_rows(factor, "reg='auto'", "give reg as a number")

    def _train(self, problem, options, streams, callbacks, *, continues):
        """Return the result of each net, and a KeyboardInterrupt that ended training, or None."""
        make_starts = self._continue if continues else self._start
        starts = make_starts(problem, options.dtype, streams)
        n_threads = count_threads() if len(starts) > 1 else 1
        return train_nets(
            starts, options, problem.samples, problem.validation, callbacks, n_threads
        )

    def _make_callbacks(self, problem, earlier, X, y, sample_weight):
        """Return the callbacks of the fit, or None."""
        if not has_callbacks(self):
            return None
        # a warm start needs the training state
        self._drop_optional_attributes(keeps_state=self.warm_start)
        task_name = "epoch" if self._solver_class.takes_batches else "iteration"
        hook_kwargs = make_hook_kwargs(self, X, y, sample_weight)
        make_attributes = partial(self._attributes_of, problem, earlier)
        return FitCallbacks(hook_kwargs, task_name, make_attributes)

    def _attributes_of(self, problem, earlier, results):
        """Return the attributes that the estimator would have after a fit with these results."""
        fitted = copy(self)
        unwarned = [result and replace(result, warning=None) for result in results]
        fitted._set_fitted(problem, unwarned, earlier, keeps_state=fitted.warm_start)
        return {
            name: value
            for name, value in vars(fitted).items()
            if name.endswith("_") or name in PRIVATE_ATTRIBUTES
        }

    def _start(self, problem, dtype, streams):
        """Return a `NetStart` with new weights for each net."""
        initializer = self._auto_initializer if is_auto(self.init) else make_initializer(self.init)
        batches = self._seed_batches(streams)
        widths = self._get_widths(problem)
        return draw_starts(
            widths, self._activation, self.init, initializer, dtype, streams, batches
        )

    def _continue(self, problem, dtype, streams):
        """Return a `NetStart` with the fitted weights for each net."""
        networks, widths = self._get_networks(), self._get_widths(problem)
        same_classes = np.array_equal(problem.classes, self.classes_)
        if networks[0].widths != widths or len(networks) != self._n_nets or not same_classes:
            raise ValueError(
                "warm_start=True and partial_fit need the number of nets, layer widths and "
                f"classes of the earlier fit: {len(networks)}, {networks[0].widths} and "
                f"{plain(self.classes_.tolist())}. Now they are {self._n_nets}, {plain(widths)} "
                f"and {plain(problem.classes.tolist())}. Set warm_start=False, or fit a clone."
            )
        # fitted nets have the activation of the last fit
        networks = [Network(widths, self._activation, net.parameters) for net in networks]
        saved = vars(self).get("_training_state")
        return continue_starts(networks, saved, self.solver, dtype, self._seed_batches(streams))

    def _seed_batches(self, streams):
        """Return the bit generator that shuffles the rows of each net; None for no shuffling."""
        shuffles = self._solver_class.takes_batches and self.shuffle
        return [streams.batches(net) if shuffles else None for net in range(self._n_nets)]

    def _get_widths(self, problem):
        return [problem.n_features, *self._hidden_sizes, len(problem.classes)]

    def _drop_optional_attributes(self, *, keeps_state=False):
        """Drop the attributes of an earlier fit that the next one may not set."""
        for name in ("loss_curves_", "validation_loss_curve_", "best_iter_", "gap_"):
            vars(self).pop(name, None)
        if not keeps_state:
            vars(self).pop("_training_state", None)

    def _get_earlier_curves(self, continues):
        """Return the curves to continue: losses, validation losses, and the losses of each net."""
        names = ("loss_curve_", "validation_loss_curve_", "loss_curves_")
        # there are no curves if the user has set the weights
        return [vars(self).get(name, []) if continues else [] for name in names]

    def _set_fitted(self, problem, results, earlier, *, keeps_state):
        """Set the fitted attributes, and issue the warnings of the training.

        `results` has the result of each net, None if the net had not begun. `earlier` are the
        curves to continue.
        """
        loss_curve, validation_curve, net_curves = earlier
        all_results, n_before = results, len(loss_curve)
        results = list(filter(None, results))
        self.classes_ = problem.classes
        self.reg_ = self._resolve_reg(problem)
        self._total_weight = problem.total_weight
        self._effective_size = problem.effective_size
        self._set_layers(results)
        self._set_encoding(problem.samples.X)
        self._fitted_activation = getattr(self, "activation", None)  # the linear model has none
        self.n_iter_ = max(result.n_iter for result in results)
        self.loss_ = fmean(result.loss for result in results)
        self.loss_curve_ = loss_curve + mean_curve([result.loss_curve for result in results])
        reasons = [result.stop_reason for result in results]
        self.stop_reason_ = reasons[0] if self._n_nets == 1 else np.array(reasons)
        self._drop_optional_attributes()
        if self._n_nets > 1:
            self.loss_curves_ = continue_curves(net_curves, all_results, n_before)
        if problem.validation is not None:
            curve = mean_curve([result.validation_curve for result in results])
            unwatched = [np.nan] * (n_before - len(validation_curve))
            self.validation_loss_curve_ = validation_curve + unwatched + curve
            best_iters = [n_before + result.best_iter for result in results]
            self.best_iter_ = best_iters[0] if self._n_nets == 1 else np.array(best_iters)
        if hasattr(results[0], "gap"):
            self.gap_ = results[0].gap
        if keeps_state and isinstance(results[0], NetResult):
            self._training_state = save_states([result.checkpoint for result in results]) | {
                "solver": self.solver,
                "fitted_parameters": np.stack([net.parameters for net in self._get_networks()]),
            }
        described = [result.warning for result in results if result.warning]
        if described:
            many = f"{len(described)} of {len(results)} nets, the first: "
            message = (many if self._n_nets > 1 else "") + described[0]
            warn(message, ConvergenceWarning)

    def decision_function(self, X: MatrixLike) -> Floats:
        """Return the scores of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes, the score of the second class minus the score of the first.
        """
        scores = self._predict(X, keep_scores)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: MatrixLike) -> Labels:
        """Return the class with the highest score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels from `classes_`.
        """
        check_is_fitted(self)
        codes = predict_codes(self._validate_rows(X), self._get_networks())
        return self.classes_[codes]

    def predict_proba(self, X: MatrixLike) -> Floats:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            One column for each class, in the order of `classes_`.
        """
        return self._predict(X, softmax)

    def predict_log_proba(self, X: MatrixLike) -> Floats:
        """Return the logarithms of the probabilities, which are always finite.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            One column for each class, in the order of `classes_`.
        """
        return self._predict(X, log_softmax)

    def to_sklearn(self) -> Any:
        """Return a fitted scikit-learn model with the same predictions up to rounding.

        The model does not need this package. The parameters of its training, such as the solver,
        have scikit-learn's defaults. Only `C` or `alpha` is set, to the penalty of this fit.
        `MLPClassifier` divides `alpha` by the number of rows in a batch. If the batch has all
        rows, its penalty equals the penalty of this fit. (For two classes, `MLPClassifier` has one
        output instead of two, so the penalty on the last layer differs.)

        Except for an average of several nets, the model can continue to train: `partial_fit` of
        `MLPClassifier` and a `fit` with ``warm_start=True`` start from the converted weights. For
        batches of b rows, set ``alpha=reg_ * b``.

        With ``encoding="piecewise"``, the model is a pipeline that begins with a
        `ColumnTransformer`. It computes the standardized columns and, instead of pieces, the
        hat functions of `SplineTransformer` with ``degree=1``. The predictions are the same, but
        the penalty differs: if the last step is trained further, `C` and `alpha` penalize the
        weights of the hat functions.

        Returns
        -------
        model : LogisticRegression, MLPClassifier, VotingClassifier or Pipeline
            A linear model, a net, an average of several nets, or a pipeline that ends in one of
            these. The arrays are copies.

        Raises
        ------
        ValueError
            For nets with the activation "gelu", "silu" or "leaky_relu", which `MLPClassifier` does
            not support.
        NotFittedError
            If neither `fit` nor `partial_fit` was called.
        """
        check_is_fitted(self, "reg_")
        names = ("n_features_in_", "feature_names_in_")
        columns = {name: getattr(self, name) for name in names if hasattr(self, name)}
        if not self._is_encoded:
            return self._convert(self._get_networks(), columns)
        from ._to_sklearn import make_encoded_model  # noqa: PLC0415

        return make_encoded_model(
            self._convert, self._get_networks(), self._get_encoding(float), columns
        )

    def _predict(self, X, transform):
        check_is_fitted(self)
        return predict_scores(self._validate_rows(X), self._get_networks(), transform)
