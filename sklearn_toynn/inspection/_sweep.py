"""Plot of the scores of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._typing import Floats
from ._display import Display


@dataclass(kw_only=True, repr=False, eq=False)
class SweepDisplay(Display):
    """Plot of the scores of a search over one or two parameters.

    The scores over two parameters are drawn as a heat map. A thick frame marks the chosen
    candidate. Thin frames mark the candidates within one standard error of the best candidate. The
    scores over one parameter are drawn as a curve with a band of one standard error. A star marks
    the chosen candidate on the curve. A second curve shows the training scores, if the search has
    them. Create the display with :meth:`from_search`.

    Parameters
    ----------
    names : sequence of str
        The names of the parameters. A single parameter is on the horizontal axis. Of two
        parameters, the first is on the vertical axis.
    values : sequence of sequence
        The values of each parameter.
    scores, errors : ndarray of shape (n_values,) or (n_values_down, n_values_across)
        The mean score over the folds and its standard error; NaN for combinations of values that
        the search did not try.
    best : tuple of int
        The indices of the best score.
    chosen : tuple of int, default=None
        The indices of the candidate that the search chose. If None, the best candidate is marked.
    train_scores : ndarray of the shape of `scores`, default=None
        The mean training score.
    baseline : float, default=None
        The score of another model, for comparison. A line marks it in the curve, or in the color
        bar of a heat map.
    scoring : str, default="score"
        The name of the score.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the plot.
    figure_ : matplotlib Figure
        The figure with the plot.

    See Also
    --------
    model_selection.one_standard_error : Choose the simplest candidate within one standard error.

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
        """Plot the scores of a fitted search.

        Parameters
        ----------
        search : search
            A fitted estimator with `cv_results_`, such as `GridSearchCV` or `SoftmaxClassifierCV`,
            or a pipeline whose last step is such an estimator.
        params : sequence of str, default=None
            The one or two parameters to show. Of two, the first is on the vertical axis. The end
            of a name is enough ("reg" for "net__reg"). If None, all parameters with several
            values. If several candidates have the same values of these parameters, the best one is
            shown.
        metric : str, default="score"
            The metric to show, for a search with several.
        baseline : float, default=None
            The score of another model on the same folds.
        ax : matplotlib Axes, default=None
            The axes to draw on. If None, a new figure is created.

        Returns
        -------
        display : SweepDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If `search` is not fitted.
        ValueError
            If `search` has no `cv_results_`, no such metric or no finite score, if there are not
            one or two parameters to show, or if no candidate sets both parameters.
        """
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
        cells = [
            tuple(v.index(setting[name]) for name, v in zip(names, values, strict=True))
            if all(name in setting for name in names)
            else None  # a candidate of another grid
            for setting in results["params"]
        ]
        if not any(cells):
            raise ValueError(
                f"No candidate has values of both {names[0]!r} and {names[1]!r}, because they are "
                f"in different grids. Set params to one of them, such as [{names[0]!r}]."
            )
        means = results[f"mean_test_{metric}"]
        candidates = np.full(tuple(map(len, values)), -1)
        # from the worst to the best, because later candidates replace earlier ones
        for index in np.argsort(-means, kind="stable")[::-1]:
            if cells[index] is not None:
                candidates[cells[index]] = index
        scores = np.where(candidates < 0, np.nan, means[candidates])
        if np.isnan(scores).all():
            raise ValueError(f"search must have a finite mean_test_{metric}, got only NaN.")
        splits = [n for n in results if n.startswith("split") and n.endswith(f"_test_{metric}")]
        errors = results[f"std_test_{metric}"] / np.sqrt(max(len(splits) - 1, 1))
        train_means = results.get(f"mean_train_{metric}")
        chosen = getattr(search, "best_index_", None)
        scoring = search.scoring if metric == "score" else metric
        display = cls(
            names=[name.split("__")[-1] for name in names],
            values=values,
            scores=scores,
            errors=np.where(candidates < 0, np.nan, errors[candidates]),
            best=tuple(map(int, np.unravel_index(np.nanargmax(scores), scores.shape))),
            chosen=None if chosen is None else cells[chosen],
            train_scores=None
            if train_means is None
            else np.where(candidates < 0, np.nan, train_means[candidates]),
            baseline=baseline,
            scoring=scoring if isinstance(scoring, str) else "score",
        )
        return display.plot(ax)

    def _draw(self):
        marked, name = (self.best, "best") if self.chosen is None else (self.chosen, "chosen")
        if len(self.names) == 1:
            self._draw_curve(marked, name)
        else:
            self._draw_map(marked, name)

    def _draw_curve(self, marked, name):
        (values,), ax = self.values, self.ax_
        if all(map(is_number, values)):
            x = values
            steps = np.diff(values)
            # the rule of scikit-learn's ValidationCurveDisplay
            if values[0] > 0 and len(values) > 2 and max(steps) > 5 * min(steps):
                ax.set_xscale("log")
        else:
            x = range(len(values))
            ax.set_xticks(x, map(format_value, values))
        low, high = self.scores - self.errors, self.scores + self.errors
        (line,) = ax.plot(x, self.scores, marker="o", label="test")
        ax.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
        if self.train_scores is not None:
            ax.plot(x, self.train_scores, marker="o", linestyle=":", label="train")
        label = "one standard error below the best"
        ax.axhline(low[self.best], color="gray", linewidth=0.8, label=label)
        ax.plot(x[marked[0]], self.scores[marked], "*", markersize=14, label=name)
        if self.baseline is not None:
            ax.axhline(self.baseline, color="black", linestyle="--", label="baseline")
        ax.set(xlabel=self.names[0], ylabel=self.scoring)
        ax.legend()

    def _draw_map(self, marked, name):
        (down, across), ax = self.values, self.ax_
        shown = self.scores if self.baseline is None else np.append(self.scores, self.baseline)
        low, high = np.nanmin(shown), np.nanmax(shown)
        image = ax.imshow(self.scores, aspect="auto", origin="lower", vmin=low, vmax=high)
        bar = self.figure_.colorbar(image, ax=ax, label=self.scoring)
        limit = self.scores[self.best] - self.errors[self.best]
        for cell, score in np.ndenumerate(self.scores):
            if np.isnan(score):
                continue
            color = "black" if score > (low + high) / 2 else "white"  # on viridis
            text = ax.text(*cell[::-1], f"{score:.3g}", ha="center", va="center", color=color)
            if score >= limit or cell == marked:
                width = 4 if cell == marked else 1.5
                text.set_bbox({"fill": False, "edgecolor": "red", "linewidth": width, "pad": 8})
        if self.baseline is not None:
            bar.ax.axhline(self.baseline, color="red", linewidth=2)
            bar.ax.set_title("red: baseline", fontsize="small")
        ax.set_xticks(range(len(across)), map(format_value, across))
        ax.set_yticks(range(len(down)), map(format_value, down))
        ax.set(ylabel=self.names[0], xlabel=self.names[1])
        title = f"Thick frame: {name}. Thin frames: within one standard error of the best."
        ax.set_title(title, fontsize="small")


def choose_params(results, params):
    """Return the full names of the one or two parameters to show."""
    searched = [name.removeprefix("param_") for name in results if name.startswith("param_")]
    if params is None:
        chosen = [n for n in searched if len(distinct(results[f"param_{n}"])) > 1]
    else:
        chosen = [n for end in params for n in searched if n == end or n.endswith(f"__{end}")]
    if len(chosen) not in {1, 2} or (params is not None and len(chosen) != len(params)):
        raise ValueError(
            f"params must name one or two of the searched parameters {searched}, by their names "
            f"or the ends of their names, got {params!r}, which matches {chosen}."
        )
    return chosen


def distinct(values):
    """Return the distinct values of a parameter; numbers are sorted."""
    seen = []
    for value in np.ma.compressed(values):
        if value not in seen:
            seen.append(value)
    return sorted(seen) if all(map(is_number, seen)) else seen


def is_number(value):
    """Return whether a value is a real number, but not a bool."""
    return isinstance(value, Real) and not isinstance(value, bool)


def format_value(value):
    """Return the tick label of a value."""
    return f"{value:.3g}" if is_number(value) else str(value)
