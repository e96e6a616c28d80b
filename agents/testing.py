"""Checks for an agent of your own, to subclass in your own tests."""

from __future__ import annotations

import copy
import random
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from agents.learning.offline import OfflineAgent
from agents.learning.training import Training
from agents.loggers.logging_policy import LoggingPolicy
from agents.online.live_training import LiveTraining
from agents.online.online_agent import OnlineAgent
from agents.sampling import as_slate
from recsim_env import Decision, World, WorldConfig, rollout
from recsim_env.event_log import EventLog, collect_log
from recsim_env.vector_env import RecommenderVectorEnv

SEED = 90_210
MAX_STEPS = 10
SIGMAS = 4.5  # a right propensity fails one comparison of frequencies in 150,000


class Seen(NamedTuple):
    """What a policy is given: observations [B, ...] by key, and the users' hidden state, [B] records."""

    observation: dict[str, NDArray[np.int64]]
    state: NDArray[Any]

    def rows(self, rows: Any = slice(None)) -> Seen:
        """Copies of some of them, or of all."""
        rows = np.arange(len(self.state))[rows]
        return Seen({key: column[rows] for key, column in self.observation.items()}, self.state[rows])


class AgentConformance:
    """What every agent must hold; name yours in a subclass and let pytest collect it.

    .. code-block:: python

        class TestMine(AgentConformance):
            def make(self, world):
                return MyAgent(MyConfig(dim=8, epochs=0.5))

    An agent with `fit` is trained on a short log, one with `learn` on live users; others act as they are
    made. An `OfflineAgent` is also cut in the middle of its training and must end with the same bits.

    Attributes:
        config: a small world for it.
        num_decisions: in the log, or of the live users.
        draws: decisions for the comparison of frequencies with propensities; more see smaller errors.
        exact_propensity: False for agents that say that their propensity is an estimate.
    """

    config: WorldConfig = WorldConfig().replace(catalog={"num_items": 60})
    num_decisions: int = 1_000
    draws: int = 4_000
    exact_propensity: bool = True
    _trained: ClassVar[dict[type, Any]] = {}

    def make(self, world: World) -> Any:
        """An untrained learner, or a policy ready to act in this world; the same at every call."""
        raise NotImplementedError(f"{type(self).__name__}.make: return the agent under test")

    def train(self, training: Training | LiveTraining | None = None, cut_at: int | None = None) -> Any:
        """A newly made agent, trained if it learns; cut at that step, by an error out of its report."""
        world, log = world_of(self.config), log_of(self.config, self.num_decisions)
        agent = self.make(world)

        def progress(step: int, total: int, metrics: Any) -> None:
            if cut_at is not None and step >= cut_at:
                raise InterruptedError

        if isinstance(agent, OfflineAgent):
            watch = cast("Training | None", training)
            agent.fit(log, world.public_catalog, seed=SEED, progress=progress, training=watch)
        elif hasattr(agent, "fit"):
            agent.fit(log, world.public_catalog, seed=SEED)
        elif hasattr(agent, "learn"):
            env = RecommenderVectorEnv(
                16, world=world, max_episode_steps=MAX_STEPS, autoreset_mode=AutoresetMode.DISABLED
            )
            env.reset(seed=SEED)
            watched = {} if training is None else {"progress": progress, "training": training}
            try:
                agent.learn(env, self.num_decisions, seed=SEED, **watched)
            finally:
                env.close()
        return agent

    @property
    def agent(self) -> Any:
        """The agent under test, trained once for all tests of a class; a copy that has not acted yet."""
        kind = type(self)
        if kind not in self._trained:
            self._trained[kind] = self.train()
        return copy.deepcopy(self._trained[kind])

    @property
    def seen(self) -> Seen:
        """Users at several steps of their sessions."""
        return seen_in(self.config)

    def act(self, agent: Any, seen: Seen, seed: int = SEED) -> Decision:
        """Let an agent act; with the hidden state only if it says that it reads it."""
        return self._act_on(agent, seen.rows(), seed)

    def _act_on(self, agent: Any, seen: Seen, seed: int) -> Decision:
        state = (seen.state,) if getattr(agent, "needs_state", False) else ()
        return Decision(*agent.act(seen.observation, np.random.default_rng(seed), *state))

    def test_decisions_have_the_promised_form(self) -> None:
        """Actions [B] or [B, K] int64 in the catalog, distinct in a slate; propensities [B] in (0, 1]."""
        action, propensity = self.act(self.agent, self.seen)
        size, num_items, batch = self.config.slate_size, self.config.catalog.num_items, len(self.seen.state)
        shape = (batch,) if size == 1 else (batch, size)
        assert action.shape == shape, f"action: expected shape {shape}, got {action.shape}"
        assert action.dtype == np.int64, f"action: expected int64, got {action.dtype}"
        assert ((action >= 0) & (action < num_items)).all(), f"action: expected items in [0, {num_items})"
        ordered = np.sort(as_slate(action), axis=1)
        assert (ordered[:, 1:] != ordered[:, :-1]).all(), "action: expected distinct items in a slate"
        assert propensity.shape == (batch,), f"propensity: expected [{batch}], got {list(propensity.shape)}"
        assert ((propensity > 0) & (propensity <= 1 + 1e-9)).all(), "propensity: expected in (0, 1]"

    def test_propensities_are_those_of_the_actions(self) -> None:
        """One user again and again: the same action, the same propensity, and as often as it says.

        Item probabilities, where the agent states them, sum to 1 over the catalog and are the propensities
        of single items. Elsewhere, and for slates: the actions of half of the draws have a probability in
        all, and the other half must hit them that often.
        """
        agent, num_items = self.agent, self.config.catalog.num_items
        if hasattr(agent, "item_prob") and "candidates" not in self.seen.observation:
            total = agent.item_prob(self.seen.observation).sum(axis=1)
            assert np.allclose(total, 1.0), f"item_prob: expected rows that sum to 1, got {total[:5]}"
        for row in (0, 1):
            many = self.seen.rows(np.full(self.draws, row))
            action, propensity = self.act(agent, many, SEED + row)
            key, first, kind = np.unique(as_slate(action), axis=0, return_index=True, return_inverse=True)
            kind, stated = kind.reshape(-1), propensity[first]
            assert np.allclose(propensity, stated[kind], rtol=1e-6), (
                f"propensity: one action in one situation has several, {np.unique(propensity)[:5]}"
            )
            if hasattr(agent, "item_prob") and key.shape[1] == 1 and len(key) <= num_items:
                prob = agent.item_prob(many.rows(slice(1)).observation)[0, key[:, 0]]
                assert np.allclose(prob, stated, rtol=1e-6), (
                    f"propensity: expected that of item_prob, {prob[:5]}, got {stated[:5]}"
                )
            if self.exact_propensity:
                half = self.draws // 2
                known = np.bincount(kind[:half], minlength=len(key)) > 0
                for chosen in (known, known & (stated >= np.median(stated[known]))):
                    _compare(chosen[kind[half:]], float(stated[chosen].sum()))

    def test_acting_is_deterministic_given_its_generator(self) -> None:
        """The same generator gives the same decisions, and the observation is left as it was."""
        given = self.seen.rows()
        first = self._act_on(self.agent, given, SEED)
        for key, column in self.seen.observation.items():
            np.testing.assert_array_equal(given.observation[key], column, err_msg=f"{key} was changed")
        _same_decisions(first, self.act(self.agent, self.seen), "acting twice with equal generators")

    def test_training_is_repeatable_and_leaves_global_generators_alone(self) -> None:
        """Equal seeds give equal agents; the process-wide generators are afterwards as they were before."""
        before = _global_states()
        once, agent = self.agent, self.train()
        for each in (once, agent):
            self.act(each, self.seen)
        for name, state in _global_states().items():
            assert state == before[name], f"{name}: a process-wide generator was used"
        _same_agents(once, agent, "training twice with equal seeds")

    def test_a_saved_agent_acts_as_before(self) -> None:
        """Save and load: the same decisions, and the same files when it is saved again."""
        with tempfile.TemporaryDirectory() as folder:
            self.agent.save(Path(folder) / "agent")
            loaded = type(self.agent).load(Path(folder) / "agent")
        _same_agents(self.agent, loaded, "loading what was saved")
        _same_decisions(
            self.act(self.agent, self.seen), self.act(loaded, self.seen), "loading what was saved"
        )

    def test_a_cut_training_goes_on_bit_for_bit(self) -> None:
        """A training that is cut and goes on behind its checkpoint ends like one that was not."""
        agent = self.make(world_of(self.config))
        kind: Any
        watched: dict[str, Any]
        if isinstance(agent, OfflineAgent):
            kind, watched, unit = Training, {"held_out": 0.2}, 1
        elif isinstance(agent, OnlineAgent):
            kind, watched, unit = LiveTraining, {"held_out_users": 20}, 100
        else:
            return  # it learns in one go, or nothing: test_training_is_repeatable is all that can be asked
        watched["evaluate_every"] = 3 * unit
        whole = self.train(kind(**watched))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint"
            kept = kind(**watched, checkpoint=path, checkpoint_every=2 * unit)
            try:
                self.train(kept, cut_at=3 * unit)
            except InterruptedError:
                assert path.exists(), "no checkpoint was written"
            else:
                raise AssertionError(f"the training is too short to be cut: give it {6 * unit} steps or more")
            resumed = self.train(kept)
        _same_agents(whole, resumed, "being cut and resumed")

    def test_observations_of_another_scenario_are_refused(self) -> None:
        """Slates of another size and items beyond the catalog raise a ValueError that names the key."""
        num_items, size = self.config.catalog.num_items, self.config.slate_size
        count = len(self.seen.state)
        others = {
            "last_slate": np.full((count, size + 1), num_items),
            "history_items": np.full_like(self.seen.observation["history_items"], num_items + 7),
        }
        for key, column in others.items():
            other = Seen({**self.seen.observation, key: column}, self.seen.state)
            if key == "last_slate":
                other.observation["last_events"] = np.zeros_like(column)
            try:
                self.act(self.agent, other)
                message = None
            except ValueError as error:
                message = str(error)
            assert message is not None, f"an observation with {key!r} of another scenario was acted on"
            assert key in message, f"the error does not name {key!r}: {message}"


