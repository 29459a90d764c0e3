"""skops saves and loads models and asks to trust only public classes of this package."""

import pytest
from helpers import ends_early, wine
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import (
    MultiLayerNetClassifier,
    MultiLayerNetClassifierCV,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn.model_selection import (
    FusedGridSearchCV,
    FusedRandomizedSearchCV,
    one_standard_error,
)

sio = pytest.importorskip("skops.io", reason="requires the extra `skops`")
pytestmark = ends_early
QUICK = {"max_iter": 5, "random_state": 0}
SEARCH = {"cv": 2, "refit": one_standard_error}
MODELS = [
    SoftmaxClassifier(),
    SoftmaxClassifier(encoding="piecewise"),
    TwoLayerNetClassifier(5, n_nets=2, early_stopping=True, **QUICK),
    TwoLayerNetClassifier(5, n_nets=2, encoding="piecewise", **QUICK),
    MultiLayerNetClassifier((5, 4), **QUICK),
    make_pipeline(StandardScaler(), TwoLayerNetClassifier(5, **QUICK)),
    SoftmaxClassifierCV(2, cv=2, solver="adam", **QUICK),
    TwoLayerNetClassifierCV([5], 2, cv=2, n_nets=2, **QUICK),
    MultiLayerNetClassifierCV([5, (6, 4)], 2, cv=2, n_nets=4, **QUICK),
    FusedGridSearchCV(TwoLayerNetClassifier(**QUICK), {"hidden_size": [4, 5]}, **SEARCH),
    FusedRandomizedSearchCV(
        TwoLayerNetClassifier(**QUICK), {"reg": [1e-3, 1e-2]}, n_iter=2, **SEARCH
    ),
]


def dump_and_load(model):
    """Return the loaded model and the types that skops asks to trust."""
    dumped = sio.dumps(model)
    untrusted = sio.get_untrusted_types(data=dumped)
    return sio.loads(dumped, trusted=untrusted), untrusted


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_loaded_model_predicts_the_same(model):
    X, y = wine()
    loaded, untrusted = dump_and_load(model.fit(X, y))
    if hasattr(model, "scorer_"):  # a search also has types of scikit-learn and NumPy
        untrusted = [name for name in untrusted if name.startswith("sklearn_toynn")]
    assert all(name.startswith("sklearn_toynn.") and "._" not in name for name in untrusted)
    if isinstance(model, SoftmaxClassifier | TwoLayerNetClassifier):
        assert untrusted == [f"sklearn_toynn.{type(model).__name__}"]
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("solver", ["adam", "sgd", "gd", "lbfgs"])
def test_a_loaded_model_continues_to_train_as_the_saved_one(solver):
    X, y = wine()
    params = {"solver": solver, "warm_start": True, "batch_size": 50, **QUICK}
    model = TwoLayerNetClassifier(5, n_nets=2, **params).fit(100 * X, y)
    loaded, untrusted = dump_and_load(model)
    assert untrusted == ["sklearn_toynn.TwoLayerNetClassifier"]
    continued = loaded.fit(100 * X, y).predict_proba(X)
    assert_array_equal(continued, model.fit(100 * X, y).predict_proba(X))
