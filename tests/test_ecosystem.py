"""Both estimators inside scikit-learn's tools, on real data, beside LogisticRegression."""

import pickle

import matplotlib as mpl
import numpy as np
import pytest
from helpers import ends_early
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import loguniform
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectFromModel
from sklearn.inspection import DecisionBoundaryDisplay, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
    train_test_split,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_toynn import SoftmaxClassifier, TwoLayerNetClassifier

pytestmark = pytest.mark.usefixtures("one_blas_thread")

mpl.use("Agg")

LOADERS = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "digits": load_digits,
}
MODELS = {
    "softmax": SoftmaxClassifier(random_state=0),
    "net": TwoLayerNetClassifier(16, max_iter=200, random_state=0),
}
FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)

both_models = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
# where a penalty is too strong for the epochs, or they are few
above_zero_weights = pytest.mark.filterwarnings("ignore:The fitted model is worse")


@pytest.fixture(params=["iris", "wine", "breast cancer"])
def data(request):
    return LOADERS[request.param](return_X_y=True)


def scaled(model):
    return make_pipeline(StandardScaler(), clone(model))


def baseline():
    return LogisticRegression(max_iter=1000)


def split(name):
    X, y = LOADERS[name](return_X_y=True)
    return train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)


def scaled_split(name):
    X_train, X_test, y_train, y_test = split(name)
    scaler = StandardScaler().fit(X_train)
    return scaler.transform(X_train), scaler.transform(X_test), y_train, y_test


def with_noise_columns(X, n_columns=4):
    noise = np.random.RandomState(0).randn(len(X), n_columns)
    return np.c_[StandardScaler().fit_transform(X), noise]


# ---- copies


@ends_early
@pytest.mark.parametrize(
    "model",
    [
        SoftmaxClassifier(0.02, solver="lbfgs", class_weight={0: 2.0, 1: 1.0, 2: 1.0}),
        SoftmaxClassifier(solver="sgd", momentum=0.5, max_iter=5, random_state=3),
        TwoLayerNetClassifier(
            7,
            0.02,
            activation="tanh",
            solver="adam",
            learning_rate=0.02,
            max_iter=5,
            random_state=3,
        ),
    ],
)
def test_clone_has_the_parameters_and_nothing_learned(model):
    X, y = load_iris(return_X_y=True)
    model.fit(X, y)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not [name for name in vars(copy) if name.endswith("_")]
    # and with the same random_state it learns the same bits
    assert_array_equal(copy.fit(X, y).predict_proba(X), model.predict_proba(X))


@both_models
def test_pickle_keeps_every_fitted_attribute(model):
    X_train, X_test, y_train, _ = scaled_split("wine")
    model = clone(model).fit(X_train, y_train)
    copy = pickle.loads(pickle.dumps(model))
    assert vars(copy).keys() == vars(model).keys()
    assert_array_equal(copy.classes_, model.classes_)
    assert_array_equal(copy.loss_curve_, model.loss_curve_)
    assert_array_equal(copy.predict_proba(X_test), model.predict_proba(X_test))
    assert copy.fit(X_train, y_train).loss_ == model.loss_


# ---- scores and searches


@both_models
def test_cross_val_score_beside_the_baseline(model, data):
    X, y = data
    scores = cross_val_score(scaled(model), X, y, cv=FOLDS)
    assert scores.mean() >= cross_val_score(scaled(baseline()), X, y, cv=FOLDS).mean() - 0.025


@pytest.mark.parametrize(
    ("model", "gain"), [(SoftmaxClassifier(), -0.005), (TwoLayerNetClassifier(32), 0.005)]
)
def test_cross_val_score_on_digits(model, gain):
    # the line does what the baseline does, and the hidden layer adds to it
    X, y = load_digits(return_X_y=True)
    model = scaled(model.set_params(random_state=0))
    score = cross_val_score(model, X, y, cv=3).mean()
    assert score >= cross_val_score(scaled(baseline()), X, y, cv=3).mean() + gain


@both_models
def test_cross_val_score_is_fit_and_score_by_hand(model):
    X, y = load_wine(return_X_y=True)
    scores = cross_val_score(scaled(model), X, y, cv=FOLDS, scoring="neg_log_loss")
    by_hand = []
    for train, test in FOLDS.split(X, y):
        fitted = scaled(model).fit(X[train], y[train])
        by_hand.append(-log_loss(y[test], fitted.predict_proba(X[test])))
    assert_array_equal(scores, by_hand)


