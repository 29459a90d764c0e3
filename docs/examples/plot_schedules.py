"""
Schedules: how the step size decreases
======================================

Training moves the weights of a net in many small steps. Each step uses a mini-batch, a random part
of the rows, so its direction is not exact. If the steps stay large, they keep the weights away
from the minimum. If they get small too early, training ends before it reaches the minimum.

The size of a step is ``learning_rate`` times a factor. The schedule computes this factor from the
progress p, the completed fraction of the training: p is 0 at the first step and close to 1 at the
last.

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
# The parameter ``schedule`` takes a name or a function of p. This example defines the function
# ``warm_up``: its factor rises to 1 in the first tenth of the training, and then falls linearly.
# The figure does not show ``"plateau"``, because its factor depends on the loss: it starts at 1,
# and is divided by 5 each time the loss stops falling.


def warm_up(p):
    return max(min(p / 0.1, (1 - p) / 0.9), 0.01)


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
# The nets below differ only in their schedules. The curves show the objective, the mean loss plus
# the penalty on the weights. An epoch is one pass over all rows, and each value of a curve is the
# mean over the mini-batches of an epoch. The legend shows the final objective on all rows.

schedules = {name: name for name in ("constant", "inverse", "cosine", "plateau")}
schedules["warm_up"] = warm_up
nets = {
    name: TwoLayerNetClassifier(
        hidden_size=64,
        reg=1e-4,
        learning_rate=0.02,  # twice the default of the solver "adam"
        schedule=schedule,
        max_iter=60,  # the number of epochs
        tol=0,  # no early end: run all epochs
        random_state=0,
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
# schedules end close to each other. The default, ``"auto"``, is ``"cosine"`` for the solvers with
# mini-batches, "adam" and "sgd". With the solver "gd", each step uses all rows, and ``"auto"`` is
# ``"constant"``.

final = {name: net.loss_ for name, net in nets.items()}
constant = final.pop("constant")
assert constant > 1.3 * max(final.values())
assert max(final.values()) < 1.15 * min(final.values())
spread = {name: np.std(net.loss_curve_[-20:]) for name, net in nets.items()}
assert spread["constant"] > 3 * max(spread[name] for name in final)
plt.show()
