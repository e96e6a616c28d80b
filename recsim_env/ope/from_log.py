"""From an event log and a target policy to the arrays that estimators take.

A policy is asked for the probability of what was logged, in what it would have seen. It tells by
`item_prob(observation) -> [b, N]`, the probability of every item at position 0 (of every candidate in
two-stage worlds); for slates by `item_propensity(observation, slate) -> [b, K]`, the probability of each item
given those above it, without which slots are taken to be drawn from `item_prob` without replacement. A policy
that has neither must act without chance, and say so by a propensity of 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim_env.config import RewardConfig
from recsim_env.event_log import EventLog
from recsim_env.ope.decisions import LoggedDecisions
from recsim_env.ope.drawn_slates import drawn_conditionals, drawn_marginals
from recsim_env.ope.sessions import LoggedSessions
from recsim_env.ope.slates import LoggedSlates, SlatePropensity
from recsim_env.policy import Observation, Policy
from recsim_env.records import Event

CHUNK = 2**18
"""Probabilities in memory at a time: few enough to stay in the cache of a core."""
PROBED_ROWS = 16
LOGGED_TOLERANCE = 1e-6
"""By how much, relatively, a logged propensity may differ from what its logging policy states."""


@dataclass(frozen=True, eq=False)
class PolicyOnLog:
    """How probable the logged actions are under a policy, in the situations of the log.

    Attributes:
        prefix: [n, K] float64, of the items at positions 0..k together; the last column is the slate's.
        item: [n, K] float64, marginally, of this item at this position; None where that is too dear (more
            than 3 positions, or 3 in a catalog of more than 64 items, unless the policy acts without chance).
        unsupported: [n] float64, the policy's probability of actions that the logging policy never takes;
            None unless the logging policy was given.
        never_shown: the mean probability of actions that are nowhere in the log, as the item at position 0;
            None in two-stage worlds. With full support it vanishes as a log grows.
        group_prob: [n, G] float64, the probability of each group of items at position 0; None unless asked.
    """

    prefix: NDArray[np.float64]
    item: NDArray[np.float64] | None
    unsupported: NDArray[np.float64] | None
    never_shown: float | None
    group_prob: NDArray[np.float64] | None

    @property
    def propensity(self) -> NDArray[np.float64]:
        """[n] float64: of the whole logged action."""
        return self.prefix[:, -1]


def policy_on_log(
    log: EventLog,
    policy: Policy,
    num_items: int,
    *,
    logging_policy: Policy | None = None,
    group: NDArray[np.int64] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PolicyOnLog:
    """Ask a policy for the probability of everything that was logged.

    Args:
        log: of any logging policy.
        policy: the target policy; see the module for what it must state.
        num_items: N.
        logging_policy: the one that made the log, to know missing support exactly; its propensities are
            compared with the logged ones.
        group: [N] int in [0, G), to also get the probability of groups of items.
        progress: called as progress(rows so far, n).

    Raises:
        ValueError: the policy reads the hidden state, or chooses by chance and does not state how; or the
            logging policy is not the one that made the log.
    """
    n, K = log.action.shape
    prefix, item = np.empty((n, K)), np.empty((n, K))
    unsupported = np.empty(n) if logging_policy is not None else None
    shown = np.zeros(num_items, np.bool_)
    shown[log.action[:, 0]] = True
    never, has_item, two_stage, support_known = 0.0, True, False, True
    onto = None if group is None else np.eye(int(group.max()) + 1)[group]
    group_prob = None if onto is None else np.empty((n, onto.shape[1]))
    asked = _Asked(policy, log, num_items)
    logging = None if logging_policy is None else _Asked(logging_policy, log, num_items)
    for rows in _chunks(n, num_items):
        observation = log.observation(rows)
        slate = _as_chosen(log.action[rows].astype(np.int64), observation, rows.start)
        prob, conditional, marginal = asked.about(observation, slate)
        prefix[rows] = np.cumprod(conditional, axis=1)
        if marginal is None:
            has_item = False
        else:
            item[rows] = marginal
        if "candidates" in observation:
            two_stage = True
        else:
            never += float(prob[:, ~shown].sum())
            if onto is not None and group_prob is not None:
                group_prob[rows] = prob @ onto
        if logging is not None and unsupported is not None:
            found, chosen, _ = logging.about(observation, slate)
            _check_same(log.propensity[rows], chosen.prod(axis=1), rows.start)
            unsupported[rows] = np.minimum(np.where(found == 0, prob, 0.0).sum(axis=1), 1.0)
            support_known &= K == 1 or bool((found > 0).all())
        if progress is not None:
            progress(rows.stop, n)
    return PolicyOnLog(
        prefix,
        item if has_item else None,
        unsupported if support_known else None,
        None if two_stage else never / n,
        None if two_stage else group_prob,
    )


class _Asked:
    """A policy, and which of the three ways to ask it is right."""

    def __init__(self, policy: Policy, log: EventLog, num_items: int) -> None:
        name = getattr(policy, "name", type(policy).__name__)
        if getattr(policy, "needs_state", False):
            raise ValueError(f"policy: {name} reads the simulator's hidden state, which no log holds")
        self.policy, self.name, self.num_items = policy, name, num_items
        self.generator = np.random.default_rng(0)
        first = policy.act(log.observation(slice(0, PROBED_ROWS)), self.generator)
        self.certain = bool((first.propensity == 1).all())
        if not self.certain and not hasattr(policy, "item_prob"):
            raise ValueError(f"policy: {name} chooses by chance and does not state how (it has no item_prob)")

    def about(
        self, observation: Observation, slate: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
        """[b, N]: each item at position 0; [b, K]: the logged ones given those above; [b, K]: marginally."""
        if self.certain:
            return self._certain(observation, slate)
        asked: Any = self.policy
        prob: NDArray[np.float64] = asked.item_prob(observation)
        width = observation["candidates"].shape[1] if "candidates" in observation else self.num_items
        if prob.shape != (len(slate), width):
            raise ValueError(
                f"policy: expected {self.name}.item_prob of shape [{len(slate)}, {width}], "
                f"got {list(prob.shape)}; worlds of dated items are not supported"
            )
        if slate.shape[1] == 1:
            of_logged = np.take_along_axis(prob, slate, axis=1)
            return prob, of_logged, of_logged
        if hasattr(asked, "item_propensity"):
            return prob, asked.item_propensity(observation, slate), drawn_marginals(prob, slate)
        return prob, drawn_conditionals(prob, slate), drawn_marginals(prob, slate)

    def _certain(
        self, observation: Observation, slate: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        decision = self.policy.act(observation, self.generator)
        if not (decision.propensity == 1).all():
            raise ValueError(f"policy: {self.name} chooses by chance in some rows only: it is not supported")
        chosen = decision.action.reshape(slate.shape)
        width = observation["candidates"].shape[1] if "candidates" in observation else self.num_items
        prob = np.zeros((len(slate), width))
        prob[np.arange(len(slate)), chosen[:, 0]] = 1.0
        same = (chosen == slate).astype(np.float64)
        return prob, same, same


def _as_chosen(slate: NDArray[np.int64], observation: Observation, start: int) -> NDArray[np.int64]:
    """Logged items as the policy's choices: themselves, or their numbers among the candidates."""
    if "candidates" not in observation:
        return slate
    match = observation["candidates"][:, None, :] == slate[:, :, None]
    found = match.any(axis=2)
    if not found.all():
        row, slot = (int(axis[0]) for axis in np.nonzero(~found))
        raise ValueError(
            f"action[{start + row}, {slot}]: expected one of the row's candidates, got {slate[row, slot]}"
        )
    return match.argmax(axis=2)


