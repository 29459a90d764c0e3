"""
Export a model in three ways
============================

This example saves a fitted pipeline in three ways, for use on another machine:

- As a model of scikit-learn. It runs where this package is not installed.
- As an ONNX graph, a description of the computation that many programs can run. It needs neither
  this package nor scikit-learn.
- As a file of skops, a library that saves models of scikit-learn. It needs this package, and is
  safer to load than a pickle.

The predictions of all three agree with the predictions of the pipeline.

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
model = make_pipeline(MinMaxScaler(), TwoLayerNetClassifier(hidden_size=64, random_state=0))
expected = model.fit(X_train, y_train).predict_proba(X_test)

# %%
# scikit-learn
# ------------
# Here ``to_sklearn()`` returns a fitted ``MLPClassifier``. Save it with skops or pickle like any
# other model of scikit-learn. The activations "gelu", "silu" and "leaky_relu" raise an error,
# because ``MLPClassifier`` does not have them.

plain = make_pipeline(model[0], model[-1].to_sklearn())
difference = abs(plain.predict_proba(X_test) - expected).max()
print(f"{type(plain[-1]).__name__}: largest difference of a probability {difference:.0e}")
assert difference < 1e-12

# %%
# ONNX
# ----
# Nets with any settings can become an ONNX graph. ``to_onnx`` needs one row as an example of the
# number and type of the columns. With ``zipmap=False``, the graph returns the probabilities as an
# array, otherwise as a list of dicts. The graph computes in float32, so its probabilities have
# rounding errors of float32.

example = X_test[:1].astype("float32")
graph = skl2onnx.to_onnx(model, example, options={"zipmap": False})
session = onnxruntime.InferenceSession(graph.SerializeToString())
(name,) = (node.name for node in session.get_inputs())
labels, probabilities = session.run(None, {name: X_test.astype("float32")})
difference = abs(probabilities - expected).max()
print(f"graph of {len(graph.SerializeToString()) / 1024:.0f} kB", end=": ")
print(f"largest difference of a probability {difference:.0e}")
assert difference < 1e-5
assert (labels == model.predict(X_test)).all()

# %%
# skops
# -----
# Loading a pickle can run any code. A skops file instead lists the classes that it needs.
# ``loads`` knows the classes of scikit-learn, and refuses all others unless you name them as
# ``trusted``. So name the class of the net, and no other class. (``dump`` and ``load`` use a file
# instead of bytes.)

saved = skops.io.dumps(model)
loaded = skops.io.loads(saved, trusted=["sklearn_toynn.TwoLayerNetClassifier"])
assert np.array_equal(loaded.predict_proba(X_test), expected)

# %%
# ``get_untrusted_types`` lists the classes in a file that ``loads`` does not trust by default.
# Read this list before you trust the classes in it. The ``MLPClassifier`` from above needs no such
# class.

print(skops.io.get_untrusted_types(data=saved))
assert skops.io.get_untrusted_types(data=saved) == ["sklearn_toynn.TwoLayerNetClassifier"]
assert skops.io.get_untrusted_types(data=skops.io.dumps(plain)) == []

# %%
# Time of one prediction
# ----------------------
# A web service often predicts one row at a time. The figure shows the mean time of 1000 calls with
# one row each. ONNX Runtime takes less than half the time of the pipelines. The pipelines check
# and convert the row in Python at each step. ONNX Runtime computes all steps in one call of
# compiled code.

calls = {
    "sklearn-toynn": model.predict_proba,
    "to_sklearn()": plain.predict_proba,
    "ONNX Runtime": lambda row: session.run(None, {name: row.astype("float32")}),
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
