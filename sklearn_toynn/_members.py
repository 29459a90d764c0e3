"""Attributes and methods that an ensemble takes from its only member."""

from collections.abc import Callable
from functools import partial, wraps
from typing import cast

from sklearn.utils.validation import check_is_fitted

from ._sklearn_compat import available_if
from ._typing import F


def is_refitted(estimator):
    """Return True if the estimator is refitted; otherwise raise an AttributeError."""
    if estimator.refit is False:
        raise AttributeError(
            f"{type(estimator).__name__} cannot predict with refit=False. Set refit=True, or fit "
            "the plain estimator with best_params_."
        )
    return True


def get_member(estimator, name):
    """Return the only member of a fitted ensemble, or raise an AttributeError about `name`."""
    members = vars(estimator).get("estimators_", [])
    if len(members) == 1:
        return members[0]
    what = f"{type(estimator).__name__} has no {name}"
    if members:
        raise AttributeError(
            f"{what}, because it averages {len(members)} models. See estimators_, or set "
            "blend=False."
        )
    reason = "refit=False" if estimator.refit is False else "no model is fitted"
    raise AttributeError(f"{what}, because {reason}.")


def has_one_member(name, estimator):
    """Return True if `name` is available; with several members, raise an AttributeError."""
    if len(vars(estimator).get("estimators_", [])) > 1:
        get_member(estimator, name)
    return is_refitted(estimator)


def member_attribute(name):
    """Return a property that reads an attribute of the only member."""
    return property(lambda self: getattr(get_member(self, name), name))


def delegate_to_member(method: F) -> F:
    """Return a method that calls a method of the plain estimator on the only member."""

    @wraps(method)
    def delegate(self, *args, **kwargs):
        check_is_fitted(self, "estimators_")
        return method(get_member(self, method.__name__), *args, **kwargs)

    return cast(F, available_if(partial(has_one_member, method.__name__))(delegate))


def delegate_unless_blended(method: F) -> Callable[[F], F]:
    """Return a decorator for methods of ensembles; a single member's `method` replaces them."""

    def decorate(of_blend):
        @wraps(method)
        def delegate(self, *args, **kwargs):
            check_is_fitted(self, "estimators_")
            if len(self.estimators_) == 1:
                return method(self.estimators_[0], *args, **kwargs)
            return of_blend(self, *args, **kwargs)

        return cast(F, available_if(is_refitted)(delegate))

    return decorate
