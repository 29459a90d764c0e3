"""Which pages need a later scikit-learn than the one that is installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("sklearn.callback") else ["callbacks.rst"]
