"""Logs for other libraries: Arrow, pandas, polars, Minari, and the arrays that d3rlpy takes.

Minari, pandas and polars are imported when they are asked for: ``pip install 'recsim_env[exchange]'``.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import gymnasium
import numpy as np
import pyarrow as pa
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from recsim_env.event_log.columns import COLUMNS, OBSERVATION_KEYS, OPTIONAL_COLUMNS
from recsim_env.event_log.log import EventLog
from recsim_env.event_log.parquet import from_table, to_table
from recsim_env.event_log.views import transitions
from recsim_env.records import ALL_EVENTS
from recsim_env.scenarios import NAMESPACE, SCENARIOS

MINARI_KEY = "recsim_env"
"""Under this key the header of the log stands in the metadata of a Minari data set."""

ANY_SCENARIO = "Storefront-v0"
"""Whose id stands for a world without a name: the config says what it is."""


def to_arrow(log: EventLog) -> pa.Table:
    """The columns of the log; those of several values a row as lists of fixed size."""
    return to_table(log.columns, {})


def from_arrow(table: pa.Table, policy: str, provenance: dict[str, Any] | None = None) -> EventLog:
    """The log of a table with the columns of the schema; further ones count as observations.

    Raises:
        ValueError: a column has empty values, or another type than the schema says.
    """
    return EventLog.from_columns(from_table("table", table), policy, provenance)


def to_pandas(log: EventLog) -> Any:
    """A pandas.DataFrame; columns of several values a row hold arrays."""
    _needed("pandas")
    return to_arrow(log).to_pandas()


def to_polars(log: EventLog) -> Any:
    """A polars.DataFrame; columns of several values a row are of type Array."""
    return _needed("polars").from_arrow(to_arrow(log))


def d3rlpy_arrays(
    log: EventLog, encode: Callable[[dict[str, np.ndarray]], np.ndarray]
) -> dict[str, np.ndarray]:
    """The arguments of ``d3rlpy.dataset.MDPDataset``: one episode after the other.

    Args:
        log: of single items, with whole episodes.
        encode: observation of n rows -> [n, F] numbers, such as ``HistoryFlattener(world)`` of
            `recsim_env.wrappers`.

    Returns:
        observations [n, F] float32, actions [n, 1] int64, rewards [n, 1] float32, terminals and timeouts [n]
        float32.

    Raises:
        ValueError: the log is one of slates, for which d3rlpy has no actions.
    """
    if log.slate_size != 1:
        raise ValueError(f"log: expected single items, got slates of {log.slate_size}")
    rows = transitions(log)
    return {
        "observations": np.asarray(encode(rows.observation), np.float32),
        "actions": rows.action,
        "rewards": rows.reward[:, None].astype(np.float32),
        "terminals": rows.terminated.astype(np.float32),
        "timeouts": rows.truncated.astype(np.float32),
    }


def to_minari(log: EventLog, dataset_id: str, *, num_items: int | None = None, **about: Any) -> Any:
    """Write the log as a Minari data set (HDF5), one episode per user, where Minari keeps its data sets.

    Observations have one row more than actions: what would have been seen after the last. What Minari has no
    place for is in ``infos``, T rows per episode, row t belonging to action t: ``propensity``, ``events``,
    ``price``, ``user_id``, ``visit``, ``step`` and the optional columns. Of a simulated log
    ``recover_environment()`` gives the world in which it was made, unless its user model is not the built-in
    one.

    Args:
        log: of whole episodes.
        dataset_id: such as "recsim_env/storefront-v0"; the folder is that of Minari (MINARI_DATASETS_PATH).
        num_items: N; by default that of the log's config.
        about: further arguments of ``minari.create_dataset_from_buffers``, such as author.

    Returns:
        The ``minari.MinariDataset``.

    Raises:
        ValueError: the log does not say how many items there are, and ``num_items`` does not either.
    """
    minari = _needed("minari")
    rows = transitions(log)
    if num_items is None:
        if "config" not in log.provenance:
            raise ValueError("num_items: expected N, since the log does not say how many items there are")
        num_items = int(json.loads(log.provenance["config"])["catalog"]["num_items"])
    action = (
        spaces.Discrete(num_items)
        if log.slate_size == 1
        else spaces.MultiDiscrete([num_items] * log.slate_size)
    )
    env = _env_spec(log)
    about = {
        "env": env,
        "eval_env": env,
        "description": " in ".join(
            [f"decisions of {log.policy}", *filter(None, [log.provenance.get("scenario")])]
        ),
        "algorithm_name": log.policy,
        "author": "recsim_env",
        "author_email": "none",
        "code_permalink": "none",
        **about,
    }
    with warnings.catch_warnings():
        if env is None:
            warnings.filterwarnings("ignore", "env_spec is None|`eval_env` is set to None", UserWarning)
        dataset = minari.create_dataset_from_buffers(
            dataset_id,
            buffer=_episodes(minari, log, rows),
            observation_space=_observation_space(rows.observation, num_items),
            action_space=action,
            **about,
        )
    header = {"policy": log.policy, "provenance": log.provenance, "slate_size": log.slate_size}
    dataset.storage.update_metadata({MINARI_KEY: json.dumps(header)})
    return dataset


def _env_spec(log: EventLog) -> EnvSpec | None:
    """What makes the environment of a simulated log again; None of a real log and of replaced user models."""
    made = log.provenance
    if "config" not in made or "max_steps" not in made or made.get("user_model"):
        return None
    name = str(made.get("scenario") or "").removeprefix(f"{NAMESPACE}/")
    spec = copy.deepcopy(gymnasium.spec(f"{NAMESPACE}/{name if name in SCENARIOS else ANY_SCENARIO}"))
    sections = json.loads(made["config"])
    del sections["config_schema"]
    spec.kwargs.update(sections)
    spec.max_episode_steps = made["max_steps"]
    return spec


def _episodes(minari: Any, log: EventLog, rows: Any) -> Iterator[Any]:
    buffer = import_module("minari.data_collector").EpisodeBuffer
    in_infos = [
        name
        for name in log.columns
        if name not in ("action", "reward", "terminated", "truncated", *OBSERVATION_KEYS)
        and name not in log.extra_observation
    ]
    ends = np.flatnonzero(rows.terminated | rows.truncated)
    starts = np.append(0, ends[:-1] + 1)
    for number, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        part = slice(start, end + 1)
        seen = {
            key: np.concatenate([column[part], rows.next_observation[key][end : end + 1]])
            for key, column in rows.observation.items()
        }
        actions = rows.action[part]
        yield buffer(
            id=number,
            observations=seen,
            actions=actions[:, 0] if log.slate_size == 1 else actions,
            rewards=rows.reward[part],
            terminations=rows.terminated[part],
            truncations=rows.truncated[part],
            infos={name: log.columns[name][part] for name in in_infos},
        )


def _observation_space(observation: dict[str, np.ndarray], num_items: int) -> spaces.Dict:
    highs = {"history_items": num_items, "last_slate": num_items, "candidates": num_items}
    highs |= {"history_events": ALL_EVENTS, "last_events": ALL_EVENTS}
    result: dict[str, spaces.Space[Any]] = {}
    for key, column in observation.items():
        whole = column.dtype.kind in "iu"
        high = highs.get(key, np.iinfo(np.int32).max) if whole else np.inf
        result[key] = spaces.Box(0 if whole else -np.inf, high, column.shape[1:], column.dtype.type)
    return spaces.Dict(result)


def from_minari(dataset: Any) -> EventLog:
    """The log of a Minari data set that `to_minari` wrote, or of its id.

    Raises:
        ValueError: another program wrote it.
    """
    if isinstance(dataset, str):
        dataset = _needed("minari").load_dataset(dataset)
    header = dataset.storage.metadata.get(MINARI_KEY)
    if header is None:
        raise ValueError(f"dataset: {dataset.id} was not written from an event log")
    header = json.loads(header)
    parts: dict[str, list[np.ndarray]] = {}
    for episode in dataset.iterate_episodes():
        columns = {key: column[:-1] for key, column in episode.observations.items()}
        columns |= {
            "action": np.asarray(episode.actions).reshape(-1, header["slate_size"]),
            "reward": episode.rewards,
            "terminated": episode.terminations,
            "truncated": episode.truncations,
            **episode.infos,
        }
        columns["session_step"] = columns["session_step"][:, 0]
        for name, column in columns.items():
            parts.setdefault(name, []).append(np.asarray(column))
    joined = {name: np.concatenate(pieces) for name, pieces in parts.items()}
    known = [name for name in (*COLUMNS, *OPTIONAL_COLUMNS) if name in joined]
    ordered = {name: joined[name] for name in [*known, *(name for name in joined if name not in known)]}
    return EventLog.from_columns(ordered, header["policy"], header["provenance"])


def _needed(library: str) -> Any:
    try:
        return import_module(library)
    except ImportError as error:
        raise ImportError(f"{library} is not installed: pip install 'recsim_env[exchange]'") from error
