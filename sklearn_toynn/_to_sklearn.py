"""Fitted scikit-learn models with the predictions of fitted models of this package."""

import numpy as np
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelBinarizer, LabelEncoder
from sklearn.utils import Bunch

#: The activations of `MLPClassifier`.
MLP_ACTIVATIONS = ("identity", "logistic", "relu", "tanh")


def with_one_output(weights, biases):
    """Return the layer of two classes as one output, their difference; others as they are."""
    if len(weights) > 2:
        return weights, biases
    return np.diff(weights, axis=0), np.diff(biases)


def make_logistic_regression(weights, biases, classes, columns, *, C, n_iter):
    """Return a fitted `LogisticRegression` of weights (n_classes, n_features) and biases.

    `columns` holds `n_features_in_`, and `feature_names_in_` if there are names.
    """
    model = LogisticRegression(C=C)
    model.coef_, model.intercept_ = map(np.array, with_one_output(weights, biases))
    model.classes_, model.n_iter_ = classes, np.array([n_iter], dtype=np.int32)
    vars(model).update(columns)
    return model


def make_mlp(weights, biases, classes, columns, *, activation, alpha, n_iter, loss_curve, loss):
    """Return a fitted `MLPClassifier` of layers (fan_out, fan_in) and (fan_out,).

    `partial_fit` and a warm-started `fit` continue from the weights. The state of the stopping
    rules is that before the first epoch, as the losses of both classes are not comparable.
    Without `_optimizer`, the solver creates a new one.
    """
    if activation not in MLP_ACTIVATIONS:
        raise ValueError(
            f"MLPClassifier does not support activation={activation!r}. Train with one of "
            f"{list(MLP_ACTIVATIONS)} or keep the model as it is."
        )
    last_weights, last_biases = with_one_output(weights[-1], biases[-1])
    sizes = tuple(len(bias) for bias in biases[:-1])
    model = MLPClassifier(sizes, activation=activation, alpha=alpha)
    model.coefs_ = [np.array(layer.T) for layer in (*weights[:-1], last_weights)]
    model.intercepts_ = [np.array(bias) for bias in (*biases[:-1], last_biases)]
    model.classes_, model._label_binarizer = classes, LabelBinarizer().fit(classes)
    model.n_layers_, model.n_outputs_ = len(weights) + 1, len(last_biases)
    model.out_activation_ = "softmax" if len(classes) > 2 else "logistic"
    model.n_iter_, model.loss_, model.loss_curve_ = n_iter, loss, list(loss_curve)
    model.t_ = model._no_improvement_count = 0
    model.best_loss_, model.best_validation_score_ = np.inf, -np.inf
    model.validation_scores_ = []
    model._best_coefs, model._best_intercepts = model.coefs_[:], model.intercepts_[:]
    vars(model).update(columns)
    return model


def make_vote(models, classes, columns):
    """Return a fitted `VotingClassifier` that averages the probabilities of fitted models.

    The classes of the models are 0, ..., n_classes - 1, as `VotingClassifier.fit` encodes them.
    """
    named = [(f"net{index}", model) for index, model in enumerate(models)]
    vote = VotingClassifier(named, voting="soft")
    vote.estimators_, vote.named_estimators_ = models, Bunch(**dict(named))
    vote.le_, vote.classes_ = LabelEncoder().fit(classes), classes
    # `n_features_in_` is a property that reads the models
    vars(vote).update({k: value for k, value in columns.items() if k != "n_features_in_"})
    return vote
