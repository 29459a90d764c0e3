"""From what a user passes to `fit` to the samples that training runs over."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data

from ._objective import Samples

__all__ = ["Problem", "validate_problem"]

DTYPES = (np.float64, np.float32)


@dataclass(frozen=True)
class Problem:
    """A checked data set: what is trained on, and what is watched meanwhile, if anything."""

    classes: np.ndarray
    samples: Samples
    validation: Samples | None

    @property
    def n_features(self):
        """The number of columns of X."""
        return self.samples.X.shape[1]

    @property
    def dtype(self):
        """The dtype of X, and so of the parameters."""
        return self.samples.X.dtype


def validate_problem(
    estimator,
    data,
    validation_data=(None, None, None),
    split_seed=None,
    *,
    classes=None,
    reset=True,
):
    """Check the arguments of `fit` or `partial_fit` and return them as a `Problem`.

    Parameters
    ----------
    estimator : estimator
        Gets `n_features_in_` and `feature_names_in_` where `reset` is true.
    data : tuple of (X, y, sample_weight)
        As in `fit`.
    validation_data : tuple of (X_val, y_val, sample_weight_val)
        As in `fit`.
    split_seed : int
        Of the split for `early_stopping`.
    classes : ndarray of shape (n_classes,), default=None
        The labels, where they are known before y.
    reset : bool
        Whether X may have other columns than before.
    """
    X, y, sample_weight = data
    X, y = validate_data(estimator, X, y, accept_sparse="csr", dtype=DTYPES, reset=reset)
    X = with_unit_stride(X)
    check_classification_targets(y)
    if classes is None:
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y must hold at least 2 classes, got one class alone: {classes.tolist()}."
            )
    else:
        codes = encode(y, classes, "y")
    weights = check_weights(sample_weight, X, "sample_weight")
    class_weights = weigh_classes(estimator.class_weight, classes, codes, weights)
    weights *= class_weights[codes]
    if not weights.any():
        raise ValueError(
            f"class_weight={estimator.class_weight!r} leaves no row of X with any weight."
        )
    rows = None if weights.all() else np.flatnonzero(weights)
    X_val, y_val, sample_weight_val = validation_data
    if (X_val is None) != (y_val is None):
        given, missing = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
        raise ValueError(f"{given} was given without {missing}: pass both or neither.")
    validation = None
    if X_val is not None:
        X_val = validate_data(estimator, X_val, accept_sparse="csr", dtype=X.dtype, reset=False)
        y_val = column_or_1d(y_val, warn=True)
        check_consistent_length(X_val, y_val)
        codes_val = encode(y_val, classes, "y_val")
        weights_val = check_weights(sample_weight_val, X_val, "sample_weight_val")
        validation = Samples(X_val, codes_val, weights_val * class_weights[codes_val])
    elif sample_weight_val is not None:
        raise ValueError("sample_weight_val was given without X_val and y_val: pass all three.")
    elif estimator.early_stopping:
        fraction = estimator.validation_fraction
        rows = np.arange(len(codes)) if rows is None else rows
        rows, rows_val = split_rows(rows, codes, classes, fraction, split_seed)
        validation = Samples(X, codes, weights, rows_val)
    return Problem(classes, Samples(X, codes, weights, rows), validation)


def with_unit_stride(X):
    """Return X, or a copy if it is dense and neither its rows nor its columns lie without gaps."""
    if sparse.issparse(X) or X.itemsize in X.strides:
        return X
    return np.ascontiguousarray(X)


def encode(y, classes, name):
    """Return the index in the sorted `classes` of each label of y."""
    codes = np.searchsorted(classes, y)
    codes[codes == len(classes)] = 0
    unseen = classes[codes] != y
    if unseen.any():
        raise ValueError(
            f"{name} must hold labels among the classes {classes.tolist()}, "
            f"got {np.unique(y[unseen]).tolist()} besides."
        )
    return codes


def check_weights(weights, X, name):
    """Return weights as a fresh array (n_samples,) of X's dtype; all 1 for None."""
    n_samples = X.shape[0]
    if weights is None:
        return np.ones(n_samples, X.dtype)
    if isinstance(weights, Real):
        weights = np.full(n_samples, weights)
    weights = check_array(weights, ensure_2d=False, dtype=X.dtype, copy=True, input_name=name)
    if weights.shape != (n_samples,):
        raise ValueError(f"{name} must have shape ({n_samples},), got {weights.shape}.")
    if weights.min() < 0:
        raise ValueError(f"{name} must not be negative, got {weights.min():.3g}.")
    if not weights.any():
        raise ValueError(f"{name} must not be zero throughout: there is nothing to fit.")
    return weights


def weigh_classes(class_weight, classes, codes, weights):
    """Return the weight of each class, (n_classes,).

    "balanced" gives a class of total sample weight W_k the weight W / (K W_k), with W their
    sum and K their number, over the classes that have any weight.
    """
    if class_weight == "balanced":
        totals = np.bincount(codes, weights=weights, minlength=len(classes))
        present = totals > 0
        return np.divide(
            totals.sum() / present.sum(), totals, where=present, out=np.ones(len(classes))
        ).astype(weights.dtype)
    class_weights = compute_class_weight(class_weight, classes=classes, y=classes)
    if not (np.isfinite(class_weights).all() and class_weights.min() >= 0):
        raise ValueError(
            f"class_weight must hold finite weights of at least 0, got {class_weight!r}."
        )
    return class_weights.astype(weights.dtype)


def split_rows(rows, codes, classes, fraction, seed):
    """Split rows into those to train on and those to validate on, stratified by class."""
    counts = np.bincount(codes[rows], minlength=len(classes))
    present = counts > 0
    rarest = np.argmin(np.where(present, counts, len(rows) + 1))
    n_validation = int(np.ceil(fraction * len(rows)))
    if counts[rarest] < 2:
        raise ValueError(
            "early_stopping=True needs at least 2 rows of each class, one to train on and one "
            f"to validate on, got {counts[rarest]} of class {classes[rarest]!r}. Pass X_val and "
            "y_val, or early_stopping=False."
        )
    if not present.sum() <= n_validation <= len(rows) - present.sum():
        raise ValueError(
            f"validation_fraction={fraction} of {len(rows)} rows leaves {n_validation} to "
            f"validate on and {len(rows) - n_validation} to train on, where each needs at least "
            f"one per class, {present.sum()}. Change it, or pass X_val and y_val."
        )
    return train_test_split(rows, test_size=n_validation, stratify=codes[rows], random_state=seed)
