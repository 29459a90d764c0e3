"""The estimators that choose penalty, width and encoding by cross-validation."""

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from helpers import assert_same_bits, ends_early, needs_callbacks, wine, with_entry
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import minimize_scalar
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import accuracy_score, f1_score, get_scorer, log_loss, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, StratifiedKFold

from sklearn_toynn import (
    MultiLayerNetClassifier,
    MultiLayerNetClassifierCV,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
)
from sklearn_toynn._blending import count_greedily, distribute
from sklearn_toynn.datasets import make_spiral

pytestmark = ends_early

X, y = wine()
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)  # what cv=3 and random_state=0 stand for
SPLITS = list(FOLDS.split(X, y))
PAIRS = {
    SoftmaxClassifierCV: SoftmaxClassifier,
    TwoLayerNetClassifierCV: TwoLayerNetClassifier,
    MultiLayerNetClassifierCV: MultiLayerNetClassifier,
}
#: The parameters with which the CV estimators refit the candidate that `GridSearchCV` chooses.
ALONE = {"search": "grid", "encodings": "linear", "calibrate": False}
#: Rows and labels for which one candidate is not better than all averages.
FEW, NOISY = X[:, :3], np.where(np.random.RandomState(0).uniform(size=len(y)) < 0.35, 0, y)
every_cv_class = pytest.mark.parametrize("cv_class", PAIRS)


def make(cv_class, **params):
    small = {"regs": 3, "cv": 3, "random_state": 0}
    if cv_class is not SoftmaxClassifierCV:
        small |= {"max_iter": 30, "n_nets": 2}
    if cv_class is TwoLayerNetClassifierCV:
        small["hidden_sizes"] = [4, 8]
    if cv_class is MultiLayerNetClassifierCV:
        small["hidden_layer_sizes"] = [4, (5, 3)]
    return cv_class(**small | params)


def make_alone(cv_class, **params):
    """Return an estimator that refits the candidate that `GridSearchCV` chooses."""
    blend = {} if cv_class is SoftmaxClassifierCV else {"blend": False}
    return make(cv_class, **ALONE | blend | params)


def choose(**params):
    """Choose the penalty of the linear model, without a refit."""
    return make_alone(SoftmaxClassifierCV, **{"refit": False} | params).fit(X, y)


def make_plain(cv_class, n_nets=2, **params):
    """Return the plain estimator with the parameters of `make`."""
    own = make(cv_class).get_params()
    names = PAIRS[cv_class]().get_params()
    if cv_class is not SoftmaxClassifierCV:
        params["n_nets"] = n_nets
    return PAIRS[cv_class](**{name: own[name] for name in names if name in own} | params)


def search_like(model, plain, fit_params=None, **kwargs):
    """Fit `GridSearchCV` over what a model has tried."""
    grid = {
        name: list(dict.fromkeys(model.cv_results_[f"param_{name}"]))
        for name in model.best_params_
    }
    search = GridSearchCV(plain, grid, **{"cv": FOLDS, "scoring": "neg_log_loss"} | kwargs)
    return search.fit(X, y, **(fit_params or {}))


def assert_same_scores(model, search):
    """Both are fitted searches or estimators with the same candidates."""
    ours, theirs = model.cv_results_, search.cv_results_
    assert ours.keys() - {"n_splits_run"} == theirs.keys() - {"n_splits_run"}
    assert ours["params"] == theirs["params"]
    for name in theirs:
        if name.endswith("_score"):
            assert_array_equal(ours[name], theirs[name])


# ---- parameters


@every_cv_class
def test_it_has_the_parameters_of_the_plain_one(cv_class):
    plain = {
        name: parameter.default
        for name, parameter in inspect.signature(PAIRS[cv_class]).parameters.items()
        if name not in {"reg", "hidden_size", "hidden_layer_sizes", "warm_start", "encoding"}
    }
    own = {name: p.default for name, p in inspect.signature(cv_class).parameters.items()}
    if "n_nets" in plain:
        plain["n_nets"] = 8
    assert plain.items() <= own.items()
    assert own["scoring"] == "neg_log_loss"


