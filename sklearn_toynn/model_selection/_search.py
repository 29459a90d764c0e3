"""Searches over hyperparameters that train their candidates together.

`FusedSearchMixin.fit` says what a search does. Those of its candidates (`Candidate`) that share
something are sorted into tasks by what that is (`make_tasks`). A task on one split is
`Evaluation.run`: it fits the steps before the last once (`Preparation`), trains the last steps
stack by stack, scores them, and returns results as `GridSearchCV` has them. All others, and what
turns out to be none to share, goes through scikit-learn's own `_fit_and_score`.
"""

import math
import time
from abc import ABC, abstractmethod
from copy import copy, deepcopy
from dataclasses import dataclass
from functools import partial
from itertools import product
from numbers import Number
from traceback import format_exc

import numpy as np
from joblib import effective_n_jobs
from joblib.logger import short_format_time
from sklearn import get_config
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
    check_cv,
)
from sklearn.pipeline import Pipeline
from sklearn.utils import indexable
from sklearn.utils.parallel import Parallel, delayed

from .._base import NetClassifier, fit_stack, predict_stack
from .._sklearn_compat import (
    callback_context,
    check_method_params,
    check_parameters,
    fit_and_score,
    fit_before_last,
    fit_context,
    has_callbacks,
    insert_error_scores,
    is_multimetric,
    propagated_callbacks,
    report_fit_failures,
    safe_split,
    score_with,
    timed_last_step,
)
from .._softmax import SoftmaxClassifier
from .._training.first_order import MiniBatchSolver
from .._training.options import is_auto

#: What a net goes through from its clone to its score. A subclass with one of its own is fitted,
#: and scored, as it wishes.
OWN_METHODS = (
    "__getstate__",
    "__setstate__",
    "__sklearn_clone__",
    "fit",
    "get_params",
    "predict",
    "score",
    "set_params",
)


