"""Greedy weights and a temperature for predicted probabilities.

All functions take predictions for rows that the models were not trained on.
"""

import numpy as np

#: The number of rounds of greedy selection.
N_ROUNDS = 16

#: The range of the temperature.
TEMPERATURES = 0.1, 10.0

#: The largest number of Newton steps for the temperature.
MAX_NEWTON_STEPS = 200

#: The lower bound of log-probabilities. Classes that a model does not know have probability 0.
LEAST_LOG = float(np.log(np.finfo(np.float32).tiny))


class OutOfFold:
    """The pooled predictions of candidates for the test rows of all folds.

    A row counts once for each test fold that contains it. A test row is left out if the training
    rows of its fold lack its class, because no weight or temperature helps to predict it.

    Parameters
    ----------
    predictions : dict
        Log-probabilities (n_test_rows, n_classes) by candidate and fold.
    splits : list of tuple of ndarray
        The training and the test rows of each fold.
    codes, weights : ndarray of shape (n_samples,)
        The indices of the classes, and the weights of the rows.
    """

    def __init__(self, predictions, splits, codes, weights):
        self._codes, self._weights = codes, weights
        splits = [[np.arange(len(codes))[rows] for rows in split] for split in splits]
        known = [np.isin(codes[test], codes[train][weights[train] > 0]) for train, test in splits]
        self._tests = [test[kept] for (_, test), kept in zip(splits, known, strict=True)]
        self._predictions = {
            (one, fold): logs if known[fold].all() else logs[known[fold]]
            for (one, fold), logs in predictions.items()
        }

    def _pool(self, candidates):
        """Return the rows of the folds that all candidates ran, and the predictions of each."""
        folds = [
            fold
            for fold in range(len(self._tests))
            if all((one, fold) in self._predictions for one in candidates)
        ]
        if not folds:
            return np.empty(0, np.intp), []
        return np.concatenate([self._tests[fold] for fold in folds]), [
            np.concatenate([self._predictions[one, fold] for fold in folds]) for one in candidates
        ]

    def count_greedily(self, candidates):
        """Return how often each candidate enters the average, (n_candidates,)."""
        rows, predictions = self._pool(candidates)
        of_labels = [np.exp(one[np.arange(len(rows)), self._codes[rows]]) for one in predictions]
        return count_greedily(np.array(of_labels, float), self._weights[rows])

    def find_temperature(self, candidates, shares):
        """Return the temperature of an average of candidates with these shares.

        It is 1.0 if there are no predictions, as for a candidate that a race dropped.
        """
        rows, predictions = self._pool(candidates)
        if not predictions:
            return 1.0
        blended = average_log_probabilities(predictions, shares)
        return find_temperature(blended, self._codes[rows], self._weights[rows])

    def compare_losses(self, candidates, shares, predict):
        """Return two log losses for the test rows of a fold.

        The first is the loss of the average of candidates with these shares. The second is the
        loss of the log-probabilities that `predict` returns for the rows. Both are NaN if there
        are no predictions.
        """
        for fold, rows in enumerate(self._tests):
            kept = [self._predictions.get((one, fold)) for one in candidates]
            if all(one is not None for one in kept) and self._weights[rows].any():
                both = average_log_probabilities(kept, shares), predict(rows)
                labels = np.arange(len(rows)), self._codes[rows]
                return [np.average(-logs[labels], weights=self._weights[rows]) for logs in both]
        return np.nan, np.nan


