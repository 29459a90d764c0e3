"""
Tutorial 4: how wide a net should be
====================================

The 200 points of this tutorial form two half moons that interlock, one for each class. How many
hidden units does a net need to separate the classes, and what do more units do? The second half of
the tutorial tries mini-batches, step sizes, activation functions and more layers on the same data.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.
"""

# %%
# From a line to fifty hidden units
# ---------------------------------
# This section compares a logistic regression and three nets of different widths. The width is the
# number of hidden units. The penalty on the squared weights, ``reg``, also limits what a net can
# learn. Here it is so weak that only the width matters.
#
# The titles of the panels show the share of right predictions, first for the 200 points in the
# panel and then for 2000 new points.

# sphinx_gallery_thumbnail_number = 3  # noqa: ERA001
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from sklearn.datasets import make_blobs, make_moons
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.linear_model import LogisticRegression

from sklearn_toynn import MultiLayerNetClassifier, TwoLayerNetClassifier
from sklearn_toynn.inspection import LossCurveDisplay

X, y = make_moons(200, noise=0.2, random_state=0)
X_new, y_new = make_moons(2000, noise=0.2, random_state=1)
weak = {
    "reg": 1e-7,  # almost no penalty
    "activation": "tanh",  # a hidden unit returns tanh of its weighted sum
    "solver": "lbfgs",  # uses all points in each step, chooses its step sizes
    "tol": 1e-3,  # end when no entry of the gradient exceeds 1e-3
    "max_iter": 5000,
    "random_state": 0,  # the seed of the random initial weights
}


