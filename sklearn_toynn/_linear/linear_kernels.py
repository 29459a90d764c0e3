"""Loss and derivatives as functions of the scores of a chunk of rows.

Scores, probabilities and changes of scores have shape (n_classes, n_rows). They are float64 and
C-contiguous.
"""

import numpy as np

from .._nets.kernels import dispatch


def numpy_cross_entropy(scores, codes, weights):
    """Return sum_i w_i CE(y_i, softmax(s_i)), and replace the scores by its derivative.

    The derivative is w_i (p_ik - [k = y_i]). After the largest score is subtracted from all s,

        CE = log(1 + (rest + e_y - 1)) - s_y,   p_y - 1 = -rest / (rest + e_y)

    with e_k = exp(s_k) and rest the sum of e_k over the other classes. Both formulas are precise
    if p_y is nearly 1.

    Parameters
    ----------
    scores : ndarray of shape (n_classes, n_rows)
        The s; changed in place.
    codes : ndarray of shape (n_rows,), dtype intp
        The y; C-contiguous.
    weights : ndarray of shape (n_rows,)
        The w; C-contiguous.
    """
    scores -= np.maximum.reduce(scores, axis=0)
    flat, labels = scores.reshape(-1), codes * len(weights) + np.arange(len(weights))
    own = flat[labels]
    np.exp(scores, out=scores)
    own_exp = flat[labels]
    flat[labels] = 0
    rest = np.add.reduce(scores, axis=0)
    value = float(weights @ (np.log1p(rest + (own_exp - 1)) - own))
    scale = weights / (rest + own_exp)
    scores *= scale
    flat[labels] = -rest * scale
    return value


def derivative_change(changes, probabilities, weights):
    """Replace changes c of the scores by changes of the derivative of the cross-entropy.

    They are w_i p_ik (c_ik - sum_m p_im c_im).
    """
    changes -= np.einsum("ki,ki->i", probabilities, changes)
    changes *= probabilities
    changes *= weights


if dispatch.selected == "compiled":
    from .._nets.kernels._compiled import cross_entropy
else:
    cross_entropy = numpy_cross_entropy
