"""
Would a small net beat my logistic regression?
==============================================

A pipeline prepares a data frame with numbers, categories and missing values. Its last step is
``LogisticRegression``. This example replaces that step by a neural net and compares the two
models.

The data are synthetic, so the true effects are known. Customers leave a shop or stay:

- On the plan "flat", more visits make a customer more likely to leave.
- On the plans "basic" and "plus", more visits make a customer less likely to leave.
- Customers with a medium income, near 22,000, are the most likely to leave.
- Age and region have no effect.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.
"""

# %%
# The data and the baseline
# -------------------------

# sphinx_gallery_thumbnail_number = 3  # noqa: ERA001
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.calibration import CalibrationDisplay, calibration_curve
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

from sklearn_toynn import TwoLayerNetClassifier, TwoLayerNetClassifierCV
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

# fill in missing numbers, scale the numbers, and turn each category into a column of 0 and 1
numbers, categories = ["age", "income", "visits"], ["plan", "region"]
columns = ColumnTransformer(
    [
        ("numbers", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), numbers),
        ("categories", OneHotEncoder(handle_unknown="ignore"), categories),
    ]
)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
folds = StratifiedKFold(5, shuffle=True, random_state=0)
baseline = make_pipeline(columns, LogisticRegression())
baseline_score = cross_val_score(
    baseline, X_train, y_train, cv=folds, scoring="neg_log_loss"
).mean()
share = (y_train == "leaves").mean()
constant_loss = -share * np.log(share) - (1 - share) * np.log(1 - share)
print(f"{share:.0%} leave")
print(f"log loss of the baseline:             {-baseline_score:.3f}")
print(f"log loss of a constant probability:   {constant_loss:.3f}")

# %%
# The log loss is the mean of -log p, where p is the predicted probability of what the customer
# did. Lower is better. The logistic regression is hardly better than a model that predicts the
# same probability for every customer.

assert 0 < constant_loss + baseline_score < 0.02

# %%
# A tuned net
# -----------
# Only the last step of the pipeline changes. ``TwoLayerNetClassifierCV`` trains nets with one
# hidden layer. It compares candidates by cross-validation:
#
# - seven penalties. The penalty keeps the weights small, so that the net does not fit noise.
# - two encodings, that is, ways to make the inputs of the net. With ``"linear"``, the inputs are
#   the columns of the pipeline. With ``"piecewise"``, there are additional inputs for each column
#   of numbers. Such an input is a function of the column that rises within one interval of values
#   and is constant elsewhere. With these inputs, the net learns curved effects more easily.
#
# Cross-validation finds the best penalty for each encoding. The final model has eight nets,
# trained on all training rows. Cross-validation also decides how many of the eight nets get each
# encoding. The prediction is the average of the eight probabilities.

net = make_pipeline(columns, TwoLayerNetClassifierCV(cv=folds, random_state=0))
models = {"logistic regression": baseline.fit(X_train, y_train), "net": net.fit(X_train, y_train)}
probabilities, losses, aucs = {}, {}, {}
print("on the test set:")
for name, model in models.items():
    p = model.predict_proba(X_test)
    probabilities[name] = p[:, 1]
    losses[name] = log_loss(y_test, p)
    aucs[name] = roc_auc_score(y_test == "stays", p[:, 1])
    accuracy = model.score(X_test, y_test)
    print(
        f"{name:19s}  accuracy {accuracy:.3f}  log loss {losses[name]:.3f}"
        f"  ROC AUC {aucs[name]:.3f}"
    )
print("the net consists of:")
for member in net[-1].estimators_:
    print(f"{member.n_nets} nets, encoding {member.encoding}, penalty {member.reg:.4f}")

# %%
# The average of the nets has a lower log loss than the linear model. It also ranks the customers
# much better. To compute the ROC AUC, take all pairs of a customer who stays and a customer who
# leaves. The ROC AUC is the share of pairs that a model ranks correctly. A random order gives 0.5,
# and the logistic regression is close to this value.

assert sum(member.n_nets for member in net[-1].estimators_) == 8
assert losses["net"] < losses["logistic regression"] - 0.05
assert aucs["net"] > 0.7
assert aucs["logistic regression"] < 0.6

# %%
# Width and penalty
# -----------------
# How does the log loss of a net depend on its width (the number of hidden units) and on its
# penalty ``reg``? ``TwoLayerNetClassifierCV`` does not show this: by default, it tries only the
# width 100, and it stops scoring bad penalties after one fold. The search below scores every
# combination of four widths and five penalties. Use such a search to see how the parameters act,
# and ``TwoLayerNetClassifierCV`` to get a good model.
#
# ``FusedGridSearchCV`` computes the same results as scikit-learn's ``GridSearchCV``.
# It prepares the columns only once for each fold, and trains the nets in threads. With
# ``n_nets=4``, each candidate is the average of four nets that start from different random
# weights.

hidden_sizes, regs = [4, 8, 16, 32], [3e-4, 1e-3, 3e-3, 1e-2, 3e-2]
search = FusedGridSearchCV(
    make_pipeline(columns, TwoLayerNetClassifier(n_nets=4, random_state=0)),
    {
        "twolayernetclassifier__hidden_size": hidden_sizes,
        "twolayernetclassifier__reg": regs,
    },
    cv=folds,
    scoring="neg_log_loss",
    refit=False,
).fit(X_train, y_train)
_ = SweepDisplay.from_search(search, baseline=baseline_score)

