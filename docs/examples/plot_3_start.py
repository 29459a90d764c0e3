r"""
Tutorial 3: how to initialize the weights
=========================================

This spiral is harder than the one of the first tutorial: each of its three arms winds through 8
radians, more than a full turn. Whether gradient descent learns it in 5000 steps depends on the
initial weights.

He's initialization draws the weights of a layer from a normal distribution with variance 2 divided
by the number of inputs. On average, the outputs of a layer then have the same mean square as its
inputs. The factor 2 compensates for ``max(z, 0)``, which sets the negative half of the values to
zero.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.
"""

# %%
# The data
# --------
# A third of the 900 points is the test set.

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
# Three nets take 5000 steps of gradient descent. They differ only in their initial weights.
# ``init="he"`` is He's initialization. If ``init`` is a number, it is the standard deviation of
# all weights. The standard deviation of He's initialization is 1 for the first layer, which has
# two inputs, and 0.1 for the second layer, which has 200. So 0.01 is very small, and 2 is large.

nets = {}
for init in ("he", 0.01, 2.0):
    nets[f"init={init!r}"] = TwoLayerNetClassifier(
        200,
        1e-3,
        solver="gd",
        learning_rate=0.1,
        schedule="constant",
        max_iter=5000,
        tol=0,
        init=init,
        random_state=0,
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
# The points are those of the test set.

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
# - With very small weights, the gradient is small, and the objective hardly falls at first. After
#   5000 steps this net has learned little.
# - With He's initialization, the final objective is the lowest of the three.
# - With large weights, the test score is the best. Large weights can make sharp bends, and this
#   spiral needs them. The final objective is higher than with He's initialization because the
#   penalty on the large weights is high. The loss without the penalty is lower.
#
# All three objectives are still falling after 5000 steps.
#
# He's initialization is the default for nets with ``max(z, 0)``. It needs no tuning, because it
# depends on the sizes of the layers only.

he, small, large = nets.values()
assert small.loss_curve_[0] - small.loss_curve_[200] < 0.01
assert small.score(X_test, y_test) < 0.7
assert small.score(X_test, y_test) < he.score(X_test, y_test) < large.score(X_test, y_test)
assert he.loss_ < small.loss_
assert he.loss_ < large.loss_
assert all(net.loss_curve_[-1] < net.loss_curve_[-1000] - 0.01 for net in nets.values())
penalties = [1e-3 / 2 * sum((W**2).sum() for W in net.coefs_) for net in (he, large)]
assert large.loss_ - penalties[1] < he.loss_ - penalties[0]

# %%
# With Adam
# ---------
# Adam divides each step by a running root mean square of the gradient, so a small gradient does
# not mean a small step. With Adam, mini-batches and a weaker penalty, 300 epochs are enough, even
# from very small weights.

for init in ("he", 0.01):
    adam = TwoLayerNetClassifier(
        200, 1e-4, learning_rate=0.03, batch_size=32, max_iter=300, init=init, random_state=0
    ).fit(X_train, y_train)
    print(f"Adam, init={init!r}, {adam.n_iter_} epochs: test {adam.score(X_test, y_test):.3f}")
    assert adam.score(X_test, y_test) > 0.97
plt.show()
