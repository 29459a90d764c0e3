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

X, y = make_spiral(shuffle=False, random_state=0)
colors = ["tab:blue", "tab:orange", "tab:green"]
points = {"c": y, "cmap": ListedColormap(colors), "edgecolor": "k", "s": 22}
fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
ax.scatter(*X.T, **points)
_ = ax.set(aspect="equal", title="300 points on three arms", xticks=[], yticks=[])

# %%
# Two models
# ----------
# The linear classifier computes one score for each class, a weighted sum of the two coordinates.
# It predicts the class with the highest score. The net first computes 100 weighted sums, the
# hidden units, and replaces negative values by zero. Its scores are weighted sums of the hidden
# units.
#
# Both models minimize the same objective. It is the mean of -log p over the points, where p is the
# predicted probability of the right class, plus ``reg / 2`` times the sum of the squared weights.
#
# This tutorial trains both by plain gradient descent. ``learning_rate`` is the step size.

settings = {
    "reg": 1e-3,
    "solver": "gd",
    "schedule": "constant",  # all steps use the same step size
    "tol": 0,  # no early end: run max_iter steps
    "init": 0.01,  # the initial weights are drawn from N(0, 0.01^2)
    "random_state": 0,
}
line = SoftmaxClassifier(learning_rate=1.0, max_iter=200, **settings).fit(X, y)
net = TwoLayerNetClassifier(100, learning_rate=1.0, max_iter=10_000, **settings).fit(X, y)

# %%
# The decision regions
# --------------------
# The linear classifier divides the plane by straight lines. The net bends its borders around the
# arms.

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
    ax.set_title(f"{name}: {model.score(X, y):.0%} of the points are right")
assert 0.45 < line.score(X, y) < 0.55
assert net.score(X, y) > 0.95

# %%
# The loss curves
# ---------------
# The linear model stops improving after about a hundred steps. The net improves for thousands of
# steps.
#
# With a step size of 1.0, the curve of the net has spikes between 100 and 1000 steps. The step
# size is too large for the objective there. In a direction in which the second derivative of the
# objective exceeds 2 divided by the step size, gradient descent overshoots, and the objective
# rises. The objective falls again when the weights have reached a region with smaller second
# derivatives. A step size of 0.3 gives no spikes, but needs more steps to reach the same
# objective.

small_steps = TwoLayerNetClassifier(100, learning_rate=0.3, max_iter=10_000, **settings).fit(X, y)
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
# With the default solvers, you need not choose a step size. ``SoftmaxClassifier`` takes
# quasi-Newton steps, and ``gap_`` bounds the relative distance of the objective to its minimum.
# The net uses Adam on mini-batches, with a step size that decreases.

exact = SoftmaxClassifier(1e-3).fit(X, y)
quick = TwoLayerNetClassifier(100, 1e-3, max_iter=500, random_state=0).fit(X, y)
print(f"linear: objective {line.loss_:.5f} after 200 gradient steps")
print(f"linear: objective {exact.loss_:.5f} after {exact.n_iter_} quasi-Newton steps", end=", ")
print(f"proven to be within {exact.gap_:.0e} (relative) of the minimum")
print(f"net:    {quick.score(X, y):.0%} of the points are right after {quick.n_iter_} epochs")
assert exact.n_iter_ < 10
assert exact.loss_ < line.loss_
assert exact.gap_ < 1e-6
assert quick.score(X, y) > 0.95
plt.show()
