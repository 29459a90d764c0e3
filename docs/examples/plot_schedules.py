"""
Schedules: how the steps shrink
===============================

A step that stays long keeps the weights on the move; one that shrinks too soon leaves them short
of the bottom. The schedule says by which factor a step is shorter, as the share p of the epochs
goes by.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.inspection import LossCurveDisplay

X, y = load_digits(return_X_y=True)
X = X / 16

# %%
# Four by name, one of one's own
# ------------------------------
# A callable gets p, from 0 to 1, and returns the factor. This one warms up, then falls linearly.
# ("plateau" has no such formula: it divides the step by 5 when the loss no longer falls.)


def warm_up(progress):
    return min(progress / 0.1, (1 - progress) / 0.9) + 0.01


schedules = {name: name for name in ("constant", "inverse", "cosine", "plateau")}
schedules["warm up"] = warm_up
nets = {
    name: TwoLayerNetClassifier(
        64, 1e-4, learning_rate=0.02, schedule=schedule, max_iter=60, tol=0, random_state=0
    ).fit(X, y)
    for name, schedule in schedules.items()
}

# %%
# What they come to
# -----------------

fig, ax = plt.subplots(layout="constrained")
for name, net in nets.items():
    LossCurveDisplay.from_estimator(net, name=f"{name}, {net.loss_:.4f}", ax=ax)
_ = ax.set_title("Adam on the digits; the legend shows the final objective")

# %%
# "auto", the default, is "cosine" where the number of epochs is meant to be run through.

p = np.linspace(0, 1, 200)
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(p, (1 + np.cos(np.pi * p)) / 2, label="cosine")
ax.plot(p, [warm_up(x) for x in p], label="warm up")
ax.set(xlabel="progress p", ylabel="factor")
_ = ax.legend()
