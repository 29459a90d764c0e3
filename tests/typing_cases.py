"""Types of public calls, for a type checker; nothing runs this file."""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sklearn_toynn import (
    MultiLayerNetClassifier,
    MultiLayerNetClassifierCV,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
    show_versions,
)
from sklearn_toynn.datasets import make_spiral
from sklearn_toynn.model_selection import (
    FusedGridSearchCV,
    FusedRandomizedSearchCV,
    one_standard_error,
)

X, y = make_spiral(90, noise=0.1, random_state=np.random.RandomState(0))
assert_type(X, NDArray[np.float64])

# fit returns the type of the estimator
linear = SoftmaxClassifier(0.1, solver="newton", class_weight={0: 1.0, 1: 2.0})
assert_type(linear.fit(X, y), SoftmaxClassifier)
assert_type(TwoLayerNetClassifier(8, "auto").fit(X, y, X_val=X, y_val=y), TwoLayerNetClassifier)
assert_type(MultiLayerNetClassifier((8, 4)).partial_fit(X, y, [0, 1]), MultiLayerNetClassifier)
assert_type(SoftmaxClassifierCV(10, refit=one_standard_error).fit(X, y), SoftmaxClassifierCV)
assert_type(TwoLayerNetClassifierCV([8, 16]).fit(X, y), TwoLayerNetClassifierCV)
deep = MultiLayerNetClassifierCV([8, (8, 4)], encodings=["linear"], search="grid", blend=False)
assert_type(deep.fit(X, y), MultiLayerNetClassifierCV)
assert_type(deep.predict_proba(X), NDArray[np.floating])
assert_type(deep.weights_, NDArray[np.floating])
search = FusedGridSearchCV(TwoLayerNetClassifier(), {"reg": [1e-3, 1e-2]})
assert_type(search.fit(X, y), FusedGridSearchCV)
assert_type(FusedRandomizedSearchCV(linear, {"reg": [0.1]}).fit(X, y), FusedRandomizedSearchCV)

# containers of rows
linear.fit(X.tolist(), y.tolist(), sample_weight=[1.0] * 90)
linear.predict(sparse.csr_array(X))

net = TwoLayerNetClassifier(
    init=lambda rng, fan_in, fan_out: rng.standard_normal((fan_in, fan_out)),
    schedule=lambda progress: 1 - progress,
)
assert_type(net.predict_proba(X), NDArray[np.floating])
assert_type(net.predict(X), NDArray[Any])
assert_type(SoftmaxClassifierCV().predict_log_proba(X), NDArray[np.floating])
assert_type(net.coefs_, list[NDArray[np.floating]])
assert_type(linear.coef_, NDArray[np.floating])
assert_type(net.loss_curve_, list[float])
assert_type(one_standard_error({}), int)
assert_type(SoftmaxClassifierCV().best_estimator_, SoftmaxClassifier)
show_versions()

# errors
SoftmaxClassifier(hidden_size=3)  # type: ignore[call-arg]
TwoLayerNetClassifier("wide")  # type: ignore[arg-type]
TwoLayerNetClassifier(max_iter="many")  # type: ignore[arg-type]
linear.fit(X)  # type: ignore[call-arg]
