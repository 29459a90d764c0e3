"""Searches over hyperparameters that train their candidates together."""

import math
import time
from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass
from itertools import product
from traceback import format_exc

from joblib import effective_n_jobs
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

from ._base import NetClassifier, fit_stack
from ._sklearn_compat import (
    check_method_params,
    fit_context,
    insert_error_scores,
    is_multimetric,
    report_fit_failures,
    safe_split,
    score_with,
)

__all__ = ["FusedGridSearchCV", "FusedRandomizedSearchCV"]


class Candidate:
    """A setting of an estimator's parameters, those of the last step apart from the others.

    Parameters
    ----------
    index : int
        Its place among the candidates.
    parameters : dict
        The setting.
    estimator : estimator
        A pipeline, or a net by itself.
    """

    def __init__(self, index, parameters, estimator):
        self.index, self.parameters = index, parameters
        last_name, last_step, prefix = None, estimator, ""
        if isinstance(estimator, Pipeline):
            last_name, last_step = estimator.steps[-1]
            prefix = f"{last_name}__"
        self.before, self.last = {}, {}
        for name, value in parameters.items():
            if name.startswith(prefix):
                self.last[name.removeprefix(prefix)] = value
            else:
                self.before[name] = value
        self.is_fusible = (
            isinstance(last_step, NetClassifier)
            and last_name not in self.before
            and last_step.fuses(self.last.get("solver", last_step.solver))
        )

    @property
    def preparation_key(self):
        """What candidates share that get the same preprocessing."""
        return tuple(sorted((name, identity(value)) for name, value in self.before.items()))

    @property
    def stack_key(self):
        """What candidates share, beyond that, that are trained together."""
        if not self.is_fusible:
            return self.index
        return tuple(
            sorted(
                (name, identity(value))
                for name, value in self.last.items()
                if name not in NetClassifier.FUSED_PARAMETERS
            )
        )


def identity(value):
    """Return what two parameters have in common only if they are the same to an estimator."""
    plain = isinstance(value, str | int | float) or value is None
    return (type(value).__name__, repr(value)) if plain else (type(value).__name__, id(value))


class FitArguments(BaseEstimator):
    """In the place of a pipeline's last step, keeps what that would be fitted to."""

    def __init__(self, step):
        self.step = step

    def fit(self, X, y, **fit_params):
        """Keep the arguments."""
        self.X_, self.y_, self.fit_params_ = X, y, fit_params
        return self

    def get_metadata_routing(self):
        """Ask for what the step asks for."""
        return self.step.get_metadata_routing()


class Preparation:
    """An estimator's steps before the last, fitted once for all candidates that share them.

    Parameters
    ----------
    estimator : estimator
        A pipeline, or a net by itself, which has no steps before.
    parameters : dict
        The candidates' parameters of the steps before the last.
    """

    def __init__(self, estimator, parameters):
        self._pipeline = estimator if isinstance(estimator, Pipeline) else None
        self._parameters = parameters
        self._last_step = estimator if self._pipeline is None else estimator.steps[-1][1]
        self._transformed = {}

    def fit(self, X, y, fit_params):
        """Fit the steps before the last."""
        if self._pipeline is None:
            self._fit_arguments = X, y, fit_params
            return
        self._pipeline = clone(self._pipeline).set_params(**clone(self._parameters, safe=False))
        last_name, self._last_step = self._pipeline.steps[-1]
        last = FitArguments(self._last_step)
        self._pipeline.set_params(**{last_name: last}).fit(X, y, **fit_params)
        self._fit_arguments = last.X_, last.y_, last.fit_params_

    def fit_last_steps(self, candidates):
        """Return the fitted last step of each candidate of a stack."""
        X, y, fit_params = self._fit_arguments
        steps = [
            clone(self._last_step).set_params(**clone(candidate.last, safe=False))
            for candidate in candidates
        ]
        if len(steps) == 1:
            steps[0].fit(X, y, **fit_params)
            return steps
        for step in steps:
            step._validate_params()
        interrupt = fit_stack(steps, X, y, **fit_params)
        if interrupt is not None:
            raise interrupt
        return steps

    def model(self, last_step):
        """Return the whole model that ends in a fitted last step."""
        if self._pipeline is None:
            return last_step
        model = copy(self._pipeline)
        model.steps = [*model.steps[:-1], (model.steps[-1][0], last_step)]
        return model

    def transform(self, X, name):
        """Return what the last step gets of X, kept under a name."""
        if self._pipeline is None or len(self._pipeline) == 1:
            return X
        if name not in self._transformed:
            self._transformed[name] = self._pipeline[:-1].transform(X)
        return self._transformed[name]


