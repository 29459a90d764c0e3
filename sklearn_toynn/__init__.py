"""Small neural nets as scikit-learn classifiers."""

from ._two_layer_net import SoftmaxClassifier, TwoLayerNetClassifier

__all__ = ["SoftmaxClassifier", "TwoLayerNetClassifier"]
__version__ = "0.1.0"
