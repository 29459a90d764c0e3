"""Dtypes, bits, shapes, labels, layouts and weights: what the contract promises of numbers."""

import threading
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import Parallel, delayed
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import erf, expit, log_softmax
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version
from threadpoolctl import threadpool_info, threadpool_limits

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier
from sklearn_toynn._nets.activations import ACTIVATIONS

# most fits below are cut short on purpose
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FORMULAS = {
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, z / 100),
    "logistic": expit,
    "tanh": np.tanh,
    "gelu": lambda z: z * (1 + erf(z / np.sqrt(2))) / 2,
    "silu": lambda z: z * expit(z),
}


def solvers_of(model_class):
    (options,) = model_class._parameter_constraints["solver"]
    return sorted(options.options)


MODELS = {
    **{
        f"softmax-{solver}": SoftmaxClassifier(solver=solver, max_iter=8, random_state=0)
        for solver in solvers_of(SoftmaxClassifier)
    },
    **{
        f"net-{solver}": TwoLayerNetClassifier(7, solver=solver, max_iter=8, random_state=0)
        for solver in solvers_of(TwoLayerNetClassifier)
    },
}
BATCH_MODELS = {name: model for name, model in MODELS.items() if name.endswith(("sgd", "adam"))}
WHOLE_MODELS = {name: model for name, model in MODELS.items() if name not in BATCH_MODELS}

every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
batch_model = pytest.mark.parametrize("model", BATCH_MODELS.values(), ids=BATCH_MODELS)
whole_model = pytest.mark.parametrize("model", WHOLE_MODELS.values(), ids=WHOLE_MODELS)
both_classes = pytest.mark.parametrize(
    "model",
    [SoftmaxClassifier(max_iter=50), TwoLayerNetClassifier(7, max_iter=5, random_state=0)],
    ids=["softmax", "net"],
)


def wine():
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def layers(model):
    """The fitted weights (fan_in, fan_out) and biases."""
    if isinstance(model, SoftmaxClassifier):
        return [model.coef_.T], [model.intercept_]
    return model.coefs_, model.intercepts_


def parameters(model):
    weights, biases = layers(model)
    return [*weights, *biases]


def plain_scores(model, X):
    weights, biases = layers(model)
    outputs = X.astype(float)
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        outputs = FORMULAS[model.activation](outputs @ W.astype(float) + b)
    return outputs @ weights[-1].astype(float) + biases[-1]


def rounding_of_scores(model, X):
    """What the parameters' precision leaves open of a score: its terms' sizes times epsilon."""
    sizes = np.abs(X).astype(float)
    for W, b in zip(*layers(model), strict=True):
        sizes = sizes @ np.abs(W) + np.abs(b)
    return np.finfo(W.dtype).eps * sizes.max()


def plain_objective(model, X, y, w=None):
    """The contract's objective at the fitted weights, in float64."""
    losses = -log_softmax(plain_scores(model, X), axis=1)[
        np.arange(len(y)), np.searchsorted(model.classes_, y)
    ]
    squares = sum((W.astype(float) ** 2).sum() for W in layers(model)[0])
    return np.average(losses, weights=w) + model.reg / 2 * squares


def assert_same_bits(one, other):
    for a, b in zip(parameters(one), parameters(other), strict=True):
        assert a.dtype == b.dtype
        assert_array_equal(a, b)


def assert_close(one, other, rtol=1e-6, atol=1e-8):
    for a, b in zip(parameters(one), parameters(other), strict=True):
        assert_allclose(a, b, rtol=rtol, atol=atol)


# ---- dtypes


def test_every_activation_has_a_formula():
    assert set(FORMULAS) == set(ACTIVATIONS)


