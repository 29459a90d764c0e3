"""The choice of the simplest candidate within one standard error of the best."""

import numpy as np
import pytest
from helpers import ends_early
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV, one_standard_error


def results_of(scores, **params):
    """`cv_results_` of candidates with scores (n_candidates, n_splits)."""
    scores = np.array(scores, dtype=float)
    results = {f"param_{name}": np.ma.array(values) for name, values in params.items()}
    results |= {f"split{i}_test_score": column for i, column in enumerate(scores.T)}
    return results | {"mean_test_score": scores.mean(axis=1), "std_test_score": scores.std(axis=1)}


# the best, 0.9, has a standard error of 0.1 / sqrt(3)
BEST, WITHIN, BELOW = [0.8, 0.9, 1.0], [0.85, 0.85, 0.85], [0.84, 0.84, 0.84]


@pytest.mark.parametrize(
    ("params", "scores", "expected"),
    [
        ({"reg": [0.1, 1.0, 10.0]}, [BEST, WITHIN, BELOW], 1),
        ({"reg": [0.1, 1.0, 10.0]}, [WITHIN, BEST, BELOW], 1),
        ({"hidden_size": [10, 50, 100]}, [BELOW, WITHIN, BEST], 1),
        # the smaller net first, then the stronger penalty
        ({"hidden_size": [5, 50, 5], "reg": [0.1, 9.0, 0.2]}, [WITHIN, BEST, WITHIN], 2),
        ({"net__hidden_size": [50, 5], "net__reg": [9.0, 0.1]}, [BEST, WITHIN], 1),
        ({"C": [100.0, 1.0]}, [BEST, WITHIN], 1),
        ({"alpha": [1e-4, 1e-2]}, [BEST, WITHIN], 1),
        ({"hidden_layer_sizes": [30, 20]}, [BEST, WITHIN], 1),
        ({"reg": [1.0, 1.0]}, [WITHIN, BEST], 1),  # equal complexity: the better one
    ],
)
def test_the_chosen_candidate(params, scores, expected):
    assert one_standard_error(results_of(scores, **params)) == expected


def test_candidates_without_a_score_are_ignored():
    scores = [[np.nan] * 3, BEST, WITHIN]
    assert one_standard_error(results_of(scores, reg=[100.0, 0.1, 1.0])) == 2


def test_layers_of_several_widths_and_an_automatic_penalty():
    sizes, regs = np.ma.empty(3, dtype=object), np.ma.empty(3, dtype=object)
    sizes[:], regs[:] = [(50, 50), (30,), (20, 20)], ["auto", 1e-3, "auto"]
    results = results_of([BEST, WITHIN, WITHIN])
    assert one_standard_error(results | {"param_hidden_layer_sizes": sizes}) == 1
    assert one_standard_error(results | {"param_reg": regs}) == 1  # "auto" counts as no penalty


def test_results_that_cannot_be_compared_raise_errors():
    with pytest.raises(ValueError, match="one scorer"):
        one_standard_error({"param_reg": [1], "mean_test_accuracy": [1.0]})
    with pytest.raises(ValueError, match=r"hidden_size.*got \['solver'\]"):
        one_standard_error(results_of([BEST], solver=["adam"]))
    with pytest.raises(ValueError, match="2 folds or more.*got 1"):
        one_standard_error(results_of([[0.9], [0.8]], reg=[1.0, 2.0]))


@ends_early
@pytest.mark.parametrize("search_class", [GridSearchCV, FusedGridSearchCV])
def test_refit_of_a_search(search_class):
    X, y = load_iris(return_X_y=True)
    grid = {"hidden_size": [4, 8], "reg": [1e-4, 1e-3]}
    net = TwoLayerNetClassifier(max_iter=20, random_state=0)
    search = search_class(net, grid, refit=one_standard_error).fit(X, y)
    assert search.best_index_ == one_standard_error(search.cv_results_)
    assert search.best_estimator_.hidden_size == search.best_params_["hidden_size"]
