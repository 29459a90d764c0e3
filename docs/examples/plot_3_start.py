r"""
Tutorial 3: where the weights begin
===================================

A harder spiral: each of its three arms winds through 8 radians, more than a full turn. Whether a
net learns it depends on where its weights begin. He's start draws them with a variance of 2 over
the number of inputs, so that what a layer hands on is as large as what came in: the factor 2 makes
up for the half that ``max(z, 0)`` cuts off.
"""

# %%
# Train and test
# --------------
# A third of 900 points is held out, as a net that follows the noise does well on what it has seen.

import matplotlib.pyplot as plt
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.model_selection import train_test_split

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.datasets import make_spiral
from sklearn_toynn.inspection import LossCurveDisplay

X, y = make_spiral(900, arm_angle=8.0, shuffle=False, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.33, random_state=0)

# %%
# Three starts
# ------------
# The same net, the same 5001 steps of the same length. Only the start differs: He's, weights so
# small that all units do nearly the same, and weights larger than He's by far.

starts = {"He's": "he", "a hundredth": 0.01, "two": 2.0}
nets = {}
for name, init in starts.items():
    nets[name] = TwoLayerNetClassifier(
        200,
        1e-3,
        solver="gd",
        learning_rate=0.1,
        schedule="constant",
        max_iter=5001,
        tol=0,
        init=init,
        random_state=0,
    ).fit(X_train, y_train)
    train, test = nets[name].score(X_train, y_train), nets[name].score(X_test, y_test)
    print(f"{name:12s} train {train:.3f}  test {test:.3f}  loss {nets[name].loss_:.3f}")

# %%
# The way down
# ------------

fig, ax = plt.subplots(layout="constrained")
for name, net in nets.items():
    LossCurveDisplay.from_estimator(net, name=name, ax=ax)

# %%
# What came of it
# ---------------

fig, axes = plt.subplots(1, 3, figsize=(11, 3.9), layout="constrained")
for ax, (name, net) in zip(axes, nets.items(), strict=True):
    DecisionBoundaryDisplay.from_estimator(
        net, X, ax=ax, response_method="predict", alpha=0.4, eps=0.2, grid_resolution=200
    )
    ax.scatter(*X_test.T, c=y_test, edgecolor="k", s=14)
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.set_title(f"{name}: {net.score(X_test, y_test):.0%} of the test points")

# %%
# From tiny weights the net has hardly set out when the steps are over. From large ones the bends
# are sharp at once, which a spiral of more than a turn is in need of: more of the test points are
# right, though the loss is higher, as the penalty counts those weights. He's start asks for
# nothing to be known about the data, and is where nets with ``max(z, 0)`` begin here.
#
# Adam's steps do not depend on the size of the gradient. On small batches, under a weaker penalty,
# it takes a fraction of the epochs, from He's start:

adam = TwoLayerNetClassifier(
    200, 1e-4, learning_rate=0.03, batch_size=32, max_iter=300, random_state=0
).fit(X_train, y_train)
print(f"Adam, {adam.n_iter_} epochs: test {adam.score(X_test, y_test):.3f}")
