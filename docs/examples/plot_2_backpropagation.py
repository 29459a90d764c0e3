r"""
Tutorial 2: how a net learns
============================

A net learns by gradient descent on its objective. This tutorial derives the gradient and writes it
in ten lines of NumPy. It then compares these lines with finite differences, with automatic
differentiation, and with this package.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.

The model
---------

A row x has d features. The hidden layer has h units, and there are K classes:

.. math::

   z = x W_1 + b_1, \qquad a = \max(z, 0), \qquad s = a W_2 + b_2, \qquad
   p_k = \frac{e^{s_k}}{\sum_j e^{s_j}}

The loss of a row of class y is :math:`-\log p_y`. The objective is the mean loss of the n rows
plus a penalty on the squared weights:

.. math::

   L = -\frac1n \sum_i \log p^{(i)}_{y_i}
   + \frac{\lambda}{2} \left(\lVert W_1 \rVert^2 + \lVert W_2 \rVert^2\right)

Backpropagation
---------------

The loss of a row is :math:`\ell = -s_y + \log \sum_j e^{s_j}`. Its derivative with respect to a
score is the predicted probability minus the true probability. The true probability
:math:`[k = y]` is 1 for the class y and 0 for the other classes:

.. math:: \delta_k = \frac{\partial \ell}{\partial s_k} = p_k - [k = y]

The other derivatives follow from the chain rule. Each step back through a layer multiplies by the
transposed weights of this layer. Where :math:`\max(z, 0)` is zero, its derivative is zero too:

.. math::

   \frac{\partial \ell}{\partial W_2} = a^T \delta, \qquad
   \frac{\partial \ell}{\partial a} = \delta W_2^T, \qquad
   \frac{\partial \ell}{\partial z} = \delta W_2^T \cdot [z > 0], \qquad
   \frac{\partial \ell}{\partial W_1} = x^T \frac{\partial \ell}{\partial z}

The derivatives with respect to the biases :math:`b_2` and :math:`b_1` are :math:`\delta` and
:math:`\partial \ell / \partial z`.
"""

# %%
# In ten lines of NumPy
# ---------------------
# ``X`` holds all rows, so a product with ``X.T`` also sums over the rows.

import autograd.numpy as anp
import matplotlib.pyplot as plt
import numpy as np
from autograd import grad
from scipy.special import log_softmax

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.datasets import make_spiral

X, y = make_spiral(90, shuffle=False, random_state=0)
n, reg = len(X), 1e-3
true_class = np.arange(n), y  # the index of each row's entry of its class


def value_and_gradient(W1, b1, W2, b2):
    z = X @ W1 + b1
    a = np.maximum(z, 0)
    log_p = log_softmax(a @ W2 + b2, axis=1)
    loss = -log_p[true_class].mean() + reg / 2 * ((W1**2).sum() + (W2**2).sum())
    delta = np.exp(log_p)
    delta[true_class] -= 1
    delta /= n
    dz = delta @ W2.T * (z > 0)
    return loss, [X.T @ dz + reg * W1, dz.sum(axis=0), a.T @ delta + reg * W2, delta.sum(axis=0)]


names = ("W1", "b1", "W2", "b2")
rng = np.random.RandomState(0)
parameters = [rng.standard_normal(shape) / 2 for shape in [(2, 8), (8,), (8, 3), (3,)]]
loss, gradient = value_and_gradient(*parameters)
print(f"objective at random weights: {loss:.6f}")

# %%
# Comparison with finite differences
# ----------------------------------
# A difference of values of the objective at nearby weights approximates a derivative. With four
# values, the error is of the order of the fourth power of the step. With a step of 1e-4, all
# differences from the gradient are below 1e-10. The approximation is valid if no entry of z
# changes its sign within the step.


def finite_difference(place, index, step=1e-4):
    values = []
    for factor in (-2, -1, 1, 2):
        moved = [array.copy() for array in parameters]
        moved[place][index] += factor * step
        values.append(value_and_gradient(*moved)[0])
    return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)


for place, name in enumerate(names):
    largest = max(
        abs(finite_difference(place, index) - gradient[place][index])
        for index in np.ndindex(gradient[place].shape)
    )
    print(f"{name}: largest difference from finite differences {largest:.0e}")
    assert largest < 1e-10

# %%
# Comparison with automatic differentiation
# -----------------------------------------
# `autograd` needs only the objective. It applies the chain rule to each operation and returns the
# gradient.


def objective(parameters):
    W1, b1, W2, b2 = parameters
    s = anp.maximum(X @ W1 + b1, 0) @ W2 + b2
    losses = anp.log(anp.sum(anp.exp(s), axis=1)) - s[true_class]
    return anp.mean(losses) + reg / 2 * (anp.sum(W1**2) + anp.sum(W2**2))


for name, ours, theirs in zip(names, gradient, grad(objective)(parameters), strict=True):
    largest = abs(ours - theirs).max()
    print(f"{name}: largest difference from autograd {largest:.0e}")
    assert largest < 1e-14

# %%
# Comparison with the package
# ---------------------------
# The ten lines and :class:`~sklearn_toynn.TwoLayerNetClassifier` take 100 gradient steps with a
# step size of 0.5 from the same weights. ``TwoLayerNetClassifier`` always starts with biases of
# zero, so the biases are set to zero here too.


def init(_rng, _fan_in, fan_out):
    return parameters[0] if fan_out == 8 else parameters[2]


parameters[1][:], parameters[3][:] = 0, 0
current, losses = [array.copy() for array in parameters], []
for _ in range(100):
    loss, gradient = value_and_gradient(*current)
    losses.append(loss)
    current = [array - 0.5 * change for array, change in zip(current, gradient, strict=True)]

net = TwoLayerNetClassifier(
    8, reg, solver="gd", learning_rate=0.5, schedule="constant", max_iter=100, tol=0, init=init
).fit(X, y)
fitted = (net.coefs_[0], net.intercepts_[0], net.coefs_[1], net.intercepts_[1])
for name, ours, theirs in zip(names, current, fitted, strict=True):
    largest = abs(ours - theirs).max()
    print(f"{name}: largest difference after 100 steps {largest:.0e}")
    assert largest < 1e-12

fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
ax.plot(losses, linewidth=3, label="ten lines of NumPy")
ax.plot(range(0, 100, 5), net.loss_curve_[::5], "o", label="TwoLayerNetClassifier")
ax.set(xlabel="step", ylabel="objective", title="100 gradient steps")
ax.legend()
plt.show()
