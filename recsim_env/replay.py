"""Logged users once more, with other recommendations and the same luck: true counterfactuals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim_env.actions import find_invalid
from recsim_env.config import WorldConfig
from recsim_env.event_log import EventLog, sorted_columns
from recsim_env.policy import Policy
from recsim_env.records import Event
from recsim_env.rollout import DEFAULT_BATCH, Impressions, check_user_ids, check_whole, rollout
from recsim_env.scripted import ScriptedPolicy, episode_starts
from recsim_env.streams import MAX_STEP, STREAM_VERSION
from recsim_env.world import World

NORMAL_95 = 1.959963984540054
"""The 97.5 % point of the standard normal distribution."""

NEEDED = ("config", "seed", "max_steps", "stream_version")
STARTS = ("history_items", "history_events", "segment")


class UserTotals(NamedTuple):
    """Sums over each user's decisions, [U] each.

    Attributes:
        reward, revenue: float64; revenue is the price of what was bought.
        length: int64, decisions; clicks, likes, purchases: int64.
    """

    reward: NDArray[np.float64]
    length: NDArray[np.int64]
    clicks: NDArray[np.int64]
    likes: NDArray[np.int64]
    purchases: NDArray[np.int64]
    revenue: NDArray[np.float64]


class Effect(NamedTuple):
    """What the other recommendations changed, user by user.

    Attributes:
        per_user: [U] float64, replayed minus logged.
        mean, standard_error: of the U differences; the error is NaN for a single user.
        lower, upper: 95 % interval of the mean by the normal approximation, for some dozens of users or more.
    """

    per_user: NDArray[np.float64]
    mean: float
    standard_error: float
    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class Replay:
    """A log and its counterfactual, the same users in both.

    Attributes:
        logged: the rows of the replayed users, as given.
        replayed: what these users did with the other recommendations; episodes may be shorter or longer.
        user_ids: [U] int64, ascending.
    """

    logged: EventLog
    replayed: EventLog
    user_ids: NDArray[np.int64]

    @property
    def before(self) -> UserTotals:
        """Totals of the log, in the order of ``user_ids``."""
        return user_totals(self.logged)

    @property
    def after(self) -> UserTotals:
        """Totals of the replay, in the order of ``user_ids``."""
        return user_totals(self.replayed)

    def effect(self, quantity: str = "reward") -> Effect:
        """The treatment effect on one of the ``UserTotals``, replayed minus logged.

        Raises:
            ValueError: there is no such quantity.
        """
        if quantity not in UserTotals._fields:
            raise ValueError(f"quantity: expected one of {', '.join(UserTotals._fields)}, got {quantity!r}")
        change = np.subtract(getattr(self.after, quantity), getattr(self.before, quantity), dtype=np.float64)
        mean = float(change.mean())
        error = float(change.std(ddof=1) / np.sqrt(len(change))) if len(change) > 1 else float("nan")
        return Effect(change, mean, error, mean - NORMAL_95 * error, mean + NORMAL_95 * error)


def replay(
    log: EventLog,
    policy_or_slates: Policy | ArrayLike,
    *,
    users: ArrayLike | None = None,
    world: World | None = None,
    policy_seed: int = 0,
    batch_size: int = DEFAULT_BATCH,
) -> Replay:
    """Serve the users of a log again with other recommendations: same users, same luck, other slates.

    Everything that is random about a user is a function of (seed, user, visit, step, purpose, item), and the
    log's provenance says which seed and which world. What differs between log and replay therefore comes
    from the slates alone. Replaying the logged slates reproduces the log bit for bit.

    Args:
        log: of whole episodes, with its provenance.
        policy_or_slates: a policy; or [n, K] integers, the items of one slate per row of the log (of the
            chosen users' rows). An episode that outlives its logged slates is cut there, as truncated.
        users: which of the logged users; all by default.
        world: a ready world of the log's config, to save building it; needed where the log has a user model
            of its own.
        policy_seed: seed of the policy's own draws.
        batch_size: users side by side.

    Raises:
        ValueError: the log does not say where it comes from, comes from other random streams, from another
            config than ``world`` has or from another version of the simulator, or lacks rows of an episode;
            ``users`` are not in the log; slates of the wrong shape, or of items that do not exist or are
            not among the candidates.
    """
    origin = _check_origin(log)
    world = _world_of(origin, log.provenance.get("user_model", {}), world)
    logged = log if users is None else log.select(_logged_rows(log, check_user_ids(users)))
    episodes = episode_starts(world, logged)
    script = None if callable(getattr(policy_or_slates, "act", None)) else policy_or_slates
    policy: Any = policy_or_slates
    if script is not None:
        policy = ScriptedPolicy(world, logged, episodes, _check_script(world, logged, script))
    generator = np.random.default_rng(policy_seed)

    def served() -> Iterator[Impressions]:
        for visit in np.unique(logged.visit[episodes]).tolist():
            yield from rollout(
                world,
                policy,
                logged.user_id[episodes[logged.visit[episodes] == visit]],
                seed=origin["seed"],
                generator=generator,
                max_steps=origin["max_steps"],
                visit=visit,
                batch_size=batch_size,
            )

    provenance = {**log.provenance, "replay_of": log.policy, "policy_seed": policy_seed}
    replayed = EventLog.from_columns(sorted_columns(served()), policy.name, provenance)
    if script is not None:
        replayed = _cut(world, replayed, np.diff(np.append(episodes, len(logged))))
    _check_starts(world, logged, episodes, replayed)
    return Replay(logged, replayed, np.unique(logged.user_id))


def user_totals(log: EventLog) -> UserTotals:
    """What each user of a log did in all, users in ascending order."""
    first = np.flatnonzero(np.diff(log.user_id, prepend=-1))

    def total(values: NDArray[Any]) -> NDArray[Any]:
        return np.add.reduceat(values, first)

    def count(event: Event) -> NDArray[np.int64]:
        return total(((log.events & event) > 0).sum(axis=1))

    bought = (log.events & Event.PURCHASE) > 0
    return UserTotals(
        reward=total(log.reward.astype(np.float64)),
        length=total(np.ones(len(log), np.int64)),
        clicks=count(Event.CLICK),
        likes=count(Event.LIKE),
        purchases=count(Event.PURCHASE),
        revenue=total((log.price.astype(np.float64) * bought).sum(axis=1)),
    )


def _check_origin(log: EventLog) -> dict[str, Any]:
    missing = [name for name in NEEDED if log.provenance.get(name) is None]
    if missing:
        raise ValueError(
            f"log.provenance: expected {', '.join(NEEDED)}, as collect_log writes them, but there is no "
            f"{', '.join(missing)}: a log that does not say where it comes from cannot be replayed"
        )
    origin = {name: log.provenance[name] for name in NEEDED}
    if origin["stream_version"] != STREAM_VERSION:
        raise ValueError(
            f"log.provenance: expected random streams of version {STREAM_VERSION}, got "
            f"{origin['stream_version']}: the same seed now means other users"
        )
    if not len(log):
        raise ValueError("log: expected at least one row, got none")
    check_whole("log.provenance: max_steps", origin["max_steps"], 1, MAX_STEP)
    return origin


def _world_of(origin: dict[str, Any], user_model: dict[str, str], world: World | None) -> World:
    config = WorldConfig.from_json(origin["config"])
    found = {} if world is None else world.user_model.sources
    if found != user_model:
        raise ValueError(
            f"world: expected one with the user model of the log, {user_model or 'that of the package'}, "
            f"got {found or 'that of the package'}"
        )
    if world is None:
        return World(config)
    if world.config != config:
        raise ValueError(
            f"world: expected the config of the log, got another one; {_first_change(config, world.config)}"
        )
    return world


def _first_change(old: Any, new: Any, path: str = "") -> str:
    """'section.field: log 1, world 2' of the first difference between two configs."""
    for name in old.__dataclass_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            if hasattr(before, "__dataclass_fields__"):
                return _first_change(before, after, f"{path}{name}.")
            return f"{path}{name}: the log has {before!r}, the world {after!r}"
    raise AssertionError("the configs are equal")


def _logged_rows(log: EventLog, users: NDArray[np.int64]) -> NDArray[np.int64]:
    unknown = np.flatnonzero(~np.isin(users, log.user_id))
    if len(unknown):
        raise ValueError(
            f"users[{unknown[0]}]: expected a user of the log, which holds {log.num_users} users from "
            f"{log.user_id[0]} to {log.user_id[-1]}, got {users[unknown[0]]}"
        )
    return np.flatnonzero(np.isin(log.user_id, users))


def _check_script(world: World, log: EventLog, script: Any) -> NDArray[np.int64]:
    slates = np.asarray(script)
    if slates.shape != log.action.shape or not np.issubdtype(slates.dtype, np.integer):
        raise ValueError(
            f"policy_or_slates: expected a policy, or integers of shape {log.action.shape}, one slate per "
            f"row of the log, got shape {slates.shape} of {slates.dtype}"
        )
    slates = np.ascontiguousarray(slates, np.int64)
    fault = find_invalid(world, slates)
    if fault is not None:
        row, position = fault
        raise ValueError(
            f"policy_or_slates[{row}, {position}]: expected an item in [0, {len(world.items)}) that is not "
            f"yet on the slate, got {slates[row, position]}"
        )
    return slates


def _cut(world: World, log: EventLog, lengths: NDArray[np.int64]) -> EventLog:
    """Episodes of at most so many decisions; one that went on is truncated there."""
    episodes = episode_starts(world, log)
    counts = np.diff(np.append(episodes, len(log)))
    decision = np.arange(len(log)) - np.repeat(episodes, counts)
    limit = np.repeat(lengths, counts)
    log.truncated[(decision == limit - 1) & ~log.terminated] = True
    return log.select(np.flatnonzero(decision < limit))


def _check_starts(world: World, logged: EventLog, episodes: NDArray[np.int64], replayed: EventLog) -> None:
    """That the world puts every user where the log found them, or a clear error."""
    again = episode_starts(world, replayed)
    for name in STARTS:
        before, after = getattr(logged, name)[episodes], getattr(replayed, name)[again]
        wrong = np.flatnonzero((before != after).reshape(len(before), -1).any(axis=1))
        if len(wrong):
            raise ValueError(
                f"log.{name}[{episodes[wrong[0]]}]: user {logged.user_id[episodes[wrong[0]]]} does not start "
                "as the log's config and seed say: it was written by another version of the simulator, or "
                "is no log of whole episodes"
            )
