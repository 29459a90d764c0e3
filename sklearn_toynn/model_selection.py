"""Searches over hyperparameters that train their candidates together.

`FusedSearchMixin.fit` says what a search does. Its candidates (`Candidate`) are sorted into
tasks by what they share (`make_tasks`). A task on one split is `Evaluation.run`: it fits the
steps before the last once (`Preparation`), trains the last steps stack by stack, scores them,
and returns results as `GridSearchCV` has them.
"""

import math
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from copy import copy, deepcopy
from dataclasses import dataclass
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

from ._base import NetClassifier, fit_stack, predict_stack
from ._sklearn_compat import (
    callback_context,
    check_method_params,
    check_parameters,
    fit_context,
    has_callbacks,
    insert_error_scores,
    is_multimetric,
    propagated_callbacks,
    report_fit_failures,
    safe_split,
    score_with,
)

__all__ = ["FusedGridSearchCV", "FusedRandomizedSearchCV"]


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
        self.index, self.setting = index, setting
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
    def is_fusible(self):
        """Whether `fit_stack` does what the last step's own `fit` would do."""
        step = self.last_step
        return (
            isinstance(step, NetClassifier)
            and not has_callbacks(step)  # each fit calls them by itself
            and all(
                getattr(type(step), name) is getattr(NetClassifier, name)
                for name in ("fit", "predict", "score")
            )
            and step.fuses(self.last.get("solver", step.solver))
        )

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


def freeze(parameters):
    """Return a key that parameters share only if they are the same to an estimator."""
    return tuple(
        (name, type(value), repr(value) if isinstance(value, Number | str) else id(value))
        for name, value in sorted(parameters.items())
    )


def without_none(X, y):
    """Return the arguments of `fit` as they are passed where there may be no labels."""
    return (X,) if y is None else (X, y)


class FitArguments(BaseEstimator):
    """In the place of a pipeline's last step, keeps what that would be fitted to."""

    def __init__(self, step):
        self.step = step

    def fit(self, *args, **fit_params):
        """Keep the arguments."""
        self.args_, self.fit_params_ = args, fit_params
        return self

    def get_metadata_routing(self):
        """Ask for what the step asks for."""
        return self.step.get_metadata_routing()


