"""Merging of equal rows into one row with the sum of their weights."""

from hashlib import blake2b

import numpy as np
from scipy import sparse


def merge_equal_rows(X, codes, weights, rows):
    """Merge equal rows of one class into the first of them, with the sum of their weights.

    Return the row numbers, sorted by a hash of the rows, and the array of all weights, which is
    changed in place. The results then do not depend, bit for bit, on the order of the rows and on
    whether rows are repeated or weighted. `rows` are the rows in use, None for all.
    """
    n_rows = len(codes) if rows is None else len(rows)
    digests = np.empty((n_rows, 2), np.uint64)
    for place, row in enumerate(range(n_rows) if rows is None else rows):
        digest = blake2b(_contents(X, row), digest_size=16, salt=codes[row].tobytes())
        digests[place] = np.frombuffer(digest.digest(), np.uint64)
    order, is_first = np.lexsort(digests.T), np.zeros(n_rows, bool)  # equal rows in their order
    is_first[0] = True
    for part in digests.T:
        is_first[1:] |= np.diff(part[order]) != 0
    del digests, part
    rows = order if rows is None else rows[order]
    starts = np.flatnonzero(is_first)
    weights[rows[starts]] = np.add.reduceat(weights[rows], starts)
    return rows[starts], weights


def _contents(X, row):
    if not sparse.issparse(X):
        return X[row].tobytes()
    stored = slice(X.indptr[row], X.indptr[row + 1])
    return X.indices[stored].astype(np.int64).tobytes() + X.data[stored].tobytes()
