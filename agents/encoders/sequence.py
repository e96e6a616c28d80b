"""From an observation to a state vector: tokens of items and event types, any sequence model, the context.

Symbols: B users, K slots, N items, H history, T = H + 1 tokens, D representation size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.encoders.caser import Caser
from agents.encoders.gru import GRU
from agents.encoders.items import ItemTable
from agents.encoders.nextitnet import NextItNet
from agents.encoders.sasrec import SASRec
from agents.spec import NUM_EVENT_MASKS, ObservationSpec

ENCODERS: dict[str, Callable[[int, int], nn.Module]] = {
    "gru": GRU,
    "caser": Caser,
    "nextitnet": NextItNet,
    "sasrec": SASRec,
}
"""Name -> maker of the sequence model of a representation size D and a number of tokens T.

Each maps tokens [B, T, D], the latest last, and which of them are there, [B, T] bool (the last always is),
to [B, D]. Their sizes are those that Xin et al. (2020), section 4.1.4, and their code compare. Dropout is
left out of all of them (Ours: PyTorch draws it from the global generator, and simulated logs can be made as
long as a model needs).
"""


def check_encoder(name: str) -> None:
    """Raises ValueError unless it is a name of `ENCODERS`."""
    if name not in ENCODERS:
        raise ValueError(f"encoder: expected one of {', '.join(ENCODERS)}, got {name!r}")


class SequenceEncoder(nn.Module):
    """A sequence model over the visible history and the last slate's outcome, then the user's context.

    Token of history entry j:  x_{item_j} + E_event[events_j]
    Token of the last slate:   mean over its slots of (x_{item_k} + E_outcome[events_k]); zero before the
        first slate
    State:  relu(W [summary, E_segment, log(1 + session_step)] + b) + summary, the sequence model's
        output

    Source: SQN (Xin et al. 2020) for the choice of sequence models and the sizes 10 and 64; event types, the
    slate token and the context are Ours (without the slate token a skip would be invisible).

    Args:
        spec: sizes of the scenario.
        num_topics: of the catalog.
        dim: D.
        encoder: a name of `ENCODERS`.
    """

    def __init__(self, spec: ObservationSpec, num_topics: int, dim: int = 64, encoder: str = "gru") -> None:
        super().__init__()
        self.spec = spec
        self.dim = dim
        self.items = ItemTable(spec.num_items, num_topics, dim, spec.has_hour)
        self.history_event = nn.Embedding(NUM_EVENT_MASKS, dim, padding_idx=0)
        self.slate_event = nn.Embedding(NUM_EVENT_MASKS, dim)
        self.segment = nn.Embedding(spec.num_segments, dim)
        self.step = nn.Linear(1, dim)
        self.sequence = ENCODERS[encoder](dim, spec.history_length + 1)
        self.context = nn.Linear(2 * dim, dim)

    def forward(self, observation: Mapping[str, Tensor], table: Tensor | None = None) -> Tensor:
        """Encode a batch.

        Args:
            observation: the environment's keys as integer tensors, [B, H], [B, H], [B, K], [B, K], [B], [B,
                1].
            table: [N + 1, D], `self.items()` when it is at hand already.

        Returns:
            [B, D] float32 state.
        """
        table = self.items() if table is None else table
        items = observation["history_items"]
        history = nn.functional.embedding(items, table)
        history = history + self.history_event(observation["history_events"])
        slate = observation["last_slate"]
        shown = (slate != self.spec.num_items).unsqueeze(-1)
        outcome = nn.functional.embedding(slate, table) + self.slate_event(observation["last_events"])
        last = (outcome * shown).sum(1, keepdim=True) / shown.sum(1, keepdim=True).clamp(min=1)
        present = nn.functional.pad(items != self.spec.num_items, (0, 1), value=True)
        summary: Tensor = self.sequence(torch.cat([history, last], dim=1), present)
        step = torch.log1p(observation["session_step"].reshape(-1, 1).to(summary.dtype))
        context = self.segment(observation["segment"].reshape(-1)) + self.step(step)
        return summary + torch.relu(self.context(torch.cat([summary, context], dim=1)))


def to_tensors(observation: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """The observation's arrays as int64 tensors (`session_step` and `segment` as [B, 1] and [B])."""
    return {
        key: torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64))
        for key, array in observation.items()
    }
