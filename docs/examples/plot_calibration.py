"""
Are the probabilities right?
============================

One net, eight nets averaged and the logistic baseline say of each handwritten digit how probable
it is that it is even. They see three of the eight rows of pixels, so there is reason to doubt. Of
the digits that get a probability near 0.8, eight in ten should be even. A reliability curve shows
the share that is: on the diagonal it is right; one that is flatter is too sure of itself.
The bins in the middle hold few of the digits, so the nets' curves wander there.

The probabilities are those of 5-fold cross-validation, so each digit's come from a model that has
not seen it. The table shows the accuracy and two proper scores, which take in how sharp the
probabilities are too: the log loss and the Brier score, the less the better.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.calibration import CalibrationDisplay
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import TwoLayerNetClassifier

# %%
# Half of the pixels
# ------------------

X, digits = load_digits(return_X_y=True)
X, is_even = X[:, 16:40], digits % 2 == 0

models = {
    "logistic regression": LogisticRegression(max_iter=1000),
    "one net": TwoLayerNetClassifier(random_state=0),
    "eight nets": TwoLayerNetClassifier(n_nets=8, random_state=0),
}

# %%
# Out of the folds
# ----------------

figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
print(f"{'':20} accuracy  log loss  Brier score")
for name, model in models.items():
    pipeline = make_pipeline(StandardScaler(), model)
    probability = cross_val_predict(pipeline, X, is_even, method="predict_proba")[:, 1]
    print(
        f"{name:20} {accuracy_score(is_even, probability > 0.5):8.3f} "
        f"{log_loss(is_even, probability):9.3f} {brier_score_loss(is_even, probability):12.4f}"
    )
    CalibrationDisplay.from_predictions(is_even, probability, n_bins=6, name=name, ax=axes[0])
    axes[1].hist(probability, bins=40, range=(0, 1), histtype="step", label=name)

xlabel = "predicted probability of an even digit"
axes[0].set(xlabel=xlabel, ylabel="share of even digits", title="Reliability")
axes[1].set(xlabel=xlabel, ylabel="digits", yscale="log", title="How sure they are")
axes[1].legend(loc="upper center")
figure.savefig(Path(sys.argv[0]).with_suffix(".png"), dpi=120)
