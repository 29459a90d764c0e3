"""The encoded columns of an estimator: their fitted attributes and their names."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from ._nets.encoded_rows import EncodedRows
from ._nets.piecewise_encoding import PiecewiseEncoding
from ._sklearn_compat import check_feature_names_in
from ._typing import Floats
from ._validation import validate_rows


def check_is_dense(X):
    """Raise an error if X is sparse."""
    if sparse.issparse(X):
        raise ValueError(
            "X must be dense for encoding='piecewise', got a sparse matrix. Use 'linear' "
            "instead, or convert X with X.toarray()."
        )


class EncodedColumnsMixin:
    """The methods and attributes of classifiers for the parameter `encoding`."""

    encoding: str
    bin_edges_: list[Floats]
    encoding_mean_: Floats
    encoding_scale_: Floats

    def get_encoded_feature_names(
        self, input_features: ArrayLike | None = None
    ) -> NDArray[np.object_]:
        """Return the names of the inputs of the model: the columns, and pieces if there are any.

        Parameters
        ----------
        input_features : array-like of str of shape (n_features,), default=None
            The names of the columns of `X`. If None, `feature_names_in_` or "x0", "x1" and so on.
            If the estimator has `feature_names_in_`, `input_features` must be equal to them.

        Returns
        -------
        names : ndarray of str objects
            The names of the columns. With ``encoding="piecewise"``, the names of the pieces
            follow: "x0_piece0", "x0_piece1" and so on.

        Raises
        ------
        ValueError
            If `input_features` has another length than `n_features_in_` or differs from
            `feature_names_in_`.
        """
        check_is_fitted(self)
        names = check_feature_names_in(self, input_features)
        pieces = [
            f"{name}_piece{piece}"
            for name, edges in zip(names, getattr(self, "bin_edges_", []), strict=False)
            for piece in range(len(edges) - 1)
        ]
        return np.array([*names, *pieces], dtype=object)

    def _encode(self, problem, *, continues):
        """Return the problem with the columns that `encoding` selects."""
        if self.encoding == "linear":
            return problem
        check_is_dense(problem.samples.X)
        if continues and self._is_encoded:
            return problem.with_encoding(self._get_encoding(problem.dtype))
        return problem.with_encoding(PiecewiseEncoding.from_samples(problem.samples))

    @property
    def _is_encoded(self):
        """Whether the fitted weights belong to encoded columns."""
        return hasattr(self, "bin_edges_")

    def _get_encoding(self, dtype):
        """Return the fitted encoding for rows of a dtype."""
        return PiecewiseEncoding(self.bin_edges_, self.encoding_mean_, self.encoding_scale_, dtype)

    def _set_encoding(self, X):
        """Set the attributes of the encoding, or drop them if X is not encoded."""
        if isinstance(X, EncodedRows):
            encoding = X.encoding
            self.bin_edges_ = encoding.bin_edges
            self.encoding_mean_, self.encoding_scale_ = encoding.mean, encoding.scale
            return
        for name in ("bin_edges_", "encoding_mean_", "encoding_scale_"):
            vars(self).pop(name, None)

    def _validate_rows(self, X):
        """Return the checked rows of a prediction, encoded as in the fit."""
        X = validate_rows(self, X)
        if not self._is_encoded:
            return X
        check_is_dense(X)
        return EncodedRows(X, self._get_encoding(X.dtype))
