"""The classifiers with hidden layers: parameters, docstrings and fitted attributes."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from numbers import Integral
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ._base import NetClassifier
from ._docstrings import takes_entries
from ._estimator_state import store_parameters
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
from ._validation import check_sizes


@takes_entries(NetClassifier)
class HiddenLayersClassifier(NetClassifier, ABC):
    """The base class of classifiers with hidden layers.

    The docstrings of the subclasses reuse these entries.

    Parameters
    ----------
    {reg}
        `reg` is the most important parameter to tune. `TwoLayerNetClassifierCV` and
        `MultiLayerNetClassifierCV` tune it. For three or more classes, the penalty equals the
        penalty of ``MLPClassifier(alpha=reg * b)`` with batches of b rows. For two classes,
        `MLPClassifier` has one output instead of two, and no `alpha` gives exactly the same
        penalty.
    n_nets : int, default=1
        The number of nets to train. Predicted probabilities are averages over the nets. Each net
        has its own initial weights and batches. The first net equals the net of ``n_nets=1``.
        The nets train in as many threads as BLAS may use. A single net trains in one thread.
    activation : str, default="relu"
        The function f of the hidden units.

        - "relu": max(z, 0);
        - "leaky_relu": max(z, z / 100);
        - "logistic": 1 / (1 + exp(-z));
        - "tanh": tanh(z);
        - "gelu": z Phi(z), where Phi is the normal distribution function;
        - "silu": z / (1 + exp(-z));
        - "identity": z, for comparison with a linear model.
    solver : {"adam", "sgd", "gd", "lbfgs"}, default="adam"
        - "adam": mini-batches with Adam;
        - "sgd": mini-batches with Nesterov's momentum;
        - "gd": gradient descent on all rows;
        - "lbfgs": SciPy's L-BFGS. Rows are first sorted, and equal rows are merged. So the result
          does not depend on the order of the rows, and sample weight 2 has the same effect as
          repeating the row.
    {learning_rate}
        "lbfgs" chooses its own step sizes.
    {schedule, momentum, batch_size, max_iter}
    tol : float, default=1e-5
        The tolerance of the stopping rule.

        - "sgd" and "adam" stop when the objective has not improved by `tol` for `n_iter_no_change`
          epochs. With the cosine schedule and no validation set, they run all `max_iter` epochs
          instead.
        - "gd" and "lbfgs" stop when no entry of the gradient exceeds `tol`.
        - With a validation set, every solver also stops when the log loss on it has not improved
          by `tol` for `n_iter_no_change` iterations.
    {n_iter_no_change, early_stopping, validation_fraction, class_weight, init}
        - "auto": "glorot" for "tanh", "logistic" and "identity", "he" for the other activations.

        With "auto", training also scales the columns. This does not change the objective, whose
        penalty is on the weights of the original columns.

        With "auto" and many columns, training uses the principal components of `X` instead of its
        columns. All components are kept, so the objective has the same minima. But training may
        end in another minimum than training on the columns would. The conditions are dense `X`, at
        most 1000 rows, at least ``max(257, 4 * n_samples)`` columns, ``reg > 0``, and at least 10
        units in each hidden layer. On principal components, ``max_iter="auto"`` means enough
        epochs for 1000 mini-batches.
    {dtype, encoding, shuffle, random_state, warm_start}
        With True, training never uses principal components (see `init`).
    {verbose}

    Attributes
    ----------
    {classes_, bin_edges_, encoding_mean_, encoding_scale_}
    {reg_, n_features_in_, feature_names_in_, n_iter_}
        With several nets, the largest number.
    {loss_}
        With several nets, the mean.
    {stop_reason_}

        With several nets, an array with the reason of each net.
    {loss_curve_}
        With several nets, the mean over the nets that still train.
    loss_curves_ : list of list of float
        The curve of each net. Defined only with ``n_nets > 1``.
    {validation_loss_curve_}
        With several nets, the mean over the nets that still train.
    {best_iter_}
        With several nets, an array with this index for each net.
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
        """Return the outputs of the hidden units.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.

        Returns
        -------
        values : list of ndarray of shape (n_samples, n_units)
            The values f(W a + b) of each hidden layer, where a is the output of the previous
            layer. For the first layer, a is a row of X, or the columns and pieces of
            ``encoding="piecewise"``. With ``n_nets > 1``, each array has a leading axis for the
            nets.
        """
        check_is_fitted(self)
        X = self._validate_rows(X)
        nets = [predict_hidden_values(X, network) for network in self._get_networks()]
        if self._has_one_net:
            return nets[0]
        return [np.stack(layer) for layer in zip(*nets, strict=True)]

    @property
    def _has_one_net(self):
        """Whether the fitted arrays have no axis for the nets."""
        return self.intercepts_[0].ndim == 1

    def _convert(self, networks, columns):
        # imported on demand, because scikit-learn's ensembles take longer than this package
        from ._to_sklearn import make_mlp, make_vote  # noqa: PLC0415

        is_alone = self._has_one_net
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
            for network, loss_curve in zip(
                networks,
                [self.loss_curve_] if is_alone else self.loss_curves_,
                strict=True,
            )
        ]
        return nets[0] if is_alone else make_vote(nets, self.classes_, columns)

    def _get_networks(self):
        # `_fitted_activation` is missing if the user has set the weights
        activation = ACTIVATIONS[vars(self).get("_fitted_activation") or self.activation]
        coefs, intercepts = [self.coefs_], [self.intercepts_]
        if not self._has_one_net:
            coefs, intercepts = zip(*self.coefs_, strict=True), zip(*self.intercepts_, strict=True)
        return [
            Network.from_layers([coef.T for coef in weights], biases, activation)
            for weights, biases in zip(coefs, intercepts, strict=True)
        ]

    def _divide_scores(self, temperature):
        """Divide the scores of the fitted nets."""
        self.coefs_ = [*self.coefs_[:-1], self.coefs_[-1] / temperature]
        self.intercepts_ = [*self.intercepts_[:-1], self.intercepts_[-1] / temperature]

    def _set_layers(self, results):
        networks = [result.network for result in results]
        join = np.stack if self._n_nets > 1 else lambda layers: layers[0].copy()
        weights = zip(*(network.weights for network in networks), strict=True)
        biases = zip(*(network.biases for network in networks), strict=True)
        self.coefs_ = [join([layer.T for layer in layers]) for layers in weights]
        self.intercepts_ = [join(layers) for layers in biases]


