"""Products with the rows of each kind beside products with the standardized rows."""

import numpy as np
from numpy.testing import assert_allclose


def test_products_with_standardized_rows(case):
    rows, columns = case.objective.rows, case.objective.columns
    z = np.vstack([rows.standardized(chunk) for chunk in rows.chunks])
    assert_allclose(z[:, :-1], (case.X - columns.mean) / columns.scale, atol=1e-9)
    theta, P = case.theta, np.random.RandomState(2).standard_normal((3, len(z)))
    total, squares = np.zeros(theta.shape), np.zeros(theta.shape)
    for chunk in rows.chunks:
        x = rows.load(chunk)
        scores = rows.scores(rows.fold_scaling(theta), x)
        assert_allclose(scores, theta @ z[chunk].T, rtol=0, atol=1e-13 * abs(theta @ z.T).max())
        rows.add_rmatmul(np.ascontiguousarray(P[:, chunk]), x, total)
        rows.add_squares(abs(P[:, chunk]), chunk, squares)
    assert_allclose(rows.unfold_scaling(total), P @ z, rtol=0, atol=1e-12 * abs(P @ z).max())
    assert_allclose(squares, abs(P) @ z**2, rtol=1e-10)
