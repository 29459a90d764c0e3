"""
Imbalanced classes
==================

About one row in twenty belongs to the class that matters. A classifier predicts this class if its
probability exceeds a threshold, by default 0.5. Most rows are of the other class, so the
probability of the rare class seldom exceeds 0.5, and the classifier misses many rows of this
class.

This example compares four models: a net, a net with class weights, the first net with a tuned
threshold, and the first net with a threshold that follows from costs. Three scores describe their
predictions:

- The recall is the share of the rows of the rare class that a model finds.
- The precision is the share of right predictions among the rows that a model assigns to the rare
  class.
- The balanced accuracy is the mean of the recall of the rare class and the recall of the other
  class.

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
from sklearn.model_selection import (
    FixedThresholdClassifier,
    TunedThresholdClassifierCV,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import TwoLayerNetClassifier

X, y = make_classification(
    8000, 20, n_informative=8, n_clusters_per_class=3, weights=[0.95], flip_y=0.02, random_state=0
)
assert 0.04 < y.mean() < 0.07
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# Four models
# -----------
# - "no weights" is a net with the default threshold.
# - "balanced weights" is trained with ``class_weight="balanced"``: each row of the rare class gets
#   a larger weight, so that both classes have the same total weight.
# - "tuned threshold" is the first net with another threshold. ``TunedThresholdClassifierCV``
#   chooses the threshold with the best balanced accuracy by cross-validation.
# - "threshold by costs" is the first net, too. Suppose that a missed row of the rare class costs
#   10. A false alarm is a row of the other class that is predicted to be rare. It costs 1. Let p
#   be the probability that a row belongs to the rare class. The expected cost is 10 p without an
#   alarm, and 1 - p with an alarm. The alarm is cheaper if p exceeds 1 / 11, so 1 / 11 is the
#   threshold.
#
# The last column of the table is the total cost of the errors on the test set.

settings = {
    "hidden_size": 50,
    "reg": 3e-3,  # the penalty on the squared weights
    "random_state": 0,
}
plain = make_pipeline(StandardScaler(), TwoLayerNetClassifier(**settings))
weighted = make_pipeline(
    StandardScaler(), TwoLayerNetClassifier(class_weight="balanced", **settings)
)
models = {
    "no weights": plain,
    "balanced weights": weighted,
    "tuned threshold": TunedThresholdClassifierCV(plain, scoring="balanced_accuracy", cv=3),
    "threshold by costs": FixedThresholdClassifier(plain, threshold=1 / 11),
}
recall, precision, balanced, loss, cost = {}, {}, {}, {}, {}
print(f"{'':20}recall  precision  balanced accuracy  log loss  cost")
for name, model in models.items():
    predicted = model.fit(X_train, y_train).predict(X_test)
    recall[name] = recall_score(y_test, predicted)
    precision[name] = precision_score(y_test, predicted)
    balanced[name] = balanced_accuracy_score(y_test, predicted)
    loss[name] = log_loss(y_test, model.predict_proba(X_test))
    missed, false_alarms = (y_test > predicted).sum(), (y_test < predicted).sum()
    cost[name] = 10 * missed + false_alarms
    print(f"{name:20}{recall[name]:6.2f}{precision[name]:11.2f}", end="")
    print(f"{balanced[name]:19.2f}{loss[name]:10.3f}{cost[name]:6}")

# %%
# With class weights or a lower threshold, the net finds more rows of the rare class: the recall
# and the balanced accuracy rise. The price is more false alarms: the precision falls. At these
# costs, the lower thresholds are worth it: their total cost is lower than at the threshold 0.5.
#
# The net with weights learns from data in which both classes seem equally frequent. Its
# probabilities of the rare class are therefore too high, and its log loss is higher. A threshold
# does not change the probabilities.

assert recall["no weights"] < 0.6
for name in list(models)[1:]:
    assert recall[name] > recall["no weights"] + 0.05
    assert balanced[name] > balanced["no weights"] + 0.03
    assert precision[name] < precision["no weights"] - 0.1
for name in ("tuned threshold", "threshold by costs"):
    assert cost[name] < 0.9 * cost["no weights"]
    assert abs(loss[name] - loss["no weights"]) < 1e-9
assert weighted.predict_proba(X_test)[:, 1].mean() > 2 * y_test.mean()
assert loss["balanced weights"] > loss["no weights"] + 0.05

# %%
# All thresholds
# --------------
# Each curve shows the precision and the recall of a net at all thresholds. The average precision
# (AP) summarizes a curve. Higher is better. Here the net without weights has the higher average
# precision. So train without weights, and choose the threshold by the costs of the errors.

fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
for name in ("no weights", "balanced weights"):
    PrecisionRecallDisplay.from_estimator(models[name], X_test, y_test, name=name, ax=ax)
ax.set(xlabel="recall", ylabel="precision")

average_precision = [
    average_precision_score(y_test, model.predict_proba(X_test)[:, 1])
    for model in (plain, weighted)
]
assert average_precision[0] > average_precision[1] + 0.02
plt.show()
