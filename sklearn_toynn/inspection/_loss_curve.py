"""Plot of the losses during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ._display import Display, get_last_step


@dataclass(kw_only=True, repr=False, eq=False)
class LossCurveDisplay(Display):
    """Plot of the training objective and of the validation loss for each iteration.

    Create it with :meth:`from_estimator`.

    Parameters
    ----------
    loss_curve : array-like of shape (n_iter,)
        The objective at each iteration.
    loss_curves : list of array-like, default=None
        The objectives of several nets, drawn as a band from the smallest to the largest.
    validation_loss_curve : array-like of shape (n_iter,), default=None
        The log loss on the validation set after each iteration.
    best_iter : int or array-like of int, default=None
        The iteration whose weights were kept, for each net if there are several.
    stop_reason : str, default=None
        Why the training stopped.
    name : str, default=None
        The name in the legend.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        The curves.
    ax_ : matplotlib Axes
        The axes with the plot.
    figure_ : matplotlib Figure
        The figure with the plot.

    See Also
    --------
    SweepDisplay : The scores of a search.
    sklearn.model_selection.LearningCurveDisplay : Scores by the number of training samples.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_toynn import TwoLayerNetClassifier
    >>> from sklearn_toynn.inspection import LossCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> net = TwoLayerNetClassifier(8, early_stopping=True, random_state=0).fit(X, y)
    >>> display = LossCurveDisplay.from_estimator(net)
    >>> _ = LossCurveDisplay.from_estimator(net, name="again", ax=display.ax_)
    """

    loss_curve: ArrayLike
    loss_curves: Sequence[Sequence[float]] | None = None
    validation_loss_curve: ArrayLike | None = None
    best_iter: Any = None
    stop_reason: str | None = None
    name: str | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        name: str | None = None,
        ax: Any = None,
        line_kwargs: Mapping[str, Any] | None = None,
    ) -> Self:
        """Plot the losses of the last training of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier with `loss_curve_` (of this package or `MLPClassifier`), or a
            pipeline or refitted search that ends in one.
        name : str, default=None
            The name in the legend. If None, the name of the class.
        ax : matplotlib Axes, default=None
            The axes to draw on. If None, a new figure is created.
        line_kwargs : dict, default=None
            Keyword arguments for matplotlib's `plot`.

        Returns
        -------
        display : LossCurveDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If `estimator` is not fitted.
        ValueError
            If the estimator has no `loss_curve_`.
        """
        fitted = get_last_step(estimator)
        if not hasattr(fitted, "loss_curve_"):
            raise ValueError(
                f"estimator must have a loss_curve_, got a fitted {type(fitted).__name__}."
            )
        reasons = getattr(fitted, "stop_reason_", None)
        if reasons is not None:
            reasons = ", ".join(np.unique(reasons))
        display = cls(
            loss_curve=fitted.loss_curve_,
            loss_curves=getattr(fitted, "loss_curves_", None),
            validation_loss_curve=getattr(fitted, "validation_loss_curve_", None),
            best_iter=getattr(fitted, "best_iter_", None),
            stop_reason=reasons,
            name=type(fitted).__name__ if name is None else name,
        )
        return display.plot(ax, line_kwargs=line_kwargs)

    def plot(self, ax: Any = None, *, line_kwargs: Mapping[str, Any] | None = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes to draw on. If None, a new figure is created.
        line_kwargs : dict, default=None
            Keyword arguments for matplotlib's `plot`.

        Returns
        -------
        self : LossCurveDisplay
            The display.
        """
        self._set_axes(ax)
        ax = self.ax_
        label = self.name or "objective"
        if self.stop_reason:
            label += f" (stop reason: {self.stop_reason})"
        kwargs = {"label": label, **(line_kwargs or {})}
        self.lines_ = ax.plot(self.loss_curve, **kwargs)
        color = self.lines_[0].get_color()
        if self.loss_curves is not None:
            # finished nets have shorter curves
            curves = np.array([*zip_longest(*self.loss_curves, fillvalue=np.nan)])
            low, high = np.nanmin(curves, axis=1), np.nanmax(curves, axis=1)
            ax.fill_between(range(len(curves)), low, high, color=color, alpha=0.2, linewidth=0)
        if self.validation_loss_curve is not None:
            kwargs |= {"color": color, "linestyle": "--"}
            kwargs["label"] = "validation log loss" + (f" of {self.name}" if self.name else "")
            self.lines_ += ax.plot(self.validation_loss_curve, **kwargs)
            best = np.atleast_1d(self.best_iter)
            ax.plot(best, np.asarray(self.validation_loss_curve)[best], "o", ms=5, color=color)
        ax.set(xlabel="epoch or iteration", ylabel="loss", yscale="log")
        ax.legend()
        return self
