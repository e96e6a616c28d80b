"""What there is to choose from: which items, or candidates, are on offer to each user of a batch.

Plain worlds offer every item at every hour; there `choices_in` returns None and agents take their short way.
In dated worlds an item is on offer from one hour of the run to another; the choices are the items on offer.
In two-stage worlds the observation names M candidates, and actions are their numbers. Symbols: B users, N
items, n choices, K slots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.sampling import FloatArray, IntArray, as_action, top_k
from agents.spec import Observation
from recsim_env import Decision

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog


MOST_SCORES = 2**26
"""How many scores are held at once; larger batches of users are decided in parts."""


class Dates(NamedTuple):
    """When items are on offer: from hour `born` to before hour `gone` of the run, [N] int64 each."""

    born: IntArray
    gone: IntArray

    @classmethod
    def of(cls, catalog: PublicCatalog | None) -> Dates | None:
        """Those of a catalog; None when there is none, or when its items are always on offer."""
        if catalog is None or catalog.born is None or catalog.gone is None:
            return None
        return cls(catalog.born, catalog.gone)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Tensor]) -> Dates | None:
        """Those among saved arrays, as `saved_dates` put them there; None when there are none."""
        return cls(arrays["born"].numpy(), arrays["gone"].numpy()) if "born" in arrays else None


def saved_dates(dates: Dates | None) -> dict[str, Tensor]:
    """The arrays of an agent that acts by these dates."""
    return {} if dates is None else {name: torch.tensor(array) for name, array in dates._asdict().items()}


@dataclass(frozen=True, eq=False)
class Choices:
    """The n choices of each user, numbered from 0, and which of them are on offer.

    Users who have the same choices share a row of them. In dated worlds those on offer come first.

    Attributes:
        items: [R, n] int64, the item of each choice; any where none is on offer.
        available: [R, n] bool.
        row: [B] int64 in [0, R), the row of each user.
        numbered: whether actions are the numbers of choices (two-stage worlds), not their items.
    """

    items: IntArray
    available: NDArray[np.bool_]
    row: IntArray
    numbered: bool

    @property
    def count(self) -> IntArray:
        """[B] int64: how many choices are on offer to each user."""
        return np.count_nonzero(self.available, axis=1)[self.row]

    @property
    def candidates(self) -> Tensor | None:
        """[B, n] int64 items for networks that can score some items only; None: let them score all."""
        return torch.from_numpy(self.items[self.row]) if self.numbered else None

    def score(self, score: NDArray[Any]) -> NDArray[Any]:
        """[B, n] scores of the choices, -inf for what is not on offer, so that it ranks last.

        Args:
            score: floating, [B, n] of the choices where actions are their numbers, else [B, N] of all items.
        """
        if not self.numbered:
            score = np.take_along_axis(score, self.items[self.row], axis=1)
        return np.where(self.available[self.row], score, score.dtype.type(-np.inf))

    def draw(self, num_slots: int, generator: np.random.Generator) -> tuple[IntArray, FloatArray]:
        """Slates of K distinct choices on offer, all ordered ones with the same probability.

        Slots for which nothing is left on offer take the smallest of the other numbers.

        Returns:
            (slate [B, K] int64, its probability [B] float64).
        """
        count = self.count
        rank = np.empty((len(count), num_slots), np.int64)
        propensity = np.ones(len(count))
        for slot in range(num_slots):
            left = np.maximum(count - slot, 1)
            drawn = generator.integers(left)
            for earlier in np.sort(rank[:, :slot], axis=1).T:  # the drawn-th of those not drawn before
                drawn += earlier <= drawn
            rank[:, slot] = drawn
            propensity /= left
        if self.numbered:  # the rank-th on offer, then the rest
            rank = np.argsort(~self.available, axis=1, kind="stable")[self.row[:, None], rank]
        return rank, propensity

    def action(self, slate: IntArray) -> IntArray:
        """Slates of choices, [B, K], as the environment's action, [B] or [B, K]."""
        return as_action(slate if self.numbered else self.items[self.row[:, None], slate])


def action_of(slate: IntArray, choices: Choices | None) -> IntArray:
    """Slates of choices, [B, K], or of items where every item is a choice, as the environment's action."""
    return as_action(slate) if choices is None else choices.action(slate)


def best_action(score: NDArray[Any], choices: Choices | None, num_slots: int) -> IntArray:
    """The action that shows the K highest scores, best first: [B] or [B, K]; scores as `Choices.score`'s."""
    return action_of(top_k(score if choices is None else choices.score(score), num_slots), choices)


def best_decision(score: NDArray[Any], choices: Choices | None, num_slots: int) -> Decision:
    """To show each user the K highest of their choices' scores, [B, n], best first, with certainty."""
    slate = top_k(score, num_slots)
    return Decision(action_of(slate, choices), np.ones(len(slate)))


def decide_in_parts(
    decide: Callable[[Observation], Decision], observation: Observation, num_scores: int
) -> Decision:
    """What `decide` says of a batch, asked for as many users at once as `MOST_SCORES` allows.

    Args:
        decide: observation of some users -> their decisions.
        observation: checked; arrays with a leading axis B.
        num_scores: of one user.
    """
    size, count = max(1, MOST_SCORES // num_scores), len(observation["segment"])
    parts = [
        decide({key: column[start : start + size] for key, column in observation.items()})
        for start in range(0, max(count, 1), size)
    ]
    return parts[0] if len(parts) == 1 else Decision(*map(np.concatenate, zip(*parts, strict=True)))


def decide_by_score(
    score: Callable[[Observation], tuple[NDArray[Any], Choices | None]],
    observation: Observation,
    num_items: int,
    num_slots: int,
) -> Decision:
    """To show each user of a checked batch the K best of the choices that `score` scores, in parts."""
    return decide_in_parts(lambda part: best_decision(*score(part), num_slots), observation, num_items)


def choices_in(
    observation: Observation, num_items: int, dates: Dates | None, slate_size: int
) -> Choices | None:
    """What a batch of users can be shown; None when that is every item, always.

    There are always K choices, so that a slate can be filled when fewer are on offer.

    Args:
        observation: the environment's keys; two-stage worlds have `candidates` [B, M], N where one is not on
            offer, worlds with a run `hour` [B, 1].
        num_items: N.
        dates: of the items, if they have any.
        slate_size: K.

    Raises:
        KeyError: the items have dates, and the observation has no hour.
        ValueError: a candidate is no item.
    """
    if "candidates" in observation:
        items = np.asarray(observation["candidates"], np.int64)
        wrong = (items < 0) | (items > num_items)
        if wrong.any():
            row, place = (int(axis[0]) for axis in np.nonzero(wrong))
            raise ValueError(
                f"observation['candidates'][{row}, {place}]: expected in [0, {num_items}], "
                f"got {int(items[row, place])}"
            )
        available = items < num_items
        return Choices(np.where(available, items, 0), available, np.arange(len(items)), True)
    if dates is None:
        return None
    if "hour" not in observation:
        raise KeyError(
            "observation: key 'hour' is missing, which says what of a dated catalog is on offer; "
            f"got {sorted(observation)}"
        )
    hours, users = np.unique(np.asarray(observation["hour"]).reshape(-1), return_inverse=True)
    on_offer = (dates.born <= hours[:, None]) & (hours[:, None] < dates.gone)
    width = max(int(np.count_nonzero(on_offer, axis=1).max(initial=0)), slate_size)
    items = np.argsort(~on_offer, axis=1, kind="stable")[:, :width]  # in order of their ids
    return Choices(items, np.take_along_axis(on_offer, items, axis=1), users.reshape(-1), False)
