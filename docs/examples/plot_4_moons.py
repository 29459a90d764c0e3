"""
Tutorial 4: how wide a net should be
====================================

Two classes form two interleaving half moons of 200 points. This tutorial shows how many hidden
units a net needs to separate them, and what additional units do.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.
"""

# %%
# From a line to fifty hidden units
# ---------------------------------
# The penalty is very weak at first, so only the number of hidden units limits the nets. L-BFGS
# trains each net until its gradient is nearly zero. The titles show the share of right
# predictions, first for the points shown and then for 2000 new points.

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
weak = {"reg": 1e-7, "activation": "tanh", "solver": "lbfgs", "max_iter": 5000, "tol": 1e-3}
weak |= {"random_state": 0}


def show(models, X, y, X_new, y_new):
    """Draw the decision regions of models, by name, and return both scores of each."""
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


models = {"logistic regression": LogisticRegression()}
models |= {f"{h} hidden unit{'s' * (h > 1)}": TwoLayerNetClassifier(h, **weak) for h in (1, 3, 50)}
for model in models.values():
    model.fit(X, y)
scores = show(models, X, y, X_new, y_new)

# %%
# Logistic regression and the net with one hidden unit separate the classes by a straight line.
# With three hidden units, the border follows the moons. With fifty, it bends around single points:
# the net is right on every point shown, but worse on new points.

line, one, three, fifty = scores.values()
assert abs(one[1] - line[1]) < 0.01
assert three[1] > line[1] + 0.08
assert fifty[0] == 1
assert fifty[1] < three[1] - 0.01

# %%
# A penalty on fifty hidden units
# -------------------------------
# A stronger penalty makes the border smoother.

regs = (1e-7, 1e-5, 1e-3, 1e-2)
models = {f"reg={reg:g}": TwoLayerNetClassifier(50, **weak | {"reg": reg}) for reg in regs}
for model in models.values():
    model.fit(X, y)
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
# Each dot is the score of a net with other initial weights.

results = {
    f"{h} hidden units\nreg={reg:g}": [
        TwoLayerNetClassifier(h, **weak | {"reg": reg, "random_state": seed})
        .fit(X, y)
        .score(X_new, y_new)
        for seed in range(10)
    ]
    for h, reg in ((3, 1e-7), (50, 1e-7), (50, 1e-3))
}
fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
offsets = np.linspace(-0.15, 0.15, 10)
for place, values in enumerate(results.values()):
    ax.plot(place + offsets, values, "o", markersize=8)
ax.set_xticks(range(3), results)
_ = ax.set(ylabel="share right of 2000 new points", title="Ten initializations", xlim=(-0.5, 2.5))

# %%
# Three hidden units are enough, but from some initial weights the training ends in a local minimum
# that is as poor as a straight line. Fifty hidden units with a weak penalty overfit. With a
# stronger penalty, their score is good and almost the same from all initial weights.
#
# So choose a net that is wide enough, and tune the penalty. ``TwoLayerNetClassifierCV`` does this
# by cross-validation.

narrow, wide, wide_penalized = results.values()
assert np.median(narrow) > 0.96
assert min(narrow) < line[1] + 0.01
assert np.median(wide) < np.median(narrow) - 0.01
assert min(wide_penalized) > 0.96
assert np.ptp(wide_penalized) < 0.005

# %%
# Exercise: train on mini-batches
# -------------------------------
# An epoch is one pass over the points. With all points in one batch, an epoch has one gradient
# step. With batches of ten points it has twenty steps, each with a less exact gradient.

steps = {"reg": 1e-4, "learning_rate": 1.0, "schedule": "constant", "max_iter": 300, "tol": 0}
sgd = {"solver": "sgd", "batch_size": 10, "momentum": 0.0}
full_batch = TwoLayerNetClassifier(5, **weak | steps | {"solver": "gd"}).fit(X, y)
mini_batches = TwoLayerNetClassifier(5, **weak | steps | sgd).fit(X, y)

# %%
# Exercise: a decreasing step size
# --------------------------------
# The gradients of mini-batches are noisy. A step size that decreases to zero removes the noise.

cosine = {"schedule": "cosine"}
annealed = TwoLayerNetClassifier(5, **weak | steps | sgd | cosine).fit(X, y)
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
# In the same number of epochs, mini-batches reach a lower objective than one batch. The cosine
# schedule removes the noise at the end and gives the lowest objective.

assert annealed.loss_ < mini_batches.loss_ < full_batch.loss_
assert np.std(annealed.loss_curve_[-20:]) < 0.1 * np.std(mini_batches.loss_curve_[-20:])

# %%
# Exercise: activation functions
# ------------------------------
# The border is curved with the first three activation functions below. With ``"identity"`` the net
# is linear, so its border is a straight line.

models = {
    name: TwoLayerNetClassifier(10, 1e-4, activation=name, max_iter=2000, random_state=0)
    for name in ("relu", "tanh", "logistic", "identity")
}
for model in models.values():
    model.fit(X, y)
by_activation = show(models, X, y, X_new, y_new)
for name, (_, new) in by_activation.items():
    assert abs(new - line[1]) < 0.01 if name == "identity" else new > line[1] + 0.05

# %%
# Exercise: three classes and four layers
# ---------------------------------------
# Three classes need no additional code. ``MultiLayerNetClassifier`` takes a tuple with the sizes
# of its hidden layers. Three hidden layers and the output layer make four layers.


def add_class(X, y, n, random_state):
    """Add a third class above the moons."""
    third, _ = make_blobs(n, centers=[[0.5, 1.9]], cluster_std=0.3, random_state=random_state)
    return np.vstack([X, third]), np.r_[y, np.full(n, 2)]


X3, y3 = add_class(X, y, 100, random_state=0)
X3_new, y3_new = add_class(X_new, y_new, 1000, random_state=1)
penalty = {"reg": 1e-3}
models = {
    "two layers": TwoLayerNetClassifier(10, **weak | penalty),
    "four layers": MultiLayerNetClassifier((10, 10, 10), **weak | penalty),
}
for model in models.values():
    model.fit(X3, y3)
two, four = show(models, X3, y3, X3_new, y3_new).values()

# %%
# The additional layers do not improve the score on new points here.

assert two[1] > 0.95
assert abs(four[1] - two[1]) < 0.01
plt.show()
