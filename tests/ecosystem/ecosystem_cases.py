"""Small searches to run on other backends."""

from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_toynn import TwoLayerNetClassifier
from sklearn_toynn.model_selection import FusedGridSearchCV

QUICK = {"max_iter": 20, "tol": 0, "random_state": 0}
GRID = {"twolayernetclassifier__hidden_size": [8, 16], "twolayernetclassifier__reg": [1e-4, 1e-2]}
SEARCHES = {"GridSearchCV": GridSearchCV, "FusedGridSearchCV": FusedGridSearchCV}


def rows():
    X, y = load_digits(return_X_y=True)
    return X[:600], y[:600]


def make_search(name):
    pipeline = make_pipeline(MinMaxScaler(), TwoLayerNetClassifier(**QUICK))
    return SEARCHES[name](pipeline, GRID, cv=3, scoring="neg_log_loss", error_score="raise")


def results(search):
    """Yield a search's scores, its best index and its predictions."""
    for name, values in search.cv_results_.items():
        if "score" in name and "time" not in name:
            yield values
    yield search.best_index_
    yield search.predict_proba(rows()[0])
