"""The solvers: how the parameters of a stack go from their start to a minimum.

To add one, write a final subclass of `Solver`, or of `MiniBatchSolver` for an update that
needs nothing but a batch's gradient, and enter it in `SOLVERS`.
"""

from .first_order import SGD, Adam, GradientDescent
from .lbfgs import LBFGS

SOLVERS = {"lbfgs": LBFGS, "gd": GradientDescent, "sgd": SGD, "adam": Adam}
