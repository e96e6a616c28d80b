"""SlateQ: the value of a slate as that of what the user may click, learned item by item from a log.

Source: Ie, Jain, Wang, Narvekar, Agarwal, Wu, Cheng, Chandra and Boutilier (2019), "SlateQ: a tractable
decomposition for reinforcement learning with recommendation sets", IJCAI.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from agents.choices import Choices
from agents.encoders import ItemScorer, ItemTable, SequenceEncoder
from agents.learning.batches import LogTensors, check_n_steps, gather
from agents.learning.offline import OfflineAgent, TrainingConfig
from agents.losses import td_loss
from agents.sampling import FloatArray, as_action
from agents.seeding import deep_copy
from agents.spec import Observation, ObservationSpec
from agents.value.slate_choice import SEARCHES, SlateSearch, best_slates, choice_log_prob, slate_value
from recsim_env import Decision

LARGEST_UTILITY = 30.0
"""Beyond this a click is certain in float32."""
POPULARITY = 1
"""Column of log popularity among the public features of an item."""


@dataclass(frozen=True)
class SlateQConfig(TrainingConfig):
    """Settings of SlateQ.

    Attributes:
        gamma: discount, in [0, 1]; 1 only where the horizon ends; 0 is the control without foresight.
        choice: "learned" gives every item a utility that depends on the user; "popularity" takes c + d log
            base popularity with two learned numbers, a control.
        search: how the best slate is found, see `agents.value.slate_choice.best_slates`.
        target_interval: updates between copies into the target network.
        bootstrap: what follows is worth "max", the best slate, or "logged", the one that the log shows next:
            the paper's two learners, Q-learning and SARSA; see `ValueConfig`.
        episodic: whether nothing counts after a session's last row, though the user had not left; see
            `DQNConfig`.
        n_steps: decisions whose logged rewards a target adds up before values take over; see `ValueConfig`.
        shuffled_reward: the control in which values have nothing to learn; see `ValueConfig`.
    """

    gamma: float = 0.9
    choice: Literal["learned", "popularity"] = "learned"
    search: SlateSearch = "exact"
    target_interval: int = 200
    bootstrap: Literal["max", "logged"] = "max"
    episodic: bool = False
    n_steps: int = 1
    shuffled_reward: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.gamma <= 1.0 or (self.gamma == 1.0 and not self.episodic):
            raise ValueError(f"gamma: expected in [0, 1), or 1 where episodic, got {self.gamma}")
        if self.choice not in ("learned", "popularity"):
            raise ValueError(f"choice: expected 'learned' or 'popularity', got {self.choice!r}")
        if self.search not in SEARCHES:
            raise ValueError(f"search: expected one of {', '.join(SEARCHES)}, got {self.search!r}")
        if self.bootstrap not in ("max", "logged"):
            raise ValueError(f"bootstrap: expected 'max' or 'logged', got {self.bootstrap!r}")
        if self.target_interval < 1:
            raise ValueError(f"target_interval: expected at least 1, got {self.target_interval}")
        check_n_steps(self.n_steps)


class SlateQNetwork(nn.Module):
    """Encoder, what a click is worth, and what is clicked.

    q(s, none) = v(s), q(s, a) = v(s) + A(s, a): what a click changes is learned as a difference, since most
    decisions end without one (as in the dueling network of Wang et al. 2016; no mean is taken out, because
    v has a meaning of its own).
    Examination of position k: (k + 1)^-softplus(p), p learned, the curve of search result pages.
    """

    def __init__(self, spec: ObservationSpec, num_topics: int, dim: int, encoder: str, choice: str) -> None:
        super().__init__()
        self.encoder = SequenceEncoder(spec, num_topics, dim, encoder)
        self.gain = ItemScorer(spec.num_items, dim)
        self.none = nn.Linear(dim, 1)
        self.choice = ItemScorer(spec.num_items, dim) if choice == "learned" else None
        self.popularity = nn.Parameter(torch.zeros(2))
        self.position = nn.Parameter(torch.zeros(1))
        self.num_slots = spec.slate_size

    def log_examination(self) -> Tensor:
        """[K] float <= 0, falling."""
        place = torch.arange(1, self.num_slots + 1, dtype=torch.float32, device=self.position.device)
        return -nn.functional.softplus(self.position) * torch.log(place)

    def forward(
        self, observation: Mapping[str, Tensor], items: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(utility [B, N], q of a click [B, N], q of none [B]); of [B, M] integer items: [B, M] each."""
        table = self.encoder.items()
        state = self.encoder(observation, table)
        q_none = self.none(state)
        if items is None:
            gain = self.gain(state, table)
            utility = self._popular(None) if self.choice is None else self.choice(state, table)
        else:
            gain = self.gain.of_items(state, table, items)
            utility = (
                self._popular(items) if self.choice is None else self.choice.of_items(state, table, items)
            )
        return utility.expand_as(gain).clamp(max=LARGEST_UTILITY), q_none + gain, q_none.squeeze(1)

    def _popular(self, items: Tensor | None) -> Tensor:
        popularity = self.encoder.items.features[:, POPULARITY]
        shown = popularity[None] if items is None else popularity[items.long()]
        return self.popularity[0] + self.popularity[1] * shown