@every_cv_class
def test_invalid_parameters_are_named(cv_class):
    model = make(cv_class, regs=[0.01]).fit(X, y)
    before = model.predict_proba(X)
    cases = [
        *(("regs", regs) for regs in (0, "auto", [], [-1.0], [[1.0]], ["weak"], [np.nan])),
        ("scoring", "log_loss"),
        ("cv", "five"),
        ("refit", "best"),
        ("tol", -1.0),
        ("search", "random"),
        ("calibrate", "yes"),
        *(("encodings", value) for value in ("one-hot", [], ["linear", "log"], 3)),
    ]
    if cv_class is MultiLayerNetClassifierCV:
        values = ([], [0], [(3, 0)], [2.5], [[[3]]], [()])
        cases += [("hidden_layer_sizes", value) for value in values]
        cases += [("blend", "always")]
    if cv_class is TwoLayerNetClassifierCV:
        cases += [("hidden_sizes", sizes) for sizes in ([], [0], [2.5], [[3]], ["3"])]
    for name, value in cases:
        with pytest.raises(ValueError, match=f"'{name}'|{name} must"):
            model.set_params(**{name: value}).fit(X, y)
        model.set_params(**make(cv_class, regs=[0.01]).get_params())
        assert_array_equal(model.predict_proba(X), before)
    with pytest.raises(ValueError, match=r"regs=3.*total weight.*give regs as a list"):
        make(cv_class).fit(X, y, np.full(len(y), 1e307))


@pytest.mark.parametrize(
    ("cv_class", "least", "most"),
    [(SoftmaxClassifierCV, 0.03, 300), (TwoLayerNetClassifierCV, 0.01, 100)],
)
@pytest.mark.parametrize("scale", [1, 1e-6])
def test_a_number_of_penalties_depends_on_the_weights(cv_class, least, most, scale):
    weights = scale * np.linspace(0, 2, len(y))
    class_weight = {0: 2.0, 2: 0.5}
    model = make(cv_class, class_weight=class_weight, regs=4, refit=False).fit(X, y, weights)
    w = weights * np.array([2.0, 1.0, 0.5])[y]
    m = max(w.sum(), w.sum() ** 2 / (w @ w))
    assert_allclose(model.regs_ * m, np.geomspace(least, most, 4), rtol=1e-12)


# ---- the choice


@pytest.mark.parametrize("n_jobs", [None, 2])
@every_cv_class
def test_it_chooses_what_grid_search_would(cv_class, n_jobs):
    model = make_alone(cv_class, n_jobs=n_jobs).fit(X, y)
    search = search_like(model, make_plain(cv_class, n_nets=1))
    assert_same_scores(model, search)
    assert_array_equal(model.cv_results_["n_splits_run"], 3)
    assert model.best_params_ == search.best_params_
    assert model.best_score_ == search.best_score_
    assert model.reg_ == search.best_params_["reg"]
    refitted = make_plain(cv_class, **model.best_params_).fit(X, y)
    assert_same_bits(model.best_estimator_, refitted)
    assert_array_equal(model.predict_proba(X=X), refitted.predict_proba(X))
    assert_array_equal(model.predict_log_proba(X), refitted.predict_log_proba(X))
    assert_array_equal(model.decision_function(X), refitted.decision_function(X))
    assert model.score(X, y) == refitted.score(X, y)
    assert model.loss_ == refitted.loss_
    if cv_class is TwoLayerNetClassifierCV:
        one = make_alone(cv_class, hidden_sizes=np.int64(model.hidden_size_)).fit(X, y)
        assert_same_bits(one.best_estimator_, refitted)
        assert model.hidden_size_ == search.best_params_["hidden_size"]
        assert model.coefs_[0].shape == (2, 13, model.hidden_size_)


def test_default_arguments_separate_fresh_points_of_the_spiral():
    model = TwoLayerNetClassifierCV(random_state=0)
    model.fit(*make_spiral(shuffle=False, random_state=0))
    assert model.score(*make_spiral(3000, random_state=1)) >= 0.99


@every_cv_class
def test_edges_are_the_parameters_at_the_end_of_their_values(cv_class, capsys):
    scores = {10.0: 0.1, 1.0: 0.2, 0.1: 0.0}

    def score(estimator, X, y):
        return scores[estimator.reg]

    model = make(cv_class, regs=[10.0, 0.1, 1.0], scoring=score, refit=False).fit(X, y)
    assert_array_equal(model.regs_, [10.0, 0.1, 1.0])
    assert model.reg_ == 1.0
    widths = ("hidden_size",) if cv_class is TwoLayerNetClassifierCV else ()
    assert model.edges_ == widths
    for regs, edges in [([1.0], widths), ([0.1, 1.0], {"reg", *widths})]:
        assert set(model.set_params(regs=regs, verbose=1).fit(X, y).edges_) == set(edges)
        out = capsys.readouterr().out
        assert ("'reg': 1.0" in out and "at an edge" in out) == bool(edges)


@pytest.mark.parametrize("index", [-1, 3, 1.0, None])
def test_a_function_must_return_an_index(index):
    model = make_alone(SoftmaxClassifierCV, refit=lambda results: index)
    with pytest.raises(ValueError, match=rf"refit must .* from 0 to 2, got {index}"):
        model.fit(X, y)


