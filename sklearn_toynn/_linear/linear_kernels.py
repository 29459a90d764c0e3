"""The passes over the rows of a chunk that the linear solvers are made of.

NumPy's are the reference. Scores and what is like them lie class after class,
(n_classes, n_rows), C-contiguous float64; weights are the w_i.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from scipy.linalg import lapack

from .._nets.kernels import dispatch
from .._nets.prediction import softmax
from .symmetric import add_gram, zero_sum


class LinearKernels(ABC):
    """What a set of kernels does."""

    @staticmethod
    @abstractmethod
    def cross_entropy(scores, codes, weights, probabilities):
        """Return sum_i w_i CE(y_i, softmax(s_i)); its derivative, w (p - onehot(y)), is left in s.

        Parameters
        ----------
        scores : ndarray of shape (n_classes, n_rows)
            The s.
        codes : ndarray of shape (n_rows,), dtype intp
            The y.
        weights : ndarray of shape (n_rows,)
            The w.
        probabilities : ndarray of shape (n_classes, n_rows) or None
            Where to write p, if that is wanted.
        """

    @staticmethod
    @abstractmethod
    def softmax(scores):
        """Turn scores into probabilities in place."""

    @staticmethod
    @abstractmethod
    def derivative_change(changes, probabilities, weights):
        """Turn changes c of the scores into w_i p_ik (c_ik - sum_m p_im c_im), in place.

        Those are the changes of the derivative of `cross_entropy`.
        """

    @staticmethod
    @abstractmethod
    def add_hessian(H, Z, probabilities, weights):
        """Add to the lower triangle of H, in Fortran order, what rows Z add, and return H."""

    @staticmethod
    @abstractmethod
    def add_penalty(H, ridge, n_classes):
        """Add to it what a penalty ridge (size,) adds; last, as the rows' parts cancel."""

    @staticmethod
    @abstractmethod
    def solve_hessian(factor, gradient, steps):
        """Write the `steps` d, of zero sum over the classes, that solve H d = g, by H's factor."""

    #: A function as below, or None where a set leaves all steps to `Descent`.
    #:
    #: Take Newton's steps from theta in one call, as long as one of full length lowers the
    #: objective by enough and the decrement is above the limit; the first in any case.
    #:
    #: Parameters: Z, codes, weights and ridge of all rows, as above; theta and its gradient,
    #: (n_classes, size), its loss and the factor of the Hessian there; an array
    #: (n_classes, n_rows) for probabilities; an array `losses` for the objectives before each
    #: step, no more of which are taken than fit; the limit relative to the objective, and the
    #: least limit. theta, gradient and factor become those of the last point.
    #:
    #: Returns: the number of steps, the objective at the last point, and whether the
    #: probabilities and whether the factor are those there.
    newton_steps: Callable | None = None


class NumpyLinearKernels(LinearKernels):
    """In NumPy and BLAS."""

    @staticmethod
    def cross_entropy(scores, codes, weights, probabilities):
        scores -= np.maximum.reduce(scores, axis=0)
        flat = scores.reshape(-1)
        labels = codes * len(weights) + np.arange(len(weights))
        own = flat[labels]
        np.exp(scores, out=scores)
        own_exp = flat[labels]
        # without the own class's, so that no digit is lost where its probability is nearly 1
        flat[labels] = 0
        rest = np.add.reduce(scores, axis=0)
        totals = rest + own_exp
        # CE = log(sum_k exp(s_k - max)) - (s_y - max), its derivative p - onehot(y)
        value = float(weights @ (np.log1p(rest + (own_exp - 1)) - own))
        if probabilities is not None:
            np.divide(scores, totals, out=probabilities)
            probabilities.reshape(-1)[labels] = own_exp / totals
        np.divide(weights, totals, out=totals)
        scores *= totals
        flat[labels] = -rest * totals
        return value

    softmax = staticmethod(softmax)

    @staticmethod
    def derivative_change(changes, probabilities, weights):
        changes -= np.einsum("ki,ki->i", probabilities, changes)
        changes *= probabilities
        changes *= weights

    @staticmethod
    def add_penalty(H, ridge, n_classes):
        by_class = _by_class(H, len(ridge))
        coupling = np.eye(n_classes - 1) - 1 / n_classes
        np.einsum("jaka->jka", by_class)[...] += coupling[:, :, None] * ridge

    @staticmethod
    def add_hessian(H, Z, probabilities, weights):
        n_classes, size, order = len(probabilities), Z.shape[1], len(H)
        root = np.sqrt(weights)
        if n_classes == 2:  # the one block's weight is w p_1 (1 - p_1) = w p_1 p_2
            root *= np.sqrt(probabilities[0] * probabilities[1])
            return add_gram(H, Z * root[:, None])
        blocks = np.zeros((order, size))
        length = max(2**18 // order, 256)  # rows of R at once
        for start in range(0, len(Z), length):
            part = slice(start, start + length)
            z = Z[part] * root[part, None]
            R = (probabilities[:-1, part].T[:, :, None] * z[:, None, :]).reshape(len(z), order)
            blocks += R.T @ z
            H = add_gram(H, R, -1.0)
        np.einsum("jbja->jba", _by_class(H, size))[...] += blocks.reshape(-1, size, size)
        return H

    @staticmethod
    def solve_hessian(factor, gradient, steps):
        # for the differences from the last class's step: g's part of the others is theirs
        delta, _ = lapack.dpotrs(factor, gradient[:-1].reshape(-1), lower=1)
        steps[:-1] = delta.reshape(len(steps) - 1, -1)
        steps[-1] = 0
        zero_sum(steps)


def _by_class(H, size):
    """Return a view, (n_classes - 1, size) twice, of a Hessian in Fortran order."""
    return H.T.reshape(-1, size, len(H) // size, size)


kernels: type[LinearKernels] = NumpyLinearKernels
if dispatch.selected == "compiled":
    from .._nets.kernels import _compiled

    class CompiledLinearKernels(LinearKernels):
        """In C, without the GIL."""

        cross_entropy = staticmethod(_compiled.cross_entropy)
        softmax = staticmethod(_compiled.softmax)
        derivative_change = staticmethod(_compiled.derivative_change)
        add_penalty = staticmethod(_compiled.add_penalty)
        add_hessian = staticmethod(_compiled.add_hessian)
        solve_hessian = staticmethod(_compiled.solve_hessian)
        newton_steps = staticmethod(_compiled.newton_steps)

    kernels = CompiledLinearKernels
