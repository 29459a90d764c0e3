"""Searches over hyperparameters that share preprocessing and train in threads."""

from ._one_standard_error import one_standard_error
from ._search import FusedGridSearchCV, FusedRandomizedSearchCV

__all__ = ["FusedGridSearchCV", "FusedRandomizedSearchCV", "one_standard_error"]

# so that saved searches name the public module and private modules can move
for _name in __all__:
    globals()[_name].__module__ = __name__