@cache
def world_of(config: WorldConfig) -> World:
    """One world for all agents: compiling takes longer than the tests do."""
    return World(config)


@cache
def log_of(config: WorldConfig, num_decisions: int) -> EventLog:
    """One log of the logging policy for all learners."""
    world = world_of(config)
    policy = LoggingPolicy(world.public_catalog, config.slate_size)
    return collect_log(world, policy, num_decisions, seed=SEED, max_steps=MAX_STEPS)


class _Recorder:
    """The logging policy, which also keeps what it was given."""

    name: str = "recorder"
    needs_state = True

    def __init__(self, world: World) -> None:
        self.policy = LoggingPolicy(world.public_catalog, world.config.slate_size)
        self.kept: list[Seen] = []

    def act(self, observation: Any, generator: np.random.Generator, state: Any = None) -> Decision:
        self.kept.append(Seen({key: column.copy() for key, column in observation.items()}, state.copy()))
        return self.policy.act(observation, generator)


@cache
def seen_in(config: WorldConfig) -> Seen:
    """50 users at every step of the first three that they are there for."""
    world = world_of(config)
    recorder = _Recorder(world)
    generator = np.random.default_rng(SEED)
    for _ in rollout(world, recorder, np.arange(50), seed=SEED, generator=generator, max_steps=3):
        pass
    keys = recorder.kept[0].observation
    observation = {key: np.concatenate([seen.observation[key] for seen in recorder.kept]) for key in keys}
    return Seen(observation, np.concatenate([seen.state for seen in recorder.kept]))


