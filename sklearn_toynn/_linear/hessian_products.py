"""Products with the Hessian of softmax regression."""

import numpy as np

from .._nets.prediction import softmax
from .linear_kernels import derivative_change

#: Probabilities are cached if X has one chunk, or if there are at most this many per entry of X.
MAX_CACHED_PROBABILITIES = 0.25


class HessianProducts:
    """Products with the Hessian of a `LinearObjective` at theta."""

    def __init__(self, objective, theta):
        self._objective, self._theta, X = objective, theta, objective.rows.X
        n_max = MAX_CACHED_PROBABILITIES * (X.nnz if objective.is_sparse else X.size)
        is_small = X.dtype == float and objective.n_rows * objective.n_classes <= n_max
        self._caches = is_small or len(objective.rows.chunks) == 1
        self._cache = []  # the chunks and their probabilities, after the first product

    def multiply(self, direction):
        """Return H d."""
        objective, total = self._objective, np.zeros_like(direction)
        for chunk, x, P, changes in self._changes(direction):
            derivative_change(changes, P, objective.weights[chunk])
            objective.rows.add_rmatmul(changes, x, total)
        return objective.rows.unfold_scaling(total) + objective.ridge * direction

    def _changes(self, direction):
        """Yield each chunk with its rows, probabilities and changes of the scores along d."""
        rows, n_classes = self._objective.rows, len(direction)
        if self._cache:
            folded = rows.fold_scaling(direction)
            for chunk, P in self._cache:
                x = rows.load(chunk)
                yield chunk, x, P, rows.scores(folded, x)
            return
        # one product for scores and changes takes little longer than a product for either
        folded, cache = rows.fold_scaling(np.concatenate([self._theta, direction])), []
        for chunk in rows.chunks:
            x = rows.load(chunk)
            scores = rows.scores(folded, x)
            P, changes = scores[:n_classes], scores[n_classes:]
            softmax(P)
            if self._caches:
                cache.append((chunk, P.copy()))
            yield chunk, x, P, changes
        self._cache = cache

    def intercept_block(self):
        """Return the Hessian of the intercepts, (n_classes, n_classes)."""
        objective = self._objective
        H = np.zeros((objective.n_classes, objective.n_classes))
        for chunk, P in self._cache or objective.probabilities(self._theta):
            weighted = P * objective.weights[chunk]
            H += np.diag(np.add.reduce(weighted, axis=1)) - weighted @ P.T
        return H
