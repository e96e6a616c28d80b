"""How the world changes with the hour: levels of its changes, and what they do to taste and appeal."""

import numpy as np

from recsim_env.arithmetic import ONE, ZERO
from recsim_env.compiling import compiled
from recsim_env.config import ChangeKind

SUDDEN = int(ChangeKind.SUDDEN)
GRADUAL = int(ChangeKind.GRADUAL)
TWO = np.float32(2)
THREE = np.float32(3)


@compiled
def change_level(params, i, hour):
    """Level of change i at an hour, in [0, 1]; see ``Change``."""
    since = np.float32(hour) - params.change_start[i]
    if since < ZERO:
        return ZERO
    if params.change_kind[i] == SUDDEN:
        return ONE
    phase = since / params.change_length[i]
    if params.change_kind[i] == GRADUAL:
        return min(phase, ONE)
    part = phase - np.float32(np.floor(phase))
    up_and_down = ONE - abs(TWO * part - ONE)
    return up_and_down * up_and_down * (THREE - TWO * up_and_down)


@compiled
def concerns(params, i, state):
    """Whether change i concerns this user's segment."""
    return params.change_segment[i] < 0 or params.change_segment[i] == state.segment


@compiled
def appeal_level(params, state):
    """How far appeal has drifted for this user at ``state.hour``, in [0, 1]."""
    level = ZERO
    for i in range(params.num_changes):
        if concerns(params, i, state):
            level += params.change_appeal_share[i] * change_level(params, i, state.hour)
    return min(level, ONE)


@compiled
def drift_taste(params, topic_centres, first, second, state):
    """Blend the topics of a taste, one change after the other, with those that the change names.

    theta <- (1 - L) theta + L (c_{f + s} + w c_{g + s}) for each change of shift s that concerns the user; L
    is its level times its taste share, f and g are the topics that the user was born with.

    Args:
        params: PARAMS record; topic_centres: [C, D] float32; first, second: int, f and g.
        state: USER_STATE record whose ``taste`` holds c_f + w c_g, changed in place.
    """
    num_topics, taste, weight = topic_centres.shape[0], state.taste, params.second_topic_weight
    for i in range(params.num_changes):
        if concerns(params, i, state):
            level = params.change_taste_share[i] * change_level(params, i, state.hour)
            first_to = (first + params.change_topic_shift[i]) % num_topics
            second_to = (second + params.change_topic_shift[i]) % num_topics
            for d in range(taste.shape[0]):
                wanted = topic_centres[first_to, d] + weight * topic_centres[second_to, d]
                taste[d] = (ONE - level) * taste[d] + level * wanted