def test_a_tuple_of_widths_is_ambiguous_and_a_list_is_not():
    with pytest.raises(ValueError, match=r"one net or 2 nets. Pass \[\(6, 5\)\].*or \[6, 5\]"):
        make(MultiLayerNetClassifierCV, hidden_layer_sizes=(6, 5)).fit(X, y)
    for sizes, nets in [((6,), {(6,)}), ([6, 5], {(6,), (5,)}), ([(6, 5)], {(6, 5)})]:
        model = make(MultiLayerNetClassifierCV, hidden_layer_sizes=sizes, refit=False)
        assert set(model.fit(X, y).cv_results_["param_hidden_layer_sizes"]) == nets
    with pytest.raises(AttributeError, match=r"no coefs_, because refit=False"):
        model.coefs_  # noqa: B018


def test_a_function_may_choose_and_attributes_of_an_earlier_fit_are_removed():
    model = make_alone(SoftmaxClassifierCV, early_stopping=True, solver="adam", max_iter=5)
    model.set_params(refit=lambda results: results["rank_test_score"].argmax()).fit(X, y)
    index = np.argmin(model.cv_results_["mean_test_score"])
    assert model.best_index_ == index
    assert model.best_score_ == model.cv_results_["mean_test_score"][index]
    assert model.best_params_ == model.cv_results_["params"][index]
    assert model.reg_ == model.best_estimator_.reg_ == model.regs_[index]
    assert hasattr(model, "validation_loss_curve_")
    assert not hasattr(model.set_params(early_stopping=False).fit(X, y), "validation_loss_curve_")
    model.set_params(refit=False).fit(X, y)
    for name in ("predict", "best_estimator_", "loss_curve_"):
        assert not hasattr(model, name)
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.n_features_in_ == X.shape[1]
    assert model.reg_ == model.best_params_["reg"]
    with pytest.raises(AttributeError, match="refit=False"):
        model.predict_proba(X)


# ---- folds


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
    model = choose(cv=cv, random_state=random_state)
    folds = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    assert model.n_splits_ == n_splits
    assert_same_scores(model, choose(cv=folds))


def test_folds_may_be_an_iterator():
    model = make_alone(SoftmaxClassifierCV, cv=map(tuple, SPLITS), refit=False)
    model.get_metadata_routing()
    assert_same_scores(model.fit(X, y), choose())
    with pytest.raises(ValueError, match="Was the CV iterator empty"):
        model.fit(X, y)  # it is used up


@pytest.mark.parametrize("is_enabled", [False, True])
def test_groups_reach_the_splitter(is_enabled):
    groups = np.arange(len(y)) % 7
    model = make_alone(SoftmaxClassifierCV, cv=GroupKFold(3), refit=False)
    with sklearn.config_context(enable_metadata_routing=is_enabled):
        model.fit(X, y, groups=groups)
    assert_same_scores(model, choose(cv=list(GroupKFold(3).split(X, y, groups))))
    with pytest.raises(TypeError, match=r"(?s)SoftmaxClassifierCV.*groups"):
        model.set_params(cv=3).fit(X, y, groups=groups)


@pytest.mark.parametrize("use", ["training", "test"])
@pytest.mark.parametrize("scoring", ["neg_log_loss", "accuracy"])
def test_a_fold_without_weight_is_named(scoring, use):
    first, train, test = (test for _, test in SPLITS)
    weights = with_entry(np.ones(len(y)), train if use == "training" else test, 0)
    model = make(SoftmaxClassifierCV, cv=[(first, first), (train, test)], scoring=scoring)
    with pytest.raises(ValueError, match=f"sample_weight is zero .* {use} rows of split 1 of cv"):
        model.fit(X, y, weights)
    if use == "test":  # a function scores without weights
        model.set_params(scoring=lambda model, X, y: model.score(X, y), cv=3)
        assert model.fit(X, y, weights).best_score_ > 0.9


# ---- scores


@every_cv_class
def test_weighted_rows_are_scored_with_their_weights(cv_class):
    weights = np.random.RandomState(0).randint(0, 4, len(y)).astype(float)
    model = make_alone(cv_class, refit=False).fit(X, y, weights)
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_scorer(log_loss, greater_is_better=False, response_method="predict_proba")
        search = search_like(
            model,
            make_plain(cv_class, n_nets=1).set_fit_request(sample_weight=True),
            {"sample_weight": weights},
            scoring=scorer.set_score_request(sample_weight=True),
            refit=False,
        )
    assert_same_scores(model, search)


def count_right(y_true, y_pred):
    return np.sum(y_true == y_pred)


def test_an_error_about_a_score_names_the_function_of_the_user():
    with pytest.raises(ValueError, match="scorer=<function .*<lambda>"):
        choose(scoring=lambda estimator, X, y: "good")


