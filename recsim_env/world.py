"""A world: one config, its catalog, and the kernel bound to both; it holds no user."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim_env.catalog import PublicCatalog, draw_catalog, public_view
from recsim_env.config import WorldConfig
from recsim_env.kernel import drivers
from recsim_env.kernel.draws import empty_scratch
from recsim_env.kernel.rebuild import build_kernel
from recsim_env.records import OUTCOME, ObservationArrays, Records, pack_params, user_state_dtype
from recsim_env.streams import MAX_SEED
from recsim_env.threads import NUM_THREADS, split_rows
from recsim_env.user_model import UserModel

PARALLEL_FROM = 8_192  # users; below, waking the threads costs more than it saves
LIFETIME_VISITS = 1_024  # numbers set aside for the visits of one lifetime
SMALLEST_PIECE = 128  # users; as many take some tens of microseconds


class Starts(NamedTuple):
    """Visits that begin: visit visits[i] of user users[i] in row rows[i]; each [R] int64."""

    rows: NDArray[np.int64]
    users: NDArray[np.int64]
    visits: NDArray[np.int64]


def stream_key(seed: int) -> np.uint64:
    """The key of a world's luck, or a clear error: an integer in [0, 2^64)."""
    key = operator.index(seed)
    if not 0 <= key <= MAX_SEED:
        raise ValueError(f"seed: expected an integer in [0, 2^64), got {seed}")
    return np.uint64(key)


