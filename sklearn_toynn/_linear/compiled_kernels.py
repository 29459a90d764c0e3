"""The passes of the linear solvers in C."""

from .._nets.kernels import _compiled
from .kernels import LinearKernels


class CompiledKernels(LinearKernels):
    """In C, without the interpreter lock."""

    cross_entropy = staticmethod(_compiled.cross_entropy)
    softmax = staticmethod(_compiled.softmax)
    derivative_change = staticmethod(_compiled.derivative_change)
    add_penalty = staticmethod(_compiled.add_penalty)
    add_hessian = staticmethod(_compiled.add_hessian)
    solve_hessian = staticmethod(_compiled.solve_hessian)
    newton_steps = staticmethod(_compiled.newton_steps)