class Candidate:
    """A setting of an estimator's parameters, those of its last step apart from the others.

    Parameters
    ----------
    index : int
        Its place among the candidates.
    setting : dict
        The parameters.
    estimator : estimator
        What they are set on.
    has_fit_params : bool
        Whether `fit` gets more than X and y, of which each last step takes what it asks for.

    Attributes
    ----------
    pipeline : Pipeline or None
        None where there are no steps before the last, or they can't be told apart: the last
        step is the estimator itself then.
    before, last : dict
        The parameters of the steps before the last, and those of the last.
    last_step : estimator
        What the latter are set on.
    """

    def __init__(self, index, setting, estimator, *, has_fit_params):
        self.index, self.setting, self.estimator = index, setting, estimator
        self.pipeline, self.before = None, {}
        self.last_step, self.last = estimator, setting
        # a subclass may do anything with its steps
        if type(estimator) is Pipeline and "steps" not in setting:
            name, default = estimator.steps[-1]
            last_step = setting.get(name, default)
            if hasattr(last_step, "fit"):
                self._split(name, last_step)
        self._has_fit_params = has_fit_params

    def __str__(self):
        """Return the setting as `GridSearchCV` prints it."""
        return ", ".join(f"{name}={self.setting[name]}" for name in sorted(self.setting))

    def _split(self, name, last_step):
        self.pipeline, self.last_step, self.last = self.last_step, last_step, {}
        for key, value in self.setting.items():
            if key.startswith(f"{name}__"):
                self.last[key.removeprefix(f"{name}__")] = value
            elif key != name:
                self.before[key] = value

    @property
    def is_ours(self):
        """Whether the last step is known to do no more than `NetClassifier` does."""
        return isinstance(self.last_step, NetClassifier) and all(
            getattr(type(self.last_step), name) is getattr(NetClassifier, name)
            for name in OWN_METHODS
        )

    @property
    def is_fusible(self):
        """Whether `fit_stack` does what the last step's own `fit` would do."""
        return self.is_ours and self.last_step.fuses(
            self.last.get("solver", self.last_step.solver)
        )

    @property
    def draws_globally(self):
        """Whether a fit of the last step may draw from NumPy's global stream."""
        if self.is_ours and not self._needs_draws():
            return False
        params = {**self.last_step.get_params(), **self.last}
        return any(
            name.split("__")[-1] == "random_state" and value is None
            for name, value in params.items()
        )

    def _needs_draws(self):
        """Whether a net's weights, batches or validation split are drawn."""
        step = self.last_step
        # a subclass's own `__init__` may have fewer parameters
        solver, init, shuffle, early_stopping = (
            self.last.get(name, getattr(step, name))
            for name in ("solver", "init", "shuffle", "early_stopping")
        )
        has_batches = step.fuses(solver) and issubclass(step._solvers[solver], MiniBatchSolver)
        starts_at_zero = isinstance(step, SoftmaxClassifier) and is_auto(init)
        return bool(early_stopping or (has_batches and shuffle) or not starts_at_zero)

    def is_shareable(self, *, in_order, is_watched, scores_train):
        """Say whether others may share something with it, without a difference to any.

        Parameters
        ----------
        in_order : bool
            Whether `GridSearchCV` would draw from NumPy's global stream in a known order.
        is_watched : bool
            Whether the search has callbacks, which are told what a pipeline does.
        scores_train : bool
            Whether the training rows are scored on, as the fit has left them.
        """
        has_own_callbacks = any(map(has_callbacks_within, self.setting.values()))
        if has_own_callbacks or (in_order and self.draws_globally):
            return False
        has_steps = self.pipeline is not None and len(self.pipeline) > 1
        # another's `fit` may write to what it gets, of which X and y alone are copied
        may_write = not self.is_ours and (self._has_fit_params or scores_train)
        return self.is_fusible or (has_steps and not (may_write or is_watched))

    @property
    def preparation_key(self):
        """What candidates share that get the same preprocessing."""
        routed_to = id(self.last_step) if self._has_fit_params else None
        return self.pipeline is None, routed_to, freeze(self.before)

    @property
    def stack_key(self):
        """What candidates share, beyond that, that are trained together."""
        if not self.is_fusible:
            return self.index
        return id(self.last_step), freeze(
            {k: v for k, v in self.last.items() if k not in NetClassifier.FUSED_PARAMETERS}
        )


def has_callbacks_within(value):
    """Say whether an estimator, or one within it, has callbacks; no other value has."""
    parts = value.get_params().values() if isinstance(value, BaseEstimator) else ()
    return any(map(has_callbacks, [value, *parts]))


def freeze(parameters):
    """Return a key that parameters share only if they are the same to an estimator."""
    return tuple(
        (name, type(value), repr(value) if isinstance(value, Number | str) else id(value))
        for name, value in sorted(parameters.items())
    )


def without_none(X, y):
    """Return the arguments of `fit` as they are passed where there may be no labels."""
    return (X,) if y is None else (X, y)


@dataclass(frozen=True)
class Split:
    """A split of all rows into "train" and "test"."""

    index: int
    X: object
    y: object
    train: np.ndarray
    test: np.ndarray

    def cut(self, estimator, name):
        """Return X and y of the rows of that name, afresh."""
        if name == "train":
            return safe_split(estimator, self.X, self.y, self.train)
        return safe_split(estimator, self.X, self.y, self.test, self.train)

    def cut_params(self, params, name):
        """Return what goes along with those rows."""
        return check_method_params(self.X, params=params, indices=getattr(self, name))


