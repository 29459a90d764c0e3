"""The parts of the descent."""

import pickle

import numpy as np
from helpers import wine
from numpy.testing import assert_array_equal

from sklearn_toynn._linear import hessian_models
from sklearn_toynn._linear.descent import Descent, Tolerance
from sklearn_toynn._linear.hessian_models import ClassFactors, FullHessian
from sklearn_toynn._linear.linear_objective import LinearObjective


class TestParts:
    def make_objective(self):
        X, y = wine()
        return LinearObjective(X, y, np.full(len(y), 1 / len(y)), 1e-3, 3)

    def test_what_only_asks_changes_nothing(self):
        objective = self.make_objective()
        theta = np.zeros(objective.shape)
        descent = Descent(
            objective, theta, FullHessian, (ClassFactors, FullHessian), Tolerance(relative=1e-6)
        )
        for _ in range(4):
            descent.advance()
            before = pickle.dumps([descent.theta, descent.gap, descent.lower_bound, descent.loss])
            n_evaluations, model = objective.n_evaluations, descent.model
            for _ in range(3):
                descent._due_model()
                descent._affordable_model()
                descent._has_vanished()
            after = pickle.dumps([descent.theta, descent.gap, descent.lower_bound, descent.loss])
            assert after == before
            assert objective.n_evaluations == n_evaluations
            assert descent.model is model

    def test_a_sum_is_what_is_returned(self, monkeypatch):
        # BLAS may hand back a copy
        objective = self.make_objective()
        rng = np.random.RandomState(0)
        theta, g = (rng.standard_normal(objective.shape) for _ in range(2))
        theta, g = theta - theta.mean(axis=0), g - g.mean(axis=0)
        expected = ClassFactors(objective, theta).solve(g)
        add_gram = hessian_models.add_gram
        monkeypatch.setattr(
            hessian_models, "add_gram", lambda A, *args: add_gram(A.copy(order="F"), *args)
        )
        assert_array_equal(ClassFactors(objective, theta).solve(g), expected)
