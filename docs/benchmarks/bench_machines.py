"""Search times with one worker, and with two workers for each joblib backend.

    python docs/benchmarks/bench_machines.py [--rounds 5]

The script needs the extra `ecosystem`. `GridSearchCV` and `FusedGridSearchCV` try 24 candidates
(4 widths and 6 penalties) of `TwoLayerNetClassifier` on 5 folds of 20,000 rows and refit the best
one. They run in this process first, with one thread and with the default number of threads. Then
they run in two processes of loky, Dask and Ray on this machine. The processes are already running.
The table shows the overhead of each backend, without the time that a network would add.
"""

import argparse
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import product

import dask
import numpy as np
import ray
from distributed import Client, LocalCluster
from in_turn import medians_in_turn, seconds, versions
from joblib import parallel_config
from ray.util.joblib import register_ray
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV

GRID = {"hidden_size": [8, 16, 32, 64], "reg": np.logspace(-5, 0, 6)}

# the first one runs in this process, so its threads are limited
WORKERS = {
    "one worker, one thread": lambda: threadpool_limits(1),
    "no backend": nullcontext,
    "two by joblib": lambda: parallel_config("loky", n_jobs=2),
    "two by Dask": lambda: parallel_config("dask"),
    "two by Ray": lambda: parallel_config("ray", n_jobs=2),
}


@contextmanager
def clusters():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_ray()
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster):
        yield
    ray.shutdown()


def seconds_by(workers, search, X, y):
    with WORKERS[workers]():
        return seconds(search.fit, X, y)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    n_rounds = parser.parse_args().rounds
    X, y = make_classification(
        20_000, 40, n_informative=20, n_redundant=0, n_classes=5, random_state=0
    )
    net = TwoLayerNetClassifier(max_iter=20, tol=0, early_stopping=True, random_state=0)
    searches = [cls(net, GRID, error_score="raise") for cls in (GridSearchCV, FusedGridSearchCV)]
    runs = list(product(WORKERS, searches))
    with clusters():
        medians = medians_in_turn(
            *(partial(seconds_by, workers, search, X, y) for workers, search in runs),
            n_rounds=n_rounds,
        )
    print(
        f"{versions()}, Dask {dask.__version__}, Ray {ray.__version__}; seconds, medians of "
        f"{n_rounds}; ratio: the first line over each line\n"
    )
    print("                        GridSearchCV  ratio  FusedGridSearchCV  ratio")
    for workers, plain, fused in zip(WORKERS, medians[::2], medians[1::2], strict=True):
        print(
            f"{workers:22s} {plain:13.2f} {medians[0] / plain:6.2f} {fused:18.2f} "
            f"{medians[1] / fused:6.2f}"
        )


if __name__ == "__main__":
    main()
