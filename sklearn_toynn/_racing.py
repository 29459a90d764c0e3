"""Searches that run all candidates on all folds, or only the best of the first fold."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from ._sklearn_compat import KeptScore
from .model_selection import FusedGridSearchCV
from .model_selection._search import FitRunner

#: The number of candidates of each group that a race keeps after the first fold. The candidates
#: of a group differ only in the penalty.
N_KEPT = 2


class KeepingRunner(FitRunner):
    """A runner that keeps the scores of all fits, candidate by candidate."""

    scores = ()

    def __call__(self, calls):
        """Return the results of the calls."""
        results = super().__call__(calls)
        self.scores = [result["test_scores"] for result in results]
        return results


class CandidateSearch(FusedGridSearchCV):
    """A search whose scores may carry the predictions for the test rows (`KeptScore`)."""

    def _make_runner(self, **kwargs):
        self._runner = KeepingRunner(self, **kwargs)
        return self._runner

    @property
    def scores(self):
        """The scores of all fits."""
        return self._runner.scores


@dataclass
class Outcome:
    """The results of the candidates, and their predictions for the rows of test folds."""

    #: As `cv_results_` of `GridSearchCV`, with `n_splits_run`.
    results: dict
    #: Float32 arrays (n_test_rows, n_classes) of log-probabilities, by candidate and fold.
    predictions: dict

    @property
    def scores(self):
        """The mean scores, NaN for candidates that were dropped."""
        return self.results["mean_test_score"]

    def best_of_groups(self):
        """Return the indices of the best candidate of each group that has a score."""
        return keep_best(self.scores, group_candidates(self.results["params"]), 1)


def take_predictions(search, n_folds):
    """Return the predictions of a search by the positions of candidate and fold."""
    return {
        divmod(place, n_folds): score.log_probabilities
        for place, score in enumerate(search.scores)
        if isinstance(score, KeptScore)
    }


def group_candidates(params):
    """Return lists of the indices of candidates that differ only in `reg`."""
    groups = {}
    for index, setting in enumerate(params):
        key = tuple((name, value) for name, value in setting.items() if name != "reg")
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def keep_best(scores, groups, n_kept):
    """Return the sorted indices of the `n_kept` best finite scores of each group."""
    kept = []
    for group in groups:
        finite = [index for index in group if np.isfinite(scores[index])]
        kept += sorted(finite, key=lambda index: -scores[index])[:n_kept]
    return sorted(kept)


def search_grid(run, grid, n_folds):
    """Return the `Outcome` of all candidates on all folds.

    ``run(grid, folds)`` returns a fitted `CandidateSearch` over the folds with these indices.
    """
    search = run(grid, range(n_folds))
    results = search.cv_results_
    n_candidates = len(results["params"])
    predictions = take_predictions(search, n_folds)
    return Outcome(results | {"n_splits_run": np.full(n_candidates, n_folds)}, predictions)


def search_race(run, grid, folds, n_kept=N_KEPT):
    """Return the `Outcome` of a race over the folds with these indices.

    All candidates run on fold after fold, until a score is finite. The best `n_kept` of each group
    run on the remaining folds. Means leave out folds on which no score is finite.
    """
    n_folds = len(folds)
    parts, predictions, first = [], {}, None
    scores = np.empty(0)
    remaining = list(folds)
    while remaining:
        fold = remaining.pop(0)
        search = run(grid, [fold])
        first = first or search
        params = first.cv_results_["params"]
        parts.append((range(len(params)), [fold], search.cv_results_))
        predictions |= {(i, fold): kept for (i, _), kept in take_predictions(search, 1).items()}
        scores = search.cv_results_["split0_test_score"]
        if np.isfinite(scores).any():
            break
    rest = sorted(remaining)
    kept = keep_best(scores, group_candidates(params), n_kept)
    predictions = {key: value for key, value in predictions.items() if key[0] in set(kept)}
    if rest and kept:
        search = run([{k: [v] for k, v in params[i].items()} for i in kept], rest)
        parts.append((kept, rest, search.cv_results_))
        predictions |= {
            (kept[i], rest[j]): value
            for (i, j), value in take_predictions(search, len(rest)).items()
        }
    return Outcome(merge_results(parts, first.cv_results_, n_folds), predictions)


def merge_results(parts, first, n_folds):
    """Merge the parts of a race, tuples (candidates, folds, results), into one `cv_results_`.

    `first` has the parameters of all candidates. Candidates that missed folds have NaN for these
    folds and for their means.
    """
    n_candidates = len(first["params"])
    scores = np.full((n_candidates, n_folds), np.nan)
    has_run = np.zeros((n_candidates, n_folds), bool)
    times = {name: np.zeros((2, n_candidates)) for name in ("fit_time", "score_time")}
    for candidates, folds, results in parts:
        rows = np.asarray(candidates)
        for place, fold in enumerate(folds):
            scores[rows, fold] = results[f"split{place}_test_score"]
            has_run[rows, fold] = True
        for name, (sums, squares) in times.items():
            mean, spread = results[f"mean_{name}"], results[f"std_{name}"]
            sums[rows] += len(folds) * mean
            squares[rows] += len(folds) * (spread**2 + mean**2)
    n_run = has_run.sum(axis=1)
    merged = {}
    for name, (sums, squares) in times.items():
        merged[f"mean_{name}"] = mean = sums / n_run
        merged[f"std_{name}"] = np.sqrt(np.maximum(squares / n_run - mean**2, 0))
    merged |= {name: first[name] for name in first if name.startswith("param")}
    merged |= {f"split{fold}_test_score": scores[:, fold].copy() for fold in range(n_folds)}
    can_score = np.isfinite(scores).any(axis=0)
    means, spreads = np.full((2, n_candidates), np.nan)
    complete = n_run == n_run.max()
    if can_score.any():
        of_complete = scores[complete][:, can_score]
        means[complete] = np.average(of_complete, axis=1)
        deviations = (of_complete - means[complete, np.newaxis]) ** 2
        spreads[complete] = np.sqrt(np.average(deviations, axis=1))
    merged["mean_test_score"], merged["std_test_score"] = means, spreads
    merged["rank_test_score"] = rank(means)
    merged["n_splits_run"] = n_run
    return merged


def rank(means):
    """Return the ranks of scores, as in `GridSearchCV`: 1 for the best, NaN last."""
    if np.isnan(means).all():
        return np.ones(len(means), np.int32)
    filled = np.nan_to_num(means, nan=np.nanmin(means) - 1)
    return rankdata(-filled, method="min").astype(np.int32)