def assert_dtype(model, X, dtype):
    assert {a.dtype for a in parameters(model)} == {np.dtype(dtype)}
    for method in ("predict_proba", "predict_log_proba", "decision_function"):
        assert getattr(model, method)(X).dtype == dtype
    assert type(model.loss_) is float
    assert type(model.n_iter_) is int


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_model
def test_float32_stays_float32(model, dtype):
    X, y = wine()
    fitted = clone(model).fit(X.astype(dtype), y)
    assert_dtype(fitted, X.astype(dtype), dtype)
    # X of the other dtype does not change what the parameters are
    assert_dtype(fitted, X.astype(np.float32), dtype)
    assert_dtype(fitted, X, dtype)
    assert_allclose(fitted.predict_proba(X), fitted.predict_proba(X.astype("f4")), atol=1e-5)
    assert_allclose(fitted.loss_, plain_objective(fitted, X, y), rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_float32_stays_float32_for_every_activation(activation, dtype):
    X, y = wine()
    model = TwoLayerNetClassifier(5, activation=activation, max_iter=3).fit(X.astype(dtype), y)
    assert_dtype(model, X, dtype)
    assert_allclose(model.loss_, plain_objective(model, X.astype(dtype), y), rtol=1e-5)


@pytest.mark.parametrize("kind", ["weights", "class_weight", "validation", "early_stopping"])
@every_model
def test_float32_stays_float32_with_float64_beside_it(model, kind):
    X, y = wine()
    X32 = X.astype(np.float32)
    model = clone(model)
    if kind == "weights":
        model.fit(X32, y, sample_weight=np.linspace(0.5, 2, len(y)))
    elif kind == "class_weight":
        model.set_params(class_weight={0: 1.5, 1: 1.0, 2: 0.7}).fit(X32, y)
    elif kind == "validation":
        model.fit(X32, y, X_val=X, y_val=y)
    else:
        model.set_params(early_stopping=True).fit(X32, y)
    assert_dtype(model, X32, np.float32)


@pytest.mark.parametrize(
    "as_other",
    [
        lambda X: X.astype(int),
        lambda X: X.astype(np.uint8),
        lambda X: X.astype(np.float16),
        lambda X: X.astype(np.longdouble),
        lambda X: X.astype(">f8"),
        lambda X: X.astype(">i4"),
        lambda X: X.astype(object),
        lambda X: X.tolist(),
        lambda X: pd.DataFrame(X.astype(int)),
        lambda X: pl.DataFrame(X.astype(int), orient="row"),
    ],
    ids=["int", "uint8", "f2", "longdouble", ">f8", ">i4", "object", "list", "pandas", "polars"],
)
@both_classes
def test_anything_else_is_float64(model, as_other):
    X, y = load_digits(return_X_y=True)  # whole numbers to 16, so that every dtype holds them
    X, y = X[:200], y[:200]
    fitted = clone(model).fit(as_other(X), y)
    assert_dtype(fitted, as_other(X), np.float64)
    assert_close(fitted, clone(model).fit(X, y))  # a frame lies column by column


@both_classes
def test_bool_is_float64(model):
    X, y = load_digits(return_X_y=True)
    X, y = X[:200] > 4, y[:200]
    fitted = clone(model).fit(X, y)
    assert_dtype(fitted, X, np.float64)
    assert_same_bits(fitted, clone(model).fit(X.astype(float), y))


@both_classes
def test_big_endian_float32_is_not_read_backwards(model):
    X, y = wine()
    fitted = clone(model).fit(X.astype(">f4"), y)
    assert parameters(fitted)[0].dtype.isnative
    assert_close(fitted, clone(model).fit(X.astype("<f4"), y), rtol=1e-2, atol=1e-3)


# ---- probabilities


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("n_classes", [2, 3])
@both_classes
def test_probabilities(model, n_classes, dtype, tolerance):
    X, y = wine()
    X, y = X[y < n_classes].astype(dtype), y[y < n_classes]
    fitted = clone(model).fit(X, y)
    probability = fitted.predict_proba(X)
    assert probability.shape == (len(X), n_classes)
    assert_allclose(probability.sum(axis=1), 1, rtol=tolerance)
    assert (probability >= 0).all()
    scores = plain_scores(fitted, X)
    assert_allclose(fitted.predict_log_proba(X), log_softmax(scores, axis=1), atol=40 * tolerance)
    assert_allclose(fitted.predict_log_proba(X), np.log(probability), atol=40 * tolerance)
    assert_array_equal(fitted.predict(X), fitted.classes_[probability.argmax(axis=1)])


@pytest.mark.parametrize("scale", [1e4, -1e4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 3])
@both_classes
def test_large_scores(model, n_classes, dtype, scale):
    X, y = wine()
    X, y = X[y < n_classes].astype(dtype), y[y < n_classes]
    fitted = clone(model).fit(X, y)
    largest = abs(plain_scores(fitted, X)).max()
    if n_classes == 2 or isinstance(model, SoftmaxClassifier):
        # a common factor on the last layer takes the scores to +-1e4
        factor = dtype(scale / largest)
    else:
        factor = dtype(scale)
    if isinstance(model, SoftmaxClassifier):
        fitted.coef_, fitted.intercept_ = fitted.coef_ * factor, fitted.intercept_ * factor
    else:
        fitted.coefs_[-1] *= factor
        fitted.intercepts_[-1] *= factor
    assert abs(plain_scores(fitted, X)).max() >= 0.999e4
    probability, log_probability = fitted.predict_proba(X), fitted.predict_log_proba(X)
    assert_allclose(probability.sum(axis=1), 1, rtol=1e-6)
    assert np.isfinite(log_probability).all()
    assert log_probability.min() < -5000  # a logarithm of the probability would be -inf
    assert_allclose(np.exp(log_probability), probability, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_model
def test_fit_where_scores_start_at_ten_thousand(model, dtype):
    X, y = wine()
    model = clone(model).set_params(init=lambda rng, m, k: 300 * rng.standard_normal((m, k)))
    model.fit(X.astype(dtype), y)
    assert all(np.isfinite(a).all() for a in parameters(model))
    assert np.isfinite(model.loss_curve_).all()
    assert np.isfinite(model.loss_)


# ---- the same bits


@every_model
def test_same_random_state_same_bits(model):
    X, y = wine()
    first = clone(model).fit(X, y)
    assert_same_bits(clone(model).fit(X, y), first)
    assert_same_bits(clone(first).fit(X, y), first)
    # a fit leaves nothing behind that the next one sees
    assert_same_bits(clone(model).fit(X[::2], y[::2]).fit(X, y), first)
    seeded = clone(model).set_params(random_state=np.random.RandomState(0))
    assert_same_bits(seeded.fit(X, y), first)


@pytest.mark.parametrize("model", [BATCH_MODELS["net-adam"], WHOLE_MODELS["net-gd"]])
def test_another_random_state_other_bits(model):
    X, y = wine()
    first = clone(model).fit(X, y)
    other = clone(model).set_params(random_state=1).fit(X, y)
    assert (first.coefs_[0] != other.coefs_[0]).any()
    # a RandomState instance is drawn from
    rng = np.random.RandomState(0)
    twice = [clone(model).set_params(random_state=rng) for _ in range(2)]
    one, two = (copy.set_params(random_state=rng).fit(X, y) for copy in twice)
    assert_same_bits(one, first)
    assert (one.coefs_[0] != two.coefs_[0]).any()


def test_same_bits_in_workers_and_for_any_number_of_blas_threads():
    X, y = load_digits(return_X_y=True)
    models = [clone(model).set_params(max_iter=3) for model in MODELS.values()]
    for dtype in (np.float32, np.float64):
        Z = X.astype(dtype) / 16
        with threadpool_limits(1):
            expected = [clone(model).fit(Z, y) for model in models]
            scores = [model.decision_function(Z) for model in expected]
        with threadpool_limits(2):
            two = [clone(model).fit(Z, y) for model in models]
            for model, score in zip(expected, scores, strict=True):
                assert_array_equal(model.decision_function(Z), score)
        workers = Parallel(n_jobs=2, backend="loky")(
            delayed(clone(model).fit)(Z, y) for model in models
        )
        for model, other, remote in zip(expected, two, workers, strict=True):
            assert_same_bits(other, model)
            assert_same_bits(remote, model)


@batch_model
def test_batch_order_is_drawn_from_random_state(model):
    # with zero or fixed initial weights nothing but the batches is random
    X, y = wine()
    model = clone(model).set_params(init=lambda _, m, k: np.eye(m, k), batch_size=20)
    first, other = (clone(model).set_params(random_state=i).fit(X, y) for i in range(2))
    assert first.loss_curve_ != other.loss_curve_
    still, again = (
        clone(model).set_params(random_state=i, shuffle=False).fit(X, y) for i in range(2)
    )
    assert_same_bits(still, again)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_width_does_not_change_the_batches(solver):
    X, y = wine()

    def with_dead_units(rng, fan_in, fan_out):
        # the units beyond the third have no weights, and for ReLU they never get any
        rng.standard_normal((fan_in, fan_out))  # as much is drawn as the width asks for
        weights = np.zeros((fan_in, fan_out))
        rows, columns = (fan_in, 3) if fan_in == 13 else (3, fan_out)
        weights[:rows, :columns] = np.random.RandomState(fan_in == 13).randn(rows, columns)
        return weights

    curves = [
        TwoLayerNetClassifier(
            h, solver=solver, init=with_dead_units, batch_size=32, max_iter=10, random_state=0
        )
        .fit(X, y)
        .loss_curve_
        for h in (3, 4, 50)
    ]
    assert_allclose(curves[1], curves[0], rtol=1e-9)
    assert_allclose(curves[2], curves[0], rtol=1e-9)


def blas_threads():
    return {
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    }


@pytest.fixture
def two_blas_threads():
    with threadpool_limits(2, user_api="blas"):
        yield
        assert blas_threads() == {2}


def watching_blas(seen, before=lambda: None):
    """A model whose fit notes the BLAS threads that it runs with."""

    def schedule(progress):
        before()
        seen.append(blas_threads())
        return 1.0

    return SoftmaxClassifier(solver="gd", max_iter=1, schedule=schedule)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_blas_runs_at_one_thread_inside_fit(n_threads):
    seen = []
    with threadpool_limits(n_threads, user_api="blas"):
        watching_blas(seen).fit(*wine())
        assert blas_threads() == {n_threads}
    assert seen == [{1}]


def test_blas_setting_comes_back_after_an_exception(two_blas_threads):
    def fail():
        raise RuntimeError("from within")

    with pytest.raises(RuntimeError, match="from within"):
        watching_blas([], before=fail).fit(*wine())
    assert blas_threads() == {2}


def test_blas_runs_at_one_thread_inside_a_fit_in_another_thread(two_blas_threads):
    seen = []
    watching_blas(seen).fit(*wine())
    thread = threading.Thread(target=watching_blas(seen).fit, args=wine())
    thread.start()
    thread.join()
    assert seen == [{1}, {1}]
    assert blas_threads() == {2}


@pytest.mark.parametrize("main_is", ["first", "last"])
def test_overlapping_fits_share_the_blas_limit(main_is, two_blas_threads):
    # two fits of which the first in is the first out: the other's limit must hold on
    first_inside, second_inside, first_done = (threading.Event() for _ in range(3))
    seen = []

    def first_waits():
        first_inside.set()
        assert second_inside.wait(30)

    def second_waits():
        second_inside.set()
        assert first_done.wait(30)

    def run_first():
        watching_blas(seen, before=first_waits).fit(*wine())
        first_done.set()

    def run_second():
        assert first_inside.wait(30)
        watching_blas(seen, before=second_waits).fit(*wine())

    here, there = (run_first, run_second) if main_is == "first" else (run_second, run_first)
    thread = threading.Thread(target=there)
    thread.start()
    here()
    thread.join()
    assert seen == [{1}, {1}]
    assert blas_threads() == {2}


def test_fits_in_many_threads_have_the_bits_of_one(two_blas_threads):
    X, y = load_digits(return_X_y=True)
    model = TwoLayerNetClassifier(100, max_iter=2, random_state=0)
    expected = clone(model).fit(X, y)
    fitted = Parallel(n_jobs=4, backend="threading")(
        delayed(clone(model).fit)(X, y) for _ in range(8)
    )
    assert blas_threads() == {2}
    for other in fitted:
        assert_same_bits(other, expected)


# ---- shapes


@pytest.mark.parametrize("n_classes", [2, 3])
@every_model
def test_shapes(model, n_classes):
    X, y = wine()
    X, y = X[y < n_classes], y[y < n_classes]
    fitted = clone(model).fit(X, y)
    scores = plain_scores(fitted, X)
    if n_classes == 2:
        assert fitted.decision_function(X).shape == (len(X),)
        assert_allclose(fitted.decision_function(X), scores[:, 1] - scores[:, 0], rtol=1e-9)
    else:
        assert fitted.decision_function(X).shape == (len(X), 3)
        assert_allclose(fitted.decision_function(X), scores, rtol=1e-9, atol=1e-12)
    if isinstance(model, SoftmaxClassifier):
        assert fitted.coef_.shape == (n_classes, 13)
        assert fitted.intercept_.shape == (n_classes,)
        assert_allclose(fitted.intercept_.sum(), 0, atol=1e-14)
    else:
        assert [W.shape for W in fitted.coefs_] == [(13, 7), (7, n_classes)]
        assert [b.shape for b in fitted.intercepts_] == [(7,), (n_classes,)]
    assert fitted.n_features_in_ == 13
    assert len(fitted.loss_curve_) == fitted.n_iter_
    assert not hasattr(fitted, "validation_loss_curve_")
    assert not hasattr(fitted, "best_iter_")
    assert fitted.predict_proba(X[:1]).shape == (1, n_classes)


@every_model
def test_refit_drops_what_the_last_fit_had(model):
    X, y = wine()
    model = clone(model).fit(X, y, X_val=X, y_val=y)
    assert len(model.validation_loss_curve_) == model.n_iter_
    model.fit(X, y)
    assert not hasattr(model, "validation_loss_curve_")
    assert not hasattr(model, "best_iter_")


# ---- labels


@pytest.mark.parametrize(
    ("labels", "as_y"),
    [
        (["a", "bb", "ccc"], np.asarray),
        ([-7, 0, 1000], np.asarray),
        ([-3, -2, -1], np.asarray),
        ([0.0, 1.0, 2.0], np.asarray),
        ([0, 1, 2], partial(np.asarray, dtype=np.uint8)),
        (["a", "bb", "ccc"], partial(np.asarray, dtype=object)),
        ([10, 20, 30], list),
        (["a", "bb", "ccc"], pd.Series),
        (["a", "bb", "ccc"], pd.Categorical),
        (["a", "bb", "ccc"], lambda y: pd.Series(y, dtype="category")),
        (["a", "bb", "ccc"], lambda y: pd.Series(y, dtype=object, index=range(5, 5 + len(y)))),
        ([3, 5, 9], lambda y: pd.Series(y, dtype="Int64")),
        ([3, 5, 9], pl.Series),
        (["a", "bb", "ccc"], pl.Series),
        (["a", "bb", "ccc"], lambda y: pl.Series(y, dtype=pl.Categorical)),
    ],
)
@both_classes
def test_labels(model, labels, as_y):
    X, codes = wine()
    y = as_y(np.asarray(labels)[codes].tolist())
    fitted = clone(model).fit(X, y)
    assert list(fitted.classes_) == labels
    plain = clone(model).fit(X, codes)
    assert_same_bits(fitted, plain)
    expected = np.asarray(labels)[plain.predict(X)]
    assert_array_equal(fitted.predict(X), expected)
    assert fitted.score(X, y) == plain.score(X, codes)


@both_classes
def test_boolean_labels(model):
    X, y = wine()
    fitted = clone(model).fit(X, y == 1)
    assert_array_equal(fitted.classes_, [False, True])
    assert fitted.classes_.dtype == bool
    assert fitted.predict(X).dtype == bool
    assert_same_bits(fitted, clone(model).fit(X, (y == 1).astype(int)))


@pytest.mark.parametrize("as_y", [np.asarray, pd.Series, pd.Categorical, pl.Series])
@both_classes
def test_labels_of_a_validation_set(model, as_y):
    X, codes = wine()
    y = as_y(np.array(["x", "y", "z"])[codes].tolist())
    fitted = clone(model).fit(X, y, X_val=X[:100], y_val=y[:100])
    plain = clone(model).fit(X, codes, X_val=X[:100], y_val=codes[:100])
    assert fitted.validation_loss_curve_ == plain.validation_loss_curve_


# ---- names of columns


# before 1.9 scikit-learn reads names by the interchange protocol, which polars 1.40 warns of
reads_polars = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9")
    and parse_version(pl.__version__) >= parse_version("1.40"),
    reason=f"scikit-learn {sklearn.__version__} reads no names from polars {pl.__version__}",
)
FRAMES = [
    pd.DataFrame,
    pytest.param(
        lambda X, columns: pl.DataFrame(X, schema=columns, orient="row"), marks=reads_polars
    ),
]


@pytest.mark.parametrize("frame", FRAMES, ids=["pandas", "polars"])
@both_classes
def test_names_of_columns(model, frame):
    X, y = load_iris(return_X_y=True)
    names = ["sepal length", "sepal width", "petal length", "petal width"]
    fitted = clone(model).fit(frame(X, columns=names), y)
    assert_array_equal(fitted.feature_names_in_, names)
    assert fitted.n_features_in_ == 4
    assert_array_equal(fitted.predict(frame(X, columns=names)), clone(model).fit(X, y).predict(X))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        fitted.predict(X)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(frame(X, columns=["other", *names[1:]]))
    with pytest.raises(ValueError, match="names must be in the same order"):
        fitted.predict_proba(frame(X[:, ::-1], columns=names[::-1]))
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.fit(
            frame(X, columns=names), y, X_val=frame(X, columns=["other", *names[1:]]), y_val=y
        )
    # a refit on an array forgets them
    assert not hasattr(fitted.fit(X, y), "feature_names_in_")
    with pytest.warns(UserWarning, match="fitted without feature names"):
        fitted.predict(frame(X, columns=names))


@pytest.mark.parametrize("frame", FRAMES, ids=["pandas", "polars"])
def test_names_of_columns_in_partial_fit(frame):
    X, y = load_iris(return_X_y=True)
    model = SoftmaxClassifier(solver="sgd", random_state=0)
    model.partial_fit(frame(X, columns=list("abcd")), y, classes=[0, 1, 2])
    assert_array_equal(model.feature_names_in_, list("abcd"))
    with pytest.raises(ValueError, match="feature names should match"):
        model.partial_fit(frame(X, columns=list("abce")), y)


# ---- how X lies in memory


def as_memmap(X, path):
    np.save(path, X)
    return np.load(path, mmap_mode="r")


def as_read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


def as_columns_apart(X):
    wide = np.full((len(X), 2 * X.shape[1]), 1e9)
    wide[:, ::2] = X
    return wide[:, ::2]


def as_rows_apart(X):
    return np.repeat(X, 2, axis=0)[::2]


LAYOUTS = {
    "fortran": np.asfortranarray,
    "columns apart": as_columns_apart,
    "rows apart": as_rows_apart,
    "both apart": lambda X: as_rows_apart(as_columns_apart(X)),
    "reversed": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "read-only": as_read_only,
}


@pytest.mark.parametrize("layout", [*LAYOUTS, "memmap"])
@every_model
def test_layout_in_memory(model, layout, tmp_path):
    X, y = wine()
    given = as_memmap(X, tmp_path / "X.npy") if layout == "memmap" else LAYOUTS[layout](X)
    w = as_read_only(np.linspace(0.5, 2, len(y)))
    y, before = as_read_only(y), given.copy()
    fitted = clone(model).fit(given, y, sample_weight=w, X_val=given, y_val=y, sample_weight_val=w)
    plain = clone(model).fit(X, y, sample_weight=w, X_val=X, y_val=y, sample_weight_val=w)
    assert_close(fitted, plain)
    assert_allclose(fitted.predict_proba(given), plain.predict_proba(X), rtol=1e-6)
    assert_array_equal(given, before)
    if layout == "memmap":
        assert_array_equal(np.load(tmp_path / "X.npy"), X)


@every_model
def test_arguments_are_not_changed(model):
    X, y = wine()
    w, init = np.linspace(0, 2, len(y)), np.random.RandomState(0).randn(13, 3)
    arguments = [a.copy() for a in (X, y, w, X[:50], y[:50], w[50:100])]
    class_weight = {0: 2.0, 1: 1.0, 2: 0.5}
    model = clone(model).set_params(class_weight=class_weight)
    if isinstance(model, SoftmaxClassifier):
        model.set_params(init=lambda *_: init)
    X_, y_, w_, X_val, y_val, w_val = arguments
    model.fit(X_, y_, w_, X_val=X_val, y_val=y_val, sample_weight_val=w_val)
    model.predict_proba(X_)
    for after, before in zip(arguments, (X, y, w, X[:50], y[:50], w[50:100]), strict=True):
        assert_array_equal(after, before)
    assert class_weight == {0: 2.0, 1: 1.0, 2: 0.5}
    assert_array_equal(init, np.random.RandomState(0).randn(13, 3))


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_results_are_the_callers_own(method):
    # to write on a result must not change the model
    X, y = wine()
    model = SoftmaxClassifier().fit(X, y)
    first = getattr(model, method)(X)
    expected = first.copy()
    first[...] = 0
    assert_array_equal(getattr(model, method)(X), expected)


# ---- weights of rows


@pytest.mark.parametrize("validation", [False, True])
@whole_model
def test_integer_weights_equal_repeated_rows(model, validation):
    X, y = wine()
    w = np.random.RandomState(0).randint(1, 4, size=len(y))
    repeats = np.repeat(np.arange(len(y)), w)
    model = clone(model).set_params(max_iter=30)
    weighted, repeated = clone(model), clone(model)
    if validation:
        weighted.fit(X, y, w, X_val=X, y_val=y, sample_weight_val=w)
        repeated.fit(X[repeats], y[repeats], X_val=X[repeats], y_val=y[repeats])
        assert_allclose(weighted.validation_loss_curve_, repeated.validation_loss_curve_, 1e-7)
    else:
        weighted.fit(X, y, w)
        repeated.fit(X[repeats], y[repeats])
    assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-7)
    assert_close(weighted, repeated, rtol=1e-6, atol=1e-7)


