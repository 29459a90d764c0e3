"""A seeded generator of classification problems on hard columns, for differential tests.

Blocks of columns of different kinds stand side by side: spreads from 1e-12 to 1e8, offsets of up
to 1e6 spreads, duplicates, components of rank-deficient tables, heavy tails, lone entries,
outliers, one-hot columns. `draw_problem(seed)` is a function of its seed alone.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

__all__ = ["Problem", "draw_problem"]


@dataclass(frozen=True)
class Problem:
    """A problem of softmax regression."""

    seed: int
    #: A description for reports.
    name: str
    #: Dense in C or Fortran order, or CSR with duplicate, unsorted and zero entries.
    X: np.ndarray | sp.csr_array | sp.csr_matrix
    #: Integers 0 to n_classes - 1; every class has a row of positive weight.
    y: np.ndarray
    sample_weight: np.ndarray | None
    reg: float
    n_classes: int

    @property
    def dense(self):
        """X as a float64 array with exact sums of duplicate entries."""
        # the parts of an entry are halves and quarters, whose sum is exact
        return (self.X.toarray() if sp.issparse(self.X) else self.X).astype(float)


def decades(rng, low, high, size=None):
    """Draw log-uniformly from 10^low to 10^high."""
    return 10.0 ** rng.uniform(low, high, size)


# The kinds of blocks: functions (rng, n_rows, n_columns, largest offset) -> (n_rows, n_columns).


def normal(rng, n, d, _):
    return rng.standard_normal((n, d))


def correlated(rng, n, d, _):
    return rng.standard_normal((n, d)) @ rng.standard_normal((d, d))


def spreads(rng, n, d, _):
    return rng.standard_normal((n, d)) * decades(rng, -12, 8, d)


def other_unit(rng, n, d, _):
    """Columns with the same scale, possibly except one."""
    X = rng.standard_normal((n, d))
    X[:, slice(1) if rng.uniform() < 0.5 else slice(None)] *= decades(rng, -12, 8)
    return X


def offsets(rng, n, d, largest):
    """Means that are large relative to the standard deviation, which is not 1."""
    size = decades(rng, 0, np.log10(largest), d)
    X = rng.standard_normal((n, d)) + size * rng.choice([-1.0, 1.0], d)
    return X * decades(rng, -3, 3)


def spectra(rng, n, d, _):
    """Smooth curves near 1, with a common offset and nearly collinear."""
    grid, rank = np.linspace(0, 1, d), 3
    waves = np.cos(np.pi * np.outer(np.arange(1, rank + 1), grid))
    X = rng.standard_normal((n, rank)) @ waves + 0.01 * rng.standard_normal((n, d))
    return 1 + 0.01 * X


def duplicates(rng, n, d, largest):
    """Copies of a few columns, exact or with relative differences of 1e-3 to 1e-10."""
    n_bases = max(d // 3, 1)
    bases = KINDS[rng.choice(["normal", "heavy", "other_unit"])](rng, n, n_bases, largest)
    copies = bases[:, rng.randint(n_bases, size=d - n_bases)]
    difference = rng.choice([0.0, 1.0], d - n_bases) * decades(rng, -10, -3, d - n_bases)
    noise = copies.std(axis=0) * difference * rng.standard_normal(copies.shape)
    return np.column_stack([bases, (copies + noise) * rng.choice([1.0, 1.0, -2.0])])


def components(rng, n, d, _):
    """Rank-deficient data after `StandardScaler` and `PCA`: some columns are rounding errors."""
    rank = rng.randint(1, d + 1)
    table = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d))
    table -= table.mean(axis=0)
    table /= table.std(axis=0) + (table.std(axis=0) == 0)
    X = table @ np.linalg.svd(table)[2].T
    return X / (X.std(axis=0) + 1e-300) if rng.uniform() < 0.2 else X  # or whitened


def heavy(rng, n, d, _):
    tail = rng.choice(["cubed", "log-normal", "Cauchy"])
    X = rng.standard_normal((n, d))
    if tail == "cubed":
        return X**3
    return np.exp(2 * X) if tail == "log-normal" else X / rng.standard_normal((n, d))


def lone_entries(rng, n, d, _):
    """Columns that are zero except in a single row."""
    X = np.zeros((n, d))
    size = np.ones(d) if rng.uniform() < 0.5 else decades(rng, -3, 6, d)
    X[rng.randint(n, size=d), np.arange(d)] = size
    return X


def outlier(rng, n, d, _):
    """One value of 1e6 in the block, or in every column."""
    X = rng.standard_normal((n, d))
    columns = np.arange(d if rng.uniform() < 0.3 else 1)
    X[rng.randint(n, size=len(columns)), columns] = 1e6
    return X


def one_hot(rng, n, d, _):
    """One-hot columns of a variable with rare levels; they sum to 1."""
    shares = decades(rng, -2, 0, d)
    return np.eye(d)[rng.choice(d, n, p=shares / shares.sum())]


def counts(rng, n, d, _):
    """A bag of words."""
    return rng.poisson(decades(rng, -2, 0, d), (n, d)).astype(float)


def pixels(rng, n, d, _):
    """Integers from 0 to 16, mostly 0; some columns constant."""
    X = np.clip(np.round(rng.normal(-8, 10, (n, d))), 0, 16)
    return X * (rng.uniform(size=d) < 0.8)


def constants(rng, n, d, _):
    return np.tile(rng.choice([0.0, 0.1, 1.0, -1e6, 1e8, 3e-12], d), (n, 1))


KINDS = {kind.__name__: kind for kind in [
    normal, correlated, spreads, other_unit, offsets, spectra, duplicates, components, heavy,
    lone_entries, outlier, one_hot, counts, pixels, constants,
]}  # fmt: skip


def draw_size(rng):
    """Draw rows, columns and classes of a problem that takes milliseconds.

    Some have fewer rows than columns, and some have enough rows for several chunks.
    """
    sizes = [2, 3, 4, rng.randint(5, 11), rng.randint(11, 51)]
    n_classes = rng.choice(sizes, p=[0.35, 0.27, 0.15, 0.15, 0.08])
    most_columns = 60 if n_classes <= 4 else 25 if n_classes <= 10 else 8
    n_columns = int(decades(rng, 0.2, np.log10(most_columns + 1)))
    n_rows = int(decades(rng, np.log10(max(20, 3 * n_classes)), np.log10(400)))
    if n_classes <= 4:
        form = rng.choice(["", "wide", "long"], p=[0.8, 0.15, 0.05])
        if form == "wide":
            n_rows = rng.randint(20, 50)
            n_columns = rng.randint(n_rows, 90)
        elif form == "long":
            n_rows = int(decades(rng, 2.7, 3.8))
            n_columns = rng.randint(1, 7)
    return n_rows, n_columns, int(n_classes)


def draw_labels(rng, X, n_classes):
    """Draw labels of a softmax model in clipped, scaled columns, or its most likely classes."""
    centered = X - np.median(X, axis=0)
    spread = np.median(np.abs(centered), axis=0)
    spread = np.where(spread > 0, 1.5 * spread, centered.std(axis=0))
    Z = np.clip(centered / (spread + (spread == 0)), -3, 3)
    scores = Z @ rng.standard_normal((X.shape[1], n_classes)) / np.sqrt(X.shape[1])
    manner = rng.choice(["overlapping", "separable", "nearly separable"], p=[0.6, 0.2, 0.2])
    noise = rng.gumbel(size=scores.shape)  # the argmax of score + noise is a draw from softmax
    y = np.argmax(scores + {"overlapping": 1, "separable": 0}.get(manner, 0.1) * noise, axis=1)
    missing = np.setdiff1d(np.arange(n_classes), y)
    rows = rng.permutation(len(y))[: 2 * n_classes]
    if len(missing):
        # at least two rows of every class, at random positions
        y[rows] = np.arange(len(rows)) % n_classes
        manner += ", shuffled classes"
    return y, manner


def draw_weights(rng, y):
    """Draw no weights, counts or gamma-like weights with zeros, or weights over eight decades."""
    kind = rng.choice(["", "counts", "zeros", "decades"], p=[0.6, 0.15, 0.15, 0.1])
    if not kind:
        return None, ""
    if kind == "counts":
        weights = rng.randint(0, 4, len(y)).astype(float)
    elif kind == "zeros":
        weights = rng.exponential(size=len(y)) * (rng.uniform(size=len(y)) < 0.6)
    else:
        weights = decades(rng, -4, 4, len(y))
    for k in np.unique(y):
        rows = np.flatnonzero(y == k)
        if not weights[rows].any():
            weights[rows[0]] = 1.0
    return weights, f"weights: {kind}"


def scatter(rng, X):
    """Return CSR X with split entries, shuffled within the rows, and some stored zeros."""
    rows, columns = np.nonzero(X)
    values = X[rows, columns]
    # v = v/2 + v/4 + v/4 exactly; zeros are stored as 0 or as c - c
    split = rng.uniform(size=len(values)) < 0.3
    half = np.where(split, 0.5, 1.0).astype(X.dtype)
    n_zeros = max(X.size // 50, 1)
    some = rng.randint(X.shape[0], size=n_zeros), rng.randint(X.shape[1], size=n_zeros)
    empty = X[some] == 0
    zero_rows, zero_columns = some[0][empty], some[1][empty]
    size = rng.choice([0, 1], len(zero_rows)).astype(X.dtype)
    parts = [
        (rows, columns, values * half),
        (rows[split], columns[split], values[split] / 4),
        (rows[split], columns[split], values[split] / 4),
        (zero_rows, zero_columns, size),
        (zero_rows, zero_columns, -size),
    ]
    rows, columns, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.lexsort([rng.permutation(len(rows)), rows])
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(X)))])
    kind = sp.csr_array if rng.uniform() < 0.5 else sp.csr_matrix
    return kind((values[order], columns[order], starts), shape=X.shape)


def draw_problem(seed):
    """Draw a `Problem`: one to three blocks of columns, labels, weights, dtype and container."""
    rng = np.random.RandomState(seed)
    dtype = np.dtype(rng.choice(["f4", "f8"]))
    n_rows, n_columns, n_classes = draw_size(rng)
    n_kinds = min(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]), n_columns)
    kinds = rng.choice(list(KINDS), n_kinds, replace=False)
    cuts = np.sort(rng.permutation(n_columns - 1)[: n_kinds - 1] + 1)
    widths = np.diff([0, *cuts, n_columns])
    largest = 1e6 if dtype == np.float64 else rng.choice([1e4, 1e5], p=[0.8, 0.2])
    X = np.column_stack(
        [KINDS[kind](rng, n_rows, d, largest) for kind, d in zip(kinds, widths, strict=True)]
    )[:, rng.permutation(n_columns)]
    y, manner = draw_labels(rng, X, n_classes)
    weights, weighting = draw_weights(rng, y)
    container = rng.choice(["C", "F", "CSR", "scattered CSR"], p=[0.4, 0.2, 0.15, 0.25])
    X = X.astype(dtype, order="F" if container == "F" else "C")
    if container.endswith("CSR"):
        X = sp.csr_array(X) if container == "CSR" else scatter(rng, X)
    reg = decades(rng, -8, 0)
    size = f"{n_rows} x {n_columns} x {n_classes}"
    parts = ["+".join(kinds), dtype.name, container, size, f"reg={reg:.1e}", manner, weighting]
    return Problem(seed, ", ".join(filter(None, parts)), X, y, weights, reg, n_classes)
