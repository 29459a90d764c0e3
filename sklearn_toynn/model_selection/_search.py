"""Searches over hyperparameters that train their candidates together.

`FusedSearchMixin.fit` says what a search does. Those of its candidates (`Candidate`) that share
something are sorted into tasks by what that is (`make_tasks`). A task on one split is
`Evaluation.run`: it fits the steps before the last once (`PipelinePrefix`), trains the last steps
stack by stack, scores them, and returns results as `GridSearchCV` has them. All others, and what
turns out to be none to share, goes through scikit-learn's own `_fit_and_score`.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import product
from typing import Any, Self

from joblib import effective_n_jobs
from numpy.typing import ArrayLike
from sklearn.base import clone, is_classifier
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
    check_cv,
)
from sklearn.utils import indexable
from sklearn.utils.parallel import Parallel, delayed

from .._callbacks import make_hook_kwargs
from .._doc_links import DocLinkMixin
from .._errors import call_in_worker, repeat_warnings
from .._sklearn_compat import (
    callback_context,
    check_method_params,
    fit_context,
    has_callbacks,
    insert_error_scores,
    is_multimetric,
    propagated_callbacks,
    report_fit_failures,
)
from .._typing import MatrixLike
from .._validation import check_sparse
from ._candidates import Candidate, has_callbacks_within, make_tasks
from ._evaluation import Evaluation
from ._pipeline_prefix import without_none


class FusedSearchMixin(DocLinkMixin, ABC):
    """`fit` of a search whose candidates are trained in stacks."""

    # of the search that it is mixed into
    estimator: Any
    cv: Any
    scoring: Any
    refit: Any
    error_score: Any
    _get_scorers: Callable[..., Any]
    _get_routed_params_for_fit: Callable[..., Any]
    _format_results: Callable[..., Any]
    _check_refit_for_multimetric: Callable[..., Any]
    _select_best_index: Callable[..., Any]

    @abstractmethod
    def _make_settings(self):
        """Return the settings to try, in the order of `cv_results_`."""

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: MatrixLike, y: ArrayLike | None = None, **params: Any) -> Self:
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
        for name, value in {"X": X, **params}.items():
            check_sparse(value, name)  # before scikit-learn converts it
        X, y = indexable(X, y)
        params = check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        hook_kwargs = make_hook_kwargs(self, X, y, params.get("sample_weight"))
        context = callback_context(
            self,
            max_subtasks=1 + (self.refit is not False),
            is_watched=has_callbacks_within(self.estimator),
        )
        context.call_on_fit_task_begin(**hook_kwargs)
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
            self._refit(hook_kwargs, routed.estimator.fit, context)
        context.call_on_fit_task_end(**hook_kwargs)
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
                delayed(call_in_worker)(
                    os.getpid(),
                    evaluation.run,
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
            outputs = repeat_warnings(outputs)
            results = {place: result for output in outputs for place, result in output.items()}
            # in the order in which `GridSearchCV` draws from NumPy's global stream
            rest = [
                (candidate, index)
                for candidate, index in product(candidates, range(len(splits)))
                if (candidate.index, index) not in results
            ]
            outputs = parallel(
                delayed(call_in_worker)(
                    os.getpid(),
                    evaluation.run_alone,
                    X,
                    y,
                    candidate,
                    contexts[candidate.index][index],
                    index,
                    *splits[index],
                )
                for candidate, index in rest
            )
            outputs = repeat_warnings(outputs)
        for (candidate, index), result in zip(rest, outputs, strict=True):
            results[candidate.index, index] = result
        return [results[place] for place in sorted(results)]

    def _refit(self, hook_kwargs, fit_params, context):
        """Fit the best candidate to all rows, and call the callbacks."""
        self.best_estimator_ = clone(self.estimator).set_params(
            **clone(self.best_params_, safe=False)
        )
        context = context.subcontext(task_name="refit-with-best-params")
        with propagated_callbacks(context, self.best_estimator_):
            context.call_on_fit_task_begin(**hook_kwargs)
            start = time.time()
            self.best_estimator_.fit(
                *without_none(hook_kwargs["X"], hook_kwargs["y"]), **fit_params
            )
            self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
        context.call_on_fit_task_end(**hook_kwargs)


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

    Notes
    -----
    Set `random_state`. A net whose `random_state` is None draws from NumPy's global stream. With
    one job such candidates, and those behind a step whose fit draws from it, are fitted one by
    one in `GridSearchCV`'s order, so that after ``np.random.seed`` they are equal too, and take
    as long. With more jobs there is no order, `GridSearchCV` gives what it gives, and they are
    trained together. What a scorer draws from the global stream is left out of account.

    Candidates share the steps of any pipeline of scikit-learn or imbalanced-learn, and of a
    subclass that overrides no method. Samplers resample once per fold.

    Nothing is shared where that could change a result. `GridSearchCV`'s own code fits candidates
    one by one if they are of a subclass of a pipeline or net that overrides a method, have
    callbacks, or follow a step whose fit fails. Scorers that are callables, and several scorers at
    a time, get a copy of the pipeline's steps and rows of their own for each candidate, so that
    they, and steps that write to their rows, change no other's score.

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
