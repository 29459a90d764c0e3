"""Columns and piecewise-linear functions of them, made where rows are read.

For a column x with quantiles q_0 < ... < q_m, piece j is clip((x - q_j) / (q_{j+1} - q_j), 0, 1)
(Gorishniy, Rubachev and Babenko 2022, "On Embeddings for Numerical Features in Tabular Deep
Learning", arXiv 2203.05556). The encoded columns are all columns, followed by the pieces of each.
"""

import numpy as np
from scipy import sparse

from .._column_statistics import measure_columns
from .column_scaling import measure_scales

#: The number of bins between the quantiles of a column.
N_BINS = 8

#: Columns with fewer distinct bins get no pieces.
MIN_BINS = 4

#: The standard deviation of an encoded piece.
PIECE_SCALE = np.sqrt(1 / 8)

#: The largest encoded value, so that values far outside of the training range stay finite.
MAX_VALUE = 1e9

#: The minimum width of a bin, in units of the rounding of its edges.
MIN_WIDTH = 64

#: The relative difference of sums of weights that may be rounding.
ROUNDING = 1e-9


class PiecewiseEncoding:
    """The encoded columns z = clip((x - shift) * slope, lowest, highest) of dense rows.

    Parameters
    ----------
    bin_edges : list of ndarray, one for each column
        The distinct quantiles, float64; an empty array for a column without pieces.
    mean, scale : ndarray of shape (n_encoded,)
        Encoded columns are (x - mean) / scale, encoded pieces are (piece - mean) / scale.
    dtype : dtype
        The dtype of the rows.

    Attributes
    ----------
    functions : tuple of ndarray of shape (n_encoded,)
        The index of the column that each encoded column belongs to, and its shift, slope, lowest
        and highest value in the dtype of the rows.
    """

    def __init__(self, bin_edges, mean, scale, dtype):
        self.bin_edges, self.mean, self.scale = bin_edges, mean, scale
        n_pieces = [max(len(edges) - 1, 0) for edges in bin_edges]
        n_columns = len(bin_edges)
        sources = np.concatenate([np.arange(n_columns), np.repeat(np.arange(n_columns), n_pieces)])
        ones, zeros = np.ones(n_columns), np.zeros(n_columns)
        start = np.concatenate([zeros, *(edges[:-1] for edges in bin_edges)])
        width = np.concatenate([ones, *(np.diff(edges) for edges in bin_edges)])
        bounds = np.full((2, len(width)), [[-MAX_VALUE], [MAX_VALUE]])
        bounds[:, n_columns:] = (np.array([[0], [1]]) - mean[n_columns:]) / scale[n_columns:]
        with np.errstate(over="ignore"):
            functions = [start + mean * width, 1 / (width * scale), *bounds]
        largest = np.finfo(dtype).max
        self.functions = (
            sources,
            *(np.clip(values, -largest, largest).astype(dtype) for values in functions),
        )

    @classmethod
    def from_samples(cls, samples):
        """Return the encoding by the rows in use and their weights."""
        X, weights, rows = samples.X, samples.weights, samples.rows
        edges, n_columns = list(yield_edges(samples)), X.shape[1]
        n_encoded = n_columns + sum(max(len(each) - 1, 0) for each in edges)
        unscaled = cls(edges, np.zeros(n_encoded), np.ones(n_encoded), X.dtype)
        mean, _, scale = measure_scales(X, weights, rows)
        pieces = measure_columns(EncodedRows(X, unscaled), weights, rows)
        scale_of_pieces = np.where(pieces.std > 0, pieces.std, 1) / PIECE_SCALE
        mean = np.append(mean, pieces.mean[n_columns:])
        return cls(edges, mean, np.append(scale, scale_of_pieces[n_columns:]), X.dtype)

    def encode(self, X, columns=slice(None), out=None):
        """Return the encoded rows of X, all encoded columns or some; in `out` if given."""
        sources, shift, slope, lowest, highest = (each[columns] for each in self.functions)
        z = np.take(X, sources, axis=-1, out=out, mode="clip")
        with np.errstate(over="ignore"):
            z -= shift
            z *= slope
        return np.clip(z, lowest, highest, out=z)


def has_pieces(samples):
    """Return True if a column gets pieces; X may be sparse, which has none."""
    return not sparse.issparse(samples.X) and any(map(len, yield_edges(samples)))


def yield_edges(samples):
    """Yield the bin edges of each column, by the rows in use and their weights."""
    used = slice(None) if samples.rows is None else samples.rows
    weights = samples.weights[used].astype(float)
    for column in range(samples.X.shape[1]):
        yield choose_edges(samples.X[used, column], weights)


def choose_edges(x, weights):
    """Return the distinct quantiles of a column, or an empty array for fewer than `MIN_BINS` bins.

    The quantile of p is the smallest value whose cumulative weight reaches p (the inverted
    cumulative distribution function), so a weight of 2 counts as two rows.
    """
    order = np.argsort(x)
    cumulative = np.cumsum(weights[order])
    levels = np.arange(N_BINS + 1) / N_BINS * (1 - ROUNDING) * cumulative[-1]
    edges = np.unique(x[order[np.searchsorted(cumulative, levels)]].astype(float))
    info = np.finfo(x.dtype)
    least_widths = np.maximum(info.tiny, MIN_WIDTH * info.eps * np.abs(edges))
    edges = edges[np.diff(edges, prepend=-np.inf) > least_widths]
    return edges if len(edges) > MIN_BINS else edges[:0]


class EncodedRows:
    """A matrix of encoded rows. Indexing encodes the rows that it selects.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
        The rows; shared, not copied.
    encoding : PiecewiseEncoding
        The encoding.
    """

    ndim = 2

    def __init__(self, X, encoding):
        self.X, self.encoding = X, encoding
        self.dtype, self.itemsize = X.dtype, X.itemsize
        self.shape = len(X), len(encoding.mean)
        self.size = self.shape[0] * self.shape[1]
        #: Those of an array of the rows that indexing returns.
        self.strides = self.shape[1] * self.itemsize, self.itemsize

    def __len__(self):
        return len(self.X)

    def __getitem__(self, key):
        """Return encoded rows, or rows and columns for a pair."""
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        return self.encoding.encode(self.X[rows], columns)

    def read(self, rows, out):
        """Write encoded rows into an array."""
        self.encoding.encode(self.X[rows], out=out)

    @staticmethod
    def max():
        """Return an upper bound of the values."""
        return MAX_VALUE

    @staticmethod
    def min():
        """Return a lower bound of the values."""
        return -MAX_VALUE
