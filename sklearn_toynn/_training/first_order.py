"""Solvers by first derivatives alone: gradient descent, SGD and Adam."""

import math
from abc import abstractmethod

import numpy as np

from .solver import Solver


class FirstOrderSolver(Solver):
    """Iterations of the stack as a whole, from which nets leave as they come to their end."""

    fuses = True
    follows_schedule = True

    def minimize(self, run):
        """Iterate until the last net has left."""
        while run.n_nets:
            # not self: when a net leaves, the others' solver takes its place
            run.record(run.solver.iterate(run))

    @abstractmethod
    def iterate(self, run):
        """Go through the data once; return the objective as it went by, (n_nets,)."""


class GradientDescent(FirstOrderSolver):
    """theta <- theta - eta grad L(theta), over the whole data."""

    learning_rate = 0.5
    n_slots = 1

    def iterate(self, run):
        """Take one step; the loss and the gradient are those before it."""
        objective = run.objective
        loss = objective.on_all()
        (step,) = self.slots
        rate = run.options.learning_rate * run.schedule.factor(run.progress)
        np.multiply(objective.gradient, rate.astype(step.dtype), out=step)
        objective.step(step)
        return loss


class MiniBatchSolver(FirstOrderSolver):
    """One update per batch, the batches drawn anew in each epoch."""

    schedule = "cosine"
    stops_on_gradient = False
    stops_on_loss = True

    @staticmethod
    def get_max_iter(n_samples):
        """Return 3000 / sqrt(n_samples) epochs, within [20, 80]: more steps for more rows."""
        return min(max(round(3000 / math.sqrt(n_samples)), 20), 80)

    def iterate(self, run):
        """Go through the batches of an epoch; the loss is the mean over them as they went by."""
        objective, options, gradient = run.objective, run.options, run.objective.gradient
        momentum = options.momentum.astype(gradient.dtype)
        order = objective.samples.epoch_order(run.streams.batches if options.shuffle else None)
        n_samples = len(order)
        epoch_loss = np.zeros(len(gradient))
        for start in range(0, n_samples, options.batch_size):
            rows = order[start : start + options.batch_size]
            epoch_loss += objective.on_batch(rows) * (len(rows) / n_samples)
            factor = run.schedule.factor(run.progress + start / n_samples / options.max_iter)
            self.n_steps += 1
            self.update(gradient, options.learning_rate * factor, momentum)
            objective.step(gradient)
        return epoch_loss

    @abstractmethod
    def update(self, gradient, learning_rate, momentum):
        """Turn the gradient, in place, into step `n_steps`, to be subtracted."""


class SGD(MiniBatchSolver):
    """v <- mu v - eta g, theta <- theta + mu v - eta g: Nesterov's momentum.

    Sutskever et al. 2013, "On the importance of initialization and momentum in deep
    learning", in the form of Bengio et al. 2012, arXiv 1212.0901, eq. 7.
    """

    learning_rate = 0.1
    n_slots = 2

    def update(self, gradient, learning_rate, momentum):
        """Make a step of the gradient."""
        velocity, ahead = self.slots
        gradient *= learning_rate.astype(gradient.dtype)
        velocity *= momentum
        velocity -= gradient
        np.multiply(velocity, momentum, out=ahead)
        gradient -= ahead


class Adam(MiniBatchSolver):
    """Steps along each entry's mean gradient over its root mean square.

    m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g^2,
    theta <- theta - eta sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)

    Kingma and Ba 2015, arXiv 1412.6980, end of section 2. The memory holds m / (1 - b1) and
    v / (1 - b2), which saves two passes over the parameters a step.
    """

    learning_rate = 1e-2
    n_slots = 3
    beta1, beta2, epsilon = 0.9, 0.999, 1e-8

    def update(self, gradient, learning_rate, momentum):  # noqa: ARG002
        """Make a step of the gradient."""
        first, second, root_square = self.slots
        root = math.sqrt(1 - self.beta2)
        unbiased = math.sqrt(1 - self.beta2**self.n_steps) / (1 - self.beta1**self.n_steps)
        scale = learning_rate * (unbiased * (1 - self.beta1) / root)
        first *= self.beta1
        first += gradient
        gradient *= gradient
        second *= self.beta2
        second += gradient
        np.sqrt(second, out=root_square)
        root_square += self.epsilon / root
        np.divide(first, root_square, out=gradient)
        gradient *= scale.astype(gradient.dtype)
