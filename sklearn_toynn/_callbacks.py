"""What scikit-learn's callbacks are told of a fit, and what they ask for."""

import weakref
from functools import partial

from ._sklearn_compat import callback_context
from ._training.first_order import MiniBatchSolver


def make_hook_kwargs(estimator, X, y, sample_weight):
    """Return what callbacks are told of a fit, by its arguments."""
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    return {"estimator": estimator, "X": X, "y": y, "metadata": metadata}


class FitCallbacks:
    """The callbacks of an estimator while it is fitted, alone or as the first of a stack.

    Parameters
    ----------
    hook_kwargs : dict
        What they are told of the fit; see `make_hook_kwargs`.
    make_attributes : callable or None
        Returns the attributes of the estimator for a list of results of its nets, None for those
        that have not begun; None where other estimators are trained along, as nobody knows which
        of the nets of a stack a callback means.
    """

    def __init__(self, hook_kwargs, make_attributes):
        self._hook_kwargs = hook_kwargs
        self._make_attributes = make_attributes
        self._context = self._observer = None

    @property
    def is_alone(self):
        """Whether no other estimator is trained along."""
        return self._make_attributes is not None

    def observe(self, run, n_runs, results, places):
        """Have the callbacks called at each iteration of a run.

        Parameters
        ----------
        run : TrainingRun
            About to begin.
        n_runs : int
            How many there are, one after another.
        results : list of NetResult or None
            Of all nets, None for those not yet trained.
        places : sequence of int
            Where in `results` those of `run` will be.
        """
        if self._context is None:
            max_subtasks = n_runs * run.options.max_iter
            self._context = callback_context(self._hook_kwargs["estimator"], max_subtasks)
            self._context.call_on_fit_task_begin(**self._hook_kwargs)
        else:
            self._observer.close()
        is_by_batches = isinstance(run.solver, MiniBatchSolver)
        self._observer = run.observer = CallbackObserver(
            self._context,
            "epoch" if is_by_batches else "iteration",
            self._hook_kwargs,
            partial(self._reconstruct, results, places) if self.is_alone else None,
        )
        run.observer.begin_iteration(run)

    @property
    def have_stopped(self):
        """Whether one of them asked to stop."""
        return self._observer.has_stopped

    def end(self):
        """Call the callbacks at the end of the fit."""
        self._observer.close()
        attributes = {} if self.is_alone else None
        self._context.call_on_fit_task_end(
            **self._hook_kwargs, reconstruction_attributes=attributes
        )

    def _reconstruct(self, results, places, run):
        """Return the attributes of the estimator as if the fit had ended now."""
        now = list(results)
        for place, result in zip(places, run.snapshot(), strict=True):
            now[place] = result
        return self._make_attributes(now)


class Snapshot:
    """The attributes that an estimator would have if its fit ended now, made when asked for.

    Parameters
    ----------
    make : callable
        Makes them, a dict, as long as now is now.
    """

    def __init__(self, make):
        self._make, self._attributes = make, None

    def attributes(self):
        """Return them, of the moment when they were first asked for."""
        if self._attributes is None:
            self._attributes, self._make = self._make(), None
        return self._attributes


class CallbackObserver:
    """Calls callbacks where each iteration of a run begins and ends.

    Parameters
    ----------
    context : CallbackContext
        Of the fit.
    task_name : str
        Of an iteration.
    hook_kwargs : dict
        The arguments of the hooks.
    reconstruct : callable or None
        Returns the fitted attributes as of now, by the run, if there are any to tell of.
    """

    def __init__(self, context, task_name, hook_kwargs, reconstruct):
        self._context, self._task_name = context, task_name
        self._hook_kwargs, self._reconstruct = hook_kwargs, reconstruct
        self._task = None
        #: Whether a callback asked to stop.
        self.has_stopped = False

    def begin_iteration(self, run):
        """Tell of the beginning of an iteration."""
        self._task = self._context.subcontext(task_name=self._task_name)
        self._call(self._task.call_on_fit_task_begin, run)

    def end_iteration(self, run):
        """Tell of the end of an iteration; say whether a callback asks to stop."""
        task, self._task = self._task, None
        self.has_stopped = bool(self._call(task.call_on_fit_task_end, run))
        return self.has_stopped

    def _call(self, hooks, run):
        if self._reconstruct is None:
            return hooks(**self._hook_kwargs)
        # the run is not kept, as its buffers are to go when it is done
        attributes = {"_snapshot": Snapshot(partial(self._reconstruct, run))}
        snapshot = weakref.ref(attributes["_snapshot"])
        outcome = hooks(**self._hook_kwargs, reconstruction_attributes=attributes)
        del attributes
        if (kept := snapshot()) is not None:  # by whoever keeps the estimator, beyond now
            kept.attributes()
        return outcome

    def close(self):
        """End the task of an iteration that never was, as where L-BFGS ended by itself."""
        if self._task is not None:
            self._task.call_on_fit_task_end(estimator=self._hook_kwargs["estimator"])
