"""The run of a stack: what is watched on the way, and what its nets end with."""

import math
from copy import deepcopy
from dataclasses import replace
from itertools import compress
from threading import Event

import numpy as np

from .._blas import single_threaded_blas
from .._cached_property import cached_property
from .._nets.columns import Columns, are_scaled_alike, change_columns
from .._nets.network import Network
from .._nets.objective import Objective
from .best_weights import BestWeights
from .options import TrainingOptions
from .results import History, NetResult
from .schedules import make_schedule
from .stopping import StoppingPolicy


class TrainingRun:
    """The state of a run: the nets that still train, their curves and their best weights.

    Parameters
    ----------
    objective : Objective
        Of the stack at its start.
    solver : Solver
        What trains it.
    options : TrainingOptions
        Of the stack.
    streams : RandomStreams
        Its `batches` order the rows.
    validation : Samples or None
        If given, the mean cross-entropy on it stops the training and chooses the weights.
    """

    def __init__(self, objective, solver, options, streams, validation):
        self.objective, self.solver = objective, solver
        self.options, self.streams = options, streams
        self.schedule = make_schedule(options.schedule)
        self.policy = StoppingPolicy.from_options(
            options, self.schedule, has_validation=validation is not None
        )
        self.n_iter = 0
        n_nets = objective.network.n_nets
        self.results = [None] * n_nets
        #: Told where each iteration begins and ends, if not None; see `CallbackObserver`.
        self.observer = None
        #: Ends the run after the iteration that goes on once set, as from another thread.
        self.stop = Event()
        #: How many threads an epoch may take.
        self.n_threads = 1
        #: Which of `STOP_REASONS` that is.
        self.reason_to_stop = "interrupted"
        self._histories = [History(place) for place in range(n_nets)]
        self._validation = validation
        self._watch_validation()
        parameters = objective.network.parameters
        self._initial, self.best = parameters.copy(), BestWeights(parameters)

    @classmethod
    def from_nets(cls, options, states, samples, validation):
        """Return the run of a stack.

        Parameters
        ----------
        options : list of TrainingOptions
            Of each net; equal in all but `PER_NET`.
        states : list of NetState
            Where each net begins, all in one `position`.
        samples : Samples
            What they are trained on; its columns are at a common scale if options ask for it.
        validation : Samples or None
            What chooses their weights, if given; its columns are as those of `samples`.
        """
        options, first = TrainingOptions.from_nets(options), states[0]
        network = Network(
            first.network.widths,
            first.network.activation,
            np.concatenate([state.network.parameters for state in states]),
        )
        solver = options.solver_class(
            np.concatenate([state.solver.slots for state in states], axis=1),
            first.solver.n_steps,
        )
        columns = samples.columns
        reg = options.reg.astype(network.parameters.dtype)
        if first.is_fitted:
            if not are_scaled_alike(first.columns, columns):
                network = change_columns(network, first.columns, columns)
                # its memory is of other variables
                solver = options.solver_class.start(network.parameters)
        elif columns is not None:
            columns.begin(network, reg)
        return cls(Objective(network, samples, reg), solver, options, first.streams, validation)

    @property
    def n_nets(self):
        """The number of nets that still train."""
        return len(self._histories)

    @property
    def watches_validation(self):
        """Whether a validation set chooses the weights."""
        return self._validation is not None

    @property
    def progress(self):
        """The share of `max_iter` that is done."""
        return self.n_iter / self.options.max_iter

    @property
    def n_unwatched(self):
        """How many iterations may go by before the next look at the nets."""
        policy, schedule = self.policy, self.schedule
        if self.watches_validation or self.observer or self.options.verbose or schedule.observes:
            return 1
        left = policy.max_iter - self.n_iter
        if policy.stall_reason is None:
            return left
        return min(left, *(policy.n_iter_no_change - h.n_stalled for h in self._histories))

    def record(self, losses):
        """Take in iterations that found losses, and let go the nets at their end.

        Parameters
        ----------
        losses : ndarray of shape (n_iterations, n_nets)
            Of the parameters before each iteration; for mini-batches, of the parameters as they
            changed. `best` has taken in all but the last.
        """
        parameters, policy = self.objective.network.parameters, self.policy
        watched = losses
        if self._validation is not None:
            watched = self._validation_objective.value()[None]
        if self.options.verbose and self.n_iter % self.options.verbose == 0:
            values = ", ".join(f"{value:.6f}" for value in losses[0])
            print(f"iteration {self.n_iter}: loss {values}")  # noqa: T201
        for history, of_net, watched_of_net in zip(
            self._histories, losses.T.tolist(), watched.T.tolist(), strict=True
        ):
            for loss, watched_loss in zip(of_net, watched_of_net, strict=True):
                history.add(loss, watched_loss, policy.tol)
        self.best.update(watched[-1], parameters, are_of_now=self.watches_validation)
        self.n_iter += len(losses)
        self.schedule.observe([history.n_stalled for history in self._histories])
        asks = self.observer is not None and self.observer.end_iteration(self)
        largest = [None] * self.n_nets
        if policy.watches_gradient:
            largest = self.objective.largest_gradient_entries()
        reasons = [
            policy.find_reason(history, entry, callback_asks=asks)
            for history, entry in zip(self._histories, largest, strict=True)
        ]
        if any(reasons):
            self._let_go(reasons)
        if self.stop.is_set():
            self.close(self.reason_to_stop)
        if self.n_nets and self.observer is not None:
            self.observer.begin_iteration(self)

    def get_last_loss(self, net):
        """Return the loss of a net that still trains, before its last iteration."""
        return self._histories[net].loss_curve[-1]

    def describe_fall(self, net):
        """Say that the loss of a net still fell when the schedule ended; return None if not.

        It falls if the last tenth of the sum of step sizes brings more than 5 % of the total
        fall (half of the average) and of log K / 2, where log K is the loss of zero weights. A
        net whose loss is at most log K / 2 has learned something; there is no warning.
        """
        curve = self._histories[net].loss_curve
        if self.watches_validation or len(curve) < 2:
            return None
        middles = (np.arange(len(curve)) + 0.5) / len(curve)
        steps = np.cumsum([self.schedule.factor(progress) for progress in middles])
        place = min(int(np.searchsorted(steps, 0.9 * steps[-1])), len(curve) - 2)
        log_k = math.log(self.objective.network.widths[-1])
        fall, total = curve[place] - curve[-1], curve[0] - curve[-1]
        if fall <= 0.05 * max(total, log_k / 2) or curve[-1] <= log_k / 2:
            return None
        return (
            f"The loss was still falling when the schedule ended: from {curve[place]:.3g} after "
            f"{place + 1} to {curve[-1]:.3g} after {len(curve)} epochs. Raise max_iter "
            f"(now {self.options.max_iter})."
        )

    def close(self, reason):
        """Let go the nets that still train, with the weights that they have now."""
        if self.n_nets:
            self._let_go([reason] * self.n_nets)

    def snapshot(self):
        """Return the results that all nets would have if a callback ended the run now.

        Their streams are those that the run draws from.
        """
        results = list(self.results)
        if self.n_nets:
            nets = np.ones(self.n_nets, bool)
            left = self.objective.select(nets)
            for result in self._make_results(left, nets, ["callback"] * self.n_nets):
                place = result.history.place
                results[place] = replace(result, history=result.history.copy())
        return results

    def _let_go(self, reasons):
        """Make the results of the nets that have a reason to end, and go on without them."""
        leaving = np.array([reason is not None for reason in reasons])
        # copies of the parameters where others stay
        left = self.objective if leaving.all() else self.objective.select(leaving)
        for result in self._make_results(left, leaving, reasons):
            self.results[result.history.place] = result
        if leaving.all():
            self._histories = []
        else:
            self._keep(~leaving)

    def _make_results(self, left, leaving, reasons):
        """Return the results of the nets that a mask names, each with its reason to end.

        Their objective, `left`, may be left with other parameters; nothing else changes.
        """
        if self._validation is not None:
            left.network.parameters[...] = self.best.parameters[leaving]
        loss = self.solver.value(left)
        diverged = self._rescue(left, loss, leaving)
        columns = left.samples.columns
        # those that stay draw on, and what has left is where a net alone would be
        streams = self.streams if leaving.all() else deepcopy(self.streams)
        trained = [left.network.select([index]) for index in range(left.network.n_nets)]
        results = []
        for index, net in enumerate(np.flatnonzero(leaving)):
            if diverged[index]:
                reason, warning = "diverged", self._describe_divergence(net, loss[index])
            else:
                reason, warning = self.solver.conclude(self, net, reasons[net])
            results.append(
                NetResult(
                    network=trained[index]
                    if columns is None
                    else columns.to_original(trained[index]),
                    trained=trained[index],
                    columns=columns,
                    solver=self.solver.select([net]),
                    streams=streams,
                    loss=float(loss[index]),
                    gap=self.solver.gap(float(loss[index])),
                    n_iter=self.n_iter,
                    history=self._histories[net],
                    stop_reason=reason,
                    warning=self._compare_with_zero(net, loss[index], warning),
                )
            )
        return results

    def _keep(self, staying):
        """Go on with the nets that a mask names."""
        objective, solver, options, schedule, best = (
            part.select(staying)
            for part in (self.objective, self.solver, self.options, self.schedule, self.best)
        )
        initial = self._initial[staying]
        histories = list(compress(self._histories, staying))
        # no calls in between: Ctrl-C finds all of this done, or none
        self.objective, self.solver = objective, solver
        self.options, self.schedule = options, schedule
        self._initial, self.best = initial, best
        self._histories = histories
        self._watch_validation()

    def _watch_validation(self):
        if self._validation is not None:
            network = self.objective.network
            no_penalty = np.zeros_like(self.objective.reg)
            self._validation_objective = Objective(network, self._validation, no_penalty)

    def _rescue(self, left, loss, leaving):
        """Put the best weights in place of those that training has only made worse.

        That is where the objective is not finite, or well above both that of weights of zero and
        that of the start or the best iteration, and so is the loss that is watched. Where no
        objective is finite, the start is put in place. `left` and `loss` are changed in place.

        Returns
        -------
        diverged : ndarray of shape (n_nets,)
            Where that is so of the objective, or training ended at a loss that is not finite.
        """
        of_zero, parameters = math.log(left.network.widths[-1]), left.network.parameters

        def is_well_above(losses, others):
            return np.isfinite(others) & ~(losses <= np.maximum(of_zero, 1.001 * others))

        watched = self._watched_losses(left, parameters, loss)
        ends = (
            (*history.loss_curve[-1:], *history.watched_curve[-1:])
            for history in compress(self._histories, leaving)
        )
        diverged = np.array([not all(map(math.isfinite, end)) for end in ends])
        if not (loss + 0 * watched <= of_zero).all():
            for weights in (self.best.parameters, self._initial):
                candidates = weights if leaving.all() else weights[leaving]
                candidate_loss = left.value_at(candidates)
                candidate_watched = self._watched_losses(left, candidates, candidate_loss)
                worse = is_well_above(loss, candidate_loss)
                better = worse & is_well_above(watched, candidate_watched)
                np.copyto(parameters, candidates, where=better[:, None])
                loss[better] = candidate_loss[better]
                watched[better] = candidate_watched[better]
                diverged |= worse
            lost = ~np.isfinite(watched)
            np.copyto(parameters, candidates, where=lost[:, None])  # the start
            loss[lost] = candidate_loss[lost]
            diverged |= lost
        return diverged

    @cached_property
    def scaling_advice(self):
        """Advice, to end a sentence, to bring the columns to a common scale, if they are not."""
        samples = self.objective.samples
        if samples.columns is not None or Columns.from_samples(samples) is None:
            return ""
        return ", or bring the columns of X to a common scale, as StandardScaler does"

    def _watched_losses(self, left, parameters, loss):
        """Return the watched losses of nets, NaN where their objective `loss` is not finite.

        `left` is the objective of the nets that leave.
        """
        if self._validation is None:
            return loss
        validation = Objective(left.network, self._validation, np.zeros_like(left.reg))
        return validation.value_at(parameters) + 0 * loss

    def _compare_with_zero(self, net, loss, warning):
        """Put a comparison before a warning, or None, where equal probabilities are better.

        Those are the predictions of zero weights and biases, whose objective is log K.
        """
        zero_loss = math.log(self.objective.network.widths[-1])
        if self.options.is_one_pass or self.stop.is_set() or loss <= zero_loss * (1 + 1e-6):
            return warning
        (reg,) = self.options.reg[net]
        causes = [f"reg (now {reg:.3g})"] if reg > 0 else []
        if self.solver.follows_schedule:
            causes.append("learning_rate")
        advice = f"Lower {' or '.join(causes)}, or raise max_iter" if causes else "Raise max_iter"
        comparison = (
            f"The fitted model is worse (loss {loss:.6g}) than predicting equal probabilities "
            f"({zero_loss:.6g}). {advice}{self.scaling_advice}."
        )
        return comparison if warning is None else f"{comparison} {warning}"

    def _describe_divergence(self, net, loss):
        change = "what init draws"
        if self.solver.follows_schedule:
            (rate,) = self.options.learning_rate[net]
            change = f"learning_rate (it was {rate:.3g})"
        return (
            f"Training diverged within {self.n_iter} iterations; the best weights so far are "
            f"kept, with an objective of {loss:.4g}. Lower {change}{self.scaling_advice}."
        )


@single_threaded_blas
def train(run):
    """Train the nets of a run to their end.

    Parameters
    ----------
    run : TrainingRun
        If its `stop` is set, it ends where it begins.

    Returns
    -------
    results : list of NetResult
        Of each net; on Ctrl-C, with the weights so far.
    interrupt : KeyboardInterrupt or None
        What ended the training before its time, the caller's to raise.
    """
    interrupt = None
    # overflow is how divergence shows; `TrainingRun` looks for it
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        try:
            if not run.stop.is_set():
                run.solver.minimize(run)
        except KeyboardInterrupt as error:
            interrupt = error
            run.stop.set()
        run.close(run.reason_to_stop)
    run.solver = None  # else one that knows its run keeps X, in a circle
    return run.results, interrupt
