"""Products of a layer's weights with dense and sparse rows."""

import numpy as np


def multiply(weights, X, out):
    """Write W X^T, (fan_out, n_samples); X may be CSR or `CenteredRows`."""
    if isinstance(X, np.ndarray):
        np.matmul(weights, X.T, out=out)
    else:
        out[...] = (X @ weights.T).T


def multiply_transposed(delta, X, out):
    """Write delta X, (fan_out, n_features); X as in `multiply`."""
    if isinstance(X, np.ndarray):
        np.matmul(delta, X, out=out)
    else:
        out[...] = delta @ X


class CenteredRows:
    """The rows X + 1 c^T for CSR X and a sparse row c, without a dense array.

    Parameters
    ----------
    X : CSR array of shape (n_samples + 1, n_features)
        The last row is c.
    """

    __array_ufunc__ = None  # makes arrays use `__rmatmul__`

    def __init__(self, X):
        self._X = X

    def astype(self, dtype, *, copy=True):
        """Return the rows in another dtype."""
        return CenteredRows(self._X.astype(dtype, copy=copy))

    def __matmul__(self, weights):
        product = self._X @ weights
        product[:-1] += product[-1]
        return product[:-1]

    def __rmatmul__(self, delta):
        return np.column_stack([delta, delta.sum(axis=1)]) @ self._X