# %%
# The figure shows the negative log loss, so higher is better. The thick frame marks the best
# candidate. The candidates with thin frames are at most one standard error worse. The red line in
# the color bar is the baseline.
#
# All candidates are better than the baseline. The penalty matters more than the width. The best
# penalty is not at an edge of the grid, so there is no need to try others.

scores = search.cv_results_["mean_test_score"].reshape(len(hidden_sizes), len(regs))
assert scores.min() > baseline_score
assert np.ptp(scores, axis=1).min() > np.ptp(scores, axis=0).max()
assert 0 < scores.max(axis=0).argmax() < len(regs) - 1

# %%
# The decision threshold
# ----------------------
# ``predict`` returns "stays" if the probability to stay exceeds the threshold 0.5. Most customers
# stay, so at 0.5 the net misses most of the customers who leave. ``TunedThresholdClassifierCV``
# chooses another threshold by cross-validation. Here it maximizes the balanced accuracy, the mean
# of two shares: the share of leaving customers that are found, and the share of staying customers
# that are found. At the higher, tuned threshold, the net finds most of the customers who leave.

tuned = TunedThresholdClassifierCV(net, scoring="balanced_accuracy", cv=3, random_state=0)
tuned.fit(X_train, y_train)
balanced, found = {}, {}
assert share < 0.5
for threshold, model in ((0.5, net), (tuned.best_threshold_, tuned)):
    predicted = model.predict(X_test)
    balanced[model] = balanced_accuracy_score(y_test, predicted)
    found[model] = (predicted[y_test == "leaves"] == "leaves").mean()
    print(f"threshold {threshold:.2f}: finds {found[model]:.0%} of the leaving", end=", ")
    print(f"balanced accuracy {balanced[model]:.3f}")
assert tuned.best_threshold_ > 0.5
assert found[net] < 0.5 < found[tuned]
assert balanced[tuned] > balanced[net] + 0.03

# %%
# The calibration of the probabilities
# ------------------------------------
# Calibrated probabilities match the frequencies: of the customers with a predicted probability
# near 0.8, about 80 % stay. The figure sorts the customers by predicted probability and divides
# them into eight groups of equal size. Each point shows the mean prediction of a group and the
# share that stays.
#
# The points of the net lie near the diagonal, so its probabilities are well calibrated. They also
# vary more than the probabilities of the logistic regression.

fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
for name, model in models.items():
    CalibrationDisplay.from_estimator(
        model, X_test, y_test, n_bins=8, strategy="quantile", name=name, ax=ax, pos_label="stays"
    )
ax.set(xlabel="predicted probability to stay", ylabel="share who stay")

observed, predicted = calibration_curve(
    y_test == "stays", probabilities["net"], n_bins=8, strategy="quantile"
)
assert abs(observed - predicted).max() < 0.1
assert probabilities["net"].std() > 3 * probabilities["logistic regression"].std()

# %%
# Which columns matter
# --------------------
# The importance of a column is the rise of the log loss when the values of this column are
# shuffled among the rows. The net uses the three columns that have an effect, and ignores the
# other two. The logistic regression gains almost nothing from any column. It has one weight for
# the visits, but more visits mean leaving on one plan and staying on the other two. It has one
# weight for the income, but medium incomes differ from both low and high incomes.

fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
importances, places, height = {}, np.arange(X.shape[1]), 0.38
for offset, (name, model) in zip((-height / 2, height / 2), models.items(), strict=True):
    result = permutation_importance(
        model, X_test, y_test, scoring="neg_log_loss", n_repeats=5, random_state=0
    )
    importances[name] = pd.Series(result.importances_mean, X.columns)
    ax.barh(places + offset, result.importances_mean, height, label=name)
ax.set_yticks(places, X.columns)
ax.set(xlabel="rise of the log loss", title="Permutation importance")
ax.legend()

assert importances["net"][["plan", "visits", "income"]].min() > 0.05
assert importances["net"][["age", "region"]].max() < 0.01
assert importances["logistic regression"].max() < 0.02

# %%
# How the columns matter
# ----------------------
# The partial dependence sets one column to the same value in all rows, and averages the predicted
# probabilities to stay. The left panel shows the average for each income, the right panel for each
# number of visits and each plan.
#
# The net has learned the effects of both columns. The probability to stay is lowest at a medium
# income. It falls with the visits on the plan "flat", and rises with the visits on the other
# plans.

complete = X_test.dropna().reset_index(drop=True)
fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
income = PartialDependenceDisplay.from_estimator(net, complete, ["income"], ax=axes[0])
visits, ax = {}, axes[1]
for plan, color in (("basic", "tab:blue"), ("plus", "tab:green"), ("flat", "tab:orange")):
    visits[plan] = PartialDependenceDisplay.from_estimator(
        net,
        complete[complete["plan"] == plan],
        ["visits"],
        ax=ax,
        line_kw={"label": f"plan {plan}", "color": color},
    )
    ax = visits[plan].axes_
for display in (income, visits["flat"]):
    display.axes_[0, 0].set(ylabel="mean probability to stay", ylim=(0, 1))

curve = income.pd_results[0]
lowest = curve["grid_values"][0][curve["average"][0].argmin()]
assert 15_000 < lowest < 32_000
for plan, display in visits.items():
    first, last = display.pd_results[0]["average"][0][[0, -1]]
    assert last < first - 0.3 if plan == "flat" else last > first + 0.3
plt.show()
