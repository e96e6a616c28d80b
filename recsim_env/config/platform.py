"""The platform: what it values, and the time over which it runs and its world changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from recsim_env.checked import Section, nearest, real, whole


@dataclass(frozen=True)
class RewardConfig(Section):
    """What the modeller values.

    reward = click * clicks + like * likes + purchase * sum of price^price_exponent over purchases.

    Attributes:
        click, like, purchase: weight of one event; the defaults are those of the project's scenarios.
        price_exponent: 0 counts purchases, 1 counts revenue.
    """

    click: float = real(0.2, -1e6, 1e6)
    like: float = real(0.5, -1e6, 1e6)
    purchase: float = real(1.0, -1e6, 1e6)
    price_exponent: float = real(0.0, -2.0, 2.0)


class ChangeKind(IntEnum):
    """How a change sets in; the member's name in lower case is its name in configs."""

    SUDDEN = 0
    GRADUAL = 1
    RECURRING = 2


MAX_CHANGES = 8


@dataclass(frozen=True)
class RunConfig(Section):
    """The clock: when users arrive. Without a run there is none, and everything happens at hour 0.

    Attributes:
        run_hours: length of the run; 0 for none.
        run_users: users who arrive over the run, evenly: user u at hour run_hours (u mod run_users) /
            run_users.
    """

    run_hours: float = real(0.0, 0.0, 1e6)
    run_users: int = whole(10_000, 1, 2**40)


@dataclass(frozen=True)
class Change(Section):
    """One change of the world during the run.

    Its level rises from 0 to 1: at once (sudden), in proportion to time over ``length`` hours (gradual), or
    to and fro with period ``length`` as x^2 (3 - 2 x) of a triangle wave x (recurring).

    Attributes:
        kind: 'sudden', 'gradual' or 'recurring'.
        start: hour at which it sets in.
        length: hours; not used by a sudden change.
        topic_shift: users who used to want topic c want topic (c + topic_shift) mod C.
        taste_share: how far taste goes from the one to the other at level 1. It is that of the hour at which
            a user arrives.
        appeal_share: how far the items' appeal goes from what it was to another draw at level 1, at the hour
            of a visit.
        segment: whom it concerns; -1 for all.
    """

    kind: str = "sudden"
    start: float = real(0.0, 0.0, 1e6)
    length: float = real(24.0, 1e-3, 1e6)
    topic_shift: int = whole(1, 0, 10_000)
    taste_share: float = real(0.0, 0.0, 1.0)
    appeal_share: float = real(0.0, 0.0, 1.0)
    segment: int = whole(-1, -1, 10_000)

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [member.name.lower() for member in ChangeKind]
        if self.kind not in names:
            raise ValueError(f"Change.kind: got {self.kind!r}; {nearest(str(self.kind), names)}")
