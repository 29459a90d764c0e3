"""The estimators that choose penalty and width by cross-validation."""

import inspect
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from helpers import assert_same_bits, docstring_entries, ends_early, needs_callbacks, scaled
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import f1_score, get_scorer, log_loss, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_toynn import (
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn.datasets import make_spiral
from sklearn_toynn.model_selection import one_standard_error

X, y = scaled("wine")
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)  # what cv=3 and random_state=0 stand for
PAIRS = {SoftmaxClassifierCV: SoftmaxClassifier, TwoLayerNetClassifierCV: TwoLayerNetClassifier}
every_pair = pytest.mark.parametrize(("cv_class", "plain_class"), PAIRS.items())
every_cv_class = pytest.mark.parametrize("cv_class", PAIRS)


def make(cv_class, **params):
    small = {"regs": 3, "cv": 3, "random_state": 0}
    if cv_class is TwoLayerNetClassifierCV:
        small |= {"hidden_sizes": [4, 8], "max_iter": 60, "n_nets": 2}
    return cv_class(**small | params)


def make_plain(cv_class, **params):
    own = make(cv_class).get_params()
    plain_class = PAIRS[cv_class]
    names = plain_class().get_params()
    return plain_class(**{name: own[name] for name in names if name in own} | params)


def search_for(cv_class, model, plain, rows, **kwargs):
    """Fit `GridSearchCV` of the plain estimator with one net over what a model tried."""
    grid = {"reg": model.regs_}
    if cv_class is TwoLayerNetClassifierCV:
        grid["hidden_size"] = list(model.hidden_sizes)
        plain = clone(plain).set_params(n_nets=1)
    how = {"cv": FOLDS, "scoring": "neg_log_loss", **kwargs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GridSearchCV(plain, grid, **how).fit(*rows)


@pytest.mark.parametrize(
    ("cv", "random_state", "n_splits", "seed"),
    [
        (3, 7, 3, 7),
        (None, 7, 5, 7),
        (3, None, 3, 0),
        (4, np.random.RandomState(1), 4, np.random.RandomState(1).randint(2**31 - 1)),
    ],
)
def test_an_integer_cv_shuffles_stratified_folds(cv, random_state, n_splits, seed):
    folds = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    # without a RandomState, the linear model has the same results in each call
    for _ in range(1 if isinstance(random_state, np.random.RandomState) else 2):
        model, expected = (
            make(SoftmaxClassifierCV, cv=given, random_state=random_state, refit=False).fit(X, y)
            for given in (cv, folds)
        )
        assert model.n_splits_ == n_splits
        for fold in range(n_splits):
            name = f"split{fold}_test_score"
            assert_array_equal(model.cv_results_[name], expected.cv_results_[name])


@pytest.mark.parametrize("shuffle", [False, True])
def test_default_arguments_separate_the_spiral(shuffle):
    X, y = make_spiral(shuffle=shuffle, random_state=0)
    model = TwoLayerNetClassifierCV(random_state=0).fit(X, y)
    assert np.mean(model.predict(X) == y) >= 0.96


@pytest.mark.parametrize("kind", [iter, zip, map], ids=["iter", "zip", "map"])
@every_cv_class
def test_one_shot_folds(cv_class, kind):
    splits = list(FOLDS.split(X, y))
    model = make(cv_class, refit=False)
    expected = clone(model).fit(X, y)
    once = {iter: iter(splits), zip: zip(*zip(*splits, strict=True), strict=True)}
    model.set_params(cv=once.get(kind, map(tuple, splits)))
    model.get_metadata_routing()
    model.fit(X, y)
    assert model.n_splits_ == 3
    assert_array_equal(
        model.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )
    with pytest.raises(ValueError, match="Was the CV iterator empty"):
        model.fit(X, y)  # it is used up


@every_pair
def test_it_has_the_parameters_of_the_plain_one(cv_class, plain_class):
    plain = {
        name: parameter.default
        for name, parameter in inspect.signature(plain_class).parameters.items()
        if name not in {"reg", "hidden_size", "warm_start"}
    }
    own = {name: p.default for name, p in inspect.signature(cv_class).parameters.items()}
    if "n_nets" in plain:
        plain["n_nets"] = 8
    assert plain.items() <= own.items()
    assert own["scoring"] == "neg_log_loss"


@pytest.mark.parametrize("section", ["Parameters", "Attributes"])
def test_what_is_shared_is_documented_alike(section):
    linear, net = (docstring_entries(cv_class, section) for cv_class in PAIRS)
    for cv_class, plain_class in PAIRS.items():
        own, plain = (docstring_entries(c, section) for c in (cv_class, plain_class))
        of_plain = own.keys() & plain.keys() - {"n_nets", "random_state", "verbose", "reg_"}
        assert {name: own[name] for name in of_plain} == {name: plain[name] for name in of_plain}
        if section == "Parameters":
            assert list(own) == list(inspect.signature(cv_class).parameters)
    shared = linear.keys() & net.keys() - of_plain - {"regs"}
    assert len(shared) > 5
    assert {name: linear[name] for name in shared} == {name: net[name] for name in shared}


@pytest.mark.parametrize("n_jobs", [None, 2])
@every_cv_class
def test_it_chooses_what_grid_search_would(cv_class, n_jobs):
    model = make(cv_class, n_jobs=n_jobs).fit(X, y)
    plain = make_plain(cv_class)
    search = search_for(cv_class, model, plain, (X, y))
    assert model.best_params_ == search.best_params_
    assert model.best_score_ == search.best_score_
    assert model.cv_results_.keys() == search.cv_results_.keys()
    for fold in range(3):
        name = f"split{fold}_test_score"
        assert_array_equal(model.cv_results_[name], search.cv_results_[name])
    assert model.reg_ == search.best_params_["reg"]
    refitted = plain.set_params(**model.best_params_).fit(X, y)
    assert_same_bits(model.best_estimator_, refitted)
    assert_array_equal(model.predict_proba(X=X), refitted.predict_proba(X))
    assert_array_equal(model.predict_log_proba(X), refitted.predict_log_proba(X))
    assert_array_equal(model.decision_function(X), refitted.decision_function(X))
    assert model.score(X, y) == refitted.score(X, y)
    assert model.loss_ == refitted.loss_
    if cv_class is TwoLayerNetClassifierCV:
        assert model.hidden_size_ == search.best_params_["hidden_size"]
        assert model.coefs_[0].shape == (2, 13, model.hidden_size_)


@pytest.mark.parametrize(
    ("cv_class", "least", "most"),
    [(SoftmaxClassifierCV, 0.03, 300), (TwoLayerNetClassifierCV, 0.3, 100)],
)
@pytest.mark.parametrize("scale", [1, 1e-6, 1e6])
def test_a_number_of_penalties_goes_by_the_weights(cv_class, least, most, scale):
    weights = scale * np.linspace(0, 2, len(y))
    class_weight = {0: 2.0, 2: 0.5}
    model = make(cv_class, class_weight=class_weight, regs=4, refit=False).fit(X, y, weights)
    w = weights * np.array([2.0, 1.0, 0.5])[y]
    m = max(w.sum(), w.sum() ** 2 / (w @ w))
    assert_allclose(model.regs_ * m, np.geomspace(least, most, 4), rtol=1e-12)


@every_cv_class
def test_penalties_by_name(cv_class):
    model = make(cv_class, regs=[1e-2, 1e-4], refit=False).fit(X, y)
    assert_array_equal(model.regs_, [1e-2, 1e-4])
    assert model.reg_ in (1e-2, 1e-4)
    assert "reg" in model.edges_


@every_cv_class
def test_the_edges_of_what_was_tried(cv_class):
    scores = {10.0: 0.1, 1.0: 0.2, 0.1: 0.0}

    def score(estimator, X, y):
        return scores[estimator.reg]

    model = make(cv_class, regs=[0.1, 1.0, 10.0], scoring=score, refit=False).fit(X, y)
    assert model.reg_ == 1.0
    assert "reg" not in model.edges_
    widths = ("hidden_size",) if cv_class is TwoLayerNetClassifierCV else ()
    assert make(cv_class, regs=[1.0], scoring=score, refit=False).fit(X, y).edges_ == widths


def test_an_edge_is_told(capsys):
    model = make(SoftmaxClassifierCV, regs=[1.0, 10.0], refit=False, verbose=1).fit(X, y)
    assert model.edges_ == ("reg",)
    assert "{'reg': 1.0}; reg at an edge" in capsys.readouterr().out
    make(SoftmaxClassifierCV, regs=[1.0], refit=False, verbose=1).fit(X, y)
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"regs": 0}, "'regs'"),
        ({"regs": "auto"}, "'regs'"),
        ({"regs": []}, "regs must"),
        ({"regs": [-1.0]}, "regs must"),
        ({"regs": [[1.0]]}, "regs must"),
        ({"regs": ["weak"]}, "regs must"),
        ({"regs": [np.nan]}, "regs must"),
        ({"scoring": "log_loss"}, "'scoring'"),
        ({"cv": "five"}, "'cv'"),
        ({"refit": "best"}, "'refit'"),
        ({"tol": -1.0}, "'tol'"),
    ],
)
@every_cv_class
def test_wrong_parameters_are_named(cv_class, params, message):
    model = make(cv_class).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        model.set_params(**params).fit(X, y)
    assert_array_equal(model.predict_proba(X), before)