@dataclass(frozen=True)
class Evaluation:
    """How the candidates of a search are fitted and scored."""

    estimator: object
    scorer: object
    #: Whether the scores ask for nothing but predictions, so that the last step's will do.
    needs_predictions_only: bool
    fit_params: dict
    score_params: dict
    return_train_score: bool
    error_score: object
    verbose: int
    n_splits: int

    def run(self, X, y, stacks, split, train, test):
        """Fit and score stacks that share their preparation, on one split.

        Returns
        -------
        pairs : list of (int, dict)
            Each candidate's index, and its result as `GridSearchCV` formats it.
        """
        X_train, y_train = safe_split(self.estimator, X, y, train)
        X_test, y_test = safe_split(self.estimator, X, y, test, train)
        fit_params = check_method_params(X, params=self.fit_params, indices=train)
        sets = [("test", X_test, y_test, self._score_params_of(X, test))]
        if self.return_train_score:
            sets.append(("train", X_train, y_train, self._score_params_of(X, train)))

        start = time.time()
        preparation = Preparation(self.estimator, stacks[0][0].before)
        error = self._attempt(preparation.fit, X_train, y_train, fit_params)
        preparation_time = (time.time() - start) / sum(map(len, stacks))
        pairs = []
        for stack in stacks:
            start = time.time()
            fitted = [error] * len(stack) if error else self._fit_last_steps(preparation, stack)
            fit_time = preparation_time + (time.time() - start) / len(stack)
            for candidate, last_step in zip(stack, fitted, strict=True):
                result = {"fit_time": fit_time, "n_test_samples": len(test)}
                if isinstance(last_step, str):
                    result |= self._failure(last_step)
                else:
                    result |= self._score(preparation, last_step, sets)
                self._print(candidate, split, result)
                pairs.append((candidate.index, result))
        return pairs

    def _attempt(self, call, *args):
        """Return what a call returns, or its traceback where `error_score` lets it fail."""
        try:
            return call(*args)
        except Exception:
            if self.error_score == "raise":
                raise
            return format_exc()

    def _fit_last_steps(self, preparation, stack):
        try:
            return preparation.fit_last_steps(stack)
        except Exception:  # what fails shall fail alone
            alone = [self._attempt(preparation.fit_last_steps, [candidate]) for candidate in stack]
            return [result if isinstance(result, str) else result[0] for result in alone]

    def _score_params_of(self, X, rows):
        return check_method_params(X, params=self.score_params, indices=rows)

    def _score(self, preparation, last_step, sets):
        result = {"fit_error": None}
        for name, X, y, score_params in sets:
            start = time.time()
            model = preparation.model(last_step)
            if self.needs_predictions_only:
                model, X = last_step, preparation.transform(X, name)  # noqa: PLW2901
            result[f"{name}_scores"] = score_with(
                model, X, y, self.scorer, score_params, self.error_score
            )
            result.setdefault("score_time", time.time() - start)
        return result

    def _failure(self, error):
        scores = self.error_score
        if is_multimetric(self.scorer):
            scores = dict.fromkeys(self.scorer._scorers, self.error_score)
        names = ["test_scores", *(["train_scores"] if self.return_train_score else [])]
        return {"fit_error": error, "score_time": 0.0, **{name: copy(scores) for name in names}}

    def _print(self, candidate, split, result):
        if self.verbose <= 1:
            return
        progress = f" {split + 1}/{self.n_splits}" if self.verbose > 2 else ""
        settings = ", ".join(f"{k}={v}" for k, v in sorted(candidate.parameters.items()))
        scores = ""
        if self.verbose > 2:
            scores = f" test={result['test_scores']}"
        seconds = result["fit_time"] + result["score_time"]
        print(f"[CV{progress}] END {settings};{scores} total time={seconds:6.1f}s")  # noqa: T201


