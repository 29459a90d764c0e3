"""
Tutorial 4: how wide should it be
=================================

Two classes, two half moons that reach into each other, 200 points. How many hidden units does a
net need to tell them apart, and what do more of them do?
"""

# %%
# The baseline
# ------------
# Logistic regression draws the best straight line.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_blobs, make_moons
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.linear_model import LogisticRegression

from sklearn_toynn import MultiLayerNetClassifier, TwoLayerNetClassifier
from sklearn_toynn.inspection import LossCurveDisplay

X, y = make_moons(200, noise=0.2, random_state=0)
X_new, y_new = make_moons(2000, noise=0.2, random_state=1)  # that no model has seen
# L-BFGS goes down to the bottom, so that what is seen is the width and not where the steps ended
settings = {"reg": 1e-4, "activation": "tanh", "solver": "lbfgs", "max_iter": 5000, "tol": 1e-3}
settings |= {"random_state": 0}


def show(models, titles, X, y, n_columns):
    n_rows = -(-len(models) // n_columns)
    _, axes = plt.subplots(
        n_rows, n_columns, figsize=(2.8 * n_columns, 2.9 * n_rows), layout="constrained"
    )
    for ax in axes.flat[len(models) :]:
        ax.set_axis_off()
    for ax, model, title in zip(axes.flat, models, titles, strict=False):
        DecisionBoundaryDisplay.from_estimator(
            model, X, ax=ax, response_method="predict", alpha=0.4, eps=0.4, grid_resolution=150
        )
        ax.scatter(*X.T, c=y, edgecolor="k", s=12)
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
        ax.set_title(title, fontsize="small")


# %%
# From one unit to fifty
# ----------------------
# One unit makes one bend, which is none: its border is a line again. Three follow the moons. Fifty
# follow single points, which does nothing for new ones. In each title stands the share that is
# right, of the points shown and of 2000 new ones.

widths = [1, 2, 3, 4, 5, 20, 50]
models = [LogisticRegression().fit(X, y)]
models += [TwoLayerNetClassifier(h, **settings).fit(X, y) for h in widths]
names = ["logistic regression", *(f"{h} unit{'s' * (h > 1)}" for h in widths)]
titles = [
    f"{name}: {model.score(X, y):.1%}, new {model.score(X_new, y_new):.1%}"
    for name, model in zip(names, models, strict=True)
]
show(models, titles, X, y, 4)

# %%
# A penalty does what a narrow layer does
# ---------------------------------------
# Fifty units under stronger penalties: the borders become smooth again.

regs = [1e-4, 1e-3, 1e-2, 1e-1]
models = [TwoLayerNetClassifier(50, **settings | {"reg": reg}).fit(X, y) for reg in regs]
titles = [
    f"reg={reg:g}: {model.score(X, y):.1%}, new {model.score(X_new, y_new):.1%}"
    for reg, model in zip(regs, models, strict=True)
]
show(models, titles, X, y, 4)

# %%
# Exercise: small batches
# -----------------------
# A step from twenty rows costs a tenth of one from all, and points nearly the same way.

steps = {"learning_rate": 0.3, "schedule": "constant", "max_iter": 300, "tol": 0}
whole = TwoLayerNetClassifier(5, **settings | steps | {"solver": "gd"}).fit(X, y)
batches = settings | steps | {"solver": "sgd", "momentum": 0.0}
small = TwoLayerNetClassifier(5, batch_size=20, **batches).fit(X, y)

# %%
# Exercise: anneal the steps
# --------------------------
# Small batches make for noise, which a step that shrinks takes out.

annealed = TwoLayerNetClassifier(5, batch_size=20, **batches | {"schedule": "cosine"}).fit(X, y)
fig, ax = plt.subplots(layout="constrained")
LossCurveDisplay.from_estimator(whole, name="all rows", ax=ax)
LossCurveDisplay.from_estimator(small, name="batches of 20", ax=ax)
LossCurveDisplay.from_estimator(annealed, name="batches of 20, cosine", ax=ax)

# %%
# Exercise: other bends
# ---------------------
# Each activation bends in its way; without any, the net is a line again.

activations = ["relu", "leaky_relu", "logistic", "tanh", "gelu", "silu", "identity"]
models = [
    TwoLayerNetClassifier(10, 1e-4, activation=name, max_iter=500, random_state=0).fit(X, y)
    for name in activations
]
titles = [
    f"{name}: new {model.score(X_new, y_new):.1%}"
    for name, model in zip(activations, models, strict=True)
]
show(models, titles, X, y, 4)

# %%
# Exercise: three classes, four layers
# ------------------------------------
# A third class needs no other code, and a third hidden layer needs a longer tuple.

blob, _ = make_blobs(100, centers=[[0.5, 1.9]], cluster_std=0.3, random_state=0)
X3, y3 = np.vstack([X, blob]), np.r_[y, np.full(100, 2)]
two = TwoLayerNetClassifier(10, **settings).fit(X3, y3)
four = MultiLayerNetClassifier((10, 10, 10), **settings).fit(X3, y3)
titles = [f"{name}: {m.score(X3, y3):.1%}" for name, m in [("10", two), ("10, 10, 10", four)]]
show([two, four], titles, X3, y3, 2)
