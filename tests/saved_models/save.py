"""Save fitted models of this version as files that later versions must load.

    python tests/saved_models/save.py

Run it once before a release. It requires the extra `skops` and the oldest supported NumPy: a
pickle of a newer NumPy names modules that an older one does not have.
"""

import pickle
from pathlib import Path

import numpy as np
import skops.io as sio
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

import sklearn_toynn
from sklearn_toynn import (
    MultiLayerNetClassifier,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)

QUICK = {"max_iter": 20, "tol": 0, "random_state": 0}
MODELS = {
    "softmax": SoftmaxClassifier(),
    "net": TwoLayerNetClassifier(5, early_stopping=True, **QUICK),
    "nets": TwoLayerNetClassifier(5, n_nets=3, activation="gelu", **QUICK),
    "layers": MultiLayerNetClassifier((5, 4), **QUICK),
    "softmax_cv": SoftmaxClassifierCV(2, cv=2),
    "net_cv": TwoLayerNetClassifierCV([5], 2, cv=2, n_nets=2, **QUICK),
}
WARM = {"max_iter": 5, "tol": 0, "batch_size": 50, "warm_start": True, "random_state": 0}
WARM_MODELS = [
    *(
        SoftmaxClassifier(solver=solver, **WARM)
        for solver in ("lbfgs", "gd", "sgd", "adam", "auto", "newton")
    ),
    *(
        TwoLayerNetClassifier(5, solver=solver, activation="tanh", n_nets=2, **WARM)
        for solver in ("adam", "sgd", "gd", "lbfgs")
    ),
]


def save(folder):
    X, y = load_wine(return_X_y=True)
    X, names = StandardScaler().fit_transform(X), load_wine().target_names[y].tolist()
    rows = X[::10]
    expected = {"rows": rows}
    folder.mkdir()
    for name, model in MODELS.items():
        model.fit(X, names)
        expected[name] = model.predict_proba(rows)
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(model))
        sio.dump(model, folder / f"{name}.skops")
    # models that continue to train
    model = TwoLayerNetClassifier(5, random_state=0).partial_fit(X, names, np.unique(names))
    (folder / "partial_fit.pkl").write_bytes(pickle.dumps(model))
    expected["partial_fit"] = model.partial_fit(X, names).predict_proba(rows)
    raw = 3 * X + 1  # fit scales these columns
    models = [model.fit(raw, names) for model in WARM_MODELS]
    (folder / "warm_start.pkl").write_bytes(pickle.dumps(models))
    expected["warm_start"] = [model.fit(raw, names).predict_proba(rows) for model in models]
    np.savez(folder / "expected.npz", **expected)


if __name__ == "__main__":
    save(Path(__file__).parent / sklearn_toynn.__version__)
