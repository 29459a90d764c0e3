"""What a report of a bug should say of the machine that it was seen on."""

from __future__ import annotations

import platform
import sys
from importlib import import_module

from threadpoolctl import threadpool_info

from ._nets.kernels import dispatch

MODULES = ("sklearn_toynn", "numpy", "scipy", "sklearn", "joblib", "threadpoolctl")


def show_versions() -> None:
    """Print versions, which kernels run, and the BLAS libraries with their threads.

    The line ``kernels: compiled`` or ``kernels: numpy`` says which of the two sets runs: the
    compiled one where it was built, unless the environment variable ``SKLEARN_TOYNN_KERNELS`` was
    ``numpy`` when the package was imported.

    With the compiled kernels, a second line says which instruction set they use:
    ``instruction set: avx512``, ``avx2`` or ``sse2`` on x86-64, ``neon`` on 64-bit Arm,
    ``baseline`` elsewhere. It is the best that the processor has, unless the environment variable
    ``SKLEARN_TOYNN_INSTRUCTION_SET`` named another one when the package was imported.

    Examples
    --------
    >>> from sklearn_toynn import show_versions
    >>> show_versions()  # doctest: +SKIP
    """
    system = {
        "python": sys.version.replace("\n", " "),
        "executable": sys.executable,
        "machine": platform.platform(),
    }
    versions = {name: import_module(name).__version__ for name in MODULES}
    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    kernels = f"kernels: {dispatch.selected}"
    if dispatch.instruction_set is not None:
        kernels += f"\ninstruction set: {dispatch.instruction_set}"
    parts = [
        _section("System", system),
        _section("Python dependencies", versions),
        kernels,
        *(_section("BLAS", library) for library in blas),
    ]
    print("\n\n".join(parts))  # noqa: T201


def _section(title, values):
    return "\n".join([f"{title}:", *(f"{name:>15}: {value}" for name, value in values.items())])
