"""
How wide, and how strongly regularized?
=======================================

A pipeline ends in logistic regression. Would a small neural net be better, and with which width
and penalty? This example answers these questions for handwritten digits: 1797 images of 8 x 8
pixels in ten classes.

To run this example, install the extra ``plot``: ``pip install -e ".[plot]"`` in a clone.
"""

# %%
# The data
# --------
# A quarter of the images is the test set. All choices are made by cross-validation on the rest,
# with the same folds for every model.

import sys
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split
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
# `SoftmaxClassifier` with ``reg=1/n`` minimizes the same objective as `LogisticRegression` with
# ``C=1``. Their scores differ only because the solvers stop at slightly different points.

baseline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
softmax = make_pipeline(StandardScaler(), SoftmaxClassifier(reg=1 / len(X_train)))
for model in (baseline, softmax):
    start = perf_counter()
    model.fit(X_train, y_train)
    add_row(type(model[-1]).__name__, model, perf_counter() - start)
baseline_accuracy = cross_val_score(baseline, X_train, y_train, cv=folds).mean()

# %%
# The sweep
# ---------
# The grid has four widths and six penalties. Each candidate is fitted on three folds.
# `FusedGridSearchCV` fits the scaler once for each fold and trains the candidates in threads. Its
# results are the same as those of `GridSearchCV`, bit for bit.

hidden_sizes = [16, 32, 64, 128]
regs = [1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
search = FusedGridSearchCV(
    make_pipeline(StandardScaler(), TwoLayerNetClassifier(random_state=0)),
    {"twolayernetclassifier__hidden_size": hidden_sizes, "twolayernetclassifier__reg": regs},
    cv=folds,
    n_jobs=-1,
    verbose=1,
)
start = perf_counter()
search.fit(X_train, y_train)
search_seconds = perf_counter() - start
net = search.best_estimator_[-1]
add_row(f"TwoLayerNetClassifier, h={net.hidden_size}, reg={net.reg:g}", search, search.refit_time_)

# %%
# Test scores
# -----------
# The net has a lower log loss and a higher accuracy than the linear models.

print(f"{'model':<44}{'accuracy':>8}{'log loss':>10}{'fit (s)':>9}")
print("\n".join(rows))
print(f"The sweep of {len(search.cv_results_['params'])} nets took {search_seconds:.1f} s.")
assert abs(losses[0] - losses[1]) < 0.01
assert losses[2] < min(losses[:2]) - 0.02
assert accuracies[2] > max(accuracies[:2])

# %%
# Width and penalty
# -----------------

accuracy = search.cv_results_["mean_test_score"].reshape(len(hidden_sizes), len(regs))
figure, ax = plt.subplots(figsize=(6, 4.3), layout="constrained")
for hidden_size, line in zip(hidden_sizes, accuracy, strict=True):
    ax.semilogx(regs, line, marker="o", label=f"{hidden_size} hidden units")
ax.axhline(baseline_accuracy, color="black", linestyle="--", label="LogisticRegression, C=1")
ax.set(
    xlabel="reg (penalty on the squared weights)",
    ylabel="validation accuracy (mean of 3 folds)",
    title="Two-layer nets on the digits",
)
ax.grid(alpha=0.3)
ax.legend()
path = Path(sys.argv[0]).with_suffix(".png")
figure.savefig(path, dpi=120)
print(f"The figure is in {path}")

# %%
# With 32 or more hidden units and a penalty of at most 3e-3, the nets are more accurate than
# `LogisticRegression`. With a penalty of 3e-2 or more, all nets are less accurate. Beyond 64
# hidden units and below a penalty of 1e-3, the accuracy hardly changes, so the grid is large
# enough.

assert accuracy[1:, :3].min() > baseline_accuracy
assert abs(accuracy[3, :3] - accuracy[2, :3]).max() < 0.004
assert abs(accuracy[:, 1] - accuracy[:, 0]).max() < 0.004
assert accuracy[:, 4:].max() < baseline_accuracy
plt.show()