@whole_model
def test_repeating_every_row_changes_nothing(model):
    # reg weighs on the mean loss, not on the sum
    X, y = wine()
    once = clone(model).set_params(reg=0.1).fit(X, y)
    thrice = clone(model).set_params(reg=0.1).fit(np.tile(X, (3, 1)), np.tile(y, 3))
    assert_allclose(once.loss_, thrice.loss_, rtol=1e-9)
    assert_close(once, thrice, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("early_stopping", [False, True])
@every_model
def test_rows_of_weight_zero_are_as_if_left_out(model, early_stopping):
    X, y = wine()
    w = np.random.RandomState(0).randint(0, 4, size=len(y)).astype(float)
    used = w > 0
    X_bad = np.where(used[:, None], X, 1e30)  # what such rows hold has no effect
    model = clone(model).set_params(early_stopping=early_stopping, batch_size=30)
    weighted = clone(model).fit(X_bad, y, sample_weight=w)
    left_out = clone(model).fit(X[used], y[used], sample_weight=w[used])
    # batches and split are those of the rows that are left
    if model.solver in ("sgd", "adam"):
        assert_same_bits(weighted, left_out)
        assert weighted.loss_curve_ == left_out.loss_curve_
    else:
        assert_close(weighted, left_out)
        assert_allclose(weighted.loss_curve_, left_out.loss_curve_, rtol=1e-9)
    if early_stopping:
        assert_allclose(
            weighted.validation_loss_curve_, left_out.validation_loss_curve_, rtol=1e-9
        )


@pytest.mark.parametrize("by", ["sample_weight", "class_weight"])
@pytest.mark.parametrize("early_stopping", [False, True])
@every_model
def test_class_without_weight_stays_in_classes(model, by, early_stopping):
    X, y = wine()
    model = clone(model).set_params(early_stopping=early_stopping)
    if by == "sample_weight":
        model.fit(X, y, sample_weight=(y != 1).astype(float))
    else:
        model.set_params(class_weight={0: 1.0, 1: 0.0, 2: 1.0}).fit(X, y)
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.predict_proba(X).shape == (len(X), 3)
    assert all(np.isfinite(a).all() for a in parameters(model))


@pytest.mark.parametrize("model", [SoftmaxClassifier(reg=0.1), MODELS["net-gd"]])
def test_the_class_without_weight_is_never_foretold(model):
    X, y = wine()
    model = clone(model).set_params(max_iter=500).fit(X, y, sample_weight=(y != 1).astype(float))
    assert 1 not in model.predict(X)
    assert model.predict_proba(X)[:, 1].mean() < 0.02


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-100, 1e-30, 0.3, 1e6, 1e30, 1e100])
@every_model
def test_scale_of_the_weights_has_no_effect(model, scale, dtype):
    X, y = wine()
    w = np.random.RandomState(0).randint(0, 4, size=len(y)).astype(float)
    model = clone(model).set_params(batch_size=30)
    plain = clone(model).fit(X.astype(dtype), y, w, X_val=X, y_val=y, sample_weight_val=w)
    scaled = clone(model).fit(
        X.astype(dtype), y, scale * w, X_val=X, y_val=y, sample_weight_val=scale * w
    )
    tolerance = 1e-3 if dtype == np.float32 else 1e-7
    assert_allclose(scaled.loss_curve_, plain.loss_curve_, rtol=tolerance)
    assert_allclose(scaled.validation_loss_curve_, plain.validation_loss_curve_, rtol=tolerance)


