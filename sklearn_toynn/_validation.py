"""Checks of the arguments of `fit`, `partial_fit` and the predictions."""

import math
import re
from dataclasses import dataclass, replace
from itertools import chain
from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data

from ._errors import naming, plain
from ._nets.encoded_rows import EncodedRows
from ._nets.equal_rows import merge_equal_rows
from ._nets.piecewise_encoding import has_pieces
from ._nets.row_coordinates import reduce_columns
from ._nets.samples import Samples

DTYPES = (np.float64, np.float32)

#: Names of dtypes (NumPy, pandas, Polars, PyArrow) and classes for dates, times and durations.
TIME_NAMES = re.compile(r"\W?M8|date|time|duration|period", re.IGNORECASE)

#: The end of an error about an `X_val` that does not match X.
TRANSFORM_HINT = (
    "A pipeline transforms X_val by the steps before this one only with transform_input=['X_val'] "
    "and metadata routing enabled."
)


@dataclass(frozen=True)
class Problem:
    """Checked training data, and validation data or None."""

    classes: np.ndarray
    samples: Samples
    validation: Samples | None
    #: The sum of the weights w of the training rows, before any scaling.
    total_weight: float
    #: The effective number of training rows, (sum w)^2 / sum w^2.
    effective_size: float

    @property
    def n_features(self):
        """The number of columns of X."""
        return self.samples.X.shape[1]

    @property
    def dtype(self):
        """The dtype of X and of the fitted parameters."""
        return self.samples.X.dtype

    @property
    def has_pieces(self):
        """Whether ``encoding="piecewise"`` adds pieces to a column."""
        return has_pieces(self.samples)

    def with_row_coordinates(self):
        """Return the problem in coordinates of the rows, see `RowCoordinates`."""
        samples, validation = reduce_columns(self.samples, self.validation)
        return replace(self, samples=samples, validation=validation)

    def with_encoding(self, encoding):
        """Return the problem with encoded rows."""
        samples, validation = self.samples, self.validation
        return replace(
            self,
            samples=samples.with_rows(EncodedRows(samples.X, encoding)),
            validation=validation and validation.with_rows(EncodedRows(validation.X, encoding)),
        )

    def largest_value(self):
        """Return the largest absolute value of the data, and the name of its array."""
        arrays = {"X": self.samples.X} | ({"X_val": self.validation.X} if self.validation else {})
        return max((max(X.max(), -X.min()), name) for name, X in arrays.items())

    def divide_by_rows(self, penalty, name, remedy):
        """Return penalty / m with m = max(sum w, (sum w)^2 / sum w^2).

        A row of weight 2 counts as two rows. Weights that are normalized to a small sum do not
        raise the penalty. `name` and `remedy` are parts of the error message.
        """
        if not 0 < self.total_weight < math.inf:
            raise ValueError(
                f"{name} needs a finite, positive total weight (the sum of sample_weight times "
                f"class_weight), got {self.total_weight:.3g}. Scale the weights, or {remedy}."
            )
        return penalty / max(self.total_weight, self.effective_size)

    def with_earlier_rows(self, total_weight, effective_size):
        """Return the problem with weight sums that include earlier rows."""
        total = total_weight + self.total_weight
        share = total_weight / total if total else 0.0
        size = 1 / (share**2 / effective_size + (1 - share) ** 2 / self.effective_size)
        return replace(self, total_weight=total, effective_size=size)


