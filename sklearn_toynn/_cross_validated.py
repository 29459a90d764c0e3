"""The estimators that choose penalty, width and encoding by cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, ClassVar

from numpy.typing import ArrayLike

from ._cross_validation import CrossValidatedClassifier
from ._docstrings import takes_entries
from ._estimator_state import store_parameters
from ._members import delegate_to_member
from ._net_classifiers import (
    HiddenLayersClassifier,
    MultiLayerNetClassifier,
    TwoLayerNetClassifier,
)
from ._softmax import SoftmaxClassifier
from ._typing import (
    Auto,
    ClassWeight,
    Floats,
    Initializer,
    RandomState,
    Schedule,
    Splits,
)
from ._validation import check_sizes


@takes_entries(SoftmaxClassifier, CrossValidatedClassifier)
class SoftmaxClassifierCV(CrossValidatedClassifier):
    """`SoftmaxClassifier` with penalty and encoding chosen by cross-validation.

    It corresponds to `LogisticRegressionCV`. The result is one `SoftmaxClassifier` with the chosen
    penalty and encoding. A temperature calibrates its probabilities.

    Parameters
    ----------
    regs : int or array-like of shape (n_regs,), default=10
        The penalties to try. An int is a number of values, evenly spaced on a log scale between
        0.03 / m and 300 / m. Without weights, m is the number of rows. The description of `reg` in
        `SoftmaxClassifier` has the formula for weighted rows.
    {encodings, search}
    calibrate : bool, default=True
        Whether to calibrate the probabilities by a temperature t in [0.1, 10]. t minimizes the log
        loss of softmax(log p / t), where p are the out-of-fold probabilities of the best
        candidate. In this log loss, the weight of a row is its sample weight times its class
        weight. After the refit, `coef_` and `intercept_` are divided by t.
    {cv, scoring, n_jobs, refit}
    {solver, learning_rate, schedule, momentum, batch_size, max_iter, tol, n_iter_no_change,
    early_stopping, validation_fraction, class_weight, init, dtype, shuffle, random_state, verbose}

    Attributes
    ----------
    {classes_, n_features_in_, feature_names_in_}
    {reg_, regs_, encoding_, cv_results_}
    best_index_ : int
        The index of the best candidate in `cv_results_`: the candidate with the best mean score,
        or the candidate that a callable `refit` chose.
    {best_params_}
    best_score_ : float
        The mean score of the best candidate over the folds.
    {edges_, n_splits_}
    best_estimator_ : SoftmaxClassifier
        The model, fitted to all rows and divided by the temperature. Its fitted attributes, such
        as `coef_` and `loss_curve_`, are also attributes of this estimator. `loss_` is from before
        the division by the temperature.
    estimators_ : list of SoftmaxClassifier
        The list ``[best_estimator_]``.
    weights_ : ndarray of shape (1,)
        The array ``[1.0]``.
    {temperature_}
    n_iter_ : int
        The number of iterations.

    See Also
    --------
    SoftmaxClassifier : The same model with a given penalty.
    TwoLayerNetClassifierCV : A net with one hidden layer.
    sklearn.linear_model.LogisticRegressionCV : The same model with the penalty parameter `C`.

    Notes
    -----
    The search keeps out-of-fold log-probabilities in float32. They take
    4 * n_test_rows * n_classes bytes for each fold and candidate. ``search="grid"`` keeps those of
    all candidates, ``search="race"`` only those of the candidates that stay after the first fold.

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
        encodings: str | Sequence[str] = "auto",
        search: str = "race",
        calibrate: bool = True,
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
    """`TwoLayerNetClassifier` with penalty, width and encoding chosen by cross-validation.

    The candidates of the cross-validation are single nets. They differ in penalty, width and
    encoding. The final model is an ensemble. Each combination of width and encoding, with its best
    penalty, is a *member* of the ensemble. A member consists of one or more nets with these
    settings, `n_nets` nets in total, trained on all rows. The predicted probabilities are averages
    over all nets, and a temperature calibrates them.

    Parameters
    ----------
    hidden_sizes : int or array-like of int, default=(100,)
        The widths to try. An int is a single width.
    regs : int or array-like of shape (n_regs,), default=7
        The penalties to try. An int is a number of values, evenly spaced on a log scale between
        0.01 / m and 100 / m. Without weights, m is the number of rows. The description of `reg` in
        `TwoLayerNetClassifier` has the formula for weighted rows.
    {encodings, search, blend, calibrate, cv, scoring, n_jobs, refit}
    n_nets : int, default=8
        The number of nets that the refit trains and averages. The nets are divided among the
        members in proportion to the weights of the greedy selection. The method of largest
        remainders rounds the numbers of nets. Members without a net are dropped.
    {activation, solver, learning_rate, schedule, momentum, batch_size, max_iter, tol,
    n_iter_no_change, early_stopping, validation_fraction, class_weight, init, dtype, shuffle,
    random_state, verbose}

    Attributes
    ----------
    {classes_, n_features_in_, feature_names_in_}
    hidden_size_ : int
        The width of the best candidate.
    {reg_, regs_, encoding_, cv_results_, best_index_, best_params_, best_score_}
    edges_ : tuple of str
        Contains "reg" if the chosen penalty is the smallest or the largest of the penalties that
        were tried. Contains "hidden_size" if several widths were tried and the smallest or the
        largest was chosen. A better value may lie beyond these.
    {n_splits_, estimators_, weights_, temperature_, n_iter_, best_estimator_}

    See Also
    --------
    TwoLayerNetClassifier : The same model with a given width and penalty.
    SoftmaxClassifierCV : No hidden layer.
    MultiLayerNetClassifierCV : Several hidden layers.
    sklearn_toynn.model_selection.FusedGridSearchCV : A search over any grid.

    Notes
    -----
    The search keeps out-of-fold log-probabilities in float32. They take
    4 * n_test_rows * n_classes bytes for each fold and candidate. ``search="grid"`` keeps those of
    all candidates, ``search="race"`` only those of the candidates that stay after the first fold.

    References
    ----------
    .. [1] Caruana, Niculescu-Mizil, Crew and Ksikes (2004), "Ensemble selection from libraries of
       models", ICML.

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
    _reg_range = 0.01, 100
    _candidate_params: ClassVar[dict] = {"n_nets": 1, "verbose": 0}

    def __init__(
        self,
        hidden_sizes: int | ArrayLike = (100,),
        regs: int | ArrayLike = 7,
        *,
        encodings: str | Sequence[str] = "auto",
        search: str = "race",
        blend: bool | Auto = "auto",
        calibrate: bool = True,
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

    hidden_values = delegate_to_member(HiddenLayersClassifier.hidden_values)

    def _make_grid(self, problem):
        sizes = list(check_sizes(self.hidden_sizes, "hidden_sizes"))
        return super()._make_grid(problem) | {"hidden_size": sizes}


@takes_entries(MultiLayerNetClassifier, CrossValidatedClassifier)
class MultiLayerNetClassifierCV(CrossValidatedClassifier):
    """`MultiLayerNetClassifier` with penalty, widths and encoding chosen by cross-validation.

    The candidates of the cross-validation are single nets. They differ in penalty, layer widths
    and encoding. The final model is an ensemble. Each combination of layer widths and encoding,
    with its best penalty, is a *member* of the ensemble. A member consists of one or more nets
    with these settings, `n_nets` nets in total, trained on all rows. The predicted probabilities
    are averages over all nets, and a temperature calibrates them.

    Parameters
    ----------
    hidden_layer_sizes : list of (int or tuple of int), default=((100,), (64, 64, 64))
        The nets to try, each given by the widths of its hidden layers. An int is one layer.
    regs : int or array-like of shape (n_regs,), default=7
        The penalties to try. An int is a number of values, evenly spaced on a log scale between
        0.01 / m and 100 / m. Without weights, m is the number of rows. The description of `reg` in
        `MultiLayerNetClassifier` has the formula for weighted rows.
    {encodings, search, blend, calibrate, cv, scoring, n_jobs, refit}
    n_nets : int, default=8
        The number of nets that the refit trains and averages. The nets are divided among the
        members in proportion to the weights of the greedy selection. The method of largest
        remainders rounds the numbers of nets. Members without a net are dropped.
    {activation, solver, learning_rate, schedule, momentum, batch_size, max_iter, tol,
    n_iter_no_change, early_stopping, validation_fraction, class_weight, init, dtype, shuffle,
    random_state, verbose}

    Attributes
    ----------
    {classes_, n_features_in_, feature_names_in_}
    hidden_layer_sizes_ : tuple of int
        The widths of the best candidate.
    {reg_, regs_, encoding_, cv_results_, best_index_, best_params_, best_score_, edges_,
    n_splits_, estimators_, weights_, temperature_, n_iter_, best_estimator_}

    See Also
    --------
    MultiLayerNetClassifier : The same model with a given width and penalty.
    SoftmaxClassifierCV : No hidden layer.
    TwoLayerNetClassifierCV : One hidden layer.
    sklearn_toynn.model_selection.FusedGridSearchCV : A search over any grid.

    Notes
    -----
    The search keeps out-of-fold log-probabilities in float32. They take
    4 * n_test_rows * n_classes bytes for each fold and candidate. ``search="grid"`` keeps those of
    all candidates, ``search="race"`` only those of the candidates that stay after the first fold.

    References
    ----------
    .. [1] Caruana, Niculescu-Mizil, Crew and Ksikes (2004), "Ensemble selection from libraries of
       models", ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_toynn import MultiLayerNetClassifierCV
    >>> X, y = load_wine(return_X_y=True)
    >>> net = MultiLayerNetClassifierCV([10, (20, 10)], 3, random_state=0)
    >>> clf = make_pipeline(StandardScaler(), net).fit(X, y)
    >>> net.hidden_layer_sizes_ in [(10,), (20, 10)], clf.score(X, y) > 0.95
    (True, True)
    """

    coefs_: list[Floats]
    intercepts_: list[Floats]
    hidden_layer_sizes_: tuple[int, ...]
    best_estimator_: MultiLayerNetClassifier

    _plain_class = MultiLayerNetClassifier
    _reg_range = 0.01, 100
    _candidate_params: ClassVar[dict] = {"n_nets": 1, "verbose": 0}

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int | Sequence[int]] = ((100,), (64, 64, 64)),
        regs: int | ArrayLike = 7,
        *,
        encodings: str | Sequence[str] = "auto",
        search: str = "race",
        blend: bool | Auto = "auto",
        calibrate: bool = True,
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

    hidden_values = delegate_to_member(HiddenLayersClassifier.hidden_values)

    def _make_grid(self, problem):
        given = self.hidden_layer_sizes
        is_flat = isinstance(given, tuple) and all(isinstance(size, Integral) for size in given)
        if is_flat and len(given) > 1:
            raise ValueError(
                f"hidden_layer_sizes={given} could be one net or {len(given)} nets. Pass "
                f"[{given}] for one net with these layers, or {list(given)} for nets with one "
                "hidden layer each."
            )
        nets = [given] if isinstance(given, Integral) else list(given)
        sizes = [check_sizes(net, "hidden_layer_sizes") for net in nets]
        if not sizes:
            check_sizes(given, "hidden_layer_sizes")
        return super()._make_grid(problem) | {"hidden_layer_sizes": list(dict.fromkeys(sizes))}
