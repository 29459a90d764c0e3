"""Principal coordinates of the rows, for X with more columns than rows.

At a minimum, the gradient reg W + sum_i delta_i x_i^T of the first-layer weights W is 0, and the
delta_i of a unit sum to 0, because biases have no penalty. So the rows of W lie in the span of the
centered rows of X: W = V Q, where Q has orthonormal rows. V in the coordinates Z = (X - mean) Q^T
gives the same scores and the same penalty as W in X.
"""

import numpy as np
from scipy.linalg import eigh

from .._blas import single_threaded_blas
from .column_scaling import NetColumnScaling, get_min_scale
from .network import Network
from .samples import Samples

#: The maximum number of rows. The eigenvectors of their products take n_rows^2 entries.
MAX_ROWS = 1000

#: The minimum numbers of columns, in total and per row. With fewer, training on columns is faster.
MIN_COLUMNS = 257
MIN_COLUMNS_PER_ROW = 4

#: The minimum width of hidden layers. Narrower nets can end in worse minima than on the columns.
MIN_WIDTH = 10

#: The number of columns of X that are copied at once.
BLOCK_COLUMNS = 256

#: Eigenvalues of at most this times n_rows, relative to the largest, are rounding errors.
ROUNDING = 1e-13

#: Smaller eigenvalues and sums of squares of columns, relative to the largest eigenvalue, are
#: imprecise.
MIN_PRECISE = 1e-9


def supports_row_coordinates(samples, validation, hidden_sizes):
    """Return True if a net with these hidden layers can train on coordinates of the rows.

    `validation` may be None.
    """
    n_rows, n_features = samples.n_samples, samples.X.shape[1]
    largest_n_rows = n_rows if validation is None else max(n_rows, validation.n_samples)
    is_wide = n_features >= max(MIN_COLUMNS, MIN_COLUMNS_PER_ROW * n_rows)
    return (
        isinstance(samples.X, np.ndarray)
        and is_wide
        and largest_n_rows <= MAX_ROWS
        and min(hidden_sizes, default=MIN_WIDTH) >= MIN_WIDTH
    )


@single_threaded_blas
def reduce_columns(samples, validation):
    """Return the samples, and the validation samples or None, in coordinates of the samples' rows.

    Return them unchanged if the coordinates would be imprecise.
    """
    coordinates, Z = RowCoordinates.from_samples(samples)
    if coordinates is None:
        return samples, validation
    validation = validation and coordinates.replace(validation, coordinates.project(validation))
    return coordinates.replace(samples, Z), validation


class RowCoordinates:
    """Coordinates Z = (X - mean) Q^T of rows, by the eigenvectors of (X - mean) (X - mean)^T.

    Parameters
    ----------
    X : ndarray of shape (n_all, n_features)
        Only read, by blocks of columns.
    rows : ndarray of shape (n_rows,) or None
        The rows that span the space; None for all.
    mean : ndarray of shape (n_features,)
        The origin.
    basis : ndarray of shape (n_rows, rank)
        Q^T = (X - mean)^T basis.
    """

    def __init__(self, X, rows, mean, basis):
        self._X, self._rows, self._mean, self._basis = X, rows, mean, basis

    @classmethod
    @np.errstate(over="ignore", invalid="ignore")
    def from_samples(cls, samples):
        """Return the coordinates for the rows in use and Z, or None and None if imprecise."""
        X, rows, n_rows = samples.X, samples.rows, samples.n_samples
        mean, gram, smallest = np.empty(X.shape[1]), np.zeros((n_rows, n_rows)), np.inf
        for columns in _blocks(X):
            block = _take(X, rows, columns)
            mean[columns] = block.mean(axis=0)
            varies = np.ptp(block, axis=0) > 0
            block -= mean[columns]
            squares = np.einsum("ij,ij->j", block, block)
            smallest = squares.min(initial=smallest, where=varies)
            gram += block @ block.T
        if not np.isfinite(gram).all():
            return None, None
        values, vectors = eigh(gram, overwrite_a=True, check_finite=False)
        is_used = values > ROUNDING * n_rows * values[-1]
        if not is_used.any() or min(values[is_used][0], smallest) < MIN_PRECISE * values[-1]:
            return None, None
        roots, vectors = np.sqrt(values[is_used]), vectors[:, is_used]
        return cls(X, rows, mean, vectors / roots), vectors * roots

    def project(self, samples):
        """Return Z for samples."""
        products = np.zeros((samples.n_samples, len(self._basis)))
        for columns in _blocks(self._X):
            block = _take(samples.X, samples.rows, columns)
            block -= self._mean[columns]
            products += block @ self._centered(columns).T
        return products @ self._basis

    def replace(self, samples, Z):
        """Return samples with Z in place of X, in the dtype of X."""
        codes, weights, rows = samples.codes, samples.weights, samples.rows
        if rows is not None:
            codes, weights = codes[rows], weights[rows]
        return Samples(Z.astype(samples.X.dtype), codes, weights, coordinates=self)

    def make_scaling(self, samples, dtype):
        """Return a scaling of all coordinates by the root mean square of the columns of X.

        A step of Adam then changes the scores as much as it would on columns with variance 1.
        """
        Z, n_features = samples.X, len(self._mean)
        scale = np.sqrt(np.mean(np.square(Z, dtype=float)) * Z.shape[1] / n_features)
        scale = max(scale, get_min_scale(Z.dtype, dtype))
        shrinkage = np.sqrt(Z.shape[1] / n_features)
        scales = np.full(Z.shape[1], scale, Z.dtype)
        return NetColumnScaling(np.zeros_like(scales), scales, shrinkage)

    def to_original(self, network):
        """Convert a net on coordinates to a net on X."""
        (V, *weights), (c, *biases) = network.weights, network.biases
        combination = V @ self._basis.T
        W = np.empty((len(V), self._X.shape[1]), V.dtype)
        for columns in _blocks(self._X):
            W[:, columns] = combination @ self._centered(columns)
        biases = [(c - W @ self._mean).astype(c.dtype), *biases]
        return Network.from_layers([W, *weights], biases, network.activation)

    def _centered(self, columns):
        block = _take(self._X, self._rows, columns)
        block -= self._mean[columns]
        return block


def _blocks(X):
    for start in range(0, X.shape[1], BLOCK_COLUMNS):
        yield slice(start, start + BLOCK_COLUMNS)


def _take(X, rows, columns):
    """Return a float64 copy of some rows (all if None) and columns."""
    block = X[:, columns] if rows is None else X[rows, columns]
    return block.astype(float, copy=rows is None)