def validate_problem(
    estimator,
    data,
    *,
    class_weight,
    validation_fraction,
    merges_equal_rows,
    validation_data=(None, None, None),
    split_streams=None,
    classes=None,
    reset=True,
):
    """Check the arguments of `fit` or `partial_fit` and return them as a `Problem`.

    `data` and `validation_data` are X, y and weights. With `merges_equal_rows`, equal rows become
    one row with the sum of their weights. With `split_streams` and no validation data, some of
    the rows become the validation set. If `classes` is None, they are taken from y. With `reset`,
    the columns of X may differ from an earlier call.
    """
    X, y, sample_weight = data
    X = make_canonical(X, "X")
    is_checked = has_label_dtype(y) and is_finite_array(X) and len(y) == len(X)
    X, y = validate_data(
        estimator,
        X,
        y,
        accept_sparse="csr",
        dtype=DTYPES,
        reset=reset,
        skip_check_array=is_checked,
    )
    if not has_label_dtype(y):
        check_label_type(y, "y")
    if classes is None:
        with naming("y"):
            classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y must hold at least 2 classes, got one class only: {plain(classes.tolist())}."
            )
    else:
        codes = encode(y, classes, "y")
    weights = check_weights(sample_weight, X.shape[0], "sample_weight")
    with naming("class_weight"):
        class_weights = weigh_classes(class_weight, classes, codes, weights)
    weights, exponent = weigh_rows(weights, codes, class_weights)
    check_total_weight(weights, class_weight, "X")
    rows = None if weights.all() else np.flatnonzero(weights)
    validation = make_validation(
        estimator, validation_data, X, classes, class_weight, class_weights
    )
    rows_val = None
    if validation is None and split_streams is not None:
        rows = np.arange(len(codes)) if rows is None else rows
        rows, rows_val = split_rows(
            rows, codes, len(classes), float(validation_fraction), split_streams.split()
        )
    sums = sum_weights(weights if rows is None else weights[rows], exponent)
    if rows_val is not None:
        for part in (rows, rows_val):  # otherwise the weights of one part may underflow
            weights[part] = np.ldexp(weights[part], -np.frexp(weights[part].max())[1])
    if merges_equal_rows:
        rows, weights = merge_equal_rows(X, codes, weights, rows)
    weights = weights.astype(X.dtype, copy=False)
    if rows_val is not None:
        validation = Samples(X, codes, weights, rows_val)
    return Problem(classes, Samples(X, codes, weights, rows), validation, *sums)


def validate_rows(estimator, X, *, reset=False):
    """Check X for a prediction, or for a fit if `reset` is set, and return it."""
    has_names = hasattr(estimator, "feature_names_in_")
    n_features = getattr(estimator, "n_features_in_", None)
    if is_finite_array(X) and not has_names and X.shape[1] == n_features:
        return X
    X = make_canonical(X, "X")
    return validate_data(estimator, X, accept_sparse="csr", dtype=DTYPES, reset=reset)


def is_finite_array(X):
    """Return True if scikit-learn's checks of the values of an array X can be skipped.

    These checks take most of the time of a prediction for one row, and of a small fit.
    """
    if not (type(X) is np.ndarray and X.dtype in DTYPES and X.ndim == 2 and X.size > 0):
        return False
    if not X.flags.aligned:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(np.add.reduce(X, axis=None))


def check_labels(labels, name):
    """Check labels as `fit` checks y and return them as an array (n,)."""
    with naming(name):
        labels = column_or_1d(labels, warn=True)
        # only to check the values; the returned array would hold strings as objects
        check_array(labels, ensure_2d=False, dtype=None, ensure_min_samples=0, input_name=name)
    if labels.size:
        check_label_type(labels, name)
    return labels


def check_label_type(labels, name):
    """Raise an error for labels of several types, and for targets of a regression."""
    check_one_type(labels, name)
    try:
        check_classification_targets(labels)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def check_one_type(labels, name):
    """Raise an error for objects of several types."""
    if labels.dtype != object:
        return
    types = {"str" if isinstance(label, str) else type(label).__name__ for label in labels.flat}
    if len(types) > 1:
        raise ValueError(
            f"{name} must hold labels of one type, got {', '.join(sorted(types))}. Convert them "
            f"to one type, for example with {name}.astype(str)."
        )


def has_label_dtype(y):
    """Return True if y is an array whose dtype allows labels only."""
    return type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "biuSU"


