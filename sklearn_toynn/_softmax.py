"""The linear classifier: its parameters and its fitted attributes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ._base import NetClassifier, store_parameters
from ._docstrings import takes_entries
from ._linear.linear_training import LINEAR_SOLVERS, LinearResult, train_linear
from ._nets.initializers import zeros
from ._nets.network import Network
from ._sklearn_compat import StrOptions
from ._training.solvers import SOLVERS
from ._typing import Auto, ClassWeight, Floats, Initializer, RandomState, Schedule


@takes_entries(NetClassifier)
class SoftmaxClassifier(NetClassifier):
    r"""Softmax regression: a linear classifier, also known as multinomial logistic regression.

    It minimises

    .. math::

        \frac{\sum_i w_i \, \mathrm{CE}(y_i, \mathrm{softmax}(W x_i + b))}{\sum_i w_i}
        + \frac{\mathtt{reg}}{2} \sum_{kj} W_{kj}^2

    where CE is the cross-entropy and w the product of sample and class weight. Two classes
    have a row of W each, as three have. So ``LogisticRegression(C=c)`` on n rows is
    ``reg = 1 / (c * n)`` with three classes or more, and ``reg = 2 / (c * n)`` with two; with
    weights, n is their sum.

    Parameters
    ----------
    reg : float or "auto", default="auto"
        The penalty on the squared weights, >= 0. The intercepts are not penalised. "auto" is
        1 / m, and 2 / m with two classes. Without weights, m is the number of rows. With weights
        w, sample weight times class weight, m is max(sum w, (sum w)^2 / sum w^2). For weights of
        mean 1 or more this is their sum, and "auto" equals `LogisticRegression`'s ``C=1``. For
        small or normalised weights it is the effective number of rows. `partial_fit` counts all
        rows seen so far.
    solver : {"auto", "newton", "lbfgs", "gd", "sgd", "adam"}, default="auto"
        The first three find the one minimum that the objective has, whatever the columns, or
        warn. Inside, they change the variables, not the objective; see the Notes of
        `SoftmaxClassifier`:

        - "newton": Newton's method, with the Hessian at every step;
        - "lbfgs": L-BFGS that starts from a model of the Hessian, which is now and then
          renewed: a matrix for each class, or one for all, or the diagonal, as their size
          allows;
        - "auto": the Hessian, now and then renewed, where it is cheap; else "lbfgs";

        the others descend, on the columns as they are unless `init` is "auto":

        - "gd": whole-batch gradient descent;
        - "sgd": mini-batches with Nesterov's momentum;
        - "adam": mini-batches with Adam.
    {learning_rate}
        The solvers of the minimum find their own steps.
    {schedule, momentum, batch_size, max_iter}
    tol : float, default=1e-6
        The training ends

        - for "auto", "newton" and "lbfgs", where the gap between the objective and its minimum is
          proven to be at most `tol` times the objective. For the proof and for ``reg=0`` see the
          Notes of `SoftmaxClassifier`. Any other end issues a ``ConvergenceWarning`` that states
          the gap, unless it is at most 1e-5 and `X` is float32;
        - for "sgd" and "adam", where the objective has not improved by `tol` for
          `n_iter_no_change` epochs; under the cosine schedule `max_iter` alone ends it;
        - for "gd", where no entry of the gradient is larger than `tol`;
        - for every solver with a validation set, where the log loss on that has not
          improved by `tol` for `n_iter_no_change` iterations.

        With ``tol=0`` and no validation set, "gd", "sgd" and "adam" run all `max_iter`
        iterations. No solver warns at `max_iter` then.
    {n_iter_no_change, early_stopping, validation_fraction, class_weight, init}
        - "auto": zero, as the start does not change the minimum.
    {shuffle, random_state, warm_start, verbose}

    Attributes
    ----------
    {classes_}
    coef_ : ndarray of shape (n_classes, `n_features_in_`)
        The weights; two rows for two classes, unlike `LogisticRegression`.
    intercept_ : ndarray of shape (n_classes,)
        The biases. They sum to zero, as the objective leaves their mean free.
    {reg_, n_features_in_, feature_names_in_}
    n_iter_ : int
        The number of iterations or epochs of the last `fit`, and of each `partial_fit` since. With
        many rows, "auto", "newton" and "lbfgs" start from the minimum on every fourth row; the
        iterations that find it are not counted.
    loss_ : float
        The objective at the fitted weights.
    gap_ : float
        Of "auto", "newton" and "lbfgs" alone: no weights have an objective below
        ``loss_ * (1 - gap_)``. It is that of the fitted weights, as they were rounded to their
        dtype, or chosen by a validation set. NaN with ``reg=0``, which leaves no proof.
    stop_reason_ : str
        Why the training ended:

        - "tol": the gap to the minimum, the gradient or the progress of the loss, as the solver
          has it, came within `tol` (the gap for float32 `X` within 1e-5);
        - "max_iter": `max_iter` came first;
        - "schedule": the cosine schedule has run to its end, at `max_iter`;
        - "validation": the loss on the validation set had not improved for
          `n_iter_no_change` iterations;
        - "precision": rounding let no step bring the objective within `tol` of the minimum;
        - "callback", "interrupted": a callback or Ctrl-C asked for it;
        - "diverged": the objective was no longer finite, or far above its start; the best
          weights were kept;
        - "partial_fit": the last call was `partial_fit`, whose one pass is over.
    loss_curve_ : list of float
        The objective at each iteration: for "sgd" and "adam" the mean over the epoch's batches
        as they went by, for the others before the iteration's step. It has `n_iter_` values,
        and continues over the calls of a `warm_start`.
    validation_loss_curve_ : list of float, of the length of `loss_curve_`
        The log loss on the validation set after each iteration, if there is such a set.
    best_iter_ : int
        The index there of the least loss, whose weights are the fitted ones.

    See Also
    --------
    TwoLayerNetClassifier : The same with a hidden layer.
    sklearn.linear_model.LogisticRegression : The same model, penalised by `C`.

    Notes
    -----
    "auto", "newton" and "lbfgs" compute in float64, whatever the dtype of `X`. Their variables are
    the weights of centred columns times sqrt(variance + reg / c), c the curvature of the
    cross-entropy: the Hessian, penalty and all, has a constant diagonal, and columns of any scale
    are alike. Where 100 steps bring no end, or no step lowers the objective any more, such
    variables are chosen anew, and the further steps are Newton's, by conjugate gradients.

    That the end has come is not left to the model of the Hessian that chose the steps. It is
    proven by a duality gap [1]_: any probabilities q_i of the classes whose w-weighted sum over
    the rows is that of the labels give a lower bound of the objective, for w that sum to 1,

    .. math::

        \sum_i w_i \mathrm{H}(q_i) - \frac{1}{2 \, \mathtt{reg}} \Big\| \sum_i w_i
        (q_i - \mathrm{onehot}(y_i)) x_i^T \Big\|^2

    with the entropy H. For q they take the predicted probabilities, changed to first order along
    Newton's step, which is found by conjugate gradients on products with the Hessian itself; what
    is missing in that sum, and what rounding may have taken, is added to the gap. `gap_` is the
    least that was proven so, at the fitted weights.

    - Where rounding ends the descent before there is a proof, Newton's step is trusted if it
      promises to lower the objective by far less than `tol` of it, and moves no two scores of a
      row apart by more than 1; `gap_` is then `tol`. Else there is a ``ConvergenceWarning``.
    - Without a penalty there is no bound. With ``reg=0`` that same promise of Newton's step ends
      the training where it is at most `tol` of the objective. Separable classes have no minimum
      then: it ends where the objective and the largest entry of its gradient, for columns of unit
      variance, are at most `tol`.
    - Weights rounded to float32 are above the minimum by more than 1e-5 of it where columns are
      far from zero, beside their spread. A ``ConvergenceWarning`` says so; center such columns,
      or pass float64.

    Beside X, "auto" and "lbfgs" hold models of the Hessian of at most 64 MB, or as many float64
    entries as X has; "newton" holds ((n_classes - 1) (n_features + 1))^2 entries.

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

    _net_solvers: ClassVar[dict] = {name: SOLVERS[name] for name in ("gd", "sgd", "adam")}

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
        shuffle: bool = True,
        random_state: RandomState = None,
        warm_start: bool = False,
        verbose: int = 0,
    ) -> None:
        store_parameters(self, locals())

    _hidden_sizes = ()
    _reg_of_two_classes = 2  # as that has one row of weights there, w against -w here
    _activation = None
    _auto_initializer = staticmethod(zeros)

    def _convert(self, columns):
        # not with the package: scikit-learn's ensembles take longer to import than all of it
        from ._to_sklearn import make_logistic_regression  # noqa: PLC0415

        factor = self._reg_of_two_classes if len(self.classes_) == 2 else 1
        total = self.reg_ * self._total_weight
        return make_logistic_regression(
            self.coef_,
            self.intercept_,
            self.classes_,
            columns,
            C=factor / total if total > 0 else np.inf,
            n_iter=self.n_iter_,
        )

    def _train(self, problem, options, streams, callbacks, *, continues):
        if self.solver in self._net_solvers:
            return super()._train(problem, options, streams, callbacks, continues=continues)
        (start,) = (self._continue if continues else self._start)(problem, streams)
        result, interrupt = train_linear(
            problem.samples,
            problem.validation,
            options,
            (start.network.weights[0], start.network.biases[0]),
            callbacks and callbacks.observe(1, options.max_iter, [None], 0),
        )
        return [result], interrupt

    def _get_networks(self):
        return [Network.from_layers([self.coef_], [self.intercept_], None)]

    def _set_layers(self, results):
        (result,) = results
        if isinstance(result, LinearResult):
            self.coef_, self.intercept_ = result.coef.copy(), result.intercept.copy()
            return
        (coef,), (intercept,) = result.network.weights, result.network.biases
        mean = intercept.mean()  # which the objective leaves free
        is_rounding = abs(mean) <= np.finfo(mean.dtype).eps * abs(intercept).max()
        self.coef_ = coef.copy()
        self.intercept_ = intercept.copy() if is_rounding else intercept - mean
