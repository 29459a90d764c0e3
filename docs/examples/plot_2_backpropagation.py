r"""
Tutorial 2: how a net learns
============================

A net learns by gradient descent: each step subtracts a multiple of the gradient of the objective
from the weights and biases. This tutorial derives the gradient and computes it in ten lines of
NumPy. It then compares the result with finite differences, with automatic differentiation, and
with this package.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.

The model
---------

The input x is a row vector of d features. The hidden layer has h units, and there are K classes.
The net computes the hidden values z, the outputs a of the hidden layer, one score for each class,
and the probabilities of the classes:

.. math::

   z = x W_1 + b_1, \qquad a = \max(z, 0), \qquad s = a W_2 + b_2, \qquad
   p_k = \frac{e^{s_k}}{\sum_j e^{s_j}}

The loss of a row of class y is :math:`-\log p_y`. The objective L is the mean loss of the n rows
plus a penalty on the squared weights. The factor :math:`\lambda` is called ``reg`` in the code:

.. math::

   L = -\frac1n \sum_i \log p^{(i)}_{y_i}
   + \frac{\lambda}{2} \left(\lVert W_1 \rVert^2 + \lVert W_2 \rVert^2\right)

Backpropagation
---------------

Backpropagation computes the derivatives from the last layer to the first. Inserting the formula of
:math:`p_y` gives the loss of a row as a function of the scores:
:math:`\ell = -s_y + \log \sum_j e^{s_j}`. Its derivative with respect to the score of class k is

.. math:: \delta_k = \frac{\partial \ell}{\partial s_k} = p_k - [k = y]

The bracket :math:`[k = y]` is 1 for the class y and 0 for the other classes. So
:math:`\delta_k` is the predicted probability minus the true one.

The chain rule gives the other derivatives. The step back from the scores to the hidden units
multiplies by the transposed weights :math:`W_2^T`. The step back through :math:`\max(z, 0)`
multiplies elementwise by its derivative, which is 1 for positive z and 0 for negative z:

.. math::

   \frac{\partial \ell}{\partial W_2} = a^T \delta, \qquad
   \frac{\partial \ell}{\partial a} = \delta W_2^T, \qquad
   \frac{\partial \ell}{\partial z} = \delta W_2^T \cdot [z > 0], \qquad
   \frac{\partial \ell}{\partial W_1} = x^T \frac{\partial \ell}{\partial z}

The derivatives with respect to the biases :math:`b_2` and :math:`b_1` are :math:`\delta` and
:math:`\partial \ell / \partial z`.

The gradient of L is the mean of these derivatives over the rows, plus :math:`\lambda W_1` and
:math:`\lambda W_2`, the derivatives of the penalty.
"""

# %%
# In ten lines of NumPy
# ---------------------
# The data are 90 points of a spiral with two features and three classes. ``X`` holds one point in
# each row, so the code computes all points at once. A product with ``X.T`` or ``a.T`` sums over
# the points. The line ``delta /= n`` turns these sums into means.

import autograd.numpy as anp
import matplotlib.pyplot as plt
import numpy as np
from autograd import grad
from scipy.special import log_softmax

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.datasets import make_spiral

X, y = make_spiral(90, shuffle=False, random_state=0)
n, reg = len(X), 1e-3
true_class = np.arange(n), y  # log_p[true_class] takes log_p[i, y[i]] from each row i


def value_and_gradient(W1, b1, W2, b2):
    z = X @ W1 + b1
    a = np.maximum(z, 0)
    log_p = log_softmax(a @ W2 + b2, axis=1)  # the logarithms of the probabilities
    loss = -log_p[true_class].mean() + reg / 2 * ((W1**2).sum() + (W2**2).sum())
    delta = np.exp(log_p)
    delta[true_class] -= 1  # subtract [k = y]
    delta /= n
    dz = delta @ W2.T * (z > 0)
    return loss, [X.T @ dz + reg * W1, dz.sum(axis=0), a.T @ delta + reg * W2, delta.sum(axis=0)]


names = ("W1", "b1", "W2", "b2")
shapes = [(2, 8), (8,), (8, 3), (3,)]  # two features, eight hidden units, three classes
rng = np.random.RandomState(0)
parameters = [rng.standard_normal(shape) / 2 for shape in shapes]
loss, gradient = value_and_gradient(*parameters)
print(f"objective at random weights: {loss:.6f}")

# %%
# Comparison with finite differences
# ----------------------------------
# A finite difference approximates a derivative without any formula. It moves one weight a little,
# and divides the change of the objective by the change of the weight. The code below combines four
# moves, because this is more accurate than one. All finite differences agree with the gradient
# within 1e-10.


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
# The package ``autograd`` needs only the code of the objective. It applies the chain rule to each
# operation in this code. Its gradient agrees with the ten lines within 1e-14.


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
# Now the ten lines and ``TwoLayerNetClassifier`` each take 100 steps of gradient descent with a
# step size of 0.5: each step subtracts 0.5 times the gradient. Both start from the same weights.
# ``TwoLayerNetClassifier`` always starts from biases of zero, so the ten lines do the same.
#
# The parameter ``init`` of the net can be a function that returns the initial weights of a layer.
# The net calls it once for each layer, with a random number generator, the number of inputs of the
# layer and the number of its outputs. This function ignores the generator.

W1, b1, W2, b2 = parameters
start = [W1, np.zeros_like(b1), W2, np.zeros_like(b2)]
initial_weights = {(2, 8): W1, (8, 3): W2}


def init(_rng, n_inputs, n_outputs):
    return initial_weights[n_inputs, n_outputs]


current, losses = start, []
for _ in range(100):
    loss, gradient = value_and_gradient(*current)
    losses.append(loss)
    current = [array - 0.5 * change for array, change in zip(current, gradient, strict=True)]

net = TwoLayerNetClassifier(
    hidden_size=8,
    reg=reg,
    solver="gd",  # gradient descent: each step uses all points
    learning_rate=0.5,  # the step size
    schedule="constant",  # all steps use the same step size
    max_iter=100,
    tol=0,  # no early end: run max_iter steps
    init=init,
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

# %%
# The weights and biases after 100 steps agree within 1e-12, and so do the objectives of all steps.

assert np.allclose(losses, net.loss_curve_, rtol=0, atol=1e-12)
plt.show()
