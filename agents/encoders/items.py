"""Item representations, and scores of items from a state: two ends of the same table.

Symbols: B users, K slots, N items, D representation size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.choices import Dates

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog

NUM_FEATURES = 2
ALWAYS = torch.iinfo(torch.int64)
"""The hours from which and until which items without dates are on offer."""


class ItemTable(nn.Module):
    """Item representations: id embedding + topic embedding + linear map of two public features.

    x_a = E_id[a] + E_topic[topic(a)] + W [standardised log price, standardised log base popularity]
    x_N = 0 (padding)

    The public features are buffers, so they travel inside `state_dict` and a loaded agent needs no catalog.
    With `has_dates` so are the hours at which items are on offer.

    Source: Ours: the sum of embeddings of an item's attributes, as in Covington et al. (2016), section 3.2.
    """

    topic: Tensor
    features: Tensor
    born: Tensor
    gone: Tensor

    def __init__(self, num_items: int, num_topics: int, dim: int, has_dates: bool = False) -> None:
        super().__init__()
        self.num_items, self.has_dates = num_items, has_dates
        self.id_embedding = nn.Embedding(num_items + 1, dim, padding_idx=num_items)
        self.topic_embedding = nn.Embedding(num_topics, dim)
        self.feature_map = nn.Linear(NUM_FEATURES, dim, bias=False)
        self.register_buffer("topic", torch.zeros(num_items, dtype=torch.int64))
        self.register_buffer("features", torch.zeros(num_items, NUM_FEATURES))
        if has_dates:
            self.register_buffer("born", torch.full((num_items,), ALWAYS.min))
            self.register_buffer("gone", torch.full((num_items,), ALWAYS.max))

    def set_catalog(self, catalog: PublicCatalog) -> None:
        """Copy the public side of a catalog into the buffers.

        Raises:
            ValueError: the catalog has another number of items or topics than this table, or dates that it
                has no room for.
        """
        if len(catalog.topic) != self.num_items:
            raise ValueError(
                f"public_catalog: {len(catalog.topic)} items, this agent was made for {self.num_items}"
            )
        num_topics = self.topic_embedding.num_embeddings
        if catalog.num_topics != num_topics:
            raise ValueError(
                f"public_catalog: {catalog.num_topics} topics, this agent was made for {num_topics}"
            )
        dates = Dates.of(catalog)
        if dates is not None and not self.has_dates:
            raise ValueError(
                "public_catalog: its items have dates, this agent was made for a world without hours"
            )
        if self.has_dates:
            self.born.copy_(torch.tensor(dates.born) if dates else torch.tensor(ALWAYS.min))
            self.gone.copy_(torch.tensor(dates.gone) if dates else torch.tensor(ALWAYS.max))
        self.topic.copy_(torch.from_numpy(np.array(catalog.topic, dtype=np.int64)))
        self.features.copy_(torch.from_numpy(public_features(catalog)))

    @property
    def dates(self) -> Dates | None:
        """When items are on offer; None where all of them are, always."""
        if not self.has_dates or (self.born == ALWAYS.min).all():
            return None
        return Dates(self.born.cpu().numpy(), self.gone.cpu().numpy())

    def on_offer(self, hour: Tensor) -> Tensor:
        """[B, N] bool at integer hours [B, 1]; the table must have dates."""
        return (self.born <= hour) & (hour < self.gone)

    def forward(self) -> Tensor:
        """[N + 1, D] float32: one row per item, the last for padding (zeros)."""
        items = (
            self.id_embedding.weight[:-1] + self.topic_embedding(self.topic) + self.feature_map(self.features)
        )
        return torch.cat([items, items.new_zeros(1, items.shape[1])])


def public_features(catalog: PublicCatalog) -> NDArray[np.float32]:
    """Log price and log base popularity, each standardised over the catalog: [N, 2] float32."""
    price = np.log(np.asarray(catalog.price, dtype=np.float64))
    popularity = np.log(np.asarray(catalog.base_popularity, dtype=np.float64))
    columns = [_standardise(price), _standardise(popularity)]
    return np.stack(columns, axis=1).astype(np.float32)


def _standardise(column: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = column.std()
    return (column - column.mean()) / spread if spread > 0 else np.zeros_like(column)


class ItemScorer(nn.Module):
    """Scores of items from a state: <W s, x_a> / sqrt(D) + b_a, with the encoder's own item representations.

    Source: tied input and output embeddings, Press and Wolf (2017); item bias as in Koren et al. (2009).
    """

    def __init__(self, num_items: int, dim: int) -> None:
        super().__init__()
        self.query = nn.Linear(dim, dim)
        self.bias = nn.Parameter(torch.zeros(num_items))
        self.scale = dim**-0.5

    def forward(self, state: Tensor, table: Tensor) -> Tensor:
        """[B, D] state, [N + 1, D] table -> [B, N] scores."""
        return torch.addmm(self.bias, self.query(state) * self.scale, table[:-1].T)

    def of_shared(self, state: Tensor, table: Tensor, items: Tensor) -> Tensor:
        """The same for a few items, the same for all: [B, D], [N + 1, D], [J] integer -> [B, J]."""
        chosen = nn.functional.embedding(items, table)
        return torch.addmm(self.bias[items], self.query(state) * self.scale, chosen.T)

    def of_items(self, state: Tensor, table: Tensor, items: Tensor) -> Tensor:
        """The same for chosen items of each user: [B, D], [N + 1, D], [B, K] integer -> [B, K]."""
        chosen = nn.functional.embedding(items, table)
        return torch.einsum("bd,bkd->bk", self.query(state) * self.scale, chosen) + self.bias[items.long()]


class DuelingScorer(ItemScorer):
    """Scores with a level of the state that all items share: v(s) + <W s, x_a> / sqrt(D) + b_a.

    Source: Wang et al. (2016), "Dueling network architectures for deep reinforcement learning"; no mean over
    items is taken out (their eq. 7), which leaves the ranking as it is.
    """

    def __init__(self, num_items: int, dim: int) -> None:
        super().__init__(num_items, dim)
        self.level = nn.Linear(dim, 1)

    def forward(self, state: Tensor, table: Tensor) -> Tensor:
        """As `ItemScorer`."""
        return super().forward(state, table) + self.level(state)

    def of_shared(self, state: Tensor, table: Tensor, items: Tensor) -> Tensor:
        """As `ItemScorer`."""
        return super().of_shared(state, table, items) + self.level(state)

    def of_items(self, state: Tensor, table: Tensor, items: Tensor) -> Tensor:
        """As `ItemScorer`."""
        return super().of_items(state, table, items) + self.level(state)
