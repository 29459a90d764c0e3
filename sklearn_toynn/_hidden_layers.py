"""What nets with hidden layers share: several nets at a time, and their fitted layers."""

from abc import ABC
from numbers import Integral
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ._base import NetClassifier
from ._nets.activations import ACTIVATIONS
from ._nets.initializers import INITIALIZERS
from ._nets.network import Network
from ._nets.prediction import predict_hidden_values
from ._sklearn_compat import Interval, StrOptions
from ._typing import Floats, Labels, MatrixLike
from ._validation import validate_rows


class HiddenLayersClassifier(NetClassifier, ABC):
    """A net with hidden layers, or the mean of several; see its subclasses."""

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
        nets = [
            make_mlp(
                network.weights,
                network.biases,
                self.classes_ if is_alone else np.arange(len(self.classes_)),
                columns,
                activation=self._fitted_activation,
                alpha=self.reg_ * self._total_weight,
                n_iter=self.n_iter_,
                loss=self.loss_,
            )
            for network in self._get_networks()
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
