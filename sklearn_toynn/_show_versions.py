"""Versions for bug reports."""

from __future__ import annotations

import sklearn

from ._nets.kernels import dispatch
from ._version import __version__


def show_versions() -> None:
    """Print the versions of this package and its requirements, for bug reports.

    The line ``kernels:`` says whether nets train in compiled code (``compiled``) or in NumPy
    (``numpy``). Compiled code is the default if the package was built with a C compiler. The
    environment variable ``SKLEARN_TOYNN_KERNELS=numpy``, read at import, chooses NumPy.

    With compiled code, the line ``instruction set:`` says ``avx512``, ``avx2`` or ``sse2`` on
    x86-64, ``neon`` on 64-bit Arm and ``baseline`` elsewhere. The default is the best set that the
    processor supports. The environment variable ``SKLEARN_TOYNN_INSTRUCTION_SET``, read at import,
    chooses another one.

    Examples
    --------
    >>> from sklearn_toynn import show_versions
    >>> show_versions()  # doctest: +SKIP
    sklearn_toynn: 0.3.0
    kernels: compiled
    instruction set: avx2
    """
    lines = [f"sklearn_toynn: {__version__}", f"kernels: {dispatch.selected}"]
    if dispatch.instruction_set is not None:
        lines.append(f"instruction set: {dispatch.instruction_set}")
    print("\n".join(lines))  # noqa: T201
    sklearn.show_versions()
