"""
A search on several workers
===========================

A search over parameters fits many nets. It can distribute these fits over several workers:
processes of one machine, or the machines of a Dask or Ray cluster. The library joblib starts the
fits, and its backend decides where they run. The results do not depend on the backend or on the
number of workers.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.
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
net = TwoLayerNetClassifier(max_iter=30, random_state=0)
grid = {"hidden_size": [16, 64], "reg": np.logspace(-5, -1, 5)}

# %%
# Processes of one machine
# ------------------------
# The backend "loky" starts processes on this machine. ``GridSearchCV`` sends each fit to a process
# as a task of its own. ``FusedGridSearchCV`` has the same results, but sends all fits of a fold as
# one task. The task selects the training rows of the fold and checks them once for all its fits.
# If there are more workers than folds, ``FusedGridSearchCV`` makes several tasks per fold.
#
# The code below compares one process with two. ``inner_max_num_threads`` and ``threadpool_limits``
# limit each process to one thread, so the times show the effect of the processes alone.
#
# For a Dask cluster, connect a ``distributed.Client`` and use ``parallel_config("dask")``. For a
# Ray cluster, import ``register_ray`` from ``ray.util.joblib``, call it, and use
# ``parallel_config("ray")``. See :doc:`/guide/more_machines`.

seconds, results = {}, []
for search_class in (GridSearchCV, FusedGridSearchCV):
    for n_jobs in (1, 2):
        search = search_class(net, grid, cv=4, scoring="neg_log_loss")
        times = []
        backend = parallel_config("loky", n_jobs=n_jobs, inner_max_num_threads=1)
        with backend, threadpool_limits(1):
            for _ in range(4):  # the first run starts the processes
                start = perf_counter()
                search.fit(X, y)
                times.append(perf_counter() - start)
        name = f"{search_class.__name__}\n{n_jobs} process{'es' * (n_jobs > 1)}"
        seconds[name] = min(times[1:])
        results.append(search.cv_results_["mean_test_score"])
assert all(np.array_equal(result, results[0]) for result in results)

# %%
# The times of this run
# ---------------------
# Each bar shows the shortest time of three runs, without the start of the processes. The times
# depend on the machine and on what else runs on it. Two processes can at best halve the time.
# Sending rows and fits to a process takes time, too. So try workers for searches that take
# minutes. On one machine, ``FusedGridSearchCV`` without a backend is simpler: it uses all cores
# with threads, and sends nothing.

fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
bars = ax.barh(list(seconds), list(seconds.values()))
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.invert_yaxis()
ax.margins(x=0.12)
ax.set(xlabel="seconds")
plt.show()
