"""
Tutorial 1: what a hidden layer is for
======================================

Three classes lie in three arms of a spiral. No straight line tells them apart, so a linear
classifier is right for one point in two. One hidden layer is enough to follow the arms.

This is the first of four tutorials. The others show :ref:`how a net learns
<sphx_glr_auto_examples_plot_2_backpropagation.py>`, :ref:`where its weights begin
<sphx_glr_auto_examples_plot_3_start.py>` and :ref:`how wide it should be
<sphx_glr_auto_examples_plot_4_moons.py>`.
"""

# %%
# The data
# --------

import matplotlib.pyplot as plt
from sklearn.inspection import DecisionBoundaryDisplay

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn.datasets import make_spiral
from sklearn_toynn.inspection import LossCurveDisplay

X, y = make_spiral(shuffle=False, random_state=0)
fig, ax = plt.subplots(figsize=(4, 4), layout="constrained")
ax.scatter(*X.T, c=y, edgecolor="k")
_ = ax.set(aspect="equal", title="300 points, three arms", xticks=[], yticks=[])

# %%
# A line, and a bend
# ------------------
# A linear classifier gives each class a score that is a weighted sum of the two coordinates, and
# says the class of the highest. The net computes 100 weighted sums first, cuts each off below
# zero, and gives its scores by weighted sums of these. Both minimise the mean of -log p over the
# points, where p is the probability of the right class, plus half of `reg` times the squared
# weights.
#
# Here both go down the gradient by steps of constant length, as plainly as can be.

line = SoftmaxClassifier(
    1e-3, solver="gd", learning_rate=1.0, schedule="constant", max_iter=200, tol=0, init=0.01
)
net = TwoLayerNetClassifier(
    100,
    1e-3,
    solver="gd",
    learning_rate=1.0,
    schedule="constant",
    max_iter=10_000,
    tol=0,
    init=0.01,
)
models = {"linear": line, "one hidden layer": net}
for model in models.values():
    model.set_params(random_state=0).fit(X, y)

# sphinx_gallery_thumbnail_number = 2  # noqa: ERA001

# %%
# Where each draws its borders
# ----------------------------

fig, axes = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained")
for ax, (name, model) in zip(axes, models.items(), strict=True):
    DecisionBoundaryDisplay.from_estimator(
        model, X, ax=ax, response_method="predict", alpha=0.4, eps=0.2, grid_resolution=300
    )
    ax.scatter(*X.T, c=y, edgecolor="k", s=18)
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.set_title(f"{name}: {model.score(X, y):.0%} of the points are right")

# %%
# How they came there
# -------------------
# The line has nothing left to learn after a hundred steps. The net goes on for thousands.

display = LossCurveDisplay.from_estimator(line, name="linear")
LossCurveDisplay.from_estimator(net, name="one hidden layer", ax=display.ax_)
_ = display.ax_.set_xscale("log")

# %%
# The same without waiting
# ------------------------
# Nobody has to choose steps. The linear model has solvers that find its minimum exactly, and say
# how near they came; the net has Adam on small batches with a step that shrinks.

exact = SoftmaxClassifier(1e-3).fit(X, y)
quick = TwoLayerNetClassifier(100, 1e-3, max_iter=500, random_state=0).fit(X, y)
print(
    f"linear:  loss {line.loss_:.5f} by 200 steps, {exact.loss_:.5f} by {exact.n_iter_} of Newton"
)
print(f"         which is at most {exact.gap_:.0e} of itself above the least that there is")
print(f"net:     {quick.score(X, y):.0%} right after {quick.n_iter_} epochs")