class Preparation:
    """The steps before the last, fitted once on a split for all candidates that share them.

    Parameters
    ----------
    candidate : Candidate
        One of those candidates.

    Attributes
    ----------
    estimator : estimator
        What X and y are cut up for: the pipeline, or the last step where there is none.
    """

    def __init__(self, candidate):
        self._pipeline = None
        if candidate.pipeline is not None:
            pipeline = clone(candidate.pipeline).set_params(**clone(candidate.before, safe=False))
            self._last_name = pipeline.steps[-1][0]
            last = FitArguments(candidate.last_step)
            self._pipeline = pipeline.set_params(**{self._last_name: last})
        self.estimator = candidate.last_step if self._pipeline is None else self._pipeline
        self._transformed = {}

    def fit(self, X, y, fit_params):
        """Fit the steps before the last, and keep what the last one is to be fitted to."""
        args = without_none(X, y)
        if self._pipeline is None:
            self._args, self._fit_params = args, fit_params
            return
        self._pipeline.fit(*args, **fit_params)
        last = self._pipeline.steps[-1][1]
        self._args, self._fit_params = last.args_, last.fit_params_

    def fit_last_step(self, step):
        """Fit a last step by itself."""
        return step.fit(*self._args, **self._fit_params)

    def fit_stack(self, steps):
        """Fit last steps together."""
        interrupt = fit_stack(steps, *self._args, **self._fit_params)
        if interrupt is not None:
            raise interrupt

    def model(self, last_step):
        """Return the whole model that ends in a fitted last step."""
        if self._pipeline is None:
            return last_step
        model = copy(self._pipeline)
        model.steps = [*model.steps[:-1], (self._last_name, last_step)]
        return model

    def transform(self, X, name):
        """Return what the last step gets of X, kept under a name."""
        if self._pipeline is None or len(self._pipeline) == 1:
            return X
        if name not in self._transformed:
            self._transformed[name] = self._pipeline[:-1].transform(X)
        return self._transformed[name]


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
class Rows:
    """Rows to score on, named "test" or "train"."""

    name: str
    X: object
    y: object
    score_params: dict


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
    #: The search, for its callbacks, or None without any.
    caller: object

    def run(self, X, y, stacks, contexts, split, train, test):
        """Fit and score stacks that share their preparation, on one split.

        Parameters
        ----------
        X, y : array-like
            All rows.
        stacks : list of list of Candidate
            What to fit.
        contexts : list of callback contexts
            One per stack.
        split : int
            The number of the split.
        train, test : array-like of int
            Its rows.

        Returns
        -------
        results : dict of (int, int) to dict
            What `GridSearchCV` keeps of a fit, by candidate and split.
        """
        start = time.time()
        train, test = np.asarray(train), np.asarray(test)
        preparation = Preparation(stacks[0][0])
        X_train, y_train = safe_split(preparation.estimator, X, y, train)
        X_test, y_test = safe_split(preparation.estimator, X, y, test, train)
        scored = [Rows("test", X_test, y_test, self._cut(self.score_params, X, test))]
        if self.return_train_score:
            params = self._cut(self.score_params, X, train)
            scored.append(Rows("train", X_train, y_train, params))
        fit_params = self._cut(self.fit_params, X, train)
        error = self._attempt(preparation.fit, X_train, y_train, fit_params)
        preparation_time = (time.time() - start) / sum(map(len, stacks))

        results = {}
        for stack, context in zip(stacks, contexts, strict=True):
            for candidate in stack:
                self._print_start(candidate, split)
            start = time.time()
            steps = make_last_steps(stack)
            with propagated_callbacks(context, steps[0]):
                context.call_on_fit_task_begin(estimator=self.caller, X=X_train, y=y_train)
                steps, errors = self._fit_stack(preparation, stack, steps, error)
            fit_time = preparation_time + (time.time() - start) / len(stack)
            outcomes = self._score_stack(preparation, steps, errors, scored)
            for candidate, outcome in zip(stack, outcomes, strict=True):
                outcome["fit_time"] = fit_time
                self._print_end(candidate, split, outcome)
                results[candidate.index, split] = outcome
            context.call_on_fit_task_end(estimator=self.caller, X=X_train, y=y_train)
        return results

    @staticmethod
    def _cut(params, X, rows):
        return check_method_params(X, params=params, indices=rows)

    def _attempt(self, call, *args):
        """Return None, or the call's traceback where `error_score` lets it fail."""
        try:
            call(*args)
        except Exception:
            if self.error_score == "raise":
                raise
            return format_exc()
        return None

    def _fit_stack(self, preparation, stack, steps, error):
        """Return the last step of each candidate, and its traceback or None."""
        if error is not None:
            return steps, [error] * len(steps)
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

    def _score_stack(self, preparation, steps, errors, scored):
        """Return what `GridSearchCV` keeps of each step's scores."""
        fitted = [step for step, error in zip(steps, errors, strict=True) if error is None]
        start = time.time()
        scores = {}
        for rows in scored:
            scores[f"{rows.name}_scores"] = iter(self._score(preparation, fitted, rows))
            if rows.name == "test":
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

    def _score(self, preparation, steps, rows):
        """Return what the scorer says of each fitted last step."""
        if not steps:
            return []
        models, X = [preparation.model(step) for step in steps], rows.X
        # scorers by name ask for predictions alone, and unless more arguments are routed those
        # are the last step's of transformed rows; where transforming fails, the scorer will too
        is_routed = rows.score_params or get_config()["enable_metadata_routing"]
        if names_only(self.scoring) and not is_routed:
            with suppress(Exception):
                models, X = steps, preparation.transform(rows.X, rows.name)

        def score(model):
            return score_with(model, X, rows.y, self.scorer, rows.score_params, self.error_score)

        first = score(models[0])
        if len(models) > 1 and models is steps and self.scoring in (None, "accuracy"):
            fails = not math.isfinite(first) or first == self.error_score
            accuracies = [] if fails else stack_accuracies(steps, X, rows.y)
            if accuracies[:1] == [first]:
                return accuracies
        return [first, *map(score, models[1:])]

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
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        self.n_splits_ = cv.get_n_splits(X, y, **routed.splitter.split)
        context = callback_context(self, max_subtasks=self.n_splits_ + bool(self.refit))
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        settings = list(self._make_settings())
        results = self._evaluate(X, y, settings, cv, scorer, routed, context)
        report_fit_failures(results, self.error_score)
        if callable(self.scoring):
            insert_error_scores(results, self.error_score)
        self.multimetric_ = isinstance(results[0]["test_scores"], dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(results[0]["test_scores"])
            refit_metric = self.refit
        self.cv_results_ = self._format_results(settings, self.n_splits_, results)
        self.scorer_ = scorer._scorers if is_multimetric(scorer) else scorer
        if self.refit or not self.multimetric_:
            self.best_index_ = self._select_best_index(self.refit, refit_metric, self.cv_results_)
            self.best_params_ = settings[self.best_index_]
            if not callable(self.refit):
                self.best_score_ = self.cv_results_[f"mean_test_{refit_metric}"][self.best_index_]
        if self.refit:
            self._refit(X, y, routed.estimator.fit, context)
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def _evaluate(self, X, y, settings, cv, scorer, routed, context):
        """Return the results, candidate by candidate, split by split."""
        splits = list(cv.split(X, y, **routed.splitter.split))
        if len(splits) != self.n_splits_:
            raise ValueError(
                f"cv must give as many splits as its get_n_splits says: {self.n_splits_}, "
                f"got {len(splits)}."
            )
        if not (settings and splits):
            raise ValueError(
                f"Nothing to fit: {len(settings)} candidates and {len(splits)} splits. Check "
                "the parameter grid and cv."
            )
        if self.verbose > 0:
            print(  # noqa: T201
                f"Fitting {len(splits)} folds for each of {len(settings)} candidates, "
                f"totalling {len(splits) * len(settings)} fits"
            )
        estimator, fit_params = clone(self.estimator), routed.estimator.fit
        candidates = [
            Candidate(index, setting, estimator, has_fit_params=bool(fit_params))
            for index, setting in enumerate(settings)
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
            caller=self if has_callbacks(self) else None,
        )
        tasks = make_tasks(candidates, len(splits), self.n_jobs)
        folds = [
            context.subcontext(task_name="fold", max_subtasks=sum(map(len, tasks))) for _ in splits
        ]
        # all before the first task, as workers get copies of the tree
        contexts = [
            [[fold.subcontext(task_name="stack") for _ in stacks] for stacks in tasks]
            for fold in folds
        ]
        for fold in folds:
            fold.call_on_fit_task_begin(estimator=self, X=X, y=y)
        outputs = Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch)(
            delayed(evaluation.run)(X, y, stacks, contexts[split][task], split, train, test)
            for (split, (train, test)), (task, stacks) in product(
                enumerate(splits), enumerate(tasks)
            )
        )
        for fold in folds:
            fold.call_on_fit_task_end(estimator=self, X=X, y=y)
        by_place = {place: result for output in outputs for place, result in output.items()}
        return [by_place[place] for place in sorted(by_place)]

    def _refit(self, X, y, fit_params, context):
        """Fit the best candidate to all rows."""
        self.best_estimator_ = clone(self.estimator).set_params(
            **clone(self.best_params_, safe=False)
        )
        context = context.subcontext(task_name="refit-with-best-params")
        with propagated_callbacks(context, self.best_estimator_):
            context.call_on_fit_task_begin(estimator=self, X=X, y=y)
            start = time.time()
            self.best_estimator_.fit(*without_none(X, y), **fit_params)
            self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
        context.call_on_fit_task_end(estimator=self, X=X, y=y)


class FusedGridSearchCV(FusedSearchMixin, GridSearchCV):
    """`GridSearchCV` that trains its candidates together; every value but the times is equal.

    Candidates that differ in `reg`, `learning_rate` or `momentum` alone are trained
    as one stack on each fold, where the solver is "gd", "sgd" or "adam". What can't share a
    stack, such as another hidden size, is split into stacks; what can't be stacked at all, such
    as another estimator at the end of a pipeline, is fitted by itself. The steps of a pipeline
    before the last are fitted once per fold and distinct setting of theirs (with more than
    one job, per task).

    Parameters and attributes are those of :class:`~sklearn.model_selection.GridSearchCV`.

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
