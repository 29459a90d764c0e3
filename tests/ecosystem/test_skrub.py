"""The CV estimators at the end of skrub's pipelines of mixed frames."""

import numpy as np
import pandas as pd
import pytest

from sklearn_toynn import (
    MultiLayerNetClassifierCV,
    SoftmaxClassifierCV,
    TwoLayerNetClassifierCV,
)

tabular_pipeline = pytest.importorskip(
    "skrub", reason="requires the extra `ecosystem`"
).tabular_pipeline


@pytest.mark.parametrize(
    "classifier",
    [
        SoftmaxClassifierCV(3),
        TwoLayerNetClassifierCV([8], 3, n_nets=2, random_state=0),
        MultiLayerNetClassifierCV([(8,), (8, 8)], 3, n_nets=2, random_state=0),
    ],
    ids=lambda classifier: type(classifier).__name__,
)
def test_a_frame_of_numbers_categories_dates_and_missing_values(classifier):
    rng = np.random.default_rng(0)
    number, group = rng.uniform(size=300), rng.choice(["a", "b", "c"], 300)
    dates = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 300, 300), unit="D")
    frame = pd.DataFrame({"number": number, "group": group, "date": dates})
    frame.loc[::10, "number"] = np.nan
    y = np.where((number > 0.5) == (group == "a"), "yes", "no")
    complete = frame["number"].notna()

    model = tabular_pipeline(classifier).fit(frame, y)

    assert list(model.classes_) == ["no", "yes"]
    is_linear = isinstance(classifier, SoftmaxClassifierCV)
    assert model.score(frame[complete], y[complete]) > (0.6 if is_linear else 0.85)
    assert set(classifier.cv_results_["param_encoding"]) == {"linear", "piecewise"}