def test_a_scorer_gets_the_weights_that_its_metric_accepts():
    weights = np.random.RandomState(0).randint(0, 4, len(y)).astype(float)
    scorer = make_scorer(accuracy_score)
    model = make_alone(SoftmaxClassifierCV, scoring=scorer).fit(X, y, weights)
    named = make_alone(SoftmaxClassifierCV, scoring="accuracy").fit(X, y, weights)
    assert_same_scores(model, named)
    assert scorer.get_metadata_routing().score.requests["sample_weight"] is None  # unchanged
    unweighted = make_alone(SoftmaxClassifierCV, scoring=make_scorer(count_right))
    scores = unweighted.fit(X, y, weights).cv_results_["split0_test_score"]
    assert_array_equal(scores, scores.astype(int))
    with sklearn.config_context(enable_metadata_routing=True):
        model.set_params(scoring=scorer.set_score_request(sample_weight=False))
        counts = unweighted.cv_results_["split0_test_score"]
        share = model.fit(X, y, sample_weight=weights).cv_results_["split0_test_score"]
        assert share == pytest.approx(counts / len(SPLITS[0][1]))


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
def test_a_class_that_is_only_tested_is_refused_if_the_score_needs_it(scoring):
    # the rows are sorted by class
    with pytest.raises(ValueError, match=r"split 0 of cv lack the classes \[0\].*scoring="):
        choose(cv=KFold(3), scoring=scoring)
    # class 2 is neither in the training nor in the test rows of the first fold
    train, test = np.flatnonzero(y < 2)[::2], np.flatnonzero(y < 2)[1::2]
    model = choose(cv=[(train, test), SPLITS[0]], scoring=scoring)
    plain = make_plain(SoftmaxClassifierCV, **model.cv_results_["params"][0])
    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    expected = scorer(plain.fit(X[train], y[train]), X[test], y[test])
    assert model.cv_results_["split0_test_score"][0] == pytest.approx(expected, rel=1e-9)
    # scores of labels need no class
    assert_array_equal(choose(cv=KFold(3), scoring="f1_macro").classes_, [0, 1, 2])
    raises = pytest.raises(ValueError, match="No candidate has a finite score")
    with pytest.warns(UserWarning, match="non-finite"), raises:
        choose(scoring=lambda *_: np.nan)


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
    [(["no", "yes"], OF_TWO), ([False, True], OF_TWO), (["a", "b", "c"], OF_THREE)],
)
def test_folds_are_scored_as_by_logistic_regression_cv(labels, names):
    rows = np.random.RandomState(0).permutation(np.flatnonzero(y < len(labels)))
    few, y_few = X[rows, :3], np.array(labels)[y[rows]]
    half = len(rows) // 2
    one, other = np.arange(half), np.arange(half, 2 * half)
    given = {"cv": [(one, other), (other, one[y_few[one] != labels[0]])], "tol": 1e-10}
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
        model = SoftmaxClassifierCV([reg], encodings="linear", scoring=name, refit=False, **given)
        model.fit(few, y_few)
        scores = [model.cv_results_[f"split{fold}_test_score"][0] for fold in range(2)]
        assert_allclose(scores, logistic.scores_.ravel(), rtol=1e-6, atol=1e-6, err_msg=name)


def test_scores_of_two_string_classes_in_every_version():
    rows = y < 2
    few, labels = X[rows], np.array(["no", "yes"])[y[rows]]
    train, test = next(FOLDS.split(few, labels))
    plain = make_plain(SoftmaxClassifierCV, reg=1.0).fit(few[train], labels[train])
    p, is_yes = plain.predict_proba(few[test])[:, 1], labels[test] == "yes"
    brier = -np.mean((is_yes - p) ** 2)
    f1, f1_of_no = f1_score(is_yes, p > 0.5), f1_score(~is_yes, p <= 0.5)
    for scoring, expected in [
        ("neg_brier_score", brier),
        ("f1", f1),
        (make_scorer(f1_score, pos_label="no"), f1_of_no),
        ("f1_macro", (f1 + f1_of_no) / 2),
        (make_scorer(f1_score, average="macro"), (f1 + f1_of_no) / 2),
        (make_scorer(f1_score, labels=["no"], average="macro"), f1_of_no),
    ]:
        model = SoftmaxClassifierCV([1.0], cv=[(train, test)], scoring=scoring, refit=False)
        model.set_params(encodings="linear")
        assert model.fit(few, labels).best_score_ == pytest.approx(expected, rel=1e-9)


# ---- data, copies, interrupts and callbacks


