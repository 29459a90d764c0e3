"""Columns and piecewise-linear functions of them, computed when rows are read.

For a column x with quantiles q_0 < ... < q_m, piece j is clip((x - q_j) / (q_{j+1} - q_j), 0, 1)
(Gorishniy, Rubachev and Babenko 2022, "On Embeddings for Numerical Features in Tabular Deep
Learning", arXiv 2203.05556). The encoded columns are all columns, followed by the pieces of each.
"""

import numpy as np
from scipy import sparse

from .._column_statistics import measure_columns
from .column_scaling import measure_scales
from .encoded_rows import MAX_VALUE, EncodedRows
from .kernels import dispatch

#: The number of bins between the quantiles of a column.
N_BINS = 8

#: Columns with fewer distinct bins get no pieces.
MIN_BINS = 4

#: The standard deviation of an encoded piece.
PIECE_SCALE = np.sqrt(1 / 8)

#: The minimum width of a bin, in units of the rounding error of its edges.
MIN_WIDTH = 64

#: The relative rounding error that sums of weights may have.
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
        """Compute the encoding from the rows in use and their weights."""
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
        """Return all or some encoded columns of X, in `out` if it is given."""
        functions = [each[columns] for each in self.functions]
        if out is None:
            out = np.empty((*X.shape[:-1], len(functions[0])), X.dtype)
        encode = encode_rows if X.flags.aligned else numpy_encode_rows
        encode(X.reshape(-1, X.shape[-1]), functions, out)
        return out


def numpy_encode_rows(X, functions, out):
    """Write clip((x - shift) * slope, lowest, highest) for rows of X into `out`.

    `functions` are the arrays of `PiecewiseEncoding.functions`.
    """
    sources, shift, slope, lowest, highest = functions
    z = np.take(X, sources, axis=1, out=out.reshape(len(X), -1), mode="clip")
    with np.errstate(over="ignore"):
        z -= shift
        z *= slope
    np.clip(z, lowest, highest, out=z)


if dispatch.selected == "compiled":
    from .kernels._compiled import encode_rows
else:
    encode_rows = numpy_encode_rows


def has_pieces(samples):
    """Return True if a column gets pieces. Columns of sparse X get none."""
    return not sparse.issparse(samples.X) and any(map(len, yield_edges(samples)))


def yield_edges(samples):
    """Yield the bin edges of each column, from the rows in use and their weights."""
    used = slice(None) if samples.rows is None else samples.rows
    weights = samples.weights[used].astype(float)
    for column in range(samples.X.shape[1]):
        yield choose_edges(samples.X[used, column], weights)


def choose_edges(x, weights):
    """Return the distinct quantiles of a column, or an empty array for fewer than `MIN_BINS` bins.

    The p-quantile is the smallest value whose cumulative weight reaches p (the inverted
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
