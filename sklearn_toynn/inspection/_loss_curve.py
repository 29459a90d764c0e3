"""The course of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ._drawing import import_pyplot, last_step, make_ax


@dataclass(kw_only=True, repr=False, eq=False)
class LossCurveDisplay:
    """The course of a training: the objective, the validation loss, and where it ended.

    Create it with :meth:`from_estimator`.

    Parameters
    ----------
    loss_curve : array-like of shape (n_iter,)
        The objective of each iteration.
    loss_curves : list of array-like, default=None
        That of each of several nets, drawn as a band from the least to the largest.
    validation_loss_curve : array-like of shape (n_iter,), default=None
        The log loss on a validation set after each iteration.
    best_iter : int or array-like of int, default=None
        The iteration, or that of each net, whose weights were kept.
    stop_reason : str, default=None
        Why it ended.
    name : str, default=None
        What the legend calls it.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        The curves.
    ax_ : matplotlib Axes
        Where they are.
    figure_ : matplotlib Figure
        Its figure.

    See Also
    --------
    SweepDisplay : The scores of a search.
    sklearn.model_selection.LearningCurveDisplay : Scores by the number of rows.

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
        """Draw the course of the last training of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier with `loss_curve_`, of this package or `MLPClassifier`, a pipeline
            that ends in one, or a search that has refitted one.
        name : str, default=None
            What the legend calls it; None for the name of its class.
        ax : matplotlib Axes, default=None
            Where to draw, as beside what another display has drawn; None for a new figure.
        line_kwargs : dict, default=None
            What matplotlib's `plot` gets for the curves.

        Returns
        -------
        display : LossCurveDisplay
            What was drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If the estimator has no `loss_curve_`.
        NotFittedError
            Before a fit.
        """
        import_pyplot(cls.__name__)
        fitted = last_step(estimator)
        if not hasattr(fitted, "loss_curve_"):
            raise ValueError(
                f"estimator must have a loss_curve_ at its end, got a {type(fitted).__name__}."
            )
        reasons = getattr(fitted, "stop_reason_", None)
        if reasons is not None:
            reasons = ", ".join(sorted(set(np.atleast_1d(reasons).tolist())))
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
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where; None for a new figure.
        line_kwargs : dict, default=None
            What matplotlib's `plot` gets for the curves.

        Returns
        -------
        self : LossCurveDisplay
            The display.
        """
        ax = make_ax(self, ax)
        label = self.name or "objective"
        if self.stop_reason:
            label += f" (ended by {self.stop_reason})"
        (line,) = ax.plot(self.loss_curve, **{"label": label, **(line_kwargs or {})})
        self.lines_ = [line]
        if self.loss_curves is not None:
            table = np.array([*zip_longest(*self.loss_curves, fillvalue=np.nan)])
            ax.fill_between(
                np.arange(len(table)),
                np.nanmin(table, axis=1),
                np.nanmax(table, axis=1),
                color=line.get_color(),
                alpha=0.2,
                linewidth=0,
            )
        if self.validation_loss_curve is not None:
            of_line = {**(line_kwargs or {}), "color": line.get_color(), "linestyle": "--"}
            of_line["label"] = f"{self.name or 'the same'}, validation log loss"
            self.lines_ += ax.plot(self.validation_loss_curve, **of_line)
            best = np.atleast_1d(self.best_iter)
            ax.plot(
                best,
                np.asarray(self.validation_loss_curve)[best],
                linestyle="",
                marker="o",
                markersize=5,
                color=line.get_color(),
                label="_best",
            )
        ax.set(xlabel="epoch or iteration", ylabel="loss", yscale="log")
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
