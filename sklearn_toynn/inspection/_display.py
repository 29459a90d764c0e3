"""The base class of the displays."""

from __future__ import annotations

from typing import Any, Self

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted


class Display:
    """The base class of the displays. Subclasses draw on `ax_` in `_draw`."""

    #: The size of a new figure in inches. If None, matplotlib's default.
    _figsize = None

    def plot(self, ax: Any = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes to draw on. If None, a new figure is created.

        Returns
        -------
        self : object
            The display.
        """
        self._set_axes(ax)
        self._draw()
        return self

    def _draw(self):
        raise NotImplementedError

    def _set_axes(self, ax):
        """Store the axes, by default new ones."""
        if ax is None:
            try:
                from matplotlib import pyplot  # noqa: PLC0415
            except ImportError as error:
                raise ImportError(
                    f"{type(self).__name__} requires matplotlib. Install it, or the extra "
                    "sklearn-toynn[plot]."
                ) from error
            _, ax = pyplot.subplots(layout="constrained", figsize=self._figsize)
        self.ax_, self.figure_ = ax, ax.figure

    def _hide_axes(self):
        """Hide the axes and return their `SubplotSpec`."""
        spec = self.ax_.get_subplotspec()
        if spec is None:
            raise ValueError("ax must be on a grid of subplots, as created by pyplot.subplots().")
        self.ax_.set_axis_off()
        return spec


def get_last_step(estimator):
    """Return the fitted estimator at the end of a pipeline or search, or the estimator itself."""
    check_is_fitted(estimator)
    estimator = getattr(estimator, "best_estimator_", estimator)
    return get_last_step(estimator[-1]) if isinstance(estimator, Pipeline) else estimator
