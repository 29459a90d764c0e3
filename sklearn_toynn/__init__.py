"""Small neural nets as scikit-learn classifiers."""

from ._softmax import SoftmaxClassifier
from ._two_layer_net import TwoLayerNetClassifier

__all__ = ["SoftmaxClassifier", "TwoLayerNetClassifier"]
__version__ = "0.1.0"
