"""The estimators that choose penalty and width by cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from inspect import signature
from numbers import Integral
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from ._base import NetClassifier, add_new_parameters, restored_on_error, store_parameters
from ._callbacks import make_hook_kwargs
from ._docstrings import takes_entries
from ._errors import plain
from ._net_classifiers import HiddenLayersClassifier, TwoLayerNetClassifier
from ._sklearn_compat import (
    CallbackSupportMixin,
    FoldScorer,
    Interval,
    StrOptions,
    available_if,
    callback_context,
    fit_context,
)
from ._softmax import SoftmaxClassifier
from ._typing import (
    Auto,
    ClassWeight,
    F,
    Floats,
    Initializer,
    Labels,
    MatrixLike,
    RandomState,
    Schedule,
    Splits,
)
from ._validation import check_sizes, check_weights, has_bools
from .model_selection import FusedGridSearchCV


def is_refitted(estimator):
    """Return True if `refit` gives a model to predict with, else raise an error."""
    if estimator.refit is False:
        raise AttributeError(
            f"{type(estimator).__name__} cannot predict with refit=False. Set refit=True, or fit "
            "the plain estimator with best_params_."
        )
    return True


def delegate_to_best(method: F) -> F:
    """Return a method of the plain estimator as a method that calls it on `best_estimator_`."""

    @wraps(method)
    def delegate(self, *args, **kwargs):
        check_is_fitted(self, "best_estimator_")
        return method(self.best_estimator_, *args, **kwargs)

    return cast(F, available_if(is_refitted)(delegate))


def check_fold_weights(splits, score_params, sample_weight, n_samples):
    """Raise an error if all rows for training, or for a weighted score, have weight 0."""
    if sample_weight is None:
        return
    weights = check_weights(sample_weight, n_samples, "sample_weight")
    uses = ("train", "test") if "sample_weight" in score_params else ("train",)
    for index, fold in enumerate(splits):
        for use, rows in zip(uses, fold, strict=False):
            if not weights[rows].any():
                raise ValueError(
                    f"sample_weight is zero for all rows to {use} on in split {index} of cv. Use "
                    "fewer, stratified or shuffled folds, or drop the rows of weight 0."
                )


class CrossValidatedClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """A plain estimator whose penalty is chosen by cross-validation; see its subclasses.

    Its docstring has the entries that they share.

    Parameters
    ----------
    cv : int, splitter, iterable or None, default=5
        The folds. An int is a number of stratified folds of shuffled rows, and None stands for 5.
        `random_state` seeds the shuffling. If it is None, the seed is fixed. (`GridSearchCV` does
        not shuffle.) A splitter or an iterable of splits is used as given.
    scoring : str, callable or None, default="neg_log_loss"
        As in `GridSearchCV`; None stands for accuracy. As in `LogisticRegressionCV`, a metric with
        a parameter `labels` gets all classes, so a test fold may lack some of them, and the last
        of two classes is the positive one.
    n_jobs : int, default=None
        The number of jobs of the search. As in `FusedGridSearchCV`, a single job trains the
        candidates in threads.
    refit : bool or callable, default=True
        Whether to fit the chosen model to all rows. A callable gets `cv_results_` and returns the
        index of the candidate to choose, as `model_selection.one_standard_error` does.
    random_state : int, RandomState instance or None, default=None
        Determines the folds and the random numbers of the plain estimator. All candidates and the
        refit share one seed. If this is not an int, the seed is drawn from it.
    verbose : int, default=0
        Print the loss of every `verbose`-th iteration of the refit. If a chosen value is at an
        edge of the values tried, also print the choice. 0 prints nothing.

    Attributes
    ----------
    reg_ : float
        The chosen penalty.
    regs_ : ndarray of shape (n_regs,)
        The penalties that were tried.
    cv_results_ : dict of str -> ndarray
        The results, as in `GridSearchCV`, by the parameters of the plain estimator.
    best_index_ : int
        The index of the chosen candidate in `cv_results_`.
    best_params_ : dict
        The parameters of the chosen candidate.
    best_score_ : float
        The mean score of the chosen candidate over the folds.
    edges_ : tuple of str
        The parameters whose chosen value is the smallest or largest that was tried. A better value
        may lie beyond it.
    n_splits_ : int
        The number of folds.
    best_estimator_ : estimator
        The plain estimator, fitted to all rows. Its fitted attributes, such as `n_iter_` and
        `loss_curve_`, are also attributes of this estimator.
    """

    classes_: Labels
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    reg_: float
    regs_: Floats
    cv_results_: dict[str, Any]
    best_index_: int
    best_params_: dict[str, Any]
    best_score_: float
    edges_: tuple[str, ...]
    n_splits_: int

    #: The class of the plain estimator.
    _plain_class: ClassVar[type]

    #: The range of the default `regs`, times the m of `Problem.divide_by_rows`.
    _reg_range: ClassVar[tuple[float, float]]

    #: The parameters in which candidates differ from the estimator that is refitted.
    _candidate_params: ClassVar[dict] = {"verbose": 0}

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.__init__.__signature__ = signature(cls.__init__)
        constraints = cls._plain_class._parameter_constraints | {
            "hidden_sizes": [Interval(Integral, 1, None, closed="left"), "array-like"],
            "regs": [Interval(Integral, 1, None, closed="left"), "array-like"],
            "cv": ["cv_object"],
            "scoring": [StrOptions(set(get_scorer_names())), callable, None],
            "n_jobs": [Integral, None],
            "refit": ["boolean", callable],
        }
        names = cls._get_param_names()
        cls._parameter_constraints = {name: constraints[name] for name in names}

    def __setstate__(self, state):
        super().__setstate__(add_new_parameters(type(self), state))

    def _make_grid(self):
        """Return the values to try for parameters of the plain estimator other than `reg`."""
        return {}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the metadata that the splitter and the scorer request.

        Returns
        -------
        routing : MetadataRouter
            Scorers that are given by name request `sample_weight`.
        """
        to_split = MethodMapping().add(caller="fit", callee="split")
        to_score = MethodMapping().add(caller="fit", callee="score")
        router = MetadataRouter(owner=self).add_self_request(self)
        # an int or an iterable of splits requests nothing
        router.add(splitter=self.cv, method_mapping=to_split)
        return router.add(scorer=self._make_scorer(), method_mapping=to_score)

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None, **params: Any
    ) -> Self:
        """Choose by cross-validation and refit to all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training data, as in the plain estimator.
        y : array-like of shape (n_samples,)
            The class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows; None stands for 1 each. They apply to training and,
            unless `scoring` is a function, to scores.
        **params : dict of str -> object
            Metadata that the splitter and the scorer request, such as `groups`.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument or a parameter is invalid, or if a test fold has a class that is not in
            its training fold and `scoring` needs the probability or score of each class. The
            message names the argument or the class. The estimator keeps an earlier fit.
        KeyboardInterrupt
            On Ctrl-C. During the search, the estimator keeps an earlier fit. During the refit, it
            keeps the weights so far.
        """
        hook_kwargs = make_hook_kwargs(self, X, y, sample_weight)
        context = callback_context(self, max_subtasks=1 + (self.refit is not False))
        interrupt = None
        with restored_on_error(self):
            context.call_on_fit_task_begin(**hook_kwargs)
            plain = self._make_plain()
            problem = plain._validate((X, y, sample_weight))
            regs = self._resolve_regs(problem)
            y = problem.classes[problem.samples.codes]
            scorer = FoldScorer(self._make_scorer(), problem.classes)
            # routing must be enabled here, whatever the user's setting
            with config_context(enable_metadata_routing=True):
                routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
            splits = self._make_splits(X, y, scorer, plain.random_state, routed.splitter.split)
            score_params = routed.scorer.score
            check_fold_weights(splits, score_params, sample_weight, len(problem.samples.codes))
            search = FusedGridSearchCV(
                clone(plain).set_params(**self._candidate_params),
                self._make_grid() | {"reg": regs.tolist()},
                scoring=scorer,
                n_jobs=self.n_jobs,
                refit=False,
                cv=splits,
                error_score="raise",
            )
            self._search(search, X, y, sample_weight, score_params, context)
            self._set_chosen(search, regs, problem, plain)
            if self.refit is not False:
                interrupt = self._refit(plain, X, y, sample_weight, context)
        if interrupt is not None:
            raise interrupt
        context.call_on_fit_task_end(**hook_kwargs)
        return self

    def _make_plain(self):
        """Return the plain estimator with the parameters that are not chosen."""
        own = self.get_params(deep=False)
        names = self._plain_class._get_param_names()
        plain = self._plain_class(**{name: own[name] for name in names if name in own})
        if not isinstance(self.random_state, Integral):  # all candidates share a seed
            seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
            plain.set_params(random_state=seed)
        return plain

    def _resolve_regs(self, problem):
        """Return the penalties to try, (n_regs,)."""
        if isinstance(self.regs, Integral):
            regs = np.geomspace(*self._reg_range, self.regs)
            return problem.divide_by_rows(regs, f"regs={self.regs}", "give regs as a list")
        try:
            regs = np.array(np.nan) if has_bools(self.regs) else np.asarray(self.regs, dtype=float)
        except (TypeError, ValueError):
            regs = np.array(np.nan)
        if regs.ndim != 1 or not len(regs) or not (np.isfinite(regs) & (regs >= 0)).all():
            raise ValueError(
                "regs must be a number of values or a list of penalties, finite and >= 0, got "
                f"{plain(self.regs)!r}."
            )
        return regs

    def _make_splits(self, X, y, scorer, seed, params):
        """Return a list of pairs of training and test rows, one pair for each fold."""
        cv = 5 if self.cv is None else self.cv
        if isinstance(cv, Integral):
            seed = 0 if self.random_state is None else seed
            cv = StratifiedKFold(cv, shuffle=True, random_state=seed)
        splits = list(check_cv(cv).split(X, y, **params))
        for index, (train, test) in enumerate(splits if scorer.needs_classes else []):
            missing = np.setdiff1d(y[test], y[train])
            if len(missing):
                raise ValueError(
                    f"cv leaves no row of the classes {plain(missing.tolist())} to train on in "
                    f"split {index}, but scoring={self.scoring!r} needs them to score that split. "
                    "Use fewer or stratified folds, join or drop these classes, or set "
                    "scoring='accuracy'."
                )
        return splits

    def _make_scorer(self):
        """Return the scorer; it requests `sample_weight` unless the user decides by routing."""
        if callable(self.scoring):
            scorer = self.scoring
            if get_config()["enable_metadata_routing"] or not hasattr(scorer, "set_score_request"):
                return scorer
            scorer = clone(scorer, safe=False)
        else:
            scorer = get_scorer(self.scoring or "accuracy")
        with config_context(enable_metadata_routing=True):
            return scorer.set_score_request(sample_weight=True)

    def _search(self, search, X, y, sample_weight, params, context):
        """Fit the search over the grid."""
        if sample_weight is not None:
            params = params | {"sample_weight": sample_weight}
        context = context.subcontext(task_name="search")
        with (
            config_context(enable_metadata_routing=True),
            context.propagate_callback_context(search),
            warnings.catch_warnings(),
        ):
            # cross-validation rejects candidates that do not converge well
            warnings.simplefilter("ignore", ConvergenceWarning)
            search.estimator.set_fit_request(sample_weight=True)
            search.fit(X, y, **params)

    def _set_chosen(self, search, regs, problem, plain):
        """Set the attributes of the search and the chosen parameters of `plain`."""
        results = search.cv_results_
        scores = results["mean_test_score"]
        if not np.isfinite(scores).any():
            raise ValueError(
                f"scoring={self.scoring!r} is finite for none of the candidates. Some scores are "
                "undefined for a test fold that lacks a class. Use fewer or stratified folds, or "
                "another scoring."
            )
        index = int(self.refit(results) if callable(self.refit) else search.best_index_)
        best = results["params"][index]
        plain.set_params(**best)
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)  # of an earlier fit
        self.classes_, self.n_features_in_ = problem.classes, problem.n_features
        if hasattr(plain, "feature_names_in_"):
            self.feature_names_in_ = plain.feature_names_in_
        self.regs_, self.cv_results_, self.n_splits_ = regs, results, search.n_splits_
        self.best_index_, self.best_params_ = index, best
        self.best_score_ = float(scores[index])
        self.edges_ = tuple(
            name
            for name, values in search.param_grid.items()
            if best[name] in (min(values), max(values)) and len(set(values)) > 1
        )
        for name, value in best.items():
            setattr(self, f"{name}_", value)
        if self.verbose and self.edges_:
            print(  # noqa: T201
                f"chosen: {best}; {' and '.join(self.edges_)} at an edge of the values tried"
            )

    def _refit(self, plain, X, y, sample_weight, context):
        """Fit the plain estimator to all rows; return the KeyboardInterrupt that ended the fit."""
        interrupt = None
        context = context.subcontext(task_name="refit-with-best-params")
        with context.propagate_callback_context(plain):
            try:
                plain.fit(X, y, sample_weight)
            except KeyboardInterrupt as error:
                if not hasattr(plain, "classes_"):  # no weights yet
                    raise
                interrupt = error
        self.best_estimator_ = plain
        for name, value in vars(plain).items():
            if name.endswith("_") and not name.startswith("_"):
                setattr(self, name, value)
        return interrupt

    decision_function = delegate_to_best(NetClassifier.decision_function)
    predict = delegate_to_best(NetClassifier.predict)
    predict_proba = delegate_to_best(NetClassifier.predict_proba)
    predict_log_proba = delegate_to_best(NetClassifier.predict_log_proba)
    to_sklearn = delegate_to_best(NetClassifier.to_sklearn)