def _compare(hits: NDArray[np.bool_], prob: float) -> None:
    assert prob <= 1 + 1e-6, f"propensity: those of different actions add up to {prob:.6f}"
    bound = SIGMAS * np.sqrt(len(hits) * prob * max(1 - prob, 0.0)) + 1
    assert abs(hits.sum() - len(hits) * prob) <= bound, (
        f"propensity: actions that are said to have {prob:.4f} in all came {hits.mean():.4f} of the time"
    )


def _same_decisions(first: Decision, second: Decision, what: str) -> None:
    for name, before, after in zip(Decision._fields, first, second, strict=True):
        np.testing.assert_array_equal(before, after, err_msg=f"{name}: {what} made a difference")


def _same_agents(first: Any, second: Any, what: str) -> None:
    """Equal in every byte that they save."""
    with tempfile.TemporaryDirectory() as folder:
        for name, agent in (("first", first), ("second", second)):
            agent.save(Path(folder) / name)
        own = Path(folder) / "first"
        for file in sorted(path for path in own.rglob("*") if path.is_file()):
            other = Path(folder) / "second" / file.relative_to(own)
            assert file.read_bytes() == other.read_bytes(), f"{file.name}: {what} made a difference"


def _global_states() -> dict[str, str]:
    """The states of the process-wide generators, which no agent may change."""
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002 - looked at only
    return {
        "random": repr(random.getstate()),
        "numpy.random": repr((state["state"]["key"].tolist(), state["state"]["pos"])),
        "torch": repr(torch.get_rng_state().tolist()),
    }