def show(models, X, y, X_new, y_new):
    """Draw the decision regions of each model, and return its scores on both sets of points."""
    n_rows = -(-len(models) // 2)
    _, axes = plt.subplots(n_rows, 2, figsize=(8, 3.8 * n_rows), layout="constrained")
    scores = {}
    for ax, (name, model) in zip(axes.flat, models.items(), strict=True):
        cmap = ListedColormap(["tab:blue", "tab:orange", "tab:green"][: len(model.classes_)])
        colors = {"cmap": cmap} if len(model.classes_) == 2 else {"multiclass_colors": cmap.colors}
        DecisionBoundaryDisplay.from_estimator(
            model,
            X,
            ax=ax,
            response_method="predict",
            plot_method="pcolormesh",
            alpha=0.4,
            eps=0.4,
            grid_resolution=300,
            **colors,
        )
        ax.scatter(*X.T, c=y, cmap=cmap, edgecolor="k", s=16)
        scores[name] = model.score(X, y), model.score(X_new, y_new)
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
        ax.set_title(f"{name}: {scores[name][0]:.1%}, new points {scores[name][1]:.1%}")
    return scores


models = {"logistic regression": LogisticRegression(C=1e5)}  # almost no penalty, too
for width in (1, 3, 50):
    name = f"{width} hidden unit{'s' * (width > 1)}"
    models[name] = TwoLayerNetClassifier(hidden_size=width, **weak)
for model in models.values():
    model.fit(X, y)
scores = show(models, X, y, X_new, y_new)

# %%
# Logistic regression and the net with one hidden unit separate the classes by a straight line.
# With three hidden units, the border follows the moons. With fifty hidden units, the border bends
# around single points. This net overfits: it is right on every point shown, but it is worse on new
# points than the net with three hidden units.

line, one, three, fifty = scores.values()
assert abs(one[1] - line[1]) < 0.01
assert three[1] > line[1] + 0.08
assert fifty[0] == 1
assert fifty[1] < three[1] - 0.01
assert all(net.stop_reason_ == "tol" for net in list(models.values())[1:])

# %%
# A penalty on fifty hidden units
# -------------------------------
# A stronger penalty keeps the weights smaller, so the border bends less. The four nets below have
# fifty hidden units and differ only in ``reg``.

models = {}
for reg in (1e-7, 1e-5, 1e-3, 1e-2):
    net = TwoLayerNetClassifier(hidden_size=50, **weak | {"reg": reg})
    models[f"reg={reg:g}"] = net.fit(X, y)
penalized = show(models, X, y, X_new, y_new)

# %%
# With ``reg=1e-3``, fifty hidden units are as good on new points as three. With ``reg=1e-2``, the
# border is nearly a straight line again.

weakest, _, best, strongest = penalized.values()
assert best[1] > weakest[1] + 0.01
assert abs(best[1] - three[1]) < 0.01
assert abs(strongest[1] - line[1]) < 0.01

# %%
# Ten initializations
# -------------------
# Training starts from random weights. How much does the result depend on them? The code below
# trains three kinds of nets from ten initializations each. Each dot is the score of one net on the
# new points.

results = {}
for width, reg in ((3, 1e-7), (50, 1e-7), (50, 1e-3)):
    new_scores = []
    for seed in range(10):
        changed = {"reg": reg, "random_state": seed}
        net = TwoLayerNetClassifier(hidden_size=width, **weak | changed).fit(X, y)
        new_scores.append(net.score(X_new, y_new))
    results[f"{width} hidden units\nreg={reg:g}"] = new_scores
fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
offsets = np.linspace(-0.15, 0.15, 10)
for place, values in enumerate(results.values()):
    ax.plot(place + offsets, values, "o", markersize=8)
ax.set_xticks(range(3), results)
_ = ax.set(ylabel="share right of 2000 new points", title="Ten initializations", xlim=(-0.5, 2.5))

# %%
# - Three hidden units are enough to separate the moons. But from some initial weights, the net
#   ends no better than a straight line.
# - Fifty hidden units with the weak penalty overfit: their median score is lower than the median
#   with three hidden units.
# - Fifty hidden units with the stronger penalty have a good score, and almost the same one from
#   all initial weights.
#
# So choose a net that is wide enough, and tune the penalty. ``TwoLayerNetClassifierCV`` does this:
# it has 100 hidden units by default, and chooses the penalty by cross-validation.

narrow, wide, wide_penalized = results.values()
assert np.median(narrow) > 0.96
assert min(narrow) < line[1] + 0.01
assert np.median(wide) < np.median(narrow) - 0.01
assert min(wide_penalized) > 0.96
assert np.ptp(wide_penalized) < 0.005

# %%
# Mini-batches
# ------------
# So far, each step used all points. On large data, each step uses a mini-batch instead, a small
# random part of the points. One pass over all points is an epoch. With all 200 points in
# one batch, an epoch has one step. With batches of ten points, an epoch has twenty steps, but each
# step uses a less exact gradient.
#
# The inexact gradients make the weights jump around the minimum. Smaller steps lessen these jumps.
# The cosine schedule starts with large steps and decreases the step size to zero, along a half
# wave of the cosine.
#
# The code below trains three nets with five hidden units for 300 epochs each.

settings = weak | {
    "hidden_size": 5,
    "reg": 1e-4,
    "learning_rate": 1.0,  # the step size
    "schedule": "constant",  # all steps use the same step size
    "max_iter": 300,  # the number of epochs
    "tol": 0,  # no early end: run all epochs
}
batches = settings | {
    "solver": "sgd",  # gradient descent on mini-batches
    "batch_size": 10,
    "momentum": 0.0,  # each step uses only its own gradient
}
full_batch = TwoLayerNetClassifier(**settings | {"solver": "gd"}).fit(X, y)
mini_batches = TwoLayerNetClassifier(**batches).fit(X, y)
annealed = TwoLayerNetClassifier(**batches | {"schedule": "cosine"}).fit(X, y)
fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
for model, name in (
    (full_batch, "one batch"),
    (mini_batches, "batches of 10"),
    (annealed, "batches of 10, cosine schedule"),
):
    LossCurveDisplay.from_estimator(model, ax=ax, line_kwargs={"label": name})
ax.legend()
_ = ax.set(xlabel="epoch", ylabel="objective", yscale="linear")

# %%
# Training minimizes the objective, the mean loss plus the penalty. In the same number of epochs,
# mini-batches reach a lower objective than one batch. With the cosine schedule, the curve is
# smooth at the end, and the objective is the lowest.

assert annealed.loss_ < mini_batches.loss_ < full_batch.loss_
assert np.std(annealed.loss_curve_[-20:]) < 0.1 * np.std(mini_batches.loss_curve_[-20:])

# %%
# Activation functions
# --------------------
# The activation function turns the weighted sum z of a hidden unit into its output: max(z, 0) for
# ``"relu"``, tanh(z) for ``"tanh"``, 1 / (1 + exp(-z)) for ``"logistic"`` and z itself for
# ``"identity"``. The first three give curved borders. With ``"identity"`` the net is linear, so
# its border is a straight line.

models = {}
for name in ("relu", "tanh", "logistic", "identity"):
    # the default solver, Adam, is a variant of gradient descent
    net = TwoLayerNetClassifier(
        hidden_size=10, reg=1e-4, activation=name, max_iter=2000, random_state=0
    )
    models[name] = net.fit(X, y)
by_activation = show(models, X, y, X_new, y_new)
for name, (_, new) in by_activation.items():
    assert abs(new - line[1]) < 0.01 if name == "identity" else new > line[1] + 0.05

# %%
# Three classes and four layers
# -----------------------------
# The code for three classes is the same. ``MultiLayerNetClassifier`` takes a tuple with the sizes
# of its hidden layers. If the output layer is counted, too, a net with three hidden layers has
# four layers. Counted in this way, ``TwoLayerNetClassifier`` has two layers.


def add_class(X, y, n, random_state):
    """Add a third class above the moons."""
    third, _ = make_blobs(n, centers=[[0.5, 1.9]], cluster_std=0.3, random_state=random_state)
    return np.vstack([X, third]), np.r_[y, np.full(n, 2)]


X3, y3 = add_class(X, y, 100, random_state=0)
X3_new, y3_new = add_class(X_new, y_new, 1000, random_state=1)
settings = weak | {"reg": 1e-3}
models = {
    "two layers": TwoLayerNetClassifier(hidden_size=10, **settings),
    "four layers": MultiLayerNetClassifier(hidden_layer_sizes=(10, 10, 10), **settings),
}
for model in models.values():
    model.fit(X3, y3)
two, four = show(models, X3, y3, X3_new, y3_new).values()

# %%
# The additional layers do not improve the score on new points here.

assert two[1] > 0.95
assert abs(four[1] - two[1]) < 0.01
plt.show()
