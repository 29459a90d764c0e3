"""Equal rows as one row of their joint weight, in an order that their contents give."""

import numpy as np
from scipy import sparse

from .._nets.samples import row_chunk_length


def merge_equal_rows(X, codes, weights, rows):
    """Return rows and weights with equal rows of one class as one row of their joint weight.

    The rows come in the order of a hash of their contents. So neither their order nor whether
    a row is repeated or weighted changes a bit of what is computed from them.

    Parameters
    ----------
    X, codes, weights
        Of all rows.
    rows : ndarray of int or None
        The rows in use, all if None.

    Returns
    -------
    rows : ndarray of int
        The first of each set of equal rows.
    weights : ndarray of shape (n_rows,)
        With the joint weights in the places of `rows`.
    """
    hashes = hash_rows(X, codes, rows)
    order = np.argsort(hashes, kind="stable")
    hashes = hashes[order]
    is_first = np.ones(len(order), bool)
    np.not_equal(hashes[1:], hashes[:-1], out=is_first[1:])
    del hashes
    rows = order if rows is None else rows[order]
    repeats = np.flatnonzero(~is_first)
    length = row_chunk_length(X.shape[1])
    for start in range(0, len(repeats), length):
        part = repeats[start : start + length]
        one, other = rows[part], rows[part - 1]
        differences = np.asarray((X[one] != X[other]).sum(axis=1)).ravel()
        is_first[part] = (differences > 0) | (codes[one] != codes[other])
    sums = np.add.reduceat(weights[rows], np.flatnonzero(is_first))
    rows = rows[is_first]
    weights[rows] = sums
    return rows, weights


def hash_rows(X, codes, rows):
    """Return a hash (n_rows,) of each row and its class: sum_j m_j w_j modulo 2^64.

    w_j are the bits of x_j, and m_j odd numbers drawn at random.
    """
    rng = np.random.RandomState(0)
    factors = rng.randint(2**63, size=X.shape[1], dtype=np.uint64) | np.uint64(1)
    hashes = (codes if rows is None else codes[rows]).astype(np.uint64)
    length = row_chunk_length(X.shape[1])
    for start in range(0, len(hashes), length):
        stop = min(start + length, len(hashes))
        part = X[start:stop] if rows is None else X[rows[start:stop]]
        if sparse.issparse(X):
            sums = np.append(np.uint64(0), np.cumsum(to_words(part.data) * factors[part.indices]))
            hashes[start:stop] += np.diff(sums[part.indptr])
        else:
            hashes[start:stop] += (to_words(part) * factors).sum(axis=1)
    return hashes


def to_words(values):
    """Return the bits of floats as 64-bit words that differ in low bits too."""
    words = np.ascontiguousarray(values).view(f"u{values.itemsize}").astype(np.uint64)
    return words ^ (words >> np.uint64(4 * values.itemsize))
