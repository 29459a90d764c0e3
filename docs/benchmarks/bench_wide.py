"""Compare training on principal components with training on the columns.

    python docs/benchmarks/bench_wide.py

On data with many more columns than rows, `TwoLayerNetClassifier` trains on principal components by
default and on the columns with `warm_start=True`. The rows are drawn around a center for each
class. The columns have a mean of 100 and a standard deviation of about 3.

The table has the largest and the median ratio of the objectives (components over columns), over
four seeds and the penalties "auto", 1e-3 and 1e-2. It also has the ratio of the times of all fits.
The last column has the largest ratio of the objectives with 240 steps instead of 1000. By default,
nets with fewer than 10 units train on the columns; here they train on components.
"""

import numpy as np
from in_turn import seconds, versions

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn._nets import row_coordinates
from sklearn_toynn._training import solvers

SHAPES = [(50, 400, 2), (90, 400, 3), (210, 860, 3), (120, 600, 3), (60, 2000, 2)]
WIDTHS = [2, 3, 5, 10, 16, 64]
#: The minimum number of steps; first the number in use.
STEPS = (solvers.MIN_STEPS, 240)


def draw(n_rows, n_features, n_classes, seed):
    rng = np.random.RandomState(seed)
    y = np.arange(n_rows) % n_classes
    centers = 0.3 * rng.standard_normal((n_classes, n_features))
    return 3 * (rng.standard_normal((n_rows, n_features)) + centers[y]) + 100, y


def compare(shape, width):
    """Return the ratios of the objectives, (n_fits, 2), and the ratio of the times."""
    ratios, times = [], []
    for seed in range(4):
        X, y = draw(*shape, seed)
        for reg in ("auto", 1e-3, 1e-2):
            params = {"hidden_size": width, "reg": reg, "dtype": "float64", "random_state": seed}
            direct = TwoLayerNetClassifier(**params, warm_start=True)
            took, row = [seconds(direct.fit, X, y)], []
            for steps in STEPS:
                solvers.MIN_STEPS = steps
                net = TwoLayerNetClassifier(**params)
                took.append(seconds(net.fit, X, y))
                row.append(net.loss_ / direct.loss_)
            ratios.append(row)
            times.append(took[:2])
    direct, components = np.sum(times, axis=0)
    return np.array(ratios), components / direct


if __name__ == "__main__":
    row_coordinates.MIN_WIDTH = 1
    print(f"{versions()}\n\n{'':34}  ratio of the objectives")
    print(f"{'rows x columns x classes, width':34}   largest  median  240 steps    time")
    for shape in SHAPES:
        for width in WIDTHS:
            ratios, time = compare(shape, width)
            used, few_steps = ratios.max(axis=0)
            name = f"{' x '.join(map(str, shape))}, {width}"
            print(
                f"{name:34}{used:10.2f}{np.median(ratios[:, 0]):8.2f}{few_steps:11.2f}{time:8.2f}",
                flush=True,
            )