@takes_entries(HiddenLayersClassifier)
class TwoLayerNetClassifier(HiddenLayersClassifier):
    r"""A net with one hidden layer: input, hidden units, softmax.

    It minimizes

    .. math::

        &\frac{\sum_i w_i \, \mathrm{CE}(y_i, \mathrm{softmax}(s_i))}{\sum_i w_i}
        + \frac{\mathtt{reg}}{2} \sum_l \sum W_l^2,

        &s_i = W_2 f(W_1 x_i + b_1) + b_2

    where f is the activation, CE the cross-entropy and w the product of sample and class weight.
    There is one output per class, also for two classes.

    Parameters
    ----------
    hidden_size : int, default=100
        The number of hidden units.
    {reg, n_nets, activation, solver, learning_rate, schedule, momentum, batch_size, max_iter, tol,
    n_iter_no_change, early_stopping, validation_fraction, class_weight, init, dtype, encoding,
    shuffle, random_state, warm_start, verbose}

    Attributes
    ----------
    {classes_}
    coefs_ : list of ndarray, of shape (`n_features_in_`, hidden_size) and (hidden_size, n_classes)
        The weights of the hidden units and of the outputs. With ``encoding="piecewise"``, the
        first array has rows for all columns and pieces, in the order of `encoding_mean_`. With
        ``n_nets > 1``, both arrays have a leading axis for the nets.
    intercepts_ : list of ndarray, of shape (hidden_size,) and (n_classes,)
        The biases, with the same leading axis.
    {bin_edges_, encoding_mean_, encoding_scale_}
    {reg_, n_features_in_, feature_names_in_, n_iter_, loss_, stop_reason_, loss_curve_,
    loss_curves_, validation_loss_curve_, best_iter_}

    See Also
    --------
    SoftmaxClassifier : No hidden layer.
    MultiLayerNetClassifier : Any number of hidden layers.
    sklearn.neural_network.MLPClassifier : The same model with the penalty parameter `alpha`.

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
        dtype: str = "auto",
        encoding: str = "linear",
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
    r"""A net with any number of hidden layers: input, hidden layers, softmax.

    It minimizes

    .. math::

        &\frac{\sum_i w_i \, \mathrm{CE}(y_i, \mathrm{softmax}(s_i))}{\sum_i w_i}
        + \frac{\mathtt{reg}}{2} \sum_l \sum W_l^2,

        &s_i = W_L a_{L-1}(x_i) + b_L,

        &a_l(x) = f(W_l a_{l-1}(x) + b_l), \quad a_0(x) = x

    where f is the activation, CE the cross-entropy and w the product of sample and class weight.
    There is one output per class, also for two classes.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        The widths of the hidden layers, starting at the input. An int is one layer.
    {reg, n_nets, activation, solver, learning_rate, schedule, momentum, batch_size, max_iter, tol,
    n_iter_no_change, early_stopping, validation_fraction, class_weight, init, dtype, encoding,
    shuffle, random_state, warm_start, verbose}

    Attributes
    ----------
    {classes_}
    coefs_ : list of ndarray, of shape (fan_in, fan_out) for each layer
        The weights from the input to the outputs. The first fan_in is `n_features_in_`
        (n_encoded with ``encoding="piecewise"``), the last fan_out is n_classes. With
        ``n_nets > 1``, all arrays have a leading axis for the nets.
    intercepts_ : list of ndarray, of shape (fan_out,) for each layer
        The biases, with the same leading axis.
    {bin_edges_, encoding_mean_, encoding_scale_}
    {reg_, n_features_in_, feature_names_in_, n_iter_, loss_, stop_reason_, loss_curve_,
    loss_curves_, validation_loss_curve_, best_iter_}

    See Also
    --------
    SoftmaxClassifier : No hidden layer.
    TwoLayerNetClassifier : One hidden layer. Its width is an integer, which is easy to search.
    sklearn.neural_network.MLPClassifier : The same model with the penalty parameter `alpha`.

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
        dtype: str = "auto",
        encoding: str = "linear",
        shuffle: bool = True,
        random_state: RandomState = None,
        warm_start: bool = False,
        verbose: int = 0,
    ) -> None:
        store_parameters(self, locals())

    @property
    def _hidden_sizes(self):
        return check_sizes(self.hidden_layer_sizes, "hidden_layer_sizes")