@pytest.mark.parametrize("weight", [1, 2.5, np.float32(3)])
@every_model
def test_one_weight_for_all_is_no_weight(model, weight):
    X, y = wine()
    plain = clone(model).fit(X, y)
    assert_close(clone(model).fit(X, y, sample_weight=np.full(len(y), weight)), plain)
    assert_close(clone(model).fit(X, y, sample_weight=weight), plain)


@pytest.mark.parametrize(
    "as_weights", [list, pd.Series, pl.Series, partial(np.asarray, dtype=int)]
)
@both_classes
def test_kinds_of_sample_weight(model, as_weights):
    X, y = wine()
    w = (1 + np.arange(len(y)) % 3).tolist()
    fitted = clone(model).fit(X, y, sample_weight=as_weights(w))
    assert_same_bits(fitted, clone(model).fit(X, y, sample_weight=np.array(w, dtype=float)))


@every_model
def test_class_weight_is_a_factor_on_the_weights(model):
    X, y = wine()
    w = np.random.RandomState(0).uniform(0.5, 2, size=len(y))
    factors = np.array([2.0, 1.0, 0.25])
    by_class = clone(model).set_params(class_weight=dict(enumerate(factors.tolist())))
    by_row = clone(model).fit(X, y, sample_weight=w * factors[y])
    assert_close(by_class.fit(X, y, sample_weight=w), by_row)
    assert_allclose(by_class.loss_, plain_objective(by_class, X, y, w * factors[y]), rtol=1e-9)
    # without weights of its own
    by_row = clone(model).fit(X, y, sample_weight=factors[y])
    assert_close(by_class.fit(X, y), by_row)