@takes_entries(SoftmaxClassifier, CrossValidatedClassifier)
class SoftmaxClassifierCV(CrossValidatedClassifier):
    """`SoftmaxClassifier` with a penalty chosen by cross-validation.

    It corresponds to `LogisticRegressionCV`. The result is `SoftmaxClassifier` with the penalty
    that `GridSearchCV` over the same values and folds would choose.

    Parameters
    ----------
    regs : int or array-like of shape (n_regs,), default=10
        The penalties to try. An int is a number of values, evenly spaced on a log scale between
        0.03 / m and 300 / m. Here m is that of `SoftmaxClassifier`'s ``reg="auto"`` for all rows.
    {cv, scoring, n_jobs, refit}
    {solver, learning_rate, schedule, momentum, batch_size, max_iter, tol, n_iter_no_change,
    early_stopping, validation_fraction, class_weight, init, dtype, shuffle, random_state, verbose}

    Attributes
    ----------
    {classes_, n_features_in_, feature_names_in_}
    {reg_, regs_, cv_results_, best_index_, best_params_, best_score_, edges_, n_splits_,
    best_estimator_}

    See Also
    --------
    SoftmaxClassifier : The same model with a given penalty.
    TwoLayerNetClassifierCV : A net with one hidden layer.
    sklearn.linear_model.LogisticRegressionCV : The same model with the penalty parameter `C`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_toynn import SoftmaxClassifierCV
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = SoftmaxClassifierCV().fit(X, y)
    >>> bool(clf.reg_ < 1e-3), clf.score(X, y) > 0.95
    (True, True)
    """

    coef_: Floats
    intercept_: Floats
    best_estimator_: SoftmaxClassifier

    _plain_class = SoftmaxClassifier
    _reg_range = 0.03, 300

    def __init__(
        self,
        regs: int | ArrayLike = 10,
        *,
        cv: Splits = 5,
        scoring: str | Callable[..., Any] | None = "neg_log_loss",
        n_jobs: int | None = None,
        refit: bool | Callable[[dict[str, Any]], int] = True,
        solver: str = "auto",
        learning_rate: float | Auto = "auto",
        schedule: str | Schedule = "auto",
        momentum: float = 0.9,
        batch_size: int | Auto = "auto",
        max_iter: int | Auto = "auto",
        tol: float = 1e-6,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        class_weight: ClassWeight = None,
        init: str | float | Initializer = "auto",
        dtype: str = "auto",
        shuffle: bool = True,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        store_parameters(self, locals())


@takes_entries(TwoLayerNetClassifier, CrossValidatedClassifier)
class TwoLayerNetClassifierCV(CrossValidatedClassifier):
    """`TwoLayerNetClassifier` with penalty and width chosen by cross-validation.

    The candidates are single nets. The refit trains `n_nets` nets with the chosen values. The
    result is the `TwoLayerNetClassifier` that `GridSearchCV` over the same values and folds would
    choose.

    Parameters
    ----------
    hidden_sizes : int or array-like of int, default=(100,)
        The widths to try. An int is a single width.
    regs : int or array-like of shape (n_regs,), default=6
        The penalties to try. An int is a number of values, evenly spaced on a log scale between
        0.3 / m and 100 / m. Here m is that of `TwoLayerNetClassifier`'s ``reg="auto"`` for all
        rows.
    {cv, scoring, n_jobs, refit}
    n_nets : int, default=8
        The number of nets that the refit trains and averages.
    {activation, solver, learning_rate, schedule, momentum, batch_size, max_iter, tol,
    n_iter_no_change, early_stopping, validation_fraction, class_weight, init, dtype, shuffle,
    random_state, verbose}

    Attributes
    ----------
    {classes_, n_features_in_, feature_names_in_}
    hidden_size_ : int
        The chosen width.
    {reg_, regs_, cv_results_, best_index_, best_params_, best_score_, edges_, n_splits_,
    best_estimator_}

    See Also
    --------
    TwoLayerNetClassifier : The same model with a given width and penalty.
    SoftmaxClassifierCV : No hidden layer.
    sklearn_toynn.model_selection.FusedGridSearchCV : A search over any grid.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_toynn import TwoLayerNetClassifierCV
    >>> X, y = load_wine(return_X_y=True)
    >>> net = TwoLayerNetClassifierCV(hidden_sizes=[10, 100], random_state=0)
    >>> clf = make_pipeline(StandardScaler(), net).fit(X, y)
    >>> net.hidden_size_ in (10, 100), clf.score(X, y) > 0.95
    (True, True)
    """

    coefs_: list[Floats]
    intercepts_: list[Floats]
    hidden_size_: int
    best_estimator_: TwoLayerNetClassifier

    _plain_class = TwoLayerNetClassifier
    _reg_range = 0.3, 100
    _candidate_params: ClassVar[dict] = {"n_nets": 1, "verbose": 0}

    def __init__(
        self,
        hidden_sizes: int | ArrayLike = (100,),
        regs: int | ArrayLike = 6,
        *,
        cv: Splits = 5,
        scoring: str | Callable[..., Any] | None = "neg_log_loss",
        n_jobs: int | None = None,
        refit: bool | Callable[[dict[str, Any]], int] = True,
        n_nets: int = 8,
        activation: str = "relu",
        solver: str = "adam",
        learning_rate: float | Auto = "auto",
        schedule: str | Schedule = "auto",
        momentum: float = 0.9,
        batch_size: int | Auto = "auto",
        max_iter: int | Auto = "auto",
        tol: float = 1e-5,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        class_weight: ClassWeight = None,
        init: str | float | Initializer = "auto",
        dtype: str = "auto",
        shuffle: bool = True,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        store_parameters(self, locals())

    hidden_values = delegate_to_best(HiddenLayersClassifier.hidden_values)

    def _make_grid(self):
        return {"hidden_size": list(check_sizes(self.hidden_sizes, "hidden_sizes"))}
