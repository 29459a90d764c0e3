"""The choice of the kernels: compiled if they are built, unless the environment says otherwise."""

import os
from importlib import import_module

from .interface import Kernels
from .numpy_kernels import NumpyKernels

VARIABLE = "SKLEARN_TOYNN_KERNELS"
CHOICES = ("numpy", "compiled")
SET_VARIABLE = "SKLEARN_TOYNN_INSTRUCTION_SET"


def select(asked):
    """Return the entry of `CHOICES` for the value of the environment variable, "" if unset."""
    if asked not in ("", *CHOICES):
        raise ValueError(
            f"The environment variable {VARIABLE} is {asked!r}. It must be 'numpy' or 'compiled', "
            "or unset or empty to use the compiled kernels if they are built."
        )
    if asked == "numpy":
        return "numpy"
    try:
        import_module("._compiled", __package__)
    except ImportError as error:
        if asked:
            raise ImportError(
                f"The environment variable {VARIABLE} asks for the compiled kernels, but they "
                f"cannot be imported: {error}. Unset the variable, or reinstall sklearn-toynn "
                "with a C compiler. If the variable is set during the installation, a failed "
                "compilation is an error."
            ) from error
        return "numpy"
    return "compiled"


def select_instruction_set(asked, available):
    """Return the instruction set `asked`, or if it is empty the first available one."""
    if asked and asked not in available:
        raise ValueError(
            f"The environment variable {SET_VARIABLE} is {asked!r}. It must be one of "
            f"{', '.join(map(repr, available))} on this processor, or unset or empty for "
            f"{available[0]!r}."
        )
    return asked or available[0]


selected = select(os.environ.get(VARIABLE, ""))

#: The available kernels, in order of preference.
KERNELS: list[type[Kernels]] = [NumpyKernels]
#: The instruction set of the compiled kernels, or None.
instruction_set: str | None = None
if selected == "compiled":
    from ._compiled import choose, instruction_sets
    from .compiled_kernels import CompiledKernels

    KERNELS.insert(0, CompiledKernels)
    instruction_set = select_instruction_set(os.environ.get(SET_VARIABLE, ""), instruction_sets())
    choose(instruction_set)


def choose_kernels(network, X):
    """Return the first kernels that support a net and the rows of X."""
    return next(kernels for kernels in KERNELS if kernels.supports(network, X))
