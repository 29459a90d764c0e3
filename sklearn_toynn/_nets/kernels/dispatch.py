"""Which kernels run: the compiled where they are built, unless the environment asks otherwise."""

import os
from importlib import import_module

from .interface import Kernels
from .numpy_kernels import NumpyKernels

VARIABLE = "SKLEARN_TOYNN_KERNELS"
CHOICES = ("numpy", "compiled")


def select(asked):
    """Return the one of `CHOICES` that runs where `asked`, perhaps empty, was asked for."""
    if asked not in ("", *CHOICES):
        raise ValueError(
            f"The environment variable {VARIABLE} is {asked!r}. It may be 'numpy' or 'compiled', "
            "or unset or empty for the compiled kernels where they are built."
        )
    if asked == "numpy":
        return "numpy"
    try:
        import_module("._compiled", __package__)
    except ImportError as error:
        if asked:
            raise ImportError(
                f"The environment variable {VARIABLE} asks for the compiled kernels, which can't "
                f"be imported: {error}. Install sklearn-toynn anew where there is a C compiler; "
                "with the variable set, the installation fails where they can't be built."
            ) from error
        return "numpy"
    return "compiled"


selected = select(os.environ.get(VARIABLE, ""))

#: The sets, in order of preference.
KERNELS: list[type[Kernels]] = [NumpyKernels]
if selected == "compiled":
    from .compiled_kernels import CompiledKernels

    KERNELS.insert(0, CompiledKernels)


def choose_kernels(network, X):
    """Return the first set that takes a net and rows of X."""
    return next(kernels for kernels in KERNELS if kernels.supports(network, X))
