"""
One model, three ways out
=========================

A fitted pipeline is to run where this package is not: as a model of scikit-learn's own, as an ONNX
graph, or as a file that loads without pickle. All three predict what it does.
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
# scikit-learn's own
# ------------------
# ``to_sklearn()`` gives a fitted ``MLPClassifier``, which whatever reads scikit-learn's models
# reads.

plain = make_pipeline(model[0], model[-1].to_sklearn())
print(type(plain[-1]).__name__, abs(plain.predict_proba(X_test) - expected).max())

# %%
# ONNX
# ----

graph = skl2onnx.to_onnx(model, X_test[:1].astype("f4"), options={"zipmap": False})
session = onnxruntime.InferenceSession(graph.SerializeToString())
(name,) = (node.name for node in session.get_inputs())
labels, probabilities = session.run(None, {name: X_test.astype("f4")})
print(f"{len(graph.SerializeToString()) / 1024:.0f} kB", abs(probabilities - expected).max())
assert (labels == model.predict(X_test)).all()

# %%
# skops
# -----
# A file names the classes that it needs, and loads none that was not trusted by name.

saved = skops.io.dumps(model)
print(skops.io.get_untrusted_types(data=saved))
loaded = skops.io.loads(saved, trusted=["sklearn_toynn.TwoLayerNetClassifier"])
assert np.array_equal(loaded.predict_proba(X_test), expected)

# %%
# A row at a time
# ---------------
# What one call costs, in the order of a web service: one row, a thousand times.

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
fig, ax = plt.subplots(figsize=(6, 2.2), layout="constrained")
bars = ax.barh(list(microseconds), list(microseconds.values()))
ax.bar_label(bars, fmt="%.0f", padding=3)
_ = ax.set(xlabel="microseconds a call, the scaler and the checks of a pipeline among them")