@above_zero_weights
def test_grid_search_over_hidden_size_and_reg():
    X, y = load_wine(return_X_y=True)
    grid = {"hidden_size": [1, 16], "reg": [1e-3, 100.0]}
    search = GridSearchCV(
        scaled(MODELS["net"]),
        {f"twolayernetclassifier__{name}": values for name, values in grid.items()},
        cv=FOLDS,
    ).fit(X, y)
    # one unit cannot tell three classes as well, and a penalty of 100 leaves no weights at all
    assert search.best_params_ == {
        "twolayernetclassifier__hidden_size": 16,
        "twolayernetclassifier__reg": 1e-3,
    }
    assert search.best_score_ >= cross_val_score(scaled(baseline()), X, y, cv=FOLDS).mean() - 0.01
    assert search.best_estimator_[-1].coefs_[0].shape == (13, 16)
    reg = search.cv_results_["param_twolayernetclassifier__reg"] == 100.0
    assert search.cv_results_["mean_test_score"][reg].max() < 0.5


@both_models
def test_grid_search_has_the_same_bits_for_any_n_jobs(model):
    X, y = load_digits(return_X_y=True)
    grid = {"reg": [1e-3, 1e-1]}
    # this process may use two BLAS threads, joblib's workers have one
    with threadpool_limits(2):
        results = [
            GridSearchCV(clone(model), grid, scoring="neg_log_loss", cv=3, n_jobs=n_jobs).fit(
                X[:600] / 16, y[:600]
            )
            for n_jobs in (1, 2)
        ]
    for name in ("split0_test_score", "split1_test_score", "split2_test_score"):
        assert_array_equal(results[0].cv_results_[name], results[1].cv_results_[name])


@both_models
def test_randomized_search(model):
    X, y = load_breast_cancer(return_X_y=True)
    model = scaled(model)
    name = f"{model.steps[-1][0]}__reg"
    search = RandomizedSearchCV(
        model, {name: loguniform(1e-5, 1e2)}, n_iter=8, cv=3, random_state=0
    ).fit(X, y)
    drawn = search.cv_results_[f"param_{name}"].astype(float)
    assert len(set(drawn)) == 8
    # what was drawn reached the estimator: the largest penalty is the worst by far
    assert search.cv_results_["rank_test_score"][drawn.argmax()] == 8
    assert search.best_score_ >= cross_val_score(scaled(baseline()), X, y, cv=3).mean() - 0.02


@ends_early
@above_zero_weights
@pytest.mark.parametrize("resource", ["n_samples", "twolayernetclassifier__max_iter"])
def test_halving_grid_search(resource):
    X, y = load_digits(return_X_y=True)
    size, reg = "twolayernetclassifier__hidden_size", "twolayernetclassifier__reg"
    search = HalvingGridSearchCV(
        scaled(TwoLayerNetClassifier(random_state=0)),
        {size: [2, 32], reg: [1e-3, 10.0]},
        resource=resource,
        min_resources=200 if resource == "n_samples" else 5,
        max_resources=800 if resource == "n_samples" else 20,
        factor=2,
        cv=3,
        random_state=0,
    ).fit(X[:800], y[:800])
    assert search.n_candidates_ == [4, 2, 1]
    assert search.best_params_[size] == 32
    assert search.best_params_[reg] == 1e-3
    assert search.score(X[800:], y[800:]) > 0.85


# ---- pipelines


@both_models
def test_pipeline_equals_its_steps(model, data):
    X, y = data
    pipeline = scaled(model).fit(X, y)
    Z = StandardScaler().fit_transform(X)
    alone = clone(model).fit(Z, y)
    assert_array_equal(pipeline.predict_proba(X), alone.predict_proba(Z))
    assert pipeline.score(X, y) == alone.score(Z, y)


@both_models
def test_column_transformer_on_a_mixed_frame(model):
    # iris with one of its measurements given in words
    X, y = load_iris(return_X_y=True, as_frame=True)
    length = X.pop("petal length (cm)")
    X["petal"] = np.where(length < 2.5, "short", np.where(length < 4.9, "medium", "long"))
    columns = ColumnTransformer(
        [
            ("number", StandardScaler(), X.columns[:-1].tolist()),
            ("word", OneHotEncoder(sparse_output=False), ["petal"]),
        ]
    ).set_output(transform="pandas")
    names = load_iris().target_names[y]
    X_train, X_test, y_train, y_test = train_test_split(
        X, names, test_size=0.4, stratify=names, random_state=0
    )
    pipeline = make_pipeline(columns, clone(model)).fit(X_train, y_train)
    reference = make_pipeline(clone(columns), baseline()).fit(X_train, y_train)
    assert list(pipeline[-1].feature_names_in_) == list(columns.get_feature_names_out())
    assert pipeline[-1].n_features_in_ == 6
    assert set(pipeline.predict(X_test)) == {"setosa", "versicolor", "virginica"}
    assert pipeline.score(X_test, y_test) >= reference.score(X_test, y_test) - 0.02


