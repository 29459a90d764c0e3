"""How the candidates of a search are fitted and scored, a task on one split at a time."""

import math
import time
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from traceback import format_exc

import numpy as np
from joblib.logger import short_format_time
from sklearn import get_config
from sklearn.base import clone

from .._base import NetClassifier, predict_stack
from .._callbacks import make_hook_kwargs
from .._sklearn_compat import (
    check_parameters,
    fit_and_score,
    is_multimetric,
    propagated_callbacks,
    score_with,
)
from ._pipeline_prefix import PipelinePrefix, Split


def make_last_steps(stack):
    """Return the unfitted last step of each candidate of a stack."""
    first = stack[0]
    step = clone(first.last_step).set_params(**clone(first.last, safe=False))
    steps = [step]
    for candidate in stack[1:]:
        # a deep copy is what clone makes of each parameter, at a tenth of its time
        other = deepcopy(step)
        for name in NetClassifier._FUSED_PARAMETERS:
            value = candidate.last.get(name, getattr(candidate.last_step, name))
            setattr(other, name, clone(value, safe=False))
        steps.append(other)
    return steps


def check_stack(steps):
    """Raise an error where a parameter of a step of a stack is wrong."""
    check_parameters(steps[0])
    # the others' are the same but for these, and checking all takes 0.3 ms a step
    constraints = NetClassifier._parameter_constraints
    for name in NetClassifier._FUSED_PARAMETERS:
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
        """Fit and score stacks that share their prefix, on one split.

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
            prefix turns out to be none to share.
        """
        start = time.time()
        split = Split(index, X, y, np.asarray(train), np.asarray(test))
        prefix = PipelinePrefix(stacks[0][0], split)
        if not self._prepare(prefix):
            return {}
        prefix_time = (time.time() - start) / sum(map(len, stacks))
        return {
            (candidate.index, index): outcome
            for stack, own_contexts in zip(stacks, contexts, strict=True)
            for candidate, outcome in zip(
                stack,
                self._run_stack(prefix, stack, own_contexts, prefix_time),
                strict=True,
            )
        }

    def _prepare(self, prefix):
        """Fit the steps before the last; say whether candidates can share them.

        They can't where that fails, as each is to fail by itself; where it draws from NumPy's
        global stream, as each is to draw; and where scorers get models that can't be copied.
        """
        stream = np.random.get_state()
        try:
            prefix.fit(prefix.split.take_params(self.fit_params, "train"))
            if not self._asks_once:
                prefix.copy_steps()
        except Exception:
            is_shareable = False
        else:
            is_shareable = all(map(np.array_equal, stream, np.random.get_state()))
            is_shareable |= not self.in_order
        if self.in_order and not is_shareable:
            np.random.set_state(stream)
        return is_shareable

    def _run_stack(self, prefix, stack, contexts, prefix_time):
        """Return what `GridSearchCV` keeps of each candidate."""
        split = prefix.split
        for candidate in stack:
            self._print_start(candidate, split.index)
        start = time.time()
        if not stack[0].is_ours:
            prefix = prefix.with_own_rows()
        steps = make_last_steps(stack)
        weights = split.take_params(self.fit_params, "train").get("sample_weight")
        hook_kwargs = make_hook_kwargs(self.caller, prefix.X, prefix.y, weights)
        try:
            with propagated_callbacks(contexts[0], steps[0]):
                begin_errors = [
                    self._attempt(partial(context.call_on_fit_task_begin, **hook_kwargs))
                    for context in contexts
                ]
                steps, errors = self._fit_last_steps(prefix, stack, steps)
            errors = [one or other for one, other in zip(begin_errors, errors, strict=True)]
            fit_time = prefix_time + (time.time() - start) / len(stack)
            outcomes = self._score_stack(prefix, stack, steps, errors)
        finally:
            for context in contexts:
                context.call_on_fit_task_end(**hook_kwargs)
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

    def _fit_last_steps(self, prefix, stack, steps):
        """Return the last step of each candidate, and its traceback or None."""
        if len(steps) > 1:
            try:
                check_stack(steps)
                prefix.fit_last_steps(steps)
            except Exception:
                # what fails shall fail alone, and random states shall start anew
                steps = make_last_steps(stack)
            else:
                return steps, [None] * len(steps)
        return steps, [self._attempt(prefix.fit_last_step, step) for step in steps]

    def _score_stack(self, prefix, stack, steps, errors):
        """Return what `GridSearchCV` keeps of each step's scores."""
        fitted = [step for step, error in zip(steps, errors, strict=True) if error is None]
        if self._shares_rows(stack):
            score = partial(self._score_shared, prefix, fitted, is_ours=stack[0].is_ours)
        else:
            # those of a stack share arrays
            own = map(deepcopy, fitted) if stack[0].is_ours else fitted
            models = [prefix.model(step, prefix.copy_steps()) for step in own]
            score = partial(self._score_own, prefix, models)
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

    def _score_own(self, prefix, models, name):
        """Return the scores of whole models, each on rows of its own."""
        return [
            self._score(
                model,
                *prefix.own_rows(name),
                prefix.split.take_params(self.score_params, name),
            )
            for model in models
        ]

    def _score_shared(self, prefix, steps, name, *, is_ours):
        """Return the scores of last steps."""
        rows = prefix.shared_rows(name)
        if rows is None:  # the scorer will say why
            return self._score_own(prefix, list(map(prefix.model, steps)), name)
        params = prefix.split.take_params(self.score_params, name)
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