@ends_early
@pytest.mark.parametrize("size", [4, np.int64(4)])
def test_one_width_as_a_number(size):
    one, listed = (make(TwoLayerNetClassifierCV, hidden_sizes=sizes) for sizes in (size, [4]))
    assert one.get_params()["hidden_sizes"] is size
    assert_array_equal(one.fit(X, y).predict_proba(X), listed.fit(X, y).predict_proba(X))
    assert one.hidden_size_ == 4


@pytest.mark.parametrize("use", ["train", "test"])
@pytest.mark.parametrize("scoring", ["neg_log_loss", "accuracy"])
@every_cv_class
def test_a_fold_without_weight_is_named(cv_class, scoring, use):
    first, train, test = (test for _, test in FOLDS.split(X, y))
    weights = np.ones(len(y))
    weights[train if use == "train" else test] = 0
    model = make(cv_class, cv=[(first, first), (train, test)], scoring=scoring)
    with pytest.raises(ValueError, match=f"sample_weight is zero .* {use} on in split 1 of cv"):
        model.fit(X, y, weights)


@ends_early
@every_cv_class
def test_a_fold_without_weight_may_be_scored_without(cv_class):
    weights = np.ones(len(y))
    weights[list(FOLDS.split(X, y))[1][1]] = 0
    model = make(cv_class, scoring=lambda model, X, y: model.score(X, y))
    assert model.fit(X, y, weights).best_score_ > 0.9