class Preparation:
    """The steps before the last, fitted once on a split for all candidates that share them.

    Parameters
    ----------
    candidate : Candidate
        One of those candidates.
    split : Split
        The split.

    Attributes
    ----------
    X, y : array-like
        The training rows, as the fit has left them.
    has_steps : bool
        Whether there are steps before the last.
    """

    def __init__(self, candidate, split):
        self.split = split
        self._estimator, self._pipeline = candidate.last_step, None
        if candidate.pipeline is not None:
            pipeline = clone(candidate.pipeline).set_params(**clone(candidate.before, safe=False))
            self._last_name = pipeline.steps[-1][0]
            # what fit parameters are routed to
            pipeline.set_params(**{self._last_name: clone(candidate.last_step)})
            self._estimator = self._pipeline = pipeline
        self.has_steps = self._pipeline is not None and len(self._pipeline) > 1
        self.X, self.y = split.cut(self._estimator, "train")
        self._scored = {}

    def fit(self, fit_params):
        """Fit the steps before the last, and keep what the last one is to be fitted to."""
        if self._pipeline is None:
            self._args, self._fit_params = without_none(self.X, self.y), fit_params
            return
        X, self._fit_params = fit_before_last(self._pipeline, self.X, self.y, fit_params)
        self._args = X, self.y

    def with_own_rows(self):
        """Return the same with copies of the training rows, for a step that may write to them."""
        own = copy(self)
        own.X, own.y, own._args = deepcopy((self.X, self.y, self._args))
        return own

    def fit_last_step(self, step):
        """Fit a last step by itself."""
        with timed_last_step(self._pipeline):
            step.fit(*self._args, **self._fit_params)

    def fit_stack(self, steps):
        """Fit last steps together."""
        with timed_last_step(self._pipeline):
            interrupt = fit_stack(steps, *self._args, **self._fit_params)
        if interrupt is not None:
            raise interrupt

    def copy_steps(self):
        """Return copies of the fitted steps before the last."""
        return deepcopy(self._pipeline.steps[:-1]) if self.has_steps else []

    def model(self, last_step, steps_before=None):
        """Return the whole model that ends in a fitted last step; without copies, on the steps."""
        if self._pipeline is None:
            return last_step
        model = copy(self._pipeline)
        before = self._pipeline.steps[:-1] if steps_before is None else steps_before
        model.steps = [*before, (self._last_name, last_step)]
        return model

    def shared_rows(self, name):
        """Return X, as the last steps get it, and y; None where the transformation fails."""
        if name not in self._scored:
            self._scored[name] = self._make_shared_rows(name)
        return self._scored[name]

    def own_rows(self, name):
        """Return X and y to score a whole model on that nobody else gets."""
        if name == "train":
            return deepcopy((self.X, self.y))
        return self.split.cut(self._estimator, name)

    def _make_shared_rows(self, name):
        if not self.has_steps:
            return (self.X, self.y) if name == "train" else self.own_rows(name)
        X, y = self.own_rows(name)
        try:
            return self._pipeline[:-1].transform(X), y
        except Exception:
            return None


def make_last_steps(stack):
    """Return the unfitted last step of each candidate of a stack."""
    first = stack[0]
    step = clone(first.last_step).set_params(**clone(first.last, safe=False))
    steps = [step]
    for candidate in stack[1:]:
        # a deep copy is what clone makes of each parameter, at a tenth of its time
        other = deepcopy(step)
        for name in NetClassifier.FUSED_PARAMETERS:
            value = candidate.last.get(name, getattr(candidate.last_step, name))
            setattr(other, name, clone(value, safe=False))
        steps.append(other)
    return steps


def check_stack(steps):
    """Raise an error where a parameter of a step of a stack is wrong."""
    check_parameters(steps[0])
    # the others' are the same but for these, and checking all takes 0.3 ms a step
    constraints = NetClassifier._parameter_constraints
    for name in NetClassifier.FUSED_PARAMETERS:
        for value in {getattr(step, name) for step in steps}:
            if not any(constraint.is_satisfied_by(value) for constraint in constraints[name]):
                raise ValueError(f"{name} can't be {value!r}.")


