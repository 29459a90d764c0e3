"""The linear classifier: its parameters and its fitted attributes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ._base import NetClassifier
from ._docstrings import takes_entries
from ._estimator_state import store_parameters
from ._linear.linear_training import LINEAR_SOLVERS, LinearResult, train_linear
from ._nets.initializers import zeros
from ._nets.network import Network
from ._sklearn_compat import StrOptions
from ._training.options import is_auto
from ._training.solvers import SOLVERS
from ._typing import Auto, ClassWeight, Floats, Initializer, RandomState, Schedule


@takes_entries(NetClassifier)
class SoftmaxClassifier(NetClassifier):
    r"""Softmax regression: a linear classifier, also known as multinomial logistic regression.

    It minimizes

    .. math::

        \frac{\sum_i w_i \, \mathrm{CE}(y_i, \mathrm{softmax}(W x_i + b))}{\sum_i w_i}
        + \frac{\mathtt{reg}}{2} \sum_{kj} W_{kj}^2

    where CE is the cross-entropy and w the product of sample and class weight. W has one row per
    class, also for two classes. On n rows, ``LogisticRegression(C=c)`` has the penalty
    ``reg = 1 / (c * n)`` for three or more classes and ``reg = 2 / (c * n)`` for two. With
    weights, n is their sum.

    Parameters
    ----------
    {reg}
        With two classes, "auto" is 2 / m instead of 1 / m. With any number of classes, "auto"
        gives the penalty of ``LogisticRegression(C=1)`` if rows have no weights, or weights with a
        mean of at least 1.
    solver : {"auto", "newton", "lbfgs", "gd", "sgd", "adam"}, default="auto"
        The solvers "auto", "newton" and "lbfgs" find the global minimum for columns of any scale.
        If rounding errors prevent this, they issue a warning. The Notes of `SoftmaxClassifier`
        describe these solvers.

        - "auto": L-BFGS that starts from the exact Hessian if this is cheap to compute, otherwise
          "lbfgs";
        - "newton": Newton's method, with the exact Hessian at every step;
        - "lbfgs": L-BFGS that starts from an approximate Hessian. Depending on the size of the
          problem, this is one matrix per class, one matrix for all classes, or a diagonal.

        The other solvers take gradient steps, on standardized columns if ``init="auto"`` and on
        the original columns otherwise.

        - "gd": gradient descent on all rows;
        - "sgd": mini-batches with Nesterov's momentum;
        - "adam": mini-batches with Adam.
    {learning_rate}
        The solvers "auto", "newton" and "lbfgs" choose their own step sizes.
    {schedule, momentum, batch_size, max_iter}
    tol : float, default=1e-6
        The tolerance of the stopping rule.

        - "auto", "newton" and "lbfgs" stop when (objective - minimum) / objective is proven to be
          at most `tol`. The Notes of `SoftmaxClassifier` describe the proof and the case
          ``reg=0``. If training ends without this proof, a ``ConvergenceWarning`` states the
          proven bound `gap_`. There is no warning if `X` is float32 and `gap_` is at most 1e-5.
        - "sgd" and "adam" stop when the objective has not improved by `tol` for `n_iter_no_change`
          epochs. With the cosine schedule and no validation set, they run all `max_iter` epochs
          instead.
        - "gd" stops when no entry of the gradient exceeds `tol`.
        - With a validation set, every solver also stops when the log loss on it has not improved
          by `tol` for `n_iter_no_change` iterations.
    {n_iter_no_change, early_stopping, validation_fraction, class_weight, init}
        - "auto": zeros. The minimum does not depend on the initial weights.

        With "auto" and many columns, "gd", "sgd" and "adam" train on the principal components of
        `X` instead of its columns. All components are kept, so the minimum is the same. The
        conditions are dense `X`, at most 1000 rows, at least ``max(257, 4 * n_samples)`` columns,
        and ``reg > 0``. On principal components, "sgd" and "adam" with ``max_iter="auto"`` train
        for enough epochs to make 1000 steps.
    {dtype}

        The solvers "auto", "newton" and "lbfgs" always compute in float64.
    {encoding, shuffle, random_state, warm_start, verbose}

    Attributes
    ----------
    {classes_}
    coef_ : ndarray of shape (n_classes, `n_features_in_`)
        The weights. Unlike `LogisticRegression`, two classes have two rows. With
        ``encoding="piecewise"``, there are weights for all columns and pieces, in the order of
        `encoding_mean_`. `SelectFromModel` then raises an error in `transform`, because it needs
        one weight for each column of `X`.
    intercept_ : ndarray of shape (n_classes,)
        The biases. A number that is added to all biases does not change the probabilities. The
        solvers choose this number so that the biases sum to zero.
    {bin_edges_, encoding_mean_, encoding_scale_}
    {reg_, n_features_in_, feature_names_in_, n_iter_}
        With many rows, "auto", "newton" and "lbfgs" first minimize the objective on every fourth
        row. These iterations are not counted.
    {loss_}
    gap_ : float
        An upper bound of (`loss_` - minimum) / `loss_`: no weights have an objective below
        ``loss_ * (1 - gap_)``. The bound is for the fitted weights, so it includes the rounding of
        the weights to the dtype of `X`. With a validation set, the fitted weights may be from an
        earlier iteration, and `gap_` may be large. NaN for ``reg=0``. Defined only for the solvers
        "auto", "newton" and "lbfgs".
    {stop_reason_, loss_curve_, validation_loss_curve_, best_iter_}

    See Also
    --------
    TwoLayerNetClassifier : A net with one hidden layer.
    sklearn.linear_model.LogisticRegression : The same model with the penalty parameter `C`.

    Notes
    -----
    **Variables.** "auto", "newton" and "lbfgs" center each column and divide it by sqrt(variance +
    reg / c). Here c is (1 - 1 / K) / K for K classes, the second derivative of the cross-entropy
    with respect to a score if all probabilities are 1 / K. With these columns, all diagonal
    entries of the Hessian at zero weights are equal, so the scales of the columns of `X` do not
    affect the convergence. The objective, with its penalty on the weights of the original columns,
    stays the same.

    After 100 iterations, or if no step lowers the objective, the solvers compute the scales again,
    now from the second derivatives at the current weights. They continue with Newton steps by
    conjugate gradients.

    **Stopping rule.** The solvers stop by a duality gap [1]_. Let the weights w_i sum to 1. Let
    q_i be class probabilities with :math:`\sum_i w_i q_i = \sum_i w_i \mathrm{onehot}(y_i)`. Then

    .. math::

        \sum_i w_i \mathrm{H}(q_i) - \frac{1}{2 \, \mathtt{reg}} \Big\| \sum_i w_i
        (q_i - \mathrm{onehot}(y_i)) x_i^T \Big\|^2,

    where H is the entropy, is a lower bound of the objective. The solvers choose the q_i as
    follows. They compute an approximate Newton step, by conjugate gradients with the exact
    Hessian. q_i is the sum of the predicted probabilities and their first-order change along this
    step. The q_i are positive if, in each row, the step changes every difference between two
    scores by less than 1. Otherwise this step gives no lower bound. The step is not exact, so
    :math:`\sum_i w_i q_i` is only approximately equal to :math:`\sum_i w_i \mathrm{onehot}(y_i)`.
    The solvers lower the bound to account for this error and for rounding errors.
    `gap_` is the difference between the objective and the largest lower bound found, divided by
    the objective.

    - If rounding errors end training before the gap is within `tol`, a ``ConvergenceWarning`` is
      issued.
    - With ``reg=0`` there is no lower bound. Training stops when the Newton step predicts a
      decrease of at most `tol` times the objective. If the classes are separable, there is no
      minimum. Training then stops when both the objective and the largest gradient entry (for
      columns of unit variance) are at most `tol`.
    - If `X` is float32, the weights are rounded to float32. If the mean of a column is many times
      its standard deviation, rounding can raise the objective by more than 1e-5 of its value. A
      ``ConvergenceWarning`` then advises to center such columns or to pass float64.

    **Memory.** In addition to `X`, "auto" and "lbfgs" store Hessians of at most 64 MB or the size
    of `X` in float64, whichever is larger. "newton" stores ((n_classes - 1) (n_features + 1))^2
    entries.

    References
    ----------
    .. [1] Blondel, Martins and Niculae (2020), "Learning with Fenchel-Young losses", Journal of
       Machine Learning Research 21(35).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_toynn import SoftmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = SoftmaxClassifier().fit(X, y)  # LogisticRegression() with its penalty C=1
    >>> round(clf.score(X, y), 2)
    0.97
    >>> bool(clf.gap_ <= clf.tol)
    True
    """

    coef_: Floats
    intercept_: Floats
    gap_: float
    stop_reason_: str
    best_iter_: int

    _net_solvers: ClassVar[dict] = {
        name: solver for name, solver in SOLVERS.items() if solver.follows_schedule
    }

    _parameter_constraints: ClassVar[dict] = {
        **NetClassifier._parameter_constraints,
        "solver": [StrOptions({*_net_solvers, *LINEAR_SOLVERS})],
    }

    def __init__(
        self,
        reg: float | Auto = "auto",
        *,
        solver: str = "auto",
        learning_rate: float | Auto = "auto",
        schedule: str | Schedule = "auto",
        momentum: float = 0.9,
        batch_size: int | Auto = "auto",
        max_iter: int | Auto = "auto",
        tol: float = 1e-6,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        class_weight: ClassWeight = None,
        init: str | float | Initializer = "auto",
        dtype: str = "auto",
        encoding: str = "linear",
        shuffle: bool = True,
        random_state: RandomState = None,
        warm_start: bool = False,
        verbose: int = 0,
    ) -> None:
        store_parameters(self, locals())

    _hidden_sizes = ()
    # two rows w/2 and -w/2 have half of the squared norm of LogisticRegression's one row w
    _reg_of_two_classes = 2
    _activation = None
    _auto_initializer = staticmethod(zeros)

    def _convert(self, networks, columns):
        # imported on demand, because scikit-learn's ensembles take longer than this package
        from ._to_sklearn import make_logistic_regression  # noqa: PLC0415

        factor = self._reg_of_two_classes if len(self.classes_) == 2 else 1
        total = self.reg_ * self._total_weight
        (network,) = networks
        return make_logistic_regression(
            network.weights[0],
            network.biases[0],
            self.classes_,
            columns,
            C=factor / total if total > 0 else np.inf,
            n_iter=self.n_iter_,
        )

    def _train(self, problem, options, streams, callbacks, *, continues):
        if self.solver in self._net_solvers:
            return super()._train(problem, options, streams, callbacks, continues=continues)
        shape = len(problem.classes), problem.n_features
        start = np.zeros(shape, problem.dtype), np.zeros(shape[0], problem.dtype)
        if continues or not is_auto(self.init):
            make_starts = self._continue if continues else self._start
            (given,) = make_starts(problem, problem.dtype, streams)
            start = given.network.weights[0], given.network.biases[0]
        result, interrupt = train_linear(
            problem.samples,
            problem.validation,
            options,
            start,
            callbacks and callbacks.observe(1, options.max_iter, [None], 0),
        )
        return [result], interrupt

    def _get_networks(self):
        return [Network.from_layers([self.coef_], [self.intercept_], None)]

    def _divide_scores(self, temperature):
        """Divide the scores of the fitted model."""
        self.coef_ = self.coef_ / temperature
        self.intercept_ = self.intercept_ / temperature

    def _set_layers(self, results):
        (result,) = results
        if isinstance(result, LinearResult):
            self.coef_, self.intercept_ = result.coef.copy(), result.intercept.copy()
            return
        (coef,), (intercept,) = result.network.weights, result.network.biases
        mean = intercept.mean()  # does not change the objective
        is_rounding = abs(mean) <= np.finfo(mean.dtype).eps * abs(intercept).max()
        self.coef_ = coef.copy()
        self.intercept_ = intercept.copy() if is_rounding else intercept - mean