def count_greedily(probabilities, weights, n_rounds=N_ROUNDS):
    """Return how often each model enters an average with a low log loss, (n_models,).

    `probabilities` (n_models, n_rows) are the probabilities of the true classes, and `weights`
    (n_rows,) the weights of the rows. Each round adds the model that minimizes the loss of the
    average. A model may be added several times. The result is from the round with the lowest loss.
    Ties go to the first model and the first round.

    References
    ----------
    Caruana, Niculescu-Mizil, Crew and Ksikes (2004), "Ensemble selection from libraries of
    models", ICML.
    """
    counts, total = np.zeros(len(probabilities), int), np.zeros(probabilities.shape[1])
    best_counts, best_loss = counts, np.inf
    for n_added in range(1, n_rounds + 1):
        averages = np.maximum((total + probabilities) / n_added, np.exp(LEAST_LOG))
        losses = -np.log(averages) @ weights
        added = int(np.argmin(losses))
        total += probabilities[added]
        counts[added] += 1
        if losses[added] < best_loss:
            best_counts, best_loss = counts.copy(), losses[added]
    return best_counts


def distribute(n_items, counts):
    """Return integers (n_models,) of sum `n_items` that are nearly proportional to `counts`.

    The method of largest remainders: each model gets the integer part of its share, and the models
    with the largest fractional parts get one more. Ties go to the first model.
    """
    integers, remainders = np.divmod(n_items * counts, counts.sum())
    first = np.argsort(-remainders, kind="stable")[: n_items - integers.sum()]
    integers[first] += 1
    return integers


def average_log_probabilities(log_probabilities, weights):
    """Return the logarithm of the weighted mean of probabilities, (n_rows, n_classes)."""
    used = [
        (one, weight) for one, weight in zip(log_probabilities, weights, strict=True) if weight
    ]
    terms = [one.astype(np.float64) + np.log(weight) for one, weight in used]
    return np.logaddexp.reduce(terms, axis=0)


def find_temperature(log_probabilities, codes, weights):
    """Return the temperature t that minimizes the weighted log loss of softmax(log p / t).

    With b = 1 / t and l = log p, the loss of a row of class y is log sum_k exp(b l_k) - b l_y.
    It is convex in b. Its derivative is E[l] - l_y, and its second derivative Var[l], under the
    probabilities q = softmax(b l). The mean derivative has one zero, which Newton's method finds
    in the variable log t. A bisection replaces steps that leave the interval that contains the
    zero. The result is within `TEMPERATURES`. It is 1.0 if the loss does not depend on t, if no
    weight is above 0, or if a value is not finite.

    Parameters
    ----------
    log_probabilities : ndarray of shape (n_rows, n_classes)
        Logarithms of predicted probabilities. Values below `LEAST_LOG` count as `LEAST_LOG`.
    codes : ndarray of shape (n_rows,)
        The indices of the true classes.
    weights : ndarray of shape (n_rows,)
        The weights of the rows.
    """
    logs = np.maximum(log_probabilities.astype(np.float64), LEAST_LOG)
    total = weights.sum()
    if not (total > 0 and np.isfinite(total) and np.isfinite(logs).all()):
        return 1.0
    weights = weights / total
    logs -= logs.max(axis=1, keepdims=True)  # does not change q
    of_labels = weights @ logs[np.arange(len(codes)), codes]

    def differentiate(log_t):
        """Return the mean derivative by b, and the derivative of this mean by log t."""
        b = np.exp(-log_t)
        q = np.exp(b * logs)
        q /= q.sum(axis=1, keepdims=True)
        means = (q * logs).sum(axis=1)
        variances = (q * (logs - means[:, np.newaxis]) ** 2).sum(axis=1)
        return weights @ means - of_labels, -b * (weights @ variances)

    low, high = np.log(TEMPERATURES)
    (at_low, _), (at_high, _) = differentiate(low), differentiate(high)
    if at_low <= 0:  # the derivative by b decreases as t increases
        return TEMPERATURES[0] if at_high < 0 else 1.0
    if at_high >= 0:
        return TEMPERATURES[1]
    log_t = 0.0
    for _ in range(MAX_NEWTON_STEPS):
        slope, curvature = differentiate(log_t)
        if slope > 0:
            low = log_t
        else:
            high = log_t
        step = log_t - slope / curvature if curvature < 0 else np.inf
        following = step if low < step < high else (low + high) / 2
        if abs(following - log_t) <= 4 * np.finfo(float).eps:
            break
        log_t = following
    return float(np.exp(log_t))
