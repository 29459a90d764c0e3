"""
Imbalanced classes
==================

About one row in twenty belongs to the class that matters. This example compares three models: a
net, a net with class weights, and a net with a tuned threshold. The recall is the share of the
rare class that a model finds. The precision is the share of right predictions among the rows that
a model assigns to the rare class.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.metrics import (
    PrecisionRecallDisplay,
    average_precision_score,
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
assert 0.04 < y.mean() < 0.07
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# Three models
# ------------

plain = make_pipeline(StandardScaler(), TwoLayerNetClassifier(50, random_state=0))
weighted = make_pipeline(
    StandardScaler(), TwoLayerNetClassifier(50, class_weight="balanced", random_state=0)
)
tuned = TunedThresholdClassifierCV(plain, scoring="balanced_accuracy", cv=3)
models = {"no weights": plain, "balanced weights": weighted, "tuned threshold": tuned}
recall, balanced, loss = {}, {}, {}
print(f"{'':18s}{'recall':>8}{'precision':>11}{'balanced accuracy':>19}{'log loss':>10}")
for name, model in models.items():
    predicted = model.fit(X_train, y_train).predict(X_test)
    precision = precision_score(y_test, predicted)
    recall[name] = recall_score(y_test, predicted)
    balanced[name] = balanced_accuracy_score(y_test, predicted)
    loss[name] = log_loss(y_test, model.predict_proba(X_test))
    print(
        f"{name:18s}{recall[name]:8.2f}{precision:11.2f}{balanced[name]:19.2f}{loss[name]:10.3f}"
    )

# %%
# With class weights or a tuned threshold, the net finds more rows of the rare class. Both have
# about the same balanced accuracy. The weights make the probabilities worse, as the log loss
# shows. A threshold does not change the probabilities.

for name in ("balanced weights", "tuned threshold"):
    assert recall[name] > recall["no weights"] + 0.05
assert abs(balanced["balanced weights"] - balanced["tuned threshold"]) < 0.03
assert loss["balanced weights"] > loss["no weights"] + 0.05
assert abs(loss["tuned threshold"] - loss["no weights"]) < 1e-9

# %%
# All thresholds
# --------------
# Each curve shows the precision and recall of a net for all thresholds. The net without weights
# has the higher average precision (AP), so weights have no advantage over a threshold here. Train
# without weights, and choose the threshold by the costs of the two kinds of errors.

fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
for name in ("no weights", "balanced weights"):
    PrecisionRecallDisplay.from_estimator(models[name], X_test, y_test, name=name, ax=ax)
ax.set(xlabel="recall", ylabel="precision")

average_precision = [
    average_precision_score(y_test, model.predict_proba(X_test)[:, 1])
    for model in (plain, weighted)
]
assert average_precision[0] > average_precision[1]
plt.show()
