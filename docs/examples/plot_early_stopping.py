"""
Early stopping, and a bar that shows how far it is
==================================================

A net that is wide for its data goes on to learn their noise. Rows set aside see it happen: their
loss rises again, and the weights of its lowest point are kept.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.inspection import LossCurveDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, train_size=500, stratify=y, random_state=0
)

# %%
# With and without
# ----------------
# ``early_stopping=True`` sets a tenth of the rows aside, by class. ``n_iter_no_change`` is how
# long it waits for a lower loss.

settings = {
    "hidden_size": 300,
    "reg": 1e-6,
    "learning_rate": 0.002,
    "schedule": "constant",
    "max_iter": 300,
    "tol": 0,
}
stopped = TwoLayerNetClassifier(
    **settings, early_stopping=True, n_iter_no_change=30, random_state=0
).fit(X_train, y_train)
_ = LossCurveDisplay.from_estimator(stopped)
print(
    f"ended at epoch {stopped.n_iter_} by {stopped.stop_reason_}, "
    f"kept epoch {stopped.best_iter_}: "
    f"{stopped.score(X_test, y_test):.1%} right"
)

# %%
# Rows of one's own
# -----------------
# ``fit(..., X_val=..., y_val=...)`` takes the rows from you, as where they are of a later year.

own = TwoLayerNetClassifier(**settings, n_iter_no_change=30, random_state=0)
own.fit(X_train, y_train, X_val=X_test[:300], y_val=y_test[:300])
fig, ax = plt.subplots(layout="constrained")
LossCurveDisplay.from_estimator(stopped, name="a tenth of the rows", ax=ax)
LossCurveDisplay.from_estimator(own, name="300 rows of one's own", ax=ax)

# %%
# A progress bar
# --------------
# From 1.9 on, scikit-learn has one, which needs `rich`. It is set on the outermost estimator, here
# the net itself; a search or a pipeline hands it on.

from sklearn.callback import ProgressBar, ScoringMonitor

monitor = ScoringMonitor(scoring=["accuracy"])
net = TwoLayerNetClassifier(50, max_iter=20, random_state=0)
net.set_callbacks(ProgressBar(), monitor).fit(X_train, y_train)
epochs = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
for epoch in (0, 4, 9, 19):
    print(f"epoch {epoch:2d}: {epochs[epoch]['accuracy']:.0%} of the training rows")