@dataclass(frozen=True)
class Evaluation:
    """How the candidates of a search are fitted and scored; the attributes are the search's."""

    scoring: object
    scorer: object
    fit_params: dict
    score_params: dict
    return_train_score: bool
    error_score: object
    verbose: int
    n_candidates: int
    n_splits: int
    #: Whether `GridSearchCV` would draw from NumPy's global stream in a known order.
    in_order: bool
    #: The search, for its callbacks, or None without any.
    caller: object

    def run_alone(self, X, y, candidate, context, index, train, test):
        """Return what `GridSearchCV` keeps of the fit of a candidate on the split of an index."""
        return fit_and_score(
            clone(candidate.estimator),
            X,
            y,
            scorer=self.scorer,
            train=train,
            test=test,
            verbose=self.verbose,
            parameters=candidate.setting,
            fit_params=self.fit_params,
            score_params=self.score_params,
            return_train_score=self.return_train_score,
            return_times=True,
            error_score=self.error_score,
            split_progress=(index, self.n_splits),
            candidate_progress=(candidate.index, self.n_candidates),
            caller=self.caller,
            context=context,
        )

    def run(self, X, y, stacks, contexts, index, train, test):
        """Fit and score stacks that share their preparation, on one split.

        Parameters
        ----------
        X, y : array-like
            All rows.
        stacks : list of list of Candidate
            What to fit.
        contexts : list of list of callback contexts
            One per candidate.
        index : int
            The number of the split.
        train, test : array-like of int
            Its rows.

        Returns
        -------
        results : dict of (int, int) to dict
            What `GridSearchCV` keeps of a fit, by candidate and split. Nothing where the
            preparation turns out to be none to share.
        """
        start = time.time()
        split = Split(index, X, y, np.asarray(train), np.asarray(test))
        preparation = Preparation(stacks[0][0], split)
        if not self._prepare(preparation):
            return {}
        preparation_time = (time.time() - start) / sum(map(len, stacks))
        return {
            (candidate.index, index): outcome
            for stack, own_contexts in zip(stacks, contexts, strict=True)
            for candidate, outcome in zip(
                stack,
                self._run_stack(preparation, stack, own_contexts, preparation_time),
                strict=True,
            )
        }

    def _prepare(self, preparation):
        """Fit the steps before the last; say whether candidates can share them.

        They can't where that fails, as each is to fail by itself; where it draws from NumPy's
        global stream, as each is to draw; and where scorers get models that can't be copied.
        """
        stream = np.random.get_state()
        try:
            preparation.fit(preparation.split.cut_params(self.fit_params, "train"))
            if not self._asks_once:
                preparation.copy_steps()
        except Exception:
            is_shareable = False
        else:
            is_shareable = all(map(np.array_equal, stream, np.random.get_state()))
            is_shareable |= not self.in_order
        if self.in_order and not is_shareable:
            np.random.set_state(stream)
        return is_shareable

    def _run_stack(self, preparation, stack, contexts, preparation_time):
        """Return what `GridSearchCV` keeps of each candidate."""
        split = preparation.split
        for candidate in stack:
            self._print_start(candidate, split.index)
        start = time.time()
        if not stack[0].is_ours:
            preparation = preparation.with_own_rows()
        steps = make_last_steps(stack)
        told = {
            "estimator": self.caller,
            "X": preparation.X,
            "y": preparation.y,
            "metadata": callback_metadata(split.cut_params(self.fit_params, "train")),
        }
        try:
            with propagated_callbacks(contexts[0], steps[0]):
                begin_errors = [
                    self._attempt(partial(context.call_on_fit_task_begin, **told))
                    for context in contexts
                ]
                steps, errors = self._fit_stack(preparation, stack, steps)
            errors = [one or other for one, other in zip(begin_errors, errors, strict=True)]
            fit_time = preparation_time + (time.time() - start) / len(stack)
            outcomes = self._score_stack(preparation, stack, steps, errors)
        finally:
            for context in contexts:
                context.call_on_fit_task_end(**told)
        for candidate, outcome in zip(stack, outcomes, strict=True):
            outcome["fit_time"] = fit_time
            self._print_end(candidate, split.index, outcome)
        return outcomes

    def _attempt(self, call, *args):
        """Return None, or the call's traceback where `error_score` lets it fail."""
        try:
            call(*args)
        except Exception:
            if self.error_score == "raise":
                raise
            return format_exc()
        return None

    def _fit_stack(self, preparation, stack, steps):
        """Return the last step of each candidate, and its traceback or None."""
        if len(steps) > 1:
            try:
                check_stack(steps)
                preparation.fit_stack(steps)
            except Exception:
                # what fails shall fail alone, and random states shall start anew
                steps = make_last_steps(stack)
            else:
                return steps, [None] * len(steps)
        return steps, [self._attempt(preparation.fit_last_step, step) for step in steps]

    def _score_stack(self, preparation, stack, steps, errors):
        """Return what `GridSearchCV` keeps of each step's scores."""
        fitted = [step for step, error in zip(steps, errors, strict=True) if error is None]
        if self._shares_rows(stack):
            score = partial(self._score_shared, preparation, fitted, is_ours=stack[0].is_ours)
        else:
            # those of a stack share arrays
            own = map(deepcopy, fitted) if stack[0].is_ours else fitted
            models = [preparation.model(step, preparation.copy_steps()) for step in own]
            score = partial(self._score_own, preparation, models)
        scores = {}
        for name in ("test", "train") if self.return_train_score else ("test",):
            start = time.time()
            scores[f"{name}_scores"] = iter(score(name))
            if name == "test":
                score_time = (time.time() - start) / max(len(fitted), 1)
        return [
            {
                "fit_error": error,
                "score_time": score_time if error is None else 0.0,
                **{
                    name: next(values) if error is None else self._failure_score()
                    for name, values in scores.items()
                },
            }
            for error in errors
        ]

    @property
    def _asks_once(self):
        """Whether a scorer does no more with a pipeline than to ask once for predictions."""
        is_routed = self.score_params or get_config()["enable_metadata_routing"]
        return (self.scoring is None or isinstance(self.scoring, str)) and not is_routed

    def _shares_rows(self, stack):
        """Whether all last steps of a stack can be scored on the same rows, transformed once."""
        return names_only(self.scoring) if stack[0].pipeline is None else self._asks_once

    def _score(self, model, X, y, score_params):
        return score_with(model, X, y, self.scorer, score_params, self.error_score)

    def _score_own(self, preparation, models, name):
        """Return the scores of whole models, each on rows of its own."""
        return [
            self._score(
                model,
                *preparation.own_rows(name),
                preparation.split.cut_params(self.score_params, name),
            )
            for model in models
        ]

    def _score_shared(self, preparation, steps, name, *, is_ours):
        """Return the scores of last steps."""
        rows = preparation.shared_rows(name)
        if rows is None:  # the scorer will say why
            return self._score_own(preparation, list(map(preparation.model, steps)), name)
        params = preparation.split.cut_params(self.score_params, name)
        if not is_ours:
            return [self._score(step, *deepcopy(rows), params) for step in steps]
        first = self._score(steps[0], *rows, params) if steps else None
        if len(steps) > 1 and self.scoring in (None, "accuracy"):
            fails = not math.isfinite(first) or first == self.error_score
            accuracies = [] if fails else stack_accuracies(steps, *rows)
            if accuracies[:1] == [first]:
                return accuracies
        return [first, *(self._score(step, *rows, params) for step in steps[1:])]

    def _failure_score(self):
        if is_multimetric(self.scorer):
            return dict.fromkeys(self.scorer._scorers, self.error_score)
        return self.error_score

    def _progress(self, candidate, split):
        """Return the opening of a line on a candidate."""
        place = f" {split + 1}/{self.n_splits}" if self.verbose > 2 else ""
        if self.verbose > 9:
            place += f"; {candidate.index + 1}/{self.n_candidates}"
        return f"[CV{place}]"

    def _print_start(self, candidate, split):
        if self.verbose > 9:
            line = f"{self._progress(candidate, split)} START {candidate}"
            print(f"{line:.<80}")  # noqa: T201

    def _print_end(self, candidate, split, outcome):
        if self.verbose <= 1:
            return
        start, end = f"{self._progress(candidate, split)} END ", f"{candidate}"
        end += ";" if end else ""
        if self.verbose > 2:
            end += describe_scores(outcome["test_scores"], outcome.get("train_scores"))
        seconds = outcome["fit_time"] + outcome["score_time"]
        end += f" total time={short_format_time(seconds)}"
        print(f"{start}{end:.>{max(80 - len(start), 0)}}")  # noqa: T201


