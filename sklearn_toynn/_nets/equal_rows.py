"""Equal rows as one row with the sum of their weights."""

from hashlib import blake2b

import numpy as np
from scipy import sparse


def merge_equal_rows(X, codes, weights, rows):
    """Merge equal rows of one class into the first of them, with the sum of their weights.

    Return the row numbers, sorted by a hash of the rows, and the array of all weights, which is
    changed in place. The order of the rows, and whether a row is repeated or weighted, then do not
    change a bit of the results. `rows` are the rows in use, None for all.
    """
    if rows is None:
        rows = np.arange(len(codes))
    digests = np.fromiter((_digest(X, codes, row) for row in rows), "S16", len(rows))
    # np.unique would hold more than 64 bytes a row
    order = np.argsort(digests, kind="stable")
    digests, rows = digests[order], rows[order]
    starts = np.flatnonzero(np.append(True, digests[1:] != digests[:-1]))
    del digests, order
    weights[rows[starts]] = np.add.reduceat(weights[rows], starts)
    return rows[starts], weights


def _digest(X, codes, row):
    contents = X[row].tobytes() if not sparse.issparse(X) else _stored_bytes(X, row)
    return blake2b(contents, digest_size=16, salt=codes[row].tobytes()).digest()


def _stored_bytes(X, row):
    stored = slice(*X.indptr[row : row + 2])
    return X.indices[stored].astype(np.int64).tobytes() + X.data[stored].tobytes()
