"""What a platform sees of a user."""

import numpy as np

from recsim_env.compiling import compiled
from recsim_env.records import NO_EVENT

NONE = np.uint8(NO_EVENT)


@compiled
def remember(state, item, events):
    """Push an interacted item to the end of the history, the oldest falling off."""
    history_items, history_events = state.history_items, state.history_events
    latest = history_items.shape[0] - 1
    for j in range(latest):
        history_items[j] = history_items[j + 1]
        history_events[j] = history_events[j + 1]
    history_items[latest] = item
    history_events[latest] = events


@compiled(merge=True)
def copy_row(source, target, row):
    """target[row] = source."""
    for j in range(target.shape[1]):
        target[row, j] = source[j]


@compiled(merge=True)
def write_observation(state, row, observation):
    """Copy the observable part of a state into one row of the observation arrays.

    Args:
        state: USER_STATE record; row: int.
        observation: ObservationArrays of B rows, row ``row`` overwritten.
    """
    copy_row(state.history_items, observation.history_items, row)
    copy_row(state.history_events, observation.history_events, row)
    copy_row(state.last_slate, observation.last_slate, row)
    copy_row(state.last_events, observation.last_events, row)
    observation.segment[row] = state.segment
    observation.session_step[row, 0] = state.step
    if observation.hours_away.shape[1] > 0:
        observation.hours_away[row, 0] = state.hours_away
    if observation.hour.shape[1] > 0:
        observation.hour[row, 0] = np.int64(state.hour)
