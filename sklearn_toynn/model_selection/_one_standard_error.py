"""A rule that chooses the simplest candidate within one standard error of the best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np

#: Functions from the value of a parameter to the complexity of the model, in order of priority. A
#: smaller result is simpler.
COMPLEXITIES = {
    "hidden_size": lambda value: value,
    "hidden_layer_sizes": lambda value: sum(value) if isinstance(value, Iterable) else value,
    "reg": lambda value: -value if isinstance(value, Real) else 0,
    "alpha": lambda value: -value,
    "C": lambda value: value,
}


def one_standard_error(cv_results: Mapping[str, Any]) -> int:
    """Choose the simplest candidate within one standard error of the best one.

    Pass this function as the parameter `refit` of a search. The simplest candidate is the net with
    the fewest hidden units, summed over the layers. Among nets with equally many units, it is the
    net with the strongest penalty. Among equally simple candidates, it is the one with the best
    score. The rule avoids nets that are wider than necessary: the widest net may have the best
    score by a lead that is smaller than the variation between folds.

    Parameters
    ----------
    cv_results : dict of str -> ndarray
        The `cv_results_` of a search with one scorer. The search must vary ``hidden_size`` (or
        ``hidden_layer_sizes``), ``reg`` (or ``alpha`` or ``C``), or both. The names may have the
        prefix of a pipeline's step, such as "net__reg". ``reg="auto"`` counts as ``reg=0`` here,
        because `cv_results` does not contain its value.

    Returns
    -------
    index : int
        The index of the candidate.

    Raises
    ------
    ValueError
        If the search has several scorers, none of these parameters, or a single fold.

    Notes
    -----
    The standard error is the standard deviation of the best candidate's scores divided by the
    square root of the number of folds [1]_.

    References
    ----------
    .. [1] Breiman, Friedman, Olshen and Stone (1984), "Classification and Regression Trees",
       section 3.4.3.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_toynn import TwoLayerNetClassifier
    >>> from sklearn_toynn.model_selection import FusedGridSearchCV, one_standard_error
    >>> X, y = load_iris(return_X_y=True)
    >>> net = TwoLayerNetClassifier(max_iter=200, random_state=0)
    >>> grid = {"hidden_size": [4, 8, 16], "reg": [1e-4, 1e-3]}
    >>> search = FusedGridSearchCV(net, grid, refit=one_standard_error).fit(X, y)
    >>> search.best_params_["hidden_size"] < 16
    True
    """
    if "mean_test_score" not in cv_results:
        raise ValueError(
            "one_standard_error compares the scores of one scorer, but the search has several."
        )
    params = {
        name.removeprefix("param_").split("__")[-1]: name
        for name in cv_results
        if name.startswith("param_")
    }
    measures = [
        (measure, params[name]) for name, measure in COMPLEXITIES.items() if name in params
    ]
    if not measures:
        raise ValueError(
            f"one_standard_error needs a search over one of {list(COMPLEXITIES)}, got "
            f"{list(params)}."
        )
    n_splits = sum(
        name.startswith("split") and name.endswith("_test_score") for name in cv_results
    )
    if n_splits < 2:
        raise ValueError(
            f"one_standard_error needs 2 folds or more to compute a spread, got {n_splits}."
        )
    means = cv_results["mean_test_score"]
    best = int(np.nanargmax(means))
    # the search divides squared deviations by n_splits, not n_splits - 1
    error = cv_results["std_test_score"][best] / np.sqrt(n_splits - 1)
    return min(
        np.flatnonzero(means >= means[best] - error).tolist(),
        key=lambda index: (
            *(measure(cv_results[param][index]) for measure, param in measures),
            -means[index],
        ),
    )
