"""Plots of fitted nets and searches, as scikit-learn displays. They require matplotlib."""

from ._contributions import ContributionsDisplay
from ._hidden_units import HiddenUnitsDisplay
from ._loss_curve import LossCurveDisplay
from ._sweep import SweepDisplay

__all__ = ["ContributionsDisplay", "HiddenUnitsDisplay", "LossCurveDisplay", "SweepDisplay"]

for _name in __all__:
    globals()[_name].__module__ = __name__