def reject_dates(X, name):
    """Raise an error for dates and durations, which NumPy would convert in an arbitrary unit."""
    if hasattr(X, "columns") and hasattr(X, "dtypes"):  # pandas and Polars
        dtypes = X.dtypes
    elif hasattr(X, "schema"):  # PyArrow
        dtypes = X.schema.types
    else:
        with naming(name):
            dtypes = [X.dtype if hasattr(X, "dtype") else np.asarray(X).dtype]
    names = set(map(str, set(dtypes)))
    if names & {"object", "category"}:
        names |= {kind.__name__ for kind in set(map(type, np.asarray(X).flat))}
    found = sorted(filter(TIME_NAMES.match, names))
    if found:
        raise ValueError(
            f"{name} must hold numbers, got {', '.join(found)}. Convert dates and durations to "
            "numbers first, such as days since a fixed date."
        )


def check_sparse(X, name):
    """Raise an error if a sparse X has indices outside of its shape or of its arrays.

    Neither SciPy nor the kernels check this. They would read and write out of bounds.
    """
    if not sparse.issparse(X):
        return
    if X.ndim != 2:
        raise ValueError(f"{name} must be 2-D, got a sparse array of shape {X.shape}.")
    fault = find_sparse_fault(X)
    if fault is not None:
        raise ValueError(
            f"{name} is an invalid sparse matrix of shape {X.shape} in {X.format.upper()} format: "
            f"{fault}. Build it again from valid indices."
        )


def find_sparse_fault(X):
    """Return a description of the fault in the arrays of a sparse matrix, or None."""
    n_rows, n_columns = X.shape
    has_valid_lengths, limits = True, []  # `limits` has pairs of indices and their upper bound
    if X.format in ("csr", "csc", "bsr"):
        block = X.blocksize if X.format == "bsr" else (1, 1)
        n_major, n_minor = np.floor_divide(X.shape, block)[:: -1 if X.format == "csc" else 1]
        indptr, n_stored = X.indptr, min(len(X.indices), len(X.data))
        is_valid = len(indptr) == n_major + 1 and indptr[0] == 0 and indptr[-1] <= n_stored
        if not is_valid or (indptr[1:] < indptr[:-1]).any():
            return "its indptr must start at 0, not decrease, and end within indices and data"
        limits = [(X.indices[: indptr[-1]], n_minor)]
    elif X.format == "coo":
        has_valid_lengths = len(X.row) == len(X.col) == len(X.data)
        limits = [(X.row, n_rows), (X.col, n_columns)]
    elif X.format == "lil":
        lengths = list(map(len, X.rows))
        has_valid_lengths = len(lengths) == n_rows and lengths == list(map(len, X.data))
        limits = [(np.fromiter(chain.from_iterable(X.rows), np.int64), n_columns)]
    elif X.format == "dia":
        has_valid_lengths = len(X.offsets) == len(X.data)
    if not has_valid_lengths:
        return "its arrays have inconsistent lengths"
    for indices, limit in limits:
        for index in (indices.min(), indices.max()) if len(indices) else ():
            if not 0 <= index < limit:
                return f"it has the index {index}, but valid indices are 0 to {limit - 1}"
    return None


def make_canonical(X, name):
    """Return X in a layout that all computations accept, as a copy only if necessary.

    Raise an error for dates, durations and invalid sparse matrices. CSR and CSC with duplicate or
    unsorted entries become canonical CSR. Other formats do so when they are converted to CSR.
    Unaligned arrays are copied, because compiled code cannot read them and NumPy rounds
    differently on them.
    """
    reject_dates(X, name)
    check_sparse(X, name)
    if isinstance(X, np.ndarray) and not X.flags.aligned:
        return X.copy(order="K")
    if sparse.issparse(X) and X.format in ("csr", "csc"):
        if not X.has_canonical_format:
            X = X.tocsr(copy=True)
            X.sum_duplicates()
        if not all(part.flags.aligned for part in (X.data, X.indices, X.indptr)):
            X = X.copy()
    return X


