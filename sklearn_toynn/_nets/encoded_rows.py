"""Rows that are encoded when they are read."""

#: The bound on encoded values. Values far outside the training range stay finite.
MAX_VALUE = 1e9


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
        #: The strides of the arrays that indexing returns.
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
