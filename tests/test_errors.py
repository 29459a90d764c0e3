"""Where a warning points."""

import inspect
import warnings

import pytest
from helpers import every_class, wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn.model_selection import FusedGridSearchCV

WAYS_TO_FIT = {
    "fit": lambda model, X, y: model.fit(X, y),
    "partial_fit": lambda model, X, y: model.partial_fit(X, y, classes=[0, 1, 2]),
    "fit of the class": lambda model, X, y: type(model).fit(model, X, y),
    "fit without its wrapper": lambda model, X, y: type(model).fit.__wrapped__(model, X, y),
    "partial_fit without its wrapper": lambda model, X, y: model.partial_fit.__wrapped__(
        model, X, y, classes=[0, 1, 2]
    ),
    "pipeline": lambda model, X, y: make_pipeline(StandardScaler(), model).fit(X, y),
    "search": lambda model, X, y: GridSearchCV(model, {"reg": [0.1]}, cv=2).fit(X, y),
    "fused search": lambda model, X, y: FusedGridSearchCV(model, {"reg": [0, 1]}, cv=2).fit(X, y),
}


@pytest.mark.parametrize("way", WAYS_TO_FIT)
@every_class
def test_a_warning_points_at_the_line_that_called(model_class, way):
    X, y = wine()
    fit = WAYS_TO_FIT[way]
    model = model_class(solver="sgd", learning_rate=1e9, schedule="constant", random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, X, y)
    _, first_line = inspect.getsourcelines(fit)
    for warning in caught:
        assert warning.category is ConvergenceWarning
        assert warning.filename == __file__
        assert warning.lineno == first_line
    assert caught
