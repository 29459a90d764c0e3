"""
Are the predicted probabilities calibrated?
===========================================

A model is calibrated if its probabilities match the frequencies. For example, of the events to
which it gives a probability near 0.8, eight in ten should happen. An overconfident model predicts
probabilities that are too close to 0 and 1.

This example predicts whether a handwritten digit is even. It compares the probabilities of
logistic regression, one net, and the average of eight nets. The models see only three of the eight
rows of pixels, so they are unsure about some of the digits.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.
"""

# %%
# Out-of-fold probabilities
# -------------------------
# In 5-fold cross-validation, each digit gets its probability from a model that was not trained on
# this digit.
#
# Let p be the predicted probability of the true class. The log loss is the mean of -log p. The
# Brier score is the mean of (1 - p)^2. Both are lower if p is closer to 1.

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
# The probabilities are divided into six bins of equal width. Each point shows one bin: the mean
# predicted probability, and the share of the digits that are even. The curve of a calibrated model
# follows the diagonal. The curve of an overconfident model is flatter.

n_bins = 6
fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
for name, p in probabilities.items():
    CalibrationDisplay.from_predictions(is_even, p, n_bins=n_bins, name=name, ax=ax)
_ = ax.set(xlabel="predicted probability of an even digit", ylabel="share of even digits")

# %%
# How confident the models are
# ----------------------------
# The bars show how many digits are in each bin.

fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
counts = [np.histogram(p, n_bins, (0, 1))[0] for p in probabilities.values()]
places = (np.arange(n_bins) + 0.5) / n_bins
for offset, name, count in zip((-0.045, 0, 0.045), models, counts, strict=True):
    ax.bar(places + offset, count, 0.045, label=name)
ax.set(xlabel="predicted probability of an even digit", ylabel="digits")
_ = ax.legend(loc="upper center")

# %%
# - The nets are confident about nine in ten digits: their probabilities are in the first or the
#   last bin. The other bins hold few digits, so the curves of the nets are uncertain there.
# - The nets are slightly overconfident in the outer bins. In the last bin, the model "one net"
#   predicts a mean probability of 0.98, and 95 % of the digits are even.
# - The calibration error is the mean distance between a curve and the diagonal, weighted by the
#   number of digits in each bin. It is below 0.05 for all three models, and the differences
#   between the models are small.
#
# So the nets are calibrated about as well as the logistic regression. Their log loss is lower
# because they separate even digits from odd digits better. To correct overconfidence,
# ``TwoLayerNetClassifierCV`` divides the inputs of the softmax by a number, the temperature. It
# chooses the temperature that minimizes the log loss in cross-validation.

errors = []
for (name, p), count in zip(probabilities.items(), counts, strict=True):
    observed, predicted = calibration_curve(is_even, p, n_bins=n_bins)
    errors.append(np.average(abs(observed - predicted), weights=count))
    confident = (count[0] + count[-1]) / len(is_even)
    print(f"{name:20} calibration error {errors[-1]:.3f}, confident about {confident:.0%}")
    if name == "logistic regression":
        assert confident < 0.6
    else:
        assert 0.85 < confident < 0.95
        assert observed[0] > predicted[0] + 0.01
        assert observed[-1] < predicted[-1] - 0.01
    if name == "one net":
        assert abs(predicted[-1] - 0.98) < 0.01
        assert abs(observed[-1] - 0.95) < 0.01
assert max(errors) < 0.05
assert np.ptp(errors) < 0.02
plt.show()
