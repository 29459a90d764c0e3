"""
Export a model in three ways
============================

A fitted pipeline can run where this package is not installed, as a model of scikit-learn or as an
ONNX graph. Where this package is installed, skops saves and loads the pipeline without pickle. The
predictions of all three agree with those of the pipeline.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
import skl2onnx
import skops.io
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import sklearn_toynn.onnx  # noqa: F401 (registers the converters)
from sklearn_toynn import TwoLayerNetClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = make_pipeline(MinMaxScaler(), TwoLayerNetClassifier(64, random_state=0))
expected = model.fit(X_train, y_train).predict_proba(X_test)

# %%
# scikit-learn
# ------------
# ``to_sklearn()`` returns a fitted ``MLPClassifier``.

plain = make_pipeline(model[0], model[-1].to_sklearn())
difference = abs(plain.predict_proba(X_test) - expected).max()
print(f"{type(plain[-1]).__name__}: largest difference of a probability {difference:.0e}")
assert difference < 1e-12

# %%
# ONNX
# ----
# The graph computes in float32, so its probabilities have rounding errors of float32.

graph = skl2onnx.to_onnx(model, X_test[:1].astype("f4"), options={"zipmap": False})
session = onnxruntime.InferenceSession(graph.SerializeToString())
(name,) = (node.name for node in session.get_inputs())
labels, probabilities = session.run(None, {name: X_test.astype("f4")})
difference = abs(probabilities - expected).max()
print(f"graph of {len(graph.SerializeToString()) / 1024:.0f} kB", end=": ")
print(f"largest difference of a probability {difference:.0e}")
assert difference < 1e-5
assert (labels == model.predict(X_test)).all()

# %%
# skops
# -----
# A skops file names the classes that it needs. ``loads`` refuses all classes that it does not
# know, unless ``trusted`` names them.

saved = skops.io.dumps(model)
untrusted = skops.io.get_untrusted_types(data=saved)
print(untrusted)
assert untrusted == ["sklearn_toynn.TwoLayerNetClassifier"]
loaded = skops.io.loads(saved, trusted=untrusted)
assert np.array_equal(loaded.predict_proba(X_test), expected)

# %%
# Time of one prediction
# ----------------------
# A web service often predicts one row at a time. The figure shows the mean time of 1000 calls with
# one row each. ONNX Runtime takes less than half the time of the pipelines.

calls = {
    "sklearn-toynn": model.predict_proba,
    "to_sklearn()": plain.predict_proba,
    "ONNX Runtime": lambda row: session.run(None, {name: row.astype("f4")}),
}
microseconds = {}
for way, call in calls.items():
    start = time.perf_counter()
    for index in range(1000):
        call(X_test[index % len(X_test)][None])
    microseconds[way] = (time.perf_counter() - start) * 1000
fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
bars = ax.barh(list(microseconds), list(microseconds.values()))
ax.bar_label(bars, fmt="%.0f", padding=3)
ax.invert_yaxis()
ax.margins(x=0.12)
ax.set(xlabel="microseconds per call")
assert microseconds["ONNX Runtime"] < microseconds["sklearn-toynn"] / 2
assert microseconds["ONNX Runtime"] < microseconds["to_sklearn()"] / 2
plt.show()