def weigh_rows(weights, codes, class_weights):
    """Multiply the weights of rows (n_samples,), in place, by the weights of their classes.

    Return the products divided by a power of 2, and its exponent. The largest one is in [1/4, 1),
    so none overflows. The common factor does not change the objective.
    """
    class_mantissas, class_exponents = class_weights
    exponents = np.empty(len(weights), np.intc)
    np.frexp(weights, out=(weights, exponents))
    weights *= class_mantissas[codes]
    exponents += class_exponents[codes]
    largest = np.max(exponents, where=weights > 0, initial=np.iinfo(np.intc).min // 2)
    exponents -= largest
    return np.ldexp(weights, exponents, out=weights), largest


def sum_weights(weights, exponent):
    """Return sum w and (sum w)^2 / sum w^2 of w = weights * 2^exponent.

    The bits do not depend on the order of the rows. A sum beyond float64 is inf or 0.
    """
    if (weights == weights[0]).all():  # faster than fsum
        total, size = len(weights) * weights[0], float(len(weights))
    else:
        _, shift = np.frexp(weights.max())
        weights = np.ldexp(weights, -shift)  # otherwise squares may underflow
        total = math.fsum(weights)
        size = total**2 / math.fsum(np.square(weights))
        exponent += shift
    with np.errstate(over="ignore", under="ignore"):
        return float(np.ldexp(total, exponent)), size


def make_validation(estimator, data, X, classes, class_weight, class_weights):
    """Return validation data as `Samples` in the dtype and container of X, or None."""
    X_val, y_val, weights = data
    if (X_val is None) != (y_val is None):
        given, missing = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
        raise ValueError(f"{given} was given without {missing}: pass both or neither.")
    if X_val is None:
        if weights is not None:
            raise ValueError(
                "sample_weight_val was given without X_val and y_val: pass all three."
            )
        return None
    X_val = make_canonical(X_val, "X_val")
    with naming("X_val", f". {TRANSFORM_HINT}"):
        checked = check_array(X_val, accept_sparse="csr", dtype=X.dtype, input_name="X_val")
    if checked.shape[1] != X.shape[1]:
        raise ValueError(
            f"X_val has {checked.shape[1]} features, but X has {X.shape[1]} features: both must "
            f"have the same columns. {TRANSFORM_HINT}"
        )
    with naming("X_val"):
        # only checks the names of the columns
        validate_data(estimator, X_val, reset=False, skip_check_array=True)
    if sparse.issparse(X) != sparse.issparse(checked):
        checked = type(X)(checked) if sparse.issparse(X) else checked.toarray()
    with naming("y_val"):
        y_val = column_or_1d(y_val, warn=True)
        check_consistent_length(checked, y_val)
    codes = encode(y_val, classes, "y_val")
    weights = check_weights(weights, len(codes), "sample_weight_val")
    weights, _ = weigh_rows(weights, codes, class_weights)
    check_total_weight(weights, class_weight, "X_val")
    return Samples(checked, codes, weights.astype(X.dtype, copy=False))


def check_total_weight(weights, class_weight, name):
    """Raise an error if all rows have weight 0."""
    if not weights.any():
        raise ValueError(
            f"class_weight={plain(class_weight)!r} leaves no row of {name} with a weight above 0."
        )


def encode(y, classes, name):
    """Return the index of each label of y in the sorted `classes`."""
    check_one_type(y, name)
    try:
        codes = np.searchsorted(classes, y)
    except TypeError as error:
        raise ValueError(
            f"{name} must hold labels among the classes {plain(classes.tolist())}, got labels of "
            f"another type, {type(y[0]).__name__}."
        ) from error
    codes[codes == len(classes)] = 0
    unseen = classes[codes] != y
    if unseen.any():
        raise ValueError(
            f"{name} must hold labels among the classes {plain(classes.tolist())}, "
            f"got {plain(np.unique(y[unseen]).tolist())}."
        )
    return codes


def check_weights(weights, n_samples, name):
    """Check weights and return them as a new float64 array (n_samples,), ones for None."""
    if weights is None:
        return np.ones(n_samples)
    if isinstance(weights, Real):
        weights = np.full(n_samples, weights)
    with naming(name):
        weights = check_array(weights, ensure_2d=False, dtype=np.float64, input_name=name)
        weights = np.array(weights)  # pandas may return a read-only array
    if weights.shape != (n_samples,):
        raise ValueError(f"{name} must have shape ({n_samples},), got {weights.shape}.")
    if weights.min() < 0:
        raise ValueError(f"{name} must not be negative, got {weights.min():.3g}.")
    if not weights.any():
        raise ValueError(f"{name} must not be zero for all rows.")
    return weights


def weigh_classes(class_weight, classes, codes, weights):
    """Return the weights m_k 2^e_k of the classes as two arrays m and e, (n_classes,) each.

    "balanced" gives class k the weight W / (K W_k), where W_k is the sum of its sample weights, W
    the total of all W_k, and K the number of classes with W_k > 0. The weights of a class are
    scaled by a power of 2 before they are summed, so nothing overflows.
    """
    if class_weight is None:
        return np.frexp(np.ones(len(classes)))
    if class_weight == "balanced":
        largest = np.zeros(len(classes))
        np.maximum.at(largest, codes, weights)
        present = largest > 0
        _, exponents = np.frexp(largest)
        top = exponents[present].max()
        exponents[~present] = top
        scaled = np.ldexp(weights, -exponents[codes])
        totals = np.bincount(codes, weights=scaled, minlength=len(classes))
        mean = np.ldexp(totals, exponents - top).sum() / present.sum()
        factors = np.divide(mean, totals, where=present, out=np.ones(len(classes)))
        mantissas, factor_exponents = np.frexp(factors)
        return mantissas, factor_exponents + top - exponents
    class_weights = compute_class_weight(class_weight, classes=classes, y=classes)
    if not (np.isfinite(class_weights).all() and class_weights.min() >= 0):
        raise ValueError(
            f"class_weight must hold finite weights of at least 0, got {plain(class_weight)!r}."
        )
    return np.frexp(class_weights)


def split_rows(rows, codes, n_classes, fraction, rng):
    """Split rows into training and validation rows, stratified by class.

    Each class keeps at least one training row. Each class with two rows gets at least one
    validation row if the validation set is large enough.
    """
    counts = np.bincount(codes[rows], minlength=n_classes)
    max_per_class = np.maximum(counts - 1, 0)
    n_validation = int(np.ceil(fraction * len(rows)))
    if not max_per_class.any():
        raise ValueError(
            f"early_stopping=True needs a class with at least 2 rows, got {len(rows)} rows of "
            f"{len(rows)} classes. Pass X_val and y_val, or set early_stopping=False."
        )
    if n_validation == len(rows):
        raise ValueError(
            f"validation_fraction={fraction} of {len(rows)} rows leaves no row to train on. "
            "Lower it, or pass X_val and y_val."
        )
    n_validation = min(n_validation, max_per_class.sum())
    min_per_class = np.minimum(max_per_class, 1)
    if min_per_class.sum() > n_validation:
        min_per_class[:] = 0
    # train_test_split would take 100 bytes per row
    exact = n_validation * counts / len(rows)
    n_per_class = np.clip(np.floor(exact).astype(int), min_per_class, max_per_class)
    for _ in range(n_validation - n_per_class.sum()):  # to the class farthest below its share
        shortfall = np.where(n_per_class < max_per_class, exact - n_per_class, -np.inf)
        n_per_class[shortfall.argmax()] += 1
    is_validation = np.zeros(len(rows), bool)
    codes = codes[rows]
    for k in np.flatnonzero(n_per_class):
        members = np.flatnonzero(codes == k)
        rng.shuffle(members)
        is_validation[members[: n_per_class[k]]] = True
    return rows[~is_validation], rows[is_validation]


def has_bools(values):
    """Return True if values include True or False."""
    return any(isinstance(value, bool | np.bool_) for value in np.asarray(values, object).flat)


def check_sizes(sizes, name):
    """Check the widths of layers, an int or a sequence, and return them as a tuple."""
    with naming(name):
        checked = np.atleast_1d(sizes)
    is_list = checked.ndim == 1 and checked.dtype.kind in "iu" and len(checked) > 0
    if not is_list or has_bools(sizes) or checked.min() < 1:
        raise ValueError(
            f"{name} must be an integer or a sequence of integers, each at least 1, got "
            f"{plain(sizes)!r}."
        )
    return tuple(checked.tolist())
