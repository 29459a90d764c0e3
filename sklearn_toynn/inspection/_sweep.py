"""The scores of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._typing import Floats
from ._drawing import import_pyplot, make_ax


@dataclass(kw_only=True, repr=False, eq=False)
class SweepDisplay:
    """The scores of a search over one or two parameters.

    Two parameters are drawn as a heat map with its values. A thick frame marks the chosen
    candidate, thin frames those within one standard error of the best. One parameter is drawn as a
    curve with the spread of the folds; a star marks the chosen candidate. The scores on the
    training rows are added if the search has them. Create it with :meth:`from_search`.

    Parameters
    ----------
    names : sequence of str
        The parameters, one or two of them: down, then across.
    values : sequence of sequence
        The values of each.
    scores, errors : ndarray of shape (n_values,) or (n_values_down, n_values_across)
        The mean over the folds and its standard error; NaN where nothing was tried.
    best : tuple of int
        The indices of the best score.
    chosen : tuple of int, default=None
        The indices of the candidate that the search chose; None if it chose none, or one that is
        not shown. The best is marked then.
    train_scores : ndarray of the same shape, default=None
        The mean on the rows of the training.
    baseline : float, default=None
        A score to compare with.
    scoring : str, default="score"
        What the scores are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is.
    figure_ : matplotlib Figure
        Its figure.

    See Also
    --------
    model_selection.one_standard_error : Chooses the simplest within that error.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_toynn import TwoLayerNetClassifier
    >>> from sklearn_toynn.inspection import SweepDisplay
    >>> from sklearn_toynn.model_selection import FusedGridSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> net = TwoLayerNetClassifier(random_state=0)
    >>> grid = {"hidden_size": [4, 16], "reg": [1e-3, 1e-2, 1e-1]}
    >>> search = FusedGridSearchCV(net, grid).fit(X, y)
    >>> SweepDisplay.from_search(search, baseline=0.95).names
    ['hidden_size', 'reg']
    """

    names: Sequence[str]
    values: Sequence[Sequence[Any]]
    scores: Floats
    errors: Floats
    best: tuple[int, ...]
    chosen: tuple[int, ...] | None = None
    train_scores: Floats | None = None
    baseline: float | None = None
    scoring: str = "score"

    @classmethod
    def from_search(
        cls,
        search: Any,
        *,
        params: Sequence[str] | None = None,
        metric: str = "score",
        baseline: float | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the scores of a fitted search.

        Parameters
        ----------
        search : search
            A fitted `GridSearchCV` or another estimator with its `cv_results_`, such as
            `SoftmaxClassifierCV`, or a pipeline that ends in one.
        params : sequence of str, default=None
            One or two parameters of the grid, as named there or by the ends of those names, down
            and across; None for all that have several values, which are to be one or two. Of
            several candidates at one place the best is shown.
        metric : str, default="score"
            Which of the scores of a search with several.
        baseline : float, default=None
            The score of another model on the same folds, for a line.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : SweepDisplay
            What was drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `search` has no `cv_results_`, if there are not one or two such parameters, if no
            candidate has a value of both, or if there is no such metric or no finite score.
        NotFittedError
            Before a fit.
        """
        import_pyplot(cls.__name__)
        while isinstance(search, Pipeline):
            search = search[-1]
        if not hasattr(search, "cv_results_"):
            check_is_fitted(search)
            raise ValueError(
                "search must be a search with cv_results_, or a pipeline that ends in one, got "
                f"{type(search).__name__}."
            )
        results = search.cv_results_
        if f"mean_test_{metric}" not in results:
            known = [name[10:] for name in results if name.startswith("mean_test_")]
            raise ValueError(f"metric must be one of {known}, got {metric!r}.")
        names = choose_params(results, params)
        values = [distinct(results[f"param_{name}"]) for name in names]
        shape = tuple(map(len, values))
        n_splits = sum(
            name.startswith("split") and name.endswith(f"_test_{metric}") for name in results
        )
        means = results[f"mean_test_{metric}"]
        mean_train = results.get(f"mean_train_{metric}")
        scores, errors = np.full(shape, np.nan), np.full(shape, np.nan)
        train_scores = None if mean_train is None else np.full(shape, np.nan)
        places = [
            tuple(v.index(setting[n]) for n, v in zip(names, values, strict=True))
            if all(name in setting for name in names)
            else None  # a candidate of another grid
            for setting in results["params"]
        ]
        if not any(places):
            raise ValueError(
                f"No candidate has a value of both {names[0]!r} and {names[1]!r}, as they are of "
                f"different grids. Set params to one of them, such as [{names[0]!r}]."
            )
        for index, place in enumerate(places):
            # the best candidate of a place; NaN marks one that could not be fitted
            if place is None or np.isnan(means[index]) or means[index] <= scores[place]:
                continue
            scores[place] = means[index]
            errors[place] = results[f"std_test_{metric}"][index] / np.sqrt(max(n_splits - 1, 1))
            if train_scores is not None:
                train_scores[place] = mean_train[index]
        if np.isnan(scores).all():
            raise ValueError(f"search must have a finite mean_test_{metric}, got NaN alone.")
        chosen = getattr(search, "best_index_", None)
        scoring = search.scoring if metric == "score" else metric
        display = cls(
            names=[name.split("__")[-1] for name in names],
            values=values,
            scores=scores,
            errors=errors,
            best=tuple(map(int, np.unravel_index(np.nanargmax(scores), shape))),
            chosen=None if chosen is None else places[chosen],
            train_scores=train_scores,
            baseline=baseline,
            scoring=scoring if isinstance(scoring, str) else "score",
        )
        return display.plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where; None for a new figure.

        Returns
        -------
        self : SweepDisplay
            The display.
        """
        self.ax_ = ax = make_ax(self, ax)
        self.figure_ = ax.figure
        draw = self._draw_curve if len(self.names) == 1 else self._draw_map
        draw(ax)
        return self

    @property
    def _marked(self):
        """The place to mark, and what it is called."""
        return (self.best, "best") if self.chosen is None else (self.chosen, "chosen")

    def _draw_curve(self, ax):
        (values,) = self.values
        x = values if all(map(is_number, values)) else range(len(values))
        (line,) = ax.plot(x, self.scores, marker="o", label="test")
        ax.fill_between(
            x,
            self.scores - self.errors,
            self.scores + self.errors,
            color=line.get_color(),
            alpha=0.2,
            linewidth=0,
        )
        if self.train_scores is not None:
            ax.plot(x, self.train_scores, marker="o", linestyle=":", label="train")
        ax.axhline(
            self.scores[self.best] - self.errors[self.best],
            color="gray",
            linewidth=0.8,
            label="one standard error below the best",
        )
        marked, name = self._marked
        ax.plot(x[marked[0]], self.scores[marked], "*", markersize=14, label=name)
        if self.baseline is not None:
            ax.axhline(self.baseline, color="black", linestyle="--", label="baseline")
        if x is not values:
            ax.set_xticks(x, map(show, values))
        elif is_log_spaced(values):
            ax.set_xscale("log")
        ax.set(xlabel=self.names[0], ylabel=self.scoring)
        ax.legend()

    def _draw_map(self, ax):
        pyplot = import_pyplot(type(self).__name__)
        down, across = self.values
        shown = self.scores if self.baseline is None else np.append(self.scores, self.baseline)
        low, high = np.nanmin(shown), np.nanmax(shown)
        image = ax.imshow(self.scores, aspect="auto", origin="lower", vmin=low, vmax=high)
        bar = ax.figure.colorbar(image, ax=ax, label=self.scoring)
        least = self.scores[self.best] - self.errors[self.best]
        marked, name = self._marked
        for row, column in np.ndindex(self.scores.shape):
            score = self.scores[row, column]
            if np.isnan(score):
                continue
            colour = "black" if score > (low + high) / 2 else "white"  # on the colours of viridis
            ax.text(column, row, f"{score:.3g}", ha="center", va="center", color=colour)
            if score >= least or (row, column) == marked:
                width = 4 if (row, column) == marked else 1.5
                corner = (column - 0.45, row - 0.45)
                ax.add_patch(
                    pyplot.Rectangle(
                        corner, 0.9, 0.9, fill=False, edgecolor="red", linewidth=width
                    )
                )
        if self.baseline is not None:
            bar.ax.axhline(self.baseline, color="red", linewidth=2)
            bar.ax.set_title("red: baseline", fontsize="small")
        ax.set_xticks(range(len(across)), map(show, across))
        ax.set_yticks(range(len(down)), map(show, down))
        ax.set(
            ylabel=self.names[0],
            xlabel=self.names[1],
            title=f"Thick frame: {name}. Thin frames: within one standard error of the best",
        )
        ax.title.set_fontsize("small")


def choose_params(results, params):
    """Return the full names of the one or two parameters to show."""
    searched = [name.removeprefix("param_") for name in results if name.startswith("param_")]
    if params is None:
        chosen = [n for n in searched if len(distinct(results[f"param_{n}"])) > 1]
    else:
        chosen = [n for end in params for n in searched if n == end or n.endswith(f"__{end}")]
    if len(chosen) not in {1, 2} or (params is not None and len(chosen) != len(params)):
        raise ValueError(
            f"params must name one or two of the parameters that were searched, {searched}, each "
            f"by its name or its end, got {params!r}, which stands for {chosen}."
        )
    return chosen


def distinct(values):
    """Return the values of a parameter, in their order if they have one."""
    seen = []
    for value in np.ma.compressed(values):
        if value not in seen:
            seen.append(value)
    return sorted(seen) if all(map(is_number, seen)) else seen


def is_number(value):
    """Say whether a value stands on an axis."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_log_spaced(values):
    """Say whether the steps of sorted numbers are nearer to equal factors than to equal sums."""
    if len(values) < 3 or values[0] <= 0:
        return False
    sums, factors = np.diff(values), np.diff(np.log(values))
    return np.std(factors) / np.mean(factors) < np.std(sums) / np.mean(sums)


def show(value):
    """Return a value as a tick's label."""
    return f"{value:.3g}" if is_number(value) else str(value)
