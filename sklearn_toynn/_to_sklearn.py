"""Conversion of fitted models to scikit-learn models with the same predictions."""

from functools import partial

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    LabelBinarizer,
    LabelEncoder,
    SplineTransformer,
    StandardScaler,
)
from sklearn.utils import Bunch

#: The activations of `MLPClassifier`.
MLP_ACTIVATIONS = ("identity", "logistic", "relu", "tanh")


def with_one_output(weights, biases):
    """Return the last layer, for two classes with the difference of outputs as one output."""
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

    `partial_fit` and a warm-started `fit` continue from the weights with a new optimizer, because
    `_optimizer` is not set. The stopping rules start anew, because the losses of this package and
    of `MLPClassifier` are not comparable.
    """
    if activation not in MLP_ACTIVATIONS:
        raise ValueError(
            f"MLPClassifier does not support activation={activation!r}. Train with one of "
            f"{list(MLP_ACTIVATIONS)}, or keep this model."
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


def make_vote(models, classes, columns, weights=None):
    """Return a fitted `VotingClassifier` that averages the probabilities of fitted models.

    Predictions do not read the classes of the models. `VotingClassifier.fit` would set them to
    0, ..., n_classes - 1. `weights` has the weight of each model, or is None for equal weights.
    """
    named = [(f"net{index}", model) for index, model in enumerate(models)]
    vote = VotingClassifier(named, voting="soft", weights=weights)
    vote.estimators_, vote.named_estimators_ = models, Bunch(**dict(named))
    vote.le_, vote.classes_ = LabelEncoder().fit(classes), classes
    # `n_features_in_` is a property that reads the models
    vars(vote).update({k: value for k, value in columns.items() if k != "n_features_in_"})
    return vote


def make_encoded_model(convert, networks, encoding, columns):
    """Return a fitted pipeline for nets on the columns of a `PiecewiseEncoding`.

    `convert` returns the fitted model of nets and the attributes of their columns.
    """
    encoder = make_encoder(encoding, columns)
    networks = [to_hat_functions(network, encoding) for network in networks]
    model = convert(networks, {"n_features_in_": networks[0].widths[0]})
    return Pipeline([("encoder", encoder), ("classifier", model)])


def group_by_n_edges(bin_edges):
    """Return the indices of the columns with each number of edges above 0."""
    n_edges = np.array([len(edges) for edges in bin_edges])
    return {n: np.flatnonzero(n_edges == n) for n in np.unique(n_edges[n_edges > 0]).tolist()}


def make_encoder(encoding, columns):
    """Return a fitted transformer to standardized columns, followed by hat functions.

    Hat function i of a column is 1 at its edge q_i, 0 at the other edges and linear in between. It
    is constant below the first edge and above the last.
    """
    n_columns = columns["n_features_in_"]
    mean, scale = encoding.mean[:n_columns], encoding.scale[:n_columns]
    splines = [
        (
            f"splines of {n} knots",
            SplineTransformer(
                degree=1,
                knots=np.column_stack([encoding.bin_edges[column] for column in group]),
                extrapolation="constant",
            ),
            group.tolist(),
        )
        for n, group in group_by_n_edges(encoding.bin_edges).items()
    ]
    scaled = ("columns", StandardScaler(), list(range(n_columns)))
    encoder = ColumnTransformer([scaled, *splines])
    encoder.fit(np.zeros((2, n_columns)))
    scaler = encoder.named_transformers_["columns"]
    scaler.mean_, scaler.scale_ = mean.copy(), scale.copy()
    with np.errstate(over="ignore"):
        scaler.var_ = scale**2
    if "feature_names_in_" in columns:  # set here, because fitting to names requires pandas
        names = encoder.feature_names_in_ = columns["feature_names_in_"]
        for _, transformer, group in encoder.transformers_:
            transformer.feature_names_in_ = names[group]
    return encoder


def to_hat_functions(network, encoding):
    """Convert a net on encoded columns to a net on the columns of `make_encoder`.

    Piece j is the sum of the hat functions i > j, so the weight of hat function i is the sum of
    the weights of the pieces j < i.
    """
    weights, biases = network.weights[0].astype(float), network.biases[0].astype(float)
    bin_edges, n_columns = encoding.bin_edges, len(encoding.bin_edges)
    piece_weights = weights[:, n_columns:] / encoding.scale[n_columns:]
    ends = np.cumsum([max(len(edges) - 1, 0) for edges in bin_edges])
    hats = [np.cumsum(w, axis=1) for w in np.split(piece_weights, ends[:-1], axis=1)]
    hats = [np.pad(w, ((0, 0), (1, 0))) for w in hats]
    groups = [hats[column] for group in group_by_n_edges(bin_edges).values() for column in group]
    first = np.hstack([weights[:, :n_columns], *groups])
    bias = biases - piece_weights @ encoding.mean[n_columns:]
    as_fitted = partial(np.asarray, dtype=network.parameters.dtype)
    return network.from_layers(
        [as_fitted(first), *network.weights[1:]],
        [as_fitted(bias), *network.biases[1:]],
        network.activation,
    )