@every_model
def test_balanced_gives_every_class_the_same_weight(model):
    X, y = wine()
    balanced = clone(model).set_params(class_weight="balanced").fit(X, y)
    by_row = clone(model).fit(X, y, sample_weight=1 / np.bincount(y)[y])
    assert_close(balanced, by_row)


@pytest.mark.parametrize(
    ("labels", "class_weight"),
    [
        (["a", "b", "c"], {"a": 2.0, "b": 1.0, "c": 0.5}),
        ([-5, 0, 7], {-5: 2.0, 0: 1.0, 7: 0.5}),
        ([-5, 0, 7], {-5: 2.0, 0: 1.0, 7: 0.5, 8: 3.0}),
        ([-5, 0, 7], {-5: 2.0, 0: 1.0}),
        ([-5, 0, 7], {-5: 2.0, 8: 1.0}),
        ([-5, 0, 7], {}),
    ],
)
def test_class_weight_by_label_as_in_logistic_regression(labels, class_weight):
    X, codes = wine()
    y = np.array(labels)[codes]
    logistic = LogisticRegression(class_weight=class_weight, tol=1e-9, max_iter=5000)
    model = SoftmaxClassifier(class_weight=class_weight)
    try:
        logistic.fit(X, y)
    except ValueError:
        with pytest.raises(ValueError, match="class_weight"):
            model.fit(X, y)
        return
    w = np.array([class_weight.get(label, 1.0) for label in labels])[codes]
    model.set_params(reg=1 / w.sum(), max_iter=1000).fit(X, y)
    assert_allclose(model.predict_proba(X), logistic.predict_proba(X), atol=5e-3)


