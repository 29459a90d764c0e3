"""skops: saved without pickle, and trusted by the names of this package's public classes."""

import pytest
from helpers import ends_early, wine
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import (
    MultiLayerNetClassifier,
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

sio = pytest.importorskip("skops.io", reason="skops is an extra of its own")
pytestmark = ends_early
QUICK = {"max_iter": 10, "random_state": 0}
MODELS = {
    "linear": SoftmaxClassifier(),
    "net": TwoLayerNetClassifier(5, **QUICK),
    "nets": TwoLayerNetClassifier(5, n_nets=2, early_stopping=True, **QUICK),
    "layers": MultiLayerNetClassifier((5, 4), **QUICK),
    "in a pipeline": make_pipeline(StandardScaler(), TwoLayerNetClassifier(5, **QUICK)),
    "linear, chosen": SoftmaxClassifierCV(2, cv=2, solver="adam", **QUICK),
    "net, chosen": TwoLayerNetClassifierCV([5], 2, cv=2, n_nets=2, **QUICK),
    **{
        f"search, {fused.__name__}": fused(
            TwoLayerNetClassifier(**QUICK),
            {"hidden_size": [4, 5], "reg": [1e-3, 1e-2]},
            cv=2,
            refit=one_standard_error,
            **params,
        )
        for fused, params in [
            (FusedGridSearchCV, {}),
            (FusedRandomizedSearchCV, {"n_iter": 3, "random_state": 0}),
        ]
    },
}
CONTINUING = {
    f"{type(model).__name__}, {solver}": model.set_params(
        solver=solver, warm_start=True, batch_size=50, **QUICK
    )
    for solver in ("adam", "sgd", "gd", "lbfgs")
    for model in (
        SoftmaxClassifier(),
        TwoLayerNetClassifier(5, n_nets=2),
        MultiLayerNetClassifier((5, 4)),
    )
}


def is_public(name):
    return name.startswith("sklearn_toynn.") and "._" not in name


def dump_and_load(model):
    """Return a copy by way of skops, and the types that it asks to trust."""
    dumped = sio.dumps(model)
    untrusted = sio.get_untrusted_types(data=dumped)
    return sio.loads(dumped, trusted=untrusted), untrusted


@pytest.mark.parametrize("name", MODELS)
def test_dump_and_load(name):
    X, y = wine()
    model = MODELS[name].fit(X, y)
    loaded, untrusted = dump_and_load(model)
    # those of scikit-learn's own searches
    theirs = {
        "sklearn.metrics._scorer._PassthroughScorer",
        "sklearn.model_selection._split.StratifiedKFold",
    }
    assert all(is_public(name) for name in set(untrusted) - theirs)
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("name", CONTINUING)
def test_it_continues_as_if_not_saved(name, method):
    X, y = wine()
    model = clone(CONTINUING[name]).fit(100 * X, y)
    if not hasattr(model, method):
        return  # "gd" and "lbfgs" have no partial_fit
    train = getattr(model, method)
    loaded, untrusted = dump_and_load(train(100 * X, y))
    assert untrusted == [f"sklearn_toynn.{type(model).__name__}"]
    continued = getattr(loaded, method)(100 * X, y)
    assert_array_equal(continued.predict_proba(X), train(100 * X, y).predict_proba(X))
