"""The change of variables to columns with mean 0 and equal curvatures."""

import numpy as np

from .._column_statistics import ColumnScaling, measure_columns

EPSILON = float(np.finfo(float).eps)


def subtract_class_mean(theta):
    """Subtract the mean over the classes, in place."""
    theta -= np.add.reduce(theta, axis=0) / len(theta)
    return theta


class StandardColumns(ColumnScaling):
    """The change of variables from coefficients to theta, (n_classes, n_features + 1).

    theta[:, :-1] and theta[:, -1] are the weights and the intercept for z. The penalty is
    sum_kj ridge_j theta_kj^2 / 2.

    Parameters
    ----------
    mean, std : ndarray of shape (n_features,)
        Need not be exact.
    floor : float
        scale^2 is std^2 + floor, so the ridge is at most reg / floor.
    is_constant : ndarray of shape (n_features,)
        Whether each column is constant. If so, its z is 0, and its weight at the minimum is 0.
    """

    def __init__(self, mean, std, floor, is_constant):
        scale = np.hypot(std, np.sqrt(floor))
        super().__init__(
            mean, scale, np.divide(1.0, scale, out=np.zeros(len(std)), where=~is_constant)
        )
        self.std, self.is_constant = std, is_constant

    @classmethod
    def from_rows(cls, X, weights, floor, is_constant=None):
        """Measure the columns of X, dense or CSR, with weights of any sum.

        If the weights are w p (1 - p) and the floor is reg divided by their sum, the Hessian of
        the objective has a constant diagonal.
        """
        found = measure_columns(X, weights)
        is_constant = found.is_constant if is_constant is None else is_constant
        return cls(found.mean, found.std, floor, is_constant)

    def divide(self, values, out=None):
        """Multiply by 1 / scale, which is 0 for constant columns."""
        return np.multiply(values, self.inv_scale, out=out)

    def ridge(self, reg):
        """Return the penalty of each column of theta, 0 for the intercept."""
        ridge = np.zeros(len(self.scale) + 1)
        # any value above 0 serves for constant columns
        ridge[:-1] = np.where(self.is_constant, reg, super().ridge(reg))
        return ridge

    def to_coefs(self, theta):
        """Return W (n_classes, n_features) and b (n_classes,)."""
        return self.unscale_coefs(theta[:, :-1], theta[:, -1])

    def from_coefs(self, W, b):
        """Return theta minus its mean over the classes, which changes no probability."""
        theta = np.empty((len(b), len(self.scale) + 1))
        theta[:, :-1], theta[:, -1] = self.scale_coefs(W, b)
        return subtract_class_mean(theta)

    def rounding(self, theta):
        """Return a bound of the rounding errors of scores by the change of variables."""
        means = np.abs(self.mean * self.inv_scale)
        return 4 * EPSILON * float(np.maximum.reduce(np.abs(theta[:, :-1]) @ means))
