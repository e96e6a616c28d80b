"""The network of policy gradients: an encoder, a softmax policy, and heads that leave the encoder alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from agents.encoders import ItemScorer, SequenceEncoder
from agents.spec import ObservationSpec


class PolicyOutput(NamedTuple):
    """What the network says of B states.

    Attributes:
        logits: [B, n] of the policy.
        baseline: [B], expected return of the state.
        behaviour: [B, N] logits of the logging policy, None without that head.
        value: [B, n] predicted return of every item, None without that head.
    """

    logits: Tensor
    baseline: Tensor
    behaviour: Tensor | None
    value: Tensor | None


class PolicyNetwork(nn.Module):
    """Encoder and policy, which the policy's loss trains, and further heads on the state alone.

    The heads read the state with its gradient blocked and have item embeddings of their own: what they
    learn never moves the policy.

    Args:
        spec: sizes of the scenario.
        num_topics: of the catalog.
        dim: size of embeddings and hidden state.
        encoder: name of the sequence model.
        behaviour_head: whether to model the logging policy.
        value_head: whether to model the return of every item.

    Source: Chen et al. (2019), section 4.2 and figure 1, for the behaviour head; the baseline and the reward
    model likewise are Ours.
    """

    def __init__(
        self,
        spec: ObservationSpec,
        num_topics: int,
        dim: int,
        encoder: str,
        behaviour_head: bool = False,
        value_head: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = SequenceEncoder(spec, num_topics, dim, encoder)
        self.policy = ItemScorer(spec.num_items, dim)
        self.baseline = nn.Linear(dim, 1)
        self.behaviour = nn.Linear(dim, spec.num_items) if behaviour_head else None
        self.value = nn.Linear(dim, spec.num_items) if value_head else None

    def forward(self, observation: Mapping[str, Tensor], items: Tensor | None = None) -> PolicyOutput:
        """Outputs for all items, n = N, or for chosen ones, [B, n] integer."""
        table = self.encoder.items()
        state = self.encoder(observation, table)
        logits = self.policy(state, table) if items is None else self.policy.of_items(state, table, items)
        blocked = state.detach()
        value = None if self.value is None else self.value(blocked)
        if value is not None and items is not None:
            value = value.gather(1, items)
        behaviour = None if self.behaviour is None else self.behaviour(blocked)
        return PolicyOutput(logits, self.baseline(blocked).squeeze(1), behaviour, value)
