"""Searches over hyperparameters that train their candidates together."""

from ._one_standard_error import one_standard_error
from ._search import FusedGridSearchCV, FusedRandomizedSearchCV

__all__ = ["FusedGridSearchCV", "FusedRandomizedSearchCV", "one_standard_error"]

for _class in (FusedGridSearchCV, FusedRandomizedSearchCV):  # as in the package itself
    _class.__module__ = __name__
