"""
How wide, and how strongly regularized?
=======================================

A pipeline ends in logistic regression. Would a neural net with one hidden layer be better? And how
many hidden units should it have, and how strong a penalty on its weights? This example answers
these questions for handwritten digits: 1797 images of 8 x 8 pixels in ten classes.

To run this example, install the extra ``plot``: ``pip install -e ".[plot]"`` in a clone.
"""

# %%
# The data
# --------
# A quarter of the images, 450, is the test set. Widths and penalties are chosen by
# cross-validation on the other images, with the same three folds for every model.

import sys
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)
folds = StratifiedKFold(3, shuffle=True, random_state=0)
rows, accuracies, losses = [], [], []


def add_row(name, model, seconds):
    """Add a row to the table of test scores."""
    accuracies.append(model.score(X_test, y_test))
    losses.append(log_loss(y_test, model.predict_proba(X_test)))
    rows.append(f"{name:<44}{accuracies[-1]:>8.3f}{losses[-1]:>10.3f}{seconds:>9.2f}")


# %%
# The linear models
# -----------------
# The first model is `LogisticRegression` with its default penalty, ``C=1``. The second model,
# `SoftmaxClassifier`, is also logistic regression. ``reg`` is the factor of the penalty on the
# squared weights. On n images, ``reg`` corresponds to C = 1 / (n reg). A search tries six values
# and chooses the value with the best accuracy in cross-validation.
#
# `FusedGridSearchCV` is scikit-learn's `GridSearchCV` with the same results. It fits
# the scaler once for each fold, and trains the candidates in threads.

regs = [1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
default = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
start = perf_counter()
default.fit(X_train, y_train)
add_row("LogisticRegression, C=1", default, perf_counter() - start)

linear = FusedGridSearchCV(
    make_pipeline(StandardScaler(), SoftmaxClassifier()),
    {"softmaxclassifier__reg": regs},
    cv=folds,
).fit(X_train, y_train)
reg = linear.best_params_["softmaxclassifier__reg"]
add_row(f"SoftmaxClassifier, reg={reg:g}", linear, linear.refit_time_)

# %%
# The nets
# --------
# This search tries four widths (numbers of hidden units) and the same six penalties.

hidden_sizes = [16, 32, 64, 128]
search = FusedGridSearchCV(
    make_pipeline(StandardScaler(), TwoLayerNetClassifier(random_state=0)),
    {"twolayernetclassifier__hidden_size": hidden_sizes, "twolayernetclassifier__reg": regs},
    cv=folds,
    verbose=1,
)
start = perf_counter()
search.fit(X_train, y_train)
search_seconds = perf_counter() - start
net = search.best_estimator_[-1]
name = f"TwoLayerNetClassifier, {net.hidden_size} units, reg={net.reg:g}"
add_row(name, search, search.refit_time_)

# %%
# Test scores
# -----------
# The net has a higher accuracy than the linear models: it is right on at least three more of the
# 450 test images. Its log loss is much lower, so its probabilities are better, too.

print(f"{'model':<44}{'accuracy':>8}{'log loss':>10}{'fit (s)':>9}")
print("\n".join(rows))
print(f"The sweep of {len(search.cv_results_['params'])} nets took {search_seconds:.1f} s.")
assert len(y_test) == 450
assert losses[2] < min(losses[:2]) - 0.02
assert (accuracies[2] - max(accuracies[:2])) * len(y_test) > 2.5

# %%
# Width and penalty
# -----------------
# Each line is for one width, and shows its accuracy in cross-validation.

linear_accuracy = linear.cv_results_["mean_test_score"]
accuracy = search.cv_results_["mean_test_score"].reshape(len(hidden_sizes), len(regs))
figure, ax = plt.subplots(figsize=(6, 4.3), layout="constrained")
for hidden_size, line in zip(hidden_sizes, accuracy, strict=True):
    ax.semilogx(regs, line, marker="o", label=f"{hidden_size} hidden units")
ax.semilogx(regs, linear_accuracy, "ko--", label="no hidden layer")
ax.set(
    xlabel="reg (penalty on the squared weights)",
    ylabel="accuracy (mean of 3 folds)",
    title="Nets on the digits",
)
ax.grid(alpha=0.3)
ax.legend()
# next to this script
path = Path(sys.argv[0]).with_suffix(".png")
figure.savefig(path, dpi=120)
print(f"The figure is in {path}")

# %%
# - With 32 or more hidden units and a penalty of at most 3e-3, the nets are more accurate than the
#   best linear model.
# - The strongest penalties, 3e-2 and 1e-1, are too strong: all nets are less accurate than the
#   best linear model.
# - From 64 to 128 hidden units, the accuracy hardly changes with penalties of at most 3e-3. So
#   there is no need to try wider nets.
# - From a penalty of 1e-3 to 1e-4, the accuracy hardly changes. So there is no need to try weaker
#   penalties.

best_linear = linear_accuracy.max()
assert accuracy[1:, :3].min() > best_linear
assert accuracy[:, 4:].max() < best_linear
assert abs(accuracy[3] - accuracy[2])[:3].max() < 0.004
assert abs(accuracy[:, 1] - accuracy[:, 0]).max() < 0.004
plt.show()
