"""
Early stopping, and watching the training
=========================================

A net with many hidden units and almost no penalty on its weights can overfit: the loss on the
training set still falls while the loss on new rows rises. Early stopping sets some rows aside as a
validation set, and ends the training when the loss on these rows no longer falls. The net keeps
the weights of the epoch with the lowest validation loss. An epoch is one pass over the training
set.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.inspection import LossCurveDisplay
from sklearn_toynn.model_selection import FusedGridSearchCV

X, y = make_classification(6000, 20, n_informative=6, flip_y=0.2, random_state=0)
X_train, X_rest, y_train, y_rest = train_test_split(
    X, y, train_size=2000, stratify=y, random_state=0
)
X_val, X_test, y_val, y_test = train_test_split(
    X_rest, y_rest, train_size=1000, stratify=y_rest, random_state=0
)

# %%
# With and without early stopping
# -------------------------------
# The labels of one row in five are random, so a net that fits the training set perfectly has
# learned noise. The code below trains three nets with 100 hidden units:
#
# - The first net has almost no penalty and runs all 200 epochs.
# - The second net differs only in ``early_stopping=True``: ``fit`` sets a tenth of the rows aside
#   as a validation set. Training stops when the validation loss has not improved for 20 epochs.
# - The third net runs all epochs, but has a stronger penalty. Cross-validation on the training set
#   chooses the penalty.

settings = {
    "hidden_size": 100,
    "reg": 1e-6,  # almost no penalty
    "learning_rate": 0.002,
    "schedule": "constant",  # all epochs use the same learning rate
    "max_iter": 200,  # the largest number of epochs
    "tol": 0,  # without a validation set, run all epochs
    "n_iter_no_change": 20,  # with a validation set, wait for 20 epochs
    "random_state": 0,
}
search = FusedGridSearchCV(
    TwoLayerNetClassifier(**settings), {"reg": [1e-4, 1e-3, 1e-2, 1e-1]}, scoring="neg_log_loss"
).fit(X_train, y_train)
nets = {
    "all epochs": TwoLayerNetClassifier(**settings),
    "early stopping": TwoLayerNetClassifier(**settings | {"early_stopping": True}),
    f"all epochs, reg={search.best_params_['reg']}": search.best_estimator_,
}
losses = {}
for name, net in nets.items():
    net.fit(X_train, y_train)
    losses[name] = log_loss(y_test, net.predict_proba(X_test))
    print(f"{name:20s}  {net.n_iter_:3d} epochs", end="  ")
    print(f"test accuracy {net.score(X_test, y_test):.3f}  log loss {losses[name]:.3f}")

# %%
# Early stopping lowers the log loss on the test set. The stronger penalty lowers it further here.
# With a penalty, all rows are left for training.

assert search.best_params_ == {"reg": 0.01}
assert nets["all epochs"].n_iter_ == search.best_estimator_.n_iter_ == 200
assert losses["early stopping"] < losses["all epochs"] - 0.1
assert losses["all epochs, reg=0.01"] < losses["early stopping"] - 0.02

# %%
# Your own validation set
# -----------------------
# You can also pass a validation set to ``fit`` as ``X_val`` and ``y_val``, for example rows of a
# later year. This alone turns early stopping on: ``early_stopping`` may stay False.
#
# The solid lines of the figure show the training objective, the mean loss on the training set plus
# the penalty. The dashed lines show the validation loss. The dots mark the epochs with the lowest
# validation loss. Training ends 20 epochs later. Until then, the objective falls further while the
# validation loss does not.

own = TwoLayerNetClassifier(**settings)
own.fit(X_train, y_train, X_val=X_val, y_val=y_val)
fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
LossCurveDisplay.from_estimator(nets["early stopping"], name="a tenth of the rows", ax=ax)
LossCurveDisplay.from_estimator(own, name="your own rows", ax=ax)
ax.set(xlabel="epoch", yscale="linear")

for net in (nets["early stopping"], own):
    curve = net.validation_loss_curve_
    assert net.stop_reason_ == "validation"
    assert net.n_iter_ < 200
    assert net.best_iter_ == net.n_iter_ - 1 - 20
    assert curve[-1] > curve[net.best_iter_] == min(curve)
    assert net.loss_curve_[-1] < net.loss_curve_[net.best_iter_]

# %%
# Watching the training
# ---------------------
# A callback is an object that scikit-learn calls during training, for example after each epoch.
# Callbacks need scikit-learn 1.9 or later. This example sets two of them:
#
# - ``ProgressBar`` shows how many epochs are done. It needs the package ``rich``.
# - ``ScoringMonitor`` computes scores on the training set after each epoch.
#
# If the net is part of a pipeline or a search, call ``set_callbacks`` of the pipeline or search.
# It passes the callbacks on to the net.

from sklearn.callback import ProgressBar, ScoringMonitor

monitor = ScoringMonitor(scoring=["accuracy"])
net = TwoLayerNetClassifier(hidden_size=50, max_iter=20, random_state=0)
net.set_callbacks(ProgressBar(), monitor).fit(X_train, y_train)
epochs = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
for epoch in (0, 4, 9, 19):
    print(f"epoch {epoch:2d}: training accuracy {epochs[epoch]['accuracy']:.0%}")
plt.show()
