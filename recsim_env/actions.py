"""What an action may be, and which items it shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim_env.records import ObservationArrays, Records
from recsim_env.threads import split_rows
from recsim_env.world import SMALLEST_PIECE, World

PARALLEL_CHECK_FROM = 65_536  # users; a check costs a tenth of a step


def choices_name(world: World) -> str:
    """What each position of an action is, for error messages."""
    kind = "a candidate's number" if world.config.candidates.num_candidates else "an item"
    return f"{kind} in [0, {world.num_choices})"


def find_invalid(
    world: World,
    slates: NDArray[np.int64],
    allow_repeats: bool = False,
    scratch: Records | None = None,
    parallel: bool | None = None,
    num_choices: int | None = None,
) -> tuple[int, int] | None:
    """(row, position) of the first item outside [0, N) or, unless allowed, repeated; else None.

    Args:
        world: the simulator; slates: [B, K] int64.
        allow_repeats: whether a slate may show an item twice.
        scratch: as for ``World.reset``.
        parallel: whether to use several threads; by default from ``PARALLEL_CHECK_FROM`` users on.
        num_choices: in place of N.
    """
    scratch = world.empty_scratch() if scratch is None else scratch
    parallel = len(slates) >= PARALLEL_CHECK_FROM if parallel is None else parallel
    num_choices = len(world.items) if num_choices is None else num_choices
    found: list[tuple[int, int]] = []

    def search(thread: int, start: int, stop: int) -> None:
        own = scratch[thread : thread + 1]
        world.kernel.find_invalid(slates, num_choices, allow_repeats, own, start, stop)
        row, position = own["fault"][0].tolist()
        if row >= 0:
            found.append((row, position))

    split_rows(search, len(slates), parallel, SMALLEST_PIECE)
    return min(found) if found else None


def check_slates(
    world: World,
    action: Any,
    num_users: int,
    allow_repeats: bool,
    scratch: Records | None = None,
    parallel: bool | None = None,
) -> NDArray[np.int64]:
    """Actions of a batch as valid [B, K] int64, or a clear error that names the first offending index.

    Args:
        world: the world that will show them.
        action: [B] items when K is 1, else [B, K]; any integer dtype. In two-stage worlds numbers of
            candidates.
        num_users: B.
        allow_repeats: whether a repeated item is taken as a blank position instead of being refused.
        scratch, parallel: as for ``World.reset``.
    """
    slate_size = world.config.slate_size
    slates = np.asarray(action)
    if slates.dtype != np.int64 and not np.issubdtype(slates.dtype, np.integer):
        raise ValueError(f"action: expected integers, got an array of {slates.dtype}")
    shape = (num_users,) if slate_size == 1 and slates.ndim == 1 else (num_users, slate_size)
    if slates.shape != shape:
        wanted = f"({num_users}, {slate_size})" + (f" or ({num_users},)" if slate_size == 1 else "")
        raise ValueError(f"action: expected shape {wanted} for slates of {slate_size}, got {slates.shape}")
    slates = np.ascontiguousarray(slates.reshape(num_users, slate_size), np.int64)
    fault = find_invalid(world, slates, allow_repeats, scratch, parallel, world.num_choices)
    if fault is not None:
        row, position = fault
        item = slates[row, position]
        if 0 <= item < world.num_choices:
            raise ValueError(
                f"action[{row}, {position}]: item {item} is already on this slate, and duplicates='error'; "
                "pass duplicates='ignore' to treat a repeat as a blank position"
            )
        raise ValueError(f"action[{row}, {position}]: expected {choices_name(world)}, got {item}")
    return slates


def shown_items(
    world: World, actions: NDArray[np.int64], observation: ObservationArrays
) -> NDArray[np.int64]:
    """The items of ``actions`` [B, K], which in two-stage worlds are numbers of the observed candidates."""
    if not world.config.candidates.num_candidates:
        return actions
    picked = np.take_along_axis(observation.candidates, actions, axis=1)
    return np.where(picked < 0, ~picked, picked)


def available_actions(world: World, states: Records, observation: ObservationArrays) -> NDArray[np.bool_]:
    """[B, K n] bool: for each position in turn, which of the n items or candidates are on offer.

    Args:
        world: the simulator; states: [B] USER_STATE; observation: theirs.
    """
    if world.config.candidates.num_candidates:
        available = observation.candidates >= 0
    else:
        available = world.public_catalog.on_offer(np.floor(states["hour"]))
    return np.tile(available, (1, world.config.slate_size))
