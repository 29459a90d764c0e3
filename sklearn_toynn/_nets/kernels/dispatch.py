"""Which kernels run: the compiled where they are built, unless the environment asks otherwise."""

import os
from importlib import import_module

from .interface import Kernels
from .numpy_kernels import NumpyKernels

VARIABLE = "SKLEARN_TOYNN_KERNELS"
CHOICES = ("numpy", "compiled")
SET_VARIABLE = "SKLEARN_TOYNN_INSTRUCTION_SET"


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


def select_instruction_set(asked, available):
    """Return the instruction set that was asked for, or the first of those available."""
    if asked and asked not in available:
        raise ValueError(
            f"The environment variable {SET_VARIABLE} is {asked!r}. The compiled kernels have "
            f"{', '.join(map(repr, available))} on this processor. Leave the variable unset or "
            f"empty for {available[0]!r}."
        )
    return asked or available[0]


selected = select(os.environ.get(VARIABLE, ""))

#: The sets, in order of preference.
KERNELS: list[type[Kernels]] = [NumpyKernels]
#: Of the compiled kernels, where they run.
instruction_set = None
if selected == "compiled":
    from ._compiled import choose, instruction_sets
    from .compiled_kernels import CompiledKernels

    KERNELS.insert(0, CompiledKernels)
    instruction_set = select_instruction_set(os.environ.get(SET_VARIABLE, ""), instruction_sets())
    choose(instruction_set)


def choose_kernels(network, X):
    """Return the first set that takes a net and rows of X."""
    return next(kernels for kernels in KERNELS if kernels.supports(network, X))
