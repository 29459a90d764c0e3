"""Figures of a fit and of a search, in scikit-learn's Display convention; they need matplotlib."""

from ._hidden_units import HiddenUnitsDisplay
from ._loss_curve import LossCurveDisplay
from ._sweep import SweepDisplay

__all__ = ["HiddenUnitsDisplay", "LossCurveDisplay", "SweepDisplay"]

for _name in __all__:
    globals()[_name].__module__ = __name__
