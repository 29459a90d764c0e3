"""From what a user passes to `fit` to the samples that training runs over."""

import math
import re
from dataclasses import dataclass, replace
from itertools import chain
from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d, validate_data

from ._errors import naming, plain
from ._nets.equal_rows import merge_equal_rows
from ._nets.samples import Samples

DTYPES = (np.float64, np.float32)

#: Names of the dtypes of dates, times and durations in NumPy, pandas, Polars and PyArrow, and of
#: such objects.
TIME_NAMES = re.compile(r"\W?M8|date|time|duration|period", re.IGNORECASE)

#: For an `X_val` that is not as X is.
TRANSFORM_HINT = (
    "Steps of a pipeline before this one transform X_val where it says transform_input=['X_val'] "
    "and metadata routing is on."
)


@dataclass(frozen=True)
class Problem:
    """A checked data set: what is trained on, and what is watched meanwhile, if anything."""

    classes: np.ndarray
    samples: Samples
    validation: Samples | None
    #: The sum of the weights w of the training rows, as the user gave them.
    total_weight: float
    #: The effective number of training rows, (sum w)^2 / sum w^2.
    effective_size: float

    @property
    def n_features(self):
        """The number of columns of X."""
        return self.samples.X.shape[1]

    @property
    def dtype(self):
        """The dtype of X, and so of the parameters."""
        return self.samples.X.dtype

    def divide_by_rows(self, penalty, name, remedy):
        """Return penalty / m with m = max(sum w, (sum w)^2 / sum w^2), for a parameter's default.

        A weight of 2 counts as two rows, but weights that are normalised to a small sum do not
        raise the penalty.
        """
        if not 0 < self.total_weight < math.inf:
            raise ValueError(
                f"{name} needs a finite, positive total weight (the sum of sample_weight times "
                f"class_weight), got {self.total_weight:.3g}. Scale the weights, or {remedy}."
            )
        return penalty / max(self.total_weight, self.effective_size)

    def with_earlier_rows(self, total_weight, effective_size):
        """Return the problem with the sums of its weights continued from those of earlier rows."""
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
    one of their joint weight. With `split_streams` and no validation data, rows are set aside to
    validate on. `classes` are the labels, where they are known before y. With `reset`, X may have
    other columns than before.
    """
    X, y, sample_weight = data
    X = canonical(X, "X")
    is_checked = has_label_dtype(y) and is_plain(X) and len(y) == len(X)
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
        check_one_type(y, "y")
        with naming("y"):
            check_classification_targets(y)
    if classes is None:
        with naming("y"):
            classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y must hold at least 2 classes, got one class alone: {plain(classes.tolist())}."
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
        for part in (rows, rows_val):  # one may be too light for the dtype beside the other
            weights[part] = np.ldexp(weights[part], -np.frexp(weights[part].max())[1])
    if merges_equal_rows:
        rows, weights = merge_equal_rows(X, codes, weights, rows)
    weights = weights.astype(X.dtype, copy=False)
    if rows_val is not None:
        validation = Samples(X, codes, weights, rows_val)
    return Problem(classes, Samples(X, codes, weights, rows), validation, *sums)


def validate_rows(estimator, X):
    """Return X to predict for, checked."""
    has_names = hasattr(estimator, "feature_names_in_")
    if is_plain(X) and not has_names and X.shape[1] == getattr(estimator, "n_features_in_", None):
        return X
    X = canonical(X, "X")
    return validate_data(estimator, X, accept_sparse="csr", dtype=DTYPES, reset=False)


def is_plain(X):
    """Say whether X is an array in which scikit-learn's checks of values have nothing to find.

    For one row, and for a small fit, they take most of the time.
    """
    if not (type(X) is np.ndarray and X.dtype in DTYPES and X.ndim == 2 and X.size > 0):
        return False
    if not X.flags.aligned:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(np.add.reduce(X, axis=None))  # else that one says what it holds


def check_labels(labels, name):
    """Return labels as an array (n,), checked as `fit` checks y."""
    with naming(name):
        labels = column_or_1d(labels, warn=True)
        # for its checks of values; the result would hold strings as objects
        check_array(labels, ensure_2d=False, dtype=None, ensure_min_samples=0, input_name=name)
    check_one_type(labels, name)
    with naming(name):
        target_type = type_of_target(labels) if labels.size else "binary"
    if target_type not in ("binary", "multiclass"):
        raise ValueError(
            f"{name} must hold whole numbers, strings or booleans, got {plain(labels.tolist())} "
            f"({target_type}, dtype {labels.dtype}). Convert them to one of these types."
        )
    return labels


def check_one_type(labels, name):
    """Refuse objects of several types, which do not compare."""
    if labels.dtype != object:
        return
    types = {"str" if isinstance(label, str) else type(label).__name__ for label in labels.flat}
    if len(types) > 1:
        raise ValueError(
            f"{name} must hold labels of one type, got {', '.join(sorted(types))}. Convert them "
            f"to one type, for example by {name}.astype(str)."
        )


def has_label_dtype(y):
    """Say whether y holds labels without a look at each."""
    return type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "biuSU"


def reject_dates(X, name):
    """Refuse dates and durations, which NumPy converts to numbers by a unit of their own."""
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
    """Raise an error where a sparse X refers to places outside of its shape or of its arrays.

    Neither SciPy's conversions nor the kernels check that. They would read and write there.
    """
    if not sparse.issparse(X):
        return
    if X.ndim != 2:
        raise ValueError(f"{name} must be 2-D, got a sparse array of shape {X.shape}.")
    fault, is_consistent, limits = "its arrays have inconsistent lengths", True, []
    if X.format in ("csr", "csc", "bsr"):
        block = X.blocksize if X.format == "bsr" else (1, 1)
        n_major, n_minor = np.floor_divide(X.shape, block)[:: -1 if X.format == "csc" else 1]
        indptr, room = X.indptr, min(len(X.indices), len(X.data))
        fault = "its indptr must start at 0, not decrease, and end within indices and data"
        is_consistent = len(indptr) == n_major + 1 and indptr[0] == 0 and indptr[-1] <= room
        if is_consistent := is_consistent and (indptr[1:] >= indptr[:-1]).all():
            limits = [(X.indices[: indptr[-1]], n_minor)]
    elif X.format == "coo":
        is_consistent = len(X.row) == len(X.col) == len(X.data)
        limits = [(X.row, X.shape[0]), (X.col, X.shape[1])]
    elif X.format == "lil":
        lengths, others = (list(map(len, lists)) for lists in (X.rows, X.data))
        is_consistent = lengths == others and len(lengths) == X.shape[0]
        limits = [(np.fromiter(chain.from_iterable(X.rows), np.int64), X.shape[1])]
    elif X.format == "dia":
        is_consistent = len(X.offsets) == len(X.data)
    for indices, limit in limits if is_consistent else []:
        for index in (indices.min(), indices.max()) if len(indices) else []:
            if not 0 <= index < limit:
                fault = f"it has the index {index}, and valid ones are from 0 to {limit - 1}"
                is_consistent = False
    if not is_consistent:
        raise ValueError(
            f"{name} is an invalid sparse matrix of shape {X.shape} in {X.format.upper()} format: "
            f"{fault}. Build it again from valid indices."
        )


def canonical(X, name):
    """Return X, or a copy of one that computations do not take as it is.

    Raise an error for dates and durations, and for invalid sparse matrices.

    CSR or CSC with duplicate or unsorted entries becomes CSR without them. Other formats lose
    them in the conversion to CSR. Duplicates are summed before X is checked. Data from a buffer
    may lie at addresses that are not aligned. Compiled code must not read those, and NumPy uses
    other loops for them, with other rounding.
    """
    reject_dates(X, name)
    if isinstance(X, np.ndarray) and not X.flags.aligned:
        return X.copy(order="K")
    if not sparse.issparse(X):
        return X
    check_sparse(X, name)
    if X.format in ("csr", "csc"):
        if not X.has_canonical_format:
            X = X.tocsr(copy=True)
            X.sum_duplicates()
        parts = X.data, X.indices, X.indptr
        if not all(part.flags.aligned for part in parts):
            X = X.copy()
    return X


def weigh_rows(weights, codes, class_weights):
    """Return the weights of rows times those of their classes, in place, up to a power of 2.

    They are (n_samples,), times 2 to the exponent that comes with them, which brings the largest
    into [1/4, 1): a common factor has no effect on the objective, and so no product leaves the
    range of float64.
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

    The order of the rows does not change a bit. A sum beyond float64 is inf or 0.
    """
    if (weights == weights[0]).all():  # fsum makes a Python float of each
        total, size = len(weights) * weights[0], float(len(weights))
    else:
        _, shift = np.frexp(weights.max())
        weights = np.ldexp(weights, -shift)  # or squares may underflow
        total = math.fsum(weights)
        size = total**2 / math.fsum(np.square(weights))
        exponent += shift
    with np.errstate(over="ignore", under="ignore"):
        return float(np.ldexp(total, exponent)), size


def make_validation(estimator, data, X, classes, class_weight, class_weights):
    """Return validation data as `Samples`, in the dtype and container of X; None without any."""
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
    X_val = canonical(X_val, "X_val")
    with naming("X_val", f". {TRANSFORM_HINT}"):
        checked = check_array(X_val, accept_sparse="csr", dtype=X.dtype, input_name="X_val")
    if checked.shape[1] != X.shape[1]:
        raise ValueError(
            f"X_val has {checked.shape[1]} features, but X has {X.shape[1]} features: they need "
            f"the same. {TRANSFORM_HINT}"
        )
    with naming("X_val"):
        validate_data(estimator, X_val, reset=False, skip_check_array=True)  # names of columns
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
    """Refuse rows that all weigh nothing."""
    if not weights.any():
        raise ValueError(
            f"class_weight={plain(class_weight)!r} leaves no row of {name} with any weight."
        )


def encode(y, classes, name):
    """Return the index in the sorted `classes` of each label of y."""
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
            f"got {plain(np.unique(y[unseen]).tolist())} besides."
        )
    return codes


def check_weights(weights, n_samples, name):
    """Return weights as a fresh float64 array (n_samples,); all 1 for None."""
    if weights is None:
        return np.ones(n_samples)
    if isinstance(weights, Real):
        weights = np.full(n_samples, weights)
    with naming(name):
        weights = check_array(weights, ensure_2d=False, dtype=np.float64, input_name=name)
        weights = np.array(weights)  # what pandas returns, even as a copy, may be read-only
    if weights.shape != (n_samples,):
        raise ValueError(f"{name} must have shape ({n_samples},), got {weights.shape}.")
    if weights.min() < 0:
        raise ValueError(f"{name} must not be negative, got {weights.min():.3g}.")
    if not weights.any():
        raise ValueError(f"{name} must not be zero throughout: there is nothing to fit.")
    return weights


def weigh_classes(class_weight, classes, codes, weights):
    """Return the weights m_k 2^e_k of the classes as mantissas and exponents, (n_classes,) each.

    "balanced" gives a class of total sample weight W_k the weight W / (K W_k), with W their
    sum and K their number, over the classes that have any weight. That is up to a power of 2,
    and each W_k is summed by a power of 2 of its own, so that nothing overflows.
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
    """Split rows into those to train on and those to validate on, stratified by class.

    Each class keeps a row to train on. It gets a row to validate on if it has two rows and the
    validation set has a row for each such class.
    """
    counts = np.bincount(codes[rows], minlength=n_classes)
    most = np.maximum(counts - 1, 0)
    n_validation = int(np.ceil(fraction * len(rows)))
    if not most.any():
        raise ValueError(
            f"early_stopping=True needs a class with at least 2 rows, got {len(rows)} rows of "
            "as many classes. Pass X_val and y_val, or set early_stopping=False."
        )
    if n_validation == len(rows):
        raise ValueError(
            f"validation_fraction={fraction} of {len(rows)} rows leaves no row to train on. "
            "Lower it, or pass X_val and y_val."
        )
    n_validation = min(n_validation, most.sum())
    least = np.minimum(most, 1)
    if least.sum() > n_validation:
        least[:] = 0
    # class by class: train_test_split would hold 100 bytes a row
    exact = n_validation * counts / len(rows)
    n_per_class = np.clip(np.floor(exact).astype(int), least, most)
    n_missing = n_validation - n_per_class.sum()
    for _ in range(n_missing):  # to the class that is farthest below its share
        shortfall = np.where(n_per_class < most, exact - n_per_class, -np.inf)
        n_per_class[shortfall.argmax()] += 1
    is_validation = np.zeros(len(rows), bool)
    codes = codes[rows]
    for k in np.flatnonzero(n_per_class):
        members = np.flatnonzero(codes == k)
        rng.shuffle(members)
        is_validation[members[: n_per_class[k]]] = True
    return rows[~is_validation], rows[is_validation]


def has_bools(values):
    """Say whether there is True or False among values."""
    return any(isinstance(value, bool | np.bool_) for value in np.asarray(values, object).flat)


def check_sizes(sizes, name):
    """Return the numbers of units, given as an int or a sequence, as a tuple."""
    with naming(name):
        checked = np.atleast_1d(sizes)
    is_list = checked.ndim == 1 and checked.dtype.kind in "iu" and len(checked) > 0
    if not is_list or has_bools(sizes) or checked.min() < 1:
        raise ValueError(
            f"{name} must be an integer or a sequence of integers, each at least 1, got "
            f"{plain(sizes)!r}."
        )
    return tuple(checked.tolist())