def describe_scores(test, train):
    """Return scores, `train` None without, as `GridSearchCV` prints them."""
    if isinstance(test, dict):
        train = train or {}
        texts = (
            f" {name}: ({f'train={train[name]:.3f}, ' if train else ''}test={test[name]:.3f})"
            for name in sorted(test)
        )
        return "".join(texts)
    return (
        f", score={test:.3f}" if train is None else f", score=(train={train:.3f}, test={test:.3f})"
    )


def names_only(scoring):
    """Say whether scorers come by name, and so ask for predictions alone."""
    if callable(scoring):
        return False
    names = scoring.values() if isinstance(scoring, dict) else scoring or []
    return all(isinstance(name, str) for name in names)


def stack_accuracies(steps, X, y):
    """Return the share of rows that each net of a stack gets right, or nothing for odd labels."""
    y = np.asarray(y)
    if y.ndim != 1:
        return []
    return [np.count_nonzero(labels == y) / len(y) for labels in predict_stack(steps, X)]


def make_tasks(candidates, n_splits, n_jobs):
    """Return lists of stacks that share their preparation: each is a task on every split.

    The fewest tasks fit every preparation once per split. More are made where jobs would
    stand idle, or where there is nothing to prepare.
    """
    preparations = {}
    for candidate in candidates:
        stacks = preparations.setdefault(candidate.preparation_key, {})
        stacks.setdefault(candidate.stack_key, []).append(candidate)
    n_jobs = effective_n_jobs(n_jobs)
    tasks = []
    for stacks in preparations.values():
        members = list(stacks.values())
        is_free = members[0][0].pipeline is None and n_jobs > 1
        n_wanted = 2 * n_jobs if is_free else n_jobs
        n_parts = math.ceil(n_wanted / (n_splits * len(preparations)))
        tasks += deal(members, n_parts)
    return tasks


