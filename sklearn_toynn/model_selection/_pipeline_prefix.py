"""The steps of a pipeline before the last, fitted once for all candidates that share them."""

from copy import copy, deepcopy
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from .._base import fit_stack
from .._sklearn_compat import check_method_params, fit_before_last, safe_split, timed_last_step


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

    def take(self, estimator, name):
        """Return X and y of the rows of that name, afresh."""
        if name == "train":
            return safe_split(estimator, self.X, self.y, self.train)
        return safe_split(estimator, self.X, self.y, self.test, self.train)

    def take_params(self, params, name):
        """Return what goes along with those rows."""
        return check_method_params(self.X, params=params, indices=getattr(self, name))


class PipelinePrefix:
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
        self._has_steps = self._pipeline is not None and len(self._pipeline) > 1
        self.X, self.y = split.take(self._estimator, "train")
        self._shared_rows = {}

    def fit(self, fit_params):
        """Fit the steps before the last, and keep what the last one is to be fitted to."""
        if self._pipeline is None:
            self._args, self._fit_params = without_none(self.X, self.y), fit_params
            return
        *self._args, self._fit_params = fit_before_last(self._pipeline, self.X, self.y, fit_params)

    def with_own_rows(self):
        """Return the same with copies of the training rows, for a step that may write to them."""
        own = copy(self)
        own.X, own.y, own._args = deepcopy((self.X, self.y, self._args))
        return own

    def fit_last_step(self, step):
        """Fit a last step by itself."""
        with timed_last_step(self._pipeline):
            step.fit(*self._args, **self._fit_params)

    def fit_last_steps(self, steps):
        """Fit last steps together."""
        with timed_last_step(self._pipeline):
            interrupt = fit_stack(steps, *self._args, **self._fit_params)
        if interrupt is not None:
            raise interrupt

    def copy_steps(self):
        """Return copies of the fitted steps before the last."""
        return deepcopy(self._pipeline.steps[:-1]) if self._has_steps else []

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
        if name not in self._shared_rows:
            self._shared_rows[name] = self._make_shared_rows(name)
        return self._shared_rows[name]

    def own_rows(self, name):
        """Return X and y to score a whole model on that nobody else gets."""
        if name == "train":
            return deepcopy((self.X, self.y))
        return self.split.take(self._estimator, name)

    def _make_shared_rows(self, name):
        if not self._has_steps:
            return (self.X, self.y) if name == "train" else self.own_rows(name)
        X, y = self.own_rows(name)
        try:
            return self.model("passthrough").transform(X), y
        except Exception:
            return None
