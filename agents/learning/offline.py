"""What the offline learners share: fit on a log, act on a batch, one folder on disk."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from agents.choices import Choices, choices_in, decide_in_parts
from agents.encoders import ItemTable, check_encoder, to_tensors
from agents.learner import Learner, check_settings
from agents.learning.batches import LogTensors
from agents.learning.log_data import config_of, parts_of, read_log, spec_of_log
from agents.learning.training import REPORT_EVERY as REPORT_EVERY
from agents.learning.training import Progress as Progress
from agents.learning.training import Training, find_device, identity_of, train
from agents.sampling import FloatArray
from agents.seeding import build, single_thread, torch_generator
from agents.spec import Observation, ObservationSpec
from recsim_env import Decision

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog
    from recsim_env.event_log import EventLog, LogFolder


@dataclass(frozen=True)
class TrainingConfig:
    """Settings that every offline learner has; subclasses add their own.

    Attributes:
        dim: size of embeddings and hidden state.
        encoder: the sequence model, a name of `agents.encoders.ENCODERS`.
        batch_size: decisions per update.
        epochs: passes over the log, fractions allowed.
        learning_rate: Adam's step size at the start; it falls linearly to 0.
        max_grad_norm: gradients are scaled down to this global norm.
    """

    dim: int = 64
    encoder: str = "gru"
    batch_size: int = 256
    epochs: float = 2.0
    learning_rate: float = 0.005
    max_grad_norm: float = 10.0

    def __post_init__(self) -> None:
        check_settings(self, above_zero=("dim", "batch_size", "epochs", "learning_rate", "max_grad_norm"))
        check_encoder(self.encoder)

    def num_updates(self, num_rows: int) -> int:
        """Gradient updates that `epochs` passes over a log of `num_rows` decisions take; at least one."""
        return max(1, round(self.epochs * num_rows / min(self.batch_size, num_rows)))


class OfflineAgent(Learner):
    """A network trained from an event log that acts on batches of observations.

    Subclasses name their `config_class`, build their network, and write `begin`, `update` and `decide`.

    What updates change is kept in the network, the optimizers, and in attributes that are modules (a target
    network) or plain numbers (a counter): checkpoints have these. Other attributes that `begin` makes hold
    what it knows of the log, and updates leave them alone.

    Attributes:
        network: everything that acting needs; on the CPU but while it is trained elsewhere.
        device: where updates happen. Log, network and the tensors that `begin` leaves in attributes are moved
            there; generators, and so draws, are the CPU's.
        learning: False while the loss of held-out decisions is measured: `descend` then does nothing.
    """

    config_class: ClassVar[type[TrainingConfig]]

    network: nn.Module
    device: torch.device = torch.device("cpu")
    learning: bool = True

    @abstractmethod
    def make_network(self) -> nn.Module:
        """A freshly constructed network for `self.spec`, `self.num_topics` and `self.config`."""

    @abstractmethod
    def item_tables(self) -> list[ItemTable]:
        """Every item table of the network."""

    @abstractmethod
    def begin(self, data: LogTensors) -> list[torch.optim.Optimizer]:
        """The optimizers of a training on this log; whatever else its updates need is made here too."""

    @abstractmethod
    def update(
        self, data: LogTensors, rows: Tensor, done: float, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """One gradient step of `self.network`, in place, with the optimizers that `begin` gave.

        Args:
            data: the whole log.
            rows: [b] int64, the minibatch's rows of it.
            done: share of the training that lies behind, in [0, 1).
            generator: source of every draw.

        Returns:
            Name -> scalar, detached: what progress reports. `loss` is what was descended; learners of values
            report `value`, the mean size of what they predict for logged actions.
        """

    def descend(self, optimizer: torch.optim.Optimizer, module: nn.Module, loss: Tensor) -> None:
        """Step down the gradient of a scalar loss, clipped to `config.max_grad_norm` over the module."""
        if not self.learning:
            return
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), self.config.max_grad_norm)
        optimizer.step()

    @abstractmethod
    def decide(
        self, observation: Mapping[str, Tensor], choices: Choices | None, generator: np.random.Generator
    ) -> Decision:
        """Act on a checked batch of observations given as int64 tensors; no choices: show any item."""

    def fit(
        self,
        log: EventLog | LogFolder,
        public_catalog: PublicCatalog,
        *,
        seed: int,
        spec: ObservationSpec | None = None,
        progress: Progress | None = None,
        training: Training | None = None,
    ) -> Self:
        """Train on a log, from scratch or from where a checkpoint of the same training left off.

        In dated worlds the losses are over all items, on offer or not. Logs of two-stage worlds are refused;
        an agent that was trained where every item could be chosen also acts where candidates are offered.

        Args:
            log: decisions of a logging policy with recorded propensities; a folder may be larger than memory.
            public_catalog: the readable side of the catalog that the log was made with.
            seed: of initial values, minibatches and every other draw of the training.
            spec: sizes of the scenario; read from the log when not given.
            progress: called as progress(step, total, metrics).
            training: device, held-out users, early stopping, checkpoints; by default CPU and none of them.

        Returns:
            The agent itself.

        Raises:
            ValueError: the log and the catalog do not belong together, the log cannot be learned from, or it
                comes from a two-stage world; the device is not there; the checkpoint is of another training.
        """
        training = training or Training()
        device = find_device(training.device)
        first = next(parts_of(log))
        spec = spec_of_log(first, public_catalog) if spec is None else spec
        config = config_of(first)
        num_candidates = spec.num_candidates or (config.candidates.num_candidates if config else 0)
        if num_candidates:
            raise ValueError(
                f"log: comes from a two-stage world of {num_candidates} candidates; "
                f"{type(self).__name__}.fit learns scores of all items against each other and supports only "
                "worlds where every item can be chosen (candidates.num_candidates=0)"
            )
        self.belong_to(spec, public_catalog)
        generator = torch_generator(seed)
        reading = read_log(log, public_catalog, spec, training, seed)
        with single_thread(), reading as (data, held_out):
            if getattr(self.config, "shuffled_reward", False):
                data = data.with_shuffled_reward()
            self.network = build(self.make_network, generator)
            for table in self.item_tables():
                table.set_catalog(public_catalog)
            self.network.to(device).train()
            self.device = device
            total = self.config.num_updates(len(data))
            identity = identity_of(self, data, training, total, seed)
            train(self, data, held_out, generator, training, identity, progress or _silent)
            self.network.to("cpu").eval()
            self.device = torch.device("cpu")
        return self

    @torch.inference_mode()
    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """Choose for a batch of users.

        Args:
            observation: the environment's keys, leading axis B.
            generator: source of the policy's own randomness, if it has any.

        Returns:
            Decision(action [B] or [B, K] int64, propensity [B] float64): items on offer, or numbers of
            candidates where the observation has such.

        Raises:
            RuntimeError: the agent was neither fitted nor loaded.
            ValueError: the observation belongs to another scenario.
        """
        self.check_observation(observation)
        return decide_in_parts(
            lambda part: self.decide(*self._seen(part), generator), observation, self.spec.num_items
        )

    def _seen(self, observation: Observation) -> tuple[dict[str, Tensor], Choices | None]:
        """A checked batch of observations as int64 tensors, and what each user can be shown."""
        dates = self.item_tables()[0].dates
        choices = choices_in(observation, self.spec.num_items, dates, self.spec.slate_size)
        return to_tensors(observation), choices

    def item_scores(self, observation: Mapping[str, Tensor], items: Tensor | None) -> Tensor:
        """What the agent ranks items by: [B, N], or [B, M] of [B, M] items; for agents that rank items."""
        raise NotImplementedError(f"{type(self).__name__} does not rank items one by one")

    @torch.inference_mode()
    def score(self, observation: Observation) -> tuple[FloatArray, Choices | None]:
        """The scores of what each user can be shown, for the rules of `agents.acting`.

        Returns:
            ([B, n] float64, -inf for what is not on offer; the choices, None where every item is one).
        """
        self.check_observation(observation)
        tensors, choices = self._seen(observation)
        scores = self.item_scores(tensors, None if choices is None else choices.candidates)
        score: FloatArray = scores.double().numpy()
        return (score if choices is None else choices.score(score)), choices

    def learned_arrays(self) -> Mapping[str, Tensor]:
        """The network's."""
        return self.network.state_dict()

    def restore(self, arrays: Mapping[str, Tensor]) -> None:
        """The network with these weights."""
        self.network = build(self.make_network, torch_generator(0))
        self.network.load_state_dict(arrays)
        self.network.eval()


def _silent(step: int, total: int, metrics: Mapping[str, float]) -> None:
    """Report nothing."""
