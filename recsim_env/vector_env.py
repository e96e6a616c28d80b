"""The vector environment: a batch of users served natively by the compiled kernel."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from recsim_env.actions import available_actions, check_slates, shown_items
from recsim_env.interface import (
    OUTCOME_INFO,
    TRUTH_INFO,
    VISIT_INFO,
    Duplicates,
    action_space,
    check_duplicates,
    check_options,
    observation_space,
    stream_seed,
)
from recsim_env.records import OUTCOME, ObservationArrays, Records
from recsim_env.rollout import check_user_ids
from recsim_env.scenarios import get_scenario, world_config
from recsim_env.snapshots import put_back, take_snapshot
from recsim_env.truth import slate_truth
from recsim_env.world import LIFETIME_VISITS, Starts, World

Observation = dict[str, NDArray[np.int64]]
Info = dict[str, Any]

OPTIONS = ("user_ids", "reset_mask")


class RecommenderVectorEnv(VectorEnv[Observation, Any, NDArray[Any]]):
    """Many simulated users who answer recommendations, side by side.

    ## Description
    ``num_envs`` users side by side, each exactly as ``RecommenderEnv`` would serve it: a user's trajectory is
    bit-identical alone, in any batch and in any row.

    ## Action Space
    [B] items when the slate has one position, otherwise [B, K] slates. Any integer dtype.

    ## Observation Space
    The keys of ``RecommenderEnv``, each with a leading axis B; fresh arrays at every call.

    ## Rewards
    [B] float64, as ``RecommenderEnv``. The infos are arrays [B] under fixed names: ``user_id``, ``visit``,
    ``clicks``, ``likes``, ``purchases``, ``revenue``, ``visit_ended`` where users return, and
    ``expected_reward`` on request.

    ## Starting State
    ``reset(seed=s)`` serves the users 0 .. B-1, and row i goes on with i + B, i + 2B ...; with ``user_ids``
    row i serves user_ids[i], user_ids[i + B] ..., and starts the list again, at the next visit of each user
    (where users return, ``LIFETIME_VISITS`` visits further), when it is used up.
    ``reset(options={"reset_mask": mask})`` resets only some rows; ``{"user_ids": ids}`` chooses the users of
    the rows that are reset.

    ## Episode End
    Terminated: the user's patience is spent; where users return, the user churned. Truncated:
    ``max_episode_steps`` steps were taken and the user has not left, or the lifetime ran out.

    ## Arguments
    * ``num_envs``: B.
    * ``scenario``, ``expected_reward``, ``duplicates``, ``world``, overrides: as ``RecommenderEnv``.
    * ``max_episode_steps``: the horizon; by default the scenario's, and none for a ready ``world``.
    * ``autoreset_mode``: ``NEXT_STEP`` (the default; the step after an end resets the row and ignores its
      action), ``SAME_STEP`` (the row is reset at once, the last observation is in ``info["final_obs"]``) or
      ``DISABLED`` (the caller resets with ``reset_mask``).
    * ``user_ids``: which users the batch serves, at least B of them.
    * ``parallel``: whether the kernel uses several threads; by default when the batch is large enough. The
      bits are the same.

    ## References
    As ``RecommenderEnv``.

    ## Version History
    * v0: initial version.
    """

    def __init__(
        self,
        num_envs: int = 1,
        scenario: str = "Storefront-v0",
        *,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        user_ids: ArrayLike | None = None,
        expected_reward: bool = False,
        duplicates: Duplicates = "error",
        parallel: bool | None = None,
        world: World | None = None,
        render_mode: None = None,
        **overrides: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs: expected at least 1, got {num_envs}")
        if render_mode is not None:
            raise ValueError(
                f"render_mode: expected None, since only single users are shown, got {render_mode!r}"
            )
        if max_episode_steps is not None and max_episode_steps < 1:
            raise ValueError(f"max_episode_steps: expected at least 1 or None, got {max_episode_steps}")
        if world is not None and overrides:
            raise ValueError(f"world: expected no overrides beside a ready world, got {sorted(overrides)}")
        if world is None and max_episode_steps is None:
            max_episode_steps = get_scenario(scenario).max_episode_steps
        self.num_envs = num_envs
        self.max_episode_steps = max_episode_steps
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self.render_mode = render_mode
        self.world = World(world_config(scenario, overrides)) if world is None else world
        self.expected_reward = bool(expected_reward)
        self.seed_value: int | None = None
        self._allow_repeats = check_duplicates(duplicates)
        self._parallel = parallel
        self._user_ids = None if user_ids is None else check_user_ids(user_ids)
        if self._user_ids is not None and len(self._user_ids) < num_envs:
            raise ValueError(
                f"user_ids: expected at least num_envs={num_envs} ids, got {len(self._user_ids)}"
            )
        self.single_observation_space = observation_space(self.world.config)
        self.single_action_space = action_space(self.world.config)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.state: Records = self.world.empty_states(num_envs)
        self._scratch = self.world.empty_scratch()
        self._done = np.zeros(num_envs, np.bool_)
        self._started = False
        self._observation = self.world.empty_observation(num_envs)
        self._turn = np.zeros(num_envs, np.int64)  # how many users each row has served in order

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Start sessions in all rows, or in those of ``options["reset_mask"]`` (see Starting State)."""
        options = dict(check_options(options, OPTIONS))
        rows = self._rows_to_reset(options.get("reset_mask"))
        if seed is not None and len(rows) < self.num_envs:
            raise ValueError(
                f"seed: expected None with a reset_mask that spares rows, which share it, got {seed}"
            )
        users, visits = None, np.zeros(len(rows), np.int64)
        if "user_ids" in options:
            users = check_user_ids(options["user_ids"])
            if len(users) != len(rows):
                raise ValueError(
                    f"reset options: user_ids: expected {len(rows)} ids, one per reset row, got {len(users)}"
                )
        super().reset(seed=seed)
        if seed is not None or self.seed_value is None:
            assert self.np_random_seed is not None
            self.seed_value = stream_seed(self.np_random_seed)
            self._turn[:] = 0
        if users is None:
            users, visits = self._users_in_order(rows)
        observation = self.world.empty_observation(self.num_envs)
        if len(rows) < self.num_envs:
            self.world.kernel.observe_users(self.state, observation)
        self._start(rows, users, visits, observation)
        self._started = True
        self._observation = observation
        outcomes = np.zeros(self.num_envs, OUTCOME)
        self._name_users(outcomes, np.arange(self.num_envs))
        return self._visible(), self._info(outcomes, np.zeros(self.num_envs))

    def fork(self) -> Self:
        """An independent environment that goes on exactly as this one would with the same actions.

        It shares the world and the list of ``user_ids``, which nothing changes, and has its own state and
        buffers. Of a wrapped environment, ``env.unwrapped.fork()`` forks what is inside. Of records alone,
        ``states.copy()`` is a fork.
        """
        shared = (self.world, self._user_ids)
        return copy.deepcopy(self, {id(part): part for part in shared})

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """What `restore` needs to go on from here, also in another process: plain arrays, no objects.

        Returns:
            ``made`` [32] uint8, a digest of world, users and horizon; ``state`` [B, bytes] uint8, the users'
            records; ``done`` [B] bool; ``turn`` [B] int64, users that each row has served in order; ``seed``
            [8] uint8, the bytes of the stream seed.

        Raises:
            ResetNeeded: nothing has begun yet.
        """
        return take_snapshot(self)

    def restore(self, snapshot: Mapping[str, NDArray[Any]]) -> Observation:
        """Go on bit for bit as the environment that `snapshot` was taken from, made with the same arguments.

        Returns:
            The observation that it last gave.

        Raises:
            ValueError: an array is missing or misshapen, or of an environment made otherwise.
        """
        return put_back(self, snapshot)

    def _rows_to_reset(self, mask: ArrayLike | None) -> NDArray[np.int64]:
        if mask is None:
            return np.arange(self.num_envs)
        mask = np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise ValueError(
                f"reset options: reset_mask: expected a boolean array of shape ({self.num_envs},) "
                f"with at least one True, got shape {mask.shape} of {mask.dtype} with "
                f"{np.count_nonzero(mask)} True"
            )
        if not self._started and not mask.all():
            raise ResetNeeded("reset options: reset_mask: the first reset must start every row")
        return np.flatnonzero(mask)

    def _users_in_order(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The next user and visit of each row, and advance the order."""
        turn = self._turn[rows] * self.num_envs + rows
        self._turn[rows] += 1
        if self._user_ids is None:
            return turn, np.zeros(len(rows), np.int64)
        rounds = turn // len(self._user_ids)
        visits = rounds * LIFETIME_VISITS if self.world.has_returns else rounds
        return self._user_ids[turn % len(self._user_ids)], visits

    def _start(
        self,
        rows: NDArray[np.int64],
        users: NDArray[np.int64],
        visits: NDArray[np.int64],
        observation: ObservationArrays,
    ) -> None:
        assert self.seed_value is not None
        self.world.reset(
            self.seed_value, self.state, rows, users, visits, observation, self._scratch, self._parallel
        )
        self._done[rows] = False

    def step(
        self, actions: Any
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], Info]:
        """Show a batch of items or slates, and let the users answer."""
        if not self._started:
            raise ResetNeeded("call reset() before step()")
        assert self.seed_value is not None
        over = np.flatnonzero(self._done)
        if len(over) and self.autoreset_mode is AutoresetMode.DISABLED:
            raise ResetNeeded(
                f"row {over[0]}: its session is over; reset it with options={{'reset_mask': ...}} "
                "before step()"
            )
        checked = check_slates(
            self.world, actions, self.num_envs, self._allow_repeats, self._scratch, self._parallel
        )
        slates = shown_items(self.world, checked, self._observation)
        expected = np.zeros(0)
        if self.expected_reward:
            expected = slate_truth(self.world, self.state, slates).expected_reward
            expected[over] = 0.0
        # NEXT_STEP: this step starts the next session of the rows that ended before.
        starts = Starts(over, *self._users_in_order(over)) if len(over) else None
        outcomes, self._observation = self.world.step(
            self.seed_value,
            self.state,
            slates,
            idle=self._done,
            starts=starts,
            blank_repeats=self._allow_repeats,
            max_steps=self.max_episode_steps or 0,
            scratch=self._scratch,
            parallel=self._parallel,
        )
        self._name_users(outcomes, over)
        terminated, truncated = outcomes["terminated"], outcomes["truncated"]
        self._done = terminated | truncated
        info = self._info(outcomes, expected)
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._done.any():
            self._reset_at_once(outcomes, info)
        return self._visible(), outcomes["reward"], terminated, truncated, info

    def _name_users(self, outcomes: Records, rows: NDArray[np.int64]) -> None:
        """Put the users who were just started into the outcomes of their rows."""
        for name in ("user_id", "visit"):
            outcomes[name][rows] = self.state[name][rows]

    def _visible(self) -> Observation:
        return self._observation.visible(len(self.world.items))

    def action_masks(self) -> NDArray[np.bool_]:
        """Which items, or candidates, are on offer now: [B, K n] bool, as ``RecommenderEnv`` row by row."""
        return available_actions(self.world, self.state, self._observation)

    def _reset_at_once(self, outcomes: Records, info: Info) -> None:
        """SAME_STEP: keep what the finished rows ended with, and start their next sessions."""
        done = self._done.copy()
        rows = np.flatnonzero(done)
        final_obs = np.full(self.num_envs, None, object)
        last = {key: array[rows] for key, array in self._visible().items()}
        for i, row in enumerate(rows):
            final_obs[row] = {key: array[i] for key, array in last.items()}
        final_info = {key: np.where(done, array, np.zeros_like(array)) for key, array in info.items()}
        for array in info.values():
            array[rows] = 0  # nothing has happened yet in the sessions that start now
        self._start(rows, *self._users_in_order(rows), self._observation)
        self._name_users(outcomes, rows)
        info.update(final_obs=final_obs, _final_obs=done, final_info=final_info, _final_info=done.copy())

    def _info(self, outcomes: Records, expected: NDArray[np.float64]) -> Info:
        info = {name: outcomes[name] for name in OUTCOME_INFO}
        if self.world.has_returns:
            info[VISIT_INFO] = outcomes["visit_ended"]
        if self.expected_reward:
            info[TRUTH_INFO] = expected
        return info
