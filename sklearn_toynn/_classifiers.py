"""The public estimators: their parameters and their fitted attributes."""

from numbers import Integral
from typing import ClassVar

from ._activations import ACTIVATIONS
from ._base import NetClassifier
from ._initializers import INITIALIZERS, zeros
from ._sklearn_compat import Interval, StrOptions
from ._solvers import SOLVERS

__all__ = ["SoftmaxClassifier", "TwoLayerNetClassifier"]


class SoftmaxClassifier(NetClassifier):
    """Multinomial logistic regression."""

    _parameter_constraints: ClassVar[dict] = {
        **NetClassifier._parameter_constraints,
        "solver": [StrOptions({"auto", *SOLVERS})],
    }

    def __init__(
        self,
        reg=1e-3,
        *,
        solver="auto",
        learning_rate="auto",
        schedule="auto",
        momentum=0.9,
        batch_size="auto",
        max_iter="auto",
        tol=1e-5,
        n_iter_no_change=10,
        early_stopping=False,
        validation_fraction=0.1,
        class_weight=None,
        init="auto",
        shuffle=True,
        random_state=None,
        warm_start=False,
        verbose=0,
    ):
        self.reg = reg
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

    _hidden_sizes = ()
    _activation = None
    _auto_initializer = staticmethod(zeros)

    @property
    def _solver_class(self):
        return SOLVERS["lbfgs" if self.solver == "auto" else self.solver]

    def _get_layers(self):
        return [self.coef_.T], [self.intercept_]

    def _set_layers(self, coefs, intercepts):
        (coef,), (intercept,) = coefs, intercepts
        self.coef_ = coef.T
        # the objective leaves their mean free
        self.intercept_ = intercept - intercept.mean()


class TwoLayerNetClassifier(NetClassifier):
    """A net with one hidden layer."""

    _parameter_constraints: ClassVar[dict] = {
        "hidden_size": [Interval(Integral, 1, None, closed="left")],
        **NetClassifier._parameter_constraints,
        "activation": [StrOptions(set(ACTIVATIONS))],
    }

    def __init__(
        self,
        hidden_size=100,
        reg=1e-3,
        *,
        activation="relu",
        solver="adam",
        learning_rate="auto",
        schedule="auto",
        momentum=0.9,
        batch_size="auto",
        max_iter="auto",
        tol=1e-5,
        n_iter_no_change=10,
        early_stopping=False,
        validation_fraction=0.1,
        class_weight=None,
        init="auto",
        shuffle=True,
        random_state=None,
        warm_start=False,
        verbose=0,
    ):
        self.hidden_size = hidden_size
        self.reg = reg
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
        return (self.hidden_size,)

    @property
    def _activation(self):
        return ACTIVATIONS[self.activation]

    @property
    def _auto_initializer(self):
        return INITIALIZERS[self._activation.initializer]

    def _get_layers(self):
        return self.coefs_, self.intercepts_

    def _set_layers(self, coefs, intercepts):
        self.coefs_, self.intercepts_ = coefs, intercepts
