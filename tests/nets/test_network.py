"""Nets as views on flat parameters, and their objective."""

import numpy as np
from kernel_cases import Reference, make_network, make_samples
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_toynn._nets.loss import Objective


def test_the_objective_at_other_parameters_does_not_change_the_net():
    widths = (3, 5, 2)
    network, samples = make_network(widths), make_samples(widths, 20)
    objective, before = Objective(network, samples, 0.3), network.parameters.copy()
    other, reference = before[::-1].copy(), Reference(network, samples, 0.3)
    assert_allclose(objective.value_at(other), reference.value(other), rtol=1e-12)
    assert_allclose(objective.value(), reference.value(before), rtol=1e-12)
    assert_array_equal(network.parameters, before)
    objective.kernels.value_and_gradient()
    _, gradient = reference.value_and_gradient(before)
    assert_allclose(objective.largest_gradient_entry(), np.abs(gradient).max(), rtol=1e-10)
