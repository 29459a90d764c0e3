"""The candidates of a search, and what sorts them into tasks and stacks."""

import math
from numbers import Number

from joblib import effective_n_jobs
from sklearn.base import BaseEstimator

from .._base import NetClassifier
from .._sklearn_compat import has_callbacks, stock_pipeline
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
        # a subclass with its own methods may do anything with its steps
        if stock_pipeline(estimator) and "steps" not in setting:
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
        return self.is_ours and self.last_step._fuses(
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
        has_batches = step._fuses(solver) and issubclass(step._solvers[solver], MiniBatchSolver)
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
    def prefix_key(self):
        """What candidates share that get the same preprocessing."""
        routed_to = id(self.last_step) if self._has_fit_params else None
        return self.pipeline is None, routed_to, freeze(self.before)

    @property
    def stack_key(self):
        """What candidates share, beyond that, that are trained together."""
        if not self.is_fusible:
            return self.index
        return id(self.last_step), freeze(
            {k: v for k, v in self.last.items() if k not in NetClassifier._FUSED_PARAMETERS}
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


def make_tasks(candidates, n_splits, n_jobs):
    """Return lists of stacks that share their prefix: each is a task on every split.

    The fewest tasks fit every prefix once per split. More are made where jobs would
    stand idle, or where there is nothing to prepare.
    """
    prefixes = {}
    for candidate in candidates:
        stacks = prefixes.setdefault(candidate.prefix_key, {})
        stacks.setdefault(candidate.stack_key, []).append(candidate)
    n_jobs = effective_n_jobs(n_jobs)
    tasks = []
    for stacks in prefixes.values():
        members = list(stacks.values())
        is_free = members[0][0].pipeline is None and n_jobs > 1
        n_wanted = 2 * n_jobs if is_free else n_jobs
        n_parts = math.ceil(n_wanted / (n_splits * len(prefixes)))
        tasks += split_evenly(members, n_parts)
    return tasks


def split_evenly(stacks, n_parts):
    """Return stacks, cut up where they are large, as `n_parts` lists of about the same sizes."""
    largest = math.ceil(sum(map(len, stacks)) / n_parts)
    pieces = [
        stack[start : start + largest]
        for stack in stacks
        for start in range(0, len(stack), largest)
    ]
    pieces.sort(key=len, reverse=True)
    return [part for first in range(n_parts) if (part := pieces[first::n_parts])]