class World:
    """The simulator without an interface around it: states in, states and outcomes out.

    Args:
        config: the world's parameters.
        user_model: functions of your own in place of some of the kernel's.

    Attributes:
        config, user_model: as given.
        kernel: the entry functions of the kernel (``kernel/drivers.py``).
        items: [N] ITEM records, hidden fields included.
        topic_centres: [C, D] float32.
        params: [1] PARAMS record.
        state_dtype: USER_STATE of this world.
    """

    def __init__(self, config: WorldConfig | None = None, user_model: UserModel | None = None) -> None:
        self.config = WorldConfig() if config is None else config
        if not isinstance(self.config, WorldConfig):
            raise TypeError(f"World: config: expected WorldConfig, got {type(config).__name__}")
        self.user_model = UserModel() if user_model is None else user_model
        self.kernel = self._bind()
        self.catalog = draw_catalog(self.config.catalog, self.config.run.run_hours)
        self.items = self.catalog.items
        self.topic_centres = self.catalog.topic_centres
        self.params = pack_params(self.config)
        self.state_dtype = user_state_dtype(self.config)

    def __getstate__(self) -> dict[str, Any]:
        """Without the kernel, which is code."""
        return {name: value for name, value in vars(self).items() if name != "kernel"}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        vars(self).update(kept)
        self.kernel = self._bind()

    def _bind(self) -> Any:
        replacements = self.user_model.replacements
        return build_kernel(replacements) if replacements else drivers

    @property
    def num_choices(self) -> int:
        """How many items a position of a slate is chosen from: M candidates, or all N."""
        return self.config.candidates.num_candidates or self.config.catalog.num_items

    @property
    def position_weight(self) -> NDArray[np.float32] | None:
        """[K] probability that each position is examined; None of single items, which always are."""
        examination: NDArray[np.float32] = self.params["examination"][0]
        return examination if self.config.slate_size > 1 else None

    @property
    def has_returns(self) -> bool:
        """Whether users come back within an episode."""
        return self.config.returns.lifetime_hours > 0

    def users(
        self, count: int, first: int = 0, hours: tuple[float, float] | None = None
    ) -> NDArray[np.int64]:
        """Users number first .. first + count - 1 of a sample of ``count``; see ``user_ids``."""
        return self.user_ids(np.arange(first, first + count), count, hours)

    def user_ids(
        self, numbers: NDArray[np.int64], count: int, hours: tuple[float, float] | None = None
    ) -> NDArray[np.int64]:
        """The ids of some users of a sample, by their numbers in it: int64, different for different numbers.

        Where there is a run, every ``count`` of them arrive evenly over it, or over a part of it.

        Args:
            numbers: int64, from 0.
            count: size of the sample.
            hours: (start, stop), only users who arrive at start <= hour < stop; by default all of the run.

        Raises:
            ValueError: no user arrives within these hours, or the world has no run.
        """
        run = self.config.run
        if hours is None:
            return numbers * (max(1, run.run_users // count) if run.run_hours else 1)
        if not run.run_hours:
            raise ValueError(f"hours: the world has no run whose hours they could be, got {hours}")
        start, stop = hours
        if not 0 <= start < stop <= run.run_hours:
            raise ValueError(
                f"hours: expected 0 <= start < stop <= run.run_hours={run.run_hours:g}, "
                f"got {start:g}, {stop:g}"
            )
        begin, end = (math.ceil(hour * run.run_users / run.run_hours) for hour in hours)
        width = end - begin
        if width == 0:
            raise ValueError(f"hours: no user arrives from hour {start:g} to {stop:g}")
        place = numbers * max(1, width // count)
        return place // width * run.run_users + begin + place % width

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
        widths = self.observation_widths
        block = np.empty(sum(widths) * num_users, np.int64)  # one: fewer page faults
        parts, start = [], 0
        for width in widths:
            parts.append(block[start : start + width * num_users].reshape(num_users, width))
            start += width * num_users
        arrays = ObservationArrays(*parts)
        return arrays._replace(segment=arrays.segment[:, 0])

    @property
    def observation_widths(self) -> tuple[int, ...]:
        """Columns of each of the ``ObservationArrays``, 1 for ``segment``."""
        config = self.config
        history, slate, clock = config.history_length, config.slate_size, config.run.run_hours > 0
        candidates = config.candidates.num_candidates
        return (history, history, slate, slate, 1, 1, int(self.has_returns), int(clock), candidates)

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
        start_rows = self._starter(seed, states, Starts(rows, users, visits), arrays, scratch)
        split_rows(start_rows, len(rows), parallel, SMALLEST_PIECE)
        if self.config.candidates.num_candidates:
            self.offer(seed, states, arrays.candidates, scratch)
        return arrays

    def offer(
        self,
        seed: int,
        states: Records,
        candidates: NDArray[np.int64] | None = None,
        scratch: Records | None = None,
    ) -> NDArray[np.int64]:
        """The candidates of this step for [B] states: [B, M] int64 items, ~item where one is not on offer.

        They are a function of the seed and of a state's user, visit, step, taste and hour.
        """
        shape = (len(states), self.config.candidates.num_candidates)
        offers = np.empty(shape, np.int64) if candidates is None else candidates
        scratch = self.empty_scratch() if scratch is None else scratch
        key = stream_key(seed)

        def draw(thread: int, start: int, stop: int) -> None:
            own = scratch[thread : thread + 1]
            self.kernel.offer_users(self.params, self.items, key, states, own, offers, start, stop)

        split_rows(draw, len(states), offers.size >= PARALLEL_FROM, SMALLEST_PIECE)
        return offers

    def _starter(
        self, seed: int, states: Records, starts: Starts, arrays: ObservationArrays, scratch: Records
    ) -> Callable[[int, int, int], None]:
        """A function of (thread, start, stop) that starts the visits start .. stop - 1 of ``starts``."""
        key = stream_key(seed)

        def start_visits(thread: int, start: int, stop: int) -> None:
            own = scratch[thread : thread + 1]
            self.kernel.reset_users(
                self.params, self.items, self.topic_centres, key, states, *starts, own, arrays, start, stop
            )

        return start_visits

    def step(
        self,
        seed: int,
        states: Records,
        slates: NDArray[np.int64],
        idle: NDArray[np.bool_] | None = None,
        starts: Starts | None = None,
        blank_repeats: bool = True,
        max_steps: int = 0,
        scratch: Records | None = None,
        parallel: bool | None = None,
    ) -> tuple[Records, ObservationArrays]:
        """Let every user who is not idle answer a slate.

        Args:
            seed: as given to ``reset``.
            states: [B] USER_STATE, changed in place unless idle.
            slates: [B, K] int64, items in [0, N); not checked here, see ``actions.find_invalid``. What is
                not on offer at this hour shows nothing.
            idle: [B] bool; none by default. Idle users keep their state, and their outcome is zero.
            starts: visits to start in rows that are idle, in ascending order of the rows; none by default.
            blank_repeats: whether to look for repeats of an item within a slate, which show nothing.
            max_steps: horizon, in decisions, after which an episode is truncated; 0 for none.
            scratch, parallel: as for ``reset``.

        Returns:
            ([B] OUTCOME records, observation arrays of B rows), both fresh.
        """
        count = len(states)
        outcomes = np.empty(count, OUTCOME)
        observation = self.empty_observation(count)
        idle = np.zeros(count, np.bool_) if idle is None else idle
        slates = np.ascontiguousarray(slates)  # any other layout would be compiled for anew
        scratch = self.empty_scratch() if scratch is None else scratch
        parallel = count >= PARALLEL_FROM if parallel is None else parallel
        key = stream_key(seed)
        starts = Starts(*np.empty((3, 0), np.int64)) if starts is None else starts
        start_visits = self._starter(seed, states, starts, observation, scratch)
        look_for_blanks = blank_repeats or self.config.catalog.shelf_hours > 0

        def serve(thread: int, start: int, stop: int) -> None:
            own = scratch[thread : thread + 1]
            self.kernel.step_users(
                self.params,
                self.items,
                key,
                states,
                slates,
                look_for_blanks,
                max_steps,
                idle,
                outcomes,
                own,
                observation,
                start,
                stop,
            )
            if self.has_returns:
                self.kernel.return_users(
                    self.params, key, states, max_steps, outcomes, own, observation, start, stop
                )
            first, last = np.searchsorted(starts.rows, (start, stop))
            if first < last:
                start_visits(thread, first, last)

        split_rows(serve, count, parallel, SMALLEST_PIECE)
        if look_for_blanks:  # a later call with the same scratch must not see this one's blank positions
            scratch["examination"][:, : self.config.slate_size] = self.params["examination"]
        if self.config.candidates.num_candidates:
            self.offer(seed, states, observation.candidates, scratch)
        return outcomes, observation

    def __repr__(self) -> str:
        catalog = self.config.catalog
        return (
            f"World({catalog.num_items} items, slate of {self.config.slate_size}, {self.config.choice.model})"
        )


def record_to_dict(record: Any) -> dict[str, Any]:
    """One structured record as a dict of plain Python values, for printing."""
    return {name: record[name].tolist() for name in record.dtype.names}
