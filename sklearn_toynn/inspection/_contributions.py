"""Plot of what each feature contributes to the scores of a linear classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import validate_data

from .._typing import Floats
from ._display import Display, get_last_step


@dataclass(kw_only=True, repr=False, eq=False)
class ContributionsDisplay(Display):
    """Plot of the contribution of each feature to the scores of a linear classifier.

    The score of a class is a constant plus one term for each feature, the contribution of the
    feature. The mean of each contribution is zero. It is the mean over the training data if the
    model stores the means of the columns, otherwise over the `X` of `from_estimator`. A panel
    shows the contribution of one feature as a function of its value, with a curve for each class.
    For two classes, the only curve is the contribution to the second class minus the contribution
    to the first. The features with the most variable contributions come first. Create the display
    with :meth:`from_estimator`.

    Parameters
    ----------
    values : list of ndarray of shape (n_points,)
        The values of each feature, in ascending order. The contributions are linear between them.
    contributions : list of ndarray of shape (n_points, n_curves)
        The contributions of each feature at its `values`.
    feature_names : sequence of str
        The names of the features.
    curve_names : sequence of str
        The names of the curves in the legend.
    deciles : list of ndarray of shape (9,), default=None
        The deciles of each feature, drawn as short lines.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (n_features,)
        The axes of each feature.
    ax_ : matplotlib Axes
        The axes of the whole plot. The `axes_` lie inside.
    figure_ : matplotlib Figure
        The figure with the plot.

    See Also
    --------
    HiddenUnitsDisplay : The weights of the hidden units of a net.
    sklearn.inspection.PartialDependenceDisplay : Partial dependence of any estimator.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_toynn import SoftmaxClassifier
    >>> from sklearn_toynn.inspection import ContributionsDisplay
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> clf = SoftmaxClassifier(encoding="piecewise").fit(X, y)
    >>> display = ContributionsDisplay.from_estimator(clf, X, n_features=4)
    >>> display.feature_names
    ['proline', 'alcohol', 'flavanoids', 'color_intensity']
    """

    values: Sequence[Floats]
    contributions: Sequence[Floats]
    feature_names: Sequence[str]
    curve_names: Sequence[str]
    deciles: Sequence[Floats] | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike | None = None,
        *,
        n_features: int = 9,
        feature_names: Sequence[str] | None = None,
        ax: Any = None,
    ) -> Self:
        """Plot the contributions of the features of a fitted linear classifier.

        Parameters
        ----------
        estimator : estimator
            A fitted `SoftmaxClassifier` or another linear classifier with `coef_`, or a pipeline
            or refitted search that ends in one.
        X : array-like of shape (n_samples, n_features), default=None
            Data for the range of the curves, the order of the panels and the deciles. If
            `estimator` is a pipeline, its first steps transform `X`. Models that were fitted with
            ``encoding="piecewise"`` store the means and quantiles of the training data, so `X` may
            be None for these models.
        n_features : int, default=9
            The maximum number of features to show.
        feature_names : sequence of str, default=None
            The names of all features. If None, `feature_names_in_` or "x0", "x1" and so on.
        ax : matplotlib Axes, default=None
            The axes to draw on. If None, a new figure is created.

        Returns
        -------
        display : ContributionsDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If `estimator` is not fitted.
        ValueError
            If the estimator is not a linear classifier, if `X` is None for a model without
            ``encoding="piecewise"``, if `n_features` is below 1, if `X` or `feature_names` do not
            match the number of features, or if `ax` was not created by ``pyplot.subplots``.
        """
        fitted = get_last_step(estimator)
        if not hasattr(fitted, "coef_") or not hasattr(fitted, "classes_"):
            raise ValueError(
                "estimator must be a linear classifier, such as SoftmaxClassifier, got a fitted "
                f"{type(fitted).__name__}."
            )
        if n_features < 1:
            raise ValueError(f"n_features must be at least 1, got {n_features}.")
        rows = None
        if X is not None:
            rows = validate_data(fitted, transform_rows(estimator, X), reset=False)
        elif not hasattr(fitted, "bin_edges_"):
            raise ValueError(
                f"X must be given for this {type(fitted).__name__}, because only models with "
                "encoding='piecewise' store the range of the features."
            )
        terms = make_terms(fitted, rows)
        if feature_names is None:
            names = [f"x{j}" for j in range(len(terms))]
            feature_names = getattr(fitted, "feature_names_in_", names)
        if len(feature_names) != len(terms):
            raise ValueError(
                f"feature_names must have {len(terms)} names, one per feature, got "
                f"{len(feature_names)}."
            )
        columns = [None] * len(terms) if rows is None else list(rows.T.astype(float))
        sizes = [
            np.linalg.norm(term(term.get_typical_values() if x is None else x).std(axis=0))
            for term, x in zip(terms, columns, strict=True)
        ]
        shown = np.argsort(-np.array(sizes), kind="stable")[:n_features].tolist()
        values = [terms[feature].get_vertices(columns[feature]) for feature in shown]
        classes = fitted.classes_
        display = cls(
            values=values,
            contributions=[terms[feature](x) for feature, x in zip(shown, values, strict=True)],
            feature_names=[str(feature_names[feature]) for feature in shown],
            curve_names=(
                [f"{classes[1]} minus {classes[0]}"]
                if len(classes) == 2
                else list(map(str, classes))
            ),
            deciles=(
                None
                if rows is None
                else [np.quantile(columns[j], np.arange(0.1, 0.95, 0.1)) for j in shown]
            ),
        )
        return display.plot(ax)

    @property
    def _grid_shape(self):
        n_panels = len(self.values)
        n_columns = int(np.ceil(np.sqrt(n_panels)))
        return -(-n_panels // n_columns), n_columns

    @property
    def _figsize(self):
        n_rows, n_columns = self._grid_shape
        return max(6.4, 2.2 * n_columns), max(4.8, 1.7 * n_rows)

    def _draw(self):
        from matplotlib import colormaps  # noqa: PLC0415

        above, below = self._hide_axes().subgridspec(2, 1, height_ratios=[0.01, 1])
        grid = below.subgridspec(*self._grid_shape)
        axes = grid.subplots(sharey=True, squeeze=False).ravel()
        self.axes_, unused = np.split(axes, [len(self.values)])
        for ax in unused:
            ax.remove()
        n_curves = len(self.curve_names)
        for panel, ax in enumerate(self.axes_):
            if n_curves > 10:  # which is the number of Matplotlib's default colors
                ax.set_prop_cycle(color=colormaps["turbo"](np.linspace(0, 1, n_curves)))
            ax.axhline(0, color="gray", linewidth=0.5)
            lines = ax.plot(self.values[panel], self.contributions[panel])
            if self.deciles is not None:
                ax.vlines(
                    self.deciles[panel],
                    0,
                    0.05,
                    transform=ax.get_xaxis_transform(),
                    color="black",
                    linewidth=0.8,
                )
            ax.set_xlabel(self.feature_names[panel], fontsize="small")
            ax.tick_params(labelsize="small")
        for ax in self.axes_[:: self._grid_shape[1]]:
            ax.set_ylabel("contribution", fontsize="small")
        # the layout reserves space for a legend whose lower edge is at the top of axes
        legend_axes = self.figure_.add_subplot(above)
        legend_axes.set_axis_off()
        legend_axes.legend(
            lines,
            self.curve_names,
            loc="lower center",
            bbox_to_anchor=(0.5, 0),
            ncols=min(len(lines), 5),
            fontsize="small",
        )


class Term:
    """The term of a feature x: slope (x - center), plus a sum over the pieces between edges.

    Parameters
    ----------
    center : float
        The mean of the feature.
    scale : float
        Its standard deviation.
    slope : ndarray of shape (n_curves,)
        The weight of the feature.
    edges : ndarray of shape (n_pieces + 1,) or (0,)
        The edges between the pieces.
    heights : ndarray of shape (n_pieces, n_curves)
        The increase over each piece.
    means : ndarray of shape (n_pieces,)
        The mean of clip((x - q_j) / (q_{j+1} - q_j), 0, 1).
    """

    def __init__(self, center, scale, slope, edges, heights, means):
        self.center, self.scale, self.slope = center, scale, slope
        self.edges, self.heights, self.means = edges, heights, means

    def __call__(self, x):
        """Return the contributions at values of shape (n_points,)."""
        pieces = np.clip((x[:, np.newaxis] - self.edges[:-1]) / np.diff(self.edges), 0, 1)
        return np.outer(x - self.center, self.slope) + (pieces - self.means) @ self.heights

    def get_vertices(self, x):
        """Return values between which the term is linear, over the range of x if it is given."""
        if x is not None:
            low, high = x.min(), x.max()
        elif len(self.edges):
            low, high = self.edges[0], self.edges[-1]
        else:
            low, high = self.center - 2 * self.scale, self.center + 2 * self.scale
        between = self.edges[(low < self.edges) & (self.edges < high)]
        return np.array([low, *between, high])

    def get_typical_values(self):
        """Return values with about the standard deviation of the training data."""
        if len(self.edges):
            return (self.edges[1:] + self.edges[:-1]) / 2
        return np.array([self.center - self.scale, self.center + self.scale])


def make_terms(fitted, X):
    """Return the terms of the features of a linear classifier.

    If the classifier does not store the means of the features, they are the means of X.
    """
    weights = np.asarray(fitted.coef_, float)
    if len(weights) == 2:  # scikit-learn's classifiers have one row for two classes
        weights = np.diff(weights, axis=0)
    if not hasattr(fitted, "bin_edges_"):
        nothing = np.empty(0), np.empty((0, len(weights))), np.empty(0)
        centers = X.mean(axis=0, dtype=float)
        return [
            Term(center, 0.0, slope, *nothing)
            for center, slope in zip(centers, weights.T, strict=True)
        ]
    bin_edges, means, scales = fitted.bin_edges_, fitted.encoding_mean_, fitted.encoding_scale_
    slopes = weights.T / scales[:, np.newaxis]
    terms, end = [], len(bin_edges)
    for feature, edges in enumerate(bin_edges):
        start, end = end, end + max(len(edges) - 1, 0)
        of_feature = means[feature], scales[feature], slopes[feature]
        terms.append(Term(*of_feature, edges, slopes[start:end], means[start:end]))
    return terms


def transform_rows(estimator, X):
    """Return the rows as input of the last step of a pipeline or search."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not isinstance(estimator, Pipeline):
        return X
    if len(estimator) > 1:
        X = estimator[:-1].transform(X)
    return transform_rows(estimator[-1], X)