# ---- meta-estimators


@both_models
@pytest.mark.parametrize("name", ["wine", "digits"])
def test_one_vs_rest(model, name):
    X_train, X_test, y_train, y_test = scaled_split(name)
    rest = OneVsRestClassifier(clone(model)).fit(X_train, y_train)
    reference = OneVsRestClassifier(baseline()).fit(X_train, y_train)
    assert rest.score(X_test, y_test) >= reference.score(X_test, y_test) - 0.03
    # each member is the two-class problem by itself
    member = clone(model).fit(X_train, (y_train == 1).astype(int))
    expected = member.decision_function(X_test)
    assert_allclose(rest.decision_function(X_test)[:, 1], expected, rtol=1e-12)


@both_models
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("name", ["breast cancer", "digits"])
def test_calibration(model, method, name):
    X_train, X_test, y_train, y_test = scaled_split(name)
    calibrated = CalibratedClassifierCV(clone(model), method=method, cv=3).fit(X_train, y_train)
    reference = CalibratedClassifierCV(baseline(), method=method, cv=3).fit(X_train, y_train)
    assert calibrated.score(X_test, y_test) >= reference.score(X_test, y_test) - 0.02
    probability = calibrated.predict_proba(X_test)
    assert_allclose(probability.sum(axis=1), 1)
    if method == "sigmoid":
        reference_loss = log_loss(y_test, reference.predict_proba(X_test))
        assert log_loss(y_test, probability) <= 1.2 * reference_loss


def test_calibration_repairs_an_underfitted_model():
    X_train, X_test, y_train, y_test = scaled_split("breast cancer")
    # so strong a penalty leaves every probability near one half, in the right order
    model = SoftmaxClassifier(reg=10.0)
    timid = log_loss(y_test, clone(model).fit(X_train, y_train).predict_proba(X_test))
    calibrated = CalibratedClassifierCV(model, cv=3).fit(X_train, y_train)
    assert log_loss(y_test, calibrated.predict_proba(X_test)) < 0.5 * timid


def test_voting_averages_the_members():
    X_train, X_test, y_train, y_test = scaled_split("wine")
    vote = VotingClassifier(
        [*((name, clone(model)) for name, model in MODELS.items()), ("logistic", baseline())],
        voting="soft",
    ).fit(X_train, y_train)
    members = [
        clone(model).fit(X_train, y_train).predict_proba(X_test)
        for model in (*MODELS.values(), baseline())
    ]
    assert_allclose(vote.predict_proba(X_test), np.mean(members, axis=0), rtol=1e-12)
    reference = baseline().fit(X_train, y_train).score(X_test, y_test)
    assert vote.score(X_test, y_test) >= reference - 0.02


@pytest.mark.parametrize("name", ["wine", "breast cancer"])
def test_stacking_as_members_and_as_the_final_estimator(name):
    X_train, X_test, y_train, y_test = scaled_split(name)
    stack = StackingClassifier(
        [*((name, clone(model)) for name, model in MODELS.items()), ("logistic", baseline())],
        final_estimator=SoftmaxClassifier(),
        cv=3,
    ).fit(X_train, y_train)
    # the final one sees each member's probabilities, a single column where there are two classes
    columns = 3 * (len(np.unique(y_train)) if len(np.unique(y_train)) > 2 else 1)
    assert stack.final_estimator_.coef_.shape == (len(np.unique(y_train)), columns)
    reference = baseline().fit(X_train, y_train).score(X_test, y_test)
    assert stack.score(X_test, y_test) >= reference - 0.03


@both_models
def test_bagging(model):
    X_train, X_test, y_train, y_test = scaled_split("wine")
    bag = BaggingClassifier(clone(model), n_estimators=8, max_samples=0.5, random_state=0)
    bag.fit(X_train, y_train)
    members = [member.predict_proba(X_test) for member in bag.estimators_]
    assert_allclose(bag.predict_proba(X_test), np.mean(members, axis=0), rtol=1e-9)
    # every member saw rows of its own
    assert len({member.loss_ for member in bag.estimators_}) == 8
    reference = baseline().fit(X_train, y_train).score(X_test, y_test)
    assert bag.score(X_test, y_test) >= reference - 0.03