# ---- shapes that nobody thought of


@st.composite
def problems(draw):
    n_classes = draw(st.integers(2, 6))
    n_samples = draw(st.integers(n_classes, 40))
    n_features = draw(st.integers(1, 7))
    rng = np.random.RandomState(draw(st.integers(0, 2**32 - 1)))
    y = rng.permutation(np.arange(n_samples) % n_classes)
    X = rng.standard_normal((n_samples, n_features)) * draw(st.sampled_from([1e-3, 1.0, 30.0]))
    X[:, 0] = draw(st.sampled_from([0.0, 1.0])) * X[:, 0]  # a constant column, at times
    w = draw(st.sampled_from([None, rng.uniform(0.1, 3, n_samples)]))
    return X.astype(draw(st.sampled_from([np.float32, np.float64]))), y, w


def models(model_class):
    return st.builds(
        partial(model_class, random_state=0),
        **({"hidden_size": st.integers(1, 9)} if model_class is TwoLayerNetClassifier else {}),
        **(
            {"activation": st.sampled_from(sorted(ACTIVATIONS))}
            if model_class is TwoLayerNetClassifier
            else {}
        ),
        solver=st.sampled_from(solvers_of(model_class)),
        reg=st.sampled_from([0.0, 1e-3, 1.0]),
        schedule=st.sampled_from(["auto", "constant", "inverse", "cosine", "plateau"]),
        batch_size=st.one_of(st.just("auto"), st.integers(1, 50)),
        max_iter=st.integers(1, 12),
        tol=st.sampled_from([0.0, 1e-4, 0.1]),
        n_iter_no_change=st.integers(1, 4),
        class_weight=st.sampled_from([None, "balanced"]),
        shuffle=st.booleans(),
    )


