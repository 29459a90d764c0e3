"""The base class of the estimators that choose their parameters by cross-validation."""

from __future__ import annotations

import warnings
from functools import partial
from inspect import signature
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils import check_random_state, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from ._base import NetClassifier
from ._blending import OutOfFold, distribute
from ._callbacks import make_hook_kwargs
from ._errors import plain, warn
from ._estimator_state import add_new_parameters, restored_on_error
from ._members import (
    delegate_to_member,
    delegate_unless_blended,
    get_member,
    member_attribute,
)
from ._racing import N_KEPT, CandidateSearch, search_grid, search_race
from ._sklearn_compat import (
    CallbackSupportMixin,
    FoldScorer,
    Interval,
    StrOptions,
    accepts_weights,
    asks_for_probabilities,
    callback_context,
    fit_context,
    safe_split,
)
from ._training.options import is_auto
from ._training.stopping import LARGE_LOSS_ALONE
from ._typing import (
    Floats,
    Labels,
    MatrixLike,
)
from ._validation import check_weights, has_bools, weigh_classes, weigh_rows

#: The values of `encoding`, in the order in which "auto" tries them.
ENCODINGS = ("linear", "piecewise")

#: The chosen parameters whose values can be at an edge.
ORDERED_PARAMS = ("reg", "hidden_size")

#: A larger increase of the log loss by the refit causes a warning.
MAX_LOSS_INCREASE = 0.05

#: Fitted attributes that an estimator with one member takes from it.
MEMBER_ATTRIBUTES = (
    "coef_",
    "intercept_",
    "coefs_",
    "intercepts_",
    "loss_",
    "gap_",
    "stop_reason_",
    "loss_curve_",
    "loss_curves_",
    "validation_loss_curve_",
    "best_iter_",
    "bin_edges_",
    "encoding_mean_",
    "encoding_scale_",
)


def check_fold_weights(splits, score_params, sample_weight, n_samples):
    """Raise an error if all training or weighted test rows of a fold have weight 0."""
    if sample_weight is None:
        return
    weights = check_weights(sample_weight, n_samples, "sample_weight")
    uses = ("training", "test") if "sample_weight" in score_params else ("training",)
    for index, fold in enumerate(splits):
        for use, rows in zip(uses, fold, strict=False):
            if not weights[rows].any():
                raise ValueError(
                    f"sample_weight is zero for all {use} rows of split {index} of cv. Use fewer, "
                    "stratified or shuffled folds, or drop the rows of weight 0."
                )


class CrossValidatedClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """The base class of the CV estimators, such as `SoftmaxClassifierCV`.

    Candidates and members are plain estimators, such as `SoftmaxClassifier`. This docstring has
    the entries that the subclasses share.

    Parameters
    ----------
    encodings : str or list of str, default="auto"
        What the inputs of the candidates are:

        - "linear": the columns of `X`;
        - "piecewise": the standardized columns, and up to 8 piecewise-linear functions of each
          column, called pieces. Their edges are quantiles of the column;
        - "auto": both, but only "linear" if `X` is sparse or if all columns have too few distinct
          values for pieces.
    search : {"race", "grid"}, default="race"
        - "race": all candidates run on the first fold. Among candidates that differ only in the
          penalty, the best two run on the other folds. If the training rows of the first fold lack
          a class, or if no candidate has a finite score on the first fold, another fold is used
          instead. Mean scores leave out folds on which no candidate has a finite score;
        - "grid": all candidates run on all folds, as in `GridSearchCV`.
    blend : "auto" or bool, default="auto"
        Whether the final model has several members. With False, the best candidate is the only
        member. With "auto" or True, the final model has several members if `scoring` uses
        probabilities and ``refit=True``, otherwise one. Greedy selection [1]_ chooses the weights
        of several members, so that the weighted average of the out-of-fold predictions has a low
        log loss.
    calibrate : bool, default=True
        Whether to calibrate the probabilities by a temperature t in [0.1, 10]. Let p be the
        out-of-fold probabilities of the best candidate, or their weighted average over several
        members. t minimizes the log loss of softmax(log p / t). In this log loss, the weight of a
        row is its sample weight times its class weight. After the refit, the weights and biases of
        the last layer of each member are divided by t. For several nets, this is approximately
        softmax(log p / t).
    cv : int, splitter, iterable or None, default=5
        The folds. An int is a number of stratified folds of shuffled rows, and None stands for 5.
        (`GridSearchCV` does not shuffle.) If `random_state` is None, the rows are shuffled in the
        same way in each call. A splitter or an iterable of splits is used as given.
    scoring : str, callable or None, default="neg_log_loss"
        As in `GridSearchCV`; None stands for accuracy. If a metric has a parameter `labels`, it
        gets all classes, as in `LogisticRegressionCV`. So it also works if a test fold lacks a
        class. For two classes, the positive class is the second one.
    n_jobs : int, default=None
        As in `FusedGridSearchCV`: None and 1 train the candidates in as many threads as BLAS may
        use, k > 1 in k threads, and -1 in one thread for each core.
    refit : bool or callable, default=True
        Whether to fit the chosen model to all rows. A callable gets `cv_results_` and returns the
        index of the candidate to choose, as `model_selection.one_standard_error` does.
    random_state : int, RandomState instance or None, default=None
        Determines the folds and the random numbers of the fits. An int is the seed of all
        candidates and of the refit. Otherwise this seed is drawn at random. If None, the folds
        still do not change between calls.
    verbose : int, default=0
        Print the loss of every `verbose`-th iteration of the refit. If a chosen value is at an
        edge of the values tried, also print the choice. 0 prints nothing.

    Attributes
    ----------
    reg_ : float
        The penalty of the best candidate.
    regs_ : ndarray of shape (n_regs,)
        The penalties that were tried.
    encoding_ : str
        The encoding of the best candidate.
    cv_results_ : dict of str -> ndarray
        The results, as in `GridSearchCV`. `n_splits_run` is the number of folds of each
        candidate. A candidate that a race dropped has NaN for the folds it missed and for its
        mean, and ranks last.
    best_index_ : int
        The index of the best candidate in `cv_results_`: the candidate with the best mean score,
        or the candidate that a callable `refit` chose. If there are several members, it is one of
        them.
    best_params_ : dict
        The parameters of the best candidate.
    best_score_ : float
        The mean score of the best candidate over the folds. The final model is not scored.
    edges_ : tuple of str
        Contains "reg" if the chosen penalty is the smallest or the largest of the penalties that
        were tried. A better value may lie beyond it.
    n_splits_ : int
        The number of folds.
    estimators_ : list of estimators
        The members, fitted to all rows, with the temperature in their last layer. Their other
        attributes, such as `loss_`, are from before the division by the temperature.
    weights_ : ndarray of shape (n_members,)
        The weights of the members' probabilities. They sum to 1.
    temperature_ : float
        The temperature; 1.0 with ``calibrate=False``.
    n_iter_ : int
        The largest `n_iter_` of the members.
    best_estimator_ : estimator
        The member, if there is only one. Its fitted attributes, such as `loss_curve_`, are then
        also attributes of this estimator. With several members, `best_estimator_` and these
        attributes raise an AttributeError.
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
    estimators_: list[Any]
    weights_: Floats
    temperature_: float
    encoding_: str
    n_iter_: int

    #: The class of the plain estimator.
    _plain_class: ClassVar[type]

    #: The range of the default `regs`, multiplied by the m of `Problem.divide_by_rows`.
    _reg_range: ClassVar[tuple[float, float]]

    #: The parameters in which candidates differ from the estimator that is refitted. With
    #: `n_nets`, the temperature would be estimated from averages of nets.
    _candidate_params: ClassVar[dict] = {"verbose": 0}

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.__init__.__signature__ = signature(cls.__init__)
        constraints = cls._plain_class._parameter_constraints | {
            "hidden_sizes": [Interval(Integral, 1, None, closed="left"), "array-like"],
            "hidden_layer_sizes": [Interval(Integral, 1, None, closed="left"), "array-like"],
            "encodings": [StrOptions({"auto", *ENCODINGS}), "array-like"],
            "search": [StrOptions({"race", "grid"})],
            "blend": [StrOptions({"auto"}), "boolean"],
            "calibrate": ["boolean"],
            "regs": [Interval(Integral, 1, None, closed="left"), "array-like"],
            "cv": ["cv_object"],
            "scoring": [StrOptions(set(get_scorer_names())), callable, None],
            "n_jobs": [Integral, None],
            "refit": ["boolean", callable],
        }
        names = cls._get_param_names()
        cls._parameter_constraints = {name: constraints[name] for name in names}

    def __setstate__(self, state):
        state = add_new_parameters(type(self), state)
        if "best_estimator_" in state:  # saved by 0.2
            best = state.pop("best_estimator_")
            fitted = {"estimators_": [best], "weights_": np.ones(1), "temperature_": 1.0}
            state = {k: v for k, v in state.items() if k not in MEMBER_ATTRIBUTES} | fitted
            state["encoding_"] = best.encoding
        super().__setstate__(state)

    def _make_grid(self, problem):
        """Return the values to try for each parameter except `reg`."""
        if is_auto(self.encodings):
            return {"encoding": list(ENCODINGS if problem.has_pieces else ENCODINGS[:1])}
        encodings = list(dict.fromkeys(np.asarray(self.encodings, object).ravel().tolist()))
        if not encodings or any(encoding not in ENCODINGS for encoding in encodings):
            raise ValueError(
                f"encodings must be 'auto', one of {list(ENCODINGS)} or a list of them, got "
                f"{plain(self.encodings)!r}."
            )
        return {"encoding": encodings}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the metadata that the splitter and the scorer request.

        Returns
        -------
        routing : MetadataRouter
            The scorer requests `sample_weight` if its metric has this parameter. There is one
            exception: with metadata routing enabled, a scorer from `make_scorer` requests what its
            `set_score_request` states.
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
        """Choose the parameters by cross-validation, and fit the chosen model to all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training data.
        y : array-like of shape (n_samples,)
            The class labels.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Non-negative weights. A number is the weight of each row, and None means 1. Weights
            apply to training and to scores. They do not apply to scores if `scoring` is a
            function, or a scorer of a metric without a parameter `sample_weight`.
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
            results of an earlier fit are kept.
        KeyboardInterrupt
            On Ctrl-C. During the search, the estimator keeps an earlier fit. During the refit, it
            keeps the weights so far.

        Warns
        -----
        ConvergenceWarning
            If the refit does not converge. Also if the final model has a log loss on its training
            rows that is more than 0.05 above the log loss of the out-of-fold predictions. Usually
            it is lower.
        """
        hook_kwargs = make_hook_kwargs(self, X, y, sample_weight)
        # the parts of a race and the number of members are not known yet
        context = callback_context(self, max_subtasks=None)
        interrupt = None
        with restored_on_error(self):
            context.call_on_fit_task_begin(**hook_kwargs)
            plain = self._make_plain()
            problem = plain._validate((X, y, sample_weight))
            if isinstance(sample_weight, Real):  # the folds need a weight for each row
                sample_weight = np.full(len(problem.samples.codes), float(sample_weight))
            grid = self._make_grid(problem) | {"reg": self._resolve_regs(problem).tolist()}
            y = problem.classes[problem.samples.codes]
            scorer = self._make_scorer()
            blends = self._may_blend and asks_for_probabilities(scorer)
            uses_predictions = self.refit is not False and (self.calibrate or blends)
            scorer = FoldScorer(scorer, problem.classes, keeps_predictions=uses_predictions)
            router = self.get_metadata_routing()  # depends on whether the user enabled routing
            with config_context(enable_metadata_routing=True):
                routed = process_routing(router, "fit", sample_weight=sample_weight, **params)
            splits = self._make_splits(X, y, scorer, plain.random_state, routed.splitter.split)
            n_samples = len(problem.samples.codes)
            check_fold_weights(splits, routed.scorer.score, sample_weight, n_samples)
            make_search = partial(
                CandidateSearch,
                clone(plain).set_params(**self._candidate_params),
                scoring=scorer,
                n_jobs=self.n_jobs,
                refit=False,
                error_score="raise",
            )
            data = X, y, sample_weight
            run = partial(self._run, make_search, splits, data, routed.scorer.score, context)
            outcome = self._search(run, grid, splits, y)
            best = self._choose(outcome)
            if self.refit is not False:
                out_of_fold = self._pool(outcome, splits, problem, sample_weight)
                members = outcome.best_of_groups() if blends else [best]
                members, n_nets = self._distribute(members, out_of_fold)
                temperature = 1.0
                if self.calibrate:
                    temperature = out_of_fold.find_temperature(members, n_nets / n_nets.sum())
                estimators, interrupt = self._refit(plain, outcome, members, n_nets, data, context)
            self._set_chosen(outcome, best, grid, splits, problem, plain)
            if self.refit is not False:
                self._set_members(estimators, n_nets[: len(estimators)], temperature)
        if interrupt is not None:
            raise interrupt
        if self.refit is not False:
            self._warn_of_worse_refit(X, out_of_fold, members, n_nets)
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
                    f"The training rows of split {index} of cv lack the classes "
                    f"{plain(missing.tolist())} of its test rows, and scoring={self.scoring!r} "
                    "needs them. Join or drop these classes, set scoring='accuracy', or "
                    "choose other folds."
                )
        return splits

    def _make_scorer(self):
        """Return the scorer.

        It requests the `sample_weight` that its metric accepts, unless the user routes metadata.
        """
        if callable(self.scoring):
            scorer = self.scoring
            if get_config()["enable_metadata_routing"] or not hasattr(scorer, "set_score_request"):
                return scorer
            scorer = clone(scorer, safe=False)
        else:
            scorer = get_scorer(self.scoring or "accuracy")
        with config_context(enable_metadata_routing=True):
            return scorer.set_score_request(sample_weight=accepts_weights(scorer))

    @property
    def _may_blend(self):
        # without this parameter, the best candidate is the only member
        blends = getattr(self, "blend", False) is not False
        return blends and self.refit is not False and not callable(self.refit)

    def _run(self, make_search, splits, data, score_params, context, grid, folds):
        """Return a fitted search over a grid and the folds with these indices."""
        X, y, sample_weight = data
        if sample_weight is not None:
            score_params = score_params | {"sample_weight": sample_weight}
        search = make_search(grid, cv=[splits[fold] for fold in folds])
        context = context.subcontext(task_name="search")
        with (
            config_context(enable_metadata_routing=True),
            context.propagate_callback_context(search),
            warnings.catch_warnings(),
        ):
            # cross-validation rejects candidates that do not converge well
            warnings.simplefilter("ignore", ConvergenceWarning)
            search.estimator.set_fit_request(sample_weight=True)
            return search.fit(X, y, **score_params)

    def _search(self, run, grid, splits, y):
        """Return the `Outcome` of the candidates."""
        n_splits = len(splits)
        if self.search == "grid" or n_splits <= 1 or len(grid["reg"]) <= N_KEPT:
            return search_grid(run, grid, n_splits)
        # folds whose training rows lack a class come last
        folds = sorted(range(n_splits), key=lambda k: -len(np.unique(y[splits[k][0]])))
        return search_race(run, grid, folds)

    def _choose(self, outcome):
        """Return the index of the chosen candidate."""
        if not np.isfinite(outcome.scores).any():
            raise ValueError(
                f"No candidate has a finite score with scoring={self.scoring!r}. Some scores are "
                "undefined for a test fold that lacks a class. Use fewer or stratified folds, or "
                "another scoring."
            )
        if callable(self.refit):
            return self._check_index(self.refit(outcome.results), outcome)
        return int(outcome.results["rank_test_score"].argmin())

    def _check_index(self, index, outcome):
        """Return the index that the callable `refit` returned, or raise an error."""
        n_candidates = len(outcome.results["params"])
        if not isinstance(index, Integral) or not 0 <= index < n_candidates:
            raise ValueError(
                f"refit must return an index from 0 to {n_candidates - 1}, got {index!r}."
            )
        return int(index)

    def _pool(self, outcome, splits, problem, sample_weight):
        """Return the `OutOfFold` predictions of the candidates."""
        codes = problem.samples.codes
        weights = self._weigh_rows(problem, sample_weight)
        return OutOfFold(outcome.predictions, splits, codes, weights)

    def _distribute(self, members, out_of_fold):
        """Return the candidates to refit, and the number of nets of each."""
        counts = np.ones(1, int)
        if len(members) > 1:
            counts = out_of_fold.count_greedily(members)
        n_nets = distribute(getattr(self, "n_nets", 1), counts)
        used = np.flatnonzero(n_nets)
        return [members[place] for place in used], n_nets[used]

    def _weigh_rows(self, problem, sample_weight):
        """Return sample weight times class weight, up to a common factor, (n_samples,)."""
        codes = problem.samples.codes
        weights = check_weights(sample_weight, len(codes), "sample_weight")
        class_weights = weigh_classes(self.class_weight, problem.classes, codes, weights)
        return weigh_rows(weights, codes, class_weights)[0]

    def _refit(self, plain, outcome, members, n_nets, data, context):
        """Fit the members to all rows; return them and the KeyboardInterrupt that ended a fit."""
        estimators, interrupt = [], None
        for member, count in zip(members, n_nets.tolist(), strict=True):
            estimator = clone(plain).set_params(**outcome.results["params"][member])
            if hasattr(self, "n_nets"):
                estimator.set_params(n_nets=count)
            task = context.subcontext(task_name="refit-with-best-params")
            with task.propagate_callback_context(estimator):
                try:
                    with warnings.catch_warnings():
                        # the best penalty may be so large that a constant is hardly worse
                        warnings.filterwarnings("ignore", LARGE_LOSS_ALONE, ConvergenceWarning)
                        estimator.fit(*data)
                except KeyboardInterrupt as error:
                    interrupt = error
            if hasattr(estimator, "classes_"):  # otherwise there are no weights yet
                estimators.append(estimator)
            if interrupt is not None:
                break
        if not estimators:
            raise interrupt
        return estimators, interrupt

    def _set_chosen(self, outcome, best, grid, splits, problem, plain):
        """Set the attributes of the search."""
        params = outcome.results["params"][best]
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)  # of an earlier fit
        self.classes_, self.n_features_in_ = problem.classes, problem.n_features
        if hasattr(plain, "feature_names_in_"):
            self.feature_names_in_ = plain.feature_names_in_
        self.cv_results_, self.n_splits_ = outcome.results, len(splits)
        self.regs_ = np.array(grid["reg"])
        self.best_index_, self.best_params_ = best, params
        self.best_score_ = float(outcome.scores[best])
        self.edges_ = tuple(
            name
            for name, values in grid.items()
            if name in ORDERED_PARAMS
            and len(set(values)) > 1
            and params[name] in (min(values), max(values))
        )
        for name, value in params.items():
            setattr(self, f"{name}_", value)
        if self.verbose and self.edges_:
            print(  # noqa: T201
                f"chosen: {params}; {' and '.join(self.edges_)} at an edge of the values tried"
            )

    def _set_members(self, estimators, n_nets, temperature):
        """Set the attributes of the refit, and fold the temperature into the members."""
        for estimator in estimators:
            estimator._divide_scores(temperature)
        self.estimators_, self.weights_ = estimators, n_nets / n_nets.sum()
        self.temperature_ = temperature
        self.n_iter_ = max(estimator.n_iter_ for estimator in estimators)

    def _warn_of_worse_refit(self, X, out_of_fold, members, n_nets):
        """Warn if the refit predicts training rows worse than the search predicted them.

        With a penalty near the value at which all weights become 0, a net may keep its weights in
        the search and lose them in the refit.
        """
        (X,) = indexable(X)

        def predict(rows):
            return self.predict_log_proba(safe_split(self, X, None, rows)[0])

        shares = n_nets / n_nets.sum()
        before, after = out_of_fold.compare_losses(members, shares, predict)
        if after > before + MAX_LOSS_INCREASE:
            warn(
                f"The refitted model has a log loss of {after:.3g} on rows that it was trained "
                f"on. In cross-validation, the log loss of these rows was {before:.3g}. The "
                "penalty may be near the value at which all weights become 0: lower regs.",
                ConvergenceWarning,
            )

    def _log_blend(self, X):
        """Return the logarithm of the weighted mean probability, (n_samples, n_classes)."""
        terms = [
            member.predict_log_proba(X) + float(np.log(weight))
            for member, weight in zip(self.estimators_, self.weights_, strict=True)
        ]
        return np.logaddexp.reduce(terms)

    @delegate_unless_blended(NetClassifier.decision_function)
    def decision_function(self, X: MatrixLike) -> Floats:
        scores = self._log_blend(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    @delegate_unless_blended(NetClassifier.predict)
    def predict(self, X: MatrixLike) -> Labels:
        return self.classes_[self._log_blend(X).argmax(axis=1)]

    @delegate_unless_blended(NetClassifier.predict_proba)
    def predict_proba(self, X: MatrixLike) -> Floats:
        return sum(
            float(weight) * member.predict_proba(X)
            for member, weight in zip(self.estimators_, self.weights_, strict=True)
        )

    @delegate_unless_blended(NetClassifier.predict_log_proba)
    def predict_log_proba(self, X: MatrixLike) -> Floats:
        return self._log_blend(X)

    @delegate_unless_blended(NetClassifier.to_sklearn)
    def to_sklearn(self) -> Any:
        # imported on demand, because scikit-learn's ensembles take longer than this package
        from ._to_sklearn import make_vote  # noqa: PLC0415

        names = ("n_features_in_", "feature_names_in_")
        columns = {name: getattr(self, name) for name in names if hasattr(self, name)}
        models = [member.to_sklearn() for member in self.estimators_]
        return make_vote(models, self.classes_, columns, self.weights_.tolist())

    get_encoded_feature_names = delegate_to_member(NetClassifier.get_encoded_feature_names)

    @property
    def best_estimator_(self):
        return get_member(self, "best_estimator_")


for _name in MEMBER_ATTRIBUTES:
    setattr(CrossValidatedClassifier, _name, member_attribute(_name))
