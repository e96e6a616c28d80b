"""Real logs in the simulator's schema: what a log lacks is missing, what cannot be read is set aside."""

from recsim_env.event_log.readers.obd import read_open_bandit
from recsim_env.event_log.readers.rows import MalformedRowsWarning, ReadReport, RealLog
from recsim_env.event_log.readers.shops import SESSION_GAP, read_retailrocket, read_taobao, read_yoochoose

__all__ = [
    "SESSION_GAP",
    "MalformedRowsWarning",
    "ReadReport",
    "RealLog",
    "read_open_bandit",
    "read_retailrocket",
    "read_taobao",
    "read_yoochoose",
]
