"""Small neural nets as scikit-learn classifiers."""

from ._cross_validated import SoftmaxClassifierCV, TwoLayerNetClassifierCV
from ._multi_layer_net import MultiLayerNetClassifier
from ._show_versions import show_versions
from ._softmax import SoftmaxClassifier
from ._two_layer_net import TwoLayerNetClassifier

__all__ = [
    "MultiLayerNetClassifier",
    "SoftmaxClassifier",
    "SoftmaxClassifierCV",
    "TwoLayerNetClassifier",
    "TwoLayerNetClassifierCV",
    "show_versions",
]
__version__ = "0.1.0"