@pytest.mark.parametrize("sizes", [[], [0], [2.5], [[3]], ["3"], [True], True, [True, 3]])
def test_wrong_widths_are_named(sizes):
    with pytest.raises(ValueError, match="hidden_sizes('| must)"):
        make(TwoLayerNetClassifierCV, hidden_sizes=sizes).fit(X, y)


def test_weights_of_an_infinite_sum_are_refused():
    with pytest.raises(ValueError, match=r"regs=3.*total weight.*give regs as a list"):
        make(TwoLayerNetClassifierCV).fit(X, y, np.full(len(y), 1e307))


@every_cv_class
def test_choosing_without_a_refit(cv_class):
    model = make(cv_class, refit=False).fit(X, y)
    assert not hasattr(model, "predict")
    assert not hasattr(model, "best_estimator_")
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.n_features_in_ == X.shape[1]
    assert model.reg_ == model.regs_[model.best_params_["reg"] == model.regs_][0]
    with pytest.raises(AttributeError, match="refit=False"):
        model.predict_proba(X)


@every_cv_class
def test_the_simplest_within_a_standard_error(cv_class):
    model = make(cv_class, regs=5, refit=one_standard_error).fit(X, y)
    index = one_standard_error(model.cv_results_)
    assert model.best_index_ == index
    assert model.best_score_ == model.cv_results_["mean_test_score"][index]
    assert model.best_params_ == model.cv_results_["params"][index]