@every_cv_class
def test_frames_sparse_rows_and_float32(cv_class):
    one = make(cv_class, regs=[0.01], encodings="linear", tol=1e-9)
    expected = clone(one).fit(X, y).predict_proba(X)
    names = [f"column {j}" for j in range(X.shape[1])]
    frame, labels = pd.DataFrame(X, columns=names), np.array(["a", "b", "c"])[y]
    model = clone(one).fit(frame, pd.Series(labels))
    assert_array_equal(model.feature_names_in_, names)
    assert_array_equal(model.classes_, ["a", "b", "c"])
    assert_allclose(model.predict_proba(frame), expected, atol=1e-9)
    rows = clone(one).fit(sparse.csr_array(X), y)
    assert_allclose(rows.predict_proba(X), expected, atol=1e-4)
    assert one.fit(X.astype(np.float32), y).predict_proba(X).dtype == np.float32


@every_cv_class
def test_a_random_state_that_is_no_int_gives_one_seed(cv_class):
    np.random.seed(0)
    assert make(cv_class, random_state=None).fit(X, y).score(X, y) > 0.8
    one, other = (
        make(cv_class, random_state=np.random.RandomState(3)).fit(X, y) for _ in range(2)
    )
    assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    assert isinstance(one.estimators_[0].random_state, int)


