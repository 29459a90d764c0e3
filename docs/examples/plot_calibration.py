"""
Are the predicted probabilities calibrated?
===========================================

This example predicts whether a handwritten digit is even, from three of the eight rows of pixels.
It compares logistic regression, one net, and the average of eight nets.

A model is calibrated if, of the digits with a predicted probability near 0.8, eight in ten are
even. The reliability curve shows this share for each predicted probability. A calibrated model
follows the diagonal. The curve of an overconfident model is flatter than the diagonal.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.
"""

# %%
# Out-of-fold probabilities
# -------------------------
# In 5-fold cross-validation, each digit gets its probability from a model that was not trained on
# this digit. The log loss and the Brier score are lower for better probabilities.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibrationDisplay, calibration_curve
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import TwoLayerNetClassifier

X, digits = load_digits(return_X_y=True)
X, is_even = X[:, 16:40], digits % 2 == 0

models = {
    "logistic regression": LogisticRegression(max_iter=1000),
    "one net": TwoLayerNetClassifier(random_state=0),
    "eight nets": TwoLayerNetClassifier(n_nets=8, random_state=0),
}
probabilities, scores = {}, {}
print(f"{'':20} accuracy  log loss  Brier score")
for name, model in models.items():
    pipeline = make_pipeline(StandardScaler(), model)
    p = cross_val_predict(pipeline, X, is_even, method="predict_proba")[:, 1]
    probabilities[name] = p
    scores[name] = (
        accuracy_score(is_even, p > 0.5),
        log_loss(is_even, p),
        brier_score_loss(is_even, p),
    )
    print("{:20} {:8.3f} {:9.3f} {:12.4f}".format(name, *scores[name]))

# %%
# The nets are better than the logistic regression in all three scores. Eight nets have a lower log
# loss and Brier score than one net.

linear, one, eight = scores.values()
assert one[0] > linear[0] + 0.1
assert eight[0] > linear[0] + 0.1
assert eight[1] < one[1] < linear[1]
assert eight[2] < one[2] < linear[2]

# %%
# Reliability curves
# ------------------
# The probabilities are divided into six bins of equal width.

n_bins = 6
fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
for name, p in probabilities.items():
    CalibrationDisplay.from_predictions(is_even, p, n_bins=n_bins, name=name, ax=ax)
_ = ax.set(xlabel="predicted probability of an even digit", ylabel="share of even digits")

# %%
# How confident the models are
# ----------------------------

fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
counts = [np.histogram(p, n_bins, (0, 1))[0] for p in probabilities.values()]
places = (np.arange(n_bins) + 0.5) / n_bins
for offset, name, count in zip((-0.045, 0, 0.045), models, counts, strict=True):
    ax.bar(places + offset, count, 0.045, label=name)
ax.set(xlabel="predicted probability of an even digit", ylabel="digits")
_ = ax.legend(loc="upper center")

# %%
# The nets give about nine in ten digits a probability in the first or the last bin. Few digits are
# left for the other bins, so the curves of the nets are less certain there.
#
# The calibration error is the mean distance between a curve and the diagonal, weighted by the
# number of digits in each bin. It is below 0.05 for all models. So the nets have better scores
# because they are more confident, not because they are better calibrated.

for (name, p), count in zip(probabilities.items(), counts, strict=True):
    observed, predicted = calibration_curve(is_even, p, n_bins=n_bins)
    error = np.average(abs(observed - predicted), weights=count)
    confident = (count[0] + count[-1]) / len(is_even)
    print(f"{name:20} calibration error {error:.3f}, confident about {confident:.0%}")
    assert error < 0.05
    assert confident < 0.6 if name == "logistic regression" else 0.85 < confident < 0.95
plt.show()
