"""The logged data: what a policy showed, with which propensity, and what the users did."""

from recsim_env.event_log.collect import collect_log, sorted_columns
from recsim_env.event_log.files import replacing
from recsim_env.event_log.log import COLUMNS, METADATA_KEY, SCHEMA_VERSION, EventLog
from recsim_env.event_log.provenance import source_commit

__all__ = [
    "COLUMNS",
    "METADATA_KEY",
    "SCHEMA_VERSION",
    "EventLog",
    "collect_log",
    "replacing",
    "sorted_columns",
    "source_commit",
]
