"""The logged data: what a policy showed, with which propensity, and what the users did."""

from recsim_env.event_log.collect import BLOCK_USERS, collect_log, sorted_columns
from recsim_env.event_log.columns import COLUMNS, OPTIONAL_COLUMNS, SCHEMA_VERSION, MissingColumnError
from recsim_env.event_log.files import replacing
from recsim_env.event_log.folder import LogFolder, Partition
from recsim_env.event_log.log import EventLog
from recsim_env.event_log.parquet import METADATA_KEY
from recsim_env.event_log.provenance import source_commit
from recsim_env.event_log.simulate import Progress, simulate

__all__ = [
    "BLOCK_USERS",
    "COLUMNS",
    "METADATA_KEY",
    "OPTIONAL_COLUMNS",
    "SCHEMA_VERSION",
    "EventLog",
    "LogFolder",
    "MissingColumnError",
    "Partition",
    "Progress",
    "collect_log",
    "replacing",
    "simulate",
    "sorted_columns",
    "source_commit",
]
