r"""
Tutorial 2: how a net learns
============================

A net learns by going down the gradient of its loss. This page derives that gradient, writes it in
ten lines of NumPy, and holds these against a stencil, against automatic differentiation, and then
against the package.

The model
---------

A row x has d features, the hidden layer h units, and there are K classes:

.. math::

   z = x W_1 + b_1, \qquad a = \max(z, 0), \qquad s = a W_2 + b_2, \qquad
   p_k = \frac{e^{s_k}}{\sum_j e^{s_j}}

The loss of a row of class y is :math:`-\log p_y`. With the penalty on the weights, the objective
of n rows is

.. math::

   L = -\frac1n \sum_i \log p^{(i)}_{y_i}
   + \frac{\lambda}{2} \left(\lVert W_1 \rVert^2 + \lVert W_2 \rVert^2\right)

From the back to the front
--------------------------

Write the loss of a row as :math:`-s_y + \log \sum_j e^{s_j}`. A change of a score changes it by

.. math:: \delta_k = \frac{\partial}{\partial s_k} = p_k - [k = y]

what the model says, less what is so. All else is the chain rule: each step back multiplies by the
matrix that was multiplied by on the way there, and a unit that was cut off passes nothing on:

.. math::

   \frac{\partial}{\partial W_2} = a^T \delta, \qquad
   \frac{\partial}{\partial a} = \delta W_2^T, \qquad
   \frac{\partial}{\partial z} = \delta W_2^T \cdot [z > 0], \qquad
   \frac{\partial}{\partial W_1} = x^T \frac{\partial}{\partial z}
"""

# %%
# In ten lines
# ------------

import autograd.numpy as anp
import matplotlib.pyplot as plt
import numpy as np
from autograd import grad
from scipy.special import log_softmax

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.datasets import make_spiral

X, y = make_spiral(90, shuffle=False, random_state=0)
n, reg, own = len(X), 1e-3, (np.arange(90), y)


def value_and_gradient(W1, b1, W2, b2):
    z = X @ W1 + b1
    a = np.maximum(z, 0)
    log_p = log_softmax(a @ W2 + b2, axis=1)
    loss = -log_p[own].mean() + reg / 2 * ((W1**2).sum() + (W2**2).sum())
    delta = np.exp(log_p)
    delta[own] -= 1
    delta /= n
    dz = delta @ W2.T * (z > 0)
    return loss, [X.T @ dz + reg * W1, dz.sum(axis=0), a.T @ delta + reg * W2, delta.sum(axis=0)]


rng = np.random.RandomState(0)
parameters = [rng.standard_normal(shape) / 2 for shape in [(2, 8), (8,), (8, 3), (3,)]]
loss, gradient = value_and_gradient(*parameters)
print(f"loss {loss:.6f}")

# %%
# Held against a stencil
# ----------------------
# A derivative is a limit of differences. Five points give it to the fourth order of their
# distance, so that a distance of 1e-4 leaves what rounding does. (It must not reach over a kink
# of the loss, where a unit of some row is just being cut off.)


def by_stencil(place, index, step=1e-4):
    values = []
    for factor in (-2, -1, 1, 2):
        moved = [array.copy() for array in parameters]
        moved[place][index] += factor * step
        values.append(value_and_gradient(*moved)[0])
    return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)


for place, name in enumerate(("W1", "b1", "W2", "b2")):
    worst = max(
        abs(by_stencil(place, index) - gradient[place][index])
        for index in np.ndindex(gradient[place].shape)
    )
    print(f"{name}: the largest difference from the stencil is {worst:.0e}")

# %%
# Held against automatic differentiation
# --------------------------------------
# The loss alone is written down; `autograd` finds the gradient by the same chain rule, step by
# step.


def objective(parameters):
    W1, b1, W2, b2 = parameters
    s = anp.maximum(X @ W1 + b1, 0) @ W2 + b2
    losses = anp.log(anp.sum(anp.exp(s), axis=1)) - s[own]
    return anp.mean(losses) + reg / 2 * (anp.sum(W1**2) + anp.sum(W2**2))


for name, one, other in zip(
    ("W1", "b1", "W2", "b2"), gradient, grad(objective)(parameters), strict=True
):
    print(f"{name}: the largest difference from autograd is {abs(one - other).max():.0e}")

# %%
# Held against the package
# ------------------------
# A step of length 0.5 down the gradient, by hand and by
# :class:`~sklearn_toynn.TwoLayerNetClassifier` from the same weights. Its biases begin at zero,
# so ours do.


def start(_random_state, _fan_in, fan_out):
    return parameters[0] if fan_out == 8 else parameters[2]


parameters[1][:], parameters[3][:] = 0, 0
steps, losses = [array.copy() for array in parameters], []
for _ in range(100):
    loss, gradient = value_and_gradient(*steps)
    losses.append(loss)
    steps = [array - 0.5 * change for array, change in zip(steps, gradient, strict=True)]

net = TwoLayerNetClassifier(
    8, reg, solver="gd", learning_rate=0.5, schedule="constant", max_iter=100, tol=0, init=start
).fit(X, y)
for name, one, other in zip(
    ("W1", "b1", "W2", "b2"),
    steps,
    (net.coefs_[0], net.intercepts_[0], net.coefs_[1], net.intercepts_[1]),
    strict=True,
):
    print(f"{name}: after 100 steps the largest difference is {abs(one - other).max():.0e}")

fig, ax = plt.subplots(layout="constrained")
ax.plot(losses, linewidth=6, alpha=0.3, label="by the ten lines")
ax.plot(net.loss_curve_, label="by the package")
ax.set(xlabel="step", ylabel="loss", title="100 steps down the same gradient")
_ = ax.legend()
