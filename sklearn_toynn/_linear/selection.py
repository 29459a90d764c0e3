"""Which kernels the linear solvers run on."""

from .._nets.kernels.selection import selected
from .kernels import NumpyKernels

kernels = NumpyKernels
if selected == "compiled":
    from .compiled_kernels import CompiledKernels

    kernels = CompiledKernels
