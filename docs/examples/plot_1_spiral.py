"""
Tutorial 1: what a hidden layer is for
======================================

The points of three classes lie on three arms of a spiral. No straight lines separate the arms, so
a linear classifier predicts the right class for only half of the points. A net with one hidden
layer can follow the arms.

This is the first of four tutorials. The others show :ref:`how a net learns
<sphx_glr_auto_examples_plot_2_backpropagation.py>`, :ref:`how to initialize its weights
<sphx_glr_auto_examples_plot_3_start.py>` and :ref:`how wide it should be
<sphx_glr_auto_examples_plot_4_moons.py>`.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.
"""

# %%
# The data
# --------

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from sklearn.inspection import DecisionBoundaryDisplay

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn.datasets import make_spiral
from sklearn_toynn.inspection import LossCurveDisplay

X, y = make_spiral(shuffle=False, random_state=0)  # sorted by arm, 300 points by default
colors = ["tab:blue", "tab:orange", "tab:green"]
points = {"c": y, "cmap": ListedColormap(colors), "edgecolor": "k", "s": 22}
fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
ax.scatter(*X.T, **points)
_ = ax.set(aspect="equal", title="300 points on three arms", xticks=[], yticks=[])

# %%
# Two models
# ----------
# The linear classifier computes one score for each class: a weighted sum of the two coordinates,
# plus a constant, the bias. The predicted probability of a class is the exponential of its score,
# divided by the sum of the exponentials of all scores. The classifier predicts the class with the
# highest probability.
#
# The net has a hidden layer between the coordinates and the scores. Each of its 100 hidden units
# computes a weighted sum of the coordinates plus a bias, and replaces a negative result by zero.
# The scores are weighted sums of the hidden units, plus biases.
#
# Training chooses the weights and biases that minimize the objective. The objective is the sum of
# two terms:
#
# - the loss: the mean of -log p over the points, where p is the predicted probability of the right
#   class;
# - the penalty: ``reg / 2`` times the sum of the squared weights. It prevents very large weights.
#
# This tutorial trains both models by gradient descent. The gradient holds the derivatives of the
# objective with respect to all weights and biases. Each step subtracts the gradient, times
# ``learning_rate``, from the weights and biases. ``learning_rate`` is also called step size.

settings = {
    "reg": 1e-3,  # the strength of the penalty
    "solver": "gd",  # gradient descent: each step uses all points
    "schedule": "constant",  # all steps use the same step size
    "tol": 0,  # no early end: run max_iter steps
    "init": 0.01,  # the standard deviation of the random initial weights
    "random_state": 0,  # the seed of the random initial weights
}
line = SoftmaxClassifier(learning_rate=1.0, max_iter=200, **settings).fit(X, y)
net = TwoLayerNetClassifier(hidden_size=100, learning_rate=1.0, max_iter=10_000, **settings)
net.fit(X, y)

# %%
# The decision regions
# --------------------
# The background shows the prediction at each place. The linear classifier divides the plane by
# straight lines. The net bends its borders around the arms. It is right on nearly all of the
# points, and on nearly all of 3000 new points of the same spiral.

X_new, y_new = make_spiral(3000, random_state=1)
fig, axes = plt.subplots(1, 2, figsize=(9, 4.7), layout="constrained")
for ax, model, name in zip(axes, (line, net), ("linear", "one hidden layer"), strict=True):
    DecisionBoundaryDisplay.from_estimator(
        model,
        X,
        ax=ax,
        response_method="predict",
        multiclass_colors=colors,
        alpha=0.4,
        eps=0.2,
        grid_resolution=300,
    )
    ax.scatter(*X.T, **points)
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.set_title(f"{name}: {model.score(X, y):.0%} right")
    print(f"{name}: {model.score(X_new, y_new):.0%} of the new points are right")
assert 0.45 < line.score(X, y) < 0.55
assert net.score(X, y) > 0.95
assert net.score(X_new, y_new) > 0.95

# %%
# The loss curves
# ---------------
# The linear model stops improving after about a hundred steps. The net still improves after
# 1000 steps.
#
# With a step size of 1.0, the curve of the net has spikes between 100 and 1000 steps: the
# objective rises for a few steps and falls again. Such spikes occur where the step size is too
# large. The objective has the shape of a valley, and a step that is too long ends higher on the
# opposite slope. The narrower the valley, the shorter the steps must be.
#
# The third curve belongs to a net with a step size of 0.3. It has no spikes, but it needs more
# steps to reach the same objective.

small_steps = TwoLayerNetClassifier(hidden_size=100, learning_rate=0.3, **settings)
small_steps.set_params(max_iter=10_000).fit(X, y)
fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
for model, name in (
    (line, "linear, step size 1.0"),
    (net, "one hidden layer, step size 1.0"),
    (small_steps, "one hidden layer, step size 0.3"),
):
    LossCurveDisplay.from_estimator(model, ax=ax, line_kwargs={"label": name})
ax.legend(loc="lower left")
_ = ax.set(xscale="log", yscale="linear", xlabel="step", ylabel="objective")

curve, smooth = np.array(net.loss_curve_), np.array(small_steps.loss_curve_)
assert line.loss_curve_[100] - line.loss_ < 0.01
assert curve[1000] - net.loss_ > 0.01
assert np.diff(curve[100:1000]).max() > 0.01 > np.diff(curve[1000:]).max()
assert np.diff(smooth).max() < 1e-4
assert (curve < 0.3).argmax() < (smooth < 0.3).argmax()

# %%
# The default solvers
# -------------------
# The default solvers need far fewer passes over the points, and you need not choose a step size.
#
# - ``SoftmaxClassifier`` takes quasi-Newton steps. They use the curvature of the objective to
#   choose their direction and length. ``loss_`` is the final objective.
#   ``gap_`` says how close it is to the minimum: the minimum is at least
#   ``loss_ * (1 - gap_)``.
# - The net uses Adam, a variant of gradient descent that adapts the step of each weight. Adam
#   takes one step for each mini-batch, a random part of the points. One pass over all points is an
#   epoch. The step size starts at a default value and decreases to zero.

exact = SoftmaxClassifier(reg=1e-3).fit(X, y)
quick = TwoLayerNetClassifier(hidden_size=100, reg=1e-3, max_iter=500, random_state=0).fit(X, y)
print(f"linear: objective {line.loss_:.5f} after 200 gradient steps")
print(f"linear: objective {exact.loss_:.5f} after {exact.n_iter_} quasi-Newton steps", end=", ")
print(f"gap {exact.gap_:.0e}")
print(f"net:    {quick.score(X, y):.0%} of the points are right after {quick.n_iter_} epochs")
assert exact.n_iter_ < 10
assert exact.loss_ < line.loss_
assert exact.gap_ < 1e-6
assert quick.score(X, y) > 0.95
plt.show()
