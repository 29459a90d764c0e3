"""
Data larger than memory
=======================

There are two ways to train on data that do not fit into memory:

- ``fit`` takes a memory-mapped file, an array whose values stay on the disk until they are used.
  It makes several passes over the file, called epochs.
- ``partial_fit`` takes one part of the rows after another, for example from a database.

The data of this example are small, so that it runs in seconds.

To run this example, install the extra ``examples``: ``pip install -e ".[examples]"`` in a clone.
"""

import tempfile
import tracemalloc
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

from sklearn_toynn import TwoLayerNetClassifier

X, y = make_classification(
    40_000, 30, n_informative=15, n_classes=4, n_clusters_per_class=2, random_state=0
)
X = X.astype("float32")  # half the size of float64
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

# %%
# A memory-mapped file
# --------------------
# ``fit`` does not copy the file into memory. It reads the rows in small parts: each step of the
# training needs one mini-batch of at most 200 rows. ``tracemalloc`` measures the memory that
# ``fit`` allocates, once for the first half of the rows and once for all rows.

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "rows.npy"
np.save(path, X_train)
mapped = np.load(path, mmap_mode="r")
peaks = []
for n_rows in (len(mapped) // 2, len(mapped)):
    tracemalloc.start()
    whole = TwoLayerNetClassifier(hidden_size=64, max_iter=20, random_state=0)
    whole.fit(mapped[:n_rows], y_train[:n_rows])
    peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    print(f"{n_rows} rows: {peaks[-1] / 2**20:.1f} MB allocated", end=", ")
    print(f"{mapped[:n_rows].nbytes / 2**20:.1f} MB in the file")
print(f"test accuracy {whole.score(X_test, y_test):.3f} after {whole.n_iter_} epochs")

# %%
# In the file, a row takes 120 bytes. The memory grows by less than 40 bytes for each row, because
# ``fit`` stores only a few numbers for each row, such as its label and its sample weight.
#
# In each epoch ``fit`` reads the rows in a new random order. If this is slow on your disk, shuffle
# the file once and set ``shuffle=False``.

assert (peaks[1] - peaks[0]) / (len(mapped) // 2) < 40
assert mapped[0].nbytes == 120
assert peaks[1] < 0.8 * mapped.nbytes

# %%
# Part by part
# ------------
# Each call of ``partial_fit`` makes one pass over its rows. The first call needs the labels of all
# classes, because the first part may lack some of them. The net can predict after every call.
#
# ``partial_fit`` differs from ``fit`` in two ways:
#
# - The learning rate stays constant, because ``partial_fit`` does not know how many calls will
#   follow.
# - ``fit`` scales the columns internally, ``partial_fit`` does not. If their scales differ much,
#   scale the columns before, for example with ``StandardScaler.partial_fit``. The columns of this
#   example have similar scales.

net = TwoLayerNetClassifier(hidden_size=64, random_state=0)
classes, chunks = np.unique(y_train), np.array_split(np.arange(len(y_train)), 100)
scores = []
for chunk in chunks:
    net.partial_fit(mapped[chunk], y_train[chunk], classes=classes)
    scores.append(net.score(X_test, y_test))
del mapped
folder.cleanup()

fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
ax.plot(np.arange(1, 101) * len(chunks[0]), scores, label="partial_fit, after each chunk")
ax.axhline(whole.score(X_test, y_test), linestyle="--", color="k", label="fit, after 20 epochs")
ax.set(xlabel="rows seen by partial_fit, each once", ylabel="test accuracy")
ax.legend()

# %%
# The accuracy rises with the number of rows seen. After one pass it is lower than after the 20
# epochs of ``fit``. More passes of ``partial_fit`` over the same rows raise it further.

first_pass = scores[-1]
for chunk in chunks:
    net.partial_fit(X_train[chunk], y_train[chunk])
second_pass = net.score(X_test, y_test)
print(f"test accuracy {first_pass:.3f} after one pass", end=", ")
print(f"{second_pass:.3f} after two passes")
assert second_pass > first_pass + 0.01
assert np.mean(scores[:10]) < np.mean(scores[45:55]) < np.mean(scores[90:])
assert first_pass < whole.score(X_test, y_test) - 0.02
plt.show()
