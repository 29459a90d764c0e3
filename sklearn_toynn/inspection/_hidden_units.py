"""The weights of the hidden units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from .._errors import plain
from .._typing import Floats
from ._drawing import import_pyplot, last_step, make_ax


@dataclass(kw_only=True, repr=False, eq=False)
class HiddenUnitsDisplay:
    """The first layer's weights, as a small image or as bars for each hidden unit.

    The units are sorted by the norm of their weights to the next layer, which is the title of
    each: the first ones matter most. Weights can be compared where the columns have a common
    scale, as behind a `StandardScaler`. Create it with :meth:`from_estimator`.

    Parameters
    ----------
    weights : ndarray of shape (n_features, n_units)
        The weights of the features and units that are shown.
    norms : ndarray of shape (n_units,)
        The norms of their weights to the next layer.
    image_shape : tuple of int, default=None
        The shape of the image that a row is; None for bars.
    feature_names : sequence of str, default=None
        The names beside the bars, one per row of `weights`.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Of each unit.
    ax_ : matplotlib Axes
        That they are within.
    figure_ : matplotlib Figure
        Its figure.

    See Also
    --------
    LossCurveDisplay : The course of a training.

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
        """Draw the hidden units of a fitted net.

        Parameters
        ----------
        estimator : estimator
            A fitted net, of this package or `MLPClassifier`, a pipeline that ends in one, or a
            search that has refitted one.
        image_shape : tuple of int, default=None
            The shape of the image that a row is, for small images; None for bars.
        feature_names : sequence of str, default=None
            The names of all features; None for `feature_names_in_`, or "x0", "x1" and so on.
        n_units : int, default=16
            How many units to show, at most.
        n_features : int, default=16
            How many features to show as bars, at most: those with the largest absolute weight in
            a unit that is shown. An image shows all of them.
        net : int, default=0
            Which one, of several nets.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : HiddenUnitsDisplay
            What was drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If the estimator has no hidden units or no such net, or `image_shape` or
            `feature_names` do not fit its features.
        NotFittedError
            Before a fit.
        """
        import_pyplot(cls.__name__)
        fitted = last_step(estimator)
        if not hasattr(fitted, "coefs_"):
            raise ValueError(
                f"estimator must be a net with hidden units, got a {type(fitted).__name__}."
            )
        # several nets have a leading axis, which one has not
        first, second = (
            layer.reshape(-1, *layer.shape[-2:]) for layer in map(np.asarray, fitted.coefs_[:2])
        )
        if not 0 <= net < len(first):
            raise ValueError(f"net must be from 0 to {len(first) - 1}, got {net}.")
        first, second = first[net], second[net]
        if image_shape is not None and np.prod(image_shape) != len(first):
            raise ValueError(
                f"image_shape must have {len(first)} pixels, one per feature, got "
                f"{plain(image_shape)}."
            )
        if feature_names is None:
            numbered = [f"x{index}" for index in range(len(first))]
            feature_names = getattr(fitted, "feature_names_in_", numbered)
        if len(feature_names) != len(first):
            raise ValueError(
                f"feature_names must have {len(first)} names, one per feature, got "
                f"{len(feature_names)}."
            )
        norms = np.linalg.norm(second, axis=1)
        order = np.argsort(-norms, kind="stable")[:n_units]
        weights = first[:, order]
        shown = np.argsort(-np.abs(weights).max(axis=1), kind="stable")
        shown = np.sort(shown[: n_features if image_shape is None else None])
        display = cls(
            weights=weights[shown],
            norms=norms[order],
            image_shape=image_shape,
            feature_names=[feature_names[index] for index in shown],
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
        self : HiddenUnitsDisplay
            The display.
        """
        n_features, n_units = self.weights.shape
        n_columns = int(np.ceil(np.sqrt(n_units)))
        n_rows = -(-n_units // n_columns)
        is_own = ax is None
        # inches: room for a title and, beside each bar, for a name
        row_height = 0.4 + (0 if self.image_shape else 0.13 * n_features)
        self.ax_ = ax = make_ax(self, ax, figsize=(6.4, max(4.8, n_rows * row_height)))
        self.figure_ = figure = ax.figure
        ax.set_axis_off()
        bound = np.abs(self.weights).max()
        spec = ax.get_subplotspec().subgridspec(n_rows, n_columns)
        axes = []
        for index, (weights, norm) in enumerate(zip(self.weights.T, self.norms, strict=True)):
            own = figure.add_subplot(spec[index // n_columns, index % n_columns])
            if self.image_shape is None:
                is_named = self.feature_names is not None and index % n_columns == 0
                names = self.feature_names if is_named else []
                room = np.inf if is_own else own.get_window_extent().height / figure.dpi
                self._draw_bars(own, weights, bound, names, room)
            else:
                own.imshow(
                    weights.reshape(self.image_shape), cmap="RdBu_r", vmin=-bound, vmax=bound
                )
                own.set(xticks=[], yticks=[])
            own.set_title(f"{norm:.2g}", fontsize="small", pad=2)
            axes.append(own)
        self.axes_ = np.array(axes)
        return self

    def _draw_bars(self, ax, weights, bound, names, room):
        places = np.arange(len(weights))
        ax.barh(places, weights, color=np.where(weights < 0, "tab:blue", "tab:red"))
        ax.axvline(0, color="gray", linewidth=0.5)
        ax.set(xlim=(-bound, bound), xticks=[])
        font_size = min(7, 45 * room / len(weights))  # points; `room` is in inches
        ax.set_yticks(places[: len(names)], names, fontsize=font_size)
        ax.invert_yaxis()
