"""
A search on several workers
===========================

Searches hand their fits to joblib, and joblib to wherever its backend says: processes of this
machine, a Dask cluster, Ray. The result has the same bits everywhere.
"""

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV

X, y = load_digits(return_X_y=True)
X = X / 16
net = TwoLayerNetClassifier(max_iter=30, tol=0, random_state=0)
grid = {"hidden_size": [16, 64], "reg": np.logspace(-5, -1, 5)}

# %%
# Processes of this machine
# -------------------------
# ``parallel_config("dask")``, with a client of ``distributed`` open, is the same line for a
# cluster; ``register_ray()`` and ``parallel_config("ray")`` for Ray. See
# :doc:`/guide/more_machines`.

seconds, results = {}, []
for search_class in (GridSearchCV, FusedGridSearchCV):
    for n_jobs in (1, 2):
        search = search_class(net, grid, cv=4, scoring="neg_log_loss")
        with parallel_config("loky", n_jobs=n_jobs), threadpool_limits(1):
            if n_jobs == 2:  # workers that are there already
                search.fit(X, y)
            start = perf_counter()
            search.fit(X, y)
        seconds[f"{search_class.__name__}, {n_jobs}"] = perf_counter() - start
        results.append(search.cv_results_["mean_test_score"])
assert all(np.array_equal(result, results[0]) for result in results)

# %%
# A fused search hands out whole folds, so the second worker helps less. A plain search hands out
# single fits.

fig, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
bars = ax.barh(list(seconds), list(seconds.values()))
ax.bar_label(bars, fmt="%.2f", padding=3)
_ = ax.set(xlabel="seconds, by search and number of workers of one thread each")