def _check_same(logged: NDArray[np.float64], stated: NDArray[np.float64], start: int) -> None:
    wrong = np.abs(logged - stated) > LOGGED_TOLERANCE * stated
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"logging_policy: states the propensity {stated[row]:.6g} of what was logged in row "
            f"{start + row}, the log says {logged[row]:.6g}: another policy made the log"
        )


def _chunks(num_rows: int, width: int) -> Iterator[slice]:
    size = max(1, CHUNK // width)
    for start in range(0, num_rows, size):
        yield slice(start, min(start + size, num_rows))


def session_ids(log: EventLog) -> NDArray[np.int64]:
    """[n] int64: the session of each row; one ends with `terminated` or `truncated`, or with its user.

    A lifetime of several visits is one session.
    """
    ended = (log.terminated | log.truncated)[:-1] | (log.user_id[1:] != log.user_id[:-1])
    return np.concatenate([[0], np.cumsum(ended)]).astype(np.int64)


def sessions_from_log(log: EventLog, target: PolicyOnLog, discount: float = 1.0) -> LoggedSessions:
    """The log's sessions, for estimates of the return of a session; users with several are one unit."""
    session = session_ids(log)
    unit = log.user_id if session[-1] + 1 > log.num_users else None
    return LoggedSessions(
        session, log.reward, log.propensity, target.propensity, discount, unit, target.unsupported
    )


def decisions_from_log(log: EventLog, target: PolicyOnLog) -> LoggedDecisions:
    """The log's decisions, for estimates of the reward of one; those of a user are one unit."""
    unit = log.user_id if log.num_users < len(log) else None
    return LoggedDecisions(log.reward, log.propensity, target.propensity, unit, target.unsupported)


def slates_from_log(
    log: EventLog, logging: PolicyOnLog | None, target: PolicyOnLog, reward: NDArray[np.float64]
) -> LoggedSlates:
    """The log's slates, for estimates of the reward of one.

    Args:
        log: the log; it holds propensities of whole slates only.
        logging: the logging policy on the log, for the other propensities; None leaves them out.
        target: the target policy on the log.
        reward: [n, K], at each position; see `position_reward`.
    """
    unit = log.user_id if log.num_users < len(log) else None
    item = prefix = None
    if logging is not None:
        prefix = SlatePropensity(logging.prefix, target.prefix)
        if logging.item is not None and target.item is not None:
            item = SlatePropensity(logging.item, target.item)
    slate = SlatePropensity(log.propensity, target.propensity)
    return LoggedSlates(reward, slate, item, prefix, None, unit, target.unsupported)


def position_reward(log: EventLog, weights: RewardConfig) -> NDArray[np.float64]:
    """[n, K] float64: what each position earned; rows sum to the log's reward if the weights are its own."""
    events = log.events
    bought = weights.purchase * log.price.astype(np.float64) ** weights.price_exponent
    return (
        weights.click * ((events & Event.CLICK) > 0)
        + weights.like * ((events & Event.LIKE) > 0)
        + bought * ((events & Event.PURCHASE) > 0)
    )
