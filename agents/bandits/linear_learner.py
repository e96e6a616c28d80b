"""What linear bandits share: settings, regressions over context features, learning on live users, files."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from agents.bandits.context import ContextFeatures
from agents.bandits.hybrid import HybridRidge
from agents.bandits.linear_scores import disjoint_mean, disjoint_variance, shared_mean, shared_variance
from agents.bandits.ridge import Ridge
from agents.choices import Choices, Dates, choices_in, saved_dates
from agents.learner import check_settings
from agents.learning.batches import CLICK, share_reward
from agents.online.live import Service
from agents.online.live_training import LiveRun, Taken
from agents.online.online_agent import OnlineAgent
from agents.sampling import FloatArray, IntArray, as_action, as_slate, top_k
from agents.spec import Observation, ObservationSpec
from recsim_env import Decision

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog

CELLS = 2**22
"""Scores in memory at a time."""
MAX_FEATURES = 2_000


@dataclass(frozen=True)
class LinearBanditConfig:
    """Settings of a linear bandit.

    Attributes:
        model: "shared", one regression for all items, "disjoint", one for every item, or "hybrid", both
            added up (LinUCB alone); their features differ, see `agents.bandits.context`.
        exploration: alpha of LinUCB, v of Thompson sampling; in units of the reward, at least 0.
        ridge: strength of the prior, above 0.
        acting: what `act` does; learning always explores. "greedy" shows what is best on average, "explore"
            goes on exploring.
        propensity_draws: draws by which exploring Thompson sampling estimates its propensity.
    """

    model: Literal["disjoint", "shared", "hybrid"] = "shared"
    exploration: float = 0.3
    ridge: float = 1.0
    acting: Literal["greedy", "explore"] = "greedy"
    propensity_draws: int = 64

    def __post_init__(self) -> None:
        if self.model not in ("disjoint", "shared", "hybrid"):
            raise ValueError(f"model: expected 'disjoint', 'shared' or 'hybrid', got {self.model!r}")
        if not (math.isfinite(self.exploration) and self.exploration >= 0):
            raise ValueError(f"exploration: expected a finite number of at least 0, got {self.exploration}")
        check_settings(self, above_zero=("ridge",))
        if self.acting not in ("greedy", "explore"):
            raise ValueError(f"acting: expected 'greedy' or 'explore', got {self.acting!r}")
        if self.propensity_draws < 1:
            raise ValueError(f"propensity_draws: expected at least 1, got {self.propensity_draws}")


class LinearBandit(OnlineAgent):
    """What both share: features, regressions, learning, files.

    A slate's reward is shared by its clicked slots, as in `agents.learning.batches`; every shown item is one
    observation. Users of a batch are served before any of them is learned from. Cost of a batch: B N scores
    of S + 3 numbers (disjoint, hybrid), or of 2 (shared), for N choices and S segments; hybrid solves all
    items anew.
    """

    config_class = LinearBanditConfig
    learned = "regressions"
    has_network = False

    config: LinearBanditConfig
    features: ContextFeatures
    regressions: Ridge
    dates: Dates | None

    @abstractmethod
    def _explored(
        self, observation: Observation, items: IntArray, generator: np.random.Generator
    ) -> FloatArray:
        """[b, n] float64: the scores by which exploration ranks items [b, n] or [1, n]."""

    def _mean(self, observation: Observation, items: IntArray, theta: FloatArray | None = None) -> FloatArray:
        """[b, n] float64: x' theta; of the posterior mean by default."""
        if self.config.model == "shared":
            own = self.regressions.theta if theta is None else theta
            return shared_mean(self.features, observation, items, own)
        return disjoint_mean(self.features, observation, items, self.regressions.theta)

    def _variance(self, observation: Observation, items: IntArray) -> FloatArray:
        """[b, n] float64: x' A^-1 x."""
        of = shared_variance if self.config.model == "shared" else disjoint_variance
        return of(self.features, observation, items, self.regressions.covariance)

    def learn_from(
        self,
        env: VectorEnv[Any, Any, Any],
        catalog: PublicCatalog,
        num_decisions: int,
        seed: int,
        run: LiveRun,
    ) -> None:
        self.start(self.spec, catalog)
        generator, service = np.random.default_rng(seed), Service(env, num_decisions)

        def put_back(tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
            self.restore(tensors)
            service.restore(tensors, numbers["decisions"])
            generator.bit_generator.state = numbers["generator"]

        def take() -> Taken:
            return {**self.learned_arrays(), **service.take()}, {"generator": generator.bit_generator.state}

        run.resume(put_back)
        if run.stopped:
            return
        for step in service.steps(lambda seen: self._choose(seen, generator, explore=True)[0]):
            self.learn_batch(step.observation, step.action, step.reward, step.next_observation["last_events"])
            reward = {"reward": float(step.reward.mean())}
            if not run.after(step.before, step.decisions, reward.copy, take):
                return

    def start(self, spec: ObservationSpec, public_catalog: PublicCatalog) -> Self:
        """Belong to a scenario with nothing learned yet, for a loop of your own: `act`, then `learn_batch`.

        Args:
            spec: sizes of the scenario's observations.
            public_catalog: its items.

        Returns:
            The agent itself.
        """
        self.belong_to(spec, public_catalog)
        self.dates = Dates.of(public_catalog)
        self.features = ContextFeatures.of(public_catalog, spec.num_segments)
        self.regressions = self._regressions()
        return self

    def _regressions(self) -> Ridge:
        """Those of the model, before anything was seen."""
        model, features, ridge = self.config.model, self.features, self.config.ridge
        dim = features.disjoint_dim if model == "disjoint" else features.shared_dim
        if dim > MAX_FEATURES:
            raise ValueError(
                f"model: {dim} features, expected at most {MAX_FEATURES}: of segments x topics; "
                "take model='disjoint'"
            )
        if model == "hybrid":
            return HybridRidge(features, ridge)
        return Ridge(1 if model == "shared" else self.spec.num_items, dim, ridge)

    def learn_batch(
        self, observation: Observation, action: IntArray, reward: FloatArray, events: IntArray
    ) -> None:
        """Learn from one decision for each of B users, after `start` or `learn`.

        Args:
            observation: what the decision was made on, arrays [B, ...].
            action: [B] or [B, K] integers; in two-stage worlds places among the candidates.
            reward: [B] float.
            events: [B, K] event masks of the shown items, as `last_events` of the next observation.
        """
        items = as_slate(action)
        if "candidates" in observation:
            items = np.take_along_axis(np.asarray(observation["candidates"], np.int64), items, axis=1)
        earned = share_reward(reward, (np.asarray(events).reshape(items.shape) & CLICK) > 0)
        shown = items < self.spec.num_items  # an empty place among the candidates is nobody's
        rows = np.minimum(items, self.spec.num_items - 1)
        of = self.features.shared if self.config.model == "shared" else self.features.disjoint
        arm = np.zeros_like(rows) if self.config.model == "shared" else rows
        self.regressions.update(arm[shown], of(observation, rows)[shown], earned[shown])

    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """Choose for a batch of users.

        Returns:
            Decision(action [B] or [B, K] int64, propensity [B] float64): 1 where the choice is deterministic;
            exploring Thompson sampling estimates it, see `LinearThompson`.

        Raises:
            RuntimeError: the agent has neither learned nor been loaded.
            ValueError: the observation belongs to another scenario.
        """
        self.check_observation(observation)
        return Decision(*self._choose(observation, generator, explore=self.config.acting == "explore"))

    def score(self, observation: Observation) -> tuple[FloatArray, Choices | None]:
        """([B, n] float64, expected reward of every choice, -inf where it is not on offer; the choices)."""
        self.check_observation(observation)
        choices, items = self._offered(observation)
        mean = self._mean(observation, items)
        return (mean if choices is None else choices.score(mean)), choices

    def _offered(self, observation: Observation) -> tuple[Choices | None, IntArray]:
        """The choices, and the items to score: [1, N] all, or [b, M] candidates."""
        choices = choices_in(observation, self.spec.num_items, self.dates, self.spec.slate_size)
        if choices is not None and choices.numbered:
            return choices, choices.items[choices.row]
        return choices, np.arange(self.spec.num_items)[None]

    def _choose(
        self, observation: Observation, generator: np.random.Generator, explore: bool
    ) -> tuple[IntArray, FloatArray]:
        """Actions and propensities, in parts of so few users that their scores can be held."""
        actions, propensities = [], []
        for seen in self._parts(observation):
            choices, items = self._offered(seen)
            scores = self._explored(seen, items, generator) if explore else self._mean(seen, items)
            slate = top_k(scores if choices is None else choices.score(scores), self.spec.slate_size)
            actions.append(as_action(slate) if choices is None else choices.action(slate))
            propensities.append(self._propensity(seen, slate, choices, items, generator, explore))
        return np.concatenate(actions), np.concatenate(propensities)

    def _propensity(
        self,
        observation: Observation,
        slate: IntArray,
        choices: Choices | None,
        items: IntArray,
        generator: np.random.Generator,
        explore: bool,
    ) -> FloatArray:
        return np.ones(len(slate))

    def _parts(self, observation: Observation) -> Iterator[Observation]:
        count = len(observation["history_items"])
        size = max(1, CELLS // self.spec.num_items)
        for start in range(0, count, size):
            yield {key: np.asarray(column)[start : start + size] for key, column in observation.items()}

    def learned_arrays(self) -> Mapping[str, Tensor]:
        """The sums of the regressions, from which it could go on learning, and what it knows of the items."""
        return {
            "precision": torch.from_numpy(self.regressions.precision),
            "moment": torch.from_numpy(self.regressions.moment),
            "topic": torch.from_numpy(self.features.topic),
            "item": torch.from_numpy(self.features.item),
            **saved_dates(self.dates),
        }

    def restore(self, arrays: Mapping[str, Tensor]) -> None:
        """The regressions of these sums."""
        topic, item = arrays["topic"].numpy(), arrays["item"].numpy()
        self.features = ContextFeatures(topic, item, self.num_topics, self.spec.num_segments)
        self.regressions = self._regressions()
        self.regressions.set_sums(arrays["precision"].numpy(), arrays["moment"].numpy())
        self.dates = Dates.from_arrays(arrays)
