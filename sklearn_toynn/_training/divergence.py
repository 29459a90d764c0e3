"""The recovery from divergence."""

import math


def recover(parameters, loss, fallbacks, value_at, watched_at, zero_loss):
    """Replace parameters of a diverged training by better ones, in place.

    Training has diverged if the objective and the watched loss are not finite, or well above both
    `zero_loss`, the objective of zero weights, and the objective of a fallback. The fallbacks are
    the best parameters so far and the initial parameters. `value_at` returns the objective at
    parameters. `watched_at` returns the watched loss, and is None if this is the objective. Return
    the objective at the new parameters, and whether training had diverged.
    """

    def watch(at, value):
        # NaN unless both are finite
        return value if watched_at is None else watched_at(at) + 0 * value

    def is_well_above(one, other):
        return math.isfinite(other) and not one <= max(1.001 * zero_loss, 1.05 * other)

    watched, has_diverged = watch(parameters, loss), False
    if loss + 0 * watched <= zero_loss:
        return loss, has_diverged
    for fallback in fallbacks:
        fallback_loss = value_at(fallback)
        if is_well_above(loss, fallback_loss):
            has_diverged = True
            fallback_watched = watch(fallback, fallback_loss)
            if is_well_above(watched, fallback_watched):
                parameters[...] = fallback
                loss, watched = fallback_loss, fallback_watched
    if not math.isfinite(watched):
        parameters[...] = fallbacks[-1]
        return value_at(fallbacks[-1]), True
    return loss, has_diverged
