"""The single environment: the batch-of-one view of a world. No dynamics here."""

from __future__ import annotations

import copy
import operator
from typing import Any, Self

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from recsim_env.actions import available_actions, check_slates, choices_name
from recsim_env.frames import Frame, first_frame, next_frame
from recsim_env.interface import (
    TRUTH_INFO,
    VISIT_INFO,
    Duplicates,
    action_space,
    check_duplicates,
    check_options,
    observation_space,
    stream_seed,
)
from recsim_env.one_user import Kernels, OneUser
from recsim_env.records import Records
from recsim_env.render import RENDER_FPS, RENDER_MODES, check_render_mode, render, show
from recsim_env.rollout import check_user_id, check_visit
from recsim_env.scenarios import world_config
from recsim_env.truth import slate_truth
from recsim_env.world import World

Observation = dict[str, Any]
Info = dict[str, Any]

OPTIONS = ("user_id", "visit")
_BUFFERS = ("_user", "_ended", "_shown", "_amounts", "_served", "_counts", "_flags")


class RecommenderEnv(gymnasium.Env[Observation, Any]):
    """One simulated user who answers recommendations.

    ## Description
    The agent recommends, a simulated user answers: looks down the slate, clicks, likes, buys, tires of
    topics, drifts in interest, loses patience and leaves. One episode is one user's session, or all visits
    of a lifetime. Every transition is stochastic, every probability is known (``recsim_env.truth``), every
    reward weight is the modeller's.

    ## Action Space
    ``Discrete(N)``, the item to show, when the slate has one position; otherwise ``SlateSpace(N, (K,))``, a
    ``MultiDiscrete`` of K distinct items, the first at the top. What a repeated item does is the argument
    ``duplicates``. In two-stage worlds the numbers are those of the M candidates. An item that is not on
    offer shows nothing; ``action_masks()`` says which are.

    ## Observation Space
    A ``Dict`` with what a platform would see of one user; N stands for "no item", events are bit masks (1
    click, 2 like, 4 purchase):

    | Key | Space | Meaning |
    | --- | --- | --- |
    | history_items | Box(0, N, (H,), int64) | the latest H items the user interacted with, latest last |
    | history_events | Box(0, 7, (H,), int64) | what the user did with each |
    | last_slate | Box(0, N, (K,), int64) | what was shown at the previous step |
    | last_events | Box(0, 7, (K,), int64) | what the user did with each; 0 is no click |
    | segment | Discrete(S) | the user's observable segment |
    | session_step | Box(0, 2^24 - 1, (1,), int64) | decisions taken so far in this visit |
    | hours_away | Box(0, 2^31 - 1, (1,), int64) | hours since the visit before, rounded up; 0 in the first |
    | hour | Box(0, 2^31 - 1, (1,), int64) | whole hours since the run began |
    | candidates | Box(0, N, (M,), int64) | the items to choose from; N where one is not on offer |

    ``hours_away`` is there in worlds whose users return, ``hour`` in those with a run, ``candidates`` in
    two-stage worlds.

    ## Rewards
    ``click * clicks + like * likes + purchase * sum of price^price_exponent`` over the step's events, with
    the weights of ``RewardConfig`` (0.2, 0.5, 1.0 and exponent 0 by default). The components are always in
    the info: ``clicks``, ``likes``, ``purchases``, ``revenue``; where users return also ``visit_ended``,
    that the user's patience was spent; unless the episode is over, the next visit has begun.

    ## Starting State
    ``reset(seed=s)`` selects the population and its luck and starts with user 0; each further ``reset()``
    serves the next user. ``reset(options={"user_id": u, "visit": v})`` serves a chosen user (visit 0 by
    default) and leaves that order alone. Most users bring a history of items that they found on their own;
    some arrive cold. The catalog does not depend on the seed.

    ## Episode End
    Terminated: the user's patience is spent; where users return, the user churned. Truncated: the lifetime
    ran out; otherwise never by the environment itself. ``gymnasium.make`` adds the scenario's horizon, by a
    wrapper that also reports truncation when the user leaves with the very last step (the vector environment
    does not).

    ## Arguments
    * ``scenario``: name of the world (set by the id).
    * ``expected_reward``: put the exact expected reward of the chosen action, given the hidden state, into
      the info.
    * ``duplicates``: ``"error"`` refuses a slate that repeats an item; ``"ignore"`` shows the repeat as a
      blank position.
    * ``world``: a ready ``World`` to share instead of a scenario.
    * ``render_mode``: ``"ansi"`` (text), ``"rgb_array"`` (a picture, with matplotlib) or ``"human"`` (the
      text, printed at every reset and step). Hidden state is shown; ``frames`` holds the session so far.
    * any section or size of ``WorldConfig`` by name, such as ``reward={"purchase": 2.0}`` or
      ``slate_size=5``.

    ```python
    env = gymnasium.make("recsim_env/Storefront-v0", reward={"purchase": 2.0})
    ```

    ## References
    The docstrings of ``recsim_env/kernel`` name the source of each equation.

    ## Version History
    * v0: initial version.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - as gymnasium.Env declares it
        "render_modes": list(RENDER_MODES),
        "render_fps": RENDER_FPS,
    }

    def __init__(
        self,
        scenario: str = "Storefront-v0",
        *,
        expected_reward: bool = False,
        duplicates: Duplicates = "error",
        world: World | None = None,
        render_mode: str | None = None,
        **overrides: Any,
    ) -> None:
        self._allow_repeats = check_duplicates(duplicates)
        if world is not None and overrides:
            raise ValueError(f"world: expected no overrides beside a ready world, got {sorted(overrides)}")
        self.world = World(world_config(scenario, overrides)) if world is None else world
        self.observation_space = observation_space(self.world.config)
        self.action_space = action_space(self.world.config)
        self.render_mode = check_render_mode(render_mode)
        self.frames: tuple[Frame, ...] = ()
        self.expected_reward = bool(expected_reward)
        self.seed_value: int | None = None
        self._next_user = 0
        self._num_choices = self.world.num_choices
        self._has_returns = self.world.has_returns
        self._single_item = self.world.config.slate_size == 1
        self._bind(OneUser(self.world, self._allow_repeats))

    def _bind(self, user: OneUser) -> None:
        """Serve through these buffers; the shortest way to what every step touches."""
        self._user = user
        self._ended, self._shown, self._amounts = user.ended, user.slates[0], user.amounts
        self._served, self._counts, self._flags = user.served, user.counts, user.flags

    @property
    def state(self) -> Records:
        """[1] USER_STATE, hidden from policies: the user as they are now."""
        return self._user.state

    def __getstate__(self) -> dict[str, Any]:
        """Without the buffers and the machine code bound to them, which ``__setstate__`` makes anew."""
        kept = {name: value for name, value in vars(self).items() if name not in _BUFFERS}
        return {**kept, "_kept": self._user.kept()}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        self._restore(kept)

    def _restore(self, kept: dict[str, Any], kernels: Kernels | None = None) -> None:
        vars(self).update({name: value for name, value in kept.items() if name != "_kept"})
        self._bind(OneUser(self.world, self._allow_repeats, kernels))
        self._user.restore(kept["_kept"])
        if self.seed_value is not None:
            self._user.bind_seed(self.seed_value)

    def fork(self) -> Self:
        """An independent environment that goes on exactly as this one would with the same actions.

        It shares the world, which nothing changes, and has its own state and buffers. Of a wrapped
        environment, ``env.unwrapped.fork()`` forks what is inside; a horizon is counted by its wrapper.
        Of records alone, ``states.copy()`` is a fork.
        """
        twin = type(self).__new__(type(self))
        twin._restore(copy.deepcopy(self.__getstate__(), {id(self.world): self.world}), self._user.kernels)
        return twin

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Start a session (see Starting State)."""
        chosen = check_options(options, OPTIONS)
        user = check_user_id(chosen["user_id"]) if "user_id" in chosen else None
        visit = check_visit(chosen.get("visit", 0))
        super().reset(seed=seed)
        if seed is not None or self.seed_value is None:
            assert self.np_random_seed is not None
            self.seed_value = stream_seed(self.np_random_seed)
            self._next_user = 0
            self._user.bind_seed(self.seed_value)
        if user is None:
            user = self._next_user
            self._next_user += 1
        self._user.start(user, visit)
        if self.render_mode is not None:
            self._keep((first_frame(self.world, self.state),))
        info = self._info(0.0)
        if self._has_returns:
            info[VISIT_INFO] = False
        return self._user.observation(), info

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, Info]:
        """Show an item or a slate, and let the user answer."""
        if self._ended[0]:
            raise ResetNeeded("the session has not begun or is over: call reset() before step()")
        self._take(action)
        expected, truth = 0.0, None
        if self.expected_reward or self.render_mode is not None:
            truth = slate_truth(self.world, self.state, self._user.items())
            expected = float(truth.expected_reward[0])
        self._user.step()
        reward = self._amounts.item(0)
        if truth is not None and self.render_mode is not None:
            frame = next_frame(self.frames[-1], self.world, self.state, reward, truth)
            self._keep((*self.frames, frame))
        terminated, truncated, visit_ended = self._flags.tolist()
        info = self._info(expected)
        if self._has_returns:
            info[VISIT_INFO] = visit_ended
        return self._user.observation(), reward, terminated, truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which items, or candidates, are on offer now: what ``MaskablePPO`` asks for.

        Returns:
            [N] bool, or [M] of candidates; for a slate K times that, one after the other.
        """
        return available_actions(self.world, self.state, self._user.arrays)[0]

    def render(self) -> Any:
        """The session so far, as ``render_mode`` says: text, a picture [H, W, 3] uint8, or printed text."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                "render() shows nothing without a render_mode: name one when making the env"
            )
            return None
        if not self.frames:
            raise ResetNeeded("the session has not begun: call reset() before render()")
        return render(self.frames, self.render_mode)

    def _keep(self, frames: tuple[Frame, ...]) -> None:
        self.frames = frames
        if self.render_mode == "human":
            show(frames)

    def _take(self, action: Any) -> None:
        """Put a checked action into the kernel's slate; the usual forms take a short way."""
        if self._single_item:
            try:
                item = operator.index(action)
            except TypeError:
                pass
            else:
                if not 0 <= item < self._num_choices:
                    raise ValueError(f"action: expected {choices_name(self.world)}, got {action}")
                self._shown[0] = item
                return
        if isinstance(action, np.ndarray) and action.dtype == np.int64 and action.shape == self._shown.shape:
            self._shown[:] = action
            if self._user.check():
                return
        self._user.slates[:] = check_slates(self.world, np.asarray(action)[None], 1, self._allow_repeats)

    def _info(self, expected: float) -> Info:
        visit, clicks, likes, purchases = self._counts.tolist()
        info = {
            "user_id": self._served.item(),
            "visit": visit,
            "clicks": clicks,
            "likes": likes,
            "purchases": purchases,
            "revenue": self._amounts.item(1),
        }
        if self.expected_reward:
            info[TRUTH_INFO] = expected
        return info
