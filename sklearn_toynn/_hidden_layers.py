"""What nets with hidden layers share: several nets at a time, and their fitted layers."""

from __future__ import annotations

from abc import ABC
from numbers import Integral
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ._base import NetClassifier
from ._nets.activations import ACTIVATIONS
from ._nets.initializers import INITIALIZERS
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
        layers = predict_hidden_values(X, self._fitted_network())
        return [layer[0] for layer in layers] if self.intercepts_[0].ndim == 1 else layers

    def _convert(self, columns):
        # not with the package: scikit-learn's ensembles take longer to import than all of it
        from ._to_sklearn import make_mlp, make_vote  # noqa: PLC0415

        weights, biases = self._get_layers()
        is_alone = self.intercepts_[0].ndim == 1
        loss_curves = [self.loss_curve_] if is_alone else self.loss_curves_
        nets = [
            make_mlp(
                [layer[net] for layer in weights],
                [bias[net] for bias in biases],
                self.classes_ if is_alone else np.arange(len(self.classes_)),
                columns,
                activation=self._fitted_activation,
                alpha=self.reg_ * self._total_weight,
                n_iter=self.n_iter_,
                loss_curve=loss_curves[net],
                loss=self.loss_,
            )
            for net in range(len(biases[0]))
        ]
        return nets[0] if is_alone else make_vote(nets, self.classes_, columns)

    def _get_layers(self):
        if self.intercepts_[0].ndim == 2:
            return [coef.transpose(0, 2, 1) for coef in self.coefs_], self.intercepts_
        return [coef.T[None] for coef in self.coefs_], [bias[None] for bias in self.intercepts_]

    def _set_layers(self, weights, biases):
        nets = 0 if self.n_nets == 1 else slice(None)
        self.coefs_ = [layer.swapaxes(1, 2)[nets].copy() for layer in weights]
        self.intercepts_ = [layer[nets].copy() for layer in biases]
