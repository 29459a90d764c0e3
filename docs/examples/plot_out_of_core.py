"""
Data larger than memory
=======================

There are two ways to train on data that do not fit into memory. ``fit`` takes a memory-mapped file
and makes several passes over it. ``partial_fit`` takes a stream of rows, chunk by chunk.

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
X_train, X_test, y_train, y_test = train_test_split(X.astype("f4"), y, random_state=0)

# %%
# A memory-mapped file
# --------------------
# ``fit`` does not copy the file into memory: it reads one mini-batch at a time. ``tracemalloc``
# measures how much memory it allocates, which is less than the size of the file.

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "rows.npy"
np.save(path, X_train)
mapped = np.load(path, mmap_mode="r")
tracemalloc.start()
whole = TwoLayerNetClassifier(64, max_iter=20, random_state=0).fit(mapped, y_train)
_, peak = tracemalloc.get_traced_memory()
tracemalloc.stop()
print(f"{peak / 2**20:.1f} MB allocated, {mapped.nbytes / 2**20:.1f} MB in the file")
print(f"test accuracy {whole.score(X_test, y_test):.3f} after {whole.n_iter_} epochs")
assert peak < 0.8 * mapped.nbytes

# %%
# A stream
# --------
# Each call of ``partial_fit`` makes one pass over its chunk. The first call needs the labels of
# all classes. The net can predict after every call.

net = TwoLayerNetClassifier(64, random_state=0)
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
# epochs of ``fit``.

assert np.mean(scores[:10]) < np.mean(scores[45:55]) < np.mean(scores[90:])
assert scores[-1] < whole.score(X_test, y_test) - 0.02
plt.show()
