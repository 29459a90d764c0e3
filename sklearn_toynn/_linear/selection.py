"""Which kernels the linear solvers run on."""

from .._nets.kernels.selection import selected
from .kernels import LinearKernels, NumpyKernels

kernels: type[LinearKernels] = NumpyKernels
if selected == "compiled":
    from .compiled_kernels import CompiledKernels

    kernels = CompiledKernels