@every_cv_class
def test_weighted_rows_are_scored_weighted(cv_class):
    weights = np.random.RandomState(0).randint(0, 4, len(y)).astype(float)
    model = make(cv_class, refit=False).fit(X, y, weights)
    plain = make_plain(cv_class, **model.cv_results_["params"][0])
    if cv_class is TwoLayerNetClassifierCV:
        plain.set_params(n_nets=1)
    for fold, (train, test) in enumerate(FOLDS.split(X, y)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            p = clone(plain).fit(X[train], y[train], weights[train]).predict_proba(X[test])
        expected = -log_loss(y[test], p, sample_weight=weights[test])
        assert model.cv_results_[f"split{fold}_test_score"][0] == pytest.approx(expected)
    # as GridSearchCV does, told to
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_scorer(
            log_loss, greater_is_better=False, response_method="predict_proba"
        ).set_score_request(sample_weight=True)
        plain = make_plain(cv_class).set_fit_request(sample_weight=True)
        grid = {"reg": model.regs_}
        if cv_class is TwoLayerNetClassifierCV:
            grid["hidden_size"] = [4, 8]
            plain.set_params(n_nets=1)
        search = GridSearchCV(plain, grid, scoring=scorer, cv=FOLDS, refit=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search.fit(X, y, sample_weight=weights)
    for name in ("mean_test_score", "std_test_score"):
        assert_array_equal(model.cv_results_[name], search.cv_results_[name])


@pytest.mark.parametrize("is_enabled", [False, True])
@every_cv_class
def test_groups_go_to_the_splitter(cv_class, is_enabled):
    groups = np.arange(len(y)) % 7
    with sklearn.config_context(enable_metadata_routing=is_enabled):
        model = make(cv_class, cv=GroupKFold(3), refit=False).fit(X, y, groups=groups)
    splits = list(GroupKFold(3).split(X, y, groups))
    expected = make(cv_class, cv=splits, refit=False).fit(X, y)
    for name in ("mean_test_score", "rank_test_score"):
        assert_array_equal(model.cv_results_[name], expected.cv_results_[name])
    with pytest.raises(TypeError, match=rf"(?s){cv_class.__name__}.*groups"):
        make(cv_class).fit(X, y, groups=groups)


def test_groups_within_a_pipeline():
    groups = np.arange(len(y)) % 7
    with sklearn.config_context(enable_metadata_routing=True):
        net = make(TwoLayerNetClassifierCV, cv=GroupKFold(3))
        pipeline = make_pipeline(StandardScaler(), net).fit(X, y, groups=groups)
    assert pipeline[-1].n_splits_ == 3


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize(
    "scoring",
    [
        "neg_log_loss",
        "roc_auc_ovr",
        "top_k_accuracy",
        make_scorer(log_loss, response_method="predict_proba", greater_is_better=False),
    ],
)
@every_cv_class
def test_training_folds_without_a_class(cv_class, scoring):
    # sorted by class, so that each test fold has a class that is not trained on
    with pytest.raises(ValueError, match=r"no row of the classes \[0\].*split 0.*scoring="):
        make(cv_class, cv=KFold(3), scoring=scoring).fit(X, y)
    for name in ("accuracy", "f1_macro"):
        model = make(cv_class, cv=KFold(3), scoring=name).fit(X, y)
        assert model.classes_.size == 3
    # neither trained on nor tested on, class 2 takes no part in the first score
    train, test = np.flatnonzero(y < 2)[::2], np.flatnonzero(y < 2)[1::2]
    splits = [(train, test), next(FOLDS.split(X, y))]
    model = make(cv_class, cv=splits, scoring=scoring, refit=False).fit(X, y)
    plain = make_plain(cv_class, **model.cv_results_["params"][0])
    if cv_class is TwoLayerNetClassifierCV:
        plain.set_params(n_nets=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain.fit(X[train], y[train])
    expected = (get_scorer(scoring) if isinstance(scoring, str) else scoring)(
        plain, X[test], y[test]
    )
    assert model.cv_results_["split0_test_score"][0] == pytest.approx(expected, rel=1e-9)


OF_LABELS = "accuracy balanced_accuracy matthews_corrcoef d2_log_loss_score neg_brier_score \
neg_log_loss top_k_accuracy"
OF_TWO = f"{OF_LABELS} f1 jaccard precision recall positive_likelihood_ratio \
neg_negative_likelihood_ratio"
OF_THREE = f"{OF_LABELS} d2_brier_score roc_auc_ovo roc_auc_ovo_weighted roc_auc_ovr_weighted"
for metric in ("f1", "jaccard", "precision", "recall"):
    OF_THREE += f" {metric}_macro {metric}_micro {metric}_weighted"


@pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 9),
    reason="LogisticRegressionCV does not pass the classes to every scorer before 1.9",
)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["no", "yes"], OF_TWO),
        ([1, 2], OF_TWO),
        ([False, True], OF_TWO),
        (["a", "b", "c"], OF_THREE),
    ],
)
def test_folds_are_scored_as_by_logistic_regression_cv(labels, names):
    rows = np.random.RandomState(0).permutation(np.flatnonzero(y < len(labels)))
    few, y_few = X[rows, :3], np.array(labels)[y[rows]]
    half = len(rows) // 2
    one, other = np.arange(half), np.arange(half, 2 * half)
    splits = [(one, other), (other, one[y_few[one] != labels[0]])]
    given = {"cv": splits, "tol": 1e-10, "refit": True}
    for name in names.split():
        logistic = LogisticRegressionCV(
            Cs=[0.05],
            l1_ratios=[0],
            solver="newton-cholesky",
            scoring=name,
            use_legacy_attributes=False,
            **given,
        ).fit(few, y_few)
        reg = (2 if len(labels) == 2 else 1) / (0.05 * half)
        model = SoftmaxClassifierCV([reg], scoring=name, **given).fit(few, y_few)
        scores = [model.cv_results_[f"split{fold}_test_score"][0] for fold in range(2)]
        assert_allclose(scores, logistic.scores_.ravel(), rtol=1e-6, atol=1e-6, err_msg=name)


