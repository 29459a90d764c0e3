"""A linear problem in rows of each kind."""

import numpy as np
import pytest
import scipy.sparse as sp

from sklearn_toynn._linear.linear_objective import LinearObjective


def make_objective(X, y, reg=1e-3, w=None):
    w = np.full(len(y), 1 / len(y)) if w is None else w / w.sum()
    return LinearObjective(X, y, w.astype(X.dtype), reg, y.max() + 1)


@pytest.fixture(params=["cached", "dense", "sparse"])
def problem(request):
    n_samples = 1500 if request.param == "dense" else 60
    rng = np.random.RandomState(0)
    X = rng.standard_normal((n_samples, 4)) * [1, 10, 0.1, 1] + [0, 5, 0, 1]
    X *= rng.uniform(size=X.shape) < 0.7
    y = rng.randint(3, size=n_samples)
    if request.param == "dense":
        X = np.tile(X, (3, 1))
        y = np.tile(y, 3)
    w = rng.uniform(size=len(y))
    rows = sp.csr_array(X) if request.param == "sparse" else X
    return make_objective(rows, y, 0.01, w), (X, y, w)
