"""
Data larger than memory
=======================

Two ways: a file that is mapped, which ``fit`` reads batch by batch with all that it has, and a
stream of parts for ``partial_fit``, of which nobody knows how much is to come.
"""

import tempfile
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
# A mapped file
# -------------
# The array is neither copied nor cast: the net takes float32 as it is.

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "rows.npy"
np.save(path, X_train)
mapped = np.load(path, mmap_mode="r")
whole = TwoLayerNetClassifier(64, max_iter=20, random_state=0).fit(mapped, y_train)
print(f"{type(mapped).__name__}: {whole.score(X_test, y_test):.1%} after {whole.n_iter_} epochs")

# %%
# A stream
# --------
# Each call goes once through what it is given. The first one must know all classes. What has been
# learned can be looked at, and used, after every part.

net = TwoLayerNetClassifier(64, random_state=0)
classes, parts = np.unique(y_train), np.array_split(np.arange(len(y_train)), 100)
scores = []
for part in parts:
    net.partial_fit(mapped[part], y_train[part], classes=classes)
    scores.append(net.score(X_test, y_test))
del mapped
folder.cleanup()

fig, ax = plt.subplots(layout="constrained")
ax.plot(np.arange(1, 101) * len(parts[0]), scores, label="after each part of the stream")
ax.axhline(whole.score(X_test, y_test), linestyle="--", color="k", label="20 epochs over the file")
ax.set(xlabel="rows seen, each once", ylabel="share right of the test rows")
_ = ax.legend()
