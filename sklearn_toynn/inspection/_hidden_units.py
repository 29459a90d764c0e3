"""Plot of the weights of the hidden units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from .._errors import plain
from .._typing import Floats
from ._display import Display, get_last_step


@dataclass(kw_only=True, repr=False, eq=False)
class HiddenUnitsDisplay(Display):
    """Plot of the first layer's weights, as an image or as bars for each hidden unit.

    The units are sorted by the norm of their weights to the next layer, the largest first. The
    title of each unit is this norm. The weights of different features are comparable only if the
    features have a common scale, for example after a `StandardScaler`. For a net with
    ``encoding="piecewise"``, the display shows the weights of all its inputs: the columns and the
    piecewise-linear functions of each column. Create the display with :meth:`from_estimator`.

    Parameters
    ----------
    weights : ndarray of shape (n_features, n_units)
        The weights of the features and units to show.
    norms : ndarray of shape (n_units,)
        The norms of the units' weights to the next layer.
    image_shape : tuple of int, default=None
        The shape of the image that a sample represents. If None, bars are drawn.
    feature_names : sequence of str, default=None
        The names of the features, for bars.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (n_units,)
        The axes of each unit.
    ax_ : matplotlib Axes
        The axes of the whole plot. The `axes_` lie inside.
    figure_ : matplotlib Figure
        The figure with the plot.

    See Also
    --------
    ContributionsDisplay : The contributions of the features to the scores of a linear model.
    LossCurveDisplay : The losses during training.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_toynn import TwoLayerNetClassifier
    >>> from sklearn_toynn.inspection import HiddenUnitsDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> net = TwoLayerNetClassifier(32, random_state=0).fit(X / 16, y)
    >>> HiddenUnitsDisplay.from_estimator(net, image_shape=(8, 8), n_units=12).axes_.shape
    (12,)
    """

    weights: Floats
    norms: Floats
    image_shape: tuple[int, int] | None = None
    feature_names: Sequence[str] | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        image_shape: tuple[int, int] | None = None,
        feature_names: Sequence[str] | None = None,
        n_units: int = 16,
        n_features: int = 16,
        net: int = 0,
        ax: Any = None,
    ) -> Self:
        """Plot the hidden units of a fitted net.

        Parameters
        ----------
        estimator : estimator
            A fitted net (of this package or `MLPClassifier`), or a pipeline or refitted search
            that ends in one.
        image_shape : tuple of int, default=None
            The shape of the image that a sample represents. If None, bars are drawn.
        feature_names : sequence of str, default=None
            The names of all features. If None, `feature_names_in_` or "x0", "x1" and so on. If
            the net has ``encoding="piecewise"``, the display appends names for the additional
            columns, such as "x0_piece0".
        n_units : int, default=16
            The maximum number of units to show.
        n_features : int, default=16
            The maximum number of features to show as bars. All units show the same features: those
            with the largest absolute weights in any of the shown units. Images show all features.
        net : int, default=0
            The index of the net, if there are several.
        ax : matplotlib Axes, default=None
            The axes to draw on. If None, a new figure is created.

        Returns
        -------
        display : HiddenUnitsDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If `estimator` is not fitted.
        ValueError
            If the estimator has no hidden units, if it has no net with the index `net`, if
            `n_units` or `n_features` is below 1, if `image_shape` or `feature_names` do not match
            the number of features, if `image_shape` is given for a net with
            ``encoding="piecewise"``, or if `ax` was not created by ``pyplot.subplots``.
        """
        fitted = get_last_step(estimator)
        if not hasattr(fitted, "coefs_"):
            raise ValueError(
                f"estimator must be a net with hidden units, got a {type(fitted).__name__}."
            )
        # several nets have a leading axis, a single net has none
        first, second = (w.reshape(-1, *w.shape[-2:]) for w in fitted.coefs_[:2])
        if not 0 <= net < len(first):
            raise ValueError(f"net must be from 0 to {len(first) - 1}, got {net}.")
        for name, value in (("n_units", n_units), ("n_features", n_features)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}.")
        first, second = first[net], second[net]
        n = len(first)
        if image_shape is not None and hasattr(fitted, "bin_edges_"):
            raise ValueError(
                "image_shape must be None for a net with encoding='piecewise', whose weights "
                f"belong to {n} encoded columns, got {plain(image_shape)}."
            )
        if image_shape is not None and np.prod(image_shape) != n:
            raise ValueError(
                f"image_shape must have {n} pixels, one per feature, got {plain(image_shape)}."
            )
        if feature_names is None and hasattr(fitted, "bin_edges_"):
            feature_names = fitted.get_encoded_feature_names()
        elif feature_names is None:
            feature_names = getattr(fitted, "feature_names_in_", [f"x{j}" for j in range(n)])
        if len(feature_names) != n:
            raise ValueError(
                f"feature_names must have {n} names, one per feature, got {len(feature_names)}."
            )
        norms = np.linalg.norm(second, axis=1)
        units = np.argsort(-norms, kind="stable")[:n_units]
        weights, features = first[:, units], np.arange(n)
        if image_shape is None:
            order = np.argsort(-np.abs(weights).max(axis=1), kind="stable")
            features = np.sort(order[:n_features])
        display = cls(
            weights=weights[features],
            norms=norms[units],
            image_shape=image_shape,
            feature_names=np.asarray(feature_names)[features].tolist(),
        )
        return display.plot(ax)

    @property
    def _grid_shape(self):
        n_units = len(self.norms)
        n_columns = int(np.ceil(np.sqrt(n_units)))
        return -(-n_units // n_columns), n_columns

    @property
    def _figsize(self):
        # space for the titles and the names of the features
        row_height = 0.4 if self.image_shape else 0.4 + 0.13 * len(self.weights)
        return 6.4, max(4.8, self._grid_shape[0] * row_height)

    def _draw(self):
        grid = self._hide_axes().subgridspec(*self._grid_shape)
        axes = grid.subplots(sharex=True, sharey=True, squeeze=False).ravel()
        axes[0].set(xticks=[], yticks=[])  # of all axes, because they are shared
        self.axes_, unused = np.split(axes, [len(self.norms)])
        for ax in unused:
            ax.remove()
        for ax, norm in zip(self.axes_, self.norms, strict=True):
            ax.set_title(f"{norm:.2g}", fontsize="small", pad=2)
        bound = np.abs(self.weights).max()
        if self.image_shape is None:
            self._draw_bars(bound)
            return
        for ax, weights in zip(self.axes_, self.weights.T, strict=True):
            image = weights.reshape(self.image_shape)
            ax.imshow(image, cmap="RdBu_r", vmin=-bound, vmax=bound)

    def _draw_bars(self, bound):
        positions, first = np.arange(len(self.weights)), self.axes_[0]
        if self.feature_names is not None:
            first.set_yticks(positions, self.feature_names)
        self.figure_.draw_without_rendering()  # sets the height of the axes
        height = 72 * first.get_window_extent().height / self.figure_.dpi  # points
        font_size = min(7, 0.7 * height / len(positions))
        for ax, weights in zip(self.axes_, self.weights.T, strict=True):
            ax.barh(positions, weights, color=np.where(weights < 0, "tab:blue", "tab:red"))
            ax.axvline(0, color="gray", linewidth=0.5)
            ax.tick_params(length=0, labelsize=font_size)
        first.set_xlim(-bound, bound)
        first.invert_yaxis()
