"""
Schedules: how the step size decreases
======================================

The step size is ``learning_rate`` times a factor. The schedule computes this factor from the
progress p, the fraction of the epochs that are done. If the step size stays large, the noise of
the mini-batches keeps the weights away from the minimum. If it falls too early, training ends
before the minimum.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.
"""

# sphinx_gallery_thumbnail_number = 2  # noqa: ERA001
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.inspection import LossCurveDisplay

X, y = load_digits(return_X_y=True)
X = X / 16

# %%
# The factors
# -----------
# A schedule is a name or a function of p. The function ``warm_up`` rises to 1 and then falls
# linearly. ``"plateau"`` is not shown, because its factor depends on the training: it divides the
# step size by 5 each time the loss stops falling.


def warm_up(p):
    return min(p / 0.1, (1 - p) / 0.9) + 0.01


p = np.linspace(0, 1, 200)
factors = {
    "constant": np.ones_like(p),
    "inverse": 1 / (1 + 9 * p),
    "cosine": (1 + np.cos(np.pi * p)) / 2,
    "warm_up": [warm_up(x) for x in p],
}
fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
for name, factor in factors.items():
    ax.plot(p, factor, label=name)
ax.set(xlabel="progress p", ylabel="factor")
_ = ax.legend()

# %%
# The loss curves
# ---------------
# The nets differ only in their schedules.

schedules = {name: name for name in ("constant", "inverse", "cosine", "plateau")}
schedules["warm_up"] = warm_up
nets = {
    name: TwoLayerNetClassifier(
        64, 1e-4, learning_rate=0.02, schedule=schedule, max_iter=60, tol=0, random_state=0
    ).fit(X, y)
    for name, schedule in schedules.items()
}
fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
for name, net in nets.items():
    label = f"{name}: {net.loss_:.4f}"
    LossCurveDisplay.from_estimator(net, ax=ax, line_kwargs={"label": label})
ax.legend(title="schedule: final objective")
_ = ax.set(xlabel="epoch", ylabel="objective", title="Adam on the digits")

# %%
# With a constant step size, the objective ends much higher and keeps fluctuating. The other
# schedules end close to each other. The default, ``"auto"``, stands for ``"cosine"`` here.

final = {name: net.loss_ for name, net in nets.items()}
constant = final.pop("constant")
assert constant > 1.3 * max(final.values())
assert max(final.values()) < 1.15 * min(final.values())
spread = {name: np.std(net.loss_curve_[-20:]) for name, net in nets.items()}
assert spread["constant"] > 3 * max(spread[name] for name in final)
plt.show()