@settings(max_examples=150, deadline=None)
@given(
    problem=problems(),
    model=st.one_of(models(SoftmaxClassifier), models(TwoLayerNetClassifier)),
    validate=st.booleans(),
)
def test_any_fit_is_what_it_says_it_is(problem, model, validate):
    X, y, w = problem
    model.fit(X, y, w, **({"X_val": X[::-1], "y_val": y[::-1]} if validate else {}))
    assert all(np.isfinite(a).all() for a in parameters(model))
    assert {a.dtype for a in parameters(model)} == {X.dtype}
    assert len(model.loss_curve_) == model.n_iter_ <= model.max_iter
    assert np.isfinite(model.loss_curve_).all()
    weights = np.ones(len(y)) if w is None else w
    if model.class_weight == "balanced":
        weights = weights / np.bincount(y, weights=weights)[y]
    rtol = 1e-9 if X.dtype == np.float64 else 1e-4
    atol = 8 * rounding_of_scores(model, X)
    assert_allclose(model.loss_, plain_objective(model, X, y, weights), rtol=rtol, atol=atol)
    n_classes = len(np.unique(y))
    assert_array_equal(model.classes_, np.arange(n_classes))
    assert model.predict_proba(X).shape == (len(X), n_classes)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
    assert np.isfinite(model.predict_log_proba(X)).all()
    if validate:
        assert len(model.validation_loss_curve_) == model.n_iter_
        assert model.best_iter_ == np.argmin(model.validation_loss_curve_)


@settings(max_examples=60, deadline=None)
@given(problem=problems(), model=models(TwoLayerNetClassifier))
def test_any_fit_has_the_same_bits_again(problem, model):
    X, y, w = problem
    first = clone(model).fit(X, y, w)
    assert_same_bits(clone(model).fit(X.copy(), y.copy(), w), first)
