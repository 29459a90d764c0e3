"""The names of encoded columns."""

import numpy as np
import pandas as pd
import pytest
from helpers import ends_early, wine
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectFromModel

from sklearn_toynn import MultiLayerNetClassifier, SoftmaxClassifier, TwoLayerNetClassifier

pytestmark = ends_early
QUICK = {"max_iter": 2, "random_state": 0}
CLASSES = [SoftmaxClassifier, TwoLayerNetClassifier, MultiLayerNetClassifier]


def with_a_column_without_pieces():
    X, y = wine()
    return np.column_stack([X[:, 0], X[:, 1] > 0, X[:, 2]]), y


@pytest.mark.parametrize("model_class", CLASSES)
def test_there_is_a_name_for_each_row_of_weights(model_class):
    X, y = with_a_column_without_pieces()
    model = model_class(encoding="piecewise", **QUICK).fit(X, y)
    names = model.get_encoded_feature_names()
    pieces = [f"x{column}_piece{j}" for column in (0, 2) for j in range(8)]
    assert names.tolist() == ["x0", "x1", "x2", *pieces]
    assert names.dtype == object
    weights = model.coef_.T if model_class is SoftmaxClassifier else model.coefs_[0]
    assert len(weights) == len(names)


def test_names_of_a_frame_and_given_names():
    X, y = with_a_column_without_pieces()
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = SoftmaxClassifier(encoding="piecewise").fit(frame, y)
    expected = [*"abc", *(f"{name}_piece{j}" for name in "ac" for j in range(8))]
    assert_array_equal(model.get_encoded_feature_names(), expected)
    assert_array_equal(model.get_encoded_feature_names(["a", "b", "c"]), expected)
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        model.get_encoded_feature_names(["a", "b", "d"])
    model.fit(X, y)
    assert model.get_encoded_feature_names(["a", "b", "d"])[-1] == "d_piece7"
    with pytest.raises(ValueError, match="input_features should have length equal"):
        model.get_encoded_feature_names(["a", "b"])


def test_without_encoding_the_names_are_the_names_of_the_columns():
    X, y = with_a_column_without_pieces()
    model = SoftmaxClassifier(encoding="piecewise")
    with pytest.raises(NotFittedError):
        model.get_encoded_feature_names()
    model.fit(X, y).set_params(encoding="linear").fit(X, y)
    assert_array_equal(model.get_encoded_feature_names(), ["x0", "x1", "x2"])


def test_select_from_model_does_not_select_by_encoded_columns():
    X, y = with_a_column_without_pieces()
    selector = SelectFromModel(SoftmaxClassifier(encoding="piecewise")).fit(X, y)
    with pytest.raises(IndexError, match="boolean index did not match"):
        selector.transform(X)
