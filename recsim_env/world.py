"""A world: one config, its catalog, and the kernel bound to both; it holds no user."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim_env.catalog import PublicCatalog, draw_catalog, public_view
from recsim_env.config import WorldConfig
from recsim_env.kernel.draws import empty_scratch
from recsim_env.kernel.drivers import find_invalid, reset_users, step_users
from recsim_env.records import OUTCOME, ObservationArrays, Records, pack_params, user_state_dtype
from recsim_env.threads import NUM_THREADS, split_rows

PARALLEL_FROM = 512  # users; below, waking the threads costs more than it saves


class World:
    """The simulator without an interface around it: states in, states and outcomes out.

    Args:
        config: the world's parameters.

    Attributes:
        config: as given.
        items: [N] ITEM records, hidden fields included.
        topic_centres: [C, D] float32.
        params: [1] PARAMS record.
        state_dtype: USER_STATE of this world.
    """

    def __init__(self, config: WorldConfig | None = None) -> None:
        self.config = WorldConfig() if config is None else config
        if not isinstance(self.config, WorldConfig):
            raise TypeError(f"World: config: expected WorldConfig, got {type(config).__name__}")
        self.catalog = draw_catalog(self.config.catalog)
        self.items = self.catalog.items
        self.topic_centres = self.catalog.topic_centres
        self.params = pack_params(self.config)
        self.state_dtype = user_state_dtype(self.config)

    @cached_property
    def public_catalog(self) -> PublicCatalog:
        """Topic, price and base popularity of every item: what agents may read."""
        return public_view(self.catalog)

    def empty_states(self, num_users: int) -> Records:
        """[num_users] USER_STATE records that no visit has started yet: ``ended``, zeros elsewhere."""
        states = np.zeros(num_users, self.state_dtype)
        states["ended"] = True
        return states

    def empty_scratch(self) -> Records:
        """Scratch for one caller, [NUM_THREADS]; not to be shared between callers that run at once."""
        return empty_scratch(self.config, NUM_THREADS)

    def empty_observation(self, num_users: int) -> ObservationArrays:
        """Fresh observation arrays for ``num_users`` rows, their content undefined."""
        history, slate = self.config.history_length, self.config.slate_size
        widths = np.array([history, history, slate, slate, 1, 1]) * num_users
        parts = np.split(
            np.empty(widths.sum(), np.int64), np.cumsum(widths)[:-1]
        )  # one large block: fewer page faults
        shapes = [(num_users, history)] * 2 + [(num_users, slate)] * 2 + [(num_users,), (num_users, 1)]
        return ObservationArrays(*(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)))

    def reset(
        self,
        seed: int,
        states: Records,
        rows: NDArray[np.int64],
        users: NDArray[np.int64],
        visits: NDArray[np.int64],
        observation: ObservationArrays | None = None,
        scratch: Records | None = None,
        parallel: bool | None = None,
    ) -> ObservationArrays:
        """Put user users[i] at the start of visit visits[i] into states[rows[i]].

        Args:
            seed: key of the world's luck, in [0, 2^64).
            states: [B] USER_STATE, rows overwritten.
            rows, users, visits: [R] int64.
            observation: arrays of B rows, the named rows overwritten; fresh ones by default.
            scratch: from ``empty_scratch``; fresh by default.
            parallel: whether to use several threads; by default from ``PARALLEL_FROM`` users on.

        Returns:
            the observation arrays.
        """
        arrays = self.empty_observation(len(states)) if observation is None else observation
        scratch = self.empty_scratch() if scratch is None else scratch
        parallel = len(rows) >= PARALLEL_FROM if parallel is None else parallel
        key = np.uint64(seed)

        def serve(part: int, start: int, stop: int) -> None:
            own = scratch[part : part + 1]
            reset_users(
                self.params,
                self.items,
                self.topic_centres,
                key,
                states,
                rows,
                users,
                visits,
                own,
                arrays,
                start,
                stop,
            )

        split_rows(serve, len(rows), parallel)
        return arrays

    def step(
        self,
        seed: int,
        states: Records,
        slates: NDArray[np.int64],
        idle: NDArray[np.bool_] | None = None,
        blank_repeats: bool = True,
        max_steps: int = 0,
        scratch: Records | None = None,
        parallel: bool | None = None,
    ) -> tuple[Records, ObservationArrays]:
        """Let every user who is not idle answer a slate.

        Args:
            seed: as given to ``reset``.
            states: [B] USER_STATE, changed in place unless idle.
            slates: [B, K] int64, items in [0, N); not checked here, see ``find_invalid``.
            idle: [B] bool; none by default. Idle users keep their state, and their outcome is zero.
            blank_repeats: whether to look for repeats of an item within a slate, which show nothing.
            max_steps: horizon after which a visit is truncated; 0 for none.
            scratch, parallel: as for ``reset``.

        Returns:
            ([B] OUTCOME records, observation arrays of B rows), both fresh.
        """
        count = len(states)
        outcomes = np.empty(count, OUTCOME)
        observation = self.empty_observation(count)
        idle = np.zeros(count, np.bool_) if idle is None else idle
        scratch = self.empty_scratch() if scratch is None else scratch
        parallel = count >= PARALLEL_FROM if parallel is None else parallel
        key = np.uint64(seed)

        def serve(part: int, start: int, stop: int) -> None:
            own = scratch[part : part + 1]
            step_users(
                self.params,
                self.items,
                key,
                states,
                slates,
                blank_repeats,
                max_steps,
                idle,
                outcomes,
                own,
                observation,
                start,
                stop,
            )

        split_rows(serve, count, parallel)
        if blank_repeats:  # a later call with the same scratch must not see this one's blank positions
            scratch["examination"][:, : self.config.slate_size] = self.params["examination"]
        return outcomes, observation

    def find_invalid(self, slates: NDArray[np.int64], allow_repeats: bool = False) -> tuple[int, int] | None:
        """(row, position) of the first item outside [0, N) or, unless allowed, repeated; else None."""
        faults = np.full((NUM_THREADS, 2), -1, np.int64)
        twice = np.empty((NUM_THREADS, 2 * self.config.slate_size), np.int32)
        num_items = self.config.catalog.num_items

        def search(part: int, start: int, stop: int) -> None:
            find_invalid(slates, num_items, allow_repeats, twice, faults, part, start, stop)

        split_rows(search, len(slates), len(slates) >= PARALLEL_FROM)
        found = faults[faults[:, 0] >= 0]
        return (int(found[0, 0]), int(found[0, 1])) if len(found) else None

    def __repr__(self) -> str:
        catalog = self.config.catalog
        return (
            f"World({catalog.num_items} items, slate of {self.config.slate_size}, {self.config.choice.model})"
        )


def record_to_dict(record: Any) -> dict[str, Any]:
    """One structured record as a dict of plain Python values, for printing."""
    return {name: record[name].tolist() for name in record.dtype.names}
