"""Types of public arguments and results, for type checkers."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray


class SparseMatrix(Protocol):
    """Any of SciPy's sparse containers."""

    def tocsr(self, copy: bool = ...) -> Any: ...


F = TypeVar("F", bound=Callable[..., Any])


class Decorator(Protocol):
    """A decorator that keeps the type of the function."""

    def __call__(self, function: F, /) -> F: ...


def as_typed(make_decorator: Callable[..., Any]) -> Callable[..., Decorator]:
    """Return the function, with the type of a function that returns a `Decorator`."""
    return make_decorator


#: Data frames are `ArrayLike` because they have `__array__`.
MatrixLike: TypeAlias = ArrayLike | SparseMatrix
Floats: TypeAlias = NDArray[np.floating]
Labels: TypeAlias = NDArray[Any]

Auto: TypeAlias = Literal["auto"]
ClassWeight: TypeAlias = Literal["balanced"] | Mapping[Any, float] | None
RandomState: TypeAlias = int | np.random.RandomState | None
#: From `(random_state, fan_in, fan_out)` to weights of shape (fan_in, fan_out).
Initializer: TypeAlias = Callable[[np.random.RandomState, int, int], ArrayLike]
#: From the completed share of the training, in [0, 1), to a factor.
Schedule: TypeAlias = Callable[[float], float]
#: A number of folds, a splitter, or pairs of index arrays.
Splits: TypeAlias = int | Iterable[tuple[ArrayLike, ArrayLike]] | Any
