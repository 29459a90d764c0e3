"""Small neural nets as scikit-learn classifiers."""

from ._cross_validated import (
    MultiLayerNetClassifierCV,
    SoftmaxClassifierCV,
    TwoLayerNetClassifierCV,
)
from ._net_classifiers import MultiLayerNetClassifier, TwoLayerNetClassifier
from ._show_versions import show_versions
from ._softmax import SoftmaxClassifier
from ._version import __version__ as __version__

__all__ = [
    "MultiLayerNetClassifier",
    "MultiLayerNetClassifierCV",
    "SoftmaxClassifier",
    "SoftmaxClassifierCV",
    "TwoLayerNetClassifier",
    "TwoLayerNetClassifierCV",
    "show_versions",
]

# so that saved models name the public module and private modules can move
for _name in __all__:
    globals()[_name].__module__ = __name__
