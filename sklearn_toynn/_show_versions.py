"""Versions for bug reports."""

from __future__ import annotations

import sklearn

from ._nets.kernels import dispatch
from ._version import __version__


def show_versions() -> None:
    """Print the version, the kernels in use and the report of `sklearn.show_versions`.

    The line ``kernels:`` says ``compiled`` or ``numpy``: the compiled kernels run if they were
    built, unless the environment variable ``SKLEARN_TOYNN_KERNELS`` was ``numpy`` at import.

    With the compiled kernels, the line ``instruction set:`` says ``avx512``, ``avx2`` or ``sse2``
    on x86-64, ``neon`` on 64-bit Arm and ``baseline`` elsewhere. It is the best one that the
    processor supports, unless ``SKLEARN_TOYNN_INSTRUCTION_SET`` named another one at import.

    Examples
    --------
    >>> from sklearn_toynn import show_versions
    >>> show_versions()  # doctest: +SKIP
    """
    lines = [f"sklearn_toynn: {__version__}", f"kernels: {dispatch.selected}"]
    if dispatch.instruction_set is not None:
        lines.append(f"instruction set: {dispatch.instruction_set}")
    print("\n".join(lines))  # noqa: T201
    sklearn.show_versions()