@above_zero_weights
@both_models
def test_boosting_moves_the_weights(model):
    X_train, X_test, y_train, y_test = scaled_split("breast cancer")
    boost = AdaBoostClassifier(clone(model).set_params(reg=0.3), n_estimators=10, random_state=0)
    boost.fit(X_train, y_train)
    # without sample_weight the second member would be the first again
    first, second = boost.estimators_[:2]
    assert len(boost.estimators_) > 1
    wrong = first.predict(X_train) != y_train
    assert 0 < wrong.sum() < 0.5 * len(y_train)
    own = np.arange(len(y_train)), y_train
    gain = second.predict_proba(X_train)[own] - first.predict_proba(X_train)[own]
    assert gain[wrong].mean() > 0
    reference = baseline().fit(X_train, y_train).score(X_test, y_test)
    assert boost.score(X_test, y_test) >= reference - 0.03


# ---- what a model says about its columns


@pytest.mark.parametrize("name", ["iris", "wine", "breast cancer"])
def test_select_from_model_drops_noise(name):
    X, y = LOADERS[name](return_X_y=True)
    noisy = with_noise_columns(X)
    selector = SelectFromModel(SoftmaxClassifier(reg=0.1)).fit(noisy, y)
    chosen = selector.get_support()
    K = len(np.unique(y))
    C = (1 if K > 2 else 2) / (0.1 * len(y))
    reference = SelectFromModel(LogisticRegression(C=C, tol=1e-8, max_iter=1000)).fit(noisy, y)
    assert_array_equal(chosen, reference.get_support())
    assert chosen[: X.shape[1]].any()
    assert not chosen[X.shape[1] :].any()
    assert_allclose(selector.transform(noisy), noisy[:, chosen])


@both_models
def test_permutation_importance_finds_the_petals(model):
    X, y = load_iris(return_X_y=True)
    noisy = with_noise_columns(X)
    fitted = clone(model).fit(noisy, y)
    importance = permutation_importance(fitted, noisy, y, n_repeats=10, random_state=0)
    means = importance.importances_mean
    assert set(np.argsort(means)[-2:]) == {2, 3}
    assert abs(means[4:]).max() < 0.1 * means.max()


@pytest.mark.parametrize("response", ["predict", "decision_function", "predict_proba"])
@both_models
def test_decision_boundary_display(model, response):
    X, y = load_iris(return_X_y=True)
    petals, y = X[y > 0, 2:], y[y > 0]
    fitted = scaled(model).fit(petals, y)
    display = DecisionBoundaryDisplay.from_estimator(
        fitted, petals, response_method=response, grid_resolution=20, ax=Figure().subplots()
    )
    grid = np.c_[display.xx0.ravel(), display.xx1.ravel()]
    expected = {
        "predict": lambda: np.searchsorted(fitted.classes_, fitted.predict(grid)),
        "decision_function": lambda: fitted.decision_function(grid),
        "predict_proba": lambda: fitted.predict_proba(grid)[:, 1],
    }[response]()
    assert_allclose(display.response.ravel(), expected)
    assert display.ax_.collections
    # the larger petals lie on the side of class 2
    assert display.response[-1, -1] > display.response[0, 0]


# ---- sample_weight on its way through


@pytest.fixture
def weights():
    return np.random.RandomState(0).uniform(0, 3, size=178)


@both_models
def test_routed_sample_weight_reaches_fit_in_a_pipeline(model, weights):
    X, y = load_wine(return_X_y=True)
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False),
            clone(model).set_fit_request(sample_weight=True),
        ).fit(X, y, sample_weight=weights)
    Z = StandardScaler().fit_transform(X)
    weighted = clone(model).fit(Z, y, sample_weight=weights)
    assert_array_equal(pipeline.predict_proba(X), weighted.predict_proba(Z))
    plain = clone(model).fit(Z, y)
    assert abs(weighted.predict_proba(Z) - plain.predict_proba(Z)).max() > 1e-3


@both_models
def test_routed_sample_weight_reaches_cross_validate(model, weights):
    X, y = load_wine(return_X_y=True)
    Z = StandardScaler().fit_transform(X)
    with config_context(enable_metadata_routing=True):
        requesting = (
            clone(model).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        )
        result = cross_validate(
            requesting, Z, y, cv=FOLDS, params={"sample_weight": weights}, return_estimator=True
        )
    for (train, test), score, fitted in zip(
        FOLDS.split(Z, y), result["test_score"], result["estimator"], strict=True
    ):
        by_hand = clone(model).fit(Z[train], y[train], sample_weight=weights[train])
        assert_array_equal(fitted.predict_proba(Z), by_hand.predict_proba(Z))
        assert score == by_hand.score(Z[test], y[test], sample_weight=weights[test])


@both_models
def test_sample_weight_without_a_request_is_refused(model, weights):
    X, y = load_wine(return_X_y=True)
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(clone(model))
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            pipeline.fit(X, y, sample_weight=weights)
