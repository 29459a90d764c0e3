"""
When one class is rare
======================

One row in twenty is of the class that matters. Weights on the classes, a threshold, or neither?
This compares the three on rows held out, by what they find and what they cry wolf for.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.metrics import (
    PrecisionRecallDisplay,
    balanced_accuracy_score,
    log_loss,
    precision_score,
    recall_score,
)
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import TwoLayerNetClassifier

X, y = make_classification(
    8000, 20, n_informative=8, n_clusters_per_class=3, weights=[0.95], flip_y=0.02, random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# Three models
# ------------

plain = make_pipeline(StandardScaler(), TwoLayerNetClassifier(50, random_state=0))
balanced = make_pipeline(
    StandardScaler(), TwoLayerNetClassifier(50, class_weight="balanced", random_state=0)
)
moved = TunedThresholdClassifierCV(plain, scoring="balanced_accuracy", cv=3)
models = {"as it is": plain, "balanced weights": balanced, "threshold moved": moved}
print(f"{'':18s}{'found':>8}{'true alarms':>13}{'balanced':>10}{'log loss':>10}")
for name, model in models.items():
    predicted = model.fit(X_train, y_train).predict(X_test)
    found, alarms = recall_score(y_test, predicted), precision_score(y_test, predicted)
    balanced_accuracy = balanced_accuracy_score(y_test, predicted)
    loss = log_loss(y_test, model.predict_proba(X_test))
    print(f"{name:18s}{found:8.2f}{alarms:13.2f}{balanced_accuracy:10.2f}{loss:10.3f}")

# %%
# Every threshold at once
# -----------------------
# Weights move along nearly the same curve as a threshold does, and spoil the probabilities on the
# way, as the log loss shows. So: probabilities from the plain net, and a threshold for what an
# error of each kind costs.

fig, ax = plt.subplots(layout="constrained")
for name in ("as it is", "balanced weights"):
    PrecisionRecallDisplay.from_estimator(models[name], X_test, y_test, name=name, ax=ax)
