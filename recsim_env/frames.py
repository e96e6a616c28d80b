"""What a person looks at: one session as frames, the first before any decision, then one per decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim_env.records import Event, Records
from recsim_env.truth import SlateTruth
from recsim_env.world import World

EVENT_NAMES = {Event.CLICK: "click", Event.LIKE: "like", Event.PURCHASE: "purchase"}


class Shown(NamedTuple):
    """One item on the slate or in the history.

    Attributes:
        item: id; topic: its topic; price: currency units.
        events: bit mask of what the user did with it.
        click_prob: exact probability of the click, before it happened; NaN in a history.
    """

    item: int
    topic: int
    price: float
    events: int
    click_prob: float = np.nan


class Frame(NamedTuple):
    """A user after a decision, hidden state included, and what the decision brought.

    Attributes:
        user_id, visit, segment: who.
        step: decisions taken so far; 0 is the frame before the first.
        hour: when this visit began; back_after: hours away, if the latest decision ended a visit and the user
            is back for the next, else 0.
        slate: the items of the latest decision, from the top; none before the first.
        history: items the user interacted with, the latest last.
        reward, total_reward: of this decision, and of the session so far.
        expected_reward, total_expected: the same in expectation, each decision given the state before it.
        interest, taste: [C] float32, cosine of interest z and long-run taste theta with each topic's centre.
        taste_match: cosine of interest with long-run taste.
        satiation: [C] float32 in [0, 1].
        satisfaction: in [0, 1]; patience: in units of step cost; a user leaves when it is spent.
        ended: whether the user has left.
    """

    user_id: int
    visit: int
    segment: int
    step: int
    hour: float
    back_after: int
    slate: tuple[Shown, ...]
    history: tuple[Shown, ...]
    reward: float
    total_reward: float
    expected_reward: float
    total_expected: float
    interest: NDArray[np.float32]
    taste: NDArray[np.float32]
    taste_match: float
    satiation: NDArray[np.float32]
    satisfaction: float
    patience: float
    ended: bool


def first_frame(world: World, state: Records) -> Frame:
    """The frame of a user, [1] USER_STATE, to whom nothing has been shown yet."""
    return _frame(world, state, (), 0.0, 0.0, 0.0, 0.0)


def next_frame(previous: Frame, world: World, state: Records, reward: float, truth: SlateTruth) -> Frame:
    """The frame after one more decision.

    Args:
        previous: the frame before it.
        world: the simulator.
        state: [1] USER_STATE after it.
        reward: what it brought.
        truth: of its slate in the state before it, one row.
    """
    user, expected = state[0], float(truth.expected_reward[0])
    shown = _describe(world, user["last_slate"], user["last_events"], truth.click_prob[0])
    totals = previous.total_reward + reward, previous.total_expected + expected
    return _frame(world, state, shown, reward, totals[0], expected, totals[1])


def event_names(events: int) -> list[str]:
    """The names of the bits of an event mask: click, like, purchase."""
    return [name for bit, name in EVENT_NAMES.items() if events & bit]


def notable_topics(frames: Sequence[Frame], count: int) -> NDArray[np.int64]:
    """At most ``count`` topics in which this session reached the highest interest, taste or satiation.

    Returns:
        topic ids, those closest to the user's long-run taste first.
    """
    taste = frames[0].taste
    peak = taste.copy()
    for frame in frames:
        np.maximum(peak, np.maximum(frame.interest, frame.satiation), out=peak)
    chosen = np.argsort(-peak, kind="stable")[:count]
    return chosen[np.argsort(-taste[chosen], kind="stable")]


def _frame(
    world: World,
    state: Records,
    slate: tuple[Shown, ...],
    reward: float,
    total_reward: float,
    expected: float,
    total_expected: float,
) -> Frame:
    user = state[0]
    return Frame(
        user_id=int(user["user_id"]),
        visit=int(user["visit"]),
        segment=int(user["segment"]),
        step=int(user["decisions"]),
        hour=float(user["hour"]),
        back_after=int(user["hours_away"]) if user["decisions"] and not user["step"] else 0,
        slate=slate,
        history=_describe(world, user["history_items"], user["history_events"]),
        reward=reward,
        total_reward=total_reward,
        expected_reward=expected,
        total_expected=total_expected,
        interest=world.topic_centres @ user["interest"],
        taste=world.topic_centres @ user["taste"],
        taste_match=float(user["interest"] @ user["taste"]),
        satiation=user["satiation"].copy(),
        satisfaction=float(user["satisfaction"]),
        patience=float(user["patience"]),
        ended=bool(user["ended"]),
    )


def _describe(
    world: World,
    items: NDArray[np.int32],
    events: NDArray[np.uint8],
    click_prob: NDArray[np.float32] | None = None,
) -> tuple[Shown, ...]:
    """The items that there are; the id N stands for none."""
    probs = np.full(len(items), np.nan) if click_prob is None else click_prob
    return tuple(
        Shown(item, int(world.items["topic"][item]), float(world.items["price"][item]), done, prob)
        for item, done, prob in zip(items.tolist(), events.tolist(), probs.tolist(), strict=True)
        if item < len(world.items)
    )