@pytest.mark.parametrize("n_before", [4, 11, 18])
def test_ctrl_c_keeps_the_earlier_fit_or_the_weights_of_the_refit(monkeypatch, n_before):
    model = make_alone(TwoLayerNetClassifierCV, regs=[0.1, 0.01, 0.001]).fit(X, y)
    before, calls, fit = vars(model).copy(), iter(range(100)), TwoLayerNetClassifier.fit

    def interrupted(self, *args, **kwargs):
        is_over = next(calls) == n_before
        if is_over and n_before == 11:
            raise KeyboardInterrupt
        fit(self, *args, **kwargs)
        if is_over:
            raise KeyboardInterrupt
        return self

    monkeypatch.setattr(TwoLayerNetClassifier, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.predict(X).shape == y.shape
    is_kept = model.estimators_ is before["estimators_"]
    assert is_kept == (n_before < 18)
    assert (model.cv_results_ is before["cv_results_"]) == is_kept
    assert vars(model).keys() == before.keys()


@pytest.mark.parametrize(
    ("n_refits", "has_weights"), [(0, False), (0, True), (1, False), (1, True)]
)
def test_ctrl_c_keeps_the_finished_members(monkeypatch, n_refits, has_weights):
    model = make(MultiLayerNetClassifierCV, n_nets=9).fit(FEW, NOISY)
    assert len(model.estimators_) > 2
    members, before, n_seen = model.estimators_, vars(model).copy(), []
    weights, fit = np.rint(9 * model.weights_), MultiLayerNetClassifier.fit

    def interrupted(self, data, *args, **kwargs):
        is_over = len(data) == len(X) and len(n_seen) == n_refits
        if not is_over or has_weights:
            fit(self, data, *args, **kwargs)
        if is_over:
            raise KeyboardInterrupt
        if len(data) == len(X):
            n_seen.append(1)
        return self

    monkeypatch.setattr(MultiLayerNetClassifier, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(FEW, NOISY)
    n_kept = n_refits + has_weights
    if not n_kept:
        assert vars(model) == before
        return
    assert len(model.estimators_) == n_kept
    assert_allclose(model.weights_, weights[:n_kept] / weights[:n_kept].sum())
    for one, other in zip(model.estimators_, members, strict=False):
        assert_array_equal(one.predict_proba(FEW), other.predict_proba(FEW))


@needs_callbacks
@every_cv_class
def test_callbacks_see_the_search_and_the_refit(cv_class, capsys):
    from sklearn.callback import ProgressBar  # noqa: PLC0415 (not there before 1.9)

    bar = ProgressBar(max_propagation_depth=None)
    make(cv_class, regs=[0.01]).set_callbacks(bar).fit(X, y)
    out = capsys.readouterr().out
    for task in (
        "- search | CandidateSearch",
        "candidate-split-evaluation",
        "- refit-with-best",
    ):
        assert task in out


# ---- races


def count_fits(monkeypatch, plain_class):
    """Return a list that gets the arguments of each fit of a class."""
    calls, fit = [], plain_class.fit

    def counted(self, *args, **kwargs):
        calls.append(self)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(plain_class, "fit", counted)
    return calls


@every_cv_class
def test_a_race_has_the_scores_of_the_grid_for_its_finalists(monkeypatch, cv_class):
    params = {"regs": 4, "refit": False}
    grid = make(cv_class, search="grid", **params).fit(X, y).cv_results_
    calls = count_fits(monkeypatch, PAIRS[cv_class])
    race = make(cv_class, **params).fit(X, y).cv_results_
    n_groups = 2 if cv_class is SoftmaxClassifierCV else 4
    assert len(calls) == n_groups * (4 + 2 * 2)
    assert race.keys() == grid.keys()
    assert race["params"] == grid["params"]
    groups = [{k: v for k, v in one.items() if k != "reg"} for one in race["params"]]
    first = grid["split0_test_score"]
    assert_array_equal(race["split0_test_score"], first)
    finalists = [
        first[i] >= sorted(s for s, g in zip(first, groups, strict=True) if g == groups[i])[-2]
        for i in range(len(first))
    ]
    assert_array_equal(race["n_splits_run"], np.where(finalists, 3, 1))
    for name in ("split1_test_score", "split2_test_score", "mean_test_score", "std_test_score"):
        assert_array_equal(race[name], np.where(finalists, grid[name], np.nan))
    of_finalists = grid["mean_test_score"][finalists]
    ranks = [1 + (of_finalists > score).sum() for score in of_finalists]
    assert_array_equal(race["rank_test_score"][finalists], ranks)
    assert set(race["rank_test_score"][~np.array(finalists)]) == {sum(finalists) + 1}
    assert (race["mean_fit_time"] > 0).all()


@pytest.mark.parametrize("cv_class", [SoftmaxClassifierCV, TwoLayerNetClassifierCV])
def test_predictions_come_back_from_other_jobs(cv_class):
    one = make(cv_class, scoring="accuracy").fit(FEW, NOISY)
    two = make(cv_class, scoring="accuracy", n_jobs=2).fit(FEW, NOISY)
    assert one.temperature_ == two.temperature_ != 1.0
    assert_array_equal(one.predict_proba(FEW), two.predict_proba(FEW))


def test_two_penalties_need_no_race(monkeypatch):
    calls = count_fits(monkeypatch, SoftmaxClassifier)
    model = make(SoftmaxClassifierCV, regs=2, refit=False).fit(X, y)
    assert len(calls) == 2 * 2 * 3
    assert_same_scores(model, make(SoftmaxClassifierCV, regs=2, search="grid").fit(X, y))


def test_the_next_fold_qualifies_if_the_first_cannot_score():
    def score(estimator, X, y):
        return -log_loss(y, estimator.predict_proba(X)) if len(y) < 70 else np.nan

    half, other = SPLITS[0]
    splits = [(other, half), SPLITS[1], SPLITS[2]]
    model = make(SoftmaxClassifierCV, scoring=score, cv=splits, regs=4, encodings="linear")
    with pytest.warns(UserWarning, match="non-finite"):
        results = model.fit(X, y).cv_results_
    assert np.isnan(results["split0_test_score"]).all()
    assert np.isfinite(results["split1_test_score"]).all()
    assert np.isfinite(results["split2_test_score"]).sum() == 2
    assert_array_equal(np.sort(results["n_splits_run"]), [2, 2, 3, 3])
    scores = np.array([results[f"split{fold}_test_score"] for fold in (1, 2)])
    assert_array_equal(results["mean_test_score"], scores.mean(axis=0))
    with pytest.warns(UserWarning, match="non-finite"), pytest.raises(ValueError, match="finite"):
        model.set_params(search="grid").fit(X, y)


def test_a_fold_that_trains_without_a_class_does_not_qualify():
    train, test = SPLITS[0]
    splits = [(train[y[train] > 0], test), *SPLITS[1:]]
    model = make(SoftmaxClassifierCV, scoring="accuracy", cv=splits, regs=4, calibrate=True)
    results = model.fit(X, y).cv_results_
    assert np.isfinite(results["split1_test_score"]).all()
    for fold in (0, 2):
        assert np.isfinite(results[f"split{fold}_test_score"]).sum() == 4
    assert np.isfinite(model.predict_log_proba(X)).all()


@pytest.mark.parametrize("n_values", [1, 4, 5])
def test_the_encoding_is_tried_if_a_column_gets_pieces(n_values):
    rows = np.column_stack([np.zeros(len(y)), np.arange(len(y)) % n_values, y == 1])
    weights = np.where(np.arange(len(y)) % n_values == 4, 0.0, 1.0)
    model = SoftmaxClassifierCV([0.1, 1.0], cv=2, refit=False)
    both = {"linear", "piecewise"}
    tried = set(model.fit(rows, y).cv_results_["param_encoding"])
    assert tried == (both if n_values == 5 else {"linear"})
    assert set(model.fit(rows, y, weights).cv_results_["param_encoding"]) == {"linear"}


def test_sparse_rows_are_tried_without_pieces():
    rows = sparse.csr_array(X)
    model = make(TwoLayerNetClassifierCV).fit(rows, y)
    assert set(model.cv_results_["param_encoding"]) == {"linear"}
    assert model.encoding_ == "linear"
    with pytest.raises(ValueError, match="encoding='piecewise'"):
        model.set_params(encodings=["linear", "piecewise"]).fit(rows, y)


# ---- the temperature


def out_of_fold(model, plain, X, y, weights, splits):
    """Return pooled log-probabilities, codes and weights of a candidate."""
    logs, rows = [], []
    for train, test in splits:
        plain = clone(plain).fit(X[train], y[train], weights[train])
        full = np.full((len(test), len(model.classes_)), -80.0)
        full[:, np.searchsorted(model.classes_, plain.classes_)] = plain.predict_log_proba(X[test])
        logs.append(full)
        rows.append(test)
    rows = np.concatenate(rows)
    return np.concatenate(logs), np.searchsorted(model.classes_, y[rows]), weights[rows]


def loss_at(log_t, logs, codes, weights):
    scaled = logs / np.exp(log_t)
    scaled -= np.logaddexp.reduce(scaled, axis=1)[:, np.newaxis]
    return -np.average(scaled[np.arange(len(codes)), codes], weights=weights)


OVERLAPPING = [(np.arange(0, 178, 2), np.arange(1, 120)), (np.arange(60, 178), np.arange(90))]


@pytest.mark.parametrize("cv", [SPLITS, OVERLAPPING], ids=["folds", "overlapping"])
@pytest.mark.parametrize("cv_class", [SoftmaxClassifierCV, TwoLayerNetClassifierCV])
def test_the_temperature_minimizes_the_out_of_fold_loss(cv_class, cv):
    weights = np.random.RandomState(1).randint(0, 3, len(y)).astype(float)
    params = {"cv": cv, "calibrate": True, "scoring": "accuracy", "class_weight": {2: 3.0}}
    model = make_alone(cv_class, **params).fit(X, NOISY, weights)
    plain = make_plain(cv_class, n_nets=1, class_weight={2: 3.0}, **model.best_params_)
    logs, codes, w = out_of_fold(model, plain, X, NOISY, weights, cv)
    w *= np.where(codes == 2, 3.0, 1.0)
    found = minimize_scalar(
        loss_at, args=(logs, codes, w), bounds=np.log([0.1, 10]), options={"xatol": 1e-9}
    )
    assert 0.1 < model.temperature_ < 10
    assert model.temperature_ == pytest.approx(np.exp(found.x), rel=1e-4)
    alone = clone(model).set_params(calibrate=False).fit(X, NOISY, weights)
    assert alone.temperature_ == 1.0
    assert model.loss_ == alone.loss_  # that of the training
    if cv_class is SoftmaxClassifierCV:
        assert_allclose(model.coef_ * model.temperature_, alone.coef_, rtol=1e-12)
        assert_allclose(model.intercept_ * model.temperature_, alone.intercept_, rtol=1e-12)
        scores = alone.decision_function(X) / model.temperature_
        assert_allclose(model.decision_function(X), scores, rtol=1e-9)
    else:
        assert_array_equal(model.coefs_[0], alone.coefs_[0])
        assert_allclose(model.coefs_[1] * model.temperature_, alone.coefs_[1], rtol=1e-12)


# ---- blends


def fit_blend(cv_class=TwoLayerNetClassifierCV, labels=NOISY, **params):
    model = make(cv_class, n_nets=9, **params).fit(FEW, labels)
    assert len(model.estimators_) > 1
    return model


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_only_a_refit_that_diverges_gives_a_warning_about_a_large_loss():
    noise, labels = np.random.default_rng(0).standard_normal((100, 6)), np.arange(100) % 2
    net = TwoLayerNetClassifierCV(encodings="linear", random_state=0).fit(noise, labels)
    assert max(member.loss_ for member in net.estimators_) > 1.01 * np.log(2)  # a large penalty
    with pytest.warns(ConvergenceWarning, match="Training diverged"):
        net.set_params(hidden_sizes=4, regs=2, learning_rate=1e6).fit(noise, labels)


def test_a_rare_class_does_not_change_the_calibration():
    labels = y.copy()
    labels[0] = 9
    with pytest.warns(UserWarning, match="least populated class"):
        model = make(TwoLayerNetClassifierCV, scoring="accuracy").fit(X, labels)
    assert model.temperature_ < 2


@every_cv_class
def test_one_weight_for_all_rows_equals_a_list_of_weights(cv_class):
    model = make(cv_class, refit=False).fit(X, y, 2.0)
    assert_same_scores(model, make(cv_class, refit=False).fit(X, y, np.full(len(y), 2.0)))


def test_a_refit_that_loses_its_weights_gives_a_warning(monkeypatch):
    model = make(TwoLayerNetClassifierCV)
    refit = TwoLayerNetClassifierCV._refit

    def lose_weights(self, *args):
        members, interrupt = refit(self, *args)
        for member in members:
            member.coefs_ = [0 * weights for weights in member.coefs_]
        return members, interrupt

    monkeypatch.setattr(TwoLayerNetClassifierCV, "_refit", lose_weights)
    with pytest.warns(
        ConvergenceWarning, match=r"of 1\.\d+ on rows that it was trained.*lower regs"
    ):
        model.fit(X, y)
    assert len(model.estimators_) > 0


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("cv_class", [TwoLayerNetClassifierCV, MultiLayerNetClassifierCV])
def test_a_blend_is_the_weighted_mean_of_its_members(cv_class, n_classes):
    labels = np.array(["a", "b", "c"])[np.minimum(NOISY, n_classes - 1)]
    model = fit_blend(cv_class, labels)
    n_nets = [member.n_nets for member in model.estimators_]
    assert sum(n_nets) == 9
    assert_allclose(model.weights_, np.divide(n_nets, 9), rtol=1e-12)
    groups = [(member.encoding, member._hidden_sizes) for member in model.estimators_]
    assert len(set(groups)) == len(groups)
    mean = np.average(
        [member.predict_proba(FEW) for member in model.estimators_], axis=0, weights=n_nets
    )
    assert_allclose(model.predict_proba(FEW), mean, rtol=1e-12)
    assert_allclose(model.predict_log_proba(FEW), np.log(mean), rtol=1e-9, atol=1e-15)
    scores = np.log(mean[:, 1]) - np.log(mean[:, 0]) if n_classes == 2 else np.log(mean)
    assert_allclose(model.decision_function(FEW), scores, rtol=1e-9, atol=1e-12)
    assert_array_equal(model.predict(FEW), model.classes_[mean.argmax(axis=1)])
    assert model.n_iter_ == max(member.n_iter_ for member in model.estimators_)
    for name in (
        "coefs_",
        "loss_curve_",
        "best_estimator_",
        "hidden_values",
        "loss_",
        "get_encoded_feature_names",
    ):
        with pytest.raises(AttributeError, match=f"(?s)no {name}.*estimators_"):
            getattr(model, name)
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict_proba(FEW), model.predict_proba(FEW))
    huge = 1e8 * np.sign(FEW)
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(model.predict_log_proba(huge)).all()
        assert_allclose(model.predict_proba(huge).sum(axis=1), 1)


def test_the_weights_are_those_of_the_best_candidate_of_each_group():
    model = fit_blend(calibrate=False)
    results, members, splits = model.cv_results_, {}, list(FOLDS.split(FEW, NOISY))
    for mean, params in zip(results["mean_test_score"], results["params"], strict=True):
        key = params["encoding"], params["hidden_size"]
        if mean > members.get(key, (-np.inf,))[0]:
            members[key] = mean, params
    p_true = []
    for _, params in members.values():
        plain = make_plain(TwoLayerNetClassifierCV, n_nets=1, **params)
        logs, codes, _ = out_of_fold(model, plain, FEW, NOISY, np.ones(len(y)), splits)
        p_true.append(np.exp(logs[np.arange(len(codes)), codes]))
    counts = count_greedily(np.array(p_true), np.ones(len(y)))
    n_nets = distribute(9, counts)
    expected = [(*key, int(n)) for key, n in zip(members, n_nets, strict=True) if n]
    assert [(m.encoding, m.hidden_size, m.n_nets) for m in model.estimators_] == expected
    for member in model.estimators_:
        assert member.reg == members[member.encoding, member.hidden_size][1]["reg"]
        refitted = clone(member).fit(FEW, NOISY)
        assert_array_equal(refitted.predict_proba(FEW), member.predict_proba(FEW))


@pytest.mark.parametrize(
    "params",
    [
        {"blend": False},
        {"scoring": "accuracy"},
        {"n_nets": 1},
        {"refit": lambda results: int(results["rank_test_score"].argmin())},
    ],
)
def test_the_best_candidate_stays_alone(params):
    model = make(TwoLayerNetClassifierCV, **params).fit(X, y)
    (member,) = model.estimators_
    assert member is model.best_estimator_
    assert_array_equal(model.weights_, [1.0])
    assert member.n_nets == params.get("n_nets", 2)
    assert_array_equal(model.predict_proba(X), member.predict_proba(X))
    if "n_nets" not in params:  # the blend may prefer another candidate
        assert member.get_params().items() >= model.best_params_.items()


def test_members_of_linear_encoding_become_a_vote():
    model = fit_blend(encodings="linear", regs=2)
    vote = model.to_sklearn()
    assert_allclose(vote.predict_proba(FEW), model.predict_proba(FEW), atol=1e-12)
    assert_array_equal(vote.predict(FEW), model.predict(FEW))
    assert vote.n_features_in_ == FEW.shape[1]