def deal(stacks, n_parts):
    """Return stacks, cut up where they are large, as `n_parts` lists of about the same sizes."""
    largest = math.ceil(sum(map(len, stacks)) / n_parts)
    pieces = [
        stack[start : start + largest]
        for stack in stacks
        for start in range(0, len(stack), largest)
    ]
    pieces.sort(key=len, reverse=True)
    return [part for first in range(n_parts) if (part := pieces[first::n_parts])]


def callback_metadata(fit_params):
    """Return what callbacks are told of the arguments of a fit beyond X and y."""
    weights = fit_params.get("sample_weight")
    return None if weights is None else {"sample_weight": weights}


class FusedSearchMixin(ABC):
    """`fit` of a search whose candidates are trained in stacks."""

    @abstractmethod
    def _make_settings(self):
        """Return the settings to try, in the order of `cv_results_`."""

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Evaluate all candidates, and refit the best.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,)
            The labels.
        **params : dict of str -> object
            What goes on to the estimator, the scorer and the splitter, as in `GridSearchCV`.

        Returns
        -------
        self : estimator
            The fitted search.
        """
        scorer, refit_metric = self._get_scorers()
        X, y = indexable(X, y)
        params = check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        told = {"estimator": self, "X": X, "y": y, "metadata": callback_metadata(params)}
        context = callback_context(
            self,
            max_subtasks=1 + (self.refit is not False),
            is_watched=has_callbacks_within(self.estimator),
        )
        context.call_on_fit_task_begin(**told)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        self.n_splits_ = cv.get_n_splits(X, y, **routed.splitter.split)
        settings = self._make_settings()
        search_context = context.subcontext(
            task_name="search",
            max_subtasks=len(settings) * self.n_splits_,
            sequential_subtasks=False,
        )
        search_context.call_on_fit_task_begin(estimator=self)
        settings = list(settings)
        results = self._evaluate(X, y, settings, cv, scorer, routed, search_context)
        report_fit_failures(results, self.error_score)
        if callable(self.scoring):
            insert_error_scores(results, self.error_score)
        self.cv_results_ = self._format_results(settings, self.n_splits_, results)
        search_context.call_on_fit_task_end(estimator=self)
        self.multimetric_ = isinstance(results[0]["test_scores"], dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(results[0]["test_scores"])
            refit_metric = self.refit
        self.scorer_ = scorer._scorers if is_multimetric(scorer) else scorer
        if self.refit or not self.multimetric_:
            self.best_index_ = self._select_best_index(self.refit, refit_metric, self.cv_results_)
            self.best_params_ = settings[self.best_index_]
            if not callable(self.refit):
                self.best_score_ = self.cv_results_[f"mean_test_{refit_metric}"][self.best_index_]
        if self.refit:
            self._refit(told, routed.estimator.fit, context)
        context.call_on_fit_task_end(**told)
        return self

    def _evaluate(self, X, y, settings, cv, scorer, routed, context):
        """Return the results, candidate by candidate, split by split."""
        splits = list(cv.split(X, y, **routed.splitter.split))
        if len(splits) != self.n_splits_:
            raise ValueError(
                "cv.split and cv.get_n_splits return inconsistent results. "
                f"Expected {self.n_splits_} splits, got {len(splits)}"
            )
        if self.verbose > 0:
            print(  # noqa: T201
                f"Fitting {len(splits)} folds for each of {len(settings)} candidates, "
                f"totalling {len(splits) * len(settings)} fits"
            )
        if not (settings and splits):
            raise ValueError(
                "No fits were performed. Was the CV iterator empty? Were there no candidates?"
            )
        estimator, fit_params = clone(self.estimator), routed.estimator.fit
        candidates = [
            Candidate(index, setting, estimator, has_fit_params=bool(fit_params))
            for index, setting in enumerate(settings)
        ]
        is_watched, in_order = has_callbacks(self), effective_n_jobs(self.n_jobs) == 1
        shareable = [
            candidate
            for candidate in ([] if has_callbacks_within(estimator) else candidates)
            if candidate.is_shareable(
                in_order=in_order, is_watched=is_watched, scores_train=self.return_train_score
            )
        ]
        evaluation = Evaluation(
            scoring=self.scoring,
            scorer=scorer,
            fit_params=fit_params,
            score_params=routed.scorer.score,
            return_train_score=self.return_train_score,
            error_score=self.error_score,
            verbose=self.verbose,
            n_candidates=len(settings),
            n_splits=self.n_splits_,
            in_order=in_order,
            caller=self if is_watched else None,
        )
        # all before the first task, as workers get copies of the tree
        contexts = [
            [
                context.subcontext(
                    task_name="candidate-split-evaluation",
                    task_id=candidate.index * len(splits) + index,
                )
                for index in range(len(splits))
            ]
            for candidate in candidates
        ]
        with Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch) as parallel:
            outputs = parallel(
                delayed(evaluation.run)(
                    X,
                    y,
                    stacks,
                    [[contexts[one.index][index] for one in stack] for stack in stacks],
                    index,
                    *split,
                )
                for (index, split), stacks in product(
                    enumerate(splits), make_tasks(shareable, len(splits), self.n_jobs)
                )
            )
            results = {place: result for output in outputs for place, result in output.items()}
            # in the order in which `GridSearchCV` draws from NumPy's global stream
            rest = [
                (candidate, index)
                for candidate, index in product(candidates, range(len(splits)))
                if (candidate.index, index) not in results
            ]
            outputs = parallel(
                delayed(evaluation.run_alone)(
                    X, y, candidate, contexts[candidate.index][index], index, *splits[index]
                )
                for candidate, index in rest
            )
        for (candidate, index), result in zip(rest, outputs, strict=True):
            results[candidate.index, index] = result
        return [results[place] for place in sorted(results)]

    def _refit(self, told, fit_params, context):
        """Fit the best candidate to all rows, `told` to the callbacks."""
        self.best_estimator_ = clone(self.estimator).set_params(
            **clone(self.best_params_, safe=False)
        )
        context = context.subcontext(task_name="refit-with-best-params")
        with propagated_callbacks(context, self.best_estimator_):
            context.call_on_fit_task_begin(**told)
            start = time.time()
            self.best_estimator_.fit(*without_none(told["X"], told["y"]), **fit_params)
            self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
        context.call_on_fit_task_end(**told)


class FusedGridSearchCV(FusedSearchMixin, GridSearchCV):
    """`GridSearchCV` that trains its candidates together; every value but the times is equal.

    Candidates that differ in `reg`, `learning_rate` or `momentum` alone are trained
    as one stack on each fold, where the solver is "gd", "sgd" or "adam". What can't share a
    stack, such as another hidden size, is split into stacks; what can't be stacked at all, such
    as another estimator at the end of a pipeline, is fitted by itself. The steps of a pipeline
    before the last are fitted once per fold and distinct setting of theirs (with more than
    one job, per task).

    Parameters and attributes are those of :class:`~sklearn.model_selection.GridSearchCV`.

    Notes
    -----
    Set `random_state`. A net whose `random_state` is None draws from NumPy's global stream. With
    one job such candidates, and those behind a step whose fit draws from it, are fitted one by
    one in `GridSearchCV`'s order, so that after ``np.random.seed`` they are equal too, and take
    as long. With more jobs there is no order, `GridSearchCV` gives what it gives, and they are
    trained together. What a scorer draws from the global stream is left out of account.

    Nothing is shared where that could be told: candidates of a subclass with a `fit`, `predict`,
    `score`, `get_params` or `set_params` of its own, of an estimator with callbacks, or behind a
    step whose fit fails are fitted by themselves. Scorers that are callables, and several
    scorers at a time, get a copy of the pipeline's steps and rows of their own for each
    candidate, so that they, and steps that write to their rows, change no other's score.

    See Also
    --------
    FusedRandomizedSearchCV : The same for settings drawn at random.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_toynn import TwoLayerNetClassifier
    >>> from sklearn_toynn.model_selection import FusedGridSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> net = TwoLayerNetClassifier(max_iter=200, random_state=0)
    >>> search = FusedGridSearchCV(net, {"reg": [1e-4, 1e-3], "hidden_size": [4, 8]})
    >>> bool(search.fit(X, y).best_score_ > 0.9)
    True
    """

    def _make_settings(self):
        return ParameterGrid(self.param_grid)


class FusedRandomizedSearchCV(FusedSearchMixin, RandomizedSearchCV):
    """`RandomizedSearchCV` that trains its candidates together, as `FusedGridSearchCV` does.

    Parameters and attributes are those of
    :class:`~sklearn.model_selection.RandomizedSearchCV`.

    See Also
    --------
    FusedGridSearchCV : The same for a grid of settings.
    """

    def _make_settings(self):
        return ParameterSampler(
            self.param_distributions, self.n_iter, random_state=self.random_state
        )
