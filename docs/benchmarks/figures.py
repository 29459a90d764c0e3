"""Draw the tables of README.md in this folder.

    python docs/benchmarks/figures.py FOLDER

The build of the site calls `draw`.
"""

import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import rankdata, studentized_range

NUMBER = r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"


def read_table(heading, n_numbers, *, begins=""):
    """Yield (text, numbers) for each row of a table; a row ends with `n_numbers` numbers.

    The table is the first one in the section after a line that begins with `begins`.
    """
    text = (Path(__file__).parent / "README.md").read_text()
    section = text.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    block = section[re.search(rf"^{re.escape(begins)}", section, re.MULTILINE).start() :]
    row = re.compile(rf"(.*?)((?:\s+{NUMBER}){{{n_numbers}}})")
    seen = False
    for line in block.splitlines()[1:]:
        match = row.fullmatch(line)
        if match:
            seen = True
            yield match[1].strip(), [float(number) for number in match[2].split()]
        elif seen:
            return


def fits_by_width():
    """Speed-up of a fit, by the width of the net."""
    fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
    for dtype, marker in (("float32", "o"), ("float64", "s")):
        rows = list(read_table("Fit times", 8, begins=dtype))
        widths = [numbers[0] for _, numbers in rows]
        ratios = [numbers[5] for _, numbers in rows]
        ax.loglog(widths, ratios, marker, label=dtype)
        if dtype == "float32":
            for (name, _), width, ratio in zip(rows, widths, ratios, strict=True):
                shift = (4, -9) if width == 128 else (4, 3)  # labels must not overlap
                ax.annotate(
                    name, (width, ratio), xytext=shift, textcoords="offset points", fontsize=7
                )
    ax.axhline(1, color="k", linewidth=0.8)
    ax.set_xticks([10, 30, 100, 300], ["10", "30", "100", "300"])
    ax.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    ax.set(xlim=(6, 700), xlabel="hidden units", ylabel="time of MLPClassifier / ours")
    ax.legend()
    return fig


def sweeps():
    """Speed-up of searches over 16 penalties and several widths."""
    rows = list(read_table("Sweeps", 12, begins="float32, n_jobs=1"))
    fig, ax = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
    places, height = np.arange(len(rows)), 0.38
    for offset, column, label in (
        (-height / 2, 5, "GridSearchCV(MLPClassifier) / FusedGridSearchCV"),
        (height / 2, 7, "GridSearchCV(TwoLayerNetClassifier) / FusedGridSearchCV"),
    ):
        values = [numbers[column] for _, numbers in rows]
        bars = ax.barh(places + offset, values, height, label=label)
        ax.bar_label(bars, fmt="%.3g", padding=2, fontsize=8)
    ax.set_yticks(places, [re.sub(r"\s+", " ", name) for name, _ in rows], fontsize=8)
    ax.invert_yaxis()
    ax.set(xscale="log", xlabel="ratio of times (float32, n_jobs=1)", xlim=(1, 300))
    fig.legend(fontsize=8, loc="outside lower center")
    return fig


def time_to_a_gap():
    """Times of SoftmaxClassifier and of LogisticRegression's fastest solver to the same gap."""
    fig, ax = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
    pattern = re.compile(
        rf"(.+?)\s+({NUMBER})\s+(1e-\d\d)\s+({NUMBER})\s+\d+\s+\S+\s+([a-z]\S+)\s+({NUMBER})"
    )
    text = (Path(__file__).parent / "README.md").read_text()
    section = text.split("\n## The linear model", 1)[1].split("\n## ", 1)[0]
    found = [match for line in section.splitlines() if (match := pattern.match(line))]
    for target, marker in (("1e-04", "o"), ("1e-06", "s"), ("1e-08", "^")):
        ours = [float(m[4]) for m in found if m[3] == target]
        theirs = [float(m[6]) for m in found if m[3] == target]
        ax.loglog(theirs, ours, marker, alpha=0.7, label=f"relative gap of {target}")
    low, high = 0.5, max(ax.get_xlim()[1], ax.get_ylim()[1])
    ax.plot([low, high], [low, high], color="k", linewidth=0.8)
    ax.set(
        xlabel="fastest solver of LogisticRegression, ms",
        ylabel="SoftmaxClassifier, ms",
    )
    ax.legend(title="below the line: SoftmaxClassifier is faster", fontsize=8)
    return fig


