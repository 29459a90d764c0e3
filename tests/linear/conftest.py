"""A small problem for each class of rows, and its Hessian as one dense matrix."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import softmax

from sklearn_toynn._linear.linear_objective import LinearObjective
from sklearn_toynn._linear.rows import CachedRows, DenseRows, SparseRows

KINDS = {"cached": CachedRows, "dense": DenseRows, "shifted": DenseRows, "sparse": SparseRows}


class Case:
    """A `LinearObjective`, its data, and a theta."""

    def __init__(self, kind, reg=0.01):
        rng = np.random.RandomState(0)
        X = rng.standard_normal((60, 4)) * [1, 10, 0.1, 1] + [0, 5, 0, 1]
        X *= rng.uniform(size=X.shape) < 0.7
        y, w = rng.randint(3, size=60), rng.uniform(size=60)
        if kind in ("dense", "shifted"):
            X, y, w = np.tile(X, (80, 1)), np.tile(y, 80), np.tile(w, 80)
        if kind == "shifted":
            X = (X + 1e5).astype(np.float32)
        self.X, self.y, self.w, self.reg = X.astype(float), y, w / w.sum(), reg
        rows = sp.csr_array(X) if kind == "sparse" else X
        self.objective = LinearObjective(rows, y, self.w, reg, 3)
        assert type(self.objective.rows) is KINDS[kind]
        self.theta = self.draw_theta(1)

    def draw_theta(self, seed):
        theta = np.random.RandomState(seed).standard_normal(self.objective.shape)
        return theta - theta.mean(axis=0)

    def hessian(self, theta):
        """Return the Hessian (n_classes, n_features + 1) twice."""
        columns = self.objective.columns
        Z = np.column_stack([(self.X - columns.mean) / columns.scale, np.ones(len(self.X))])
        P = softmax(Z @ theta.T, axis=1)
        covariance = np.einsum("ik,kl->ikl", P, np.eye(3)) - np.einsum("ik,il->ikl", P, P)
        H = np.einsum("i,ikl,ia,ib->kalb", self.w, covariance, Z, Z, optimize=True)
        ridge = np.append(self.reg / columns.scale**2, 0)
        return H + np.einsum("kl,ab->kalb", np.eye(3), np.diag(ridge))


@pytest.fixture(params=KINDS)
def case(request):
    return Case(request.param)


@pytest.fixture(autouse=True)
def _threads(one_blas_thread):
    """Limit BLAS to one thread, because two threads are slow on a busy machine."""


@pytest.fixture(params=["auto", "newton", "lbfgs"])
def solver(request):
    return request.param
