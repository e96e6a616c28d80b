"""A batch of one: a user's record, the buffers around it, and the kernel bound to their types."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim_env.actions import shown_items
from recsim_env.compiling import specialise
from recsim_env.records import OUTCOME, ObservationArrays, Records
from recsim_env.world import World

Kernels = tuple[Any, ...]


def _fields(outcomes: Records, *names: str) -> NDArray[Any]:
    """The neighbouring fields ``names``, of one type, of a single record as a plain array that shares it."""
    first = outcomes[names[0]]
    start = first.ctypes.data - outcomes.ctypes.data
    return outcomes.view(np.uint8)[start : start + len(names) * first.itemsize].view(first.dtype)


class OneUser:
    """What ``RecommenderEnv`` steps: everything is allocated once, and a call costs little but the kernel.

    Args:
        world: the simulator; shared.
        allow_repeats: whether a repeated item is a blank position.
        kernels: those of a twin, to save looking them up.

    Attributes:
        state: [1] USER_STATE; outcomes: [1] OUTCOME of the last step.
        slates: [1, K] int64, the action: items, or numbers of candidates where there are such.
        amounts: [2] float64, the outcome's reward and revenue.
        served: [1] int64, its user; counts: [4] int32, its visit, clicks, likes, purchases.
        flags: [3] bool, terminated, truncated, visit_ended.
        ended: [1] bool, whether no visit is going on.
        fault: [2] int64, row and position of what ``check`` found, or -1.
    """

    def __init__(self, world: World, allow_repeats: bool, kernels: Kernels | None = None) -> None:
        self.world = world
        self.allow_repeats = allow_repeats
        self.state = world.empty_states(1)
        self.ended = self.state["ended"]
        self.slates = np.zeros((1, world.config.slate_size), np.int64)
        self.outcomes = np.zeros(1, OUTCOME)
        self.amounts = _fields(self.outcomes, "reward", "revenue")
        self.served = _fields(self.outcomes, "user_id")
        self.counts = _fields(self.outcomes, "visit", "clicks", "likes", "purchases")
        self.flags = _fields(self.outcomes, "terminated", "truncated", "visit_ended")
        self._has_candidates = world.config.candidates.num_candidates > 0
        self._allocate_observation()
        self._shown = self.slates.copy() if self._has_candidates else self.slates
        self._users, self._visits = np.zeros((2, 1), np.int64)
        self._bind_kernels(kernels)

    def _bind_kernels(self, kernels: Kernels | None) -> None:
        """The arguments of every call, which stay the same but for the seed, and the code for their types."""
        world, no_key, no_horizon = self.world, np.uint64(0), 0
        self._scratch = scratch = world.empty_scratch()
        self.fault = scratch["fault"][0]
        look_for_blanks = self.allow_repeats or world.config.catalog.shelf_hours > 0
        self._check_arguments = [self.slates, world.num_choices, self.allow_repeats, scratch, 0, 1]
        self._step_arguments: list[Any] = [
            world.params,
            world.items,
            no_key,
            self.state,
            self._shown,
            look_for_blanks,
            no_horizon,
            np.zeros(1, np.bool_),
            self.outcomes,
            scratch,
            self.arrays,
            0,
            1,
        ]
        self._reset_arguments: list[Any] = [
            world.params,
            world.items,
            world.topic_centres,
            no_key,
            self.state,
            np.zeros(1, np.int64),
            self._users,
            self._visits,
            scratch,
            self.arrays,
            0,
            1,
        ]
        self._return_arguments: list[Any] = [
            world.params,
            no_key,
            self.state,
            no_horizon,
            self.outcomes,
            scratch,
            self.arrays,
            0,
            1,
        ]
        self.kernels: Kernels = kernels or (
            specialise(world.kernel.find_invalid, self._check_arguments),
            specialise(world.kernel.step_users, self._step_arguments),
            specialise(world.kernel.reset_users, self._reset_arguments),
            specialise(world.kernel.return_users, self._return_arguments) if world.has_returns else None,
        )
        self._check, self._step, self._reset, self._return = self.kernels

    def _allocate_observation(self) -> None:
        """One block behind all observation arrays, so that copying it copies them all."""
        widths = self.world.observation_widths
        edges = list(accumulate(widths, initial=0))
        self.block = np.zeros(edges[-1], np.int64)
        parts = [self.block[None, a:b] for a, b in pairwise(edges)]
        arrays = ObservationArrays(*parts)
        self.arrays = arrays._replace(segment=arrays.segment[0])
        named = zip(ObservationArrays._fields, pairwise(edges), widths, strict=True)
        parts_of = {name: slice(a, b) for name, (a, b), width in named if width}
        self._slices = [parts_of.pop(name) for name in ObservationArrays._fields[:6]]
        self._segment_at = self._slices.pop(4).start
        self._extra = parts_of

    def kept(self) -> tuple[NDArray[Any], ...]:
        """Copies of what outlives a call: the state, the observation, the last outcome."""
        return self.state.copy(), self.block.copy(), self.outcomes.copy()

    def restore(self, kept: tuple[NDArray[Any], ...]) -> None:
        """Put back what ``kept`` gave."""
        for array, content in zip((self.state, self.block, self.outcomes), kept, strict=True):
            array[:] = content

    def bind_seed(self, seed: int) -> None:
        """Let all draws come from this key."""
        key = np.uint64(seed)
        self._step_arguments[2] = self._reset_arguments[3] = self._return_arguments[1] = key
        self._seed = seed

    def start(self, user: int, visit: int) -> None:
        """Begin an episode of a user."""
        self._users[0], self._visits[0] = user, visit
        self._reset(*self._reset_arguments)
        self.outcomes.fill(0)
        self.outcomes["user_id"], self.outcomes["visit"] = user, visit
        if self._has_candidates:
            self._offer()

    def check(self) -> bool:
        """Whether ``slates`` is valid; ``fault`` says where it is not."""
        self._check(*self._check_arguments)
        return self.fault.item(0) < 0

    def items(self) -> NDArray[np.int64]:
        """The items of ``slates``, [1, K]; to be called before ``step``."""
        if self._has_candidates:
            self._shown[:] = shown_items(self.world, self.slates, self.arrays)
        return self._shown

    def step(self) -> None:
        """Let the user answer ``slates``."""
        if self._has_candidates:
            self.items()
        self._step(*self._step_arguments)
        if self._return is not None and self.ended[0]:
            self._return(*self._return_arguments)
        if self._has_candidates:
            self._offer()

    def _offer(self) -> None:
        self.world.offer(self._seed, self.state, self.arrays.candidates, self._scratch)

    def observation(self) -> dict[str, Any]:
        """What a policy sees now, in fresh arrays."""
        block = self.block.copy()
        items, events, slate, slate_events, step = self._slices
        seen = {
            "history_items": block[items],
            "history_events": block[events],
            "last_slate": block[slate],
            "last_events": block[slate_events],
            "segment": block[self._segment_at],
            "session_step": block[step],
        }
        for name in self._extra:
            seen[name] = block[self._extra[name]]
        if self._has_candidates:
            num_items = len(self.world.items)
            seen["candidates"] = np.where(seen["candidates"] < 0, num_items, seen["candidates"])
        return seen
