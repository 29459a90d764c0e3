"""L-BFGS on a net, SciPy's."""

import math

import numpy as np
from scipy.optimize import minimize

from .solver import Solver


class LBFGS(Solver):
    """SciPy's L-BFGS-B on a stack of one; its line search chooses the steps.

    On a net, rounding errors grow until two runs end in different minima. Merging equal rows
    keeps weights and repeated rows, and any order of the rows, equal to the bit.

    Where SciPy stops by itself, its reason is warned of, unless no entry g of the gradient is
    above `tol` or its rounding: g^2 / 2, what a step along it gains at a curvature of 1, is then
    less than the rounding of the loss.
    """

    merges_equal_rows = True

    def minimize(self, run):
        """Minimise until `run` has let the net go, or the loss stands still in its dtype."""
        objective = run.objective
        parameters = objective.network.parameters
        unit = 1.0 if objective.penalty.unit is None else objective.penalty.unit[0].astype(float)
        accepted = parameters[0] / unit
        loss = None  # at `accepted`

        def evaluate(theta):
            nonlocal loss
            parameters[0] = theta * unit
            (value,) = objective.kernels.on_all()
            if loss is None:
                loss = value
            return value, objective.kernels.gradient[0].astype(float)

        def after_iteration(intermediate_result):
            nonlocal accepted, loss
            accepted = intermediate_result.x.copy()
            parameters[0] = accepted * unit
            run.record(np.array([[loss]]))
            loss = intermediate_result.fun
            if not run.n_nets:
                raise StopIteration

        try:
            self._result = minimize(
                evaluate,
                accepted,
                jac=True,
                method="L-BFGS-B",
                callback=after_iteration,
                options={
                    "maxiter": run.options.max_iter,
                    "maxfun": 100 * run.options.max_iter,
                    "maxls": 50,
                    "gtol": 0,  # `run` looks at the gradient
                    "ftol": np.finfo(parameters.dtype).eps,
                },
            )
        finally:
            parameters[0] = accepted * unit
            objective = None  # else SciPy 1.11 keeps it, and X, in a circle with `evaluate`
        if run.n_iter == 0:
            run.record(np.array([[loss]]))
        run.close("precision")

    def conclude(self, run, net, reason):
        """Tell of SciPy's reason, where it was SciPy that stopped."""
        if reason != "precision":
            return super().conclude(run, net, reason)
        result, tol = self._result, run.policy.tol
        eps = np.finfo(run.objective.network.parameters.dtype).eps
        largest = np.abs(result.jac).max()
        if largest <= max(tol, 10 * eps + math.sqrt(2 * eps * result.fun)):
            return reason, None
        return reason, (
            f"L-BFGS-B stopped by itself after {run.n_iter} iterations, {result.message!r}, where "
            f"the largest entry of the gradient was {largest:.3g}, above tol={tol:.3g}. Raise tol "
            "or reg, pass X as float64, or take an activation without kinks, such as 'tanh'."
        )
