"""The best weights of a training."""

import numpy as np
import pytest

from sklearn_toynn._nets.best_weights import BestWeights


@pytest.mark.parametrize(
    ("losses", "is_of_now", "best"),
    [
        ([3.0, 2.0, 1.0], False, 2),  # the loss is of the weights before an iteration
        ([3.0, 1.0, 2.0], False, 1),
        ([3.0, 1.0, 2.0], True, 2),
        ([3.0, 1.0, 1.0, np.nan, np.inf], False, 1),
        ([np.nan, np.nan], False, 0),
        ([np.inf], True, 0),
    ],
)
def test_the_lowest_loss_chooses(losses, is_of_now, best):
    parameters = np.zeros(2)  # the number of the iterations so far
    weights = BestWeights(parameters)
    for loss in losses:
        parameters += 1
        weights.update(loss, parameters, is_of_now=is_of_now)
    assert (weights.parameters == best).all()
    assert (weights.previous == len(losses)).all()
    assert weights.loss == min([loss for loss in losses if loss < np.inf], default=np.inf)