def make_tasks(candidates, n_splits, n_jobs):
    """Return lists of stacks that share their preparation: each is a task on every split.

    The fewest tasks fit every preparation once per split. More are made only to give every
    job two.
    """
    preparations = {}
    for candidate in candidates:
        stacks = preparations.setdefault(candidate.preparation_key, {})
        stacks.setdefault(candidate.stack_key, []).append(candidate)
    n_jobs = effective_n_jobs(n_jobs)
    n_parts = math.ceil(2 * n_jobs / (n_splits * len(preparations))) if n_jobs > 1 else 1
    tasks = []
    for stacks in preparations.values():
        stacks_by_size = sorted(stacks.values(), key=len, reverse=True)
        tasks += filter(None, (stacks_by_size[part::n_parts] for part in range(n_parts)))
    return tasks


class FusedSearchMixin(ABC):
    """`fit` of a search whose candidates are trained in stacks."""

    @abstractmethod
    def _make_candidates(self):
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
        settings = list(self._make_candidates())
        results = self._evaluate(X, y, settings, cv, scorer, routed)
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
            self._refit(X, y, routed.estimator.fit)
        return self

    def _evaluate(self, X, y, settings, cv, scorer, routed):
        """Return the results, candidate by candidate, split by split."""
        splits = list(cv.split(X, y, **routed.splitter.split))
        if len(splits) != self.n_splits_:
            raise ValueError(
                f"cv must give as many splits as its get_n_splits says: {self.n_splits_}, "
                f"got {len(splits)}."
            )
        candidates = [Candidate(i, setting, self.estimator) for i, setting in enumerate(settings)]
        if not (candidates and splits):
            raise ValueError(
                f"Nothing to fit: {len(candidates)} candidates and {len(splits)} splits. Check "
                "the parameter grid and cv."
            )
        if self.verbose > 0:
            print(  # noqa: T201
                f"Fitting {len(splits)} folds for each of {len(candidates)} candidates, "
                f"totalling {len(splits) * len(candidates)} fits"
            )
        evaluation = Evaluation(
            estimator=clone(self.estimator),
            scorer=scorer,
            needs_predictions_only=names_only(self.scoring),
            fit_params=routed.estimator.fit,
            score_params=routed.scorer.score,
            return_train_score=self.return_train_score,
            error_score=self.error_score,
            verbose=self.verbose,
            n_splits=self.n_splits_,
        )
        tasks = make_tasks(candidates, len(splits), self.n_jobs)
        outputs = Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch)(
            delayed(evaluation.run)(X, y, stacks, split, train, test)
            for (split, (train, test)), stacks in product(enumerate(splits), tasks)
        )
        by_place = {}
        for (split, _), pairs in zip(product(range(len(splits)), tasks), outputs, strict=True):
            by_place |= {(index, split): result for index, result in pairs}
        return [by_place[place] for place in sorted(by_place)]

    def _refit(self, X, y, fit_params):
        self.best_estimator_ = clone(self.estimator).set_params(
            **clone(self.best_params_, safe=False)
        )
        start = time.time()
        self.best_estimator_.fit(X, y, **fit_params)
        self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_


def names_only(scoring):
    """Say whether scorers come by name, and so ask for predictions alone."""
    if isinstance(scoring, dict):
        scoring = scoring.values()
    return scoring is None or all(isinstance(name, str) for name in scoring)


class FusedGridSearchCV(FusedSearchMixin, GridSearchCV):
    """`GridSearchCV` that trains its candidates together; every value but the times is equal.

    Candidates that differ in `reg`, `learning_rate`, `momentum` or `init` alone are trained
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
    >>> search.fit(X, y).best_score_ > 0.9
    True
    """

    def _make_candidates(self):
        return ParameterGrid(self.param_grid)


class FusedRandomizedSearchCV(FusedSearchMixin, RandomizedSearchCV):
    """`RandomizedSearchCV` that trains its candidates together, as `FusedGridSearchCV` does.

    Parameters and attributes are those of
    :class:`~sklearn.model_selection.RandomizedSearchCV`.

    See Also
    --------
    FusedGridSearchCV : The same for a grid of settings.
    """

    def _make_candidates(self):
        return ParameterSampler(
            self.param_distributions, self.n_iter, random_state=self.random_state
        )
