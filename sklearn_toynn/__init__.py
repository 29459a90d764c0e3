"""Small neural nets as scikit-learn classifiers."""

from ._classifiers import SoftmaxClassifier, TwoLayerNetClassifier

__all__ = ["SoftmaxClassifier", "TwoLayerNetClassifier"]
__version__ = "0.1.0"
