"""The checks of `partial_fit`."""

import numpy as np

from ._errors import naming, plain
from ._validation import check_labels


def supports_partial_fit(estimator):
    """Return True if the solver takes batches; otherwise raise an error."""
    solvers = estimator._net_solvers.items()
    able = sorted(name for name, solver in solvers if solver.takes_batches)
    if estimator.solver in able:
        return True
    names = " or ".join(map(repr, able))
    raise AttributeError(
        f"partial_fit needs a solver that takes batches: {names}. Got solver={estimator.solver!r}."
    )


def check_one_pass(estimator):
    """Raise an error if a parameter needs all rows or several passes."""
    for name, value, allowed, description in (
        ("early_stopping", estimator.early_stopping, (False,), "False"),
        ("class_weight", estimator.class_weight, (None,), "a dict or None"),
        ("schedule", estimator.schedule, ("auto", "constant"), "'auto' or 'constant'"),
    ):
        if value not in allowed and not isinstance(value, dict):
            raise ValueError(
                f"partial_fit makes one pass over some of the rows, so it does not support {name}="
                f"{plain(value)!r}. Set {name} to {description}, or call fit."
            )


def resolve_classes(estimator, classes):
    """Return the sorted classes, from the argument of `partial_fit` or from an earlier call."""
    fitted = getattr(estimator, "classes_", None)
    if classes is None:
        if fitted is None:
            raise ValueError("classes must be given in the first call of partial_fit, got None.")
        return fitted
    labels = check_labels(classes, "classes")
    with naming("classes"):  # np.unique compares labels
        classes = np.unique(labels)
    if fitted is not None and not np.array_equal(classes, fitted):
        raise ValueError(
            f"classes={plain(classes.tolist())} differ from the classes of the first call of "
            f"partial_fit or fit, {plain(fitted.tolist())}."
        )
    if len(classes) < 2:
        raise ValueError(f"classes must name at least 2 classes, got {plain(classes.tolist())}.")
    return classes
