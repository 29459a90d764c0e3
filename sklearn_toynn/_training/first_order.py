"""Solvers by first derivatives alone: gradient descent, SGD and Adam."""

import math
from abc import abstractmethod
from time import perf_counter
from typing import ClassVar

import numpy as np

from .._cached_property import cached_property
from .solver import Solver

#: How long the epochs of a call take: Ctrl-C is heard between the calls.
CALL_SECONDS = 0.01


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
        """Go through the data; return the objective as it went by, (n_iterations, n_nets)."""


class GradientDescent(FirstOrderSolver):
    """theta <- theta - eta grad L(theta), over the whole data."""

    learning_rate = 0.5
    n_slots = 1

    def iterate(self, run):
        """Take one step; the loss and the gradient are those before it."""
        kernels = run.objective.kernels
        loss = kernels.on_all()
        (step,) = self.slots
        rate = run.options.learning_rate * run.schedule.factor(run.progress)
        np.multiply(kernels.gradient, rate.astype(step.dtype), out=step)
        kernels.step(step)
        return loss[None]

    def conclude(self, run, net, reason):
        """Say so where the steps have been too long, and the loss has risen again."""
        reason, warning = super().conclude(run, net, reason)
        if run.watches_validation or not run.n_iter:
            return reason, warning
        end, best = run.get_last_loss(net), run.best.losses[net]
        if end <= 1.01 * best:
            return reason, warning
        (rate,) = run.options.learning_rate[net]
        rise = (
            f"The loss has risen to {end:.4g} from the {best:.4g} that it had come down to. Lower "
            f"learning_rate (it was {rate:.3g}), or take a schedule that lowers it."
        )
        return reason, rise if warning is None else f"{warning} {rise}"


class MiniBatchSolver(FirstOrderSolver):
    """One update per batch, the batches drawn anew in each epoch."""

    schedule = "cosine"
    stops_on_gradient = False
    stops_on_loss = True
    #: The name of its update in the compiled kernels; None where it has no twin there.
    twin: ClassVar[str | None] = None
    #: What the twin is to know beside the step sizes.
    constants: ClassVar[tuple] = (0.0, 0.0, 0.0)

    def __init__(self, slots, n_steps=0):
        super().__init__(slots, n_steps)
        self._epoch_seconds = math.inf

    @cached_property
    def _scratch(self):
        """An array (n_nets, n_parameters) for `update`."""
        return np.empty_like(self.slots[0])

    @staticmethod
    def get_max_iter(n_samples):
        """Return 4500 / sqrt(n_samples) epochs, within [20, 240]: more steps for more rows."""
        return min(max(round(4500 / math.sqrt(n_samples)), 20), 240)

    def iterate(self, run):
        """Go through the batches of an epoch, or of as many as nothing looks in between.

        The losses are the means over the batches as they went by.
        """
        start, n_epochs = perf_counter(), 1
        if run.n_unwatched > 1:
            n_epochs = min(max(int(CALL_SECONDS / self._epoch_seconds), 1), run.n_unwatched)
        options, samples = run.options, run.objective.samples
        stream = run.streams.batches if options.shuffle else None
        state = None if stream is None or n_epochs == 1 else stream.get_state(legacy=False)
        orders = samples.draw_orders(n_epochs, stream)
        losses = run.objective.kernels.run_epochs(
            orders,
            options.batch_size,
            self,
            self._step_sizes(run, n_epochs),
            options.momentum,
            run.best,
            run.n_threads,
        )
        if len(losses) < n_epochs and state is not None:
            # as if the epochs to come had not been drawn
            stream.set_state(state)
            samples.draw_orders(len(losses), stream)
        self.n_steps += len(losses) * len(range(0, samples.n_samples, options.batch_size))
        self._epoch_seconds = (perf_counter() - start) / len(losses)
        return losses

    def _step_sizes(self, run, n_epochs):
        """Return the step size of each update, (n_updates, n_nets)."""
        options, n_samples = run.options, run.objective.samples.n_samples
        factors = [
            run.schedule.factor(epoch / options.max_iter + start / n_samples / options.max_iter)
            for epoch in range(run.n_iter, run.n_iter + n_epochs)
            for start in range(0, n_samples, options.batch_size)
        ]
        steps = range(self.n_steps + 1, self.n_steps + 1 + len(factors))
        scales = [[self.scale(n_steps)] for n_steps in steps]
        return options.learning_rate.T * np.array(factors).reshape(len(factors), -1) * scales

    def scale(self, n_steps):  # noqa: ARG002
        """Return the factor on the learning rate in step `n_steps`."""
        return 1.0

    @abstractmethod
    def update(self, gradient, step_size, momentum):
        """Turn the gradient, in place, into a step that is to be subtracted."""


class SGD(MiniBatchSolver):
    """v <- mu v - eta g, theta <- theta + mu v - eta g: Nesterov's momentum.

    Sutskever et al. 2013, "On the importance of initialization and momentum in deep
    learning", in the form of Bengio et al. 2012, arXiv 1212.0901, eq. 7.
    """

    learning_rate = 0.1
    n_slots = 1
    twin = "sgd"

    def update(self, gradient, step_size, momentum):
        """Make a step of the gradient."""
        (velocity,), ahead = self.slots, self._scratch
        momentum = momentum.astype(gradient.dtype)
        gradient *= step_size.astype(gradient.dtype)
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
    n_slots = 2
    twin = "adam"
    beta1, beta2, epsilon = 0.9, 0.999, 1e-8
    #: Its root of v is of v / (1 - b2).
    constants = beta1, beta2, epsilon / math.sqrt(1 - beta2)

    def scale(self, n_steps):
        """Return the factor on the learning rate in step `n_steps`."""
        unbiased = math.sqrt(1 - self.beta2**n_steps) / (1 - self.beta1**n_steps)
        return unbiased * (1 - self.beta1) / math.sqrt(1 - self.beta2)

    def update(self, gradient, step_size, momentum):  # noqa: ARG002
        """Make a step of the gradient."""
        (first, second), root_square = self.slots, self._scratch
        beta1, beta2, epsilon = self.constants
        first *= beta1
        first += gradient
        gradient *= gradient
        second *= beta2
        second += gradient
        np.sqrt(second, out=root_square)
        root_square += epsilon
        np.divide(first, root_square, out=gradient)
        gradient *= step_size.astype(gradient.dtype)
