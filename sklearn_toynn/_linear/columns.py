"""The change of variables to columns of mean 0 and of a common curvature."""

import numpy as np

from .._columns import measure_columns


class StandardColumns:
    """The change of variables from coefficients to theta, (n_classes, n_features + 1).

    theta[:, :-1] = W * scale and theta[:, -1] = b + W mean: the weights of z = (x - mean) / scale,
    on which the penalty is sum_j ridge_j theta_j^2 / 2 with ridge_j = reg / scale_j^2.

    Parameters
    ----------
    mean, std : ndarray of shape (n_features,)
        Need not be exact: the objective is the same in any such variables.
    floor : float
        With scale^2 = std^2 + floor, no ridge is above reg / floor: a column of tiny spread is one
        that says little, not one that is steeply penalised.
    is_constant : ndarray of shape (n_features,)
        Columns of one value have z = 0: their weight is 0, as at the minimum.
    """

    def __init__(self, mean, std, floor, is_constant):
        self.mean, self.std, self.is_constant = mean, std, is_constant
        self.scale = np.hypot(std, np.sqrt(floor))
        self.inv_scale = np.divide(1.0, self.scale, out=np.zeros(len(std)), where=~is_constant)

    def ridge(self, reg):
        """Return the penalty of each column of theta; that of the intercept is 0."""
        ridge = reg * self.inv_scale**2
        ridge[self.is_constant] = reg  # any will do
        return np.append(ridge, 0.0)

    def to_coefs(self, theta):
        """Return W (n_classes, n_features) and b (n_classes,)."""
        W = theta[:, :-1] * self.inv_scale
        return W, theta[:, -1] - W @ self.mean

    def from_coefs(self, W, b):
        """Return theta less its mean over the classes, which has no part in any probability."""
        theta = np.column_stack([W * self.scale, b + W @ self.mean])
        return theta - theta.mean(axis=0)

    def rounding(self, theta):
        """Return what rounding may add to scores by the change of variables, and by the mean."""
        means = np.abs(self.mean * self.inv_scale)
        return 4 * np.finfo(float).eps * float(np.max(np.abs(theta[:, :-1]) @ means))

    @classmethod
    def of(cls, X, weights, floor, is_constant=None):
        """Measure the columns of X, dense or CSR, under weights of any sum.

        With those of the rows in the Hessian, w p (1 - p), and a floor of reg over their sum, the
        Hessian, penalty and all, has a constant diagonal.
        """
        mean, std = measure_columns(X, weights)
        return cls(mean, std, floor, std == 0 if is_constant is None else is_constant)
