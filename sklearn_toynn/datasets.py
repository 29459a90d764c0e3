"""Generated data sets."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils import shuffle as shuffle_together

from ._sklearn_compat import Interval, validate_params
from ._typing import RandomState

__all__ = ["make_spiral"]


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_classes": [Interval(Integral, 1, None, closed="left")],
        "arm_angle": [Interval(Real, None, None, closed="neither")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_spiral(
    n_samples: int = 300,
    *,
    n_classes: int = 3,
    arm_angle: float = 4.0,
    noise: float = 0.2,
    shuffle: bool = True,
    random_state: RandomState = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Make a two-dimensional spiral with one arm per class.

    With the default parameters, a linear classifier predicts about half of the labels correctly,
    a small net nearly all of them. A point is ``(radius * sin(angle), radius * cos(angle))``. On
    arm j, the radius increases evenly from 0 to 1, and the angle increases from ``j * arm_angle``
    to ``(j + 1) * arm_angle``. Normal noise is added to the angle.

    Parameters
    ----------
    n_samples : int, default=300
        The number of points. If it is not a multiple of `n_classes`, the first classes have one
        more point than the others.
    n_classes : int, default=3
        The number of arms.
    arm_angle : float, default=4.0
        The angle from the start to the end of one arm, in radians. The next arm starts at the
        angle at which the arm before it ends.
    noise : float, default=0.2
        The standard deviation of the noise of the angle, in radians.
    shuffle : bool, default=True
        Whether to shuffle the points. If False, they are sorted by arm and radius.
    random_state : int, RandomState instance or None, default=None
        Controls the noise and the shuffling.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points.
    y : ndarray of shape (n_samples,)
        The arm of each point, from 0 to n_classes - 1.

    Notes
    -----
    The formula is from the case study of CS231n,
    https://cs231n.github.io/neural-networks-case-study/.

    Examples
    --------
    >>> from sklearn_toynn.datasets import make_spiral
    >>> X, y = make_spiral(random_state=0)
    >>> X.shape, y.shape
    ((300, 2), (300,))
    """
    rng = check_random_state(random_state)
    n_per_class = np.full(n_classes, n_samples // n_classes)
    n_per_class[: n_samples % n_classes] += 1
    arms = []
    for arm, n_points in enumerate(n_per_class):
        radius = np.linspace(0.0, 1, n_points)
        angle = np.linspace(arm * arm_angle, (arm + 1) * arm_angle, n_points)
        angle += rng.standard_normal(n_points) * noise
        arms.append(np.column_stack((radius * np.sin(angle), radius * np.cos(angle))))
    X, y = np.concatenate(arms), np.repeat(np.arange(n_classes), n_per_class)
    if shuffle:
        X, y = shuffle_together(X, y, random_state=rng)
    return X, y
