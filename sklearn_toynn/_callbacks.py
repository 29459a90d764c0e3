"""What scikit-learn's callbacks are told of a fit, and what they ask for."""

from copy import copy
from dataclasses import replace
from functools import partial

from ._sklearn_compat import callback_context, has_callbacks
from ._training.first_order import MiniBatchSolver


class FitCallbacks:
    """The callbacks of an estimator while it is fitted, alone or as the first of a stack.

    Parameters
    ----------
    estimators : list of NetClassifier
        What is fitted. The first one's callbacks are called.
    problem : Problem
        What they are fitted to.
    X, y, sample_weight
        As they were passed to `fit`.
    """

    def __init__(self, estimators, problem, X, y, sample_weight):
        self._estimator = estimators[0]
        #: Whether no other estimator is trained along.
        self.is_alone = len(estimators) == 1
        self._problem = problem
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._told = {"estimator": estimators[0], "X": X, "y": y, "metadata": metadata}
        self._context = self._observer = None

    @classmethod
    def of(cls, estimators, *args):
        """Return the callbacks of estimators, or None if there are none."""
        return cls(estimators, *args) if has_callbacks(estimators[0]) else None

    def observe(self, training, n_trainings, outcomes, places):
        """Have the callbacks called at each iteration of a training.

        Parameters
        ----------
        training : Training
            About to begin.
        n_trainings : int
            How many there are, one after another.
        outcomes : list of Outcome or None
            Of all nets, None for those not yet trained.
        places : sequence of int
            Where in `outcomes` those of `training` will be.
        """
        if self._context is None:
            self._estimator._forget_run()
            max_subtasks = n_trainings * training.plan.max_iter
            self._context = callback_context(self._estimator, max_subtasks)
            self._context.call_on_fit_task_begin(**self._told)
        else:
            self._observer.close()
        is_by_batches = isinstance(training.solver, MiniBatchSolver)
        self._observer = training.observer = CallbackObserver(
            self._context,
            "epoch" if is_by_batches else "iteration",
            self._told,
            # which of the nets of a stack a callback means, nobody knows
            partial(self._reconstruct, outcomes, places) if self.is_alone else None,
        )
        training.observer.begin_iteration(training)

    @property
    def have_stopped(self):
        """Whether one of them asked to stop."""
        return self._observer.has_stopped

    def end(self):
        """Call the callbacks at the end of the fit."""
        self._observer.close()
        attributes = {} if self.is_alone else None
        self._context.call_on_fit_task_end(**self._told, reconstruction_attributes=attributes)

    def _reconstruct(self, outcomes, places, training):
        """Return the attributes of the estimator as if the fit had ended now, unwarned."""
        now = dict(enumerate(outcomes)) | dict(zip(places, training.peek(), strict=True))
        fitted = copy(self._estimator)
        fitted._set_fitted(
            self._problem,
            [replace(outcome, warning=None) for outcome in now.values() if outcome is not None],
            keeps_memory=fitted.warm_start,
        )
        return vars(fitted)


class CallbackObserver:
    """Calls callbacks where each iteration of a training begins and ends.

    Parameters
    ----------
    context : CallbackContext
        Of the fit.
    task_name : str
        Of an iteration.
    told : dict
        The arguments of the hooks.
    reconstruct : callable or None
        Returns the fitted attributes as of now, by the training, if there are any to tell of.
    """

    def __init__(self, context, task_name, told, reconstruct):
        self._context, self._task_name = context, task_name
        self._told, self._reconstruct = told, reconstruct
        self._task = None
        #: Whether a callback asked to stop.
        self.has_stopped = False

    def begin_iteration(self, training):
        """Tell of the beginning of an iteration."""
        self._task = self._context.subcontext(task_name=self._task_name)
        self._task.call_on_fit_task_begin(**self._tell(training))

    def end_iteration(self, training):
        """Tell of the end of an iteration; say whether a callback asks to stop."""
        task, self._task = self._task, None
        self.has_stopped = bool(task.call_on_fit_task_end(**self._tell(training)))
        return self.has_stopped

    def _tell(self, training):
        # the training is not kept, as its buffers are to go when it is done
        reconstruct = self._reconstruct and partial(self._reconstruct, training)
        return {**self._told, "reconstruction_attributes": reconstruct}

    def close(self):
        """End the task of an iteration that never was, as where L-BFGS ended by itself."""
        if self._task is not None:
            self._task.call_on_fit_task_end(estimator=self._told["estimator"])
