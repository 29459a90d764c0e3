"""The net with any number of hidden layers: its parameters and its fitted attributes."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import ClassVar

from ._hidden_layers import HiddenLayersClassifier
from ._sklearn_compat import Interval
from ._typing import Auto, ClassWeight, Initializer, RandomState, Schedule
from ._validation import check_sizes


class MultiLayerNetClassifier(HiddenLayersClassifier):
    r"""A net with any number of hidden layers: input, hidden units layer by layer, softmax.

    It minimises

    .. math::

        \frac{\sum_i w_i \, \mathrm{CE}(y_i, \mathrm{softmax}(W_L a_{L-1}(x_i) + b_L))}
        {\sum_i w_i} + \frac{\mathtt{reg}}{2} \sum_l \sum W_l^2,
        \qquad a_0(x) = x, \quad a_l(x) = f(W_l a_{l-1}(x) + b_l)

    where f is the activation, CE the cross-entropy and w the product of sample and class
    weight. Two classes have an output each, as three have. ``MLPClassifier(alpha=a)`` on n
    rows, as one batch and with three classes or more, is ``reg = a / n``; with weights, n is
    their sum.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        The numbers of hidden units, from the input on, as `MLPClassifier` has them. An int is one
        layer, as `TwoLayerNetClassifier` has it.
    reg : float or "auto", default="auto"
        The penalty on the squared weights, >= 0. The biases are not penalised. "auto" is 1 / m.
        Without weights, m is the number of rows. With weights w, sample weight times class
        weight, m is max(sum w, (sum w)^2 / sum w^2). For weights of mean 1 or more this is their
        sum, and "auto" equals `LogisticRegression`'s ``C=1`` and, with one batch,
        `MLPClassifier`'s ``alpha=1``. For small or normalised weights it is the effective number
        of rows. `partial_fit` counts all rows seen so far. Choose this parameter first, as
        `TwoLayerNetClassifierCV` does.
    n_nets : int, default=1
        How many nets to train, each from initial weights of its own and to its own end, and to
        average in probability. They see the same batches and are trained together, in threads
        where that pays.
    activation : {"relu", "leaky_relu", "logistic", "tanh", "gelu", "silu", "identity"}
        "relu" by default.
        The f of the hidden units: max(z, 0); max(z, z / 100); 1 / (1 + exp(-z)); tanh(z);
        z Phi(z), with Phi the normal distribution function; z / (1 + exp(-z)); z, for a linear
        model to compare with.
        Training takes the one that is set, prediction the one of the last training.
    solver : {"adam", "sgd", "gd", "lbfgs"}, default="adam"
        - "adam": mini-batches with Adam;
        - "sgd": mini-batches with Nesterov's momentum;
        - "gd": whole-batch gradient descent;
        - "lbfgs": L-BFGS, SciPy's. Equal rows are merged first, so that weights, repeated
          rows and any order of the rows give the same bits.
    learning_rate : float or "auto", default="auto"
        The size of the first step, a float > 0. "auto" is 0.5 for "gd", 0.1 for "sgd" and 0.01 for
        "adam".
        "lbfgs" finds its own steps.
    schedule : {"constant", "inverse", "cosine", "plateau"}, callable or "auto", default="auto"
        The factor on the learning rate, by the progress p in [0, 1], the share of `max_iter`
        that is done:

        - "constant": 1;
        - "inverse": 1 / (1 + 9 p);
        - "cosine": (1 + cos(pi p)) / 2;
        - "plateau": 5^-k, where k counts the times that the loss that is watched went 2
          epochs on end without an improvement by `tol`;
        - a callable: its value at p, a float >= 0;
        - "auto": "cosine" for "sgd" and "adam", "constant" for "gd" and in `partial_fit`.
    momentum : float, default=0.9
        Nesterov's momentum in [0, 1), for "sgd" alone.
    batch_size : int or "auto", default="auto"
        The rows per step of "sgd" and "adam"; "auto" is 200, or all if they are fewer.
    max_iter : int or "auto", default="auto"
        The most epochs of "sgd" and "adam", or iterations of the others. "auto" is
        4500 / sqrt(n_samples) epochs, at least 20 and at most 240, or 1000 iterations. With
        ``tol=0`` they are meant as a number of steps, and their end is not warned of.
    tol : float, default=1e-5
        The training ends

        - for "sgd" and "adam", where the objective has not improved by `tol` for
          `n_iter_no_change` epochs; under the cosine schedule `max_iter` alone ends it;
        - for "gd" and "lbfgs", where no entry of the gradient is larger than `tol`;
        - for every solver with a validation set, where the log loss on that has not
          improved by `tol` for `n_iter_no_change` iterations.

        With ``tol=0`` and no validation set, "gd", "sgd" and "adam" run all `max_iter`
        iterations. No solver warns at `max_iter` then.
    n_iter_no_change : int, default=10
        See `tol`.
    early_stopping : bool, default=False
        Whether to set rows aside, stratified by class, as a validation set. Each class keeps at
        least one row to train on. Not needed if `fit` gets a validation set.
    validation_fraction : float, default=0.1
        The share of the rows to set aside, in (0, 1).
    class_weight : dict, "balanced" or None, default=None
        A factor on the weights of the rows of each class, by label. "balanced" gives every
        class the same total weight.
    init : {"auto", "he", "lecun", "glorot"}, float or callable, default="auto"
        The initial weights; the biases start at 0.

        - "he": N(0, 2 / fan_in);
        - "lecun": N(0, 1 / fan_in);
        - "glorot": N(0, 2 / (fan_in + fan_out));
        - a positive float: N(0, init^2);
        - a callable `(rng, fan_in, fan_out)` that returns an array (fan_in, fan_out), with
          `rng` a `RandomState`;
        - "auto": "glorot" for "tanh" and "logistic", "he" for the others, on columns of X brought
          to a common scale; less where such a scale makes the penalty steep.
    shuffle : bool, default=True
        Whether "sgd" and "adam" draw the batches anew in every epoch.
    random_state : int, RandomState instance or None, default=None
        Determines initial weights, batches and the validation split, each by a stream of its
        own. The same int gives the same bits.
    warm_start : bool, default=False
        Whether `fit` continues from the weights as they are now, instead of new initial weights.
        The curves then continue from call to call; `n_iter_` counts the iterations of the last.
    verbose : int, default=0
        Print the loss of every `verbose`-th iteration; 0 for silence.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coefs_ : list of ndarray, of shape (fan_in, fan_out) for each layer
        The weights of the hidden layers, from the input on, and of the outputs: the first fan_in
        is that of the columns, the last fan_out that of the classes. With ``n_nets > 1`` all have
        a leading axis for the nets.
    intercepts_ : list of ndarray, of shape (fan_out,) for each layer
        Their biases, likewise.
    reg_ : float
        The penalty that was used: `reg`, or what "auto" stood for.
    n_features_in_ : int
        The number of columns of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X had names, all of them strings.
    n_iter_ : int
        The number of iterations or epochs of the last `fit`, and of each `partial_fit` since;
        the most that a net took.
    loss_ : float
        The objective at the fitted weights; with several nets their mean. `fit` warns if that of
        a net is above log n_classes, the objective of equal probabilities.
    stop_reason_ : str or ndarray of str of shape (n_nets,)
        Why the training ended; with several nets that of each
        that had begun:

        - "tol": the gradient or the progress of the loss, as the solver has it, came within `tol`;
        - "max_iter": `max_iter` came first;
        - "schedule": the cosine schedule has run to its end, at `max_iter`;
        - "validation": the loss on the validation set had not improved for
          `n_iter_no_change` iterations;
        - "precision": L-BFGS found no lower loss in the dtype of X;
        - "callback", "interrupted": a callback or Ctrl-C asked for it;
        - "diverged": the objective was no longer finite, or far above its start; the best
          weights were kept;
        - "partial_fit": the last call was `partial_fit`, whose one pass is over.
    loss_curve_ : list of float
        The objective at each iteration: for "gd" and "lbfgs" before the iteration's step, for
        "sgd" and "adam" the mean over the epoch's batches as they went by. With several nets
        the mean of those that still trained. It has `n_iter_` values, and continues over the
        calls of a `warm_start`.
    loss_curves_ : list of list of float, n_nets long
        Those of each net, with ``n_nets > 1``; one ends where its net did.
    validation_loss_curve_ : list of float, of the length of `loss_curve_`
        The log loss on the validation set after each iteration, if there is such a set; with
        several nets the mean of those that still trained.
    best_iter_ : int or ndarray of shape (n_nets,)
        The index there of the least loss, whose weights are the fitted ones; with several nets
        that of each.

    See Also
    --------
    TwoLayerNetClassifier : One hidden layer, its width an integer to search over.
    SoftmaxClassifier : None.
    sklearn.neural_network.MLPClassifier : The same model, penalised by `alpha`.

    Examples
    --------
    >>> from sklearn_toynn import MultiLayerNetClassifier
    >>> from sklearn_toynn.datasets import make_spiral
    >>> X, y = make_spiral(random_state=0)
    >>> clf = MultiLayerNetClassifier((50, 20), reg=1e-3, max_iter=500, random_state=0).fit(X, y)
    >>> clf.score(X, y) > 0.95
    True
    >>> [coef.shape for coef in clf.coefs_]
    [(2, 50), (50, 20), (20, 3)]
    """

    _parameter_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": [Interval(Integral, 1, None, closed="left"), "array-like"],
        **HiddenLayersClassifier._parameter_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        reg: float | Auto = "auto",
        *,
        n_nets: int = 1,
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
        shuffle: bool = True,
        random_state: RandomState = None,
        warm_start: bool = False,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.reg = reg
        self.n_nets = n_nets
        self.activation = activation
        self.solver = solver
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.momentum = momentum
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.class_weight = class_weight
        self.init = init
        self.shuffle = shuffle
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    @property
    def _hidden_sizes(self):
        return check_sizes(self.hidden_layer_sizes, "hidden_layer_sizes")
