r"""
Tutorial 3: how to initialize the weights
=========================================

Before training, a net draws its weights at random. This tutorial compares three ways to draw them,
on a spiral that is harder than the spiral of the first tutorial: each of its three arms winds
through 8 radians, more than a full turn.

The method of He et al. is the default of ``TwoLayerNetClassifier``. It draws the weights of a
layer from a normal distribution with mean 0 and variance 2 / n, where n is the number of inputs of
the layer. On average, the outputs of a layer then have the same mean square as its inputs, so the
values neither grow nor shrink from layer to layer. The factor 2 makes up for the activation
``max(z, 0)``, which sets about half of the values to zero.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.
"""

# %%
# The data
# --------
# A third of the 900 points is the test set. The other points are the training set.

import matplotlib.pyplot as plt
from matplotlib.colors import ListedColormap
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.model_selection import train_test_split

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.datasets import make_spiral
from sklearn_toynn.inspection import LossCurveDisplay

X, y = make_spiral(900, arm_angle=8.0, shuffle=False, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=1 / 3, random_state=0)

# %%
# Three initializations
# ---------------------
# Three nets take 5000 steps of gradient descent. They differ only in their initial weights:
#
# - ``init="he"`` is the method of He et al. Here the standard deviation of the weights is 1 in the
#   first layer, which has two inputs, and 0.1 in the second layer, which has 200 inputs.
# - ``init=0.01`` draws all weights with a standard deviation of 0.01, which is very small.
# - ``init=2.0`` draws all weights with a standard deviation of 2, which is large.

nets = {}
for init in ("he", 0.01, 2.0):
    nets[f"init={init!r}"] = TwoLayerNetClassifier(
        hidden_size=200,
        reg=1e-3,  # the strength of the penalty on the squared weights
        solver="gd",  # gradient descent: each step uses all training points
        learning_rate=0.1,  # the step size
        schedule="constant",  # all steps use the same step size
        max_iter=5000,
        tol=0,  # no early end: run max_iter steps
        init=init,
        random_state=0,  # the seed of the random weights
    ).fit(X_train, y_train)
for name, net in nets.items():
    train, test = net.score(X_train, y_train), net.score(X_test, y_test)
    print(f"{name:10s}  train {train:.3f}  test {test:.3f}  objective {net.loss_:.3f}")

fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
for name, net in nets.items():
    LossCurveDisplay.from_estimator(net, ax=ax, line_kwargs={"label": name})
ax.legend()
_ = ax.set(xlabel="step", ylabel="objective")

# %%
# The decision regions
# --------------------
# The colors of the regions are the predictions. The points are the test set.

colors = ["tab:blue", "tab:orange", "tab:green"]
fig, axes = plt.subplots(1, 3, figsize=(10, 3.8), layout="constrained")
for ax, (name, net) in zip(axes, nets.items(), strict=True):
    DecisionBoundaryDisplay.from_estimator(
        net,
        X,
        ax=ax,
        response_method="predict",
        multiclass_colors=colors,
        alpha=0.4,
        eps=0.2,
        grid_resolution=200,
    )
    ax.scatter(*X_test.T, c=y_test, cmap=ListedColormap(colors), edgecolor="k", s=14)
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.set_title(f"{name}: {net.score(X_test, y_test):.0%} right")

# %%
# - ``init=0.01``: with very small weights, the gradient is small. The objective hardly falls in
#   the first 200 steps, and after 5000 steps the net has learned little.
# - ``init="he"``: this net has the lowest objective.
# - ``init=2.0``: this net has the best test score, although its objective is the highest. The
#   objective is the loss plus the penalty. This net has a lower loss than the net with
#   ``init="he"``, but the penalty on its large weights is high. Large weights can make sharp
#   bends, and this spiral needs them.
#
# All three objectives are still falling after 5000 steps. So the comparison shows how fast the
# nets learn, not what they can learn.
#
# Should you choose large weights, then? Not in general: the best standard deviation depends on the
# data, the number of units and the solver. The next section shows that the initial weights matter
# much less with the default solver.

he, small, large = nets.values()
assert small.loss_curve_[0] - small.loss_curve_[200] < 0.01
assert small.score(X_test, y_test) < 0.7
assert small.score(X_test, y_test) < he.score(X_test, y_test) < large.score(X_test, y_test)
assert he.loss_ < small.loss_ < large.loss_
assert all(net.loss_curve_[-1] < net.loss_curve_[-1000] - 0.01 for net in nets.values())
penalties = [1e-3 / 2 * sum((W**2).sum() for W in net.coefs_) for net in (he, large)]
assert large.loss_ - penalties[1] < he.loss_ - penalties[0]

# %%
# With Adam
# ---------
# The default solver is Adam. It divides the step of each weight by a running average of the size
# of the gradient of this weight, so a small gradient does not mean a small step. Here Adam uses
# all training points in each step, like gradient descent above. The code below trains six nets:
# three with the penalty of the nets above, and three with a weaker penalty.

adam = {
    "hidden_size": 200,
    "solver": "adam",
    "batch_size": len(X_train),  # all points in one batch, so an epoch is one step
    "learning_rate": 0.01,
    "schedule": "constant",  # all steps use the same learning rate
    "max_iter": 1000,
    "tol": 0,  # no early end: run max_iter steps
    "random_state": 0,
}
results = {}
for reg in (1e-3, 1e-4):
    for init in ("he", 0.01, 2.0):
        net = TwoLayerNetClassifier(reg=reg, init=init, **adam).fit(X_train, y_train)
        results[reg, init] = net.loss_, net.score(X_test, y_test)
        print(f"Adam, reg={reg:g}, init={init!r:4}", end="  ")
        print("test {1:.3f}  objective {0:.3f}".format(*results[reg, init]))

# %%
# With the same penalty, ``reg=1e-3``, Adam reaches a lower objective in 1000 steps than gradient
# descent in 5000 steps. The three initializations now end with nearly the same objective and test
# score. With a weaker penalty, ``reg=1e-4``, all three nets are right on about 99 % of the test
# points.
#
# So keep the default initialization, and tune the penalty.

losses, scores = zip(*(results[1e-3, init] for init in ("he", 0.01, 2.0)), strict=True)
assert max(losses) < he.loss_ - 0.05
assert max(losses) - min(losses) < 0.02
assert max(scores) - min(scores) < 0.02
assert min(results[1e-4, init][1] for init in ("he", 0.01, 2.0)) > 0.98
plt.show()
