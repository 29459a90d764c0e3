"""
Would a small net beat my logistic regression?
==============================================

A frame with numbers, words and gaps; a pipeline that ends in ``LogisticRegression``. This page
puts a net in its place, tunes it, and looks at what that brought: the scores, where to draw the
line between yes and no, whether the probabilities are right, and which columns matter.

The data are made up, so that what there is to find is known: customers leave a shop more often
when their visits are few, but with the plan "flat" when they are many; income counts near its
middle.
"""

# %%
# A frame, and a baseline
# -----------------------

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.calibration import CalibrationDisplay
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import (
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.inspection import SweepDisplay
from sklearn_toynn.model_selection import FusedGridSearchCV

rng = np.random.RandomState(0)
n = 4000
X = pd.DataFrame(
    {
        "age": rng.uniform(18, 80, n),
        "income": rng.lognormal(10, 0.5, n),
        "visits": rng.poisson(6, n).astype(float),
        "plan": rng.choice(["basic", "plus", "flat"], n),
        "region": rng.choice(["north", "east", "south", "west"], n),
    }
)
sign = np.where(X["plan"] == "flat", 1, -1)
score = 0.5 * sign * (X["visits"] - 6) - 4 * (np.log(X["income"]) - 10) ** 2 - 0.6
y = np.where(rng.uniform(size=n) < 1 / (1 + np.exp(-score)), "leaves", "stays")
for column in ("age", "income", "visits"):
    X.loc[rng.uniform(size=n) < 0.05, column] = np.nan

numbers, words = ["age", "income", "visits"], ["plan", "region"]
columns = ColumnTransformer(
    [
        ("numbers", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), numbers),
        ("words", OneHotEncoder(), words),
    ]
)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
folds = StratifiedKFold(5, shuffle=True, random_state=0)
baseline = make_pipeline(columns, LogisticRegression())
baseline_score = cross_val_score(
    baseline, X_train, y_train, cv=folds, scoring="neg_log_loss"
).mean()
print(f"{(y == 'leaves').mean():.0%} leave; log loss of the baseline {-baseline_score:.3f}")

# %%
# The net, tuned
# --------------
# The last step of the pipeline changes, and nothing else. The sweep over widths and penalties goes
# by the log loss, on the same folds.

net = make_pipeline(columns, TwoLayerNetClassifier(n_nets=4, random_state=0))
search = FusedGridSearchCV(
    net,
    {
        "twolayernetclassifier__hidden_size": [8, 32, 128],
        "twolayernetclassifier__reg": [1e-4, 1e-3, 1e-2, 3e-2, 1e-1],
    },
    cv=folds,
    scoring="neg_log_loss",
).fit(X_train, y_train)
_ = SweepDisplay.from_search(search, baseline=baseline_score)

# %%
# On rows that no one has looked at
# ---------------------------------

models = {"logistic regression": baseline.fit(X_train, y_train), "net": search.best_estimator_}
for name, model in models.items():
    p = model.predict_proba(X_test)
    print(
        f"{name:19s} accuracy {model.score(X_test, y_test):.3f}"
        f"  log loss {log_loss(y_test, p):.3f}"
        f"  ROC AUC {roc_auc_score(y_test == 'stays', p[:, 1]):.3f}"
    )

# %%
# Where to draw the line
# ----------------------
# Fewer leave than stay, so one half is not where the two kinds of error weigh the same.
# ``TunedThresholdClassifierCV`` finds a threshold for the score that is asked for.

tuned = TunedThresholdClassifierCV(search.best_estimator_, scoring="balanced_accuracy", cv=folds)
tuned.fit(X_train, y_train)
for name, model in (("at one half", search), (f"at {tuned.best_threshold_:.2f}", tuned)):
    print(f"{name}: {balanced_accuracy_score(y_test, model.predict(X_test)):.3f} balanced")

# %%
# Are the probabilities right?
# ----------------------------

fig, ax = plt.subplots(layout="constrained")
for name, model in models.items():
    CalibrationDisplay.from_estimator(
        model, X_test, y_test, n_bins=8, strategy="quantile", name=name, ax=ax, pos_label="stays"
    )

# %%
# Which columns matter
# --------------------
# A column is shuffled, and the log loss rises by what the model had from it. The logistic
# regression has next to nothing from any (mind the scales): many visits make some leave and
# others stay, by their plan, and it is the middle of the incomes that leaves.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
for ax, (name, model) in zip(axes, models.items(), strict=True):
    importance = permutation_importance(
        model, X_test, y_test, scoring="neg_log_loss", n_repeats=5, random_state=0
    )
    ax.barh(X.columns, importance.importances_mean, xerr=importance.importances_std)
    ax.set(title=name, xlabel="rise of the log loss")

# %%
# How they matter
# ---------------
# The mean probability to stay as one column moves, and as two move together.

complete = X_test.dropna().reset_index(drop=True)
display = PartialDependenceDisplay.from_estimator(
    search.best_estimator_,
    complete,
    ["income", "visits", ("income", "visits")],
    grid_resolution=15,
)
display.figure_.set_size_inches(11, 3.5)
display.figure_.set_layout_engine("constrained")
