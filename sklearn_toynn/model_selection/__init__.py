"""Searches over hyperparameters that train their candidates together."""

from ._search import FusedGridSearchCV, FusedRandomizedSearchCV

__all__ = ["FusedGridSearchCV", "FusedRandomizedSearchCV"]
