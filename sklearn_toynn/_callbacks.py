"""Calls of scikit-learn's callbacks during a fit."""

from functools import partial

from ._sklearn_compat import callback_context


def make_hook_kwargs(estimator, X, y, sample_weight):
    """Return the arguments of the hooks for the arguments of `fit`."""
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    return {"estimator": estimator, "X": X, "y": y, "metadata": metadata}


class FitCallbacks:
    """The callbacks of an estimator during its fit.

    `hook_kwargs` come from `make_hook_kwargs`, and `task_name` names an iteration.
    `make_attributes` returns the fitted attributes for a list with the result of each net, None
    for a net that has not begun.
    """

    def __init__(self, hook_kwargs, task_name, make_attributes):
        self._hook_kwargs, self._task_name = hook_kwargs, task_name
        self._make_attributes = make_attributes
        self._context = self._observer = None

    def observe(self, n_nets, max_iter, results, net):
        """Return a function that makes the observer of the net with index `net`.

        `results` has the result of each net, None for a net that is not yet trained.
        """
        if self._context is None:
            estimator = self._hook_kwargs["estimator"]
            self._context = callback_context(estimator, max_subtasks=n_nets * max_iter)
            self._context.call_on_fit_task_begin(**self._hook_kwargs)
        else:
            self._observer.close()

        def make_observer(get_result):
            def make_attributes():
                now = list(results)
                now[net] = get_result()()
                return self._make_attributes(now)

            self._observer = CallbackObserver(
                self._context, self._task_name, self._hook_kwargs, make_attributes
            )
            return self._observer

        return make_observer

    def end(self):
        """Call the callbacks at the end of the fit."""
        self._observer.close()
        self._context.call_on_fit_task_end(**self._hook_kwargs, reconstruction_attributes={})


class CallbackObserver:
    """Calls the callbacks at the beginning and the end of each iteration.

    `context` belongs to the fit. `make_attributes` returns the fitted attributes as if the fit
    ended now. scikit-learn calls it only for callbacks that take a `fitted_estimator`.
    """

    def __init__(self, context, task_name, hook_kwargs, make_attributes):
        self._new_task = partial(context.subcontext, task_name=task_name)
        self._hook_kwargs = hook_kwargs | {"reconstruction_attributes": make_attributes}
        self._task = None

    def begin_iteration(self):
        """Call the callbacks at the beginning of an iteration."""
        self._task = self._new_task()
        self._task.call_on_fit_task_begin(**self._hook_kwargs)

    def end_iteration(self):
        """Call the callbacks at the end of an iteration; return whether one asks to stop."""
        task, self._task = self._task, None
        return bool(task.call_on_fit_task_end(**self._hook_kwargs))

    def close(self):
        """End the task of an iteration that L-BFGS has begun but not finished."""
        if self._task is not None:
            self._task.call_on_fit_task_end(estimator=self._hook_kwargs["estimator"])