def accuracy_against_time():
    """Mean accuracy of each classifier on the held-out sets, against its fit time."""
    rows = list(read_table("Accuracy", 10, begins="held_out, behind a StandardScaler"))
    fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, numbers in rows:
        is_ours = name.startswith(("Softmax", "TwoLayer", "MultiLayer"))
        is_below = name.startswith(("Random", "Hist", "Logistic", "MultiLayer"))
        ax.plot(numbers[9], numbers[0], "o", color="tab:orange" if is_ours else "tab:gray")
        ax.annotate(
            name.replace("(max_iter=1000)", "()"),
            (numbers[9], numbers[0]),
            xytext=(5, -10 if is_below else 3),  # labels must not overlap
            textcoords="offset points",
            fontsize=8,
        )
    ax.set(
        xscale="log",
        xlim=(0.012, 90),
        xlabel="fit time / fit time of MLPClassifier()",
        ylabel="mean accuracy on 24 held-out sets",
    )
    return fig


def read_sets(heading):
    """Return the methods of a section and their results, (n_sets, n_methods, 2)."""
    text = (Path(__file__).parent / "README.md").read_text()
    section = text.split(f"\n### {heading}", 1)[1].split("\n### ", 1)[0]
    rows = section.split("\naccuracy / log loss", 1)[1].splitlines()[1:]
    end = next(place for place, row in enumerate(rows) if row.startswith("1: "))
    methods = re.findall(r"\d+: (.*?);", rows[end])
    cells = [re.findall(r"\d\.\d+", row)[-2 * len(methods) :] for row in rows[:end]]
    return methods, np.array(cells, float).reshape(end, len(methods), 2)


def ranks_of_the_field():
    """Mean ranks on the held-out sets, with the critical difference of Nemenyi's test.

    Demsar 2006, "Statistical comparisons of classifiers over multiple data sets", JMLR 7.
    """
    methods, results = read_sets("Against the field")
    n_sets, n_methods, _ = results.shape
    quantile = studentized_range.ppf(0.95, n_methods, np.inf) / np.sqrt(2)
    difference = quantile * np.sqrt(n_methods * (n_methods + 1) / (6 * n_sets))
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for ax, name, values in zip(
        axes, ("accuracy", "log loss"), (-results[:, :, 0], results[:, :, 1]), strict=True
    ):
        means = rankdata(values, axis=1).mean(axis=0)
        order = np.argsort(-means)
        for place, method in enumerate(order):
            is_ours = "Net" in methods[method] or "Softmax" in methods[method]
            ax.errorbar(
                means[method],
                place,
                xerr=difference / 2,
                fmt="o",
                capsize=3,
                color="tab:orange" if is_ours else "tab:gray",
            )
        ax.set_yticks(range(n_methods), [methods[method] for method in order], fontsize=8)
        ax.set(xlabel=f"mean rank by {name}", xlim=(0.5, n_methods + 0.5))
    fig.suptitle(
        f"{n_sets} held-out sets; bars that do not overlap differ significantly (5 %)", fontsize=9
    )
    return fig


FIGURES = (fits_by_width, sweeps, time_to_a_gap, accuracy_against_time, ranks_of_the_field)


def draw(folder):
    """Save all figures in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for figure in FIGURES:
        fig = figure()
        fig.savefig(folder / f"{figure.__name__}.png", dpi=120)
        plt.close(fig)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