class SlateQ(OfflineAgent):
    """Values of clicks by Q-learning over slates, clicks by a logit choice model, both from a log.

    Q(s, A) = sum_{i in A + none} P(i | s, A) q(s, i)
    q(s_t, i_t) <- r_t + gamma max_A Q(s_{t+1}, A),   i_t what was clicked, or none
                or r_t + gamma Q(s_{t+1}, A_{t+1}),   with `bootstrap="logged"`

    Assumes that a user clicks one item of a slate or none, by the logit model, and that reward and future
    depend on the slate through that click alone (Ie et al. 2019, assumptions 1 and 2: SC and RTDS). P is
    learned by maximum likelihood beside q, on the same encoder; gradients of both reach it. The maximum is
    the target network's. In dated worlds it is taken over what is on offer at the next decision, if the log
    says the hour.

    After each copy into the target network the level of all values moves at once to where the new targets
    are on average, so that the encoder learns what tells states apart, not how much they have in common
    (Ours; of a far-sighted value that is most, as in Naik et al. 2024, "Reward centering").

    Acts by the best slate (`config.search`); deterministic, propensity 1.
    """

    name = "slateq"
    config_class = SlateQConfig

    def make_network(self) -> nn.Module:
        """One network; the target network lives in the training only."""
        config: SlateQConfig = self.config
        return SlateQNetwork(self.spec, self.num_topics, config.dim, config.encoder, config.choice)

    def item_tables(self) -> list[ItemTable]:
        """The encoder's."""
        return [self._own().encoder.items]

    def _own(self) -> SlateQNetwork:
        assert isinstance(self.network, SlateQNetwork)
        return self.network

    def begin(self, data: LogTensors) -> list[torch.optim.Optimizer]:
        """One, and a target network.

        Raises:
            ValueError: some decision has more than one click.
        """
        clicks = data.clicked.sum(1)
        if (clicks > 1).any():
            row = int(torch.argmax((clicks > 1).int()))
            raise ValueError(
                f"log: row {row} has {int(clicks[row])} clicks; SlateQ expects at most one per slate"
            )
        self._target, self._num_updates = deep_copy(self._own()), 0
        self._optimizer = torch.optim.Adam(
            self.network.parameters(), lr=self.config.learning_rate, fused=True
        )
        return [self._optimizer]

    def update(
        self, data: LogTensors, rows: Tensor, done: float, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """One step on both losses."""
        network, clicked = self._own(), data.clicked[rows]
        none = ~clicked.any(1, keepdim=True)
        option = torch.cat([clicked, none], dim=1).int().argmax(1, keepdim=True)
        copies = self.learning and self._num_updates % self.config.target_interval == 0
        if copies:
            self._target.load_state_dict(self.network.state_dict())
        q_target = self._target_value(data, rows)
        utility, q, q_none = network(gather(data.observation, rows), data.item[rows])
        log_prob = choice_log_prob(utility, network.log_examination())
        loss_choice = -log_prob.gather(1, option).mean()
        q_t = torch.cat([q, q_none[:, None]], dim=1).gather(1, option).squeeze(1)
        if copies:
            gap = (q_target - q_t.detach()).mean()
            with torch.no_grad():
                network.none.bias.add_(gap)
            q_t = q_t + gap
        self._num_updates += int(self.learning)
        loss_q = td_loss(q_t, q_target).mean()
        loss = loss_choice + loss_q
        self.descend(self._optimizer, network, loss)
        return {
            "loss": loss.detach(),
            "choice": loss_choice.detach(),
            "td": loss_q.detach(),
            "value": q_t.detach().mean(),
        }

    @torch.no_grad()
    def _target_value(self, data: LogTensors, rows: Tensor) -> Tensor:
        """[b] float: rewards plus the discounted worth of what follows them, the best or the logged slate."""
        config: SlateQConfig = self.config
        if config.gamma == 0:
            return data.reward[rows]
        ends_with_log = config.episodic or config.bootstrap == "logged"
        ahead = data.n_step_return(rows, config.gamma, config.n_steps, ends_with_log)
        following = gather(data.next_observation, ahead.last_row)
        if config.bootstrap == "logged":
            worth = self._logged_worth(following, data.shown_next(ahead.last_row))
        else:
            worth = self._best_worth(following)
        return data.reward[rows] + ahead.reward + ahead.discount * worth

    def _best_worth(self, observation: Mapping[str, Tensor]) -> Tensor:
        """[b] max_A Q(s, A) of the target network, over what is on offer if the log says the hour."""
        utility, q, q_none = self._target(observation)
        table = self._target.encoder.items
        if table.has_dates and "hour" in observation:
            utility = utility.masked_fill(~table.on_offer(observation["hour"]), -torch.inf)
        examination = self._target.log_examination().exp()
        _, worth = best_slates(utility.exp(), q, q_none, examination, self.config.search)
        return worth

    def _logged_worth(self, observation: Mapping[str, Tensor], slate: Tensor) -> Tensor:
        """[b] Q(s, A) of the target network for slates [b, K]."""
        utility, q, q_none = self._target(observation, slate)
        return slate_value(utility.exp(), q, q_none, self._target.log_examination().exp())

    def _offered(
        self, observation: Mapping[str, Tensor], choices: Choices | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(weight [B, n], 0 for what is not on offer; q of a click [B, n]; q of none [B]) of every choice."""
        utility, q, q_none = self._own()(observation, None if choices is None else choices.candidates)
        if choices is not None:
            if not choices.numbered:
                items = torch.from_numpy(choices.items[choices.row])
                utility, q = utility.gather(1, items), q.gather(1, items)
            utility = utility.masked_fill(~torch.from_numpy(choices.available[choices.row]), -torch.inf)
        return utility.exp(), q, q_none

    @torch.inference_mode()
    def score(self, observation: Observation) -> tuple[FloatArray, Choices | None]:
        """W (q - L), L the worth of the best slate: the K highest are that slate; as `OfflineAgent.score`."""
        self.check_observation(observation)
        tensors, choices = self._seen(observation)
        weight, q, q_none = self._offered(tensors, choices)
        _, worth = best_slates(weight, q, q_none, self._own().log_examination().exp())
        gain = (weight * (q - worth[:, None])).masked_fill(weight == 0, -torch.inf)
        return gain.double().numpy(), choices

    def decide(
        self, observation: Mapping[str, Tensor], choices: Choices | None, generator: np.random.Generator
    ) -> Decision:
        """The best slate of what is on offer."""
        weight, q, q_none = self._offered(observation, choices)
        examination = self._own().log_examination().exp()
        slate, _ = best_slates(weight, q, q_none, examination, self.config.search)
        action = as_action(slate.numpy()) if choices is None else choices.action(slate.numpy())
        return Decision(action, np.ones(len(action)))
