"""The classifiers with hidden layers: parameters, docstrings and fitted attributes."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from numbers import Integral
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ._base import NetClassifier, store_parameters
from ._docstrings import takes_entries
from ._nets.activations import ACTIVATIONS
from ._nets.initializers import INITIALIZERS
from ._nets.network import Network
from ._nets.prediction import predict_hidden_values
from ._sklearn_compat import Interval, StrOptions
from ._typing import (
    Auto,
    ClassWeight,
    Floats,
    Initializer,
    Labels,
    MatrixLike,
    RandomState,
    Schedule,
)
from ._validation import check_sizes, validate_rows


@takes_entries(NetClassifier)
class HiddenLayersClassifier(NetClassifier, ABC):
    """A net with hidden layers, or the mean of several; see its subclasses.

    Its docstring has the entries that they share.

    Parameters
    ----------
    reg : float or "auto", default="auto"
        The penalty on the squared weights, >= 0. The biases are not penalised. "auto" is 1 / m.
        Without weights, m is the number of rows. With weights w, sample weight times class
        weight, m is max(sum w, (sum w)^2 / sum w^2). For weights of mean 1 or more this is their
        sum, and "auto" equals `LogisticRegression`'s ``C=1`` and, with one batch,
        `MLPClassifier`'s ``alpha=1``. For small or normalised weights it is the effective number
        of rows. `partial_fit` counts all rows seen so far. With three classes or more and one
        batch of n rows, `MLPClassifier`'s `alpha` is ``reg * n``; with weights, n is their sum.
        Choose this parameter first, as `TwoLayerNetClassifierCV` does.
    n_nets : int, default=1
        How many nets to train and to average in probability. Each is trained by itself, with
        initial weights and batches of its own, and in as many threads as BLAS may use. The first
        is that of ``n_nets=1``.
    activation : {"relu", "leaky_relu", "logistic", "tanh", "gelu", "silu", "identity"}
        "relu" by default.
        The f of the hidden units: max(z, 0); max(z, z / 100); 1 / (1 + exp(-z)); tanh(z);
        z Phi(z), with Phi the normal distribution function; z / (1 + exp(-z)); z, for a linear
        model to compare with.
        Training takes the one that is set, prediction the one of the last training.
    solver : {"adam", "sgd", "gd", "lbfgs"}, default="adam"
        - "adam": mini-batches with Adam;
        - "sgd": mini-batches with Nesterov's momentum;
        - "gd": whole-batch gradient descent;
        - "lbfgs": L-BFGS, SciPy's. Equal rows are merged first, so that weights, repeated
          rows and any order of the rows give the same bits.
    {learning_rate}
        "lbfgs" finds its own steps.
    {schedule, momentum, batch_size, max_iter}
    tol : float, default=1e-5
        The training ends

        - for "sgd" and "adam", where the objective has not improved by `tol` for
          `n_iter_no_change` epochs; under the cosine schedule `max_iter` alone ends it;
        - for "gd" and "lbfgs", where no entry of the gradient is larger than `tol`;
        - for every solver with a validation set, where the log loss on that has not
          improved by `tol` for `n_iter_no_change` iterations.

        With ``tol=0`` and no validation set, "gd", "sgd" and "adam" run all `max_iter`
        iterations. No solver warns at `max_iter` then.
    {n_iter_no_change, early_stopping, validation_fraction, class_weight, init}
        - "auto": "glorot" for "tanh" and "logistic", "he" for the others, on columns of X brought
          to a common scale; less where such a scale makes the penalty steep.
    {shuffle, random_state, warm_start, verbose}

    Attributes
    ----------
    {classes_, reg_, n_features_in_, feature_names_in_}
    n_iter_ : int
        The number of iterations or epochs of the last `fit`, and of each `partial_fit` since;
        the most that a net took.
    loss_ : float
        The objective at the fitted weights; with several nets their mean. `fit` warns if that of
        a net is above log n_classes, the objective of equal probabilities.
    stop_reason_ : str or ndarray of str of shape (n_nets,)
        Why the training ended; with several nets that of each
        that had begun:

        - "tol": the gradient or the progress of the loss, as the solver has it, came within `tol`;
        - "max_iter": `max_iter` came first;
        - "schedule": the cosine schedule has run to its end, at `max_iter`;
        - "validation": the loss on the validation set had not improved for
          `n_iter_no_change` iterations;
        - "precision": L-BFGS found no lower loss in the dtype of X;
        - "callback", "interrupted": a callback or Ctrl-C asked for it;
        - "diverged": the objective was no longer finite, or far above its start; the best
          weights were kept;
        - "partial_fit": the last call was `partial_fit`, whose one pass is over.
    loss_curve_ : list of float
        The objective at each iteration: for "gd" and "lbfgs" before the iteration's step, for
        "sgd" and "adam" the mean over the epoch's batches as they went by. With several nets
        the mean of those that still trained. It has `n_iter_` values, and continues over the
        calls of a `warm_start`.
    loss_curves_ : list of list of float, n_nets long
        Those of each net, with ``n_nets > 1``; one ends where its net did.
    validation_loss_curve_ : list of float, of the length of `loss_curve_`
        The log loss on the validation set after each iteration, if there is such a set; with
        several nets the mean of those that still trained.
    best_iter_ : int or ndarray of shape (n_nets,)
        The index there of the least loss, whose weights are the fitted ones; with several nets
        that of each.
    """

    coefs_: list[Floats]
    intercepts_: list[Floats]
    loss_curves_: list[list[float]]
    stop_reason_: str | Labels
    best_iter_: int | NDArray[np.integer]

    _parameter_constraints: ClassVar[dict] = {
        "n_nets": [Interval(Integral, 1, None, closed="left")],
        **NetClassifier._parameter_constraints,
        "activation": [StrOptions(set(ACTIVATIONS))],
    }

    @property
    def _activation(self):
        return ACTIVATIONS[self.activation]

    @property
    def _auto_initializer(self):
        return INITIALIZERS[self._activation.initializer]

    @property
    def _n_nets(self):
        return int(self.n_nets)

    def hidden_values(self, X: MatrixLike) -> Floats | list[Floats]:
        """Return the values of the hidden units.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.

        Returns
        -------
        values : list of ndarray of shape (n_samples, n_units)
            For each hidden layer, from the input on, f(W a + b) of the values a before it, in the
            dtype of the parameters. With ``n_nets > 1`` all have a leading axis for the nets.
        """
        check_is_fitted(self)
        X = validate_rows(self, X)
        nets = [predict_hidden_values(X, network) for network in self._get_networks()]
        if self.intercepts_[0].ndim == 1:
            return nets[0]
        return [np.stack(layer) for layer in zip(*nets, strict=True)]

    def _convert(self, columns):
        # not with the package: scikit-learn's ensembles take longer to import than all of it
        from ._to_sklearn import make_mlp, make_vote  # noqa: PLC0415

        is_alone = self.intercepts_[0].ndim == 1
        loss_curves = [self.loss_curve_] if is_alone else self.loss_curves_
        nets = [
            make_mlp(
                network.weights,
                network.biases,
                self.classes_ if is_alone else np.arange(len(self.classes_)),
                columns,
                activation=self._fitted_activation,
                alpha=self.reg_ * self._total_weight,
                n_iter=self.n_iter_,
                loss_curve=loss_curve,
                loss=self.loss_,
            )
            for network, loss_curve in zip(self._get_networks(), loss_curves, strict=True)
        ]
        return nets[0] if is_alone else make_vote(nets, self.classes_, columns)

    def _get_networks(self):
        # with the activation of the fit, whatever is set now; weights may be set without a fit
        name = vars(self).get("_fitted_activation") or self.activation
        coefs, intercepts = self.coefs_, self.intercepts_
        if intercepts[0].ndim == 1:
            coefs, intercepts = [coef[None] for coef in coefs], [bias[None] for bias in intercepts]
        return [
            Network.from_layers([coef.T for coef in weights], biases, ACTIVATIONS[name])
            for weights, biases in zip(
                zip(*coefs, strict=True), zip(*intercepts, strict=True), strict=True
            )
        ]

    def _set_layers(self, results):
        networks = [result.network for result in results]
        join = np.stack if self._n_nets > 1 else lambda layers: layers[0].copy()
        self.coefs_ = [
            join([layer.T for layer in layers])
            for layers in zip(*(network.weights for network in networks), strict=True)
        ]
        self.intercepts_ = [
            join(layers) for layers in zip(*(network.biases for network in networks), strict=True)
        ]


@takes_entries(HiddenLayersClassifier)
class TwoLayerNetClassifier(HiddenLayersClassifier):
    r"""A net with one hidden layer: input, hidden units, softmax.

    It minimises

    .. math::

        \frac{\sum_i w_i \, \mathrm{CE}(y_i, \mathrm{softmax}(W_2 f(W_1 x_i + b_1) + b_2))}
        {\sum_i w_i} + \frac{\mathtt{reg}}{2} \Big(\sum W_1^2 + \sum W_2^2\Big)

    where f is the activation, CE the cross-entropy and w the product of sample and class weight.
    Two classes have an output each, as three have.

    Parameters
    ----------
    hidden_size : int, default=100
        The number of hidden units.
    {reg, n_nets, activation, solver, learning_rate, schedule, momentum, batch_size, max_iter, tol,
    n_iter_no_change, early_stopping, validation_fraction, class_weight, init, shuffle,
    random_state, warm_start, verbose}

    Attributes
    ----------
    {classes_}
    coefs_ : list of ndarray, of shape (`n_features_in_`, hidden_size) and (hidden_size, n_classes)
        The weights of the hidden units and of the outputs. With ``n_nets > 1`` both have a
        leading axis for the nets.
    intercepts_ : list of ndarray, of shape (hidden_size,) and (n_classes,)
        Their biases, likewise.
    {reg_, n_features_in_, feature_names_in_, n_iter_, loss_, stop_reason_, loss_curve_,
    loss_curves_, validation_loss_curve_, best_iter_}

    See Also
    --------
    SoftmaxClassifier : The same without the hidden layer.
    MultiLayerNetClassifier : The same with any number of hidden layers.
    sklearn.neural_network.MLPClassifier : That model, penalised by `alpha`.

    Examples
    --------
    >>> from sklearn_toynn import TwoLayerNetClassifier
    >>> from sklearn_toynn.datasets import make_spiral
    >>> X, y = make_spiral(random_state=0)
    >>> clf = TwoLayerNetClassifier(reg=1e-3, max_iter=500, random_state=0).fit(X, y)
    >>> clf.score(X, y) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "hidden_size": [Interval(Integral, 1, None, closed="left")],
        **HiddenLayersClassifier._parameter_constraints,
    }

    def __init__(
        self,
        hidden_size: int = 100,
        reg: float | Auto = "auto",
        *,
        n_nets: int = 1,
        activation: str = "relu",
        solver: str = "adam",
        learning_rate: float | Auto = "auto",
        schedule: str | Schedule = "auto",
        momentum: float = 0.9,
        batch_size: int | Auto = "auto",
        max_iter: int | Auto = "auto",
        tol: float = 1e-5,
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

    @property
    def _hidden_sizes(self):
        return (int(self.hidden_size),)


@takes_entries(HiddenLayersClassifier)
class MultiLayerNetClassifier(HiddenLayersClassifier):
    r"""A net with any number of hidden layers: input, hidden units layer by layer, softmax.

    It minimises

    .. math::

        \frac{\sum_i w_i \, \mathrm{CE}(y_i, \mathrm{softmax}(W_L a_{L-1}(x_i) + b_L))}
        {\sum_i w_i} + \frac{\mathtt{reg}}{2} \sum_l \sum W_l^2,
        \qquad a_0(x) = x, \quad a_l(x) = f(W_l a_{l-1}(x) + b_l)

    where f is the activation, CE the cross-entropy and w the product of sample and class weight.
    Two classes have an output each, as three have.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        The numbers of hidden units, from the input on, as `MLPClassifier` has them. An int is one
        layer, as `TwoLayerNetClassifier` has it.
    {reg, n_nets, activation, solver, learning_rate, schedule, momentum, batch_size, max_iter, tol,
    n_iter_no_change, early_stopping, validation_fraction, class_weight, init, shuffle,
    random_state, warm_start, verbose}

    Attributes
    ----------
    {classes_}
    coefs_ : list of ndarray, of shape (fan_in, fan_out) for each layer
        The weights of the hidden layers, from the input on, and of the outputs: the first fan_in
        is that of the columns, the last fan_out that of the classes. With ``n_nets > 1`` all have
        a leading axis for the nets.
    intercepts_ : list of ndarray, of shape (fan_out,) for each layer
        Their biases, likewise.
    {reg_, n_features_in_, feature_names_in_, n_iter_, loss_, stop_reason_, loss_curve_,
    loss_curves_, validation_loss_curve_, best_iter_}

    See Also
    --------
    TwoLayerNetClassifier : One hidden layer, its width an integer to search over.
    SoftmaxClassifier : None.
    sklearn.neural_network.MLPClassifier : The same model, penalised by `alpha`.

    Examples
    --------
    >>> from sklearn_toynn import MultiLayerNetClassifier
    >>> from sklearn_toynn.datasets import make_spiral
    >>> X, y = make_spiral(random_state=0)
    >>> clf = MultiLayerNetClassifier((50, 20), reg=1e-3, max_iter=500, random_state=0).fit(X, y)
    >>> clf.score(X, y) > 0.95
    True
    >>> [coef.shape for coef in clf.coefs_]
    [(2, 50), (50, 20), (20, 3)]
    """

    _parameter_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": [Interval(Integral, 1, None, closed="left"), "array-like"],
        **HiddenLayersClassifier._parameter_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        reg: float | Auto = "auto",
        *,
        n_nets: int = 1,
        activation: str = "relu",
        solver: str = "adam",
        learning_rate: float | Auto = "auto",
        schedule: str | Schedule = "auto",
        momentum: float = 0.9,
        batch_size: int | Auto = "auto",
        max_iter: int | Auto = "auto",
        tol: float = 1e-5,
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

    @property
    def _hidden_sizes(self):
        return check_sizes(self.hidden_layer_sizes, "hidden_layer_sizes")
