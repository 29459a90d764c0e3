"""skops: saved without pickle, and trusted by the names of this package's public classes."""

import pytest
from helpers import ends_early, wine
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import (
    MultiLayerNetClassifier,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
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
}


@pytest.mark.parametrize("name", MODELS)
def test_dump_and_load(name):
    X, y = wine()
    model = MODELS[name].fit(X, y)
    dumped = sio.dumps(model)
    untrusted = sio.get_untrusted_types(data=dumped)
    assert all(name.startswith("sklearn_toynn.") and name.count(".") == 1 for name in untrusted)
    loaded = sio.loads(dumped, trusted=untrusted)
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