@every_cv_class
def test_two_string_classes_in_every_version(cv_class):
    rows = y < 2
    labels = np.array(["no", "yes"])[y[rows]]
    splits = list(FOLDS.split(X[rows], labels))[:1]
    train, test = splits[0]

    def expected(plain, score):
        plain.fit(X[rows][train], labels[train])
        p = plain.predict_proba(X[rows][test])[:, 1]
        return score(labels[test] == "yes", p)

    def brier(is_yes, p):
        return -np.mean((is_yes - p) ** 2)

    def f1_of(pos_label):
        return lambda is_yes, p: f1_score(is_yes == pos_label, (p > 0.5) == pos_label)

    def macro(is_yes, p):
        return (f1_of(True)(is_yes, p) + f1_of(False)(is_yes, p)) / 2

    for scoring, score in [
        ("neg_brier_score", brier),
        ("f1", f1_of(True)),
        (make_scorer(f1_score, pos_label="no"), f1_of(False)),
        ("f1_macro", macro),
        (make_scorer(f1_score, average="macro"), macro),
        (make_scorer(f1_score, labels=["no"], average="macro"), f1_of(False)),
    ]:
        model = make(cv_class, regs=[1.0], cv=splits, scoring=scoring, refit=False).fit(
            X[rows], labels
        )
        plain = make_plain(cv_class, **model.best_params_)
        if cv_class is TwoLayerNetClassifierCV:
            plain.set_params(n_nets=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert model.best_score_ == pytest.approx(expected(plain, score), rel=1e-9)


@every_cv_class
def test_attributes_of_an_earlier_fit_are_gone(cv_class):
    solver = {"solver": "adam"}
    model = make(cv_class, early_stopping=True, **solver).fit(X, y)
    assert hasattr(model, "validation_loss_curve_")
    model.set_params(early_stopping=False).fit(X, y)
    assert not hasattr(model, "validation_loss_curve_")
    assert not hasattr(model.set_params(refit=False).fit(X, y), "loss_curve_")


@every_cv_class
def test_kinds_of_data(cv_class):
    expected = make(cv_class).fit(X, y).predict_proba(X)
    names = [f"column {j}" for j in range(X.shape[1])]
    frame, labels = pd.DataFrame(X, columns=names), np.array(["a", "b", "c"])[y]
    model = make(cv_class).fit(frame, pd.Series(labels))
    assert_array_equal(model.feature_names_in_, names)
    assert_array_equal(model.classes_, ["a", "b", "c"])
    assert_allclose(model.predict_proba(frame), expected, atol=1e-9)
    rows = make(cv_class).fit(sparse.csr_array(X), y)
    assert_allclose(rows.predict_proba(X), expected, atol=1e-4)
    single = make(cv_class).fit(X.astype(np.float32), y)
    assert single.predict_proba(X).dtype == np.float32


@every_cv_class
def test_draws_without_an_int(cv_class):
    np.random.seed(0)
    assert make(cv_class, random_state=None).fit(X, y).score(X, y) > 0.8
    one, other = (
        make(cv_class, random_state=np.random.RandomState(3)).fit(X, y) for _ in range(2)
    )
    assert_array_equal(one.predict_proba(X), other.predict_proba(X))


@every_cv_class
def test_copies(cv_class):
    model = make(cv_class).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert clone(model).get_params() == model.get_params()
    assert cross_val_score(make(cv_class), X, y, cv=2).min() > 0.8


def interrupt_fit(monkeypatch, plain_class, n_before):
    """Have plain fits raise, after some, once they have been carried out."""
    fit, count = plain_class.fit, iter(range(1000))

    def interrupted(self, *args, **kwargs):
        fit(self, *args, **kwargs)
        if next(count) >= n_before:
            raise KeyboardInterrupt
        return self

    monkeypatch.setattr(plain_class, "fit", interrupted)


def test_ctrl_c_in_the_refit_keeps_the_weights(monkeypatch):
    model = make(TwoLayerNetClassifierCV)
    interrupt_fit(monkeypatch, TwoLayerNetClassifier, 3 * 6)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.predict(X).shape == y.shape
    assert model.reg_ == model.best_estimator_.reg_


def test_ctrl_c_in_the_search_leaves_the_earlier_fit(monkeypatch):
    model = make(TwoLayerNetClassifierCV).fit(X, y)
    before = vars(model).copy()
    interrupt_fit(monkeypatch, TwoLayerNetClassifier, 4)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(hidden_sizes=[3]).fit(X, y)
    now = vars(model)
    assert now.keys() == before.keys()
    assert now["best_estimator_"] is before["best_estimator_"]


def test_nothing_finite():
    def score(estimator, X, y):
        return np.nan

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="finite for none"):
            make(SoftmaxClassifierCV, scoring=score).fit(X, y)


@needs_callbacks
@every_cv_class
def test_callbacks_see_the_search_and_the_refit(cv_class, capsys):
    from sklearn.callback import ProgressBar  # noqa: PLC0415 (not there before 1.9)

    bar = ProgressBar(max_propagation_depth=None)
    make(cv_class).set_callbacks(bar).fit(X, y)
    out = capsys.readouterr().out
    for task in (
        "- search | FusedGridSearchCV",
        "candidate-split-evaluation",
        "- refit-with-best",
    ):
        assert task in out
