"""Nets as views on flat parameters, and their objective."""

import numpy as np
from kernel_cases import Reference, make_network, make_samples
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_toynn._nets.activations import ACTIVATIONS
from sklearn_toynn._nets.loss import Objective
from sklearn_toynn._nets.network import Network


def test_layers_are_views():
    widths = [3, 5, 2]
    parameters = np.arange(3 * 5 + 5 * 2 + 5 + 2.0)
    network = Network(widths, ACTIVATIONS["relu"], parameters)
    assert_array_equal(network.weights[0], np.arange(15).reshape(5, 3))
    assert_array_equal(network.weights[1], np.arange(15, 25).reshape(2, 5))
    assert_array_equal(network.biases[0], np.arange(25, 30))
    assert_array_equal(network.biases[1], [30, 31])
    assert network.n_weights == 25
    again = Network.from_layers(network.weights, network.biases, network.activation)
    assert again.widths == widths
    assert_array_equal(again.parameters, parameters)
    copy = network.copy()
    for layer in (*network.weights, *network.biases):
        layer[...] = -1
    assert (parameters == -1).all()
    assert_array_equal(copy.parameters, again.parameters)


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
